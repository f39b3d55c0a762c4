"""Root volumes that are replaced while their instance keeps its id, its addresses and its other volumes.

EC2 reboots the instance for it, and it stays "running" meanwhile. Here its disk is a directory, which is
swapped for a copy of the image's when the machine is off. The volume before stays, attached to nothing; as
with every volume that is no root, nothing is on it here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from moto.core.utils import utcnow

from nospof.localcloud.awserrors import AwsError, incorrect_state
from nospof.localcloud.cloud import Cloud, current
from nospof.localcloud.ec2.images import disk_of

OPEN = ("pending", "in-progress")
NOT_FOUND = "InvalidReplaceRootVolumeTaskID.NotFound"


@dataclass
class RootTask:
    """One replacement, as DescribeReplaceRootVolumeTasks shows it."""

    task_id: str
    instance_id: str
    image_id: str
    snapshot_id: str
    token: str
    deletes: bool
    started: str
    state: str = "pending"
    completed: str = ""

    def end(self, state: str) -> None:
        """Have it ended."""
        self.state, self.completed = state, now()
        current().dirty.set()

    def document(self) -> dict[str, Any]:
        """Return it as AWS answers."""
        shown: dict[str, Any] = {
            "ReplaceRootVolumeTaskId": self.task_id,
            "InstanceId": self.instance_id,
            "TaskState": self.state,
            "StartTime": self.started,
            "CompleteTime": self.completed or None,
            "ImageId": self.image_id or None,
            "SnapshotId": self.snapshot_id or None,
            "DeleteReplacedRootVolume": self.deletes,
            "Tags": [],
        }
        return {key: value for key, value in shown.items() if value is not None}


def now() -> str:
    """Return the time as these tasks tell it."""
    return utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")


def tasks_of(instance: Any) -> list[RootTask]:
    """Return the replacements of an instance, oldest first."""
    return instance.__dict__.setdefault("root_tasks", [])  # type: ignore[no-any-return]


def open_task(instance: Any) -> RootTask | None:
    """Return the replacement that is under way, if one is."""
    return next((one for one in tasks_of(instance) if one.state in OPEN), None)


def create(response: Any) -> RootTask:
    """Begin a replacement, from an image or from a snapshot of the root volume.

    Raises:
        AwsError: as EC2 refuses it.
    """
    backend, given = response.ec2_backend, response.params
    instance = backend.get_instance(given.get("InstanceId"))
    token = given.get("ClientToken") or secrets.token_hex(16)
    earlier = next((one for one in tasks_of(instance) if one.token == token), None)
    image_id, snapshot_id = given.get("ImageId") or "", given.get("SnapshotId") or ""
    if earlier is not None:
        if (earlier.image_id, earlier.snapshot_id) != (image_id, snapshot_id):
            raise AwsError("IdempotentParameterMismatch", f"The token {token} was used for another request.")
        return earlier
    if instance.state != "running":
        raise incorrect_state(instance.id, "given another root volume")
    if open_task(instance) or instance.reboot_phase:
        raise AwsError("IncorrectState", f"The root volume of '{instance.id}' is being replaced already.")
    snapshot_of(backend, instance, image_id, snapshot_id)
    response.error_on_dryrun()
    deletes = bool(given.get("DeleteReplacedRootVolume"))
    task_id = f"replacevol-{secrets.token_hex(8)}0"
    task = RootTask(task_id, instance.id, image_id, snapshot_id, token, deletes, now())
    tasks_of(instance).append(task)
    instance.reboot()
    return task


def snapshot_of(backend: Any, instance: Any, image_id: str, snapshot_id: str) -> str:
    """Return the snapshot that the new root is made of; without one or an image, what it was launched with.

    Raises:
        AwsError: there is none, or it is not ready.
    """
    if image_id:
        image = backend.amis.get(image_id)
        if image is None:
            raise AwsError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
        if image.state != "available":
            raise AwsError("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is not available")
        return str(image.root_snapshot_id)
    found = backend.snapshots.get(snapshot_id or instance.root_snapshot_id)
    if found is None or not disk_of(found.id).is_dir():
        raise AwsError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
    if found.status != "completed":
        raise AwsError("IncorrectState", f"Snapshot is in invalid state - {found.status}")
    return str(found.id)


def describe(response: Any) -> list[RootTask]:
    """Return the tasks that are named or whose instance is, else all.

    Raises:
        AwsError: one that is named does not exist.
    """
    known = {one.task_id: one for each in response.ec2_backend.all_instances() for one in tasks_of(each)}
    wanted = response.params.get("ReplaceRootVolumeTaskIds") or list(known)
    for task_id in wanted:
        if task_id not in known:
            raise AwsError(NOT_FOUND, f"The root volume replacement task '{task_id}' does not exist.")
    return [known[one] for one in wanted if all(matches(known[one], response.params.get("Filters") or []))]


def matches(task: RootTask, filters: list[dict[str, Any]]) -> Iterator[bool]:
    """Yield whether each filter lets a task pass."""
    for one in filters:
        if one.get("Name") != "instance-id":
            raise AwsError("InvalidParameterValue", f"The filter '{one.get('Name')}' is invalid")
        yield task.instance_id in one.get("Values", [])


def swap(cloud: Cloud, instance: Any, task: RootTask) -> bool:
    """Take the next step of a replacement whose machine is off; return whether it may be started."""
    name = f"replace the root of {instance.id}"
    outcome = cloud.outcome(name)
    if outcome is False:
        return False
    if outcome is None:
        try:
            snapshot_id = snapshot_of(instance.ec2_backend, instance, task.image_id, task.snapshot_id)
        except AwsError:  # it was deleted meanwhile
            task.end("failed")
            return True
        task.state = "in-progress"
        cloud.dirty.set()
        cloud.begin(name, swap_job(cloud, instance.id, snapshot_id))
        return False
    if isinstance(outcome, BaseException):
        task.end("failed")  # its own root is still there
        return True
    exchange_volumes(instance, task)
    task.end("succeeded")
    return True


def swap_job(cloud: Cloud, instance_id: str, snapshot_id: str) -> Callable[[], None]:
    """Return the work of swapping the disk."""
    image = disk_of(snapshot_id)
    return lambda: cloud.hypervisor.replace_disk(instance_id, image)


def exchange_volumes(instance: Any, task: RootTask) -> None:
    """Have a new volume where the old one was."""
    backend, device = instance.ec2_backend, instance.root_device_name
    before = backend.get_volume(instance.block_device_mapping[device].volume_id)
    goes_with_it = instance.block_device_mapping[device].delete_on_termination
    made = backend.create_volume(
        size=before.size,
        zone_name=instance.placement.zone,
        volume_type=before.volume_type,
        encrypted=before.encrypted,
    )
    made.iops, made.throughput = before.iops, before.throughput
    backend.detach_volume(before.id, instance.id, device)
    backend.attach_volume(made.id, instance.id, device, goes_with_it)
    if task.deletes:
        backend.delete_volume(before.id)
