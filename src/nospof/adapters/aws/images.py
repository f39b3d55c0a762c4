"""Images and snapshots of EC2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nospof.adapters.aws.connection import PAGE_SIZE, as_tags, exactly, has_tag, specification, tag_filters
from nospof.adapters.aws.errors import not_listed
from nospof.adapters.aws.machines import Machines, state_reason
from nospof.errors import CloudError
from nospof.model.cloud import Image, Snapshot, Tags

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import ImageTypeDef, SnapshotTypeDef


class Images(Machines):
    """The part of the port that speaks of images."""

    def image(self, image_id: str) -> Image:
        """See the port."""

        def ask() -> Image:
            found = self._describe_images(image_id, ImageIds=[image_id])
            if not found:
                raise not_listed("ec2:DescribeImages", image_id, "InvalidAMIID.NotFound")
            return found[0]

        return self.patiently((image_id,), ask)

    def image_named(self, name: str) -> Image | None:
        """See the port."""
        named = [{"Name": "name", "Values": [exactly(name)]}]
        found = self._describe_images(name, Owners=["self"], Filters=named)
        return next((image for image in found if image.name == name), None)

    def newest_image(self, owner: str, pattern: str) -> Image | None:
        """See the port."""
        filters: Any = [
            {"Name": "name", "Values": [pattern]},
            {"Name": "architecture", "Values": ["x86_64"]},
            {"Name": "state", "Values": ["available"]},
        ]
        with self.reading("ec2:DescribeImages", pattern):
            pages = self.ec2.get_paginator("describe_images").paginate(Owners=[owner], Filters=filters)
            found = [one for page in pages for one in page["Images"]]
        newest = max(found, key=lambda one: (one.get("CreationDate", ""), one["ImageId"]), default=None)
        return as_image(newest) if newest else None

    def images(self, tag: str, value: str = "") -> tuple[Image, ...]:
        """See the port."""
        found = self._describe_images(tag, Owners=["self"], Filters=tag_filters(tag, value))
        tagged = [image for image in found if has_tag(image.tags, tag, value)]
        return tuple(sorted(tagged, key=lambda image: image.id))

    def _describe_images(self, about: str, **parameters: Any) -> list[Image]:
        with self.reading("ec2:DescribeImages", about):
            pages = self.ec2.get_paginator("describe_images").paginate(**parameters)
            return [as_image(one) for page in pages for one in page["Images"]]

    def snapshots_of(self, image_name: str, volume_ids: tuple[str, ...]) -> tuple[Snapshot, ...]:
        """See the port."""
        filters: Any = [
            {"Name": "tag:Name", "Values": [exactly(image_name)]},
            {"Name": "volume-id", "Values": list(volume_ids)},
        ]
        if not volume_ids:
            return ()
        return tuple(
            snapshot
            for snapshot in self._describe_snapshots(image_name, filters)
            if snapshot.tags.get("Name") == image_name and snapshot.volume_id in volume_ids
        )

    def snapshots(self, tag: str, value: str = "") -> tuple[Snapshot, ...]:
        """See the port."""
        found = self._describe_snapshots(tag, tag_filters(tag, value))
        return tuple(snapshot for snapshot in found if has_tag(snapshot.tags, tag, value))

    def _describe_snapshots(self, about: str, filters: Any) -> list[Snapshot]:
        with self.reading("ec2:DescribeSnapshots", about):
            pages = self.ec2.get_paginator("describe_snapshots").paginate(
                OwnerIds=["self"], Filters=filters, PaginationConfig={"PageSize": PAGE_SIZE}
            )
            found = [as_snapshot(one) for page in pages for one in page["Snapshots"]]
        return sorted(found, key=lambda snapshot: snapshot.id)

    def create_image(self, instance_id: str, name: str, tags: Tags) -> Image:
        """See the port.

        AWS has no client token here: the name is looked up first, and again when AWS says that it
        exists although the look-up did not show it yet.
        """
        found = self.image_named(name)
        if found is not None:
            return found

        def ask() -> str:
            with self.writing("ec2:CreateImage", instance_id):
                return self.ec2.create_image(
                    InstanceId=instance_id,
                    Name=name,
                    # Left out, AWS reboots a running instance.
                    NoReboot=True,
                    TagSpecifications=specification(("image", tags), ("snapshot", {**tags, "Name": name})),
                )["ImageId"]

        try:
            image_id = self.patiently((instance_id,), ask)
        except CloudError as error:
            if error.code != "InvalidAMIName.Duplicate":
                raise
            return self.until_found(lambda: self.image_named(name), error)
        self.made(image_id)
        return Image(image_id, name, "pending", tags=dict(tags))

    def deregister_image(self, image_id: str) -> None:
        """See the port. AWS says "unavailable" of an image that is deregistered already."""
        try:
            with self.deleting("ec2:DeregisterImage", image_id):
                self.ec2.deregister_image(ImageId=image_id)
        except CloudError as error:
            if error.code != "InvalidAMIID.Unavailable":
                raise

    def delete_snapshot(self, snapshot_id: str) -> None:
        """See the port."""
        with self.deleting("ec2:DeleteSnapshot", snapshot_id):
            self.ec2.delete_snapshot(SnapshotId=snapshot_id)


def as_image(one: ImageTypeDef) -> Image:
    """Return boto3's image as ours."""
    return Image(
        id=one["ImageId"],
        name=one.get("Name", ""),
        state=one["State"],
        state_reason=state_reason(one.get("StateReason", {})),
        snapshot_ids=tuple(
            mapping["Ebs"]["SnapshotId"]
            for mapping in one.get("BlockDeviceMappings", [])
            if "SnapshotId" in mapping.get("Ebs", {})
        ),
        tags=as_tags(one.get("Tags")),
    )


def as_snapshot(one: SnapshotTypeDef) -> Snapshot:
    """Return boto3's snapshot as ours; its progress is a text such as "45%", or empty."""
    progress = one.get("Progress", "").rstrip("%")
    return Snapshot(
        id=one["SnapshotId"],
        volume_id=one["VolumeId"],
        state=one["State"],
        progress_percent=int(progress) if progress.isdigit() else 0,
        tags=as_tags(one.get("Tags")),
        started_at=one["StartTime"].timestamp() if "StartTime" in one else 0.0,
        size_gib=one.get("VolumeSize", 0),
    )
