"""What would mend a finding, tried out on the facts: the audit of the world with the remedy in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from nospof.audit.account import AccountFacts
from nospof.audit.service import Service
from nospof.model.cloud import (
    TAG_SERVICE,
    TAG_STATE,
    Attachment,
    HealthCheck,
    Instance,
    Listener,
    LoadBalancer,
    Target,
    TargetGroup,
    Volume,
)

CHECK = HealthCheck()
"""The health check that `pair` sets."""


@dataclass(frozen=True)
class Proposal:
    """A remedy, and the facts as they would be with it. `changes` is None where nothing can be tried."""

    says: str
    commands: tuple[str, ...]
    changes: Callable[[AccountFacts], AccountFacts] | None


def second_machine(facts: AccountFacts, service: Service) -> Proposal:
    """Propose a twin of a member in another zone, behind the service's balancer or a new one."""
    members = [facts.instances[one] for one in service.members if one in facts.instances]
    if not members:
        return Proposal("add a machine in another zone", (), None)
    source = members[0]
    balancer = facts.balancers.get(service.entry.id)
    zone = other_zone(facts, service, balancer)
    if not zone:
        return Proposal(f"add a second machine; no other zone of {facts.identity.region} was read", (), None)
    name = service.entry.service
    clone = f"nospof clone {source.id} --zone {zone}"
    if balancer is None:
        is_stateless = source.tags.get(TAG_STATE) == "none"
        pair = f"nospof pair {source.id}{' --stateless' if is_stateless else ''}"
        says = f"clone {source.name} into {zone} and put both behind a load balancer"
        return Proposal(says, (clone, pair), lambda old: with_pair(old, name, source, zone))
    arns = facts.groups_of(balancer)
    commands = [clone, *(register_command(arn) for arn in arns)]
    says = f"clone {source.name} into {zone} and register the twin"
    if zone not in balancer.zones:
        says += f", with {zone} enabled on {balancer.name}"
        commands.insert(0, zone_command(balancer, zone))
    return Proposal(says, tuple(commands), lambda old: with_twin(old, balancer, source, zone))


def register_command(arn: str) -> str:
    """Return the command that puts the twin into a group."""
    return f"aws elbv2 register-targets --target-group-arn {arn} --targets Id=<the twin>"


def zone_command(balancer: LoadBalancer, zone: str) -> str:
    """Return the command that enables a zone."""
    return (
        f"aws elbv2 set-subnets --load-balancer-arn {balancer.arn} "
        f"--subnets <the present ones> <one in {zone}>"
    )


def other_zone(facts: AccountFacts, service: Service, balancer: LoadBalancer | None) -> str:
    """Return a zone without members, one that the balancer has enabled if possible."""
    used = {facts.instances[one].zone for one in service.members if one in facts.instances}
    free = [zone.name for zone in facts.zones if zone.state == "available" and zone.name not in used]
    enabled = [zone for zone in free if balancer and zone in balancer.zones]
    return next(iter(enabled or free), "")


def twin_of(source: Instance, zone: str) -> tuple[Instance, list[Volume]]:
    """Return a twin as `clone` would make it, with disks of its own, in no placement group."""
    pairs = [(one.device, f"{one.volume_id}-twin") for one in source.attachments]
    twin = replace(
        source,
        id=f"{source.id}-twin",
        zone=zone,
        state="running",
        private_ip="",
        placement_group="",
        attachments=tuple(Attachment(device, volume) for device, volume in pairs),
    )
    return twin, [Volume(volume, zone, 1) for _, volume in pairs]


def with_machine(facts: AccountFacts, twin: Instance, volumes: list[Volume]) -> AccountFacts:
    """Return the facts with a machine more."""
    return replace(
        facts,
        instances={**facts.instances, twin.id: twin},
        volumes={**facts.volumes, **{one.id: one for one in volumes}},
    )


def with_twin(facts: AccountFacts, balancer: LoadBalancer, source: Instance, zone: str) -> AccountFacts:
    """Return the facts with a healthy twin of a machine in every group that has the machine."""
    twin, volumes = twin_of(source, zone)
    targets = dict(facts.targets)
    for arn in facts.groups_of(balancer):
        ports = [one.port for one in targets.get(arn, ()) if facts.instance_at(one.instance_id) == source]
        targets[arn] = (*targets.get(arn, ()), *(Target(twin.id, port, "healthy") for port in ports))
    zones = balancer.zones if zone in balancer.zones else (*balancer.zones, zone)
    balancers = {**facts.balancers, balancer.arn: replace(balancer, zones=zones)}
    groups = {
        arn: replace(group, target_type="instance")
        if any(one.instance_id == twin.id for one in targets.get(arn, ())) and group.target_type == "ip"
        else group
        for arn, group in facts.groups.items()
    }
    return replace(with_machine(facts, twin, volumes), targets=targets, balancers=balancers, groups=groups)


def with_pair(facts: AccountFacts, service: str, source: Instance, zone: str) -> AccountFacts:
    """Return the facts with a machine and its twin behind a new balancer of the same service."""
    twin, volumes = twin_of(source, zone)
    name = f"nospof-{service}"
    balancer = LoadBalancer(
        name,
        name,
        "",
        "application",
        "active",
        source.vpc_id,
        (source.zone, zone),
        tags={TAG_SERVICE: service},
    )
    group = TargetGroup(name, name, 80, "instance", CHECK, (name,))
    listener = Listener(name, name, 80, "HTTP", ((name, 1),))
    return replace(
        with_machine(facts, twin, volumes),
        balancers={**facts.balancers, name: balancer},
        listeners={**facts.listeners, name: (listener,)},
        groups={**facts.groups, name: group},
        targets={**facts.targets, name: tuple(Target(one.id, 80, "healthy") for one in (source, twin))},
    )


def without_events(facts: AccountFacts, instance_id: str) -> AccountFacts:
    """Return the facts after a member's announced maintenance was taken early."""
    status = facts.statuses[instance_id]
    return replace(facts, statuses={**facts.statuses, instance_id: replace(status, events=())})


def with_check(facts: AccountFacts, arn: str, check: HealthCheck) -> AccountFacts:
    """Return the facts with another health check on a group."""
    return replace(facts, groups={**facts.groups, arn: replace(facts.groups[arn], health_check=check)})


def with_zone(facts: AccountFacts, balancer: LoadBalancer, zone: str) -> AccountFacts:
    """Return the facts with one zone more enabled on a balancer."""
    wider = replace(balancer, zones=(*balancer.zones, zone))
    return replace(facts, balancers={**facts.balancers, balancer.arn: wider})


def all_in_service(facts: AccountFacts, service: Service) -> AccountFacts:
    """Return the facts with every registered member running and healthy, and the balancer active."""
    instances = {
        key: replace(one, state="running") if key in service.members else one
        for key, one in facts.instances.items()
    }
    statuses = {
        key: replace(one, instance_check="ok", system_check="ok") if key in service.members else one
        for key, one in facts.statuses.items()
    }
    balancer = facts.balancers.get(service.entry.id)
    if balancer is None:
        return replace(facts, instances=instances, statuses=statuses)
    mine = set(facts.groups_of(balancer))
    targets = {
        arn: tuple(replace(one, state="healthy", reason="") for one in each) if arn in mine else each
        for arn, each in facts.targets.items()
    }
    balancers = {**facts.balancers, balancer.arn: replace(balancer, state="active")}
    return replace(facts, instances=instances, statuses=statuses, targets=targets, balancers=balancers)
