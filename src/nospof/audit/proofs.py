"""Why the entry stops: a finite derivation that a reader can check line by line.

Ranks are the rounds in which gates fell. A line cites only gates that fell earlier, so a proof
ends on cycles too; what was explained once is not explained again, so it stays no longer than
the graph.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from nospof.audit.cuts import gates_of, hits
from nospof.audit.graph import Gate, Graph, build_graph
from nospof.audit.simulate import NEVER_FELL, fall_ranks
from nospof.model.topology import Topology


@dataclass(frozen=True)
class ProofLine:
    """One step: the node (empty for a gate inside a requirement) and the sentence about it."""

    depth: int
    node: str
    says: str
    gate: int


def prove(
    topology: Topology,
    event_ids: Collection[str],
    *,
    view: str = "serving",
    pessimistic: bool = True,
    failed: Collection[str] = (),
) -> tuple[ProofLine, ...]:
    """Return the proof that events (with what has failed already) take the entry down.

    Returns:
        Lines in reading order, deeper ones supporting the nearest shallower one above; empty when
        the entry stays up.
    """
    graph = build_graph(topology, view=view, pessimistic=pessimistic)
    return prove_on(graph, topology, event_ids, failed)


def prove_on(
    graph: Graph, topology: Topology, event_ids: Collection[str], failed: Collection[str] = ()
) -> tuple[ProofLine, ...]:
    """Return the proof on a graph that is built already; see `prove`."""
    struck = hits(graph, event_ids)
    down_already = gates_of(graph, failed)
    ranks = fall_ranks(graph, struck | down_already)
    if ranks[graph.root] == NEVER_FELL:
        return ()
    teller = _Teller(graph, topology, set(event_ids), down_already, ranks)
    return teller.tell()


class _Teller:
    def __init__(
        self,
        graph: Graph,
        topology: Topology,
        events: set[str],
        down_already: set[int],
        ranks: list[int],
    ) -> None:
        self.graph = graph
        self.topology = topology
        self.events = events
        self.down_already = down_already
        self.ranks = ranks
        self.labels = {event.id: event.says for event in topology.events}

    def tell(self) -> tuple[ProofLine, ...]:
        told: set[int] = set()
        lines: list[ProofLine] = []
        waiting = [(self.graph.root, 0)]
        while waiting:
            gate, depth = waiting.pop()
            causes = self.causes(gate)
            if gate in told and causes:
                lines.append(ProofLine(depth, self.graph.names[gate], f"{self.name(gate)}: see above", gate))
                continue
            told.add(gate)
            lines.append(ProofLine(depth, self.graph.names[gate], self.sentence(gate), gate))
            waiting.extend((cause, depth + 1) for cause in reversed(causes))
        return tuple(lines)

    def causes(self, gate: int) -> list[int]:
        """Return the children whose fall felled the gate; none when it fell by itself."""
        rank = self.ranks[gate]
        if rank == 0:
            return []
        earlier = [child for child in self.graph.children[gate] if 0 <= self.ranks[child] < rank]
        if self.graph.gates[gate] is Gate.ALL:
            return [min(earlier, key=self.ranks.__getitem__)]
        return list(dict.fromkeys(earlier))

    def name(self, gate: int) -> str:
        name = self.graph.names[gate]
        if name:
            return self.topology.by_name[name].says
        return "what it needs"

    def sentence(self, gate: int) -> str:
        if self.ranks[gate] == 0:
            return f"{self.name(gate)} {self.own_fall(gate)}"
        return f"{self.name(gate)} stops, because {self.gate_fall(gate)}"

    def own_fall(self, gate: int) -> str:
        struck = [event for event in self.graph.events[gate] if event in self.events]
        if struck == [self.graph.names[gate]]:
            return "fails"
        if struck:
            return f"fails: {', '.join(self.labels.get(event, event) for event in struck)}"
        return "is down already" if gate in self.down_already else "can never be up"

    def gate_fall(self, gate: int) -> str:
        kind = self.graph.gates[gate]
        children = self.graph.children[gate]
        if kind is Gate.ALL:
            return "this stops:"
        if kind is Gate.AT_LEAST:
            weights = self.graph.weights[gate]
            rank = self.ranks[gate]
            lost = sum(
                weight
                for weight, child in zip(weights, children, strict=True)
                if 0 <= self.ranks[child] < rank
            )
            return f"{sum(weights) - lost} of {sum(weights)} left, {self.graph.needs[gate]} needed; lost:"
        if len(children) == 1:
            return "its only one is lost:"
        return f"all {len(children)} alternatives are lost:"
