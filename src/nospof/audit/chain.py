"""The serial chain of a service: what is needed outright, its pools, and what AWS promises for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from nospof.audit.builder import Service
from nospof.audit.cuts import single_cuts
from nospof.audit.graph import Graph
from nospof.audit.rates import PROMISES, Promise
from nospof.model.topology import Node, names_in

STRUCTURE = frozenset(
    {
        "service", "target group", "target", "target zone", "balancer zone", "origin group", "address",
        "instance", "volume", "image", "template", "route", "health check", "certificate", "domain",
        "gone", "unread", "",
    }
)  # fmt: skip
"""Kinds of nodes that AWS promises nothing for by themselves; a machine is counted with its like."""
STORES = frozenset(
    {
        "database", "database cluster", "warehouse", "cache", "cache cluster", "memory database",
        "DAX cluster", "broker", "Kafka cluster", "search domain",
    }
)  # fmt: skip
"""Kinds of nodes that stand for all copies of a store."""
COPIES = frozenset({"database", "warehouse", "cache", "broker", "search"})
ON = frozenset({"enabled", "true", "multiaz"})
PROMISE_OF: dict[tuple[str, bool], Promise] = {(one.kind, one.is_spread): one for one in PROMISES}


@dataclass(frozen=True)
class Pool:
    """Machines that stand in for each other. `notices_minutes` is 0 where nobody could tell."""

    members: tuple[str, ...]
    notices_minutes: float


def serial_nodes(service: Service, graph: Graph) -> frozenset[str]:
    """Return the nodes whose loss takes the entry down, structure and machines' own parts aside."""
    wanted = {
        one.name for one in service.topology.nodes if one.kind not in STRUCTURE or one.kind == "target group"
    }
    # One pass over the whole service: each part that is asked about fails by an event of its own.
    events: list[tuple[str, ...]] = [(name,) if name in wanted else () for name in graph.names]
    return frozenset(single_cuts(replace(graph, events=events)))


def whole_parts(service: Service, serial: Collection[str]) -> list[Node]:
    """Return the managed parts among nodes, each once: what stands for a store, not its copies."""
    found: dict[tuple[str, str], Node] = {}
    for name in sorted(serial):
        node, item = service.topology.by_name[name], service.item_of.get(name)
        if node.kind == "target group":
            continue
        key = (item.kind.name, item.id) if item else ("", name)
        if key not in found or not node.faults:
            found[key] = node
    return list(found.values())


def is_of_cluster(service: Service, node: Node, serial: Collection[str]) -> bool:
    """Whether a database belongs to a cluster that is in the chain itself."""
    item = service.item_of[node.name]
    if item.kind.name != "database":
        return False
    cluster = item.text("DBClusterIdentifier")
    others = (service.item_of.get(one) for one in serial)
    return any(one and one.kind.name == "database cluster" and cluster in one.keys for one in others)


def copies_of(service: Service, store: Node) -> tuple[str, ...]:
    """Return the events that hit single copies of a store."""
    found: list[str] = []
    waiting, seen = [store], {store.name}
    while waiting:
        node = waiting.pop()
        if node.kind in COPIES:
            found += node.faults
        for name in names_in(node.requirement):
            if name not in seen and service.topology.by_name[name].kind in STORES | COPIES:
                seen.add(name)
                waiting.append(service.topology.by_name[name])
    return tuple(found)


def pools_of(service: Service, serial: Collection[str]) -> list[Pool]:
    """Return the pools that the service needs outright."""
    found = []
    for name in sorted(serial):
        node = service.topology.by_name[name]
        if node.kind == "target group" and (members := machines_under(service, node)):
            found.append(Pool(members, notices_minutes(service, name)))
    return found


def machines_under(service: Service, group: Node) -> tuple[str, ...]:
    """Return the machines that a group sends to, each once."""
    found: dict[str, None] = {}
    waiting, members = [group], set(service.members)
    seen: set[str] = set()
    while waiting:
        for name in names_in(waiting.pop().requirement):
            node = service.topology.by_name[name]
            if name in members:
                found[name] = None
            elif name not in seen and node.kind in ("target", "target zone", "target group"):
                seen.add(name)
                waiting.append(node)
    return tuple(sorted(found))


def notices_minutes(service: Service, name: str) -> float:
    """Return how long a group sends clients to a failed member, by its health check's settings."""
    item = service.item_of.get(name)
    if item is None or item.kind.name != "target group":
        return 0.0
    every, times = item.number("HealthCheckIntervalSeconds"), item.number("UnhealthyThresholdCount")
    if not every or not times:
        return 0.0
    return (every * times + (item.number("HealthCheckTimeoutSeconds") or 0.0)) / 60


def contract_of(
    service: Service, total: Collection[str], serial: Collection[str]
) -> tuple[float | None, tuple[str, ...]]:
    """Return the product of what AWS promises along the chain in percent, and its terms in words.

    Without a figure for every part there is no product: a part that nobody promises anything for is
    not one that always works.
    """
    product, says, missing = 1.0, [], []
    for who, kind, is_spread in _links(service, total, serial):
        promise = PROMISE_OF.get((kind, is_spread))
        if promise is None:
            missing.append(who)
            continue
        product *= promise.percent / 100
        says.append(f"{who}: {promise.says}")
    says.append("what AWS pays credit for; it excludes your own faults")
    if missing:
        says.append(f"no published figure here for {', '.join(missing)}")
    return (None if missing or len(says) == 1 else round(100 * product, 4)), tuple(says)


def _links(service: Service, total: Collection[str], serial: Collection[str]) -> list[tuple[str, str, bool]]:
    """Return the chain: what each part is called, its kind, and whether it spreads over zones."""
    found = [
        (node.says, node.kind, is_spread(service, node))
        for node in whole_parts(service, serial)
        if not (service.item_of.get(node.name) and is_of_cluster(service, node, serial))
    ]
    alone = [one for one in service.members if set(service.topology.by_name[one].faults) & set(total)]
    found += [(service.topology.by_name[one].says, "instance", False) for one in sorted(alone)]
    others = [one for one in service.members if one not in alone]
    zones = {service.zone_of.get(one, "") for one in others} - {""}
    if others and (len(zones) > 1 or not alone):
        found.append((f"{len(others)} instances in {len(zones)} zones", "instance", len(zones) > 1))
    return found


def is_spread(service: Service, node: Node) -> bool:
    """Whether a managed part runs in more than one zone, as it was read."""
    item = service.item_of.get(node.name)
    if item is None:
        return False
    kind = item.kind.name
    if kind == "load balancer":
        return len(item.rows("AvailabilityZones")) > 1
    if kind == "classic load balancer":
        return len(item.texts("AvailabilityZones")) > 1
    if path := next((one for one in ("MultiAZ", "AvailabilityMode") if one in item.kind.paths), ""):
        return item.text(path).lower() in ON
    if kind == "file system":
        return not item.is_unknown("AvailabilityZoneName") and not item.text("AvailabilityZoneName")
    return kind != "bucket" or "--" not in item.id
