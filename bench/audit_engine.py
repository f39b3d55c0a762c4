"""How long the audit's engine takes, and what immediate dominators would have missed.

Three shapes at 1,000 to 1,000,000 nodes: a fleet of pairs (many services, one engine run each), one
wide service, one chain. networkx and rustworkx are asked for the dominators of the same graph in the
same run; they see paths, so "needs both" and shared domains escape them.

Run: python bench/audit_engine.py [largest size, default 1000000]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from nospof.audit.cuts import pair_cuts, single_cuts
from nospof.audit.graph import Graph, build_graph
from nospof.errors import UsageError
from nospof.model.topology import AllOf, AnyOf, AtLeast, Node, On, Topology
from support.peers import library

SIZES = (1_000, 10_000, 100_000, 1_000_000)
PAIRS_AT_MOST = 100_000
"""Order 2 is asked of topologies up to this size."""


def machine(name: str, zone: str, *needs: str) -> list[Node]:
    """A machine with a disk."""
    parts = tuple(On(each) for each in (f"{name}.vol", *needs))
    return [
        Node(name, AllOf(parts), (name,), (f"zone:{zone}",)),
        Node(f"{name}.vol", faults=(f"{name}.vol",), domains=(f"zone:{zone}",)),
    ]


def wide(size: int) -> Topology:
    """One service: a pool over two zones, each machine on its disk and on one database in zone a."""
    count = max(2, (size - 8) // 2)
    nodes = [Node("lb", AllOf((AnyOf((On("leg.a"), On("leg.b"))), On("pool"))))]
    nodes += [Node(f"leg.{zone}", domains=(f"zone:{zone}",)) for zone in "ab"]
    nodes.append(Node("pool", AnyOf(tuple(On(f"w{i}") for i in range(count)))))
    for i in range(count):
        nodes += machine(f"w{i}", "ab"[i % 2], "db")
    nodes += machine("db", "a")
    return Topology("lb", tuple(nodes))


def chain(size: int) -> Topology:
    """One service: everything needs the next."""
    nodes = [Node(f"n{i}", On(f"n{i + 1}"), (f"n{i}",)) for i in range(size - 1)]
    return Topology("n0", (*nodes, Node(f"n{size - 1}", faults=(f"n{size - 1}",))))


def fleet(size: int) -> list[Topology]:
    """Services of 20 nodes: a pair in two zones with a quorum of three, every fifth one in one zone."""
    found = []
    for number in range(size // 20):
        zones = ("a", "a") if number % 5 == 0 else ("a", "b")
        nodes = [
            Node("lb", AllOf((AnyOf((On("leg.a"), On("leg.b"))), AnyOf((On("w0"), On("w1"))), On("quorum"))))
        ]
        nodes += [Node(f"leg.{zone}", domains=(f"zone:{zone}",)) for zone in "ab"]
        nodes.append(Node("quorum", AtLeast(2, tuple((1, On(f"g{i}")) for i in range(3)))))
        for i, zone in enumerate(zones):
            nodes += machine(f"w{i}", zone)
        for i, zone in enumerate("abc"):
            nodes += machine(f"g{i}", zone)
        nodes += [Node(f"extra{i}", faults=(f"extra{i}",)) for i in range(20 - len(nodes))]
        found.append(Topology("lb", tuple(nodes)))
    return found


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds and the answer."""
    began = time.perf_counter()
    answer = act()
    return time.perf_counter() - began, answer


def flat(graph: Graph) -> list[tuple[int, int]]:
    """Return the graph as path libraries want it: edges, with a sink below every leaf."""
    sink = len(graph)
    edges = [(gate, child) for gate, children in enumerate(graph.children) for child in children]
    return edges + [(gate, sink) for gate, children in enumerate(graph.children) if not children]


