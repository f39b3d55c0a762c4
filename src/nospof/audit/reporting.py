"""The audit of an estate, from what was read to the report: findings, remedies tried out, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from nospof.audit.analysis import analyse_pairs
from nospof.audit.builder import Entry, Service
from nospof.audit.checks_data import data_checks
from nospof.audit.checks_recovery import recovery_checks
from nospof.audit.entries import find_services, read_service, renamed
from nospof.audit.fronts import ALL_FRONTS
from nospof.audit.judging import RULES_OF_VIEW, judge
from nospof.audit.linking import links_between
from nospof.audit.mending import propose
from nospof.audit.parts.data import RULE_OF_KIND_DATA
from nospof.audit.parts.machines import live_events
from nospof.audit.parts.network import RULE_OF_KIND_NETWORK
from nospof.audit.proposal import Proposal
from nospof.audit.quality import quality_checks
from nospof.audit.remedies_data import remedy_for as propose_for_data
from nospof.audit.remedies_network import remedy_for as propose_for_network
from nospof.audit.uses import find_uses
from nospof.audit.whatif import let_fail, suppose
from nospof.audit.windows import day
from nospof.errors import UsageError
from nospof.model.cloud import TAG_STATE
from nospof.model.estate import Estate
from nospof.model.findings import SEVERITIES, AuditReport, Finding, Part, Remedy, ServiceReport
from nospof.model.kinds import KINDS
from nospof.model.topology import Event, Node, On

TIERS: dict[str, tuple[str, ...]] = {
    "entry": ("service", "record", "distribution", "accelerator", "API", "address", "load balancer"),
    "balancer": ("balancer zone",),
    "group": ("target group",),
    "instance": ("instance", "task", "function zone"),
    "data": (
        "database",
        "database cluster",
        "database proxy",
        "warehouse",
        "cache",
        "cache cluster",
        "memory database",
        "DAX cluster",
        "broker",
        "Kafka cluster",
        "search domain",
        "file system",
        "mount target",
        "FSx file system",
        "bucket",
        "directory",
    ),
    "egress": ("NAT gateway", "NAT instance", "endpoint"),
    "volume": ("volume",),
    "unread": ("unread",),
}
TIER_OF_KIND = {kind: tier for tier, kinds in TIERS.items() for kind in kinds}
SURVIVE = ("host", "rack", "zone")
"""What a service is asked to survive where nobody says otherwise."""
SCOPES = (*SURVIVE, "region")
SCOPE_OF_EVENT = {"zone": "zone", "rack": "rack", "region": "region"}
"""How far an event reaches; what is not listed hits one machine or one resource."""


def merged(rules: dict[str, dict[str, str]], *more: dict[tuple[str, str], str]) -> dict[str, dict[str, str]]:
    """Return the rules by view and kind of event, with those that the parts bring."""
    found = {view: dict(each) for view, each in rules.items()}
    for each in more:
        for (view, kind), rule in each.items():
            found.setdefault(view, {})[kind] = rule
    return found


Check = Callable[[Estate, Service], list[Finding]]
Remedier = Callable[[Estate, Service, Finding], Proposal | None]

CHECKS: tuple[Check, ...] = (quality_checks, recovery_checks, data_checks)
REMEDIERS: tuple[Remedier, ...] = (propose_for_network, propose_for_data, propose)
"""Asked in this order; the first remedy that works on the model is told, else the first of all."""
RULES = merged(RULES_OF_VIEW, RULE_OF_KIND_NETWORK, RULE_OF_KIND_DATA)


@dataclass(frozen=True)
class Question:
    """What is asked of an estate.

    Args:
        service: a service's name, or the name or id of its entry; empty for all.
        survive: what the service must survive: some of "host", "rack", "zone", "region".
        what_if: changes and failures to suppose, in words (see `suppose`).
    """

    service: str = ""
    survive: tuple[str, ...] = SURVIVE
    what_if: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if unknown := [one for one in self.survive if one not in SCOPES]:
            raise UsageError(f"nothing is known of surviving {unknown[0]!r}; choose from {', '.join(SCOPES)}")

    def asks_about(self, event: Event) -> bool:
        """Whether the service is asked to survive an event."""
        return SCOPE_OF_EVENT.get(event.kind, "host") in self.survive


def build_report(estate: Estate, question: Question = Question()) -> AuditReport:
    """Return the report on all services, or on those that go by one name.

    Raises:
        UsageError: no service goes by that name; what is supposed is not understood.
    """
    estate = in_order_of_ids(estate)
    supposed = suppose(replace(estate, uses=find_uses(estate)), question.what_if)
    estate = supposed.estate
    services = find_services(estate, ALL_FRONTS, question.service)
    known = [let_fail(one, supposed.fails) for one in services.found]
    if unknown := set(supposed.fails).difference(*known):
        raise UsageError(f"--what-if fail: no service that was read has anything called {min(unknown)!r}")
    if "region" in question.survive:
        services = replace(services, found=tuple(in_region(one, estate.region) for one in services.found))
    return AuditReport(
        account=estate.account,
        region=estate.region,
        read_at=estate.read_at,
        counts=counts_of(estate),
        services=tuple(_Reporter(one, estate.read_at, question).report() for one in services.found),
        unread=estate.unread,
        not_serving=services.not_serving,
        scope=scope_of(question),
        source=estate.source,
        assumptions=estate.assumptions,
    )


def in_order_of_ids(estate: Estate) -> Estate:
    """Return the estate in an order that does not depend on who read it, so that reports do not either."""
    items = {
        kind: tuple(sorted(estate.of(kind), key=lambda one: one.id)) for kind in KINDS if estate.of(kind)
    }
    return replace(estate, items=items)


def in_region(service: Service, region: str) -> Service:
    """Return the service with its region as something that can fail."""
    topology = service.topology
    event = Event("region", "region", f"region {region}" if region else "the region")
    root = replace(topology.by_name[topology.root], domains=(event.id,))
    nodes = tuple(root if one.name == root.name else one for one in topology.nodes)
    service.topology = replace(topology, nodes=nodes, events=(*topology.events, event))
    return service


def counts_of(estate: Estate) -> dict[str, int]:
    """Return how many of each kind were read, so that an omission can be seen."""
    return {kind: len(estate.of(kind)) for kind in KINDS if estate.of(kind)}


def scope_of(question: Question) -> tuple[str, ...]:
    """Return what was asked, and what was not."""
    words = {"host": "one machine or disk", "rack": "one rack", "zone": "one zone", "region": "the region"}
    asked = ", ".join(words[one] for one in SCOPES if one in question.survive)
    region = "" if "region" in question.survive else "the whole region or account, "
    return (
        f"Asked: can the loss of {asked}, or one announced maintenance window, stop it?",
        f"Not asked: {region}AWS's own services beneath, a bad change, overload.",
    )


class _Reporter:
    """Reports on one service."""

    def __init__(self, service: Service, read_at: float, question: Question) -> None:
        self.service = service
        self.read_at = read_at
        self.question = question

    def report(self) -> ServiceReport:
        service = self.service
        found = in_order(self.findings_of(service))
        estate = service.estate
        mended = tuple(replace(one, remedy=self.tried(estate, one, found)) for one in found)
        declared, not_read = state_inside(service)
        report = ServiceReport(
            name=service.entry.service,
            entry=entry_of(service),
            members=service.members,
            zones=tuple(sorted({zone for zone in service.zone_of.values() if zone})),
            parts=parts_of(service, mended),
            links=links_between(service.topology, (node.name for node in drawn_nodes(service))),
            findings=mended,
            notes=announcements(service, mended),
            not_read=(*not_read, *service.not_read),
            assumptions=(*declared, *service.assumptions),
            questions=tuple(service.questions),
        )
        return with_pairs(report, service)

    def findings_of(self, service: Service) -> list[Finding]:
        """Return all findings of a service that the question is about."""
        cuts = [
            one
            for one in judge(service, self.read_at, RULES)
            if self.question.asks_about(service.topology.event(one.event))
        ]
        checks = [one for check in CHECKS for one in check(service.watched.whole, service)]
        if service.entry.is_doubtful:
            checks = [replace(one, confidence="possible") for one in checks]
        return [*cuts, *checks]

    def tried(self, estate: Estate, finding: Finding, found: tuple[Finding, ...]) -> Remedy:
        """Return the remedy of a finding with what a second audit, with it in place, says."""
        remedies = []
        for remedier in (propose,) if finding.time == "now" or not finding.order else REMEDIERS:
            proposal = remedier(estate, self.service, finding)
            if proposal is None or not proposal.says:
                continue
            remedies.append(self.tried_one(estate, proposal, finding, found))
            if remedies[-1].is_verified:
                return remedies[-1]
        return remedies[0] if remedies else Remedy("")

    def tried_one(
        self, estate: Estate, proposal: Proposal, finding: Finding, found: tuple[Finding, ...]
    ) -> Remedy:
        """Return one remedy with what a second audit, with it in place, says."""
        if proposal.changes is None:
            return Remedy(proposal.says, proposal.commands)
        after = self.findings_of(self.again(proposal.changes(estate), proposal.entry))
        after_rules = {one.fingerprint: one.rule for one in after}
        before = {one.fingerprint: one for one in found}
        return Remedy(
            says=proposal.says,
            commands=proposal.commands,
            is_tried=True,
            is_verified=finding.fingerprint not in after_rules,
            removes=removed(finding, before, after_rules),
            adds=tuple(sorted({after_rules[key] for key in after_rules.keys() - before.keys()})),
        )

    def again(self, changed: Estate, entry: Entry | None) -> Service:
        """Return the service as it would be in a changed estate, by the same name."""
        service = renamed(read_service(changed, entry or self.service.entry), self.service.entry.service)
        return in_region(service, changed.region) if "region" in self.question.survive else service


def removed(finding: Finding, before: dict[str, Finding], after: Collection[str]) -> tuple[str, ...]:
    """Return the rules of the findings that a remedy takes away.

    Data is not made safe by a machine more: only the remedy of a finding about data may claim so.
    """
    gone = [one for key, one in before.items() if key not in after]
    return tuple(sorted({one.rule for one in gone if one.view != "data" or finding.view == "data"}))


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings worst first, in an order that does not depend on how they were found."""
    return tuple(
        sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), one.order, one.rule, one.event))
    )


