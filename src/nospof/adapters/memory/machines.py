"""Instances, volumes and status checks of the in-memory cloud, with EC2's refusals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from nospof.adapters.memory.account import refused, serves
from nospof.adapters.memory.network import Network
from nospof.adapters.memory.site import MemoryServer, MemoryService, MemoryUploads
from nospof.model.cloud import (
    Attachment,
    Instance,
    InstanceStatus,
    MaintenanceEvent,
    PlacementGroup,
    Subnet,
    Tags,
    Volume,
)
from nospof.model.layout import Layout
from nospof.model.surroundings import Surroundings
from nospof.model.traits import DiskTraits, Traits, TypeTraits

GONE = ("shutting-down", "terminated")
TYPES = ("t3.nano", "t3.micro", "t3.small", "t3.medium", "t3.large", "m6i.large")
NEVER = float("inf")
SPREAD_LIMIT = 7
"""Running instances of a spread placement group in one zone (EC2 user guide, placement groups)."""


@dataclass(frozen=True)
class Disk:
    """A volume an image will be unpacked into."""

    device: str
    size_gib: int
    type: str = "gp3"
    is_encrypted: bool = False
    delete_on_termination: bool = True


@dataclass
class Machine:
    """What is inside an instance and what AWS does not say of it."""

    service: MemoryService
    up_at: float = NEVER
    """When the service answers again."""
    ok_at: float = NEVER
    """When the status checks will have passed."""
    events: tuple[MaintenanceEvent, ...] = ()
    is_impaired: bool = False
    is_stop_protected: bool = False
    is_termination_protected: bool = False
    around: Surroundings | None = None
    """What `surroundings` answers; None for the instance's address, which stays, and its settings."""
    traits: Traits = field(default_factory=Traits)
    tenancy: str = "default"
    user_data: str = ""
    token: str = ""
    server: MemoryServer | None = None
    uploads: MemoryUploads | None = None
    votes_in: Layout | None = None


