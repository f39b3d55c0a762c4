"""Which drawn part needs which: the lines of the picture."""

from __future__ import annotations

from collections.abc import Iterable

from nospof.model.topology import Topology, names_in


def links_between(topology: Topology, drawn: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return each drawn node with each drawn one that it needs, straight or through nodes that are not drawn.

    Args:
        topology: the service.
        drawn: the names of the nodes that the picture shows.
    """
    shown = set(drawn)
    found: set[tuple[str, str]] = set()
    for start in shown & set(topology.by_name):
        seen: set[str] = set()
        waiting = list(needs(topology, start))
        while waiting:
            name = waiting.pop()
            if name in seen or name == start:
                continue
            seen.add(name)
            if name in shown:
                found.add((start, name))
            else:
                waiting.extend(needs(topology, name))
    return tuple(sorted(found))


def needs(topology: Topology, name: str) -> tuple[str, ...]:
    """Return the nodes that a node needs to serve, those its health check cannot see too."""
    node = topology.by_name[name]
    return tuple(names_in(node.requirement, node.blind))
