"""The four readings of a service: two bounds, as configured and now. Alike services share the work.

The engine asks how parts hang together and never what they are called. So two services whose parts
and events differ in names only have the same answers by other names: they are of one shape, which is
worked out once. Everything that asks for words (labels, kinds, what was read) comes after.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

from nospof.audit.analysis import Analysis, analyse
from nospof.audit.cuts import Cuts
from nospof.audit.graph import Graph, Graphs
from nospof.model.topology import AllOf, AnyOf, AtLeast, On, Requirement, Split, Topology, Unknown, parts_of

KEPT = 1_000
"""So many shapes are remembered; an account has a few dozen, and one of all different ones gains nothing."""


@dataclass(frozen=True)
class Readings:
    """The four readings of one service, and their graphs."""

    worst: Analysis
    best: Analysis
    worst_now: Analysis
    best_now: Analysis
    graphs: Graphs


def read_both_ways(topology: Topology) -> Readings:
    """Return the four readings."""
    is_known = not topology.has_unknown
    graphs = Graphs(topology)
    worst = analyse(topology, graphs=graphs)
    best = worst if is_known else analyse(topology, pessimistic=False, graphs=graphs)
    if not topology.failed_now and not topology.maybe_failed_now:
        return Readings(worst, best, worst, best, graphs)
    worst_now = analyse(topology, now=True, graphs=graphs)
    if is_known and not topology.maybe_failed_now:
        return Readings(worst, best, worst_now, worst_now, graphs)
    best_now = analyse(topology, pessimistic=False, now=True, graphs=graphs)
    return Readings(worst, best, worst_now, best_now, graphs)


class AlikeReadings:
    """Reads topologies both ways, those of one shape once."""

    def __init__(self) -> None:
        self._known: dict[Shape, tuple[Names, Readings]] = {}

    def of(self, topology: Topology) -> Readings:
        """Return what `read_both_ways` does."""
        names = names_of(topology)
        shape = shape_of(topology, names)
        known = self._known.get(shape)
        if known is None:
            found = read_both_ways(topology)
            if len(self._known) < KEPT:
                self._known[shape] = names, found
            return found
        first, readings = known
        return by_other_names(readings, first.to(names))


# Shapes ---------------------------------------------------------------------------------------------------

Shape = tuple[object, ...]
"""All that the engine looks at, with numbers for names."""


@dataclass(frozen=True)
class Names:
    """What a topology's nodes, events and states are called; each one's number in the shape is its place."""

    nodes: tuple[str, ...]
    events: tuple[str, ...]
    states: tuple[str, ...]

    def to(self, others: Names) -> Renaming:
        """Return what turns these names into those of another topology of the same shape."""
        nodes, events, states = (
            dict(zip(ours, theirs, strict=True))
            for ours, theirs in (
                (self.nodes, others.nodes),
                (self.events, others.events),
                (self.states, others.states),
            )
        )
        return Renaming(nodes, events, states)


@dataclass(frozen=True)
class Renaming:
    """The other name of each node, event and state."""

    nodes: dict[str, str]
    events: dict[str, str]
    states: dict[str, str]


def names_of(topology: Topology) -> Names:
    """Return the names of a topology, in the order in which they first stand in it."""
    events: dict[str, None] = {}
    for node in topology.nodes:
        for each in (node.faults, node.domains, node.possible_domains):
            events.update(dict.fromkeys(each))
    states = dict.fromkeys(state.name for state in topology.states)
    return Names(tuple(topology.by_name), tuple(events), tuple(states))


def shape_of(topology: Topology, names: Names) -> Shape:
    """Return the shape of a topology, where names are its own.

    Two topologies have equal shapes exactly if the renaming of one's names to the other's makes all that
    the engine looks at in it equal: requirements, what hits a node, copies of data, what has failed, and
    the order of all of these.
    """
    nodes, events, states = (
        {name: place for place, name in enumerate(each)} for each in (names.nodes, names.events, names.states)
    )
    return (
        nodes[topology.root],
        tuple(
            (
                coded(node.requirement, nodes),
                tuple([events[one] for one in node.faults]),
                tuple([events[one] for one in node.domains]),
                tuple([events[one] for one in node.possible_domains]),
                coded(node.blind, nodes),
                tuple([(view, coded(extra, nodes)) for view, extra in node.views]),
            )
            for node in topology.nodes
        ),
        tuple([(states[one.name], coded(one.copies, nodes)) for one in topology.states]),
        frozenset([nodes[one] for one in topology.failed_now]),
        frozenset([nodes[one] for one in topology.maybe_failed_now]),
    )


def coded(requirement: Requirement, nodes: dict[str, int]) -> tuple[object, ...]:
    """Return a requirement in prefix notation, with numbers for nodes: each gate says how many parts follow.

    Without recursion, as requirements are nested as deeply as they are added to.
    """
    if isinstance(requirement, On):
        return (nodes[requirement.node],)
    code: list[object] = []
    waiting: list[Requirement] = [requirement]
    while waiting:
        one = waiting.pop()
        if isinstance(one, On):
            code.append(nodes[one.node])
            continue
        parts = parts_of(one)
        match one:
            case AtLeast(need, weighted):
                code.append(("at least", need, *(weight for weight, _ in weighted)))
            case Split(weighted):
                code.append(("split", *(weight for weight, _ in weighted)))
            case _:
                code.append((GATES[type(one)], len(parts)))
        waiting.extend(reversed(parts))
    return tuple(code)


GATES: dict[type, str] = {AllOf: "all", AnyOf: "any", Unknown: "unknown"}

# Other names ----------------------------------------------------------------------------------------------


def by_other_names(readings: Readings, to: Renaming) -> Readings:
    """Return the readings of a topology of the same shape."""
    graphs = RenamedGraphs(readings.graphs, to)
    each = (readings.worst, readings.best, readings.worst_now, readings.best_now)
    made = {id(one): analysis_by_other_names(one, graphs, to) for one in each}
    worst, best, worst_now, best_now = (made[id(one)] for one in each)
    return Readings(worst, best, worst_now, best_now, graphs)


class RenamedGraphs(Graphs):
    """The graphs of a topology, taken from those of another one of the same shape."""

    def __init__(self, others: Graphs, to: Renaming) -> None:
        self._others = others
        self._to = to
        self._renamed: dict[int, Graph] = {}

    def of(self, view: str, *, pessimistic: bool) -> Graph:
        """See `Graphs.of`."""
        return self.renamed(self._others.of(view, pessimistic=pessimistic))

    def renamed(self, graph: Graph) -> Graph:
        """Return a graph of the other topology by our names; what has no names is shared with it."""
        found = self._renamed.get(id(graph))
        if found is None:
            nodes, events = self._to.nodes, self._to.events
            found = self._renamed[id(graph)] = copy(graph)
            found.names = [nodes[name] if name else "" for name in graph.names]
            found.events = [tuple([events[one] for one in each]) for each in graph.events]
            found.index = {nodes[name]: gate for name, gate in graph.index.items()}
        return found


def analysis_by_other_names(analysis: Analysis, graphs: RenamedGraphs, to: Renaming) -> Analysis:
    """Return what was found on one topology, said of another one of the same shape."""
    events = to.events
    return Analysis(
        {
            view: Cuts(
                tuple([events[one] for one in cuts.total]),
                tuple([(events[one], share) for one, share in cuts.partial]),
                cuts.is_broken,
            )
            for view, cuts in analysis.views.items()
        },
        {to.states[state]: tuple([events[one] for one in each]) for state, each in analysis.loses.items()},
        frozenset([to.nodes[one] for one in analysis.cold]),
        graphs.renamed(analysis.graph),
        analysis.failed,
    )
