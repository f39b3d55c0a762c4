"""The audit of an account, from its facts to the report: findings, remedies tried out, the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nospof.audit.account import AccountFacts, Entry, find_entries, not_serving
from nospof.audit.analysis import analyse_pairs
from nospof.audit.checks import check_findings
from nospof.audit.prescriptions import propose
from nospof.audit.rules import cut_findings, read_both_ways
from nospof.audit.service import Service, read_service
from nospof.audit.windows import day
from nospof.errors import UsageError
from nospof.model.cloud import TAG_STATE, Instance
from nospof.model.findings import (
    SEVERITIES,
    AuditReport,
    Finding,
    Part,
    Remedy,
    ServiceReport,
)
from nospof.model.topology import On

TIER_OF_KIND = {
    "entry": "entry",
    "load balancer": "entry",
    "balancer zone": "balancer",
    "target group": "group",
    "instance": "instance",
    "volume": "volume",
    "unread": "unread",
}
SCOPE = (
    "Asked: can the loss of one machine, disk, rack or zone, or one announced maintenance window, stop it?",
    "Not asked: the whole region or account, AWS's own services beneath, a bad change, overload.",
    "Not read: DNS. The entry of a service is its balancer's or its instance's own name.",
)


def build_report(facts: AccountFacts, service: str = "") -> AuditReport:
    """Return the report on all services, or on those that go by one name.

    Args:
        facts: what was read.
        service: a service's name, or the name or id of its balancer or instance; empty for all.

    Raises:
        UsageError: no service goes by that name.
    """
    entries = find_entries(facts)
    chosen = tuple(entry for entry in entries if not service or service in names_of(facts, entry))
    if service and not chosen:
        known = ", ".join(entry.service for entry in entries[:10]) or "none"
        raise UsageError(f"no service goes by {service!r} in {facts.identity.region}; found: {known}")
    return AuditReport(
        account=facts.identity.account,
        region=facts.identity.region,
        read_at=facts.read_at,
        counts=counts_of(facts),
        services=tuple(report_on(narrowed(facts, entry), entry) for entry in chosen),
        unread=facts.unread,
        not_serving=not_serving(facts, entries),
        scope=SCOPE,
    )


def names_of(facts: AccountFacts, entry: Entry) -> set[str]:
    """Return everything a service goes by."""
    names = {entry.service, entry.id}
    if entry.is_balancer:
        return names | {facts.balancers[entry.id].name}
    return names | {facts.instances[entry.id].name}


def counts_of(facts: AccountFacts) -> dict[str, int]:
    """Return how many of each kind were read, so that an omission can be seen."""
    return {
        "instance": len(facts.instances),
        "volume": len(facts.volumes),
        "load balancer": len(facts.balancers),
        "listener": sum(map(len, facts.listeners.values())),
        "target group": len(facts.groups),
        "target": sum(map(len, facts.targets.values())),
        "zone": len(facts.zones),
    }


def narrowed(facts: AccountFacts, entry: Entry) -> AccountFacts:
    """Return only the facts that one service rests on, so that the cost is that of the service."""
    if not entry.is_balancer:
        only = with_machines(facts, [facts.instances[entry.id]])
        return replace(only, balancers={}, listeners={}, groups={}, targets={})
    balancer = facts.balancers[entry.id]
    arns = facts.groups_of(balancer)
    targets = {arn: facts.targets[arn] for arn in arns if arn in facts.targets}
    members = (facts.instance_at(one.instance_id) for each in targets.values() for one in each)
    return replace(
        with_machines(facts, [one for one in members if one]),
        balancers={entry.id: balancer},
        listeners={arn: each for arn, each in facts.listeners.items() if arn == entry.id},
        groups={arn: facts.groups[arn] for arn in arns if arn in facts.groups},
        targets=targets,
    )


def with_machines(facts: AccountFacts, members: list[Instance]) -> AccountFacts:
    """Return the facts with these machines only, and what belongs to them."""
    disks = {each.volume_id for one in members for each in one.attachments}
    return replace(
        facts,
        instances={one.id: one for one in members},
        statuses={one.id: facts.statuses[one.id] for one in members if one.id in facts.statuses},
        volumes={disk: facts.volumes[disk] for disk in sorted(disks) if disk in facts.volumes},
    )


def report_on(facts: AccountFacts, entry: Entry) -> ServiceReport:
    """Return the report on one service."""
    service = read_service(facts, entry)
    readings = read_both_ways(service)
    found = in_order([*cut_findings(facts, service, readings), *check_findings(facts, service)])
    mended = tuple(replace(one, remedy=tried(facts, service, one, found)) for one in found)
    declared, not_read = state_inside(facts, service)
    report = ServiceReport(
        name=entry.service,
        entry=facts.balancers[entry.id].name if entry.is_balancer else entry.id,
        members=service.members,
        zones=tuple(sorted({zone for zone in service.zone_of.values() if zone})),
        parts=parts_of(facts, service, mended),
        findings=mended,
        notes=announcements(facts, service, mended),
        not_read=(*not_read, *dict.fromkeys(service.not_read)),
        assumptions=assumptions_of(service, declared),
    )
    return with_pairs(report, service)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings worst first, in an order that does not depend on how they were found."""
    return tuple(
        sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), one.order, one.rule, one.event))
    )


