"""Programs that machines are asked with, through Systems Manager, and their answers, strictly read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from nospof.adapters.machine.ssm import Errand, SsmMachines, script
from nospof.model.layout import Applied, Checked, Examined, MemberState, Obstacle
from nospof.model.machine import Looked
from nospof.model.maintaining import CommandState
from nospof.model.mounting import Copied, MountsFound, MountsState
from nospof.model.sharing import FilesChecked, FilesFound, FilesState

UNREACHED = frozenset(
    {
        "InternalServerError",
        "InvalidInstanceId",
        "ThrottlingException",
        "the command ended as Delivery Timed Out",
        "the command ended as DeliveryTimedOut",
        "the command ended as Undeliverable",
        "timed out",
    }
)
"""Why a machine may never have heard what it was asked: later it may."""


Answer = TypeVar(
    "Answer",
    Applied,
    Checked,
    CommandState,
    Copied,
    Examined,
    FilesChecked,
    FilesFound,
    FilesState,
    MemberState,
    MountsFound,
    MountsState,
)


@dataclass(frozen=True)
class Program:
    """A program that is sent to machines.

    Args:
        called: in messages: "data" for the data program.
        parts: the files it is made of.
        schema: what its answers begin with.
        looks: what is told of each act that changes nothing, by its name.
        about: of what other acts are: "the database".
        seconds: how long acts may take; those that are not named, `change_seconds`.
    """

    called: str
    parts: tuple[str, ...]
    schema: str
    looks: Mapping[str, str]
    about: str
    seconds: Mapping[str, int]
    change_seconds: int

    def errand(self, act: str, asked: Mapping[str, object]) -> Errand:
        """Return what is sent to have an act done."""
        argument = base64.b64encode(json.dumps(asked).encode()).decode()
        comment = self.looks.get(act, f"nospof: {act} of {self.about}")
        seconds = self.seconds.get(act, self.change_seconds)
        return Errand(script(self.parts, self.schema, act, argument), comment, self.schema, seconds)


class Asking:
    """Asks machines with one program."""

    def __init__(self, machines: SsmMachines, program: Program) -> None:
        self._machines, self._program = machines, program

    def ask(
        self,
        instance_id: str,
        act: str,
        reader: Callable[[Mapping[str, Any]], Answer],
        kind: type[Answer],
        **asked: object,
    ) -> Answer:
        """Return what a machine answers, or why it gives nothing."""
        looked = self._machines.send(instance_id, self._program.errand(act, asked))
        return read(looked, reader, kind, self._program.called)

    def change(self, instance_id: str, act: str, **asked: object) -> Applied:
        """Return what a machine did."""
        return self.ask(instance_id, act, applied_of, Applied, **asked)


class Unfit(ValueError):
    """An answer of another shape than the program gives."""


def read(
    looked: Looked, reader: Callable[[Mapping[str, Any]], Answer], kind: type[Answer], called: str
) -> Answer:
    """Return what an answer says, or why it is none."""
    if looked.document is None:
        why = f"{looked.operation}: {looked.problem}"
        return kind(problem=why, is_reached=looked.problem not in UNREACHED)
    try:
        return reader(looked.document)
    except ValueError as error:
        return kind(problem=f"the machine's answer is not the {called} program's: {error}")


def applied_of(answer: Mapping[str, Any]) -> Applied:
    """Return what was done. Raises ValueError."""
    return Applied(texts(answer, "did"), text(answer, "problem"))


def obstacle_of(row: Mapping[str, Any]) -> Obstacle:
    """Return one obstacle. Raises ValueError."""
    return Obstacle(text(row, "kind"), text(row, "what"), text(row, "says"), text(row, "mend"))


def text(answer: Mapping[str, Any], name: str) -> str:
    """Return a text of an answer; empty where it is not there. Raises Unfit."""
    found = answer.get(name, "")
    if not isinstance(found, str):
        raise Unfit(f"{name} is no text")
    return found


def texts(answer: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of texts of an answer. Raises Unfit."""
    found = answer.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Unfit(f"{name} is no list of texts")
    return tuple(found)


def number(answer: Mapping[str, Any], name: str, otherwise: int = 0) -> int:
    """Return a whole number of an answer. Raises Unfit."""
    found = answer.get(name, otherwise)
    if not isinstance(found, int) or isinstance(found, bool):
        raise Unfit(f"{name} is no whole number")
    return found


def rows(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return a list of documents of an answer. Raises Unfit."""
    found = answer.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Unfit(f"{name} is no list of documents")
    return found


def flag(answer: Mapping[str, Any], name: str) -> bool:
    """Return a yes or no of an answer. Raises Unfit."""
    found = answer.get(name, False)
    if not isinstance(found, bool):
        raise Unfit(f"{name} is neither true nor false")
    return found
