"""The files that machines share, through Systems Manager: the files program, its answers strictly read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
from nospof.adapters.machine.databases import CHECK_SECONDS
from nospof.adapters.machine.ssm import FILES_PARTS, SsmMachines
from nospof.model.layout import Applied
from nospof.model.sharing import (
    Directory,
    DirectorySum,
    FilesChecked,
    FilesFound,
    FilesRole,
    FilesState,
    Sharing,
    sharing_as_said,
    sharing_of,
)

SCHEMA = "nospof.files/1"
SECONDS = {"look": 120, "state": 120, "check": CHECK_SECONDS}
CHANGE_SECONDS = 900
"""What a machine alone has may take long to come to the others."""
LOOKS = {
    "look": "nospof looks at directories; it changes nothing",
    "check": "nospof sums what is in directories; it changes nothing",
    "state": "nospof asks whether files are in step; it changes nothing",
}
PROGRAM = Program("files", FILES_PARTS, SCHEMA, LOOKS, "the shared files", SECONDS, CHANGE_SECONDS)
ROLES: dict[str, FilesRole] = {
    "member": "member",
    "joining": "joining",
    "stranger": "stranger",
    "alone": "alone",
    "down": "down",
}


class SsmFiles:
    """Implements `ports.files.Files`."""

    def __init__(self, machines: SsmMachines) -> None:
        self._program = Asking(machines, PROGRAM)

    def look(self, instance_id: str, directories: Sequence[str]) -> FilesFound:
        """See the port."""
        return self._program.ask(instance_id, "look", found_of, FilesFound, directories=list(directories))

    def state(self, instance_id: str) -> FilesState:
        """See the port."""
        return self._program.ask(instance_id, "state", state_of, FilesState)

    def key(self, instance_id: str, address: str) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "key", address=address)

    def apply(self, instance_id: str, sharing: Sharing) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "apply", sharing=sharing_as_said(sharing))

    def check(self, instance_id: str, directory: str = "", groups: Sequence[int] = ()) -> FilesChecked:
        """See the port."""
        asked = {directory: list(groups)} if directory else {}
        return self._program.ask(instance_id, "check", checked_of, FilesChecked, groups=asked)

    def settle(self, instance_id: str) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "settle")


def found_of(answer: Mapping[str, Any]) -> FilesFound:
    """Return what was found on a machine. Raises ValueError."""
    sharing = answer.get("sharing") or None
    if sharing is not None and not isinstance(sharing, dict):
        raise Unfit("sharing is no document")
    return FilesFound(
        version=text(answer, "version"),
        sharing=sharing_of(sharing),
        directories=tuple(
            Directory(
                text(one, "directory"), number(one, "files"), number(one, "bytes"), flag(one, "is_whole")
            )
            for one in rows(answer, "directories")
        ),
        obstacles=tuple(obstacle_of(one) for one in rows(answer, "obstacles")),
        problem=text(answer, "problem"),
    )


def state_of(answer: Mapping[str, Any]) -> FilesState:
    """Return what a machine is. Raises ValueError."""
    role = text(answer, "role")
    if role and role not in ROLES:
        raise Unfit(f"role is {role!r:.40}")
    return FilesState(
        role=ROLES[role] if role else "",
        ready=flag(answer, "ready"),
        says=text(answer, "says"),
        needs=number(answer, "needs"),
        need_bytes=number(answer, "need_bytes"),
        scanned=text(answer, "scanned"),
        conflicts=number(answer, "conflicts"),
        problem=text(answer, "problem"),
    )


def checked_of(answer: Mapping[str, Any]) -> FilesChecked:
    """Return what is in a machine's directories. Raises ValueError."""
    found = tuple(
        DirectorySum(
            text(one, "directory"),
            number(one, "files"),
            number(one, "bytes"),
            number(one, "in_part"),
            texts(one, "sums"),
            texts(one, "entries"),
            flag(one, "is_whole"),
        )
        for one in rows(answer, "directories")
    )
    return FilesChecked(found, text(answer, "problem"))
