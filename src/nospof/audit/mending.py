"""Which remedy fits a finding, and what came of trying it on the model."""

from __future__ import annotations

from collections.abc import Sequence

from nospof.audit.builder import Entry, Service
from nospof.audit.changes import (
    all_in_service,
    with_pair,
    with_twin,
    with_value,
    with_wider_group,
    with_zone,
    without_events,
    zone_of_row,
)
from nospof.audit.parts.inside import kept, look_of
from nospof.audit.proposal import Proposal
from nospof.audit.quality import groups_of
from nospof.audit.remedies_containers import second_place
from nospof.model.cloud import TAG_STATE, HealthCheck
from nospof.model.estate import Estate, Item
from nospof.model.findings import Finding

CHECK = HealthCheck()
"""The health check that `pair` sets."""
MACHINES = ("instance", "volume", "task", "zone", "host", "rack", "spot pool")
"""What a second machine elsewhere is the remedy for."""


def propose(estate: Estate, service: Service, finding: Finding) -> Proposal:
    """Return what would mend a finding.

    Args:
        estate: what the service rests on.
        service: the service.
        finding: one of the service's.
    """
    if finding.rule == "NSP100" or finding.time == "now":
        return bring_back(service)
    if finding.rule == "NSP407":
        return Proposal("give each part a spare of its own, or serve all of it from one group")
    if finding.rule in ("NSP402", "NSP403"):
        return better_check(service, finding)
    if finding.rule == "NSP409":
        return enable_zone(estate, service, finding.members[0])
    if finding.confidence == "possible":
        return read_more(estate, finding)
    if finding.rule == "NSP204":
        return take_early(estate, service, finding)
    if finding.rule == "NSP201" and service.outside:
        return enable_zone(estate, service, service.outside[0][1].text("Target.Id"))
    if finding.rule == "NSP106":
        return second_door(estate, service, finding)
    kind = service.topology.event(finding.event).kind
    if finding.view == "serving" and kind in MACHINES:
        return second_machine(estate, service)
    return Proposal("")


def second_machine(estate: Estate, service: Service) -> Proposal:
    """Propose a twin of a member in another zone, behind the service's balancer or a new one."""
    if (elsewhere := second_place(estate, service)) is not None:
        return elsewhere
    machines = [service.item_of[one] for one in service.members if one in service.item_of]
    machines = [one for one in machines if one.kind.name in ("instance", "auto scaling group")]
    if not machines:
        return Proposal("add a machine in another zone")
    source = machines[0]
    scaling = source if source.kind.name == "auto scaling group" else group_of_instance_in(estate, source.id)
    if scaling is not None:
        return wider_group(estate, service, scaling)
    balancer = balancer_of(service)
    zone = other_zone(estate, service, balancer)
    if not zone:
        return Proposal(f"add a second machine; no other zone of {estate.region or 'the region'} was read")
    if clusters := [one.says for one in service.topology.nodes if one.kind == "cluster"]:
        return Proposal(
            f"add members to {clusters[0]} elsewhere, so that a majority outlives any one of them"
        )
    if held := held_by(service):
        first = f"move {' and '.join(held[:2])} to where several machines can use it (RDS, EFS, ElastiCache)"
        return Proposal(f"{first}; then clone {source.label} into {zone} and let both serve")
    name = service.entry.service
    is_live = estate.is_whole
    classic = estate.where("classic load balancer", "Instances.InstanceId", source.id)
    if balancer is None and not classic:
        stateless = " --stateless" if source.tags.get(TAG_STATE) == "none" else ""
        commands = (f"nospof clone {source.id} --zone {zone}", f"nospof pair {source.id}{stateless}")
        says = f"clone {source.label} into {zone} and put both behind a load balancer"
        return Proposal(
            says,
            commands if is_live else (),
            lambda old: with_pair(old, name, source, zone),
            Entry(name, "load balancer", f"nospof-{name}"),
        )
    says = f"clone {source.label} into {zone} and register the twin"
    steps = [f"nospof clone {source.id} --zone {zone}", *map(register_command, groups_of(service))]
    for one in classic:
        steps += classic_commands(estate, one, zone)
    if balancer is not None and zone not in zones_of_balancer(estate, balancer):
        says += f", with {zone} enabled on {balancer.label}"
        steps.insert(0, zone_command(estate, balancer, zone))
    return Proposal(says, tuple(steps) if is_live else (), lambda old: with_twin(old, source, zone))


