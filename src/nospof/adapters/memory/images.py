"""Images and snapshots of the in-memory cloud.

A snapshot holds what was on the volume at the moment it appears, which is a little after
CreateImage has returned. `source_states_of` tells in what state the instance was at that moment:
an image is sound only when every answer is "stopped".
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from nospof.adapters.memory.account import has_tag, refused, serves
from nospof.adapters.memory.machines import GONE, Disk, Machines
from nospof.adapters.memory.site import MemoryServer, MemoryService, MemoryUploads
from nospof.model.cloud import Image, Instance, Snapshot, Tags


@dataclass(frozen=True)
class Contents:
    """What an image holds."""

    disks: tuple[Disk, ...]
    service: MemoryService
    server: MemoryServer | None = None
    uploads: MemoryUploads | None = None


@dataclass(frozen=True)
class Taken:
    """A snapshot with what AWS does not say of it."""

    snapshot: Snapshot
    name: str
    source_state: str
    was_held: bool = False


@dataclass(frozen=True)
class HeldWrites:
    """What is held in a machine, from when to when at the latest."""

    hold_id: str
    began: float
    ends: float


class Images(Machines):
    """Images, and the snapshots they rest on."""

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self._images: dict[str, Image] = {}
        self._contents: dict[str, Contents] = {}
        self._snapshots: dict[str, Taken] = {}
        self._failing: list[str] = []
        self._managed: dict[str, tuple[str, ...]] = {}
        self._held: dict[str, HeldWrites] = {}
        self.shelves["ami"] = self._images

    # Reading -------------------------------------------------------------------------------------

    @serves("ec2:DescribeImages")
    def image(self, image_id: str) -> Image:
        """See the port."""
        return self.find(self._images, image_id, "ec2:DescribeImages", "InvalidAMIID.NotFound")

    @serves("ec2:DescribeImages")
    def image_named(self, name: str) -> Image | None:
        """See the port."""
        found = self._named(name)
        return None if found is None or self.is_late(found.id) else found

    def _named(self, name: str) -> Image | None:
        return next((image for image in self._images.values() if image.name == name), None)

    @serves("ec2:DescribeImages")
    def newest_image(self, owner: str, pattern: str) -> Image | None:  # noqa: ARG002 - all are one account's
        """See the port."""
        found = [one for one in self._images.values() if fnmatchcase(one.name, pattern)]
        return max(found, key=lambda one: one.name, default=None)

    @serves("ec2:DescribeImages")
    def images(self, tag: str, value: str = "") -> tuple[Image, ...]:
        """See the port."""
        found = [image for image in self._images.values() if has_tag(image.tags, tag, value)]
        return tuple(sorted(found, key=lambda image: image.id))

    @serves("ec2:DescribeSnapshots")
    def snapshots(self, tag: str, value: str = "") -> tuple[Snapshot, ...]:
        """See the port."""
        found = [taken.snapshot for taken in self._snapshots.values()]
        tagged = [snapshot for snapshot in found if has_tag(snapshot.tags, tag, value)]
        return tuple(sorted(tagged, key=lambda snapshot: snapshot.id))

    @serves("ec2:DescribeSnapshots")
    def snapshots_of(self, image_name: str, volume_ids: tuple[str, ...]) -> tuple[Snapshot, ...]:
        """See the port."""
        found = [
            taken.snapshot
            for taken in self._snapshots.values()
            if taken.name == image_name and taken.snapshot.volume_id in volume_ids
        ]
        return tuple(sorted(found, key=lambda snapshot: snapshot.id))

    # Writing -------------------------------------------------------------------------------------

    @serves("ec2:CreateImage", writes=True)
    def create_image(self, instance_id: str, name: str, tags: Tags) -> Image:
        """See the port."""
        found = self._named(name)
        if found is not None:
            return found
        source = self._get(instance_id, "ec2:CreateImage")
        if source.state not in ("running", "stopping", "stopped"):
            says = f"{instance_id} is not in state running, stopping or stopped"
            raise refused("ec2:CreateImage", "InvalidParameterValue", says)
        image = Image(self.new_id("ami"), name, "pending", tags=dict(tags))
        self._images[image.id] = image
        self._contents[image.id] = self._copy_of(source)
        self.later(self.timings.snapshot_appears, lambda: self._snapshots_appear(image.id, instance_id))
        self.later(self.timings.image, lambda: self._image_ends(image.id))
        return image

    def _copy_of(self, source: Instance) -> Contents:
        disks = []
        for at in source.attachments:
            volume = self._volumes[at.volume_id]
            disks.append(
                Disk(at.device, volume.size_gib, volume.type, volume.is_encrypted, at.delete_on_termination)
            )
        machine = self._machines[source.id]
        uploads = copy.deepcopy(machine.uploads)
        return Contents(tuple(disks), machine.service, copy_of(machine.server), uploads)

    def _snapshots_appear(self, image_id: str, instance_id: str) -> None:
        source = self._instances[instance_id]
        image = self._images.get(image_id)
        if image is None:
            return
        name, tags = image.name, {**image.tags, "Name": image.name}
        for attachment in source.attachments if source.state not in GONE else ():
            snapshot = Snapshot(
                self.new_id("snap"),
                attachment.volume_id,
                "pending",
                tags=tags,
                started_at=self.now(),
                size_gib=self._volumes[attachment.volume_id].size_gib,
            )
            was_held = self._is_held(instance_id) or self._rests(instance_id)
            self._snapshots[snapshot.id] = Taken(snapshot, name, source.state, was_held)

    def _image_ends(self, image_id: str) -> None:
        image = self._images.get(image_id)
        if image is None:
            return
        reason = self._failing.pop(0) if self._failing else ""
        mine = {key: taken for key, taken in self._snapshots.items() if taken.name == image.name}
        for snapshot_id, taken in mine.items():
            state, percent = ("error", taken.snapshot.progress_percent) if reason else ("completed", 100)
            ended = replace(taken.snapshot, state=state, progress_percent=percent)
            self._snapshots[snapshot_id] = replace(taken, snapshot=ended)
        state = "failed" if reason else "available"
        self._images[image_id] = replace(
            image, state=state, state_reason=reason, snapshot_ids=() if reason else tuple(mine)
        )

    def _retag(
        self, resource_id: str, operation: str, add: Tags | None = None, remove: Iterable[str] = ()
    ) -> None:
        taken = self._snapshots.get(resource_id)
        if taken is None:
            super()._retag(resource_id, operation, add, remove)
            return
        kept = {key: value for key, value in taken.snapshot.tags.items() if key not in set(remove)}
        changed = replace(taken.snapshot, tags={**kept, **(add or {})})
        self._snapshots[resource_id] = replace(taken, snapshot=changed)

    @serves("ec2:DeregisterImage", writes=True)
    def deregister_image(self, image_id: str) -> None:
        """See the port."""
        self._images.pop(image_id, None)

    @serves("ec2:DeleteSnapshot", writes=True)
    def delete_snapshot(self, snapshot_id: str) -> None:
        """See the port."""
        taken = self._snapshots.get(snapshot_id)
        if taken is not None and self._named(taken.name) is not None:
            says = f"{snapshot_id} is in use by an image"
            raise refused("ec2:DeleteSnapshot", "InvalidSnapshot.InUse", says)
        self._snapshots.pop(snapshot_id, None)

    # Inside a machine, as its agent would do it --------------------------------------------------

    @serves("ssm:SendCommand", writes=True)
    def hold_writes(self, instance_id: str, hold_id: str, seconds: float) -> tuple[str, ...]:
        """Have a machine hold its writes for so many seconds at most; return what is held."""
        if instance_id not in self._managed:
            raise refused("ssm:SendCommand", "InvalidInstanceId", f"{instance_id} has no agent")
        if self._is_held(instance_id):
            raise refused("ssm:SendCommand", "Busy", "writes are held for somebody else")
        self._held[instance_id] = HeldWrites(hold_id, self.now(), self.now() + seconds)
        return self._managed[instance_id]

    @serves("ssm:GetCommandInvocation", writes=True)
    def let_writes_go(self, instance_id: str, hold_id: str) -> tuple[float, bool]:
        """End a hold; return how long it was and whether it had lasted until now."""
        held = self._held.pop(instance_id, HeldWrites("", 0.0, 0.0))
        return self.now() - held.began, held.hold_id == hold_id and self.now() < held.ends

    def _is_held(self, instance_id: str) -> bool:
        held = self._held.get(instance_id)
        return held is not None and self.now() < held.ends

    def _rests(self, instance_id: str) -> bool:
        """Whether the database of a machine is at rest."""
        server = self._machines[instance_id].server
        return server is not None and self.now() < server.rest[1]

    # What a test says ----------------------------------------------------------------------------

    @property
    def has_agents(self) -> bool:
        """Whether any instance has an agent."""
        return bool(self._managed)

    def manage(self, instance_id: str, *what: str) -> None:
        """Give an instance an agent that can hold what is named."""
        self._managed[instance_id] = what

    def fail_image(self, reason: str = "Client.SnapshotLimitExceeded: the snapshot quota is used up") -> None:
        """Let the next image end as failed, for this reason."""
        self._failing.append(reason)

    def source_states_of(self, image_name: str) -> tuple[str, ...]:
        """Return the state the source was in when each snapshot of an image began, by device."""
        return tuple(taken.source_state for taken in self._snapshots.values() if taken.name == image_name)

    def were_held(self, image_name: str) -> bool:
        """Whether writes were held when each snapshot of an image began."""
        return all(taken.was_held for taken in self._snapshots.values() if taken.name == image_name)

    # What the parts use --------------------------------------------------------------------------

    def put_image(self, image: Image, contents: Contents) -> None:
        """Add an image that is ready."""
        self._images[image.id] = image
        self._contents[image.id] = contents

    def contents_of_image(self, image_id: str, operation: str) -> tuple[tuple[Disk, ...], MemoryService]:
        """Return what an image unpacks to. Raises CloudError while it is not available."""
        image = self.find(self._images, image_id, operation, "InvalidAMIID.NotFound")
        if image.state != "available":
            raise refused(operation, "InvalidAMIID.Unavailable", f"{image_id} is {image.state}")
        contents = self._contents[image_id]
        return contents.disks, contents.service

    def server_of_image(self, image_id: str) -> MemoryServer | None:
        """Return the database server that a machine made from an image has."""
        return copy_of(self._contents[image_id].server)

    def uploads_of_image(self, image_id: str) -> MemoryUploads | None:
        """Return the uploads that a machine made from an image has."""
        return copy.deepcopy(self._contents[image_id].uploads)


def copy_of(server: MemoryServer | None) -> MemoryServer | None:
    """Return a server as a copy of its disk has it: of a cluster it has not joined itself."""
    made = copy.deepcopy(server)
    if made is not None:
        made.rest = ("", 0.0)
    if made is not None and made.layout is not None:
        made.has_joined = False
    return made
