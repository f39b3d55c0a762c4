"""The databases inside machines, through Systems Manager: the data program, its answers strictly read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from nospof.adapters.machine.ssm import DATA_PARTS, Errand, SsmMachines, script
from nospof.model.layout import (
    Applied,
    Checked,
    Examined,
    Layout,
    MemberState,
    Obstacle,
    Role,
    TableSum,
    as_said,
    layout_of,
)
from nospof.model.machine import Looked

SCHEMA = "nospof.data/1"
LOOK_SECONDS = 60
CHANGE_SECONDS = 900
"""A server may have to read its log again, twice where it takes a change back."""
CHECK_SECONDS = 3600
COMMENTS = {
    "examine": "nospof looks at the database; it changes nothing",
    "state": "nospof asks what this member of the database is; it changes nothing",
    "check": "nospof counts and sums what the tables hold; it changes nothing",
}
ROLES: dict[str, Role] = {
    "primary": "primary",
    "replica": "replica",
    "arbitrator": "arbitrator",
    "alone": "alone",
    "stranger": "stranger",
    "down": "down",
}
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
T = TypeVar("T")
Answer = TypeVar("Answer", Examined, MemberState, Applied, Checked)


class SsmDatabases:
    """Implements `ports.databases.Databases`."""

    def __init__(self, machines: SsmMachines) -> None:
        self._machines = machines

    def examine(self, instance_id: str) -> Examined:
        """See the port."""
        return read(self._ask(instance_id, "examine", LOOK_SECONDS), examined_of, Examined)

    def state(self, instance_id: str) -> MemberState:
        """See the port."""
        return read(self._ask(instance_id, "state", LOOK_SECONDS), state_of, MemberState)

    def apply(self, instance_id: str, layout: Layout) -> Applied:
        """See the port."""
        return self._changed(instance_id, "apply", layout=as_said(layout))

    def mend(self, instance_id: str, *, undo: bool = False) -> Applied:
        """See the port."""
        return self._changed(instance_id, "mend", undo=undo)

    def hand_over(self, instance_id: str) -> Applied:
        """See the port."""
        return self._changed(instance_id, "handover")

    def fail_over(self, instance_id: str, gone: str, *, is_off: bool = True) -> Applied:
        """See the port."""
        return self._changed(instance_id, "failover", gone=gone, is_off=is_off)

    def position(self, instance_id: str) -> Applied:
        """See the port."""
        return self._changed(instance_id, "position")

    def bootstrap(self, instance_id: str) -> Applied:
        """See the port."""
        return self._changed(instance_id, "bootstrap")

    def check(self, instance_id: str, tables: Sequence[str] = ()) -> Checked:
        """See the port."""
        return read(self._ask(instance_id, "check", CHECK_SECONDS, tables=list(tables)), checked_of, Checked)

    def several(self, ask: Callable[[str], T], instance_ids: Sequence[str]) -> tuple[T, ...]:
        """See the port."""
        with ThreadPoolExecutor(max(1, len(instance_ids))) as pool:
            return tuple(pool.map(ask, instance_ids))

    def _changed(self, instance_id: str, act: str, **asked: object) -> Applied:
        return read(self._ask(instance_id, act, CHANGE_SECONDS, **asked), applied_of, Applied)

    def _ask(self, instance_id: str, act: str, seconds: int, **asked: object) -> Looked:
        """Return what a machine answers, or why it gives nothing."""
        argument = base64.b64encode(json.dumps(asked).encode()).decode()
        comment = COMMENTS.get(act, f"nospof: {act} of the database")
        errand = Errand(script(DATA_PARTS, SCHEMA, act, argument), comment, SCHEMA, seconds)
        return self._machines.send(instance_id, errand)


class Unfit(ValueError):
    """An answer of another shape than the program gives."""


def read(looked: Looked, reader: Callable[[Mapping[str, Any]], Answer], kind: type[Answer]) -> Answer:
    """Return what an answer says, or why it is none."""
    if looked.document is None:
        why = f"{looked.operation}: {looked.problem}"
        return kind(problem=why, is_reached=looked.problem not in UNREACHED)
    try:
        return reader(looked.document)
    except ValueError as error:
        return kind(problem=f"the machine's answer is not the data program's: {error}")


def examined_of(answer: Mapping[str, Any]) -> Examined:
    """Return what was found on a machine. Raises ValueError."""
    return Examined(
        engine=text(answer, "engine"),
        version=text(answer, "version"),
        directory=text(answer, "directory"),
        size_bytes=number(answer, "bytes"),
        layout=layout_of(answer.get("layout") or None),
        obstacles=tuple(obstacle_of(one) for one in rows(answer, "obstacles")),
        problem=text(answer, "problem"),
    )


def obstacle_of(row: Mapping[str, Any]) -> Obstacle:
    """Return one obstacle. Raises ValueError."""
    return Obstacle(text(row, "kind"), text(row, "what"), text(row, "says"), text(row, "mend"))


def state_of(answer: Mapping[str, Any]) -> MemberState:
    """Return what a member is. Raises ValueError."""
    role = text(answer, "role")
    if role and role not in ROLES:
        raise Unfit(f"role is {role!r:.40}")
    ready = answer.get("ready", False)
    if not isinstance(ready, bool):
        raise Unfit("ready is neither true nor false")
    return MemberState(
        role=ROLES[role] if role else "",
        ready=ready,
        says=text(answer, "says"),
        votes=number(answer, "votes"),
        position=text(answer, "position"),
        lag_bytes=number(answer, "lag_bytes", -1),
        writer=text(answer, "writer"),
        problem=text(answer, "problem"),
    )


def applied_of(answer: Mapping[str, Any]) -> Applied:
    """Return what was done. Raises ValueError."""
    return Applied(texts(answer, "did"), text(answer, "problem"))


def checked_of(answer: Mapping[str, Any]) -> Checked:
    """Return what tables hold. Raises ValueError."""
    tables = tuple(
        TableSum(text(one, "name"), number(one, "rows"), text(one, "sum"), texts(one, "seen"))
        for one in rows(answer, "tables")
    )
    return Checked(tables, text(answer, "position"), text(answer, "reached"), text(answer, "problem"))


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