def held_by(service: Service) -> list[str]:
    """Return the data that a look found on single machines: a twin would have a copy of its own."""
    looks = [
        look_of(service.watched.whole, service.item_of[one].id)
        for one in service.members
        if one in service.item_of
    ]
    return list(dict.fromkeys(f"the {says} of {look.id}" for look in looks if look for says, _ in kept(look)))


def register_command(group: Item) -> str:
    """Return the command that puts the twin into a group."""
    return f"aws elbv2 register-targets --target-group-arn {group.id} --targets Id=<the twin>"


def classic_commands(estate: Estate, balancer: Item, zone: str) -> list[str]:
    """Return the commands that put the twin behind a classic balancer, with its zone enabled."""
    name = f"--load-balancer-name {balancer.id}"
    found = [f"aws elb register-instances-with-load-balancer {name} --instances <the twin>"]
    if zone in balancer.texts("AvailabilityZones"):
        return found
    if balancer.texts("Subnets"):
        vpc = network_of(estate, balancer.texts("Subnets"))
        added = f"--subnets {subnet_in(estate, vpc, zone)}"
        return [f"aws elb attach-load-balancer-to-subnets {name} {added}", *found]
    added = f"--availability-zones {zone}"
    return [f"aws elb enable-availability-zones-for-load-balancer {name} {added}", *found]


def network_of(estate: Estate, subnets: Sequence[str]) -> str:
    """Return the network that subnets belong to, or nothing."""
    found = [item.text("VpcId") for one in subnets if (item := estate.find("subnet", one))]
    return next(iter(found), "")


def subnet_in(estate: Estate, network: str, zone: str) -> str:
    """Return the subnet of a network in a zone; words for the reader where there is none, or more."""
    found = [
        one.id
        for one in estate.of("subnet")
        if network and (one.text("VpcId"), one.text("AvailabilityZone")) == (network, zone)
    ]
    return found[0] if len(found) == 1 else f"<one in {zone}>"


def group_of_instance_in(estate: Estate, instance_id: str) -> Item | None:
    """Return the Auto Scaling group that an instance belongs to."""
    found = estate.where("auto scaling group", "Instances.InstanceId", instance_id)
    return found[0] if found else None


def wider_group(estate: Estate, service: Service, scaling: Item) -> Proposal:
    """Propose that an Auto Scaling group keeps two members, in two zones."""
    zones = zones_of_scaling(estate, scaling)
    if len(zones) < 2:
        free = other_zone(estate, service, balancer_of(service))
        zones = [*zones, free] if free else zones
    if len(zones) < 2:
        return Proposal(f"let {scaling.id} keep two members in two zones; no other zone was read")
    least, most = scaling.number("MinSize") or 0, scaling.number("MaxSize")
    wanted = max(2, int(scaling.number("DesiredCapacity") or 0))
    command = (
        f"aws autoscaling update-auto-scaling-group --auto-scaling-group-name {scaling.id} "
        f"--min-size {max(2, int(least))} {'--max-size 2 ' if most is not None and most < 2 else ''}"
        f"--desired-capacity {wanted}{subnets_option(estate, scaling, zones)}"
    )
    return Proposal(
        f"let {scaling.id} keep two members, in {' and '.join(zones[:2])}",
        (command,) if estate.is_whole else (),
        lambda old: with_wider_group(old, scaling, zones),
    )


