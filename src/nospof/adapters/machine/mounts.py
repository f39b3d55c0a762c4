"""The directories that machines have on EFS, through Systems Manager: the mounts program, strictly read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nospof.adapters.machine.answers import Asking, Program, flag, number, obstacle_of, rows, text, texts
from nospof.adapters.machine.ssm import MOUNTS_PARTS, SsmMachines
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
LOOKS = {
    "look": "nospof looks at directories and a file system; it changes nothing",
    "state": "nospof asks what is mounted; it changes nothing",
}
PROGRAM = Program(
    "mounts", MOUNTS_PARTS, SCHEMA, LOOKS, "files on EFS", dict.fromkeys(LOOKS, LOOK_SECONDS), CHANGE_SECONDS
)


class SsmMounts:
    """Implements `ports.mounts.Mounts`."""

    def __init__(self, machines: SsmMachines) -> None:
        self._program = Asking(machines, PROGRAM)

    def look(self, instance_id: str, mounts: Sequence[Mount], port: int) -> MountsFound:
        """See the port."""
        asked = {"mounts": mounts_as_said(mounts), "port": port, "whose": instance_id}
        return self._program.ask(instance_id, "look", found_of, MountsFound, **asked)

    def state(self, instance_id: str) -> MountsState:
        """See the port."""
        return self._program.ask(instance_id, "state", state_of, MountsState)

    def copy(self, instance_id: str, mounts: Sequence[Mount]) -> Copied:
        """See the port."""
        asked = {"mounts": mounts_as_said(mounts), "whose": instance_id}
        return self._program.ask(instance_id, "copy", copied_of, Copied, **asked)

    def attach(
        self, instance_id: str, mounts: Sequence[Mount], units: Sequence[str], *, is_copy: bool = False
    ) -> Applied:
        """See the port."""
        asked = {"mounts": mounts_as_said(mounts), "units": list(units), "whose": instance_id}
        return self._program.change(instance_id, "attach", is_copy=is_copy, **asked)

    def copy_home(self, instance_id: str) -> Copied:
        """See the port."""
        return self._program.ask(instance_id, "copy", copied_of, Copied, home=True)

    def detach(self, instance_id: str, *, leave: bool = False) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "detach", leave=leave)


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
        units=texts(answer, "units"),
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