def tried(facts: AccountFacts, service: Service, finding: Finding, found: tuple[Finding, ...]) -> Remedy:
    """Return the remedy of a finding with what a second audit, with it in place, says."""
    proposal = propose(facts, service, finding)
    if proposal.changes is None:
        return Remedy(proposal.says, proposal.commands)
    changed = proposal.changes(facts)
    entry = service.entry
    if not entry.is_balancer and changed.balancers:
        entry = Entry(entry.service, next(iter(changed.balancers)), True)
    after_service = read_service(changed, entry)
    after = [
        *cut_findings(changed, after_service, read_both_ways(after_service)),
        *check_findings(changed, after_service),
    ]
    before_rules = {one.fingerprint: one.rule for one in found}
    after_rules = {one.fingerprint: one.rule for one in after}
    return Remedy(
        says=proposal.says,
        commands=proposal.commands,
        is_tried=True,
        is_verified=finding.fingerprint not in after_rules,
        removes=tuple(sorted({before_rules[key] for key in before_rules.keys() - after_rules.keys()})),
        adds=tuple(sorted({after_rules[key] for key in after_rules.keys() - before_rules.keys()})),
    )


def with_pairs(report: ServiceReport, service: Service) -> ServiceReport:
    """Return the report with its cuts of order 2, or with why they were not computed."""
    try:
        products = analyse_pairs(service.topology)
    except UsageError as error:
        return replace(report, pairs_refused=str(error))
    classes = tuple((one.first, one.second) for one in products)
    return replace(report, pairs=sum(map(len, products)), pair_classes=classes)


def state_inside(facts: AccountFacts, service: Service) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the members declared to keep nothing that changes, and what was not read for the others."""
    declared = tuple(
        one
        for one in service.members
        if one in facts.instances and facts.instances[one].tags.get(TAG_STATE) == "none"
    )
    others = [one for one in service.members if one not in declared]
    if not others:
        return declared, ()
    inside = f"inside the instances of {service.entry.service} (databases, sessions, uploads)"
    return declared, (f"{inside}: {', '.join(others)}",)


def assumptions_of(service: Service, declared: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the verdict takes for true without having read it."""
    found = []
    if declared:
        who = ", ".join(declared)
        found.append(f"{who} keep nothing that changes: declared by the tag {TAG_STATE}=none, not read")
    if service.entry.is_balancer:
        found.append("a balancer that finds no healthy target serves nobody, although it then tries them all")
    if service.guessed:
        found.append("clients are spread evenly over the listeners and groups that serve different things")
    return tuple(found)


def announcements(facts: AccountFacts, service: Service, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return a line for each announced event that is no single point of failure."""
    hit = {name for one in findings if one.rule == "NSP204" for name in one.members}
    return tuple(
        f"AWS announced {event.code} of {member} for {day(event.not_before)}; the others serve meanwhile: "
        f"nospof maintain take {member}"
        for member in service.members
        if member not in hit and member in facts.statuses
        for event in facts.statuses[member].events
        if event.is_live
    )


def parts_of(facts: AccountFacts, service: Service, findings: tuple[Finding, ...]) -> tuple[Part, ...]:
    """Return what the drawing shows: parts by tier and zone, the single points marked."""
    points = {name for one in findings if one.rule in ("NSP101", "NSP102") for name in one.members}
    zones = {one.event for one in findings if one.rule == "NSP201"}
    found = [
        Part("zone", zone, zone, "", f"zone:{zone}" in zones)
        for zone in sorted({zone for zone in service.zone_of.values() if zone})
    ]
    targets = target_states(service)
    for node in service.topology.nodes:
        tier = TIER_OF_KIND.get(node.kind)
        if tier is None:
            continue
        zone = service.zone_of.get(node.name, "")
        state = service.state_of.get(node.name) or targets.get(node.name, "")
        name = facts.instances[node.name].name if node.name in facts.instances else node.says
        says = f"{name} {node.name}" if tier == "instance" and name != node.name else name
        is_point = node.name in points or node.name == f"unread:{node.label}"
        found.append(Part(tier, zone, says, state, is_point))
    return tuple(found)


def target_states(service: Service) -> dict[str, str]:
    """Return what groups say of machines that get no traffic."""
    return {
        node.requirement.node: service.state_of[node.name].partition(" (")[0]
        for node in service.topology.nodes
        if node.kind == "target" and node.name in service.state_of and isinstance(node.requirement, On)
    }
