"""From cuts to findings: the rule is chosen by view and event, the confidence by the two bounds.

A cut in the pessimistic and the optimistic reading is certain; in the pessimistic one alone it is
possible. A cut only because something has failed already is one of "now". There is one engine and
no logic a rule of its own could disagree with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Literal

from nospof.audit.analysis import failed_nodes
from nospof.audit.builder import SOMEWHERE, Service
from nospof.audit.cuts import blast_radius, gates_of
from nospof.audit.evidence import Evidence
from nospof.audit.graph import Graph
from nospof.audit.majorities import shortage_of
from nospof.audit.proofs import prove_on
from nospof.audit.readings import Readings
from nospof.audit.wording import closes_the_door, days_left, down_title, event_title, share_title, state_title
from nospof.model.findings import Confidence, Finding, ProofStep, Severity
from nospof.model.topology import VIEWS, AtLeast, Event, Requirement, names_in, parts_of

RULES_OF_VIEW: dict[str, dict[str, str]] = {
    "serving": {
        "instance": "NSP101",
        "volume": "NSP102",
        "zone": "NSP201",
        "host": "NSP202",
        "rack": "NSP203",
        "spot pool": "NSP206",
        "maintenance": "NSP204",
        "region": "NSP208",
    },
    "egress": {"zone": "NSP601", "instance": "NSP601"},
    "recovery": {"zone": "NSP503", "broken": "NSP501", "reservation": "NSP506"},
    "admin": {"instance": "NSP603", "zone": "NSP603"},
}
"""Which rule speaks of an event in a view; what a view does not list is as in serving."""
RULES_OF_BROKEN = {"key": "NSP505", "reservation": "NSP506"}
"""Which rule says that nothing can be replaced now, by the kind of what is missing."""

GRAVE = frozenset({"instance", "zone", "database", "file system", "mount target", "region"})
"""Single points that the assumptions give half an hour a year or more."""
VOTED = ("instance", "volume", "zone", "host", "rack", "spot pool")
"""What takes votes with it."""
SOON_SECONDS = 14 * 86_400
"""What is announced for the next two weeks is critical."""
MONTH_SECONDS = 30 * 86_400

Time = Literal["configured", "now"]


def judge(
    service: Service, readings: Readings, read_at: float, rules: dict[str, dict[str, str]]
) -> list[Finding]:
    """Return the findings that are cuts: down, single points of failure, partial outages, lost data.

    Args:
        service: what was read.
        readings: its four readings.
        read_at: when, seconds since the epoch; what is announced is judged from there.
        rules: rule ids by view and kind of event.
    """
    return _Judge(service, readings, read_at, rules).findings()


@dataclass(frozen=True)
class _Case:
    """One reading in which a finding is told: the view, the time, the bound."""

    view: str
    time: Time
    is_certain: bool


class _Judge:
    def __init__(
        self, service: Service, readings: Readings, read_at: float, rules: dict[str, dict[str, str]]
    ) -> None:
        self.service = service
        self.topology = service.topology
        self.read_at = read_at
        self.rules = rules
        self.readings = readings
        self.name = service.entry.service
        self.evidence = Evidence(service)

    def findings(self) -> list[Finding]:
        r = self.readings
        found = self.down()
        known: set[str] = set()
        for view in VIEWS:
            worst, best = r.worst.views.get(view), r.best.views.get(view)
            if worst is None:
                continue
            certain = set(best.total) if best else set()
            found += self.of_events(without_echoes(worst.total, certain), certain, view, "configured")
            known.update(worst.total, (event for event, _ in worst.partial))
            found += self.partial(
                view, dict(worst.partial), {event for event, _ in best.partial} if best else set()
            )
            if view != "serving" and worst.is_broken:
                found.append(self.broken(view, is_certain=bool(best and best.is_broken)))
        certain_now = set(r.best_now.serving.total)
        seen = set(r.worst.serving.total)
        newly = [one for one in without_echoes(r.worst_now.serving.total, certain_now) if one not in seen]
        found += self.of_events(newly, certain_now, "serving", "now")
        return found + self.lost_data() + self.deadlock()

    def graph(self, case: _Case) -> Graph:
        return self.readings.graphs.of(case.view, pessimistic=not case.is_certain)

    def rule(self, view: str, kind: str) -> str:
        """Return the rule that speaks of a kind of event in a view."""
        if kind == "unread":
            return "NSP901"
        return self.rules.get(view, {}).get(kind) or self.rules["serving"].get(kind) or "NSP112"

    def rule_of(self, event: Event, case: _Case, stops: tuple[str, ...]) -> str:
        """Return the rule of a cut; a domain that takes a majority of votes has one of its own."""
        if case.view == "serving" and event.kind in VOTED and shortage_of(self.service, event.id):
            return "NSP205"
        votes = (self.topology.by_name[name].requirement for name in stops)
        is_quorum = any(isinstance(one, AtLeast) and one.need > 1 for one in every_part(votes))
        if case.view == "serving" and is_quorum and event.kind in ("zone", "host", "rack"):
            return "NSP205"
        if case.view == "serving" and event.kind == "zone" and closes_the_door(self.service, event.id):
            return "NSP106"
        return self.rule(case.view, event.kind)

    # It is down already --------------------------------------------------------------------------

    def down(self) -> list[Finding]:
        r = self.readings
        time: Time = "configured" if r.worst.serving.is_broken else "now"
        worst, best = (r.worst, r.best) if time == "configured" else (r.worst_now, r.best_now)
        if not worst.serving.is_broken:
            return []
        is_certain = best.serving.is_broken
        off = self.service.state_of
        return [
            Finding(
                rule="NSP100",
                service=self.name,
                title=down_title(self.service, is_certain=is_certain, is_now=time == "now"),
                event="down",
                severity="critical" if is_certain else "high",
                confidence="certain" if is_certain else "possible",
                members=tuple(sorted(off)),
                order=0,
                time=time,
                proof=self.proof((), _Case("serving", time, is_certain)),
                facts=self.evidence.facts_about(off),
                location=self.evidence.location_of(off),
            )
        ]

    def broken(self, view: str, *, is_certain: bool) -> Finding:
        """Return the finding that a view is down although the service runs."""
        gone = sorted(self.needed_in(view) & self.service.state_of.keys())
        case = _Case(view, "configured", is_certain)
        why = self.what_is_off(gone) or "see the proof"
        return Finding(
            rule=self.rule_of_broken(view, gone),
            service=self.name,
            title=f"{self.name} is broken already in one respect ({view}): {why}",
            event=f"broken:{view}",
            severity="medium",
            confidence="certain" if is_certain else "possible",
            members=tuple(gone),
            view=view,
            order=0,
            proof=self.proof((), case),
            facts=self.evidence.facts_about(gone),
            location=self.evidence.location_of(gone),
        )

    def needed_in(self, view: str) -> set[str]:
        """Return the nodes that are needed beyond serving in a view, and what these need in turn."""
        extras = [extra for node in self.topology.nodes for each, extra in node.views if each == view]
        waiting, found = list(names_in(*extras)), set[str]()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(names_in(self.topology.by_name[name].requirement))
        return found

    def rule_of_broken(self, view: str, gone: Iterable[str]) -> str:
        kinds = {self.topology.by_name[node].kind for node in gone}
        own = [rule for kind, rule in RULES_OF_BROKEN.items() if view == "recovery" and kind in kinds]
        return own[0] if own else self.rule(view, "broken")

    def what_is_off(self, nodes: Iterable[str]) -> str:
        states = self.service.state_of
        return ", ".join(f"{self.topology.by_name[node].says} {states[node]}" for node in nodes)

    # Single points of failure --------------------------------------------------------------------

    def of_events(self, events: Iterable[str], certain: set[str], view: str, time: Time) -> list[Finding]:
        found = []
        for event_id, members in self.evidence.classes(events):
            event = self.topology.event(event_id)
            case = _Case(view, time, event_id in certain)
            stops = self.stops(event_id, case)
            found.append(
                Finding(
                    rule=self.rule_of(event, case, stops),
                    service=self.name,
                    title=event_title(self.service, event, view, is_now=time == "now"),
                    event=event_id,
                    severity=self.severity(event, case),
                    confidence=self.confidence(case),
                    members=members,
                    view=view,
                    time=time,
                    due=iso(event.starts_at) if event.starts_at else "",
                    stops=stops,
                    proof=self.proof((event_id,), case),
                    facts=self.evidence.facts_about(members),
                    location=self.evidence.location_of(members),
                    is_self_healing=event_id in self.service.heals,
                    would_settle="" if case.is_certain else self.question_about(event),
                )
            )
        return found

    def severity(self, event: Event, case: _Case) -> Severity:
        if case.view != "serving":
            return "medium" if case.view in ("degraded", "egress") and case.is_certain else "low"
        if not case.is_certain:
            return "medium" if event.kind in ("unread", "rack", "volume") else "high"
        if case.time == "now":
            return "high"
        if event.starts_at:
            left = event.starts_at - self.read_at
            return "critical" if left <= SOON_SECONDS else "high" if left <= MONTH_SECONDS else "medium"
        return "critical" if event.kind in GRAVE else "high"

    def confidence(self, case: _Case) -> Confidence:
        return "certain" if case.is_certain else "possible"

    def question_about(self, event: Event) -> str:
        if event.kind == "unread":
            return f"read it, or say in nospof.yaml what is known of it: {event.says}"
        if event.kind == "zone":
            return "in which zones does each of these stand?"
        return f"does {self.name} stop when {event.says} fails?"

    def failed(self, case: _Case) -> frozenset[str]:
        return failed_nodes(self.topology, now=case.time == "now", pessimistic=not case.is_certain)

    def stops(self, event_id: str, case: _Case) -> tuple[str, ...]:
        graph = self.graph(case)
        failed = gates_of(graph, self.failed(case))
        return tuple(sorted(blast_radius(graph, event_id, failed)))

    def proof(self, events: tuple[str, ...], case: _Case) -> tuple[ProofStep, ...]:
        lines = prove_on(self.graph(case), self.topology, events, self.failed(case))
        return tuple(ProofStep(line.depth, self.told(line.node, line.says)) for line in lines)

    def told(self, node: str, says: str) -> str:
        state = self.service.state_of.get(node, "")
        return f"{says}: {state}" if state and says.endswith("is down already") else says

    # Partial outages -----------------------------------------------------------------------------

    def partial(self, view: str, shares: dict[str, Fraction], certain: set[str]) -> list[Finding]:
        found = []
        for event_id, members in self.evidence.classes(shares):
            event, share = self.topology.event(event_id), shares[event_id]
            case = _Case(view, "configured", event_id in certain)
            is_blind = bool(self.evidence.blind_needs.intersection(members))
            found.append(
                Finding(
                    rule="NSP406" if is_blind else "NSP407",
                    service=self.name,
                    title=share_title(self.name, event, share, is_blind=is_blind),
                    event=event_id,
                    severity="medium" if share >= Fraction(1, 4) and view == "serving" else "low",
                    confidence=self.confidence(case),
                    members=members,
                    view=view,
                    share=share,
                    stops=self.stops(event_id, case),
                    facts=self.evidence.facts_about(members),
                    location=self.evidence.location_of(members),
                    would_settle="" if case.is_certain else self.question_about(event),
                )
            )
        return found

    # Data and cold start ---------------------------------------------------------------------------

    def lost_data(self) -> list[Finding]:
        """Return a finding for each state whose only copy one event destroys."""
        found = []
        for state, events in sorted(self.readings.worst.loses.items()):
            if not events:
                continue
            members = tuple(
                sorted({node for event in events for node in self.evidence.struck_by.get(event, ())})
            )
            is_certain = state not in self.service.possible_states
            found.append(
                Finding(
                    rule="NSP301",
                    service=self.name,
                    title=state_title(self.service, state, events, is_certain=is_certain),
                    event=f"loses:{state}",
                    severity="high" if is_certain else "medium",
                    confidence="certain" if is_certain else "possible",
                    members=members,
                    view="data",
                    facts=self.evidence.facts_about(members),
                    location=self.evidence.location_of(members),
                    would_settle="" if is_certain else f"is there anything that must not be lost: {state}?",
                )
            )
        return found

    def deadlock(self) -> list[Finding]:
        """Return the finding that parts wait for each other after everything was off."""
        waiting = sorted(self.readings.best.cold)
        if not waiting:
            return []
        says = ", ".join(self.topology.by_name[one].says for one in waiting[:6])
        return [
            Finding(
                rule="NSP507",
                service=self.name,
                title=f"After a full stop {self.name} cannot start: {says} wait for each other",
                event="cold",
                severity="medium",
                members=tuple(waiting),
                view="recovery",
                facts=self.evidence.facts_about(waiting),
            )
        ]


def every_part(requirements: Iterable[Requirement]) -> Iterator[Requirement]:
    """Yield requirements and all that they are made of."""
    waiting = list(requirements)
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(parts_of(found))


def without_echoes(events: Iterable[str], certain: set[str]) -> list[str]:
    """Return cuts without zones that are ones only because things of unknown zone may stand there.

    Where all of these may share one zone and stop the service with it, each zone there is says the same
    again; and where a zone of theirs is a certain cut already, the shared one adds nothing.
    """
    events = list(events)
    if SOMEWHERE not in events:
        return events
    is_said = any(one.startswith("zone of ") for one in certain)
    return [
        one
        for one in events
        if one in certain or not one.startswith("zone:") or (one == SOMEWHERE and not is_said)
    ]


def iso(moment: float) -> str:
    """Return a moment as ISO 8601, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = ["RULES_OF_VIEW", "days_left", "iso", "judge"]
