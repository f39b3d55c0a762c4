"""The databases inside machines, through Systems Manager: the data program, its answers strictly read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from nospof.adapters.machine.answers import (
    Asking,
    Program,
    Unfit,
    flag,
    number,
    obstacle_of,
    rows,
    text,
    texts,
)
from nospof.adapters.machine.ssm import DATA_PARTS, SsmMachines
from nospof.model.layout import (
    Applied,
    Checked,
    Examined,
    Layout,
    MemberState,
    Role,
    TableSum,
    as_said,
    layout_of,
)

SCHEMA = "nospof.data/1"
LOOK_SECONDS = 60
CHANGE_SECONDS = 900
"""A server may have to read its log again, twice where it takes a change back."""
CHECK_SECONDS = 3600
LOOKS = {
    "examine": "nospof looks at the database; it changes nothing",
    "state": "nospof asks what this member of the database is; it changes nothing",
    "check": "nospof counts and sums what the tables hold; it changes nothing",
}
PROGRAM = Program(
    "data",
    DATA_PARTS,
    SCHEMA,
    LOOKS,
    "the database",
    {"examine": LOOK_SECONDS, "state": LOOK_SECONDS, "check": CHECK_SECONDS},
    CHANGE_SECONDS,
)
ROLES: dict[str, Role] = {
    "primary": "primary",
    "replica": "replica",
    "arbitrator": "arbitrator",
    "alone": "alone",
    "stranger": "stranger",
    "down": "down",
}
T = TypeVar("T")


class SsmDatabases:
    """Implements `ports.databases.Databases`."""

    def __init__(self, machines: SsmMachines) -> None:
        self._program = Asking(machines, PROGRAM)

    def examine(self, instance_id: str) -> Examined:
        """See the port."""
        return self._program.ask(instance_id, "examine", examined_of, Examined)

    def state(self, instance_id: str) -> MemberState:
        """See the port."""
        return self._program.ask(instance_id, "state", state_of, MemberState)

    def apply(self, instance_id: str, layout: Layout) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "apply", layout=as_said(layout))

    def mend(self, instance_id: str, *, undo: bool = False) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "mend", undo=undo)

    def hand_over(self, instance_id: str) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "handover")

    def fail_over(self, instance_id: str, gone: str, *, is_off: bool = True) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "failover", gone=gone, is_off=is_off)

    def position(self, instance_id: str) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "position")

    def rest(self, instance_id: str, rest_id: str, seconds: int) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "rest", rest_id=rest_id, seconds=seconds)

    def wake(self, instance_id: str, rest_id: str) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "wake", rest_id=rest_id)

    def bootstrap(self, instance_id: str) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "bootstrap")

    def check(self, instance_id: str, tables: Sequence[str] = ()) -> Checked:
        """See the port."""
        return self._program.ask(instance_id, "check", checked_of, Checked, tables=list(tables))

    def several(self, ask: Callable[[str], T], instance_ids: Sequence[str]) -> tuple[T, ...]:
        """See the port."""
        with ThreadPoolExecutor(max(1, len(instance_ids))) as pool:
            return tuple(pool.map(ask, instance_ids))


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


def state_of(answer: Mapping[str, Any]) -> MemberState:
    """Return what a member is. Raises ValueError."""
    role = text(answer, "role")
    if role and role not in ROLES:
        raise Unfit(f"role is {role!r:.40}")
    return MemberState(
        role=ROLES[role] if role else "",
        ready=flag(answer, "ready"),
        says=text(answer, "says"),
        votes=number(answer, "votes"),
        position=text(answer, "position"),
        lag_bytes=number(answer, "lag_bytes", -1),
        writer=text(answer, "writer"),
        problem=text(answer, "problem"),
    )


def checked_of(answer: Mapping[str, Any]) -> Checked:
    """Return what tables hold. Raises ValueError."""
    tables = tuple(
        TableSum(text(one, "name"), number(one, "rows"), text(one, "sum"), texts(one, "seen"))
        for one in rows(answer, "tables")
    )
    return Checked(tables, text(answer, "position"), text(answer, "reached"), text(answer, "problem"))
