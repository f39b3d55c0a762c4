"""Lines to other sites: VPN connections and Direct Connect, as far as a machine's routes lead there."""

from __future__ import annotations

from nospof.audit.builder import Builder
from nospof.model.estate import Item
from nospof.model.topology import NEVER, UP, AnyOf, Node, On, Requirement

GONE = frozenset({"deleting", "deleted", "down", "rejected"})


def line_out(b: Builder, table: Item) -> Requirement:
    """Return what the routes of a table to other sites need: any of the lines at the gateway they name."""
    gateways: dict[str, None] = {}
    for row in table.rows("Routes"):
        for key in (row.text("GatewayId"), row.text("TransitGatewayId")):
            if key and not key.startswith(("igw-", "vpce-", "local")):
                gateways[key] = None
    found = [lines for key in gateways if (lines := lines_of(b, key)) is not None]
    if not found:
        return UP
    if len(found) == 1:
        return found[0]
    name = f"lines of {table.id}"
    return b.add(Node(name, AnyOf(tuple(found)), kind="line", label=f"lines to other sites of {table.label}"))


def lines_of(b: Builder, gateway: str) -> Requirement | None:
    """Return what a gateway's lines need, or nothing where none was read."""
    name = f"lines of {gateway}"
    if name in b.nodes:
        return On(name)
    vpn = (
        *b.estate.where("VPN connection", "VpnGatewayId", gateway),
        *b.estate.where("VPN connection", "TransitGatewayId", gateway),
    )
    direct = (
        *b.estate.where("virtual interface", "virtualGatewayId", gateway),
        *b.estate.where("virtual interface", "directConnectGatewayId", gateway),
    )
    parts = [b.of(one) for one in (*vpn, *direct)]
    if not parts:
        return None
    return b.add(Node(name, AnyOf(tuple(parts)), kind="line", label=f"lines of {gateway}"))


def vpn_connection(b: Builder, item: Item) -> Requirement:
    """A VPN connection: one of its tunnels, and the one device at the other end."""
    name = b.name(item)
    tunnels = [
        tunnel(b, item, row.text("OutsideIpAddress") or str(number), row.text("Status"))
        for number, row in enumerate(item.rows("VgwTelemetry"), 1)
    ]
    needs: Requirement = AnyOf(tuple(tunnels)) if tunnels else UP
    faults: tuple[str, ...] = ()
    if key := item.text("CustomerGatewayId"):
        faults = (b.event(f"device:{key}", "customer gateway", f"customer gateway {key} (one device)"),)
    facts = item.facts("CustomerGatewayId", "VgwTelemetry")
    label = f"VPN connection {item.label}"
    if item.text("State", "available") in GONE:
        needs = NEVER
        b.is_off(name, item.text("State"))
    b.add(Node(name, needs, faults, kind="line", label=label), item=item, facts=facts)
    return On(name)


def tunnel(b: Builder, item: Item, key: str, status: str) -> On:
    """Add a tunnel; AWS takes one down at a time for maintenance."""
    name = f"{b.name(item)}/{key}"
    label = f"tunnel {key} of {item.label}"
    is_down = status == "DOWN"
    fault = b.event(f"tunnel:{item.id}/{key}", "tunnel", label)
    if is_down:
        b.is_off(name, "down")
    return b.add(Node(name, NEVER if is_down else UP, (fault,), kind="tunnel", label=label))


def virtual_interface(b: Builder, item: Item) -> Requirement:
    """A Direct Connect interface: its connection, the device it ends at, and the site that stands in."""
    name = b.name(item)
    key = item.text("connectionId")
    connection = b.estate.find("direct connection", key)
    lag = connection.text("lagId") if connection else ""
    # All connections of a group end at one device, so the group is no more than one line.
    line = lag or key or item.id
    domains = [b.event(f"line:{line}", "line", f"Direct Connect {'group' if lag else 'connection'} {line}")]
    said = connection or item
    device = said.text("awsDeviceV2") if connection else ""
    if device:
        domains.append(b.event(f"device:{device}", "line", f"Direct Connect device {device}"))
    if site := said.text("location"):
        domains.append(b.event(f"site:{site}", "site", f"Direct Connect site {site}"))
    facts = item.facts("connectionId", "virtualInterfaceState", "location")
    label = f"virtual interface {item.label}"
    state = item.text("virtualInterfaceState", "available")
    below = connection.text("connectionState", "available") if connection else "available"
    peers = [row.text("bgpStatus") == "down" for row in item.rows("bgpPeers")]
    says = state if state in GONE else f"on a connection that is {below}" if below in GONE else ""
    if not says and peers and all(peers):
        says = "without a BGP session"
    needs = NEVER if says else UP
    b.add(Node(name, needs, (), tuple(domains), kind="line", label=label), item=item, facts=facts)
    if says:
        b.is_off(name, says)
    elif any(peers):
        b.is_off(name, "without one of its BGP sessions", certain=False)
    return On(name)
