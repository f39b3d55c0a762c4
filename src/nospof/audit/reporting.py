"""The audit of an estate, from what was read to the report: findings, remedies tried out, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from nospof.audit.analysis import analyse_pairs
from nospof.audit.assumed import named
from nospof.audit.availability import (
    availability_of,
    measured_says,
    questions_by_stake,
    slo_says,
    with_minutes,
)
from nospof.audit.builder import Entry, Service
from nospof.audit.checks_capacity import capacity_checks
from nospof.audit.checks_data import data_checks
from nospof.audit.checks_failover import failover_checks
from nospof.audit.checks_recovery import recovery_checks
from nospof.audit.checks_votes import vote_checks
from nospof.audit.contents import content_checks, state_inside
from nospof.audit.crew import CrewOf, InTurn
from nospof.audit.cuts import PairProduct
from nospof.audit.drawing import links_of, parts_of
from nospof.audit.entries import Found, Reader, find_services, read_service, renamed
from nospof.audit.fronts import ALL_FRONTS
from nospof.audit.judging import RULES_OF_VIEW, judge
from nospof.audit.mending import propose
from nospof.audit.parts.data import RULE_OF_KIND_DATA
from nospof.audit.parts.inside import uses_from_probes
from nospof.audit.parts.machines import live_events
from nospof.audit.parts.network import RULE_OF_KIND_NETWORK
from nospof.audit.parts.streams import uses_from_streams
from nospof.audit.proposal import Proposal
from nospof.audit.quality import quality_checks
from nospof.audit.question import Question
from nospof.audit.readings import AlikeReadings, Readings
from nospof.audit.remedies_capacity import remedy_for as propose_for_capacity
from nospof.audit.remedies_data import remedy_for as propose_for_data
from nospof.audit.remedies_failover import remedy_for as propose_for_failover
from nospof.audit.remedies_network import remedy_for as propose_for_network
from nospof.audit.remedies_votes import remedy_for as propose_for_votes
from nospof.audit.uses import find_uses
from nospof.audit.whatif import let_fail, suppose
from nospof.audit.windows import day
from nospof.errors import UsageError
from nospof.model.estate import Estate
from nospof.model.findings import AuditReport, Finding, Remedy, ServiceReport
from nospof.model.kinds import KINDS


def merged(rules: dict[str, dict[str, str]], *more: dict[tuple[str, str], str]) -> dict[str, dict[str, str]]:
    """Return the rules by view and kind of event, with those that the parts bring."""
    found = {view: dict(each) for view, each in rules.items()}
    for each in more:
        for (view, kind), rule in each.items():
            found.setdefault(view, {})[kind] = rule
    return found


Check = Callable[[Estate, Service], list[Finding]]
Remedier = Callable[[Estate, Service, Finding], Proposal | None]

CHECKS: tuple[Check, ...] = (
    quality_checks,
    failover_checks,
    recovery_checks,
    capacity_checks,
    data_checks,
    content_checks,
    vote_checks,
)
REMEDIERS: tuple[Remedier, ...] = (
    propose_for_capacity,
    propose_for_failover,
    propose_for_network,
    propose_for_votes,
    propose_for_data,
    propose,
)
"""Asked in this order; the first remedy that works on the model is told, else the first of all."""
RULES = merged(RULES_OF_VIEW, RULE_OF_KIND_NETWORK, RULE_OF_KIND_DATA)


def build_report(estate: Estate, question: Question, crew_of: CrewOf = InTurn) -> AuditReport:
    """Return the report on all services, or on those that go by one name.

    Args:
        estate: what was read.
        question: what is asked.
        crew_of: how the services are gone through: in turn, or shared out.

    Raises:
        UsageError: no service goes by that name; what is supposed is not understood.
    """
    estate = in_order_of_ids(estate)
    seen = replace(estate, uses=(*estate.uses, *uses_from_probes(estate), *uses_from_streams(estate)))
    supposed = suppose(replace(seen, uses=find_uses(seen)), question.what_if)
    estate = supposed.estate
    with crew_of(_Desk(estate, question, supposed.fails)) as crew:
        services = find_services(estate, ALL_FRONTS, crew, question.service, roots_of(estate, question))
        told: list[tuple[ServiceReport, set[str]]] = crew.map("report", services.found)
    if unknown := set(supposed.fails).difference(*(known for _, known in told)):
        raise UsageError(f"--what-if fail: no service that was read has anything called {min(unknown)!r}")
    return AuditReport(
        account=estate.account,
        region=estate.region,
        read_at=estate.read_at,
        counts=counts_of(estate),
        services=tuple(report for report, _ in told),
        unread=estate.unread,
        not_serving=services.not_serving,
        scope=question.says,
        source=estate.source,
        assumptions=estate.assumptions,
    )


def roots_of(estate: Estate, question: Question) -> tuple[Entry, ...]:
    """Return the entries that people name themselves."""
    found = []
    for wish in question.wishes:
        if wish.entry:
            item = named(estate, wish.entry, wish.where)
            found.append(Entry(wish.name, item.kind.name, item.id))
    return tuple(found)


def in_order_of_ids(estate: Estate) -> Estate:
    """Return the estate in an order that does not depend on who read it, so that reports do not either."""
    items = {
        kind: tuple(sorted(estate.of(kind), key=lambda one: one.id)) for kind in KINDS if estate.of(kind)
    }
    uses = sorted(estate.uses, key=lambda one: (one.user, one.used_kind, one.used, one.view, one.why))
    return replace(estate, items=items, uses=tuple(uses))


def counts_of(estate: Estate) -> dict[str, int]:
    """Return how many of each kind were read, so that an omission can be seen."""
    return {kind: len(estate.of(kind)) for kind in KINDS if estate.of(kind)}


class _Desk(Reader):
    """Reads services, and reports on them."""

    def __init__(self, estate: Estate, question: Question, fails: tuple[str, ...]) -> None:
        super().__init__(estate, ALL_FRONTS)
        self._question = question
        self._fails = fails
        self._readings = AlikeReadings()

    def report(self, found: Found) -> tuple[ServiceReport, set[str]]:
        """Return the report on a service, and which of the failures that are supposed it knows."""
        service = self.service(found)
        known = set(let_fail(service, self._fails))
        question = self._question.of(found.entry.service)
        return _Reporter(service, self.estate, question, self._readings).report(), known


class _Reporter:
    """Reports on one service."""

    def __init__(self, service: Service, estate: Estate, question: Question, readings: AlikeReadings) -> None:
        self.service = question.put_to(service, estate.region)
        self.read_at = estate.read_at
        self.question = question
        self.readings = readings

    def report(self) -> ServiceReport:
        service = self.service
        readings = self.readings.of(service.topology)
        found = with_minutes(self.findings_of(service, readings), service, self.question.rates)
        estate = service.estate
        mended = tuple(replace(one, remedy=self.tried(estate, one, found)) for one in found)
        declared, not_read = state_inside(service)
        report = ServiceReport(
            name=service.entry.service,
            entry=entry_of(service),
            members=service.members,
            zones=tuple(sorted({zone for zone in service.zone_of.values() if zone})),
            parts=parts_of(service, mended),
            links=links_of(service),
            findings=mended,
            notes=announcements(service, mended),
            not_read=(*not_read, *service.not_read),
            assumptions=(*declared, *service.assumptions),
            questions=tuple(dict.fromkeys((*questions_by_stake(mended), *service.questions))),
        )
        return self.with_availability(report, readings)

    def with_availability(self, report: ServiceReport, readings: Readings) -> ServiceReport:
        """Return the report with its cuts of order 2 and what the service can be expected to give."""
        products: list[PairProduct] | None = None
        try:
            products = analyse_pairs(readings.worst)
            report = with_pairs(report, products)
        except UsageError as error:
            report = replace(report, pairs_refused=str(error))
        rates = self.question.rates
        expected = availability_of(self.service, readings.worst, products, report.findings, rates)
        notes = report.notes
        if self.question.slo is not None:
            notes = (*notes, slo_says(self.question.slo, expected.model))
        if self.question.measured is not None:
            notes = (*notes, measured_says(self.question.measured, expected.model))
        return replace(report, availability=expected, notes=notes)

    def findings_of(self, service: Service, readings: Readings) -> list[Finding]:
        """Return all findings of a service that the question is about."""
        cuts = [
            one
            for one in judge(service, readings, self.read_at, RULES)
            if self.question.asks_about(service.topology.event(one.event))
        ]
        checks = [one for check in CHECKS for one in check(service.watched.whole, service)]
        if service.entry.is_doubtful:
            checks = [replace(one, confidence="possible") for one in checks]
        return [*cuts, *checks]

    def tried(self, estate: Estate, finding: Finding, found: tuple[Finding, ...]) -> Remedy:
        """Return the remedy of a finding with what a second audit, with it in place, says."""
        remedies = []
        is_down = finding.time == "now" or (not finding.order and finding.view == "serving")
        for remedier in (propose,) if is_down else REMEDIERS:
            proposal = remedier(estate, self.service, finding)
            if proposal is None or not proposal.says:
                continue
            if not estate.is_whole:
                # A description has nothing yet that a command could name.
                proposal = replace(proposal, commands=())
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
        service = self.again(proposal.changes(estate), proposal.entry)
        after = self.findings_of(service, self.readings.of(service.topology))
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
        return self.question.put_to(service, changed.region)


def removed(finding: Finding, before: dict[str, Finding], after: Collection[str]) -> tuple[str, ...]:
    """Return the rules of the findings that a remedy takes away.

    Data is not made safe by a machine more: only the remedy of a finding about data may claim so.
    """
    gone = [one for key, one in before.items() if key not in after]
    return tuple(sorted({one.rule for one in gone if one.view != "data" or finding.view == "data"}))


def with_pairs(report: ServiceReport, products: list[PairProduct]) -> ServiceReport:
    """Return the report with its cuts of order 2."""
    classes = tuple((one.first, one.second) for one in products)
    return replace(report, pairs=sum(map(len, products)), pair_classes=classes)


def entry_of(service: Service) -> str:
    """Return what people call the entry of a service."""
    item = service.watched.find(service.entry.kind, service.entry.id)
    return item.label if item and service.entry.kind != "instance" else service.entry.id


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
