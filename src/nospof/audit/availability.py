"""What a service can be expected to give: a contract, and a model with its assumptions.

The two are never mixed. The contract multiplies what AWS pays credit for along the chain that is
needed outright. The model adds the minutes a year of everything that stops the service: single
points, pairs, planned work, failovers, common causes, changes. Both say what is not in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from nospof.audit.analysis import Analysis
from nospof.audit.builder import Service
from nospof.audit.chain import (
    STORES,
    Pool,
    contract_of,
    copies_of,
    pools_of,
    serial_nodes,
    whole_parts,
)
from nospof.audit.cuts import PairProduct
from nospof.audit.rates import Rate, Rates
from nospof.audit.sampling import COMMON_CAUSE, YEAR_MINUTES, Form, two_digits
from nospof.model.findings import SEVERITIES, Availability, Finding, Minutes, Term
from nospof.model.topology import Event

RESIDUAL = STORES | {
    "load balancer", "classic load balancer", "distribution", "accelerator", "API", "database proxy",
    "file system", "table", "bucket", "directory",
}  # fmt: skip
"""Managed parts that spread over zones and still fail now and then."""
PLANNED = {
    "instance": ("own restart", "maintenance"),
    **dict.fromkeys(("database", "warehouse", "cache", "broker", "search"), ("maintenance",)),
}
"""Work, by kind of event, that stops a part which nothing stands in for."""
YEAR_SECONDS = 365 * 86_400
NOT_IN_IT = ("overload", "corrupt data", "attacks", "clients' own networks")
FEW = 3


def availability_of(
    service: Service,
    worst: Analysis,
    pairs: list[PairProduct] | None,
    findings: tuple[Finding, ...],
    rates: Rates,
) -> Availability:
    """Return what a service can be expected to give.

    Args:
        service: as it was read.
        worst: its pessimistic reading, as configured.
        pairs: its cuts of two failures; None where they were refused.
        findings: those on this service, for the terms to say which they belong to.
        rates: the assumptions in force.
    """
    return _Sum(service, worst, pairs, findings, rates).availability()


def minutes_of(finding: Finding, service: Service, rates: Rates) -> Minutes | None:
    """Return what a finding costs a year; None where it stops no client by itself or has no figure."""
    if finding.view != "serving" or finding.order != 1 or not finding.share:
        return None
    costs = _Costs(service, rates, is_stuck=False)
    form = Form()
    share = float(finding.share)
    event = service.topology.event(finding.event)
    for each in costs.with_disks(event, finding.members):
        form.plus(costs.of(each, share))
    if finding.share == 1:
        form.plus(costs.planned(event))
    return form.minutes if form else None


def with_minutes(findings: Iterable[Finding], service: Service, rates: Rates) -> tuple[Finding, ...]:
    """Return the findings of a service with what each costs, the costliest of each severity first."""
    return ranked(replace(one, minutes=minutes_of(one, service, rates)) for one in findings)


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by severity, then by median minutes, in an order that is always the same."""

    def place(one: Finding) -> tuple[int, float, int, str, str]:
        median = one.minutes.likely if one.minutes else 0.0
        return SEVERITIES.index(one.severity), -median, one.order, one.rule, one.event

    return tuple(sorted(findings, key=place))


