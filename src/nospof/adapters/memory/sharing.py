"""Directories inside the instances of the in-memory cloud, as their machines would tell of them.

Members that are on have what any of them has; what one alone has while the other is off comes with it back.
"""

from __future__ import annotations

from nospof.adapters.memory.account import serves
from nospof.adapters.memory.data import SEND, Data
from nospof.adapters.memory.site import MemoryUploads
from nospof.model.layout import Applied, Obstacle
from nospof.model.sharing import (
    Directory,
    DirectorySum,
    FilesChecked,
    FilesFound,
    FilesRole,
    FilesState,
    Partner,
    Sharing,
)


class SharedFiles(Data):
    """What a machine's agent does about its directories."""

    # What a test says ----------------------------------------------------------------------------

    def keep_files(self, instance_id: str, *obstacles: Obstacle) -> None:
        """Have an instance keep uploads."""
        self._managed.setdefault(instance_id, ())
        self._machines[instance_id].uploads = MemoryUploads({"old"}, obstacles=obstacles)

    def upload(self, instance_id: str, name: str) -> bool:
        """Upload as a client of an instance does; return whether it was acknowledged."""
        self.settle()
        uploads = self._machines[instance_id].uploads
        if uploads is None or not self.answers_now(instance_id):
            return False
        uploads.files.add(name)
        return True

    def files_of(self, instance_id: str) -> set[str]:
        """Return what an instance has."""
        self._sync()
        uploads = self._machines[instance_id].uploads
        return set(uploads.files) if uploads else set()

    # The acts ------------------------------------------------------------------------------------

    @serves("ssm:GetCommandInvocation")
    def look_at_files(self, instance_id: str, directories: tuple[str, ...]) -> FilesFound:
        """See `ports.files`."""
        uploads = self._asked(instance_id).uploads
        if uploads is None:
            return FilesFound("1.19")
        found = tuple(Directory(one, len(uploads.files), 4096) for one in directories)
        return FilesFound("1.19", uploads.sharing, found, uploads.obstacles)

    @serves("ssm:GetCommandInvocation")
    def files_state(self, instance_id: str) -> FilesState:
        """See `ports.files`."""
        uploads = self._asked(instance_id).uploads
        if uploads is None or uploads.sharing is None:
            return FilesState("alone")
        mine = self._mine(instance_id, uploads.sharing)
        if mine is None:
            return FilesState("stranger")
        self._sync()
        is_whole = all(self._gives(one) for one in uploads.sharing.members)
        role: FilesRole = "joining" if mine.device in uploads.sharing.joining else "member"
        return FilesState(role, is_whole, "" if is_whole else "a partner is not connected")

    @serves("ssm:GetCommandInvocation")
    def check_files(self, instance_id: str, directory: str, groups: tuple[int, ...]) -> FilesChecked:
        """See `ports.files`: all of it is in one group."""
        uploads = self._asked(instance_id).uploads
        if uploads is None or uploads.sharing is None:
            return FilesChecked(problem="no directory of this machine is shared")
        self._sync()
        entries = tuple(sorted(f"1:{one} {one}" for one in uploads.files))
        sums = () if groups else ("-".join(entries),)
        found = [one for one in uploads.sharing.directories if directory in ("", one)]
        return FilesChecked(
            tuple(DirectorySum(one, len(entries), 4096, 0, sums, entries if groups else ()) for one in found)
        )

    @serves(SEND, writes=True)
    def files_key(self, instance_id: str, address: str) -> Applied:
        """See `ports.files`."""
        return Applied((f"key of {address}",)) if self._asked(instance_id) else Applied()

    @serves(SEND, writes=True)
    def apply_sharing(self, instance_id: str, sharing: Sharing) -> Applied:
        """See `ports.files`."""
        uploads = self._asked(instance_id).uploads
        if uploads is None:
            return Applied(problem=f"{instance_id} has no such directory")
        mine = self._mine(instance_id, sharing)
        before, uploads.sharing = uploads.sharing, sharing if mine else None
        if mine and before and mine.device in before.joining and mine.device not in sharing.joining:
            first = self._machines[sharing.members[0].instance_id].uploads
            uploads.files = set(first.files) if first else set()
        return Applied(("shares",) if mine else ("shares nothing any more",))

    @serves(SEND, writes=True)
    def settle_files(self, instance_id: str) -> Applied:
        """See `ports.files`."""
        state = self.files_state(instance_id)
        return Applied(("the others have all of it",)) if state.ready else Applied(problem=state.says)

    # What the acts use ---------------------------------------------------------------------------

    def _mine(self, instance_id: str, sharing: Sharing) -> Partner | None:
        address = self._instances[instance_id].private_ip
        return next((one for one in sharing.members if one.address == address), None)

    def _gives(self, partner: Partner) -> bool:
        machine = self._machines.get(partner.instance_id)
        sharing = machine.uploads.sharing if machine and machine.uploads else None
        return (
            sharing is not None
            and self._mine(partner.instance_id, sharing) is not None
            and self.answers_now(partner.instance_id)
        )

    def _sync(self) -> None:
        """Have members that are on give each other what they have; one that joins only takes."""
        for machine in list(self._machines.values()):
            sharing = machine.uploads.sharing if machine.uploads else None
            on = [one for one in (sharing.members if sharing else ()) if self._gives(one)]
            if sharing is None or machine.uploads is None or len(on) < 2:
                continue
            shared = [self._machines[one.instance_id].uploads for one in on]
            given = {
                name
                for one, uploads in zip(on, shared, strict=True)
                if uploads and uploads.sharing and one.device not in uploads.sharing.joining
                for name in uploads.files
            }
            for uploads in shared:
                if uploads:
                    uploads.files |= given
