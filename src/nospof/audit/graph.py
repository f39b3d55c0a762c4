"""A topology as gates: the form every question of the audit is answered on.

Each node becomes one gate over other gates; what is nested inside a requirement becomes a gate
without a name. Only what the entry can reach is kept. Nothing here recurses: chains of 100,000
nodes are fine.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

from nospof.model.topology import (
    UP,
    AllOf,
    AnyOf,
    AtLeast,
    Node,
    On,
    Requirement,
    Split,
    Topology,
    Unknown,
)


class Gate(IntEnum):
    """How a gate falls when its children do."""

    ALL = 0
    ANY = 1
    AT_LEAST = 2
    SPLIT = 3


@dataclass
class Graph:
    """Gates by index; children may come before or after their parents.

    `blind` holds, for each gate, the children that its health check cannot see. `components` are
    the strongly connected ones, children first. `witnesses` holds gates that keep the entry up, by those
    that have failed, once somebody has asked.
    """

    root: int = 0
    names: list[str] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    children: list[tuple[int, ...]] = field(default_factory=list)
    weights: list[tuple[int, ...]] = field(default_factory=list)
    needs: list[int] = field(default_factory=list)
    blind: dict[int, tuple[int, ...]] = field(default_factory=dict)
    events: list[tuple[str, ...]] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    components: list[list[int]] = field(default_factory=list)
    witnesses: dict[frozenset[int], set[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.gates)

    @property
    def event_ids(self) -> list[str]:
        """Every event that hits something, each once, children's first."""
        seen: dict[str, None] = {}
        for component in self.components:
            for gate in component:
                seen.update(dict.fromkeys(self.events[gate]))
        return list(seen)

    @cached_property
    def parents(self) -> list[list[tuple[int, int]]]:
        """For every gate, who needs it and with what weight, once for each time it is named."""
        parents: list[list[tuple[int, int]]] = [[] for _ in range(len(self))]
        for gate, children in enumerate(self.children):
            is_weighed = self.gates[gate] is Gate.AT_LEAST
            for place, child in enumerate(children):
                parents[child].append((gate, self.weights[gate][place] if is_weighed else 1))
        return parents

    @property
    def is_ever_partial(self) -> bool:
        """Whether an outage of a part of the clients is possible at all."""
        return bool(self.blind) or Gate.SPLIT in self.gates

    def named(self, gates: set[int]) -> frozenset[str]:
        """Return the names of those gates that are nodes."""
        return frozenset(self.names[gate] for gate in gates if self.names[gate])


def build_graph(topology: Topology, *, view: str = "serving", pessimistic: bool = True) -> Graph:
    """Return the gates of a topology as one view and one bound sees them.

    Args:
        topology: what there is.
        view: adds that view's needs to those of serving.
        pessimistic: read what is not known as the worst it can be; otherwise as the best.
    """
    return _Builder(topology, view, pessimistic).build()


