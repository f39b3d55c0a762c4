"""The in-memory cloud as a whole, and what a test may do to it from outside the API."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from nospof.adapters.memory.account import OPERATIONS, MemoryClock, Timings, refused, serves
from nospof.adapters.memory.images import Contents
from nospof.adapters.memory.launching import Launching
from nospof.adapters.memory.listeners import Listeners
from nospof.adapters.memory.machines import GONE, Disk, Machine, closed
from nospof.adapters.memory.running import CommandsInside
from nospof.adapters.memory.scaling import Scaling
from nospof.adapters.memory.site import MemoryService
from nospof.adapters.memory.starting import Starting
from nospof.adapters.memory.stores import StoresBehind
from nospof.adapters.memory.surroundings import Around
from nospof.model.cloud import Image, Instance, MaintenanceEvent, Tags
from nospof.model.plans import PlannedCall
from nospof.model.surroundings import Surroundings

REBOOTS = ("instance-reboot", "system-reboot", "system-maintenance")
BEGINS_SOON_SECONDS, EARLIEST_MOVE_SECONDS = 300.0, 3600.0
"""What is about to begin is moved no more, and nothing is moved nearer (EC2 User Guide, "Reschedule ...")."""


class MemoryCloud(CommandsInside, Scaling, Listeners, Launching, Starting, Around, StoresBehind):
    """The reference implementation of `ports.cloud.Cloud`: exact, small, deterministic.

    Time passes only by `clock.sleep`. Faults are data: `fail`, `deny`, `late_ids`, `fail_image`.
    What no API call does is done by `announce`, `impair`, `terminate`, `surround`,
    `join_auto_scaling_group`, `serve`, `offer` and `add_role`.
    """

    @classmethod
    def with_one_instance(
        cls,
        clock: MemoryClock | None = None,
        *,
        zone_count: int = 3,
        instance_type: str = "t3.small",
        disks: tuple[Disk, ...] = (Disk("/dev/sda1", 8),),
        service: MemoryService | None = None,
        tags: Tags | None = None,
        timings: Timings | None = None,
    ) -> Self:
        """Return a cloud with a default VPC and one running instance, its service answering.

        The instance is in the first zone; `the_instance` returns it.
        """
        cloud = cls(clock, zone_count=zone_count, timings=timings)
        cloud.add_instance(
            instance_type=instance_type, disks=disks, service=service, tags=tags or {"Name": "site"}
        )
        return cloud

    @property
    def the_instance(self) -> Instance:
        """The instance that was there first."""
        return next(iter(self._instances.values()))

    def add_instance(
        self,
        *,
        zone: str = "",
        instance_type: str = "t3.small",
        disks: tuple[Disk, ...] = (Disk("/dev/sda1", 8),),
        service: MemoryService | None = None,
        tags: Tags | None = None,
    ) -> Instance:
        """Add an instance that has been running for a day, without a call of the API."""
        subnet = next(one for one in self._subnets.values() if zone in ("", one.zone))
        self._offers.setdefault(instance_type, tuple(each.name for each in self._zones))
        began = self.now() - 86_400
        instance = Instance(
            id=self.new_id("i"),
            state="running",
            type=instance_type,
            image_id=self.base_image(disks),
            zone=subnet.zone,
            subnet_id=subnet.id,
            vpc_id=subnet.vpc_id,
            private_ip=self.private_address(subnet),
            public_ip=self.public_address(),
            root_device=disks[0].device,
            security_groups=(self.default_group,),
            launched_at=began,
            tags=dict(tags or {}),
        )
        self._late.pop(instance.id)
        self.put_instance(instance, disks, Machine(service or MemoryService(), up_at=began, ok_at=began))
        return self._instances[instance.id]

    def base_image(self, disks: tuple[Disk, ...] = (Disk("/dev/sda1", 8),)) -> str:
        """Return the id of a public image that unpacks to these disks, making it if needed."""
        image_id = "ami-0base" + "".join(f"{disk.size_gib:02x}" for disk in disks)
        if image_id not in self._images:
            # A public image belongs to somebody else: image_named must not find it.
            self.put_image(Image(image_id, "", "available"), Contents(disks, MemoryService()))
        return image_id

    # The last method of the port -----------------------------------------------------------------

    @serves("ec2:DryRun")
    def rehearse(self, call: PlannedCall) -> None:
        """See the port: permission, and ids that do not exist."""
        operation = f"{call.service}:{call.operation}"
        if not call.can_rehearse:
            raise refused(operation, "UnsupportedOperation", "only EC2 answers DryRun")
        if operation not in {known.aws_name for known in OPERATIONS.values()}:
            raise refused(operation, "InvalidAction", "there is no such call")
        self.check_allowed(operation)
        known = {key: value for key, value in call.parameters.items() if key not in call.placeholders}
        for instance_id in (known.get("InstanceId"), *known.get("InstanceIds", ())):
            if instance_id:
                self._get(instance_id, operation)

    @serves("ec2:ModifyInstanceEventStartTime", writes=True)
    def move_event(self, instance_id: str, event_id: str, not_before: float) -> None:
        """See the port."""
        operation, machine = "ec2:ModifyInstanceEventStartTime", self._machines[instance_id]
        (event,) = (one for one in machine.events if one.id == event_id)
        if not event.deadline or event.not_before - self.now() <= BEGINS_SOON_SECONDS:
            raise refused(operation, "InstanceEventStartTimeCannotChange", f"{event_id} cannot be moved")
        if not self.now() + EARLIEST_MOVE_SECONDS <= not_before <= event.deadline:
            raise refused(operation, "InvalidInstanceEventStartTime", f"{event_id} cannot begin then")
        later = not_before - event.not_before
        self.reschedule(instance_id, replace(event, not_before=not_before, not_after=event.not_after + later))

    # What happens to the cloud from outside ------------------------------------------------------

    def announce(
        self,
        instance_id: str,
        code: str = "system-reboot",
        *,
        in_seconds: float = 86_400,
        for_seconds: float = 7_200,
        movable_seconds: float = 0.0,
        description: str = "scheduled maintenance",
    ) -> MaintenanceEvent:
        """Announce a maintenance event; when it is due and still live it really happens."""
        begins = self.now() + in_seconds
        deadline = begins + movable_seconds if movable_seconds else 0.0
        event_id = f"instance-event-{self.number('event'):017x}"
        event = MaintenanceEvent(event_id, code, description, begins, begins + for_seconds, deadline)
        self.reschedule(instance_id, event)
        return event

    def reschedule(self, instance_id: str, event: MaintenanceEvent) -> None:
        """Announce an event, or have one that was announced be another: at another time, or cancelled."""
        machine = self._machines[instance_id]
        machine.events = (*(one for one in machine.events if one.id != event.id), event)
        if event.is_live:
            self.later(event.not_before - self.now(), lambda: self._event_happens(instance_id, event))

    def _event_happens(self, instance_id: str, event: MaintenanceEvent) -> None:
        machine = self._machines[instance_id]
        if event not in machine.events:
            return
        if self._instances[instance_id].state == "running":
            if event.code in REBOOTS:
                machine.up_at = self.now() + self.timings.reboot
            else:
                self._stop(instance_id, "Server.ScheduledStop: Stopped due to scheduled retirement")
        over = closed(event, "[Completed]")
        machine.events = tuple(over if each == event else each for each in machine.events)

    def impair(self, instance_id: str) -> None:
        """Hang an instance: it stays "running", its checks fail, nothing answers until stop and start."""
        self._machines[instance_id].is_impaired = True

    def surround(self, instance_id: str, around: Surroundings) -> None:
        """Say what stands around an instance."""
        self._machines[instance_id].around = around

    def protect_from_termination(self, instance_id: str, protected: bool = True) -> None:
        """Set or clear the instance's attribute disableApiTermination."""
        self._machines[instance_id].is_termination_protected = protected

    def serve(self, instance_id: str, service: MemoryService) -> None:
        """Change what the service inside an instance answers."""
        self._machines[instance_id].service = service

    def offer(self, instance_type: str, zones: tuple[str, ...]) -> None:
        """Offer an instance type in these zones only."""
        self._offers[instance_type] = zones

    # What the probe sees -------------------------------------------------------------------------

    def instance_at(self, address: str) -> str:
        """Return the id of the instance with this private or public address, or an empty string."""
        for instance in self._instances.values():
            if address in (instance.private_ip, instance.public_ip) and instance.state not in GONE:
                return instance.id
        return ""

    def is_silent(self, instance_id: str) -> bool:
        """Whether packets to the instance vanish: it is off or hangs."""
        machine = self._machines[instance_id]
        return self._instances[instance_id].state != "running" or machine.is_impaired

    def service_of(self, instance_id: str) -> MemoryService | None:
        """Return the service that answers on an instance, or None while none does."""
        return self._machines[instance_id].service if self.answers_now(instance_id) else None
