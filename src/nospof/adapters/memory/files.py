"""The shared directories in the machines of the in-memory cloud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nospof.adapters.memory.databases import says
from nospof.errors import CloudError
from nospof.model.layout import Applied
from nospof.model.sharing import FilesChecked, FilesFound, FilesState, Sharing


class MemoryFiles:
    """Implements `ports.files.Files`.

    Args:
        cloud: the in-memory cloud, or what stands between it and the procedures.
    """

    def __init__(self, cloud: Any) -> None:
        self._cloud = cloud

    def look(self, instance_id: str, directories: Sequence[str]) -> FilesFound:
        """See the port."""
        try:
            found: FilesFound = self._cloud.look_at_files(instance_id, tuple(directories))
        except CloudError as error:
            return FilesFound(problem=says(error), is_reached=False)
        return found

    def state(self, instance_id: str) -> FilesState:
        """See the port."""
        try:
            found: FilesState = self._cloud.files_state(instance_id)
        except CloudError as error:
            return FilesState(problem=says(error), is_reached=False)
        return found

    def key(self, instance_id: str, address: str) -> Applied:
        """See the port."""
        return self._done(self._cloud.files_key, instance_id, address)

    def apply(self, instance_id: str, sharing: Sharing) -> Applied:
        """See the port."""
        return self._done(self._cloud.apply_sharing, instance_id, sharing)

    def check(self, instance_id: str, directory: str = "", groups: Sequence[int] = ()) -> FilesChecked:
        """See the port."""
        try:
            found: FilesChecked = self._cloud.check_files(instance_id, directory, tuple(groups))
        except CloudError as error:
            return FilesChecked(problem=says(error), is_reached=False)
        return found

    def settle(self, instance_id: str) -> Applied:
        """See the port."""
        return self._done(self._cloud.settle_files, instance_id)

    def _done(self, act: Any, *arguments: Any) -> Applied:
        try:
            done: Applied = act(*arguments)
        except CloudError as error:
            return Applied(problem=says(error), is_reached=False)
        return done
