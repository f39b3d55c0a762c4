"""Balancers and what stands behind them.

An application balancer needs one of its zones and one target of each way its listeners send; a
network balancer that stays in its zone needs a zone with both. A share that nobody moves when its
part is lost is a split, not a spare.
"""

from __future__ import annotations

from nospof.audit.builder import Builder
from nospof.audit.parts.containers import tasks_with_zones
from nospof.audit.parts.machines import anonymous_name, group_of_instance, members_of_group, unread_machine
from nospof.model.estate import Item, Record
from nospof.model.topology import NEVER, UP, AllOf, AnyOf, Node, On, Requirement, Split, Unknown

IN_SERVICE = frozenset({"healthy", "unavailable"})
"""Target states that get traffic; "unavailable" means that the group does not check."""
SHIFTED = "zonal_shift_"
"""Begins the state of a target whose zone gets no traffic until a zonal shift ends, however well it is."""
PERHAPS_IN_SERVICE = frozenset({"initial", ""})


def load_balancer(b: Builder, item: Item) -> Requirement:
    """An application, network or gateway balancer."""
    name = b.name(item)
    rows = item.rows("AvailabilityZones")
    zones = [zone_of(b, one) for one in rows]
    legs = [
        leg(b, item, zone, number, row.text("SubnetId"))
        for number, (zone, row) in enumerate(zip(zones, rows, strict=True), 1)
    ]
    needs: list[Requirement] = [AnyOf(tuple(legs))] if legs else [b.unread(f"zones of balancer {item.label}")]
    needs.append(ways(b, item, zones))
    node = Node(name, AllOf(tuple(needs)), kind="load balancer", label=f"balancer {item.label}")
    b.add(node, item=item, facts=item.facts("State.Code", "AvailabilityZones"))
    state = item.text("State.Code", "active")
    if state == "failed":
        b.is_off(name, "failed")
    elif state not in ("active", "active_impaired"):
        b.is_off(name, state, certain=False)
    b.assume("a balancer that finds no healthy target serves nobody, although it then tries them all")
    b.apply_uses(name, item)
    return On(name)


def zone_of(b: Builder, row: Record) -> str:
    """Return the zone's name of one of a balancer's zones."""
    return row.text("ZoneName") or b.zone_of_subnet(row.text("SubnetId"))


def leg(b: Builder, item: Item, zone: str, number: int, subnet: str = "") -> On:
    """Add a balancer's node in one zone. AWS refuses two subnets in one zone, so legs never share one."""
    where = zone or f"its zone {number}"
    name = leg_name(item, where)
    label = f"balancer {item.label} in {where}"
    domains = (b.zone(zone),) if zone else b.domains("", subnet or name)[0]
    return b.add(Node(name, domains=domains, kind="balancer zone", label=label), zone=zone)


def leg_name(item: Item, where: str) -> str:
    """Return the node of a balancer in a zone."""
    return f"{item.label}@{where}"


def ways(b: Builder, item: Item, zones: list[str]) -> Requirement:
    """Return what the balancer's listeners and rules need, each different way counted once."""
    groups = groups_of(b, item)
    listeners = b.estate.where("listener", "LoadBalancerArn", *item.keys)
    if b.estate.is_unread("listener") and not listeners:
        attached = tuple(group(b, item, zones, one) for one in groups)
        # Whether clients need all of the groups or one of them stands in the listeners.
        each: Requirement = AllOf(attached)
        if len(attached) > 1:
            each = Unknown(each, Split(tuple((1, one) for one in attached)))
        return AllOf((b.unread(f"listeners of {item.label}"), each))
    found: list[Requirement] = []
    named: set[str] = set()
    for listener in listeners:
        rules = b.estate.where("listener rule", "ListenerArn", *listener.keys)
        for said, path in ((listener, "DefaultActions"), *((one, "Actions") for one in rules)):
            if said.is_unknown(path):
                b.not_read(f"where {item.label} sends some of its clients")
            sent = [forward_of(b, item, zones, action, named) for action in said.rows(path)]
            needed = tuple(one for one in sent if one is not None)
            if needed:
                # Who must sign in first needs what signs in and what is behind it.
                found.append(needed[0] if len(needed) == 1 else AllOf(needed))
    found += [group(b, item, zones, one) for one in groups if one not in named]
    distinct = list(dict.fromkeys(found))
    if not distinct:
        b.not_read(f"what the listeners of {item.label} answer (no target group)")
        return UP
    if len(distinct) == 1:
        return distinct[0]
    b.assume("clients are spread evenly over the listeners and groups that serve different things")
    return Split(tuple((1, way) for way in distinct))


