"""Machines: an instance with its disks, and the members of an Auto Scaling group.

A member of a group is anonymous: it goes by its group and zone, so that nightly scaling does not
make one finding into another.
"""

from __future__ import annotations

from nospof.audit.builder import Builder
from nospof.audit.parts.capacity import (
    certainly_shared,
    facts_of_ground,
    judge_ground,
    perhaps_one_pool,
    perhaps_one_rack,
)
from nospof.audit.windows import day, overlapping
from nospof.model.cloud import MaintenanceEvent
from nospof.model.estate import Item
from nospof.model.findings import Fact
from nospof.model.topology import UP, AllOf, AnyOf, Node, On, Requirement

OUR_SPREAD_GROUP = "nospof-i-"
"""Placement groups with such names are made by `clone`, always with the strategy "spread"."""
HEALING = ("Launch", "Terminate", "ReplaceUnhealthy", "HealthCheck")
"""An Auto Scaling group with one of these suspended replaces nothing."""


def instance(b: Builder, item: Item) -> Requirement:
    """An instance: it needs all its volumes, and falls with its zone, rack, host and announced windows."""
    scaling = group_of_instance(b, item.id)
    if scaling is not None:
        return member(b, scaling, item.text("Placement.AvailabilityZone"), item.id)
    name = item.id
    b.member(name)
    zone = item.text("Placement.AvailabilityZone") or b.zone_of_subnet(item.text("SubnetId"))
    label = f"instance {item.label} ({item.id})" if item.label != item.id else f"instance {item.id}"
    fault = b.event(item.id, "instance", label)
    disks = [
        disk(b, row.text("Ebs.VolumeId"), zone, item)
        for row in item.rows("BlockDeviceMappings")
        if row.text("Ebs.VolumeId")
    ]
    # Whatever stands in one subnet stands in one zone, known or not.
    certain, possible = b.domains(zone, item.text("SubnetId") or item.label)
    node = Node(
        name,
        AllOf(tuple(disks)),
        (fault,),
        (*certain, *on_host(b, item)),
        (*possible, *perhaps_shared(b, item)),
        kind="instance",
        label=label,
    )
    b.add(node, item=item, facts=facts_of(b, item), zone=zone)
    judge_ground(b, name, item)
    judge(b, item)
    b.apply_uses(name, item)
    return On(name)


def facts_of(b: Builder, item: Item) -> list[Fact]:
    """Return where a machine is, its state, its placement group and what is announced for it."""
    found = list(item.facts("Placement.AvailabilityZone", "State.Name"))
    if item.text("Placement.GroupName"):
        found.append(item.fact("Placement.GroupName"))
    found += facts_of_ground(b, item)
    status = b.estate.find("instance status", item.id)
    for event in live_events(status) if status else ():
        says = f"{event.code} not before {day(event.not_before)}: {event.description}"
        found.append(Fact(status.call if status else "", item.id, f"Events[{event.id}]", says))
    return found


def on_host(b: Builder, item: Item) -> tuple[str, ...]:
    """Return the events of what a machine certainly shares with others: its host, spot pool, partition."""
    found = list(certainly_shared(b, item))
    if partition := item.text("Placement.PartitionNumber"):
        group = item.text("Placement.GroupName")
        label = f"partition {partition} of placement group {group}"
        found.append(b.event(f"rack:{group}/{partition}", "rack", label))
    return tuple(found)


def perhaps_shared(b: Builder, item: Item) -> tuple[str, ...]:
    """Return the events of what a machine may share with others."""
    found = list(perhaps_one_pool(b, item))
    name = item.text("Placement.GroupName")
    known = b.estate.find("placement group", name) if name else None
    strategy = known.text("Strategy") if known else ""
    if strategy not in ("spread", "partition") and not name.startswith(OUR_SPREAD_GROUP):
        if name:
            label = f"a rack that members of placement group {name} may share"
            found.append(b.event(f"rack:{name}", "rack", label))
        found += perhaps_one_rack(b, item)
    if b.estate.is_unread("instance status"):
        label = "maintenance that AWS may have announced (could not be read)"
        found.append(b.event("unread:instance status", "unread", label))
    return tuple(found)


