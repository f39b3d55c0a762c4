"""What the drawing of a service shows: its parts by tier and zone, the single points marked."""

from __future__ import annotations

from nospof.audit.builder import Service
from nospof.audit.linking import links_between
from nospof.model.findings import Finding, Part
from nospof.model.topology import Node, On

TIERS: dict[str, tuple[str, ...]] = {
    "entry": ("service", "record", "distribution", "accelerator", "API", "address", "load balancer"),
    "balancer": ("balancer zone",),
    "group": ("target group",),
    "instance": ("instance", "task", "function zone"),
    "data": (
        "database",
        "database cluster",
        "database proxy",
        "warehouse",
        "cache",
        "cache cluster",
        "memory database",
        "DAX cluster",
        "broker",
        "Kafka cluster",
        "search domain",
        "file system",
        "mount target",
        "FSx file system",
        "bucket",
        "directory",
        "arbitrator",
    ),
    "egress": ("NAT gateway", "NAT instance", "endpoint"),
    "volume": ("volume",),
    "unread": ("unread",),
}
TIER_OF_KIND = {kind: tier for tier, kinds in TIERS.items() for kind in kinds}


def parts_of(service: Service, findings: tuple[Finding, ...]) -> tuple[Part, ...]:
    """Return what the drawing shows: parts by tier and zone, the single points marked."""
    points = {
        name
        for one in findings
        if one.is_single_point
        for name in one.members
        if service.topology.event(one.event).kind not in ("zone", "rack", "host", "region", "maintenance")
    }
    zones = {one.event for one in findings if one.rule in ("NSP201", "NSP205")}
    found = [
        Part("zone", zone, zone, "", f"zone:{zone}" in zones)
        for zone in sorted({zone for zone in service.zone_of.values() if zone})
    ]
    targets = target_states(service)
    for node in drawn_nodes(service):
        zone = service.zone_of.get(node.name, "")
        state = service.state_of.get(node.name) or targets.get(node.name, "")
        is_point = node.name in points or node.name == f"unread:{node.label}"
        tier = TIER_OF_KIND[node.kind]
        found.append(Part(tier, zone, drawn_name(service, node), state, is_point, node.name))
    return tuple(found)


def drawn_nodes(service: Service) -> list[Node]:
    """Return the nodes that the drawing shows; a service of one instance is drawn as its own entry."""
    is_own_entry = service.entry.kind == "instance"
    shown = [node for node in service.topology.nodes if node.kind in TIER_OF_KIND]
    return [node for node in shown if node.kind != "service" or is_own_entry]


def drawn_name(service: Service, node: Node) -> str:
    """Return a node's name for the drawing: an instance by name and id."""
    item = service.item_of.get(node.name)
    if item is None or item.id != node.name or item.kind.name != "instance":
        return node.says
    return f"{item.label} {node.name}" if item.label != node.name else node.name


def target_states(service: Service) -> dict[str, str]:
    """Return what groups say of machines that get no traffic."""
    return {
        node.requirement.node: service.state_of[node.name].partition(" (")[0]
        for node in service.topology.nodes
        if node.kind == "target" and node.name in service.state_of and isinstance(node.requirement, On)
    }


def links_of(service: Service) -> tuple[tuple[str, str], ...]:
    """Return the drawn parts that need each other, by id."""
    return links_between(service.topology, (node.name for node in drawn_nodes(service)))
