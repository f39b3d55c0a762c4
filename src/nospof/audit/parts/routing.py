"""Which way a machine's traffic goes: its subnet, the table that decides there, and where that leads."""

from __future__ import annotations

import ipaddress

from nospof.audit.builder import Builder
from nospof.audit.parts.machines import group_of_instance
from nospof.model.estate import Estate, Item, Record
from nospof.model.topology import NEVER, UP, AnyOf, Node, On, Requirement

EVERYWHERE = ("0.0.0.0/0", "::/0")


def is_member(b: Builder, name: str) -> bool:
    """Whether a machine belongs to an Auto Scaling group."""
    return scaling_of(b, name) is not None


def scaling_of(b: Builder, name: str) -> Item | None:
    """Return the Auto Scaling group of a machine, whether it runs already or is promised only."""
    item = b.service.item_of.get(name)
    if item is None or item.kind.name == "auto scaling group":
        return item
    return group_of_instance(b, item.id) if item.kind.name == "instance" else None


def subnet_of(b: Builder, name: str) -> tuple[str, str]:
    """Return the subnet and the network of a machine; empty where nobody could tell."""
    item = b.service.item_of.get(name)
    if item is None:
        return "", ""
    if item.kind.name == "instance":
        subnet = item.text("SubnetId") or next(
            (row.text("SubnetId") for row in item.rows("NetworkInterfaces") if row.text("SubnetId")), ""
        )
        return subnet, item.text("VpcId") or network_of(b.estate, subnet)
    own = [
        row.text("value")
        for each in (item.rows("attachments") if item.kind.name == "task" else ())
        for row in each.rows("details")
        if row.text("name") == "subnetId"
    ]
    zone = b.service.zone_of.get(name, "")
    listed = own or subnets_of_keeper(item)
    there = [one for one in listed if b.zone_of_subnet(one) == zone] or listed[:1]
    return (there[0], network_of(b.estate, there[0])) if there else ("", "")


def subnets_of_keeper(item: Item) -> list[str]:
    """Return the subnets in which something starts what runs for it."""
    if item.kind.name == "auto scaling group":
        return [one.strip() for one in item.text("VPCZoneIdentifier").split(",") if one.strip()]
    path = {
        "container service": "networkConfiguration.awsvpcConfiguration.subnets",
        "function": "VpcConfig.SubnetIds",
    }.get(item.kind.name)
    return list(item.texts(path)) if path else []


def network_of(estate: Estate, subnet: str) -> str:
    """Return the network that a subnet belongs to."""
    known = estate.find("subnet", subnet) if subnet else None
    return known.text("VpcId") if known else ""


def route_table_of(estate: Estate, subnet: str, network: str) -> Item | None:
    """Return the table that decides in a subnet: its own, else the main one of its network."""
    if subnet and (own := estate.where("route table", "Associations.SubnetId", subnet)):
        return own[0]
    if not network:
        return None
    for table in estate.where("route table", "VpcId", network):
        if any(row.flag("Main") for row in table.rows("Associations")):
            return table
    return None


def default_route(table: Item) -> Record | None:
    """Return the route to everywhere: over IPv4 where there is one."""
    for path, everywhere in zip(
        ("DestinationCidrBlock", "DestinationIpv6CidrBlock"), EVERYWHERE, strict=True
    ):
        for row in table.rows("Routes"):
            if row.text(path) == everywhere:
                return row
    return None


def internet_route(estate: Estate, subnet: str, network: str) -> Record | None:
    """Return the route by which what comes in from the internet is led to a subnet through an appliance.

    It stands in the table that is attached to the internet gateway, with the subnet's addresses.
    """
    known = estate.find("subnet", subnet) if subnet else None
    block = block_of(known.text("CidrBlock")) if known else None
    for table in estate.where("route table", "VpcId", network) if network and block else ():
        if not any(row.text("GatewayId").startswith("igw-") for row in table.rows("Associations")):
            continue
        for row in table.rows("Routes"):
            route = block_of(row.text("DestinationCidrBlock"))
            is_around = route is not None and route.version == 4 and block.subnet_of(route)  # type: ignore[union-attr]
            if is_around and row.text("GatewayId").startswith("vpce-"):
                return row
    return None