def groups_of(b: Builder, item: Item) -> list[str]:
    """Return the keys of the target groups that say they belong to a balancer."""
    return [one.id for one in b.estate.where("target group", "LoadBalancerArns", *item.keys)]


def forward_of(
    b: Builder, item: Item, zones: list[str], action: Record, named: set[str]
) -> Requirement | None:
    """Return what an action needs, or nothing where it forwards to no group; note the groups it names."""
    kind = action.text("Type")
    if kind == "authenticate-oidc" and (issuer := action.text("AuthenticateOidcConfig.Issuer")):
        return b.unread(f"identity provider {issuer}")
    rows = action.rows("ForwardConfig.TargetGroups")
    weighted = [(one.number("Weight", 1), one.text("TargetGroupArn")) for one in rows]
    if not weighted and (only := action.text("TargetGroupArn")):
        weighted = [(1, only)]
    if is_led_nobody_knows_where(action, weighted):
        b.not_read(f"where {item.label} sends some of its clients")
    for _, arn in weighted:
        known = b.estate.find("target group", arn)
        named.add(known.id if known else arn)
    parts = [(weight, group(b, item, zones, arn)) for weight, arn in weighted if arn and weight != 0]
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0][1]
    split = Split(tuple((int(weight or 1), part) for weight, part in parts))
    # A weight that nobody could tell may be zero, and then the others carry everybody.
    return split if None not in dict(parts) else Unknown(AllOf(tuple(part for _, part in parts)), split)


def is_led_nobody_knows_where(action: Record, weighted: list[tuple[float | None, str]]) -> bool:
    """Whether an action may forward to a group that nobody could tell."""
    if weighted:
        return not all(arn for _, arn in weighted)
    return any(action.is_unknown(one) for one in ("Type", "TargetGroupArn", "ForwardConfig.TargetGroups"))


# Groups and targets ------------------------------------------------------------------------------------


def group(b: Builder, balancer: Item, zones: list[str], key: str) -> Requirement:
    """Return what a target group needs, seen from one balancer: that balancer's zones decide who is in."""
    item = b.estate.find("target group", key)
    if item is None:
        return b.need("target group", key)
    name = f"group {item.label}"
    if name in b.nodes:
        return On(name)
    answering = scaling_groups(b, item)
    targets = b.estate.where("target", "TargetGroupArn", *item.keys)
    if b.estate.is_unread("target") and not targets and not answering:
        return b.unread(f"targets of {item.label}")
    parts = registered_targets(b, item, zones, targets)
    if not targets:
        parts += promised_targets(b, item, answering)
    needs: Requirement = AnyOf(tuple(part for _, part in parts))
    if not parts and not b.estate.is_whole:
        needs = b.unread(f"targets of {item.label}")
    elif zones and balancer.text("Type") in ("network", "gateway") and not is_cross_zone(b, balancer):
        needs = within_zones(b, balancer, item.label, zones, parts)
    node = Node(name, needs, kind="target group", label=f"target group {item.label}")
    facts = item.facts(
        "TargetType", "HealthCheckPath", "HealthCheckIntervalSeconds", "UnhealthyThresholdCount"
    )
    is_asked = b.estate.is_whole and item.id not in b.estate.answered and not b.estate.is_unread("target")
    if answering and not targets and is_asked:
        b.is_off(name, "without a registered target")
    return b.add(node, item=item, facts=facts)


