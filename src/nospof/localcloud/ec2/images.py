"""Images and snapshots that are copies of a machine's disk.

The disk's content at the time of the call is kept: the copy is taken before the snapshots become
visible, because whoever sees a snapshot `pending` may start the machine again and write. Only state
and progress then advance with time. An image that reboots its source is the exception: its
snapshots appear when the machine is down and copied.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.ec2.models import amis as moto_amis
from moto.ec2.models import elastic_block_store as moto_ebs
from moto.ec2.utils import random_ami_id

from nospof.localcloud.cloud import current
from nospof.localcloud.images import Seed

MotoAmi = moto_amis.Ami
MotoSnapshot = moto_ebs.Snapshot

ROOT_DEVICE = "/dev/xvda"
SNAPSHOT_SECONDS = 1.2
SECONDS_PER_GIB = 0.05


class Snapshot(MotoSnapshot):
    """A snapshot: `pending` with rising progress, then `completed`."""

    slowed_to_seconds = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.started = time.time()
        self.status = "pending"
        self.slowed_to_seconds = current().snapshot_seconds

    @property
    def duration(self) -> float:
        """Return how long it takes, in seconds: as told, else a little, and more for a larger volume."""
        by_itself = SNAPSHOT_SECONDS + min(5.0, SECONDS_PER_GIB * float(self.volume_size or 0))
        return self.slowed_to_seconds or by_itself

    @property
    def progress(self) -> str:
        """Return the progress as AWS prints it."""
        if self.status == "completed":
            return "100%"
        return f"{min(99, int(100 * (time.time() - self.started) / self.duration))}%"

    def advance(self) -> bool:
        """Complete the snapshot when its time has come; return whether it did."""
        if self.status != "pending" or time.time() - self.started < self.duration:
            return False
        self.status = "completed"
        return True


@dataclass
class ImageVolume:
    """One entry of an image's block device mapping."""

    device: str
    snapshot_id: str
    size: int
    volume_type: str
    delete_on_termination: bool
    encrypted: bool


class Ami(MotoAmi):
    """An image whose root snapshot is a directory."""

    def __init__(self, ec2_backend: Any, ami_id: str, *args: Any, **kwargs: Any) -> None:
        zone = ec2_backend.describe_availability_zones()[0].name
        kwargs.setdefault("region_name", zone)
        super().__init__(ec2_backend, ami_id, *args, **kwargs)
        # moto makes a snapshot of an invented volume for each image; ours are made by the caller.
        ec2_backend.snapshots.pop(self.ebs_snapshot.id, None)
        self.root_device_name = ROOT_DEVICE
        self.root_device_type = "ebs"
        self.architecture = self.architecture or "x86_64"
        self.virtualization_type = self.virtualization_type or "hvm"
        self.hypervisor = self.hypervisor or "xen"
        self.volumes: list[ImageVolume] = []
        self.root_snapshot_id = ""
        self.waits_for_copy = False
        self.snapshot_tags: dict[str, str] = {}
        self.mapping_changes: list[dict[str, Any]] = []
        self.state_reason: dict[str, str] | None = None

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        """Return the mapping; snapshot ids appear, as on AWS, when the image is available."""
        return [self._mapping(volume) for volume in self.volumes]

    def _mapping(self, volume: ImageVolume) -> dict[str, Any]:
        disk: dict[str, Any] = {
            "VolumeSize": volume.size,
            "VolumeType": volume.volume_type,
            "DeleteOnTermination": volume.delete_on_termination,
            "Encrypted": volume.encrypted,
        }
        if self.state == "available":
            disk["SnapshotId"] = volume.snapshot_id
        return {"DeviceName": volume.device, "Ebs": disk}

    def fail(self, message: str) -> None:
        """Mark the image failed, with the reason the API shows."""
        self.state = "failed"
        self.waits_for_copy = False
        self.state_reason = {"Code": "Server.InternalError", "Message": message}

    def advance(self) -> bool:
        """Become available when every snapshot is complete; return whether anything changed."""
        if self.state != "pending" or self.waits_for_copy:
            return False
        snapshots = [self.ec2_backend.snapshots.get(volume.snapshot_id) for volume in self.volumes]
        if any(snapshot is None for snapshot in snapshots):
            self.fail("A snapshot of the image was deleted before it was complete.")
            return True
        if any(snapshot.status != "completed" for snapshot in snapshots):
            return False
        self.state = "available"
        return True


def disk_of(snapshot_id: str) -> Path:
    """Return the directory that holds a root snapshot's content."""
    return current().images / snapshot_id


def delete_disk(snapshot_id: str) -> None:
    """Delete a snapshot's content, if it has any."""
    shutil.rmtree(disk_of(snapshot_id), ignore_errors=True)


def sweep_disks(known: set[str]) -> None:
    """Delete the copies no snapshot refers to: their CreateImage was never answered."""
    for directory in current().images.iterdir():
        if directory.name not in known:
            with contextlib.suppress(OSError):
                shutil.rmtree(directory)


def seed_image(backend: Any, seed: Seed, content: Path, size: int) -> Ami:
    """Register an image of a directory: one of those every region has."""
    owner = seed.owner or backend.account_id
    zone = backend.describe_availability_zones()[0].name
    volume = backend.create_volume(size=size, zone_name=zone, volume_type="gp3")
    image = Ami(
        backend,
        random_ami_id(),
        name=seed.name,
        description=seed.description,
        creation_date=datetime.fromisoformat(seed.made),
        owner_id=owner,
        public=bool(seed.owner),
        virtualization_type="hvm",
        architecture="x86_64",
        image_location=f"{owner}/{seed.name}",
    )
    snapshot = backend.create_snapshot(volume.id, f"Content of {seed.name}", from_ami=image.id)
    snapshot.status, snapshot.owner_id = "completed", owner
    backend.delete_volume(volume.id)
    shutil.copytree(content, disk_of(snapshot.id), symlinks=True)
    image.volumes = [ImageVolume(ROOT_DEVICE, snapshot.id, size, "gp3", True, False)]
    image.root_snapshot_id = snapshot.id
    backend.amis[image.id] = image
    return image