def judge(b: Builder, item: Item) -> None:
    """Note what is wrong with an instance now."""
    status = b.estate.find("instance status", item.id)
    state = item.text("State.Name", "running")
    if state == "pending":
        b.is_off(item.id, "pending", certain=False)
    elif state != "running":
        b.is_off(item.id, state)
    elif status and "impaired" in (
        status.text("InstanceStatus.Status"),
        status.text("SystemStatus.Status"),
        status.text("AttachedEbsStatus.Status"),
    ):
        # The cloud's checks are not the service's: an impaired machine may serve.
        b.is_off(item.id, "impaired", certain=False)


def disk(b: Builder, volume_id: str, zone: str, machine: Item) -> On:
    """Add a volume of a machine; a volume is always in its machine's zone."""
    known = b.estate.find("volume", volume_id)
    zone = (known.text("AvailabilityZone") if known else "") or zone
    fault = b.event(volume_id, "volume", f"volume {volume_id}")
    certain, possible = b.domains(zone, machine.text("SubnetId") or machine.label)
    node = Node(volume_id, UP, (fault,), certain, possible, kind="volume", label=f"volume {volume_id}")
    facts = known.facts("AvailabilityZone") if known else ()
    status = b.estate.find("volume status", volume_id)
    if status and status.text("VolumeStatus.Status") == "impaired":
        # It answers no reads and writes (EC2 user guide, "EBS volume status checks").
        b.is_off(volume_id, "impaired")
        facts = (*facts, *status.facts("VolumeStatus.Status"))
    return b.add(node, item=known, facts=facts, zone=zone)


def unread_machine(b: Builder, name: str, zone: str = "") -> On:
    """Add a machine of which only the address is known, and perhaps the zone."""
    b.member(name)
    fault = b.event(name, "instance", f"machine {name}")
    certain, possible = b.domains(zone, name)
    node = Node(name, UP, (fault,), certain, possible, kind="instance", label=f"machine {name}")
    return b.add(node, zone=zone)


# Auto Scaling groups -------------------------------------------------------------------------------------


def group_of_instance(b: Builder, instance_id: str) -> Item | None:
    """Return the Auto Scaling group that an instance belongs to."""
    found = b.estate.where("auto scaling group", "Instances.InstanceId", instance_id)
    return found[0] if found else None


def anonymous_name(scaling: Item, instance_id: str) -> str:
    """Return the name of a group's member: its group, its zone, and its place among those there."""
    rows = sorted(scaling.rows("Instances"), key=lambda one: one.text("InstanceId"))
    zone = next((one.text("AvailabilityZone") for one in rows if one.text("InstanceId") == instance_id), "")
    there = [one.text("InstanceId") for one in rows if one.text("AvailabilityZone") == zone]
    number = there.index(instance_id) + 1 if instance_id in there else 1
    return f"{scaling.id}/{zone or 'zone'}/{number}"


def member(b: Builder, scaling: Item, zone: str, instance_id: str) -> On:
    """Add a member of a group that runs now."""
    row = next(one for one in scaling.rows("Instances") if one.text("InstanceId") == instance_id)
    zone = zone or row.text("AvailabilityZone")
    name = anonymous_name(scaling, instance_id)
    item = b.estate.find("instance", instance_id)
    found = place_member(b, scaling, name, zone, f"member {instance_id} of group {scaling.id}", item)
    if row.text("LifecycleState") not in ("InService", "") or row.text("HealthStatus").lower() == "unhealthy":
        b.is_off(name, f"{row.text('LifecycleState')}, {row.text('HealthStatus')}")
    elif item and item.text("State.Name", "running") not in ("running", "pending"):
        b.is_off(name, item.text("State.Name"))
    return found


def place_member(b: Builder, scaling: Item, name: str, zone: str, label: str, item: Item | None) -> On:
    """Add a member; the group replaces it when it fails, unless the healing is suspended."""
    if name in b.nodes:
        return On(name)
    b.member(name)
    fault = b.event(name, "instance", label)
    certain, possible = b.domains(zone, name)
    shared = (*on_host(b, item), *certain) if item else certain
    perhaps = (*possible, *perhaps_shared(b, item)) if item else possible
    node = Node(name, UP, (fault,), shared, perhaps, kind="instance", label=label)
    facts = (*scaling.facts("MinSize", "DesiredCapacity"), *(facts_of(b, item) if item else ()))
    b.add(node, item=item or scaling, facts=facts, zone=zone)
    if item:
        judge_ground(b, name, item)
    if not is_healing_suspended(scaling):
        b.heals(fault, f"Auto Scaling group {scaling.id}")
        for event in certain:
            b.heals(event, f"Auto Scaling group {scaling.id}")
    if item:
        b.apply_uses(name, item)
    b.apply_uses(name, scaling)
    return On(name)