def missed(graph: Graph, true_points: set[str], dominators: set[int]) -> str:
    """Return how many of the true single points are no dominator's event."""
    seen = {event for gate in dominators if gate < len(graph) for event in graph.events[gate]}
    return f"misses {len(true_points - seen)} of {len(true_points)}"


def chain_to_root(immediate: dict[int, int], sink: int, root: int) -> set[int]:
    """Return the dominators of the sink."""
    found, gate = {root}, sink
    while gate != root:
        gate = immediate[gate]
        found.add(gate)
    return found


def libraries() -> dict[str, Callable[[Graph], set[int]]]:
    """Return what can be imported here."""
    found: dict[str, Callable[[Graph], set[int]]] = {}
    if networkx := library("networkx", "networkx==3.6.1"):

        def by_networkx(graph: Graph) -> set[int]:
            drawn = networkx.DiGraph(flat(graph))
            immediate = networkx.immediate_dominators(drawn, graph.root)
            return chain_to_root(immediate, len(graph), graph.root)

        found["networkx"] = by_networkx
    if rustworkx := library("rustworkx", "rustworkx==0.18.0"):

        def by_rustworkx(graph: Graph) -> set[int]:
            drawn = rustworkx.PyDiGraph()
            drawn.add_nodes_from(range(len(graph) + 1))
            drawn.add_edges_from_no_data(flat(graph))
            immediate = dict(rustworkx.immediate_dominators(drawn, graph.root))
            return chain_to_root(immediate, len(graph), graph.root)

        found["rustworkx"] = by_rustworkx
    return found


def pairs_line(graph: Graph) -> str:
    """Return how long order 2 took, or why it was refused."""
    if len(graph) > PAIRS_AT_MOST:
        return ""
    try:
        seconds, products = timed(lambda: pair_cuts(graph))
    except UsageError:
        return "pairs refused (over the limit)"
    return f"pairs {seconds * 1000:9.1f} ms ({sum(map(len, products))})"


def bench_one(shape: str, topology: Topology) -> None:
    """Print one service's times and the libraries' beside them."""
    built, graph = timed(lambda: build_graph(topology))
    ours, points = timed(lambda: single_cuts(graph))
    print(
        f"{shape:6} {len(topology.nodes):9,} nodes  build {built * 1000:8.1f} ms  single points "
        f"{ours * 1000:8.1f} ms ({len(points)})  {pairs_line(graph)}"
    )
    for name, ask in libraries().items():
        theirs, dominators = timed(lambda ask=ask: ask(graph))  # type: ignore[misc]
        print(
            f"       {name:9} dominators {theirs * 1000:8.1f} ms, {theirs / ours:6.2f} x our time; "
            f"{missed(graph, set(points), dominators)}"
        )


def bench_fleet(services: list[Topology]) -> None:
    """Print the time for many small services."""

    def audit_all() -> int:
        return sum(len(single_cuts(build_graph(one))) for one in services)

    def pairs_of_all() -> int:
        return sum(len(products) for one in services for products in pair_cuts(build_graph(one)))

    size = sum(len(one.nodes) for one in services)
    seconds, points = timed(audit_all)
    each = seconds / len(services) * 1000
    told = f"single points {seconds * 1000:8.1f} ms ({points}), {each:.3f} ms each"
    if size <= PAIRS_AT_MOST:
        more, pairs = timed(pairs_of_all)
        told += f"; pairs {more * 1000:9.1f} ms ({pairs})"
    print(f"fleet  {size:9,} nodes  {len(services):,} services: {told}")


def main() -> None:
    """Run every shape at every size."""
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else SIZES[-1]
    absent = {"networkx", "rustworkx"} - libraries().keys()
    print(f"not importable, not compared: {', '.join(sorted(absent))}" if absent else "comparing with both")
    for size in SIZES:
        if size <= largest:
            bench_fleet(fleet(size))
            bench_one("wide", wide(size))
            bench_one("chain", chain(size))


if __name__ == "__main__":
    main()
