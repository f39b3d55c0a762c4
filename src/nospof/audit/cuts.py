"""Which events take a service down: alone, in pairs, for a part of its clients, per view.

Exact, and the same for the same topology. What cannot matter is left out first, by arguments that
keep the answer exact: a set of gates that keeps the entry up (a witness) is hurt by every cut, so
only events that touch it can be one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from nospof.audit.graph import Gate, Graph, build_graph
from nospof.audit.simulate import (
    NEVER_FELL,
    fall_ranks,
    share_lost,
    simulate,
    simulate_partial,
    start_from_cold,
)
from nospof.errors import UsageError
from nospof.model.topology import AllOf, Node, State, Topology

COLUMNS = 8192
"""Cases simulated in one pass: keeps every integer under 1 KiB, so memory grows with the nodes only."""
PAIR_BITS = 32_768
"""Cases of pairs packed into one pass."""
PAIR_CASES_AT_MOST = 16_000_000
"""Pairs are refused above this (4,000 classes against 4,000), never cut short."""


@dataclass(frozen=True)
class Cuts:
    """What one view adds. `is_broken` means that it is down with no event at all."""

    total: tuple[str, ...] = ()
    partial: tuple[tuple[str, Fraction], ...] = ()
    is_broken: bool = False


@dataclass(frozen=True)
class PairProduct:
    """Every event of one class together with every event of the other is a cut of order 2."""

    first: tuple[str, ...]
    second: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.first) * len(self.second)


def hits(graph: Graph, event_ids: Collection[str]) -> set[int]:
    """Return the gates that events hit directly."""
    wanted = set(event_ids)
    return {gate for gate, events in enumerate(graph.events) if not wanted.isdisjoint(events)}


def gates_of(graph: Graph, nodes: Iterable[str]) -> set[int]:
    """Return the gates of nodes; nodes that the entry does not reach have none."""
    return {graph.index[node] for node in nodes if node in graph.index}


def down_gates(graph: Graph, failed: Collection[int], *, ignore_blind: bool = False) -> set[int]:
    """Return the gates that are down when some have failed."""
    ranks = fall_ranks(graph, failed, ignore_blind=ignore_blind)
    return {gate for gate, rank in enumerate(ranks) if rank != NEVER_FELL}


def blast_radius(graph: Graph, event_id: str, failed: Collection[int] = ()) -> frozenset[str]:
    """Return the nodes that are down after an event."""
    return graph.named(down_gates(graph, hits(graph, (event_id,)) | set(failed)))


def is_down(graph: Graph, failed: Collection[int] = ()) -> bool:
    """Return whether the entry is down with no event beyond what has failed."""
    return fall_ranks(graph, failed)[graph.root] != NEVER_FELL


def witness(graph: Graph, failed: Collection[int] = ()) -> set[int]:
    """Return gates that together keep the entry up, or nothing when it is down.

    Each gate in the set has what it needs in the set, so an event that touches none of them
    cannot take the entry down, on cycles too.
    """
    key = frozenset(failed)
    known = graph.witnesses.get(key)
    if known is None:
        known = graph.witnesses[key] = _witness(graph, key)
    return known


def _witness(graph: Graph, failed: frozenset[int]) -> set[int]:
    fallen = fall_ranks(graph, failed)
    if fallen[graph.root] != NEVER_FELL:
        return set()
    found = {graph.root}
    waiting = [graph.root]
    while waiting:
        gate = waiting.pop()
        for child in _enough(graph, gate, fallen, found):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def _enough(graph: Graph, gate: int, fallen: list[int], found: set[int]) -> list[int]:
    """Return children that are up and suffice, preferring those already in the witness."""
    children = graph.children[gate]
    if graph.gates[gate] is Gate.ALL:
        return list(children)
    standing = [(child not in found, place) for place, child in enumerate(children) if fallen[child] < 0]
    if graph.gates[gate] is not Gate.AT_LEAST:
        return [children[min(standing)[1]]]
    taken, weight = [], 0
    for _, place in sorted(standing):
        if weight >= graph.needs[gate]:
            break
        taken.append(children[place])
        weight += graph.weights[gate][place]
    return taken


def single_cuts(graph: Graph, failed: Collection[int] = ()) -> list[str]:
    """Return the events that alone take the entry down, or nothing when it is down already."""
    kept_up_by = witness(graph, failed)
    return _single_cuts(graph, failed, kept_up_by) if kept_up_by else []


def _single_cuts(graph: Graph, failed: Collection[int], kept_up_by: set[int]) -> list[str]:
    touched = _events_at(graph, kept_up_by)
    found = _events_at(graph, _folded_into_root(graph))
    event_ids = graph.event_ids
    candidates = [event for event in event_ids if event in touched and event not in found]
    for block in _blocks(candidates):
        own, full = _own_masks(graph, block, failed)
        root = simulate(graph, own, full)[graph.root]
        found.update(event for bit, event in enumerate(block) if root >> bit & 1)
    return [event for event in event_ids if event in found]


def _folded_into_root(graph: Graph) -> list[int]:
    """Return the gates that the entry needs outright, straight or through others: nothing to simulate."""
    heirs = _heirs(graph)
    return [graph.root, *(gate for gate, heir in enumerate(heirs) if heir == graph.root)]


def _events_at(graph: Graph, gates: Iterable[int]) -> set[str]:
    return {event for gate in gates for event in graph.events[gate]}


def _blocks(events: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(events), COLUMNS):
        yield events[start : start + COLUMNS]


def _own_masks(graph: Graph, events: list[str], failed: Collection[int]) -> tuple[list[int], int]:
    """Return per gate the cases (one for each event) in which it fails by itself, and all cases."""
    bits = {event: 1 << bit for bit, event in enumerate(events)}
    full = (1 << len(events)) - 1
    own = [0] * len(graph)
    for gate, at in enumerate(graph.events):
        for event in at:
            own[gate] |= bits.get(event, 0)
    for gate in failed:
        own[gate] = full
    return own, full


def partial_cuts(graph: Graph, failed: Collection[int] = ()) -> list[tuple[str, Fraction]]:
    """Return the events that fail a part of the clients and not all, with the share, at least."""
    if not graph.is_ever_partial or is_down(graph, failed):
        return []
    found: list[tuple[str, Fraction]] = []
    already = _share_of(graph, set(failed))
    for block in _blocks(graph.event_ids):
        own, full = _own_masks(graph, block, failed)
        total, _, partial = simulate_partial(graph, own, full)
        mask = partial[graph.root] & ~total[graph.root]
        for bit, event in enumerate(block):
            if mask >> bit & 1:
                share = _share_of(graph, hits(graph, (event,)) | set(failed))
                if share > already:
                    found.append((event, share))
    return found


def _share_of(graph: Graph, failed: Collection[int]) -> Fraction:
    total = down_gates(graph, failed)
    return share_lost(graph, total, down_gates(graph, failed, ignore_blind=True))


def view_cuts(graph: Graph, failed: Collection[int] = ()) -> Cuts:
    """Return the cuts of order 1 of one graph, total and partial."""
    kept_up_by = witness(graph, failed)
    if not kept_up_by:
        return Cuts(is_broken=True)
    return Cuts(tuple(_single_cuts(graph, failed, kept_up_by)), tuple(partial_cuts(graph, failed)))


def lost_states(topology: Topology) -> dict[str, tuple[str, ...]]:
    """Return for every state the events that destroy all its copies.

    A copy dies by its own fault only: what its zone or its machine does hides it for a while.
    """
    copies = tuple(Node(node.name, faults=node.faults) for node in topology.nodes)
    return {state.name: tuple(_destroys(state, copies)) for state in topology.states}


def _destroys(state: State, copies: tuple[Node, ...]) -> list[str]:
    entry = Node("", AllOf((state.copies,)))
    return single_cuts(build_graph(Topology("", (entry, *copies))))


def cold_deadlock(graph: Graph) -> frozenset[str]:
    """Return the nodes that run while they run, but cannot start after everything was off."""
    broken = down_gates(graph, ())
    return graph.named(set(range(len(graph))) - start_from_cold(graph) - broken)


# Pairs -------------------------------------------------------------------------------------------


def pair_cuts(
    graph: Graph, failed: Collection[int] = (), single: Collection[str] | None = None
) -> list[PairProduct]:
    """Return the cuts of two events neither of which is one alone, as products of classes.

    Args:
        graph: the gates.
        failed: those that have failed already.
        single: the events that are cuts alone, where they are known already.

    Raises:
        UsageError: there are too many to compute in a sensible time; none are left out silently.
    """
    kept_up_by = witness(graph, failed)
    if not kept_up_by:
        return []
    alone = set(single_cuts(graph, failed) if single is None else single)
    classes = _classes(_owners(graph, failed), alone)
    # One of two events must hurt the witness, else it keeps the entry up.
    touched = _events_at(graph, kept_up_by)
    rows = [row for row, (_, events) in enumerate(classes) if not touched.isdisjoint(events)]
    if len(rows) * len(classes) > PAIR_CASES_AT_MOST:
        raise UsageError(
            f"pairs of failures were not computed: {len(rows)} by {len(classes)} classes of events are "
            f"over the limit of {PAIR_CASES_AT_MOST}; audit a part of the service, or single failures only"
        )
    pairs: set[tuple[int, int]] = set()
    rows_at_once = max(1, PAIR_BITS // max(1, len(classes)))
    for start in range(0, len(rows), rows_at_once):
        pairs |= _pairs_of_rows(graph, classes, rows[start : start + rows_at_once], failed)
    return [PairProduct(classes[a][1], classes[b][1]) for a, b in sorted(pairs)]


Class = tuple[frozenset[int], tuple[str, ...]]


def _owners(graph: Graph, failed: Collection[int]) -> dict[str, frozenset[int]]:
    """Return the gates that each event fells, after folding a gate into its only parent.

    A gate whose one parent needs it outright matters to nobody else: failing it or failing the
    parent is the same to the entry.
    """
    heirs = _heirs(graph)
    owners: dict[str, set[int]] = {}
    for component in graph.components:
        for gate in component:
            heir = gate
            while heirs[heir] >= 0:
                heir = heirs[heir]
            for event in graph.events[gate]:
                owners.setdefault(event, set()).add(heir)
    fallen = down_gates(graph, failed)
    return {event: frozenset(gates - fallen) for event, gates in owners.items()}


def _heirs(graph: Graph) -> list[int]:
    """Return for each gate the parent it folds into, or -1; paths are shortened on the way down."""
    parent = [-1] * len(graph)
    for gate, children in enumerate(graph.children):
        for child in children:
            parent[child] = gate if parent[child] in (-1, gate) else -2
    heirs = [-1] * len(graph)
    for component in reversed(graph.components):
        for gate in reversed(component):
            above = parent[gate]
            if gate != graph.root and above >= 0 and above != gate and graph.gates[above] is Gate.ALL:
                heirs[gate] = above if heirs[above] < 0 else heirs[above]
    return heirs


def _classes(owners: dict[str, frozenset[int]], single: set[str]) -> list[Class]:
    """Return the events that fell the same gates, without those that are cuts or fell nothing."""
    classes: dict[frozenset[int], list[str]] = {}
    for event, gates in owners.items():
        if gates and event not in single:
            classes.setdefault(gates, []).append(event)
    return [(gates, tuple(events)) for gates, events in classes.items()]


def _pairs_of_rows(
    graph: Graph, classes: list[Class], rows: list[int], failed: Collection[int]
) -> set[tuple[int, int]]:
    """Return the pairs in which one event is of these rows: each row is a run with it failed."""
    width = len(classes)
    row_mask = (1 << width) - 1
    every_row = sum(1 << (place * width) for place in range(len(rows)))
    full = row_mask * every_row
    own = [0] * len(graph)
    for column, (gates, _) in enumerate(classes):
        for gate in gates:
            own[gate] |= every_row << column
    for place, row in enumerate(rows):
        for gate in classes[row][0]:
            own[gate] |= row_mask << (place * width)
    for gate in failed:
        own[gate] = full
    root = simulate(graph, own, full)[graph.root]
    pairs: set[tuple[int, int]] = set()
    for place, row in enumerate(rows):
        found = root >> (place * width) & row_mask
        while found:
            column = (found & -found).bit_length() - 1
            pairs.add((min(row, column), max(row, column)))
            found &= found - 1
    return pairs
