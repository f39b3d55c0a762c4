"""The facts a finding rests on: which call, of what, which field, what it said."""

from __future__ import annotations

from collections.abc import Iterable

from nospof.audit.account import AccountFacts
from nospof.audit.service import Service
from nospof.audit.windows import day
from nospof.model.cloud import Instance, TargetGroup
from nospof.model.findings import Fact

INSTANCES = "ec2:DescribeInstances"
STATUS = "ec2:DescribeInstanceStatus"
GROUPS = "elasticloadbalancing:DescribeTargetGroups"
HEALTH = "elasticloadbalancing:DescribeTargetHealth"
BALANCERS = "elasticloadbalancing:DescribeLoadBalancers"


def ordered(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return each fact once, in a fixed order."""
    return tuple(sorted(set(facts), key=lambda fact: (fact.call, fact.about, fact.field, fact.value)))


def facts_about(facts: AccountFacts, service: Service, node: str) -> list[Fact]:
    """Return what was read about a node."""
    if node in facts.instances:
        return about_instance(facts, facts.instances[node])
    if node in facts.volumes:
        return [Fact("ec2:DescribeVolumes", node, "AvailabilityZone", facts.volumes[node].zone)]
    balancer = facts.balancers.get(service.entry.id)
    if balancer is None:
        return []
    if node == balancer.name:
        return [Fact(BALANCERS, node, "State.Code", balancer.state)]
    if node.startswith(f"{balancer.name}@"):
        return [Fact(BALANCERS, balancer.name, "AvailabilityZones", ", ".join(balancer.zones))]
    return about_target(facts, node)


def about_instance(facts: AccountFacts, instance: Instance) -> list[Fact]:
    """Return where a machine is, its state, its groups and what is announced for it."""
    found = [
        Fact(INSTANCES, instance.id, "Placement.AvailabilityZone", instance.zone),
        Fact(INSTANCES, instance.id, "State.Name", instance.state),
    ]
    if instance.placement_group:
        found.append(Fact(INSTANCES, instance.id, "Placement.GroupName", instance.placement_group))
    status = facts.statuses.get(instance.id)
    for event in status.events if status else ():
        if event.is_live:
            says = f"{event.code} not before {day(event.not_before)}: {event.description}"
            found.append(Fact(STATUS, instance.id, f"Events[{event.id}]", says))
    for arn, targets in facts.targets.items():
        if any(facts.instance_at(one.instance_id) == instance for one in targets):
            name = facts.groups[arn].name if arn in facts.groups else arn
            listed = ", ".join(f"{one.instance_id}:{one.port} {one.state}" for one in targets)
            found.append(Fact(HEALTH, name, "TargetHealthDescriptions", listed))
    return found


def about_target(facts: AccountFacts, node: str) -> list[Fact]:
    """Return what a group says of a target."""
    for arn, targets in facts.targets.items():
        name = facts.groups[arn].name if arn in facts.groups else arn
        for target in targets:
            if node == f"{name}/{target.instance_id}:{target.port}":
                says = f"{target.state} {target.reason} {target.description}".strip()
                return [Fact(HEALTH, name, f"TargetHealth[{target.instance_id}:{target.port}]", says)]
    return []


def about_check(group: TargetGroup) -> tuple[Fact, ...]:
    """Return how a group asks its targets."""
    check = group.health_check
    return ordered(
        (
            Fact(GROUPS, group.name, "HealthCheckIntervalSeconds", str(check.interval_seconds)),
            Fact(GROUPS, group.name, "UnhealthyThresholdCount", str(check.unhealthy_threshold)),
            Fact(GROUPS, group.name, "HealthCheckTimeoutSeconds", str(check.timeout_seconds)),
            Fact(GROUPS, group.name, "Matcher.HttpCode", check.matcher),
        )
    )
