"""The directories that machines have on EFS, through Systems Manager: the mounts program, strictly read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from nospof.adapters.machine.databases import UNREACHED, Unfit, applied_of, number, obstacle_of, rows, text
from nospof.adapters.machine.files import flag
from nospof.adapters.machine.ssm import MOUNTS_PARTS, Errand, SsmMachines, script
from nospof.model.layout import Applied
from nospof.model.mounting import (
    Copied,
    Mount,
    MountsFound,
    MountsState,
    Moved,
    mount_of,
    mounts_as_said,
)

SCHEMA = "nospof.mounts/1"
LOOK_SECONDS = 180
CHANGE_SECONDS = 3600
"""The last of a copy is small, and still it is no act to be given up in the middle of."""
COMMENTS = {
    "look": "nospof looks at directories and a file system; it changes nothing",
    "state": "nospof asks what is mounted; it changes nothing",
}
Answer = TypeVar("Answer", Applied, Copied, MountsFound, MountsState)


class SsmMounts:
    """Implements `ports.mounts.Mounts`."""

    def __init__(self, machines: SsmMachines) -> None:
        self._machines = machines

    def look(self, instance_id: str, mounts: Sequence[Mount], port: int) -> MountsFound:
        """See the port."""
        asked = {"mounts": mounts_as_said(mounts), "port": port, "whose": instance_id}
        return self._ask(instance_id, "look", found_of, MountsFound, **asked)

    def state(self, instance_id: str) -> MountsState:
        """See the port."""
        return self._ask(instance_id, "state", state_of, MountsState)

    def copy(self, instance_id: str, mounts: Sequence[Mount]) -> Copied:
        """See the port."""
        asked = {"mounts": mounts_as_said(mounts), "whose": instance_id}
        return self._ask(instance_id, "copy", copied_of, Copied, **asked)

    def attach(
        self, instance_id: str, mounts: Sequence[Mount], units: Sequence[str], *, is_copy: bool = False
    ) -> Applied:
        """See the port."""
        asked = {"mounts": mounts_as_said(mounts), "units": list(units), "whose": instance_id}
        return self._ask(instance_id, "attach", applied_of, Applied, is_copy=is_copy, **asked)

    def copy_home(self, instance_id: str) -> Copied:
        """See the port."""
        return self._ask(instance_id, "copy", copied_of, Copied, home=True)

    def detach(self, instance_id: str, *, leave: bool = False) -> Applied:
        """See the port."""
        return self._ask(instance_id, "detach", applied_of, Applied, leave=leave)

    def _ask(
        self,
        instance_id: str,
        act: str,
        reader: Callable[[Mapping[str, Any]], Answer],
        kind: type[Answer],
        **asked: object,
    ) -> Answer:
        """Return what a machine answers, or why it gives nothing."""
        argument = base64.b64encode(json.dumps(asked).encode()).decode()
        comment = COMMENTS.get(act, f"nospof: {act} of files on EFS")
        seconds = LOOK_SECONDS if act in COMMENTS else CHANGE_SECONDS
        errand = Errand(script(MOUNTS_PARTS, SCHEMA, act, argument), comment, SCHEMA, seconds)
        looked = self._machines.send(instance_id, errand)
        if looked.document is None:
            why = f"{looked.operation}: {looked.problem}"
            return kind(problem=why, is_reached=looked.problem not in UNREACHED)
        try:
            return reader(looked.document)
        except ValueError as error:
            return kind(problem=f"the machine's answer is not the mounts program's: {error}")


def found_of(answer: Mapping[str, Any]) -> MountsFound:
    """Return what was found on a machine. Raises ValueError."""
    return MountsFound(
        directories=tuple(
            Moved(
                text(one, "directory"),
                number(one, "files"),
                number(one, "bytes"),
                flag(one, "is_whole"),
                flag(one, "is_mounted"),
            )
            for one in rows(answer, "directories")
        ),
        units=names(answer, "units"),
        obstacles=tuple(obstacle_of(one) for one in rows(answer, "obstacles")),
        problem=text(answer, "problem"),
    )


def state_of(answer: Mapping[str, Any]) -> MountsState:
    """Return what a machine has mounted. Raises ValueError."""
    return MountsState(
        mounts=tuple(mount_of(one) for one in rows(answer, "mounts")),
        ready=flag(answer, "ready"),
        says=text(answer, "says"),
        problem=text(answer, "problem"),
    )


def copied_of(answer: Mapping[str, Any]) -> Copied:
    """Return how far a copy is. Raises ValueError."""
    return Copied(
        number(answer, "files"),
        number(answer, "bytes"),
        flag(answer, "is_whole"),
        text(answer, "problem"),
    )


def names(answer: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of names of an answer. Raises Unfit."""
    found = answer.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Unfit(f"{name} is no list of names")
    return tuple(found)
