"""Which gates are down when: many cases at once as the bits of integers, or one case with ranks.

Each case (an event that happens, a pair of them) is a bit; a gate's mask has the bit set when the
gate is down in that case. Cycles take the greatest set of gates that can be up together: what
runs keeps running. `start_from_cold` takes the least: what can start when all is off.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction

from nospof.audit.graph import Gate, Graph

NEVER_FELL = -1


def simulate(graph: Graph, own: Sequence[int], full: int, *, ignore_blind: bool = False) -> list[int]:
    """Return, for every gate, the cases in which it is down.

    Args:
        graph: the gates.
        own: for every gate, the cases in which it fails by itself.
        full: the mask of all cases.
        ignore_blind: see what a health check sees, which misses blind needs.

    Returns:
        A mask per gate. Masks that no parent needs any more are dropped (0) to save memory, unless
        they are the root's or there is a cycle; use `simulate_all` to keep every one.
    """
    return _simulate(graph, own, full, ignore_blind=ignore_blind, keep=False)


def simulate_all(graph: Graph, own: Sequence[int], full: int, *, ignore_blind: bool = False) -> list[int]:
    """Return, for every gate, the cases in which it is down, and keep all of them."""
    return _simulate(graph, own, full, ignore_blind=ignore_blind, keep=True)


def _simulate(graph: Graph, own: Sequence[int], full: int, *, ignore_blind: bool, keep: bool) -> list[int]:
    down = list(own)
    uses = [] if keep else _uses(graph)
    for component in graph.components:
        gate = component[0]
        if len(component) > 1 or gate in graph.children[gate]:
            _settle(graph, component, down, full, ignore_blind)
        else:
            down[gate] |= _fallen(graph, gate, down, full, ignore_blind)
        if uses:
            _drop_unused(graph, component, down, uses)
    return down


def _uses(graph: Graph) -> list[int]:
    """Return how often each gate is still to be asked for; the root once more than that."""
    uses = [0] * len(graph)
    for children in graph.children:
        for child in children:
            uses[child] += 1
    uses[graph.root] += 1
    return uses


def _drop_unused(graph: Graph, component: list[int], down: list[int], uses: list[int]) -> None:
    for gate in component:
        for child in graph.children[gate]:
            uses[child] -= 1
            if not uses[child]:
                down[child] = 0


def _settle(graph: Graph, component: list[int], down: list[int], full: int, ignore_blind: bool) -> None:
    """Let failures spread around a cycle until nothing changes: at most one round per gate."""
    is_changing = True
    while is_changing:
        is_changing = False
        for gate in component:
            fallen = down[gate] | _fallen(graph, gate, down, full, ignore_blind)
            if fallen != down[gate]:
                down[gate] = fallen
                is_changing = True


def _fallen(graph: Graph, gate: int, down: list[int], full: int, ignore_blind: bool) -> int:
    """Return the cases in which a gate falls because of its children."""
    kind = graph.gates[gate]
    children = graph.children[gate]
    if kind is Gate.ALL:
        if ignore_blind and gate in graph.blind:
            unseen = graph.blind[gate]
            children = tuple(child for child in children if child not in unseen)
        fallen = 0
        for child in children:
            fallen |= down[child]
        return fallen
    if kind is Gate.AT_LEAST:
        masks = [down[child] for child in children]
        return too_few(masks, graph.weights[gate], graph.needs[gate], full)
    fallen = full
    for child in children:
        fallen &= down[child]
        if not fallen:
            break
    return fallen


def too_few(masks: Sequence[int], weights: Sequence[int], need: int, full: int) -> int:
    """Return the cases in which the weights of what is up do not add to `need`.

    The sums of all cases are held bit-sliced: plane i has a case's bit where bit i of its sum is
    set. So one ripple-carry addition of whole integers adds a weight in every case at once.
    """
    if need <= 0:
        return 0
    planes: list[int] = []
    for mask, weight in zip(masks, weights, strict=True):
        _add(planes, full & ~mask, weight)
    return _below(planes, need, full)


def _add(planes: list[int], cases: int, weight: int) -> None:
    carry, place = 0, 0
    while weight >> place or carry:
        if place == len(planes):
            planes.append(0)
        addend = cases if weight >> place & 1 else 0
        before = planes[place]
        planes[place] = before ^ addend ^ carry
        carry = (before & addend) | (before & carry) | (addend & carry)
        place += 1


def _below(planes: list[int], need: int, full: int) -> int:
    """Compare the bit-sliced sums with a constant, from the highest place down."""
    below, equal = 0, full
    for place in range(max(len(planes), need.bit_length()) - 1, -1, -1):
        plane = planes[place] if place < len(planes) else 0
        if need >> place & 1:
            below |= equal & ~plane
            equal &= plane
        else:
            equal &= ~plane
    return below


def simulate_partial(graph: Graph, own: Sequence[int], full: int) -> tuple[list[int], list[int], list[int]]:
    """Return the cases in which a gate is down, is seen to be down, and fails some of its clients.

    A balancer sends clients to every alternative that it sees as up; those it sends to one that
    is down all the same (a blind need, a lost part of a split) are lost. Seeing is settled first, so the
    negation below is of something fixed and the recursion stays monotone.
    """
    total = simulate_all(graph, own, full)
    seen = simulate_all(graph, own, full, ignore_blind=True)
    partial = list(total)
    for component in graph.components:
        is_changing = True
        while is_changing:
            is_changing = False
            for gate in component:
                lost = partial[gate] | _lost(graph, gate, seen, partial, full)
                if lost != partial[gate]:
                    partial[gate] = lost
                    is_changing = len(component) > 1 or gate in graph.children[gate]
    return total, seen, partial


def _lost(graph: Graph, gate: int, seen: list[int], partial: list[int], full: int) -> int:
    lost = 0
    sees = graph.gates[gate] in (Gate.ANY, Gate.AT_LEAST)
    for child in graph.children[gate]:
        lost |= partial[child] & (full & ~seen[child] if sees else full)
    return lost


def share_lost(graph: Graph, total: Collection[int], seen: Collection[int]) -> Fraction:
    """Return the share of the root's clients that are lost in one case, at least.

    Clients spread evenly over alternatives and by weight over a split. Needs that fail together are
    counted once (the larger share), so the figure is a lower bound.

    Args:
        graph: the gates.
        total: the gates that are down.
        seen: the gates whose balancer sees that they are down.
    """
    lost = [Fraction(gate in total) for gate in range(len(graph))]
    for component in graph.components:
        # Around a cycle shares only grow towards their limit; so many rounds give a lower bound.
        for _ in range(1 if len(component) == 1 else min(len(component), 64)):
            for gate in component:
                if gate not in total:
                    lost[gate] = max(lost[gate], _share(graph, gate, lost, seen))
    return lost[graph.root]


def _share(graph: Graph, gate: int, lost: list[Fraction], seen: Collection[int]) -> Fraction:
    children, weights = graph.children[gate], graph.weights[gate]
    if graph.gates[gate] is Gate.ALL:
        return max((lost[child] for child in children), default=Fraction(0))
    pairs = list(zip(weights or [1] * len(children), children, strict=True))
    if graph.gates[gate] is not Gate.SPLIT:
        pairs = [(weight, child) for weight, child in pairs if child not in seen]
    whole = sum(weight for weight, _ in pairs)
    if not whole:
        return Fraction(0)
    return sum((weight * lost[child] for weight, child in pairs), Fraction(0)) / whole


def fall_ranks(graph: Graph, failed: Collection[int], *, ignore_blind: bool = False) -> list[int]:
    """Return in which round each gate falls when some have failed, NEVER_FELL for those that stand.

    Failures spread forward, each gate counting its losses, so the cost is that of the graph once.
    """
    ranks = [NEVER_FELL] * len(graph)
    limits = [_losses_borne(graph, gate) for gate in range(len(graph))]
    parents = graph.parents
    falling = set(failed)
    falling.update(gate for gate, limit in enumerate(limits) if limit < 0)
    rank = 0
    while falling:
        for gate in falling:
            ranks[gate] = rank
        struck: set[int] = set()
        for child in falling:
            for parent, weight in parents[child]:
                if ignore_blind and child in graph.blind.get(parent, ()):
                    continue
                limits[parent] -= weight
                if limits[parent] < 0 and ranks[parent] == NEVER_FELL:
                    struck.add(parent)
        falling = struck
        rank += 1
    return ranks


def _losses_borne(graph: Graph, gate: int) -> int:
    """Return how much weight a gate may lose; below zero it is down from the start."""
    if graph.gates[gate] is Gate.ALL:
        return 0
    if graph.gates[gate] is Gate.AT_LEAST:
        return sum(graph.weights[gate]) - graph.needs[gate]
    return len(graph.children[gate]) - 1


def start_from_cold(graph: Graph) -> set[int]:
    """Return the gates that can start when everything is off and nothing is broken."""
    wants = [_wanted(graph, gate) for gate in range(len(graph))]
    parents = graph.parents
    started = {gate for gate, wanted in enumerate(wants) if wanted <= 0}
    waiting = sorted(started)
    while waiting:
        child = waiting.pop()
        for parent, weight in parents[child]:
            wants[parent] -= weight
            if wants[parent] <= 0 and parent not in started:
                started.add(parent)
                waiting.append(parent)
    return started


def _wanted(graph: Graph, gate: int) -> int:
    """Return how much weight must be up before a gate can start."""
    kind = graph.gates[gate]
    if kind is Gate.ALL:
        return len(graph.children[gate])
    return graph.needs[gate] if kind is Gate.AT_LEAST else 1