def subnets_option(estate: Estate, scaling: Item, zones: list[str]) -> str:
    """Return the option that gives a group subnets in both zones; nothing where it has them."""
    listed = [one.strip() for one in scaling.text("VPCZoneIdentifier").split(",") if one.strip()]
    have = {zone_of_row(estate, one) for one in listed}
    if len(have - {""}) > 1:
        return ""
    if not have or "" in have:
        return f" --vpc-zone-identifier <subnets in {' and '.join(zones[:2])}, with a comma between>"
    network = network_of(estate, listed)
    more = [subnet_in(estate, network, one) for one in zones[:2] if one not in have]
    return f" --vpc-zone-identifier {','.join((*listed, *more))}"


def zones_of_scaling(estate: Estate, scaling: Item) -> list[str]:
    """Return the zones that a group spreads over."""
    zones = list(scaling.texts("AvailabilityZones"))
    subnets = [one.strip() for one in scaling.text("VPCZoneIdentifier").split(",") if one.strip()]
    zones += [zone_of_row(estate, one) for one in subnets]
    return sorted({zone for zone in zones if zone})


def balancer_of(service: Service) -> Item | None:
    """Return the balancer that clients of a service go through, if there is one."""
    balancers = [one for one in service.item_of.values() if one.kind.name == "load balancer"]
    return balancers[0] if balancers else None


def zones_of_balancer(estate: Estate, balancer: Item) -> list[str]:
    """Return the zones that a balancer has enabled."""
    rows = balancer.rows("AvailabilityZones")
    return [row.text("ZoneName") or zone_of_row(estate, row.text("SubnetId")) for row in rows]


def other_zone(estate: Estate, service: Service, balancer: Item | None) -> str:
    """Return a zone without members, one that the balancer has enabled if possible."""
    used = {service.zone_of.get(one, "") for one in service.members}
    known = [one.id for one in estate.of("zone") if one.text("State", "available") == "available"]
    if not known:
        known = sorted({one.text("AvailabilityZone") for one in estate.of("subnet")} - {""})
    enabled = zones_of_balancer(estate, balancer) if balancer else []
    free = [zone for zone in dict.fromkeys((*known, *filter(None, enabled))) if zone not in used]
    return next(iter([zone for zone in free if zone in enabled] or free), "")


def zone_command(estate: Estate, balancer: Item, zone: str) -> str:
    """Return the command that enables a zone: it names all subnets, those that there are too."""
    present = [row.text("SubnetId") for row in balancer.rows("AvailabilityZones")]
    kept = " ".join(present) if all(present) else "<the present ones>"
    added = subnet_in(estate, balancer.text("VpcId") or network_of(estate, present), zone)
    return f"aws elbv2 set-subnets --load-balancer-arn {balancer.id} --subnets {kept} {added}"


def enable_zone(estate: Estate, service: Service, instance_id: str) -> Proposal:
    """Propose to enable a zone in which there is a target already."""
    balancer = balancer_of(service)
    instance = estate.find("instance", instance_id)
    zone = instance.text("Placement.AvailabilityZone") if instance else ""
    if balancer is None or not zone:
        return Proposal("enable on the balancer the zones that its targets are in")
    says = f"enable zone {zone} on {balancer.label}: a target is there already"
    return Proposal(
        says, (zone_command(estate, balancer, zone),), lambda old: with_zone(old, balancer.id, zone)
    )


def second_door(estate: Estate, service: Service, finding: Finding) -> Proposal:
    """Propose to enable a zone in which a member stands already, on a balancer that is in one zone."""
    if service.outside:
        return enable_zone(estate, service, service.outside[0][1].text("Target.Id"))
    standing = [service.zone_of.get(one, "") for one in service.members]
    zone = next((one for one in standing if one and f"zone:{one}" != finding.event), "")
    found = service.item_of.values()
    item = balancer_of(service) or next(
        (one for one in found if one.kind.name == "classic load balancer"), None
    )
    if item is None or not zone:
        return Proposal("enable on the balancer the zones that its targets are in")
    says, key = f"enable zone {zone} on {item.label}: a member is there already", item.id
    if item.kind.name == "load balancer":
        return Proposal(says, (zone_command(estate, item, zone),), lambda old: with_zone(old, key, zone))
    present = item.texts("AvailabilityZones") or [zone_of_row(estate, one) for one in item.texts("Subnets")]
    return Proposal(
        says,
        tuple(classic_commands(estate, item, zone)[:1]),
        lambda old: old.changed("classic load balancer", key, AvailabilityZones=[*present, zone]),
    )


