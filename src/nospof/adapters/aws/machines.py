"""Instances, volumes and status checks of EC2."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore import xform_name

from nospof.adapters.aws.connection import (
    PAGE_SIZE,
    Connection,
    as_tags,
    chunks,
    exactly,
    has_tag,
    tag_filters,
)
from nospof.adapters.aws.errors import is_not_found, not_listed, translated
from nospof.errors import CloudError, NotFound
from nospof.model.cloud import (
    Attachment,
    Instance,
    InstanceStatus,
    MaintenanceEvent,
    Tags,
    Volume,
)
from nospof.model.plans import PlannedCall
from nospof.model.traits import TypeTraits

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef, VolumeTypeDef

LISTED_STATES = ["pending", "running", "shutting-down", "stopping", "stopped"]


class Machines(Connection):
    """The part of the port that speaks of instances and what hangs on them."""

    # Reading -------------------------------------------------------------------------------------

    def instance(self, instance_id: str) -> Instance:
        """See the port."""

        def ask() -> Instance:
            found = self._describe_instances(instance_id, InstanceIds=[instance_id])
            if not found:
                raise not_listed("ec2:DescribeInstances", instance_id, "InvalidInstanceID.NotFound")
            return found[0]

        return self.patiently((instance_id,), ask)

    def instances(self, tag: str = "", value: str = "") -> tuple[Instance, ...]:
        """See the port."""
        filters = [
            {"Name": "instance-state-name", "Values": LISTED_STATES},
            *(tag_filters(tag, value) if tag else ()),
        ]
        found = self._describe_instances(Filters=filters, PaginationConfig={"PageSize": PAGE_SIZE})
        return tuple(
            one for one in sorted(found, key=lambda one: one.id) if not tag or has_tag(one.tags, tag, value)
        )

    def _describe_instances(self, about: str = "", **parameters: Any) -> list[Instance]:
        with self.reading("ec2:DescribeInstances", about):
            pages = self.ec2.get_paginator("describe_instances").paginate(**parameters)
            return [
                as_instance(one)
                for page in pages
                for reservation in page["Reservations"]
                for one in reservation["Instances"]
            ]

    def instance_status(self, instance_ids: tuple[str, ...]) -> tuple[InstanceStatus, ...]:
        """See the port. An id the cloud does not list is left out: that is "not listed", not "gone"."""
        found: dict[str, InstanceStatus] = {}
        for chunk in chunks(tuple(dict.fromkeys(instance_ids))):
            found.update((status.instance_id, status) for status in self._statuses(chunk))
        return tuple(found[instance_id] for instance_id in instance_ids if instance_id in found)

    def _statuses(self, ids: list[str]) -> list[InstanceStatus]:
        """Ask for some; one that is not known must not hide the others, so the list is halved."""
        try:
            if len(ids) == 1:
                return self.patiently(ids, lambda: self._describe_status(ids))
            return self._describe_status(ids)
        except NotFound:
            half = len(ids) // 2
            return self._statuses(ids[:half]) + self._statuses(ids[half:]) if half else []

    def _describe_status(self, ids: list[str]) -> list[InstanceStatus]:
        with self.reading("ec2:DescribeInstanceStatus", _some(ids)):
            # AWS refuses MaxResults together with ids: no page size.
            pages = self.ec2.get_paginator("describe_instance_status").paginate(
                InstanceIds=ids, IncludeAllInstances=True
            )
            return [as_status(one) for page in pages for one in page["InstanceStatuses"]]

    def announcements(self) -> tuple[InstanceStatus, ...]:
        """See the port. No filter: it would have to name the codes, and AWS may have new ones."""
        with self.reading("ec2:DescribeInstanceStatus"):
            pages = self.ec2.get_paginator("describe_instance_status").paginate(
                IncludeAllInstances=True, PaginationConfig={"PageSize": 1000}
            )
            found = [
                as_status(one) for page in pages for one in page["InstanceStatuses"] if one.get("Events")
            ]
        return tuple(sorted(found, key=lambda status: status.instance_id))

    def zones_offering(self, instance_type: str) -> tuple[str, ...]:
        """See the port."""
        with self.reading("ec2:DescribeInstanceTypeOfferings", instance_type):
            pages = self.ec2.get_paginator("describe_instance_type_offerings").paginate(
                LocationType="availability-zone",
                Filters=[{"Name": "instance-type", "Values": [exactly(instance_type)]}],
            )
            offers = [one for page in pages for one in page["InstanceTypeOfferings"]]
        return tuple(sorted(one["Location"] for one in offers if one["InstanceType"] == instance_type))

    def has_local_disks(self, instance_type: str) -> bool:
        """See the port."""
        with self.reading("ec2:DescribeInstanceTypes", instance_type):
            found = self.ec2.describe_instance_types(InstanceTypes=[instance_type])  # type: ignore[list-item]
        return any(one.get("InstanceStorageSupported", False) for one in found["InstanceTypes"])

    def type_traits(self, instance_type: str) -> TypeTraits:
        """See the port."""
        with self.reading("ec2:DescribeInstanceTypes", instance_type):
            found: Any = self.ec2.describe_instance_types(InstanceTypes=[instance_type])  # type: ignore[list-item]
        (one,) = found["InstanceTypes"]
        return TypeTraits(
            instance_type,
            tuple(one.get("ProcessorInfo", {}).get("SupportedArchitectures", [])),
            tuple(one.get("SupportedBootModes", [])),
            one.get("Hypervisor", ""),
        )

    def volumes(self, volume_ids: tuple[str, ...] = ()) -> tuple[Volume, ...]:
        """See the port."""
        found: dict[str, Volume] = {}
        if not volume_ids:
            found = {one.id: one for one in self._describe_volumes(PaginationConfig={"PageSize": PAGE_SIZE})}
        for chunk in chunks(volume_ids):
            asked = self.patiently(chunk, lambda ids=chunk: self._describe_volumes(VolumeIds=ids))  # type: ignore[misc]
            found.update((one.id, one) for one in asked)
        for volume_id in volume_ids:
            if volume_id not in found:
                raise not_listed("ec2:DescribeVolumes", volume_id, "InvalidVolume.NotFound")
        return tuple(found[volume_id] for volume_id in sorted(found))

    def _describe_volumes(self, **parameters: Any) -> list[Volume]:
        with self.reading("ec2:DescribeVolumes", _some(parameters.get("VolumeIds", []))):
            pages = self.ec2.get_paginator("describe_volumes").paginate(**parameters)
            return [as_volume(one) for page in pages for one in page["Volumes"]]

    # Asking whether a write would be allowed -----------------------------------------------------

    def rehearse(self, call: PlannedCall) -> None:
        """See the port."""
        operation = f"{call.service}:{call.operation}"
        if not call.can_rehearse:
            raise CloudError(
                f"{operation} cannot be rehearsed: only EC2 answers DryRun.", operation=operation
            )
        shape = self.ec2.meta.service_model.operation_model(call.operation).input_shape
        if shape is None or "DryRun" not in shape.members:
            # Without DryRun the call would be made in earnest.
            raise CloudError(f"{operation} cannot be rehearsed: it has no DryRun.", operation=operation)
        try:
            with translated(operation):
                getattr(self.ec2, xform_name(call.operation))(**call.parameters, DryRun=True)
        except CloudError as error:
            if error.code == "DryRunOperation" or _is_about_a_stand_in(error, call):
                return
            raise
        if call.operation.startswith("Describe"):
            return  # Endpoints that are not AWS answer a look outright: whoever is answered may look.
        raise CloudError(
            f"{operation} did not answer as a rehearsal: the endpoint may have carried it out. Look at it.",
            operation=operation,
        )

    # Writing -------------------------------------------------------------------------------------

    def tag(self, resource_id: str, tags: Tags) -> None:
        """See the port."""
        pairs = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        if not pairs:
            return

        def ask() -> None:
            with self.writing("ec2:CreateTags", resource_id):
                self.ec2.create_tags(Resources=[resource_id], Tags=pairs)  # type: ignore[arg-type]

        self.patiently((resource_id,), ask)

    def untag(self, resource_id: str, keys: tuple[str, ...]) -> None:
        """See the port."""
        # No keys would mean every tag to AWS.
        if not keys:
            return

        def ask() -> None:
            with self.writing("ec2:DeleteTags", resource_id):
                self.ec2.delete_tags(Resources=[resource_id], Tags=[{"Key": key} for key in keys])

        self.patiently((resource_id,), ask)

    def stop_instance(self, instance_id: str) -> None:
        """See the port."""

        def ask() -> None:
            with self.writing("ec2:StopInstances", instance_id):
                self.ec2.stop_instances(InstanceIds=[instance_id])

        self.patiently((instance_id,), ask)

    def start_instance(self, instance_id: str) -> None:
        """See the port."""

        def ask() -> None:
            with self.writing("ec2:StartInstances", instance_id):
                self.ec2_once.start_instances(InstanceIds=[instance_id])

        self.patiently((instance_id,), ask)

    def change_type(self, instance_id: str, instance_type: str) -> None:
        """See the port."""

        def ask() -> None:
            with self.writing("ec2:ModifyInstanceAttribute", instance_id):
                self.ec2.modify_instance_attribute(
                    InstanceId=instance_id, InstanceType={"Value": instance_type}
                )

        self.patiently((instance_id,), ask)

    def reboot_instance(self, instance_id: str) -> None:
        """See the port."""

        def ask() -> None:
            with self.writing("ec2:RebootInstances", instance_id):
                self.ec2.reboot_instances(InstanceIds=[instance_id])

        self.patiently((instance_id,), ask)

    def move_event(self, instance_id: str, event_id: str, not_before: float) -> None:
        """See the port."""
        with self.writing("ec2:ModifyInstanceEventStartTime", instance_id):
            self.ec2.modify_instance_event_start_time(
                InstanceId=instance_id,
                InstanceEventId=event_id,
                NotBefore=datetime.fromtimestamp(not_before, UTC),
            )

    def terminate_instance(self, instance_id: str) -> None:
        """See the port."""
        with self.deleting("ec2:TerminateInstances", instance_id):
            self.ec2.terminate_instances(InstanceIds=[instance_id])


def as_instance(one: InstanceTypeDef) -> Instance:
    """Return boto3's instance as ours."""
    return Instance(
        id=one["InstanceId"],
        state=one["State"]["Name"],
        type=one["InstanceType"],
        image_id=one.get("ImageId", ""),
        zone=one.get("Placement", {}).get("AvailabilityZone", ""),
        subnet_id=one.get("SubnetId", ""),
        vpc_id=one.get("VpcId", ""),
        private_ip=one.get("PrivateIpAddress", ""),
        public_ip=one.get("PublicIpAddress", ""),
        root_device=one.get("RootDeviceName", ""),
        root_device_type=one.get("RootDeviceType", "ebs"),
        attachments=tuple(
            Attachment(at["DeviceName"], at["Ebs"]["VolumeId"], at["Ebs"].get("DeleteOnTermination", True))
            for at in one.get("BlockDeviceMappings", [])
            if "VolumeId" in at.get("Ebs", {})
        ),
        security_groups=tuple(group["GroupId"] for group in one.get("SecurityGroups", [])),
        profile_arn=one.get("IamInstanceProfile", {}).get("Arn", ""),
        key_name=one.get("KeyName", ""),
        placement_group=one.get("Placement", {}).get("GroupName", ""),
        lifecycle=one.get("InstanceLifecycle", ""),
        state_reason=state_reason(one.get("StateReason", {})),
        launched_at=one["LaunchTime"].timestamp() if "LaunchTime" in one else 0.0,
        tags=as_tags(one.get("Tags")),
    )