def block_of(text: str) -> ipaddress.IPv4Network | None:
    """Return a block of addresses, or nothing where the text is none."""
    try:
        return ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None


def egress_of(b: Builder, subnet: str, table: Item, zone: str) -> Requirement:
    """Return what a subnet needs in order to reach the outside; nothing where it has no way there."""
    row = default_route(table)
    if row is None:
        return UP
    if row.text("State") == "blackhole":
        name = f"route out of {subnet or table.id}"
        b.is_off(name, "a dead end: what it named is gone")
        node = Node(name, NEVER, kind="route", label=f"the route out of {subnet or table.label}")
        return b.add(node, item=table, facts=table.facts("Routes"))
    if key := row.text("NatGatewayId"):
        return b.need("NAT gateway", key)
    if key := row.text("GatewayId"):
        return b.need("VPC endpoint", key) if key.startswith("vpce-") else UP
    if machine := nat_machine(b.estate, row):
        return nat_instance(b, machine)
    if row.text("InstanceId") or row.text("NetworkInterfaceId"):
        return b.unread(f"the NAT machine of {table.label}")
    if key := row.text("TransitGatewayId"):
        return transit(b, key, network_of(b.estate, subnet) or table.text("VpcId"), zone)
    return UP


def nat_machine(estate: Estate, row: Record) -> Item | None:
    """Return the instance that a route leads to, by itself or by its interface."""
    if found := estate.find("instance", row.text("InstanceId")):
        return found
    key = row.text("NetworkInterfaceId")
    if not key:
        return None
    holders = estate.where("instance", "NetworkInterfaces.NetworkInterfaceId", key)
    if holders:
        return holders[0]
    interface = estate.find("network interface", key)
    return estate.find("instance", interface.text("Attachment.InstanceId")) if interface else None


def nat_instance(b: Builder, item: Item) -> Requirement:
    """Add a machine that others go out through; it serves no clients, so it is no member."""
    if item.id in b.nodes:
        return On(item.id)
    name = f"NAT instance {item.id}"
    label = f"NAT instance {item.label}"
    zone = item.text("Placement.AvailabilityZone") or b.zone_of_subnet(item.text("SubnetId"))
    certain, possible = b.domains(zone, label)
    fault = b.event(item.id, "NAT instance", label)
    state = item.text("State.Name", "running")
    needs = UP if state in ("running", "pending") else NEVER
    node = Node(name, needs, (fault,), certain, possible, kind="NAT instance", label=label)
    if state != "running":
        b.is_off(name, state, certain=state != "pending")
    return b.add(node, item=item, facts=item.facts("Placement.AvailabilityZone", "State.Name"), zone=zone)


def transit(b: Builder, key: str, network: str, zone: str) -> Requirement:
    """Return what the way over a transit gateway needs: a leg of its attachment in the machine's own zone."""
    attachments = [
        one
        for one in b.estate.where("transit gateway attachment", "TransitGatewayId", key)
        if one.text("VpcId") == network and one.text("State", "available") == "available"
    ]
    b.assume(f"what lies beyond transit gateway {key} is not judged")
    if not attachments:
        return b.need("transit gateway attachment", f"{key} of {network or 'the network'}")
    zones = {b.zone_of_subnet(one) for item in attachments for one in item.texts("SubnetIds")}
    if not zone or "" in zones or not zones or zone in zones:
        return UP
    name = f"{key} from {zone}"
    b.is_off(name, f"without a leg in {zone}")
    label = f"the way from {zone} over transit gateway {key}"
    facts = attachments[0].facts("SubnetIds")
    return b.add(Node(name, AnyOf(()), kind="route", label=label), item=attachments[0], facts=facts)