def registered_targets(
    b: Builder, item: Item, zones: list[str], targets: tuple[Item, ...]
) -> list[tuple[str, Requirement]]:
    """Return zone and need of each target of a group that a balancer in these zones may send to."""
    parts: list[tuple[str, Requirement]] = []
    for target in targets:
        if target.is_unknown("Target.Id"):
            continue
        zone = zone_of_target(b, target)
        if zone and zones and "" not in zones and zone not in zones:
            b.service.outside.append((item.label, target))
            continue
        parts.append((zone, target_node(b, item, target)))
    astray = b.estate.untold("target", "TargetGroupArn")
    if astray or any(one.is_unknown("Target.Id") for one in targets):
        b.not_read(f"some targets of {item.label}")
        if parts:
            # Such a one may be a spare, or a machine that is here already, by another port.
            parts.append(("", Unknown(NEVER, UP)))
    return parts


def promised_targets(b: Builder, item: Item, groups: list[Item]) -> list[tuple[str, Requirement]]:
    """Return zone and need of each target that Auto Scaling groups and container services will register."""
    parts = [part for scaling in groups for part in members_of_group(b, scaling)]
    services = b.estate.where("container service", "loadBalancers.targetGroupArn", *item.keys)
    return parts + [part for one in services for part in tasks_with_zones(b, one)]


def scaling_groups(b: Builder, item: Item) -> list[Item]:
    """Return the Auto Scaling groups that put their members into a target group."""
    listed = b.estate.where("auto scaling group", "TargetGroupARNs", *item.keys)
    sources = b.estate.where("auto scaling group", "TrafficSources.Identifier", *item.keys)
    return list({one.id: one for one in (*listed, *sources)}.values())


def is_cross_zone(b: Builder, balancer: Item) -> bool:
    """Whether a network balancer sends to the targets of other zones; off unless set."""
    attributes = b.estate.where("load balancer attribute", "LoadBalancerArn", *balancer.keys)
    found = {one.text("Key"): one.text("Value").lower() for one in attributes}
    return found.get("load_balancing.cross_zone.enabled") == "true"


def within_zones(
    b: Builder, balancer: Item, group_name: str, zones: list[str], parts: list[tuple[str, Requirement]]
) -> Requirement:
    """Return what a balancer needs that sends to its own zone only: a zone with leg and target."""
    found: list[Requirement] = []
    for number, zone in enumerate(zones, 1):
        # Where a target's zone or a leg's was not read, they meet; possible domains say the rest.
        local = [part for where, part in parts if where in ("", zone) or not (zone or where in zones)]
        where = zone or f"its zone {number}"
        label = f"targets of {group_name} in {where}"
        here = b.add(Node(label, AnyOf(tuple(local)), kind="target zone", label=label), zone=zone)
        found.append(AllOf((On(leg_name(balancer, where)), here)))
    return AnyOf(tuple(found))


def zone_of_target(b: Builder, target: Item) -> str:
    """Return the zone of a target's machine, as far as it was read."""
    instance = b.estate.find("instance", target.text("Target.Id"))
    if instance:
        return instance.text("Placement.AvailabilityZone")
    zone = target.text("Target.AvailabilityZone")
    return "" if zone == "all" else zone