def is_healing_suspended(scaling: Item) -> bool:
    """Whether a group would replace nothing."""
    return any(one.text("ProcessName") in HEALING for one in scaling.rows("SuspendedProcesses"))


def members_of_group(b: Builder, scaling: Item) -> list[tuple[str, Requirement]]:
    """Return zone and need of each member that runs, or that a description promises."""
    rows = scaling.rows("Instances")
    if rows:
        ordered = sorted(rows, key=lambda one: one.text("InstanceId"))
        return [
            (row.text("AvailabilityZone"), member(b, scaling, "", row.text("InstanceId"))) for row in ordered
        ]
    return promised_members(b, scaling)


def promised_members(b: Builder, scaling: Item) -> list[tuple[str, Requirement]]:
    """Return the members that a group keeps: its desired number, else its least, spread over its zones."""
    number = scaling.number("DesiredCapacity", None)
    if number is None:
        number = scaling.number("MinSize", 1)
    if number is None:
        return [("", b.unread(f"how many members {scaling.id} keeps"))]
    zones = zones_of_group(b, scaling)
    found: list[tuple[str, Requirement]] = []
    for place in range(int(number)):
        zone = zones[place % len(zones)] if zones else ""
        name = f"{scaling.id}/{zone or 'zone'}/{place // max(1, len(zones)) + 1 if zones else place + 1}"
        label = f"member {place + 1} of group {scaling.id}"
        promised = place_member(b, scaling, name, zone, label, None)
        if b.estate.is_whole and not scaling.is_unknown("Instances"):
            b.is_off(promised.node, "not running")
        found.append((zone, promised))
    return found


def zones_of_group(b: Builder, scaling: Item) -> list[str]:
    """Return the zones that a group spreads over, as far as they are known."""
    zones = list(scaling.texts("AvailabilityZones"))
    if not zones:
        listed = [one.strip() for one in scaling.text("VPCZoneIdentifier").split(",")]
        zones = [b.zone_of_subnet(one) for one in listed if one]
    return list(dict.fromkeys(zone for zone in zones if zone))


def scaling_group(b: Builder, item: Item) -> Requirement:
    """An Auto Scaling group as something that is needed whole: any member serves."""
    name = b.name(item)
    parts = [part for _, part in members_of_group(b, item)]
    node = Node(name, AnyOf(tuple(parts)), kind="target group", label=f"Auto Scaling group {item.id}")
    return b.add(node, item=item, facts=item.facts("MinSize", "DesiredCapacity", "AvailabilityZones"))


# What is announced ----------------------------------------------------------------------------------------


def live_events(status: Item) -> tuple[MaintenanceEvent, ...]:
    """Return what is announced for an instance and neither done nor called off."""
    found = tuple(
        MaintenanceEvent(
            id=one.text("InstanceEventId"),
            code=one.text("Code"),
            description=one.text("Description"),
            not_before=one.moment("NotBefore") or 0.0,
            not_after=one.moment("NotAfter") or 0.0,
            deadline=one.moment("NotBeforeDeadline") or 0.0,
        )
        for one in status.rows("Events")
    )
    return tuple(one for one in found if one.is_live)


def announce(b: Builder) -> None:
    """Let what AWS has announced hit the machines: one event for each set of overlapping windows."""
    announced = []
    for name in b.machines:
        item = b.service.item_of.get(name)
        status = b.estate.find("instance status", item.id) if item else None
        announced += [(name, event) for event in (live_events(status) if status else ())]
    for window in overlapping(announced):
        event = b.event(window.id, "maintenance", window.says, window.starts_at)
        for name in window.instance_ids:
            b.change(name, domains=(*b.nodes[name].domains, event))