class Machines(Network):
    """Instances and what hangs on them.

    Attributes:
        full: pairs of type and zone for which there is no room.
        service_of_new: what the next launched instances serve; None means what the source of their
            image serves.
    """

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self._instances: dict[str, Instance] = {}
        self._machines: dict[str, Machine] = {}
        self._volumes: dict[str, Volume] = {}
        self._bought: dict[str, tuple[int, int]] = {}
        self._placement_groups: dict[str, Tags] = {}
        self.full: set[tuple[str, str]] = set()
        self._offers = {name: tuple(zone.name for zone in self._zones) for name in TYPES}
        self.service_of_new: MemoryService | None = None
        self.shelves |= {"i": self._instances, "vol": self._volumes}

    # Reading -------------------------------------------------------------------------------------

    @serves("ec2:DescribeInstances")
    def instance(self, instance_id: str) -> Instance:
        """See the port."""
        return self._get(instance_id, "ec2:DescribeInstances")

    @serves("ec2:DescribeInstances")
    def instances(self, tag: str = "", value: str = "") -> tuple[Instance, ...]:
        """See the port."""
        return tuple(
            instance
            for instance_id, instance in sorted(self._instances.items())
            if instance.state != "terminated"
            and (not tag or (tag in instance.tags and value in ("", instance.tags[tag])))
            and not self.is_late(instance_id)
        )

    @serves("ec2:DescribeInstanceStatus")
    def instance_status(self, instance_ids: tuple[str, ...]) -> tuple[InstanceStatus, ...]:
        """See the port. An id the cloud does not list is left out: that is "not listed", not "gone"."""
        known = [self._instances[i] for i in instance_ids if i in self._instances and not self.is_late(i)]
        return tuple(self._status(instance) for instance in known)

    @serves("ec2:DescribeInstanceStatus")
    def announcements(self) -> tuple[InstanceStatus, ...]:
        """See the port."""
        return tuple(one for one in self.instance_status(tuple(sorted(self._instances))) if one.events)

    def _status(self, instance: Instance) -> InstanceStatus:
        machine = self._machines[instance.id]
        if instance.state not in ("running", "pending"):
            check = "not-applicable"
        elif machine.is_impaired:
            check = "impaired"
        else:
            check = "ok" if machine.ok_at <= self.now() else "initializing"
        system = "ok" if check == "impaired" else check
        return InstanceStatus(instance.id, instance.state, check, system, machine.events)

    @serves("ec2:DescribeInstanceTypeOfferings")
    def zones_offering(self, instance_type: str) -> tuple[str, ...]:
        """See the port."""
        return tuple(sorted(self._offers.get(instance_type, ())))

    @serves("ec2:DescribeInstanceTypes")
    def has_local_disks(self, instance_type: str) -> bool:
        """See the port. As at AWS, the family tells: i3 and the families with a d after the digit."""
        return re.match(r"(i\d|d\d|[a-z]+\d[a-z]*d)", instance_type) is not None

    @serves("ec2:DescribeInstanceTypes")
    def type_traits(self, instance_type: str) -> TypeTraits:
        """See the port. The family tells, as at AWS: g after the digit is Graviton, an old one Xen."""
        if instance_type not in self._offers:
            says = f"the following supplied instance types do not exist: [{instance_type}]"
            raise refused("ec2:DescribeInstanceTypes", "InvalidInstanceType", says)
        if re.match(r"[a-z]+\d+[a-z]*g", instance_type):
            return TypeTraits(instance_type, ("arm64",), ("uefi",), "nitro")
        if re.match(r"(t2|m[1-4]|c[1-4]|r[1-4])\.", instance_type):
            return TypeTraits(instance_type, ("i386", "x86_64"), ("legacy-bios",), "xen")
        return TypeTraits(instance_type, ("x86_64",), ("legacy-bios", "uefi"), "nitro")

    @serves("ec2:DescribeVolumes")
    def volumes(self, volume_ids: tuple[str, ...] = ()) -> tuple[Volume, ...]:
        """See the port."""
        operation, code = "ec2:DescribeVolumes", "InvalidVolume.NotFound"
        wanted = volume_ids or tuple(self._volumes)
        return tuple(self.find(self._volumes, volume_id, operation, code) for volume_id in sorted(wanted))

    def _get(self, instance_id: str, operation: str) -> Instance:
        return self.find(self._instances, instance_id, operation, "InvalidInstanceID.NotFound")

    # Writing -------------------------------------------------------------------------------------

    @serves("ec2:CreateTags", writes=True)
    def tag(self, resource_id: str, tags: Tags) -> None:
        """See the port."""
        if any(key.lower().startswith("aws:") for key in tags):
            raise refused("ec2:CreateTags", "InvalidParameterValue", "tag keys must not begin with aws:")
        self._retag(resource_id, "ec2:CreateTags", add=tags)

    @serves("ec2:DeleteTags", writes=True)
    def untag(self, resource_id: str, keys: tuple[str, ...]) -> None:
        """See the port."""
        self._retag(resource_id, "ec2:DeleteTags", remove=keys)

    def _retag(
        self, resource_id: str, operation: str, add: Tags | None = None, remove: Iterable[str] = ()
    ) -> None:
        shelf = self.shelves.get(resource_id.split("-", 1)[0])
        if shelf is None:
            raise refused(operation, "InvalidID", f"{resource_id} is not an id of a resource with tags")
        code = "InvalidInstanceID.NotFound" if shelf is self._instances else "InvalidID.NotFound"
        thing = self.find(shelf, resource_id, operation, code)
        kept = {key: value for key, value in thing.tags.items() if key not in set(remove)}
        shelf[resource_id] = replace(thing, tags={**kept, **(add or {})})

    @serves("ec2:StopInstances", writes=True)
    def stop_instance(self, instance_id: str) -> None:
        """See the port."""
        operation = "ec2:StopInstances"
        instance = self._get(instance_id, operation)
        if instance.state in ("stopping", "stopped"):
            return
        if instance.state != "running":
            raise refused(operation, "IncorrectInstanceState", f"{instance_id} is {instance.state}")
        if self._machines[instance_id].is_stop_protected:
            raise refused(operation, "OperationNotPermitted", f"{instance_id} has disableApiStop set")
        self._stop(instance_id, "Client.UserInitiatedShutdown: User initiated shutdown")

    def _stop(self, instance_id: str, reason: str) -> None:
        machine = self._machines[instance_id]
        machine.up_at = machine.ok_at = NEVER
        self._become(instance_id, "stopping", reason)
        self.later(self.timings.stopping, lambda: self._stopped(instance_id))

    def _stopped(self, instance_id: str) -> None:
        if self._instances[instance_id].state == "stopping":
            self._become(instance_id, "stopped", self._instances[instance_id].state_reason, public_ip="")

    @serves("ec2:StartInstances", writes=True)
    def start_instance(self, instance_id: str) -> None:
        """See the port."""
        instance = self._get(instance_id, "ec2:StartInstances")
        if instance.state in ("pending", "running"):
            return
        if instance.state != "stopped":
            raise refused(
                "ec2:StartInstances", "IncorrectInstanceState", f"{instance_id} is {instance.state}"
            )
        self._check_capacity(instance.type, instance.zone, "ec2:StartInstances")
        machine = self._machines[instance_id]
        machine.is_impaired = False
        machine.events = tuple(closed(event, "[Completed]") for event in machine.events)
        self._boot(instance_id)

    def _check_capacity(self, kind: str, zone: str, operation: str) -> None:
        """Raise CloudError where there is no room for a type in a zone."""
        if (kind, zone) in self.full:
            raise refused(operation, "InsufficientInstanceCapacity", f"there is no room for {kind} in {zone}")

    @serves("ec2:ModifyInstanceAttribute", writes=True)
    def change_type(self, instance_id: str, instance_type: str) -> None:
        """See the port."""
        operation = "ec2:ModifyInstanceAttribute"
        instance = self._get(instance_id, operation)
        if instance_type not in self._offers:
            raise refused(operation, "InvalidInstanceAttributeValue", f"there is no type {instance_type}")
        if instance.state != "stopped":
            raise refused(operation, "IncorrectInstanceState", f"{instance_id} is {instance.state}")
        self._instances[instance_id] = replace(instance, type=instance_type)

    def _boot(self, instance_id: str) -> None:
        self._become(instance_id, "pending", public_ip=self.public_address())
        self._instances[instance_id] = replace(self._instances[instance_id], launched_at=self.now())
        self.later(self.timings.pending, lambda: self._running(instance_id))

    def _running(self, instance_id: str) -> None:
        if self._instances[instance_id].state == "pending":
            machine = self._machines[instance_id]
            machine.up_at = self.now() + self.timings.boot
            machine.ok_at = self.now() + self.timings.checks
            self._become(instance_id, "running")

    @serves("ec2:RebootInstances", writes=True)
    def reboot_instance(self, instance_id: str) -> None:
        """See the port."""
        operation = "ec2:RebootInstances"
        instance = self._get(instance_id, operation)
        if instance.state != "running":
            raise refused(operation, "IncorrectInstanceState", f"{instance_id} is {instance.state}")
        self._machines[instance_id].up_at = self.now() + self.timings.reboot

    @serves("ec2:TerminateInstances", writes=True)
    def terminate_instance(self, instance_id: str) -> None:
        """See the port."""
        instance = self._instances.get(instance_id)
        if instance is None or instance.state in GONE:
            return
        if self._machines[instance_id].is_termination_protected:
            says = f"{instance_id} has disableApiTermination set"
            raise refused("ec2:TerminateInstances", "OperationNotPermitted", says)
        self.terminate(instance_id)

    def terminate(self, instance_id: str) -> None:
        """Terminate an instance, as somebody else might."""
        self._machines[instance_id].up_at = NEVER
        self._become(instance_id, "shutting-down", "Client.UserInitiatedShutdown: User initiated shutdown")
        self.later(
            self.timings.shutting_down,
            lambda: self._become(instance_id, "terminated", "Client.UserInitiatedShutdown", public_ip=""),
        )

    @serves("ec2:DescribePlacementGroups")
    def placement_groups(self) -> tuple[PlacementGroup, ...]:
        """See the port."""
        return tuple(
            PlacementGroup(name, "spread", tags) for name, tags in sorted(self._placement_groups.items())
        )

    @serves("ec2:DeletePlacementGroup", writes=True)
    def delete_placement_group(self, name: str) -> None:
        """See the port."""
        members = [one.state for one in self._instances.values() if one.placement_group == name]
        if set(members) - {"terminated"}:
            raise refused("ec2:DeletePlacementGroup", "InvalidPlacementGroup.InUse", f"{name} is in use")
        self._placement_groups.pop(name, None)

    @serves("ec2:CreatePlacementGroup", writes=True)
    def create_placement_group(self, name: str, tags: Tags) -> None:
        """See the port."""
        self._placement_groups.setdefault(name, dict(tags))

    @serves("ec2:ModifyInstancePlacement", writes=True)
    def move_into_group(self, instance_id: str, group_name: str) -> None:
        """See the port."""
        operation = "ec2:ModifyInstancePlacement"
        instance = self._get(instance_id, operation)
        if instance.placement_group == group_name:
            return
        if instance.state != "stopped":
            raise refused(operation, "IncorrectInstanceState", f"{instance_id} is {instance.state}")
        if group_name:
            self._check_room(group_name, instance.zone, operation)
        self._instances[instance_id] = replace(instance, placement_group=group_name)

    def _check_room(self, group_name: str, zone: str, operation: str) -> None:
        """Raise CloudError unless the spread group exists and has room for one more in the zone."""
        if group_name not in self._placement_groups:
            raise refused(operation, "InvalidPlacementGroup.Unknown", f"no placement group {group_name}")
        members = [
            one
            for one in self._instances.values()
            if (one.placement_group, one.zone) == (group_name, zone) and one.state not in GONE
        ]
        if len(members) >= SPREAD_LIMIT:
            says = f"{group_name} has {SPREAD_LIMIT} instances in {zone}"
            raise refused(operation, "InsufficientInstanceCapacity", says)

    # What the parts use --------------------------------------------------------------------------

    def put_instance(
        self,
        instance: Instance,
        disks: tuple[Disk, ...],
        machine: Machine,
        volume_tags: Tags | None = None,
    ) -> None:
        """Add an instance with volumes made from the disks, as far as nobody asked for other ones."""
        attachments, asked = [], {one.device: one for one in machine.traits.disks}
        for disk in disks:
            volume_id = self.new_id("vol")
            self._late.pop(volume_id, None)
            told = asked.get(disk.device) or DiskTraits(
                disk.device, disk.type, disk.size_gib, delete_on_termination=disk.delete_on_termination
            )
            self._bought[volume_id] = (told.iops, told.throughput)
            self._volumes[volume_id] = Volume(
                volume_id,
                instance.zone,
                told.size_gib,
                told.type,
                disk.is_encrypted,
                attached_to=(instance.id,),
                tags=dict(volume_tags or instance.tags),
            )
            attachments.append(Attachment(disk.device, volume_id, told.delete_on_termination))
        self._instances[instance.id] = replace(instance, attachments=tuple(attachments))
        self._machines[instance.id] = machine

    def private_address(self, subnet: Subnet) -> str:
        """Return a new address of a subnet."""
        return f"172.31.{int(subnet.id[-2:], 16) * 16}.{self.number('private address') + 9}"

    def public_address(self) -> str:
        """Return a new address of TEST-NET-3 (RFC 5737)."""
        return f"203.0.113.{self.number('address') % 250 + 1}"

    def server_of_image(self, image_id: str) -> MemoryServer | None:
        """Return the database server of a machine that is made from an image; images come later."""
        raise NotImplementedError

    def uploads_of_image(self, image_id: str) -> MemoryUploads | None:
        """Return the uploads of a machine that is made from an image; images come later."""
        raise NotImplementedError

    def contents_of_image(self, image_id: str, operation: str) -> tuple[tuple[Disk, ...], MemoryService]:
        """Return what an image unpacks to. Raises CloudError while it is not available."""
        raise NotImplementedError

    def _become(self, instance_id: str, state: str, reason: str = "", public_ip: str | None = None) -> None:
        now = self._instances[instance_id]
        address = now.public_ip if public_ip is None else public_ip
        self._instances[instance_id] = replace(now, state=state, state_reason=reason, public_ip=address)

    def answers_now(self, instance_id: str) -> bool:
        """Whether the service inside an instance takes connections."""
        machine = self._machines[instance_id]
        is_up = self._instances[instance_id].state == "running" and machine.up_at <= self.now()
        return is_up and not machine.is_impaired


def closed(event: MaintenanceEvent, prefix: str) -> MaintenanceEvent:
    """Return the event as AWS lists it afterwards: only its text tells that it is over."""
    return replace(event, description=f"{prefix} {event.description}") if event.is_live else event