def target_node(b: Builder, item: Item, target: Item) -> On:
    """Add a target: its machine, and what the group says of it now."""
    who, port = target.text("Target.Id"), target.text("Target.Port")
    scaling = group_of_instance(b, who)
    shown = anonymous_name(scaling, who) if scaling else who
    name = f"{item.label}/{shown}:{port}"
    state, reason = target.text("TargetHealth.State"), target.text("TargetHealth.Reason")
    node = Node(name, machine(b, item, target), kind="target", label=f"target {shown}:{port}")
    said = f"{state} {reason} {target.text('TargetHealth.Description')}".strip()
    fact = target.fact("TargetHealth.State")
    fact = type(fact)(fact.call, item.label, f"TargetHealth[{who}:{port}]", said)
    shift = target.text("AdministrativeOverride.State").startswith(SHIFTED)
    facts = (fact, *(target.facts("AdministrativeOverride.State") if shift else ()))
    b.add(node, item=target, facts=facts, zone=zone_of_target(b, target))
    if state not in IN_SERVICE:
        says = f"{state or 'no state'}{f' ({reason})' if reason else ''}"
        b.is_off(name, says, certain=state not in PERHAPS_IN_SERVICE)
    elif shift:
        b.is_off(name, "left out by a zonal shift")
    return On(name)


def machine(b: Builder, item: Item, target: Item) -> Requirement:
    """Return what stands at a target: an instance, an address, a function, another balancer."""
    kind, who = item.text("TargetType"), target.text("Target.Id")
    if instance := b.estate.find("instance", who):
        return b.of(instance)
    if kind == "alb":
        return b.need("load balancer", who)
    if found := b.estate.where("task", "attachments.details.value", who):
        return b.of(found[0])
    if kind == "lambda":
        # A version or an alias of a function stands behind the seven parts of its ARN.
        if function := b.estate.find("function", ":".join(who.split(":")[:7])):
            return b.of(function)
        b.not_read(f"the lambda target {who}")
        return b.unread(f"lambda target {who}")
    if kind == "instance" and b.estate.is_whole and not b.estate.is_unread("instance"):
        return NEVER  # A target whose machine is gone never answers again.
    if not kind:
        # A group that was not read may hold instances, addresses, or what never is one machine.
        return Unknown(unread_machine(b, who), UP)
    if kind == "ip":
        b.not_read(f"the machine at {who}")
    return unread_machine(b, who, zone_of_target(b, target))


# The balancers of the first generation -------------------------------------------------------------------


def classic_balancer(b: Builder, item: Item) -> Requirement:
    """A classic balancer: zonal when it has one subnet or zone; it checks its instances itself."""
    name = b.name(item)
    places = [(zone, "") for zone in item.texts("AvailabilityZones")]
    if not places:
        places = [(b.zone_of_subnet(one), one) for one in item.texts("Subnets")]
    legs = [leg(b, item, zone, number, subnet) for number, (zone, subnet) in enumerate(places, 1)]
    front: Requirement = AnyOf(tuple(legs)) if legs else b.unread(f"zones of balancer {item.label}")
    says = {
        one.text("InstanceId"): one
        for one in b.estate.where("classic target", "LoadBalancerName", *item.keys)
    }
    parts: list[Requirement] = []
    for row in item.rows("Instances"):
        who = row.text("InstanceId")
        found = b.need("instance", who)
        target = says.get(who)
        label = f"target {who}"
        node = b.add(Node(f"{item.id}/{who}", found, kind="target", label=label), item=target)
        if target is not None and target.text("State") not in ("InService", ""):
            state, reason = target.text("State"), target.text("ReasonCode")
            # With the balancer itself as the reason, it has not looked yet.
            is_certain = state == "OutOfService" and reason != "ELB"
            b.is_off(node.node, f"{state} ({reason})", certain=is_certain)
        parts.append(node)
    if not parts:
        for scaling in b.estate.where("auto scaling group", "LoadBalancerNames", *item.keys):
            parts += [part for _, part in members_of_group(b, scaling)]
    back: Requirement = AnyOf(tuple(parts))
    if not parts and not b.estate.is_whole:
        back = b.unread(f"instances of balancer {item.label}")
    node_label = f"balancer {item.label}"
    node_itself = Node(name, AllOf((front, back)), kind="load balancer", label=node_label)
    return b.add(node_itself, item=item, facts=item.facts("AvailabilityZones", "Subnets", "Instances"))
