"""From cuts to findings: the rule is chosen by what happens, the confidence by the two bounds.

A cut in the pessimistic and the optimistic reading is certain; in the pessimistic one alone it is
possible. A cut only because something has failed already is one of "now".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Literal

from nospof.audit.account import AccountFacts
from nospof.audit.analysis import Analysis, analyse, failed_nodes
from nospof.audit.cuts import blast_radius, gates_of
from nospof.audit.evidence import facts_about, ordered
from nospof.audit.graph import Graph, build_graph
from nospof.audit.proofs import prove_on
from nospof.audit.service import Service
from nospof.model.findings import Confidence, Finding, ProofStep, Severity
from nospof.model.topology import Event

RULE_OF_KIND = {
    "instance": "NSP101",
    "volume": "NSP102",
    "zone": "NSP201",
    "rack": "NSP203",
    "maintenance": "NSP204",
    "unread": "NSP901",
}
SOON_SECONDS = 14 * 86_400
"""What is announced for the next two weeks is critical."""

Time = Literal["configured", "now"]


@dataclass(frozen=True)
class Readings:
    """The four readings of one service: two bounds, as configured and now."""

    worst: Analysis
    best: Analysis
    worst_now: Analysis
    best_now: Analysis


def read_both_ways(service: Service) -> Readings:
    """Return the four readings."""
    topology = service.topology
    worst = analyse(topology)
    best = analyse(topology, pessimistic=False) if topology.has_unknown else worst
    if not topology.failed_now and not topology.maybe_failed_now:
        return Readings(worst, best, worst, best)
    worst_now = analyse(topology, now=True)
    return Readings(worst, best, worst_now, analyse(topology, pessimistic=False, now=True))


def cut_findings(facts: AccountFacts, service: Service, readings: Readings) -> list[Finding]:
    """Return the findings that are cuts: down, single points of failure, partial outages."""
    return _Judge(facts, service, readings).findings()


class _Judge:
    def __init__(self, facts: AccountFacts, service: Service, readings: Readings) -> None:
        self.facts = facts
        self.service = service
        self.readings = readings
        self.name = service.entry.service
        self.graphs: dict[bool, Graph] = {}

    def graph(self, pessimistic: bool) -> Graph:
        if pessimistic not in self.graphs:
            self.graphs[pessimistic] = build_graph(self.service.topology, pessimistic=pessimistic)
        return self.graphs[pessimistic]

    def findings(self) -> list[Finding]:
        r = self.readings
        found = list(self.down())
        certain = set(r.best.serving.total)
        configured = list(r.worst.serving.total)
        found += self.of_events(configured, lambda event: event in certain, "configured")
        known = {*configured, *(event for event, _ in r.worst.serving.partial)}
        certain_now = set(r.best_now.serving.total)
        newly = [event for event in r.worst_now.serving.total if event not in set(configured)]
        found += self.of_events(newly, lambda event: event in certain_now, "now")
        found += self.partial(known - set(configured))
        return found

    # It is down already --------------------------------------------------------------------------

    def down(self) -> list[Finding]:
        r = self.readings
        time: Time = "configured" if r.worst.serving.is_broken else "now"
        worst, best = (r.worst, r.best) if time == "configured" else (r.worst_now, r.best_now)
        if not worst.serving.is_broken:
            return []
        is_certain = best.serving.is_broken
        says = "serves nobody" if is_certain else "may serve nobody"
        when = " now" if time == "now" else " as it is configured"
        proof = self.proof((), "configured" if time == "configured" else "now", is_certain)
        return [
            Finding(
                rule="NSP100",
                service=self.name,
                title=f"{self.name} {says}{when}: {self.what_is_off() or 'nothing can serve it'}",
                event="down",
                severity="critical" if is_certain else "high",
                confidence="certain" if is_certain else "possible",
                members=tuple(sorted(self.service.state_of)),
                order=0,
                time=time,
                proof=proof,
                facts=ordered(
                    fact
                    for node in self.service.state_of
                    for fact in facts_about(self.facts, self.service, node)
                ),
            )
        ]

    def what_is_off(self) -> str:
        return ", ".join(f"{node} is {state}" for node, state in sorted(self.service.state_of.items()))

    # Single points of failure --------------------------------------------------------------------

    def of_events(self, events: list[str], is_certain: Callable[[str], bool], time: Time) -> list[Finding]:
        found = []
        for event_id, members in self.classes(events):
            event = self.service.topology.event(event_id)
            confidence: Confidence = "certain" if is_certain(event_id) else "possible"
            found.append(
                Finding(
                    rule=RULE_OF_KIND[event.kind],
                    service=self.name,
                    title=self.title(event, time),
                    event=event_id,
                    severity=self.severity(event, confidence, time),
                    confidence=confidence,
                    members=members,
                    time=time,
                    due=iso(event.starts_at) if event.starts_at else "",
                    stops=self.stops(event_id, time, confidence == "certain"),
                    proof=self.proof((event_id,), time, confidence == "certain"),
                    facts=ordered(
                        fact for one in members for fact in facts_about(self.facts, self.service, one)
                    ),
                )
            )
        return found

    def classes(self, events: list[str]) -> list[tuple[str, tuple[str, ...]]]:
        """Return each event with what fails with the same effect: a machine stands for its disks."""
        nodes = self.service.topology.by_name
        disks_of = {
            one: [each.volume_id for each in self.facts.instances[one].attachments]
            for one in self.service.members
            if one in self.facts.instances
        }
        told = {disk for one in events if one in disks_of for disk in disks_of[one]}
        found = []
        for event in sorted(events):
            if event in told:
                continue
            if event in disks_of:
                found.append((event, (event, *(disk for disk in disks_of[event] if disk in events))))
            else:
                struck = [name for name, node in nodes.items() if event in (*node.faults, *node.domains)]
                found.append((event, tuple(sorted(struck)) or (event,)))
        return found

    def title(self, event: Event, time: Time) -> str:
        name = self.name
        if time == "now":
            return f"{name} has no spare now ({self.what_is_off()}): it stops {upon(event)}"
        if event.kind == "instance":
            return self.instance_title(event)
        if event.kind == "zone" and self.is_everything_in(event.id):
            zone = event.id.partition(":")[2]
            return f"Every machine of {name} is in zone {zone}: none is left when it fails"
        if event.kind == "maintenance":
            members = ", ".join(self.hit_by(event.id))
            return f"{event.says} takes {name} down: no other member serves while {members} is out"
        if event.kind == "unread":
            return f"{name} may hang on something unread: {event.says}"
        return f"{name} stops {upon(event)}"

    def instance_title(self, event: Event) -> str:
        node = self.service.topology.by_name[event.id].says
        if self.service.members == (event.id,):
            behind = f"the only one behind {self.service.topology.root}"
            alone = f"all there is of {self.name}"
            node = node[:1].upper() + node[1:]
            return f"{node} is {behind if self.service.entry.is_balancer else alone}: no second machine"
        return f"{self.name} stops when {node} fails"

    def is_everything_in(self, event_id: str) -> bool:
        nodes = self.service.topology.by_name
        return all(event_id in nodes[member].domains for member in self.service.members)

    def hit_by(self, event_id: str) -> list[str]:
        return sorted(node.name for node in self.service.topology.nodes if event_id in node.domains)

    def severity(self, event: Event, confidence: Confidence, time: Time) -> Severity:
        if confidence == "possible":
            return "high" if event.kind in ("instance", "zone", "maintenance") else "medium"
        if time == "now":
            return "high"
        if event.kind == "maintenance":
            return "critical" if event.starts_at - self.facts.read_at <= SOON_SECONDS else "high"
        return "critical" if event.kind in ("instance", "zone") else "high"

    def failed(self, time: Time, is_certain: bool) -> frozenset[str]:
        return failed_nodes(self.service.topology, now=time == "now", pessimistic=not is_certain)

    def stops(self, event_id: str, time: Time, is_certain: bool) -> tuple[str, ...]:
        graph = self.graph(not is_certain)
        failed = gates_of(graph, self.failed(time, is_certain))
        return tuple(sorted(blast_radius(graph, event_id, failed)))

    def proof(self, events: tuple[str, ...], time: Time, is_certain: bool) -> tuple[ProofStep, ...]:
        graph = self.graph(not is_certain)
        lines = prove_on(graph, self.service.topology, events, self.failed(time, is_certain))
        return tuple(ProofStep(line.depth, self.told(line.node, line.says)) for line in lines)

    def told(self, node: str, says: str) -> str:
        state = self.service.state_of.get(node, "")
        return f"{says}: {state}" if state and says.endswith("is down already") else says

    # Partial outages -----------------------------------------------------------------------------

    def partial(self, events: set[str]) -> list[Finding]:
        shares = dict(self.readings.worst.serving.partial)
        certain = {event for event, _ in self.readings.best.serving.partial}
        found = []
        for event_id, members in self.classes(sorted(events)):
            event, share = self.service.topology.event(event_id), shares[event_id]
            found.append(
                Finding(
                    rule="NSP407",
                    service=self.name,
                    title=f"{share_says(share)} of the clients of {self.name} are lost {upon(event)}: "
                    "nothing sends them to the other group",
                    event=event_id,
                    severity="medium" if share >= Fraction(1, 4) else "low",
                    confidence="certain" if event_id in certain else "possible",
                    members=members,
                    share=share,
                    stops=self.stops(event_id, "configured", event_id in certain),
                    facts=ordered(
                        fact for one in members for fact in facts_about(self.facts, self.service, one)
                    ),
                )
            )
        return found


def upon(event: Event) -> str:
    """Return when an event strikes, as the end of a sentence."""
    return f"with {event.says}" if event.kind in ("maintenance", "unread") else f"when {event.says} fails"


def share_says(share: Fraction) -> str:
    """Return a share in words."""
    return f"About {round(share * 100)} %"


def iso(moment: float) -> str:
    """Return a moment as ISO 8601, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
