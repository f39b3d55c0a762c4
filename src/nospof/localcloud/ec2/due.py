"""What an announced event does to its instance when it is due.

Level-triggered, as all of reconciliation: an event that fell due while nobody was there to carry it
out is carried out afterwards, and an outage that a restart has interrupted goes on for the rest of
its time.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from nospof.localcloud.cloud import Cloud
from nospof.localcloud.ec2 import events
from nospof.localcloud.ec2.events import ScheduledEvent
from nospof.localcloud.ec2.instances import LOST, Instance
from nospof.localcloud.machines.partitions import CannotPartition, Side

log = logging.getLogger(__name__)

SCHEDULED_STOP = "Server.ScheduledStop"


def carry_out(cloud: Cloud, instance: Instance) -> None:
    """Begin what is due, keep up what is under way, close what is done, forget what was long ago."""
    now = cloud.now()
    told = events.still_told(instance.announced, now)
    if len(told) < len(instance.announced):
        instance.announced = told
        cloud.dirty.set()
    for event in told:
        if event.phase == "announced" and event.not_before <= now:
            _begin(cloud, instance, event)
        elif event.phase == "under way":
            event.changed = min(event.changed, now)  # the clock may have been put back meanwhile
            if _is_over(cloud, instance, event):
                event.close("Completed", cloud.now())
                cloud.dirty.set()


def is_held_off(instance: Instance, now: datetime) -> bool:
    """Whether the host of an instance has no power at the moment."""
    return any(one.outage == "power" and _is_out(one, now) for one in instance.announced)


def _is_out(event: ScheduledEvent, now: datetime) -> bool:
    return event.phase == "under way" and now < event.changed + timedelta(seconds=event.out_seconds)


def _begin(cloud: Cloud, instance: Instance, event: ScheduledEvent) -> None:
    if instance.state not in ("running", "stopped") or instance.imaging:
        return  # it happens when the instance has settled
    if any(other.phase == "under way" for other in instance.announced):
        return  # one after the other
    if instance.state == "stopped":
        event.close("Canceled", cloud.now())  # a stopped instance is on no host
        cloud.dirty.set()
        return
    if instance.reboot_phase not in ("", LOST):
        return
    event.begin(cloud.now())
    cloud.dirty.set()
    if event.code == "system-reboot":
        instance.change_host()
    if event.code in events.REBOOTS or event.outage == "power":
        instance.reboot()
    elif event.code in events.STOPS:
        _end_instance(instance)


def _end_instance(instance: Instance) -> None:
    """Stop it; what has its root in an instance store cannot be stopped, and is terminated."""
    if instance.root_device_type == "instance-store":
        message = f"{SCHEDULED_STOP}: Terminated due to a scheduled retirement"
        instance.end(SCHEDULED_STOP, message)
    else:
        instance.begin_stop(SCHEDULED_STOP, f"{SCHEDULED_STOP}: Stopped due to a scheduled retirement")


def _is_over(cloud: Cloud, instance: Instance, event: ScheduledEvent) -> bool:
    """Say whether it is done, going on with what it does while it is not."""
    if event.code in events.REBOOTS:
        return instance.reboot_phase in ("", LOST)
    if event.code in events.STOPS:
        return instance.state not in ("stopping", "shutting-down")
    if instance.state == "running" and _is_out(event, cloud.now()):
        if event.outage == "network" and cloud.hypervisor.state(instance.id) == "on":
            _cut_off(cloud, instance)
        return False
    if event.outage == "network":
        cloud.partitions.reconnect(instance.id)
        if cloud.hypervisor.state(instance.id) == "frozen":
            cloud.hypervisor.thaw(instance.id)
    return instance.reboot_phase in ("", LOST)


def _cut_off(cloud: Cloud, instance: Instance) -> None:
    """Keep its machine from the network; where this computer cannot do that, hold the machine still."""
    addresses = dict.fromkeys(filter(None, (instance.private_ip_address, instance.public_ip)))
    side = Side(instance.id, cloud.hypervisor.disk(instance.id).parent, tuple(map(str, addresses)))
    try:
        cloud.partitions.cut_off(side)
    except CannotPartition as error:
        log.warning("%s is held still instead of being cut off: %s", instance.id, error)
        cloud.hypervisor.freeze(instance.id)
