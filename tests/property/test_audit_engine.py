"""The engine against a brute force written from the definition, on random topologies.

The brute force knows no bits, no components and no counting: it tries every set of events and
evaluates requirements as they are written, starting from "everything that was not hit is up".
"""

from __future__ import annotations

from itertools import combinations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nospof.audit.analysis import analyse, analyse_pairs
from nospof.audit.cuts import blast_radius, single_cuts
from nospof.audit.graph import Gate, Graph, build_graph
from nospof.audit.proofs import prove_on
from nospof.audit.simulate import too_few
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

NAMES = [f"n{number}" for number in range(8)]
SHARED = ["zone:a", "zone:b", "window"]

LEAF = st.builds(On, st.sampled_from(NAMES))


def gates(inner: st.SearchStrategy[Requirement]) -> st.SearchStrategy[Requirement]:
    parts = st.lists(inner, min_size=0, max_size=3).map(tuple)
    weighted = st.lists(st.tuples(st.integers(0, 4), inner), min_size=1, max_size=4).map(tuple)
    return st.one_of(
        st.builds(AllOf, parts),
        st.builds(AnyOf, parts),
        st.builds(AtLeast, st.integers(0, 9), weighted),
        st.builds(Split, weighted),
        st.builds(Unknown, inner, inner),
    )


REQUIREMENT = st.recursive(LEAF, gates, max_leaves=6)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    nodes = []
    for name in NAMES:
        domains = draw(st.lists(st.sampled_from(SHARED), max_size=2, unique=True))
        faults = draw(st.sampled_from([(), (name,), (name, f"{name}'")]))
        needs = draw(st.one_of(st.just(UP), REQUIREMENT))
        blind = draw(st.one_of(st.just(UP), st.just(UP), LEAF))
        nodes.append(Node(name, needs, faults, tuple(domains), blind=blind))
    failed = draw(st.one_of(st.just([]), st.lists(st.sampled_from(NAMES), max_size=1)))
    return Topology("n0", tuple(nodes), failed_now=frozenset(failed))


class Definition:
    """What the words mean, evaluated as slowly and as plainly as possible."""

    def __init__(self, topology: Topology, pessimistic: bool = True) -> None:
        self.topology = topology
        self.pessimistic = pessimistic
        self.events = sorted({e for node in topology.nodes for e in (*node.faults, *node.domains)})

    def holds(self, requirement: Requirement, up: set[str], *, splits_need_all: bool = False) -> bool:
        def holds(part: Requirement) -> bool:
            return self.holds(part, up, splits_need_all=splits_need_all)

        match requirement:
            case On(node):
                return node in up
            case AllOf(parts):
                return all(map(holds, parts))
            case AnyOf(parts):
                return any(map(holds, parts))
            case AtLeast(need, weighted):
                return sum(weight for weight, part in weighted if holds(part)) >= need
            case Split(weighted):
                used = [holds(part) for weight, part in weighted if weight]
                return all(used) if splits_need_all else any(used)
            case Unknown(pessimistic, optimistic):
                return holds(pessimistic if self.pessimistic else optimistic)

    def up(self, events: tuple[str, ...], failed: frozenset[str] = frozenset(), **how: bool) -> set[str]:
        """The largest set of nodes that can be up together."""
        hit = {n.name for n in self.topology.nodes if {*n.faults, *n.domains} & set(events)}
        up = {node.name for node in self.topology.nodes} - hit - failed
        while True:
            left = {name for name in up if self.stands(self.topology.by_name[name], up, **how)}
            if left == up:
                return up
            up = left

    def stands(self, node: Node, up: set[str], **how: bool) -> bool:
        return self.holds(node.requirement, up, **how) and self.holds(node.blind, up, **how)

    def cold(self) -> set[str]:
        started: set[str] = set()
        while True:
            more = {n.name for n in self.topology.nodes if self.stands(n, started)}
            if more == started:
                return started
            started = more

    def is_up(self, events: tuple[str, ...], failed: frozenset[str]) -> bool:
        return self.topology.root in self.up(events, failed)

    def singles(self, failed: frozenset[str]) -> set[str]:
        if not self.is_up((), failed):
            return set()
        return {event for event in self.events if not self.is_up((event,), failed)}

    def pairs(self, failed: frozenset[str]) -> set[frozenset[str]]:
        if not self.is_up((), failed):
            return set()
        rest = sorted(set(self.events) - self.singles(failed))
        return {frozenset(pair) for pair in combinations(rest, 2) if not self.is_up(pair, failed)}


def reachable(topology: Topology, pessimistic: bool) -> set[str]:
    return set(build_graph(topology, pessimistic=pessimistic).index)