def questions_by_stake(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the questions that would settle findings, those with the most minutes at stake first."""
    stakes: dict[str, float] = {}
    for one in findings:
        if one.would_settle:
            median = one.minutes.likely if one.minutes else 0.0
            stakes[one.would_settle] = stakes.get(one.would_settle, 0.0) + median
    return tuple(sorted(stakes, key=lambda question: (-stakes[question], question)))


def slo_says(slo: float, model: Minutes) -> str:
    """Return what the model says of an objective in percent. It can refute one; it never proves one."""
    budget = (100 - slo) / 100 * YEAR_MINUTES
    asked = f"{slo:g} % asked ({two_digits(budget):g} min a year)"
    median = f"the median is {two_digits(model.likely):g} min"
    if budget < model.low:
        return f"{asked}: missed even at the better end of the range; {median}"
    if budget < model.high:
        return f"{asked}: inside the range; {median}: not proved"
    return f"{asked}: the whole range keeps it; {median}: an assumption, no measurement"


def measured_says(percent: float, model: Minutes) -> str:
    """Return what a measurement says of the model: more outage than expected has a cause that it lacks."""
    minutes = (100 - percent) / 100 * YEAR_MINUTES
    told = f"measured: {percent:g} % ({two_digits(minutes):g} min a year)"
    expected = f"the model expects {two_digits(model.low):g} to {two_digits(model.high):g}"
    if minutes > model.high:
        return f"{told}; {expected}: something takes it down that is not in the model. Look for it first"
    if minutes < model.low:
        return f"{told}; {expected}: better than the assumptions, or not measured long enough"
    return f"{told}; {expected}: they agree"


class _Costs:
    """What single events cost."""

    def __init__(self, service: Service, rates: Rates, *, is_stuck: bool) -> None:
        self.service = service
        self.rates = rates
        self.is_stuck = is_stuck

    def rate(self, event: Event) -> Rate | None:
        """Return the rate of an event: what heals itself is back sooner, what cannot be rebuilt later."""
        rate = self.rates.of(event.id, event.kind)
        if rate is None:
            return None
        if event.starts_at:
            if event.starts_at > float(self.service.watched.read_at) + YEAR_SECONDS:
                return None  # Not in the year that is spoken of.
            return replace(rate, kind=f"announced {rate.kind}", per_year=(1, 1, 1))
        if self.is_stuck and event.kind in ("instance", "zone", "host", "rack"):
            return replace(rate, kind=f"{rate.kind} that cannot be replaced", minutes=(rate.minutes[2],) * 3)
        if event.id in self.service.heals:
            healing = self.rates.by_kind["healing"].minutes
            sooner = tuple(min(pair) for pair in zip(rate.minutes, healing, strict=True))
            return replace(rate, kind=f"{rate.kind} that heals", minutes=(sooner[0], sooner[1], sooner[2]))
        return rate

    def of(self, event: Event, share: float = 1.0) -> Form:
        form = Form()
        if rate := self.rate(event):
            form.add(rate, share)
        return form

    def planned(self, event: Event) -> Form:
        """Return the planned work on a part that nothing stands in for."""
        form = Form()
        for key in PLANNED.get(event.kind, ()):
            form.add(self.rates.by_kind[key])
        return form

    def with_disks(self, event: Event, members: Iterable[str]) -> list[Event]:
        """Return an event with what fails with the same effect: a machine with its disks."""
        if event.kind != "instance":
            return [event]
        others = [self.service.topology.event(one) for one in members if one != event.id]
        return [event, *(one for one in others if one.kind == "volume")]


class _Sum:
    """The terms of one service."""

    def __init__(
        self,
        service: Service,
        worst: Analysis,
        pairs: list[PairProduct] | None,
        findings: tuple[Finding, ...],
        rates: Rates,
    ) -> None:
        self.service = service
        self.worst = worst.serving
        self.graph = worst.graph
        self.pairs = pairs
        self.findings = findings
        self.rates = rates
        stuck = any(one.view == "recovery" and one.order == 0 for one in findings)
        self.costs = _Costs(service, rates, is_stuck=stuck)
        self.events = {one.id: one for one in service.topology.events}
        self.total = set(self.singles())
        self.no_figure: list[str] = []
        self.used: dict[str, Rate] = {}

    @cached_property
    def serial(self) -> frozenset[str]:
        """The nodes that are needed outright."""
        return serial_nodes(self.service, self.graph)

    def availability(self) -> Availability:
        terms = [*self.single_terms(), *self.planned_terms(), *self.pool_terms(), *self.other_terms()]
        terms += self.pair_terms()
        total = Form()
        for _, form, _ in terms:
            total.plus(form)
        for (rate, other), _ in total:
            for one in (rate, other):
                if one is not None:
                    self.used.setdefault(one.kind, one)
        said = [Term(says, form.minutes, prints) for says, form, prints in terms if form]
        contract, contract_says = contract_of(self.service, self.total, self.serial)
        return Availability(
            contract=contract,
            contract_says=contract_says,
            model=total.minutes if total else Minutes(0.0, 0.0, 0.0),
            terms=tuple(sorted(said, key=lambda one: (-one.minutes.likely, one.says))),
            assumptions=tuple(self.assumed(said)),
            excluded=tuple(self.excluded()),
            beyond_pairs=self.beyond(),
        )

    def event(self, event_id: str) -> Event:
        return self.events.get(event_id) or Event(event_id, "", event_id)

    def singles(self) -> list[str]:
        """Return the events that stop everything, a zone that may be shared counted once.

        In the pessimistic reading something of unknown zone falls with every zone there is; it
        stands in one of them.
        """
        certain = {each for node in self.service.topology.nodes for each in (*node.faults, *node.domains)}
        doubtful = [one for one in self.worst.total if one not in certain and self.event(one).kind == "zone"]
        known = [one for one in self.worst.total if one not in doubtful]
        if doubtful and all(self.event(one).kind != "zone" for one in known):
            known.append(min(doubtful))
        return known

    # Terms ----------------------------------------------------------------------------------------

    def single_terms(self) -> list[tuple[str, Form, tuple[str, ...]]]:
        """Return what single points cost, alike ones together."""
        groups: dict[tuple[str, float], list[Event]] = {}
        hits = [(one, 1.0) for one in sorted(self.total)]
        hits += [(one, float(share)) for one, share in self.worst.partial]
        for event_id, share in hits:
            event = self.event(event_id)
            if self.costs.rate(event) is None:
                if not event.starts_at:
                    self.no_figure.append(event.says)
                continue
            groups.setdefault((event.kind, share), []).append(event)
        found = []
        for (_, share), events in groups.items():
            form = Form()
            for event in events:
                form.plus(self.costs.of(event, share))
            part = "" if share == 1 else f" ({share:.0%} of clients)"
            found.append((f"{listed(events)}{part}", form, self.prints({one.id for one in events})))
        return found

    def planned_terms(self) -> list[tuple[str, Form, tuple[str, ...]]]:
        """Return what restarts and AWS's maintenance cost where nothing stands in."""
        found = []
        words = {"own restart": "restarts of your own", "maintenance": "maintenance by AWS"}
        for key, says in words.items():
            form = Form()
            events = [self.event(one) for one in sorted(self.total)]
            hit = [one for one in events if key in PLANNED.get(one.kind, ())]
            form.add(self.rates.by_kind[key], len(hit))
            found.append((f"{says}: {listed(hit)}", form, self.prints({one.id for one in hit})))
        return found

    def pool_terms(self) -> list[tuple[str, Form, tuple[str, ...]]]:
        """Return what pools cost although they stand: noticing a failure, and what all members share."""
        blips, shared = Form(), Form()
        for pool in pools_of(self.service, self.serial):
            rate, spares = self.spares(pool)
            if rate is None or spares < 1 or len(pool.members) < 2:
                continue
            noticing = self.rates.by_kind["noticing"].minutes
            long = (pool.notices_minutes,) * 3 if pool.notices_minutes else noticing
            name = f"noticing a failed {rate.kind}"
            blips.add(replace(rate, kind=name, minutes=long), spares / len(pool.members))
            if spares == len(pool.members):
                shared.add(replace(rate, kind=f"{COMMON_CAUSE}{rate.kind}"))
        return [
            ("clients sent to a failed member until it is noticed", blips, ()),
            ("what stops all alike members at once", shared, ()),
        ]

    def spares(self, pool: Pool) -> tuple[Rate | None, int]:
        faults = [
            fault
            for one in pool.members
            for fault in self.service.topology.by_name[one].faults
            if fault not in self.total
        ]
        found = [rate for one in faults if (rate := self.costs.rate(self.event(one)))]
        return (found[0], len(found)) if found else (None, 0)

    def other_terms(self) -> list[tuple[str, Form, tuple[str, ...]]]:
        """Return what managed parts and changes cost whatever stands twice."""
        residual, failovers, change = Form(), Form(), Form()
        for node in whole_parts(self.service, self.serial):
            copies = copies_of(self.service, node) if node.kind in STORES else node.faults
            if node.kind not in RESIDUAL or self.total.intersection(copies):
                continue
            residual.add(self.rates.by_kind["managed service"])
            if node.kind in STORES:
                failovers.add(self.rates.by_kind["database failover"])
        if self.service.members:
            change.add(self.rates.by_kind["bad change"])
        return [
            ("managed services, whole", residual, ()),
            ("failovers of databases", failovers, ()),
            ("a bad change of your own", change, ()),
        ]

    def pair_terms(self) -> list[tuple[str, Form, tuple[str, ...]]]:
        """Return what two failures at once cost, by the rates of their classes."""
        form = Form()
        for pair in self.pairs or ():
            first, second = self.tally(pair.first), self.tally(pair.second)
            for a, m in first.items():
                for b, n in second.items():
                    form.add(a, m * n, b)
        return [("two failures at once", form, ())]

    def tally(self, events: Iterable[str]) -> dict[Rate, int]:
        found: dict[Rate, int] = {}
        for one in events:
            if rate := self.costs.rate(self.event(one)):
                found[rate] = found.get(rate, 0) + 1
        return found

    # What is said with it -------------------------------------------------------------------------

    def prints(self, events: set[str]) -> tuple[str, ...]:
        return tuple(
            sorted(
                {one.fingerprint for one in self.findings if one.event in events or events & {*one.members}}
            )
        )

    def assumed(self, terms: list[Term]) -> list[str]:
        """Return the rates used, those of the costliest kinds first."""
        return [one.says for one in sorted(self.used.values(), key=weight)] if terms else []

    def excluded(self) -> list[str]:
        region = Form()
        region.add(self.rates.by_kind["region"])
        is_asked = any(self.event(one).kind == "region" for one in self.total)
        span = region.minutes
        found = list(NOT_IN_IT)
        if not is_asked:
            found.append(
                f"the whole region or account ({span.low:g} .. {span.likely:g} .. {span.high:g} min)"
            )
        if self.no_figure:
            shown = ", ".join(self.no_figure[:FEW])
            more = f" and {len(self.no_figure) - FEW} more" if len(self.no_figure) > FEW else ""
            found.append(f"{shown}{more}: no figure is known, which is not none")
        if self.pairs is None:
            found.append("two failures at once: not computed")
        return found

    def beyond(self) -> float:
        """Return what all cuts of more failures than were counted add at most, were they independent.

        Every such cut holds three events that are no single points (two where pairs were refused), so
        the sum over all triples bounds them; each with the high ends of its range.
        """
        part = 0.0
        for event in self.events.values():
            if event.id not in self.total and (rate := self.costs.rate(event)):
                part += min(1.0, rate.per_year[2] * rate.minutes[2] / YEAR_MINUTES)
        bound = part**2 / 2 if self.pairs is None else part**3 / 6
        return two_digits(YEAR_MINUTES * min(1.0, bound))


def weight(rate: Rate) -> tuple[float, str]:
    """Return what sorts rates by their likely cost, the costliest first."""
    return -rate.per_year[1] * rate.minutes[1], rate.kind


def listed(events: list[Event]) -> str:
    """Return what events are called, a few by name."""
    shown = ", ".join(one.says for one in events[:FEW])
    return f"{shown} and {len(events) - FEW} more" if len(events) > FEW else shown