def with_pairs(report: ServiceReport, service: Service) -> ServiceReport:
    """Return the report with its cuts of order 2, or with why they were not computed."""
    try:
        products = analyse_pairs(service.topology)
    except UsageError as error:
        return replace(report, pairs_refused=str(error))
    classes = tuple((one.first, one.second) for one in products)
    return replace(report, pairs=sum(map(len, products)), pair_classes=classes)


def entry_of(service: Service) -> str:
    """Return what people call the entry of a service."""
    item = service.watched.find(service.entry.kind, service.entry.id)
    return item.label if item and service.entry.kind != "instance" else service.entry.id


def state_inside(service: Service) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the members declare of their state, and what was not read for the others."""
    items = {one: service.item_of[one] for one in service.members if one in service.item_of}
    declared = [one for one, item in items.items() if item.tags.get(TAG_STATE) == "none"]
    replaceable = [one for one in service.members if one in service.heals and one not in declared]
    others = [one for one in service.members if one not in declared and one not in replaceable]
    says = []
    if declared:
        who = ", ".join(declared)
        says.append(f"{who} keep nothing that changes: declared by the tag {TAG_STATE}=none, not read")
    if replaceable:
        who = ", ".join(replaceable)
        says.append(f"{who} keep nothing that changes: they are replaced from their image")
    if not others:
        return tuple(says), ()
    inside = f"inside the instances of {service.entry.service} (databases, sessions, uploads)"
    return tuple(says), (f"{inside}: {', '.join(others)}",)


def announcements(service: Service, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return a line for each announced event that is no single point of failure."""
    hit = {name for one in findings if one.rule == "NSP204" for name in one.members}
    found = []
    for member in service.members:
        item = service.item_of.get(member)
        status = service.watched.find("instance status", item.id) if item else None
        if member in hit or status is None:
            continue
        found += [
            f"AWS announced {event.code} of {member} for {day(event.not_before)}; "
            f"the others serve meanwhile: nospof maintain take {status.id}"
            for event in live_events(status)
        ]
    return tuple(found)


