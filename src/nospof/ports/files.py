"""Directories inside machines: looked at, kept in step with those of others, and left to one again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nospof.model.layout import Applied
from nospof.model.sharing import FilesChecked, FilesFound, FilesState, Sharing


class Files(Protocol):
    """Acts on the shared directories of one machine at a time.

    Nothing raises: answers say in `problem` why there is none, as those of `ports.databases`.
    """

    def look(self, instance_id: str, directories: Sequence[str]) -> FilesFound:
        """Return what keeps directories from being had by two. Changes nothing."""

    def state(self, instance_id: str) -> FilesState:
        """Return what a machine is in its sharing. Changes nothing."""

    def key(self, instance_id: str, address: str) -> Applied:
        """Return in `did` the name that others know a machine of this address by; always the same."""

    def apply(self, instance_id: str, sharing: Sharing) -> Applied:
        """Make a machine what a sharing says, whatever it was. A repeat changes nothing.

        One in no seat leaves its directories as they are and has nothing else left. One that joins only
        takes; without `joining` it then gives up what it alone has before it gives too.
        """

    def check(self, instance_id: str, directory: str = "", groups: Sequence[int] = ()) -> FilesChecked:
        """Return the sums of what is in the shared directories. Reads all of them, and changes nothing.

        With a directory and some of its groups, what is in those instead.
        """

    def settle(self, instance_id: str) -> Applied:
        """Return once every file that is there now is with the others too; `problem` says that it is not."""
