"""Root volumes of EC2 instances, replaced by what an image holds."""

from __future__ import annotations

from typing import Any

from nospof.adapters.aws.errors import not_listed
from nospof.adapters.aws.images import Images
from nospof.model.maintaining import RootTask


class Roots(Images):
    """The part of the port that speaks of root volumes."""

    def replace_root(self, instance_id: str, image_id: str, token: str) -> RootTask:
        """See the port."""

        def ask() -> RootTask:
            with self.writing("ec2:CreateReplaceRootVolumeTask", instance_id):
                found = self.ec2.create_replace_root_volume_task(
                    InstanceId=instance_id,
                    ImageId=image_id,
                    ClientToken=token,
                    # What was written since the image is there, and nowhere else.
                    DeleteReplacedRootVolume=False,
                )
            return as_root_task(found["ReplaceRootVolumeTask"])

        task = self.patiently((image_id,), ask)
        self.made(task.id)
        return task

    def root_task(self, task_id: str) -> RootTask:
        """See the port."""

        def ask() -> RootTask:
            operation = "ec2:DescribeReplaceRootVolumeTasks"
            with self.reading(operation, task_id):
                found = self.ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[task_id])
            tasks = found["ReplaceRootVolumeTasks"]
            if not tasks:
                raise not_listed(operation, task_id, "InvalidReplaceRootVolumeTaskID.NotFound")
            return as_root_task(tasks[0])

        return self.patiently((task_id,), ask)


def as_root_task(one: Any) -> RootTask:
    """Return boto3's task as ours."""
    return RootTask(
        one["ReplaceRootVolumeTaskId"], one["InstanceId"], one.get("TaskState", ""), one.get("ImageId", "")
    )