def parts_of(service: Service, findings: tuple[Finding, ...]) -> tuple[Part, ...]:
    """Return what the drawing shows: parts by tier and zone, the single points marked."""
    points = {
        name
        for one in findings
        if one.is_single_point
        for name in one.members
        if service.topology.event(one.event).kind not in ("zone", "rack", "host", "region", "maintenance")
    }
    zones = {one.event for one in findings if one.rule == "NSP201"}
    found = [
        Part("zone", zone, zone, "", f"zone:{zone}" in zones)
        for zone in sorted({zone for zone in service.zone_of.values() if zone})
    ]
    targets = target_states(service)
    for node in drawn_nodes(service):
        zone = service.zone_of.get(node.name, "")
        state = service.state_of.get(node.name) or targets.get(node.name, "")
        is_point = node.name in points or node.name == f"unread:{node.label}"
        tier = TIER_OF_KIND[node.kind]
        found.append(Part(tier, zone, drawn_name(service, node), state, is_point, node.name))
    return tuple(found)


def drawn_nodes(service: Service) -> list[Node]:
    """Return the nodes that the drawing shows; a service of one instance is drawn as its own entry."""
    is_own_entry = service.entry.kind == "instance"
    shown = [node for node in service.topology.nodes if node.kind in TIER_OF_KIND]
    return [node for node in shown if node.kind != "service" or is_own_entry]


def drawn_name(service: Service, node: Node) -> str:
    """Return a node's name for the drawing: an instance by name and id."""
    item = service.item_of.get(node.name)
    if item is None or item.id != node.name or item.kind.name != "instance":
        return node.says
    return f"{item.label} {node.name}" if item.label != node.name else node.name


def target_states(service: Service) -> dict[str, str]:
    """Return what groups say of machines that get no traffic."""
    return {
        node.requirement.node: service.state_of[node.name].partition(" (")[0]
        for node in service.topology.nodes
        if node.kind == "target" and node.name in service.state_of and isinstance(node.requirement, On)
    }
