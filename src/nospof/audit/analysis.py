"""All answers of the audit about one topology, each event filed where it hurts first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from fractions import Fraction

from nospof.audit.cuts import (
    Cuts,
    PairProduct,
    cold_deadlock,
    gates_of,
    lost_states,
    pair_cuts,
    view_cuts,
)
from nospof.audit.graph import Graph, Graphs
from nospof.model.topology import VIEWS, Topology


@dataclass(frozen=True)
class Analysis:
    """One reading (a bound, a time) of one topology.

    Args:
        views: what each view adds; an event stands in the first view in which it is a cut.
        loses: for each state, the events that destroy all its copies.
        cold: nodes that cannot start after everything was off.
        graph: the gates of the serving view, for whoever asks further.
        failed: those of them that count as failed.
    """

    views: dict[str, Cuts]
    loses: dict[str, tuple[str, ...]]
    cold: frozenset[str]
    graph: Graph = field(repr=False)
    failed: frozenset[int]

    @property
    def serving(self) -> Cuts:
        """What takes the service itself down."""
        return self.views["serving"]


def failed_nodes(topology: Topology, *, now: bool, pessimistic: bool) -> frozenset[str]:
    """Return the nodes that count as failed in one reading."""
    if not now:
        return frozenset()
    return topology.failed_now | (topology.maybe_failed_now if pessimistic else frozenset())


def analyse(
    topology: Topology, *, pessimistic: bool = True, now: bool = False, graphs: Graphs | None = None
) -> Analysis:
    """Return all answers of order 0 and 1.

    Args:
        topology: what there is.
        pessimistic: read what is not known as the worst it can be; otherwise as the best.
        now: count what has failed already; otherwise judge the service as it is configured.
        graphs: the graphs of the topology, where another reading has made some.
    """
    graphs = graphs or Graphs(topology)
    failed = failed_nodes(topology, now=now, pessimistic=pessimistic)
    serving = graphs.of("serving", pessimistic=pessimistic)
    views_there = {"serving", *(name for node in topology.nodes for name, _ in node.views)}
    filed: set[str] = set()
    views: dict[str, Cuts] = {}
    for view in VIEWS:
        if view not in views_there:
            continue
        graph = graphs.of(view, pessimistic=pessimistic)
        cuts = _not_filed(view_cuts(graph, gates_of(graph, failed)), filed)
        filed.update(cuts.total, (event for event, _ in cuts.partial))
        views[view] = cuts
    struck = frozenset(gates_of(serving, failed))
    return Analysis(views, lost_states(topology), cold_deadlock(serving), serving, struck)


def _not_filed(cuts: Cuts, filed: Collection[str]) -> Cuts:
    partial: tuple[tuple[str, Fraction], ...] = tuple(
        (event, share) for event, share in cuts.partial if event not in filed
    )
    return Cuts(tuple(event for event in cuts.total if event not in filed), partial, cuts.is_broken)


def analyse_pairs(known: Analysis) -> list[PairProduct]:
    """Return the cuts of order 2 in the serving view of a reading.

    Raises:
        UsageError: there are too many to compute in a sensible time.
    """
    return pair_cuts(known.graph, known.failed, known.serving.total)
