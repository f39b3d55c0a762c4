"""Ways out of a network: gateways, routes, endpoints, lines to other sites, and what stands in the way.

A machine goes the way that its subnet's route table says, the main one of its network where it has
none. What it needs in order to reach the outside is no part of serving, unless traffic to clients
goes the same way through an appliance.
"""

from __future__ import annotations

from nospof.audit.builder import Builder
from nospof.audit.parts.balancing import leg_name, zone_of
from nospof.audit.parts.entry import all_of
from nospof.audit.parts.lines import line_out
from nospof.audit.parts.routing import (
    default_route,
    egress_of,
    internet_route,
    is_member,
    route_table_of,
    subnet_of,
)
from nospof.model.estate import Item
from nospof.model.topology import NEVER, UP, AnyOf, Node, On, Requirement

RULE_OF_KIND_NETWORK: dict[tuple[str, str], str] = {
    ("serving", "record"): "NSP107",
    ("serving", "address"): "NSP107",
    ("serving", "appliance"): "NSP108",
    ("serving", "certificate"): "NSP701",
    ("serving", "domain"): "NSP702",
    ("serving", "customer gateway"): "NSP109",
    ("serving", "tunnel"): "NSP109",
    ("serving", "line"): "NSP109",
    ("serving", "site"): "NSP109",
    ("serving", "NAT gateway"): "NSP601",
    ("serving", "NAT instance"): "NSP601",
    ("serving", "endpoint"): "NSP602",
    ("egress", "NAT gateway"): "NSP601",
    ("egress", "NAT instance"): "NSP601",
    ("egress", "appliance"): "NSP601",
    ("egress", "endpoint"): "NSP602",
    ("egress", "broken"): "NSP601",
    ("recovery", "NAT gateway"): "NSP503",
    ("recovery", "NAT instance"): "NSP503",
    ("recovery", "appliance"): "NSP503",
    ("recovery", "image"): "NSP501",
    ("admin", "customer gateway"): "NSP109",
    ("admin", "tunnel"): "NSP109",
    ("admin", "line"): "NSP109",
    ("admin", "site"): "NSP109",
    ("admin", "broken"): "NSP109",
}
"""Which rule speaks of a kind of event in a view; the kind "broken" is that a view is down already."""


def nat_gateway(b: Builder, item: Item) -> Requirement:
    """A NAT gateway: it stands in one zone, unless it is of the regional mode."""
    name = b.name(item)
    label = f"NAT gateway {item.label}"
    facts = item.facts("AvailabilityMode", "SubnetId", "State")
    state = item.text("State", "available")
    needs = UP if state in ("available", "pending") else NEVER
    if item.text("AvailabilityMode", "zonal") == "regional":
        b.add(Node(name, needs, kind="NAT gateway", label=label), item=item, facts=facts)
    else:
        zone = b.zone_of_subnet(item.text("SubnetId"))
        certain, possible = b.domains(zone, label)
        fault = b.event(item.id, "NAT gateway", label)
        node = Node(name, needs, (fault,), certain, possible, kind="NAT gateway", label=label)
        b.add(node, item=item, facts=facts, zone=zone)
    if state == "pending":
        b.is_off(name, state, certain=False)
    elif needs == NEVER:
        b.is_off(name, ": ".join(filter(None, (state, item.text("FailureMessage")))))
    return On(name)


def vpc_endpoint(b: Builder, item: Item) -> Requirement:
    """An endpoint: one leg in each of its subnets; a gateway endpoint is a route and stands nowhere."""
    name = b.name(item)
    service = item.text("ServiceName").rpartition(".")[2] or item.label
    kind = item.text("VpcEndpointType", "Gateway")
    facts = item.facts("ServiceName", "SubnetIds", "State")
    needs: Requirement = UP
    if kind != "Gateway":
        legs = endpoint_legs(b, item, service, is_appliance=kind == "GatewayLoadBalancer")
        needs = legs[0] if len(legs) == 1 else AnyOf(tuple(legs))
        if not legs:
            needs = b.unread(f"subnets of the endpoint for {service}")
    state = item.text("State", "available").lower()
    if state in ("pendingacceptance", "rejected", "failed", "deleted", "expired", "deleting"):
        needs = NEVER
        b.is_off(name, f"in the state {state}")
    b.add(Node(name, needs, kind="endpoint", label=f"endpoint for {service}"), item=item, facts=facts)
    return On(name)


