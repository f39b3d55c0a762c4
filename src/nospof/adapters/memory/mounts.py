"""Directories on file systems, inside the instances of the in-memory cloud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nospof.adapters.memory.account import serves
from nospof.adapters.memory.data import SEND
from nospof.adapters.memory.databases import says
from nospof.adapters.memory.sharing import SharedFiles
from nospof.errors import CloudError
from nospof.model.layout import Applied
from nospof.model.mounting import Copied, Mount, MountsFound, MountsState, Moved


class MountedFiles(SharedFiles):
    """What a machine's agent does about its directories on file systems."""

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self._systems: dict[str, set[str]] = {}

    # What a test says ----------------------------------------------------------------------------

    def unmount(self, instance_id: str, *, on: bool = True) -> None:
        """Have an instance be without its mounts, as after a boot without the file system."""
        uploads = self._machines[instance_id].uploads
        assert uploads is not None  # noqa: S101 - a test says it of one that has some
        uploads.is_away = on

    def upload(self, instance_id: str, name: str) -> bool:
        """Upload as a client of an instance does; return whether it was acknowledged."""
        uploads = self._machines[instance_id].uploads
        if uploads is None or not uploads.mounts:
            return super().upload(instance_id, name)
        self.settle()
        if uploads.is_away or not self.answers_now(instance_id):
            return False
        self._systems[uploads.mounts[0].there].add(name)
        return True

    def files_of(self, instance_id: str) -> set[str]:
        """Return what an instance has."""
        uploads = self._machines[instance_id].uploads
        if uploads is None or not uploads.mounts:
            return super().files_of(instance_id)
        return set() if uploads.is_away else set(self._systems[uploads.mounts[0].there])

    # The acts ------------------------------------------------------------------------------------

    @serves("ssm:GetCommandInvocation")
    def look_at_mounts(self, instance_id: str, mounts: tuple[Mount, ...], port: int) -> MountsFound:
        """See `ports.mounts`."""
        uploads, service = self._asked(instance_id).uploads, self._machines[instance_id].service
        if uploads is None:
            return MountsFound()
        there = [one in uploads.mounts for one in mounts]
        found = tuple(
            Moved(one.directory, len(uploads.files), 4096, is_mounted=is_there)
            for one, is_there in zip(mounts, there, strict=True)
        )
        return MountsFound(found, ("web.service",) if service.port == port else (), uploads.obstacles)

    @serves("ssm:GetCommandInvocation")
    def mounts_state(self, instance_id: str) -> MountsState:
        """See `ports.mounts`."""
        uploads = self._asked(instance_id).uploads
        if uploads is None or not uploads.mounts:
            return MountsState()
        away = uploads.is_away
        says = f"{uploads.mounts[0].directory} is not mounted" if away else ""
        return MountsState(uploads.mounts, not away, says)

    @serves(SEND, writes=True)
    def copy_to_mounts(self, instance_id: str, mounts: tuple[Mount, ...]) -> Copied:
        """See `ports.mounts`."""
        uploads = self._asked(instance_id).uploads
        if uploads is None:
            return Copied(problem=f"{instance_id} has no such directory")
        if not uploads.mounts:
            for one in mounts:
                self._systems[one.there] = set(uploads.files)
        return Copied(len(uploads.files), 4096, is_whole=True)

    @serves(SEND, writes=True)
    def attach_mounts(self, instance_id: str, mounts: tuple[Mount, ...], *, is_copy: bool) -> Applied:
        """See `ports.mounts`."""
        uploads = self._asked(instance_id).uploads
        if uploads is None or (uploads.mounts and uploads.is_away):
            return Applied(problem=f"{instance_id} cannot mount it")
        if uploads.mounts:
            return Applied()
        if not is_copy:
            for one in mounts:
                self._systems[one.there] = set(uploads.files)
        uploads.mounts = mounts
        return Applied(("is mounted",))

    @serves(SEND, writes=True)
    def copy_from_mounts(self, instance_id: str) -> Copied:
        """See `ports.mounts`."""
        uploads = self._asked(instance_id).uploads
        if uploads is None or (uploads.mounts and uploads.is_away):
            return Copied(problem="it is not mounted")
        return Copied(1, 4096, is_whole=True)

    @serves(SEND, writes=True)
    def detach_mounts(self, instance_id: str, *, leave: bool) -> Applied:
        """See `ports.mounts`."""
        uploads = self._asked(instance_id).uploads
        if uploads is None or not uploads.mounts:
            return Applied()
        if leave:
            uploads.is_away = True
            return Applied(("writes there no more",))
        if uploads.is_away:
            return Applied(problem="it is not mounted")
        uploads.files = set(self._systems[uploads.mounts[0].there])
        uploads.mounts = ()
        return Applied(("is on the disk again",))


class MemoryMounts:
    """Implements `ports.mounts.Mounts`.

    Args:
        cloud: the in-memory cloud, or what stands between it and the procedures.
    """

    def __init__(self, cloud: Any) -> None:
        self._cloud = cloud

    def look(self, instance_id: str, mounts: Sequence[Mount], port: int) -> MountsFound:
        """See the port."""
        try:
            found: MountsFound = self._cloud.look_at_mounts(instance_id, tuple(mounts), port)
        except CloudError as error:
            return MountsFound(problem=says(error), is_reached=False)
        return found

    def state(self, instance_id: str) -> MountsState:
        """See the port."""
        try:
            found: MountsState = self._cloud.mounts_state(instance_id)
        except CloudError as error:
            return MountsState(problem=says(error), is_reached=False)
        return found

    def copy(self, instance_id: str, mounts: Sequence[Mount]) -> Copied:
        """See the port."""
        return self._copied(self._cloud.copy_to_mounts, instance_id, tuple(mounts))

    def attach(
        self, instance_id: str, mounts: Sequence[Mount], units: Sequence[str], *, is_copy: bool = False
    ) -> Applied:
        """See the port. No unit is guarded here: nothing starts by itself."""
        del units
        return self._done(self._cloud.attach_mounts, instance_id, tuple(mounts), is_copy=is_copy)

    def copy_home(self, instance_id: str) -> Copied:
        """See the port."""
        return self._copied(self._cloud.copy_from_mounts, instance_id)

    def detach(self, instance_id: str, *, leave: bool = False) -> Applied:
        """See the port."""
        return self._done(self._cloud.detach_mounts, instance_id, leave=leave)

    def _copied(self, act: Any, *arguments: Any) -> Copied:
        try:
            done: Copied = act(*arguments)
        except CloudError as error:
            return Copied(problem=says(error), is_reached=False)
        return done

    def _done(self, act: Any, *arguments: Any, **more: Any) -> Applied:
        try:
            done: Applied = act(*arguments, **more)
        except CloudError as error:
            return Applied(problem=says(error), is_reached=False)
        return done