def bring_back(service: Service) -> Proposal:
    """Propose to mend what has failed already."""
    commands = []
    for member in service.members:
        state = service.state_of.get(member, "")
        if state in ("stopped", "stopping"):
            commands.append(f"aws ec2 start-instances --instance-ids {member}")
        elif state == "impaired":
            commands.append(f"aws ec2 describe-instance-status --instance-ids {member}")
    commands += [
        f"aws elbv2 describe-target-health --target-group-arn {one.id}" for one in groups_of(service)
    ]
    off = ", ".join(f"{node} ({state})" for node, state in sorted(service.state_of.items()))
    says = f"bring back what is out of service: {off}" if off else "register a machine that can serve"
    return Proposal(says, tuple(commands), lambda old: all_in_service(old, service))


def better_check(service: Service, finding: Finding) -> Proposal:
    """Propose a health check that notices a failure soon, or does not take a redirect for health."""
    item = next(one for one in groups_of(service) if one.label in finding.members)
    command = f"aws elbv2 modify-target-group --target-group-arn {item.id}"
    if finding.rule == "NSP403":
        return Proposal(
            f"accept {CHECK.matcher} only, of a page that answers so when the site works",
            (f"{command} --matcher HttpCode={CHECK.matcher}",),
            lambda old: with_value(old, item, "Matcher.HttpCode", CHECK.matcher),
        )
    command += (
        f" --health-check-interval-seconds {CHECK.interval_seconds} --health-check-timeout-seconds "
        f"{CHECK.timeout_seconds} --unhealthy-threshold-count {CHECK.unhealthy_threshold}"
    )
    return Proposal(
        f"check every {CHECK.interval_seconds} s: a dead target is out after {CHECK.detection_seconds} s",
        (command,),
        lambda old: old.changed(
            "target group",
            item.id,
            HealthCheckIntervalSeconds=CHECK.interval_seconds,
            HealthCheckTimeoutSeconds=CHECK.timeout_seconds,
            UnhealthyThresholdCount=CHECK.unhealthy_threshold,
        ),
    )


def take_early(estate: Estate, service: Service, finding: Finding) -> Proposal:
    """Propose to take one member's maintenance before the window, while another serves."""
    hit = [one for one in service.members if one in finding.members]
    if len(hit) > 1:
        # One that is out of service anyway costs nothing to take first.
        first, other = sorted(hit, key=lambda one: (one not in service.state_of, one))[:2]
        says = f"take the maintenance of {first} early, at a quiet hour, while {other} serves"
        item = service.item_of.get(first)
        who = item.id if item else first
        return Proposal(says, (f"nospof maintain take {who}",), lambda old: without_events(old, who))
    twin = second_machine(estate, service)
    commands = (*twin.commands, *(f"nospof maintain take {one}" for one in hit))
    says = f"{twin.says}; then take the maintenance early, while the twin serves"
    return Proposal(says, commands, twin.changes, twin.entry)


def read_more(estate: Estate, finding: Finding) -> Proposal:
    """Propose to find out."""
    if finding.rule == "NSP203":
        return Proposal(
            "find out the group's strategy; members of a spread group never share a rack",
            ("aws ec2 describe-placement-groups --query 'PlacementGroups[].[GroupName,Strategy]'",),
        )
    needed = ", ".join(sorted({one.operation for one in estate.unread}))
    if needed:
        return Proposal(f"let the audit read it ({needed}), then ask again")
    return Proposal(
        f"find out and say so in nospof.yaml: {finding.would_settle}" if finding.would_settle else ""
    )