THOROUGH = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@THOROUGH
@given(topologies(), st.booleans(), st.booleans())
def test_single_points_are_those_of_the_definition(topology: Topology, pessimistic: bool, now: bool) -> None:
    definition = Definition(topology, pessimistic)
    failed = topology.failed_now if now else frozenset()
    serving = analyse(topology, pessimistic=pessimistic, now=now).serving
    assert serving.is_broken == (not definition.is_up((), failed))
    assert set(serving.total) == definition.singles(failed)
    assert len(set(serving.total)) == len(serving.total)


@THOROUGH
@given(topologies(), st.booleans(), st.booleans())
def test_pairs_are_those_of_the_definition(topology: Topology, pessimistic: bool, now: bool) -> None:
    failed = topology.failed_now if now else frozenset()
    products = analyse_pairs(analyse(topology, pessimistic=pessimistic, now=now))
    found = [frozenset((a, b)) for one in products for a in one.first for b in one.second]
    assert set(found) == Definition(topology, pessimistic).pairs(failed)
    assert len(found) == len(set(found)) == sum(map(len, products))


@THOROUGH
@given(topologies(), st.booleans())
def test_cold_start_and_blast_radius_are_those_of_the_definition(
    topology: Topology, pessimistic: bool
) -> None:
    definition = Definition(topology, pessimistic)
    graph = build_graph(topology, pessimistic=pessimistic)
    known = reachable(topology, pessimistic)
    running = definition.up(())
    assert analyse(topology, pessimistic=pessimistic).cold == (running - definition.cold()) & known
    for event in definition.events:
        assert blast_radius(graph, event) == known - definition.up((event,))


@THOROUGH
@given(topologies())
def test_bounds_enclose_the_truth(topology: Topology) -> None:
    """Whatever the unknown turns out to be, a certain cut is a cut and an excluded one is none."""
    worst, best = analyse(topology), analyse(topology, pessimistic=False)
    swapped = swap_unknown(topology)
    for truth in (Definition(topology), Definition(topology, False), Definition(swapped)):
        down_at_once = not truth.is_up((), frozenset())
        if worst.serving.is_broken or best.serving.is_broken:
            continue
        if monotone_bounds(topology):
            assert not down_at_once
            singles = truth.singles(frozenset())
            assert set(best.serving.total) <= singles <= set(worst.serving.total)


def swap_unknown(topology: Topology) -> Topology:
    """Another completion: unknown at the top of a node is the best, deeper ones the worst."""
    nodes = tuple(
        Node(n.name, n.requirement.optimistic, n.faults, n.domains, blind=n.blind)
        if isinstance(n.requirement, Unknown)
        else n
        for n in topology.nodes
    )
    return Topology(topology.root, nodes)


def monotone_bounds(topology: Topology) -> bool:
    """Whether the worst of every unknown is really no better than its best, in every state."""
    for node in topology.nodes:
        waiting = [node.requirement]
        while waiting:
            part = waiting.pop()
            if isinstance(part, Unknown):
                worst = Topology("r", (Node("r", part.pessimistic), *leaves()))
                best = Topology("r", (Node("r", part.optimistic), *leaves()))
                for size in range(len(NAMES) + 1):
                    for down in combinations(NAMES, size):
                        failed = frozenset(down)
                        if Definition(worst).is_up((), failed) and not Definition(best, False).is_up(
                            (), failed
                        ):
                            return False
            elif not isinstance(part, On):
                inner = part.parts
                waiting.extend(one[1] if isinstance(one, tuple) else one for one in inner)
    return True


def leaves() -> list[Node]:
    return [Node(name) for name in NAMES]


@THOROUGH
@given(topologies(), st.booleans(), st.data())
def test_proofs_end_cite_only_earlier_falls_and_rest_on_the_events(
    topology: Topology, pessimistic: bool, data: st.DataObject
) -> None:
    definition = Definition(topology, pessimistic)
    events = data.draw(st.lists(st.sampled_from(definition.events or ["none"]), max_size=3, unique=True))
    graph = build_graph(topology, pessimistic=pessimistic)
    proof = prove_on(graph, topology, events)
    assert bool(proof) == (not definition.is_up(tuple(events), frozenset()))
    explained: dict[int, set[int]] = {}
    path: list[int] = []
    for line in proof:
        del path[line.depth :]
        assert line.gate not in path, "a proof may not go in a circle"
        if path:
            explained[path[-1]].add(line.gate)
        path.append(line.gate)
        explained.setdefault(line.gate, set())
    for gate, causes in explained.items():
        assert is_sound(topology, graph, gate, causes, set(events))
    assert len(proof) <= 1 + sum(map(len, graph.children))