def as_status(one: Any) -> InstanceStatus:
    """Return boto3's instance status as ours."""
    return InstanceStatus(
        instance_id=one["InstanceId"],
        state=one["InstanceState"]["Name"],
        instance_check=one.get("InstanceStatus", {}).get("Status", "insufficient-data"),
        system_check=one.get("SystemStatus", {}).get("Status", "insufficient-data"),
        events=tuple(
            MaintenanceEvent(
                id=event.get("InstanceEventId", ""),
                code=event["Code"],
                description=event.get("Description", ""),
                not_before=event["NotBefore"].timestamp() if "NotBefore" in event else 0.0,
                not_after=event["NotAfter"].timestamp() if "NotAfter" in event else 0.0,
                deadline=event["NotBeforeDeadline"].timestamp() if "NotBeforeDeadline" in event else 0.0,
            )
            for event in one.get("Events", [])
        ),
    )


def as_volume(one: VolumeTypeDef) -> Volume:
    """Return boto3's volume as ours."""
    return Volume(
        id=one["VolumeId"],
        zone=one["AvailabilityZone"],
        size_gib=one["Size"],
        type=one.get("VolumeType", "standard"),
        is_encrypted=one.get("Encrypted", False),
        attached_to=tuple(at["InstanceId"] for at in one.get("Attachments", []) if "InstanceId" in at),
        tags=as_tags(one.get("Tags")),
    )


def state_reason(reason: Any) -> str:
    """Return AWS's code and message as one text; the message often begins with the code."""
    code, message = reason.get("Code", ""), reason.get("Message", "")
    return message if message.startswith(code) else f"{code}: {message}".strip(": ")


def _some(ids: list[str]) -> str:
    """Return a few ids for a message."""
    return f"{ids[0]} and {len(ids) - 1} more" if len(ids) > 1 else "".join(ids)


def _is_about_a_stand_in(error: CloudError, call: PlannedCall) -> bool:
    """Whether a rehearsal failed only because an id that will be made later does not exist yet."""
    unknown = is_not_found(error.code) or error.code.endswith(("Malformed", "AMIID.Unavailable"))
    stand_ins = [text for name in call.placeholders for text in _texts(call.parameters.get(name))]
    return unknown and any(text in str(error) for text in stand_ins)


def _texts(value: Any) -> list[str]:
    """Return the texts in a parameter, however deep."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) and value else []