class Graphs:
    """The graphs of one topology, each made when it is first asked for."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._made: dict[tuple[str, bool], Graph] = {}

    def of(self, view: str, *, pessimistic: bool) -> Graph:
        """Return the gates as one view and one bound sees them; see `build_graph`."""
        found = self._made.get((view, pessimistic))
        if found is None:
            if pessimistic or self._topology.has_open_requirements:
                found = build_graph(self._topology, view=view, pessimistic=pessimistic)
            else:
                # Both bounds need the same: they differ in what may hit it.
                found = copy(self.of(view, pessimistic=True))
                found.events = [
                    events_of(self._topology.by_name[name], pessimistic=False) if name else ()
                    for name in found.names
                ]
            self._made[view, pessimistic] = found
        return found


def events_of(node: Node, *, pessimistic: bool) -> tuple[str, ...]:
    """Return the events that hit a node, each once."""
    events = (*node.faults, *node.domains, *(node.possible_domains if pessimistic else ()))
    return tuple(dict.fromkeys(events)) if len(events) > 1 else events


def requirement_in(node: Node, view: str) -> tuple[Requirement, ...]:
    """Return what a node needs to serve, and beyond that in one view."""
    return node.requirement, *(extra for name, extra in node.views if name == view)


class _Builder:
    def __init__(self, topology: Topology, view: str, pessimistic: bool) -> None:
        self.topology = topology
        self.view = view
        self.pessimistic = pessimistic
        self.graph = Graph()
        self.waiting: list[tuple[int, Requirement]] = []

    def build(self) -> Graph:
        self.graph.root = self.node(self.topology.root)
        while self.waiting:
            gate, requirement = self.waiting.pop()
            self.fill(gate, requirement)
        self.graph.components = components_of(self.graph)
        return self.graph

    def new_gate(self, name: str, events: tuple[str, ...]) -> int:
        graph = self.graph
        graph.names.append(name)
        graph.events.append(events)
        graph.gates.append(Gate.ALL)
        graph.children.append(())
        graph.weights.append(())
        graph.needs.append(0)
        return len(graph.gates) - 1

    def node(self, name: str) -> int:
        known = self.graph.index.get(name)
        if known is not None:
            return known
        node = self.topology.by_name[name]
        gate = self.new_gate(name, events_of(node, pessimistic=self.pessimistic))
        self.graph.index[name] = gate
        if node.blind is not UP and node.blind != UP:
            unseen = self.child(node.blind)
            self.graph.blind[gate] = (unseen,)
        needs = requirement_in(node, self.view) if node.views else (node.requirement,)
        self.waiting.append((gate, needs[0] if len(needs) == 1 else AllOf(needs)))
        return gate

    def known(self, requirement: Requirement) -> Requirement:
        while isinstance(requirement, Unknown):
            requirement = requirement.pessimistic if self.pessimistic else requirement.optimistic
        return requirement

    def child(self, requirement: Requirement) -> int:
        requirement = self.known(requirement)
        if isinstance(requirement, On):
            return self.node(requirement.node)
        gate = self.new_gate("", ())
        self.waiting.append((gate, requirement))
        return gate

    def fill(self, gate: int, requirement: Requirement) -> None:
        """Give a gate its children."""
        graph = self.graph
        requirement = self.known(requirement)
        unseen = graph.blind.pop(gate, ())
        if unseen and not isinstance(requirement, AllOf):
            requirement = AllOf((requirement,))
        match requirement:
            case On(node):
                graph.children[gate] = (self.node(node),)
            case AllOf(parts):
                seen = self.conjuncts(parts) if parts else ()
                if unseen := tuple(child for child in unseen if child not in seen):
                    graph.blind[gate] = unseen
                graph.children[gate] = (*seen, *unseen)
            case AnyOf(parts):
                graph.gates[gate] = Gate.ANY
                graph.children[gate] = tuple(self.child(part) for part in parts)
            case AtLeast(need, _) if need <= 0:
                pass  # Who needs none of them sends nobody there: it stands like what needs nothing.
            case AtLeast(need, weighted):
                graph.gates[gate] = Gate.AT_LEAST
                graph.needs[gate] = need
                self.weigh(gate, weighted)
            case Split(weighted):
                graph.gates[gate] = Gate.SPLIT
                # Nobody is sent to a part of weight 0, so it neither serves nor is missed.
                self.weigh(gate, tuple(pair for pair in weighted if pair[0]))

    def weigh(self, gate: int, weighted: tuple[tuple[int, Requirement], ...]) -> None:
        self.graph.weights[gate] = tuple(weight for weight, _ in weighted)
        self.graph.children[gate] = tuple(self.child(part) for _, part in weighted)

    def conjuncts(self, parts: tuple[Requirement, ...]) -> tuple[int, ...]:
        """Return the children of a conjunction, with conjunctions inside it dissolved."""
        found: list[int] = []
        waiting = list(reversed(parts))
        while waiting:
            part = waiting.pop()
            if isinstance(part, On):
                found.append(self.node(part.node))
                continue
            part = self.known(part)
            if isinstance(part, AllOf):
                waiting.extend(reversed(part.parts))
            else:
                found.append(self.child(part))
        return tuple(dict.fromkeys(found))


def components_of(graph: Graph) -> list[list[int]]:
    """Return the strongly connected components, children first (Tarjan 1972, without recursion)."""
    size = len(graph)
    number = [0] * size
    low = [0] * size
    is_open = bytearray(size)
    opened: list[int] = []
    found: list[list[int]] = []
    counter = 1
    number[graph.root] = low[graph.root] = counter
    opened.append(graph.root)
    is_open[graph.root] = 1
    path = [(graph.root, iter(graph.children[graph.root]))]
    while path:
        gate, rest = path[-1]
        for child in rest:
            if not number[child]:
                counter += 1
                number[child] = low[child] = counter
                opened.append(child)
                is_open[child] = 1
                path.append((child, iter(graph.children[child])))
                break
            if is_open[child] and number[child] < low[gate]:
                low[gate] = number[child]
        else:
            path.pop()
            if path:
                above = path[-1][0]
                if low[gate] < low[above]:
                    low[above] = low[gate]
            if low[gate] == number[gate]:
                found.append(_close(gate, opened, is_open))
    return found


def _close(gate: int, opened: list[int], is_open: bytearray) -> list[int]:
    """Take a finished component off the stack, deepest first."""
    component: list[int] = []
    while not component or component[-1] != gate:
        component.append(opened.pop())
        is_open[component[-1]] = 0
    return component