def is_sound(topology: Topology, graph: Graph, gate: int, causes: set[int], events: set[str]) -> bool:
    """Whether the cited children, all down, really force the gate down; without any, whether it was hit."""
    if not causes:
        node = topology.by_name.get(graph.names[gate])
        is_hit = node is not None and events & {*node.faults, *node.domains}
        return bool(is_hit) or is_constant_down(graph, gate)
    children = graph.children[gate]
    if graph.gates[gate] is Gate.ALL:
        return causes <= set(children)
    if graph.gates[gate] is Gate.AT_LEAST:
        pairs = zip(graph.weights[gate], children, strict=True)
        return sum(weight for weight, child in pairs if child not in causes) < graph.needs[gate]
    return causes == set(children)


def is_constant_down(graph: Graph, gate: int) -> bool:
    if graph.gates[gate] is Gate.AT_LEAST:
        return sum(graph.weights[gate]) < graph.needs[gate]
    return graph.gates[gate] is not Gate.ALL and not graph.children[gate]


class Clients:
    """Where clients get lost: sent by weight to a lost part, or to what only looks up."""

    def __init__(self, definition: Definition, events: tuple[str, ...]) -> None:
        self.definition = definition
        topology = definition.topology
        self.up = definition.up(events)
        sighted = Topology(
            topology.root, tuple(Node(n.name, n.requirement, n.faults, n.domains) for n in topology.nodes)
        )
        self.seen = Definition(sighted, definition.pessimistic).up(events)
        self.losing = {node.name for node in topology.nodes} - self.up
        while more := {n.name for n in topology.nodes if self.loses(n)} - self.losing:
            self.losing |= more

    def loses(self, node: Node) -> bool:
        return self.lost(node.requirement) or self.lost(node.blind)

    def lost(self, requirement: Requirement) -> bool:
        if not self.definition.holds(requirement, self.up):
            return True
        match requirement:
            case On(node):
                return node in self.losing
            case AllOf(parts):
                return any(map(self.lost, parts))
            case AnyOf(parts):
                return any(self.lost(part) and self.definition.holds(part, self.seen) for part in parts)
            case AtLeast(need, weighted):
                if need <= 0:  # Who needs none of them sends nobody there.
                    return False
                sent = [part for weight, part in weighted if weight]
                return any(self.lost(part) and self.definition.holds(part, self.seen) for part in sent)
            case Split(weighted):
                return any(self.lost(part) for weight, part in weighted if weight)
            case Unknown(pessimistic, optimistic):
                return self.lost(pessimistic if self.definition.pessimistic else optimistic)

    @property
    def are_partly_lost(self) -> bool:
        root = self.definition.topology.root
        return root in self.losing and root in self.up


NEEDS_NONE = Topology(
    "n0",
    (
        Node("n0", AtLeast(0, ((1, On("n1")),))),
        Node("n1", UP, blind=On("n2")),
        Node("n2", UP, ("n2",)),
    ),
)
"""Nobody is lost where none of the parts is needed, whatever they cannot see."""


@THOROUGH
@given(topologies(), st.booleans())
@example(NEEDS_NONE, True)
def test_partial_outages_are_those_in_which_clients_get_lost(topology: Topology, pessimistic: bool) -> None:
    definition = Definition(topology, pessimistic)
    at_rest = Clients(definition, ())
    serving = analyse(topology, pessimistic=pessimistic).serving
    assert all(0 < share < 1 for _, share in serving.partial)
    if not at_rest.are_partly_lost:
        expected = {e for e in definition.events if Clients(definition, (e,)).are_partly_lost}
        assert {event for event, _ in serving.partial} == (set() if serving.is_broken else expected)


@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 300)), max_size=12),
    st.integers(-1, 2000),
)
def test_bit_sliced_sums_agree_with_sums(pairs: list[tuple[int, int]], need: int) -> None:
    masks, weights = [mask for mask, _ in pairs], [weight for _, weight in pairs]
    few = too_few(masks, weights, need, 255)
    for case in range(8):
        up = sum(weight for mask, weight in pairs if not mask >> case & 1)
        assert bool(few >> case & 1) == (up < need)


@settings(max_examples=50, deadline=None)
@given(topologies())
def test_same_topology_same_answer_in_the_same_order(topology: Topology) -> None:
    assert single_cuts(build_graph(topology)) == single_cuts(build_graph(topology))
    assert analyse_pairs(analyse(topology)) == analyse_pairs(analyse(topology))
