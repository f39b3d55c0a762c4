"""Directories inside machines that move to a file system of EFS, and come home again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nospof.model.layout import Applied
from nospof.model.mounting import Copied, Mount, MountsFound, MountsState


class Mounts(Protocol):
    """Acts on the mounted directories of one machine at a time.

    Nothing raises: answers say in `problem` why there is none, as those of `ports.databases`.
    """

    def look(self, instance_id: str, mounts: Sequence[Mount], port: int) -> MountsFound:
        """Return what keeps directories from being moved, and who serves on a port.

        The file systems are mounted for a moment, to be read. Changes nothing that stays.
        """

    def state(self, instance_id: str) -> MountsState:
        """Return what a machine has mounted. Changes nothing."""

    def copy(self, instance_id: str, mounts: Sequence[Mount]) -> Copied:
        """Copy directories while they are written to, as far as one call comes. A repeat goes on.

        What is mounted already is left alone. A file system that holds something else takes nothing.
        """

    def attach(
        self, instance_id: str, mounts: Sequence[Mount], units: Sequence[str], *, is_copy: bool = False
    ) -> Applied:
        """Have directories be those of the file systems, now and after each boot. A repeat changes nothing.

        Writes are refused until all that was acknowledged is there too; where that does not come about,
        all is as it was. What the disk held is kept beside. The units do not start without the mounts.

        Args:
            is_copy: of a machine whose directories are an old copy: nothing of them is copied.
        """

    def copy_home(self, instance_id: str) -> Copied:
        """Copy what is in the file systems to the machine's own disk, as far as one call comes."""

    def detach(self, instance_id: str, *, leave: bool = False) -> Applied:
        """Give a machine its own directories back, with all that is in the file systems then.

        Args:
            leave: only have it write to them no more: it is about to go.
        """