def endpoint_legs(b: Builder, item: Item, service: str, *, is_appliance: bool) -> list[Requirement]:
    """Return the legs of an endpoint, by zone; an appliance that AWS runs has no fault of its own."""
    found: list[Requirement] = []
    subnets = item.texts("SubnetIds")
    is_managed = item.tags.get("AWSNetworkFirewallManaged", "").lower() == "true"
    for number, subnet in enumerate(subnets, 1):
        zone = b.zone_of_subnet(subnet)
        who = f"{'appliance' if is_appliance else 'endpoint'} {item.label}"
        label = f"{who} in {zone or f'its zone {number}'}" if is_appliance else f"endpoint for {service}"
        faults: tuple[str, ...] = ()
        if is_appliance and not is_managed:
            faults = (b.event(item.id, "appliance", label),)
        elif not is_appliance and len(subnets) == 1:
            where = f" (its only leg is in {zone})" if zone else " (it has one leg)"
            faults = (b.event(item.id, "endpoint", f"{label}{where}"),)
        certain, possible = b.domains(zone, label)
        node = Node(
            f"{b.name(item)}@{zone or number}", UP, faults, certain, possible, kind="endpoint", label=label
        )
        found.append(b.add(node, zone=zone))
    return list(dict.fromkeys(found))


# What every machine of a service goes through ------------------------------------------------------------


def egress(b: Builder, *, is_needed_to_serve: bool = False) -> None:
    """Let every machine need its way out, and what replaces a member need it to start.

    Args:
        b: the builder, with its machines built.
        is_needed_to_serve: pages cannot be served without it; somebody said so.
    """
    view = "serving" if is_needed_to_serve else "egress"
    functions = [name for name, node in b.nodes.items() if node.kind == "function zone"]
    for name in (*b.machines, *functions):
        subnet, network = subnet_of(b, name)
        table = route_table_of(b.estate, subnet, network)
        out = egress_of(b, subnet, table, zone=b.service.zone_of.get(name, "")) if table else UP
        b.also_needs(name, view, all_of([out, *endpoints_of(b, network)]))
        if is_member(b, name):
            b.also_needs(name, "recovery", out)
        if table:
            b.also_needs(name, "admin", line_out(b, table))


def endpoints_of(b: Builder, network: str) -> list[Requirement]:
    """Return the endpoints that everybody in a network uses: those that answer for the service's own name."""
    if not network:
        return []
    return [
        b.of(one)
        for one in b.estate.where("VPC endpoint", "VpcId", network)
        if one.text("VpcEndpointType") == "Interface" and one.flag("PrivateDnsEnabled") is True
    ]


def inline(b: Builder) -> None:
    """Let what clients come in by need the appliance that their traffic is routed through.

    Answers leave by the route of the subnet they leave from: that of a balancer's leg, or of the
    machine where clients reach it with no balancer between.
    """
    for item in list(b.service.item_of.values()):
        if item.kind.name != "load balancer" or item.text("Scheme") == "internal":
            continue
        for number, row in enumerate(item.rows("AvailabilityZones"), 1):
            leg = leg_name(item, zone_of(b, row) or f"its zone {number}")
            if leg in b.nodes:
                through(b, leg, row.text("SubnetId"), item.text("VpcId"))
    if any(node.kind == "load balancer" for node in b.nodes.values()):
        return
    for name in b.machines:
        subnet, network = subnet_of(b, name)
        through(b, name, subnet, network)


def through(b: Builder, name: str, subnet: str, network: str) -> None:
    """Let a node need the appliance on its way to clients, if there is one; each way has its own."""
    table = route_table_of(b.estate, subnet, network)
    row = default_route(table) if table else None
    key = row.text("GatewayId") if row else ""
    if not key.startswith("vpce-"):
        row = internet_route(b.estate, subnet, network)
        key = row.text("GatewayId") if row else ""
    if key.startswith("vpce-"):
        b.also_needs(name, "serving", b.need("VPC endpoint", key))
