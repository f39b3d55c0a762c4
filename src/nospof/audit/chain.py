"""The serial chain of a service: what is needed outright, its pools, and what AWS promises for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from nospof.audit.builder import Service
from nospof.audit.cuts import single_cuts
from nospof.audit.graph import build_graph
from nospof.audit.rates import PROMISES, Promise
from nospof.model.topology import Node, Topology, names_in

STRUCTURE = frozenset(
    {
        "service", "target group", "target", "target zone", "balancer zone", "origin group", "address",
        "instance", "volume", "image", "template", "route", "health check", "certificate", "domain",
        "gone", "unread", "",
    }
)  # fmt: skip
"""Kinds of nodes that AWS promises nothing for by themselves; a machine is counted with its like."""
PROMISE_OF: dict[tuple[str, bool], Promise] = {(one.kind, one.is_spread): one for one in PROMISES}


@dataclass(frozen=True)
class Pool:
    """Machines that stand in for each other. `notices_minutes` is 0 where nobody could tell."""

    members: tuple[str, ...]
    notices_minutes: float


def serial_nodes(service: Service) -> frozenset[str]:
    """Return the nodes whose loss takes the entry down, structure and machines' own parts aside."""
    wanted = {
        one.name for one in service.topology.nodes if one.kind not in STRUCTURE or one.kind == "target group"
    }
    # One pass over the whole service: each part that is asked about fails by an event of its own.
    nodes = tuple(
        replace(one, faults=(one.name,) if one.name in wanted else (), domains=(), possible_domains=())
        for one in service.topology.nodes
    )
    return frozenset(single_cuts(build_graph(Topology(service.topology.root, nodes), pessimistic=True)))


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
    found = []
    for name in sorted(serial):
        node = service.topology.by_name[name]
        if node.kind != "target group":
            found.append((node.says, node.kind, is_spread(service, node)))
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
    if item.kind.name == "load balancer":
        return len(item.rows("AvailabilityZones")) > 1
    if item.kind.name == "classic load balancer":
        return len(item.texts("AvailabilityZones")) > 1
    if "MultiAZ" in item.kind.paths:
        return item.flag("MultiAZ") is True
    if item.kind.name == "file system":
        return not item.text("AvailabilityZoneName")
    return node.kind in ("distribution", "record", "API")
