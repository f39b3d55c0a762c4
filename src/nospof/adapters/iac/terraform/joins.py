"""Resources that are no items themselves: they join two others, or say more of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nospof.adapters.iac.terraform.cells import Fields, at, link, links_to, record
from nospof.adapters.iac.terraform.desk import Desk, Draft
from nospof.adapters.iac.terraform.resources import Resource
from nospof.adapters.iac.terraform.tables.network import OWN_ROUTE
from nospof.model.estate import UNKNOWN


def volume_attachment(desk: Desk, resource: Resource) -> None:
    """A volume on a machine."""
    volume, machine = ends(desk, resource, ("volume_id", "volume"), ("instance_id", "instance"))
    device = resource.block.get("device_name")
    if machine:
        name = volume.id if volume else literal(resource, "volume_id")
        machine.add("BlockDeviceMappings", {"DeviceName": device, "Ebs": {"VolumeId": name}})
    if volume:
        name = machine.id if machine else literal(resource, "instance_id")
        volume.add("Attachments", {"InstanceId": name, "Device": device})


def address_association(desk: Desk, resource: Resource) -> None:
    """An Elastic IP on a machine or an interface."""
    address, machine = ends(desk, resource, ("allocation_id", "address"), ("instance_id", "instance"))
    if address is None:
        address = found(desk, resource, "public_ip", "address")
    if address is None:
        return
    interface = found(desk, resource, "network_interface_id", "network interface")
    if machine:
        address.fields["InstanceId"] = machine.id
    if interface:
        address.fields["NetworkInterfaceId"] = interface.id


def interface_attachment(desk: Desk, resource: Resource) -> None:
    """A network interface on a machine."""
    interface, machine = ends(
        desk, resource, ("network_interface_id", "network interface"), ("instance_id", "instance")
    )
    if interface and machine:
        interface.fields["Attachment"] = {"InstanceId": machine.id}


def group_attachment(desk: Desk, resource: Resource) -> None:
    """An Auto Scaling group behind a target group or a classic balancer."""
    group = found(desk, resource, "autoscaling_group_name", "auto scaling group")
    if group is None:
        return
    for name in ("lb_target_group_arn", "alb_target_group_arn"):
        add_link(desk, resource, group, (name, "target group", "TargetGroupARNs"))
    add_link(desk, resource, group, ("elb", "classic load balancer", "LoadBalancerNames"))
    for source in resource.block.blocks("traffic_source"):
        kinds = ("target group", "classic load balancer")
        value = desk.one(source, "identifier", kinds, is_needed=True)
        if isinstance(value, str):
            group.add("TrafficSources", {"Identifier": value})


def balancer_attachment(desk: Desk, resource: Resource) -> None:
    """A machine behind a classic balancer."""
    balancer, machine = ends(desk, resource, ("elb", "classic load balancer"), ("instance", "instance"))
    if balancer:
        balancer.add("Instances", {"InstanceId": machine.id if machine else literal(resource, "instance")})


def own_route(desk: Desk, resource: Resource) -> None:
    """A route of a table."""
    if table := found(desk, resource, "route_table_id", "route table"):
        table.add("Routes", record(resource.block, desk, OWN_ROUTE))


def table_association(desk: Desk, resource: Resource) -> None:
    """A subnet, or a gateway, that goes by a route table."""
    if table := found(desk, resource, "route_table_id", "route table"):
        fields: Fields = {
            "SubnetId": link("subnet_id", "subnet"),
            "GatewayId": link("gateway_id", "internet gateway"),
        }
        table.add("Associations", record(resource.block, desk, fields))


def main_association(desk: Desk, resource: Resource) -> None:
    """The route table of all subnets of a network that have none of their own."""
    if table := found(desk, resource, "route_table_id", "route table"):
        table.add("Associations", {"Main": True})


def group_rule(desk: Desk, resource: Resource) -> None:
    """A rule of a security group that lets traffic in."""
    if resource.type == "aws_security_group_rule" and resource.block.get("type") != "ingress":
        return
    group = found(desk, resource, "security_group_id", "security group")
    source = found(desk, resource, "source_security_group_id", "security group") or found(
        desk, resource, "referenced_security_group_id", "security group"
    )
    if group is None:
        return
    name = "protocol" if "protocol" in resource.values else "ip_protocol"
    fields: Fields = {"IpProtocol": at(name), "FromPort": at("from_port"), "ToPort": at("to_port")}
    pairs: dict[str, Any] = {"UserIdGroupPairs": [{"GroupId": source.id}]} if source else {}
    group.add("IpPermissions", {**record(resource.block, desk, fields), **pairs})


def listener_certificate(desk: Desk, resource: Resource) -> None:
    """A further certificate of a listener."""
    listener = found(desk, resource, "listener_arn", "listener")
    value = link("certificate_arn", "certificate", "server certificate")(resource.block, desk)
    if listener and isinstance(value, str):
        listener.add("Certificates", {"CertificateArn": value})


def endpoint_association(desk: Desk, resource: Resource) -> None:
    """A subnet or a route table of an endpoint."""
    if endpoint := found(desk, resource, "vpc_endpoint_id", "VPC endpoint"):
        add_link(desk, resource, endpoint, ("subnet_id", "subnet", "SubnetIds"))
        add_link(desk, resource, endpoint, ("route_table_id", "route table", "RouteTableIds"))


def machine_state(desk: Desk, resource: Resource) -> None:
    """Whether a machine is to run or to stand still."""
    machine = found(desk, resource, "instance_id", "instance")
    state = resource.block.get("state")
    if machine and isinstance(state, str):
        machine.fields["State"] = {"Name": state}


JOINS: dict[str, Callable[[Desk, Resource], None]] = {
    "aws_volume_attachment": volume_attachment,
    "aws_eip_association": address_association,
    "aws_network_interface_attachment": interface_attachment,
    "aws_autoscaling_attachment": group_attachment,
    "aws_autoscaling_traffic_source_attachment": group_attachment,
    "aws_elb_attachment": balancer_attachment,
    "aws_route": own_route,
    "aws_route_table_association": table_association,
    "aws_main_route_table_association": main_association,
    "aws_security_group_rule": group_rule,
    "aws_vpc_security_group_ingress_rule": group_rule,
    "aws_lb_listener_certificate": listener_certificate,
    "aws_alb_listener_certificate": listener_certificate,
    "aws_vpc_endpoint_subnet_association": endpoint_association,
    "aws_vpc_endpoint_route_table_association": endpoint_association,
    "aws_ec2_instance_state": machine_state,
}
"""Types that join others, and what each of them does."""


def found(desk: Desk, resource: Resource, name: str, *kinds: str) -> Draft | None:
    """Return the draft that an attribute refers to, if it is one that was read."""
    value = link(name, *kinds)(resource.block, desk)
    drafts = [desk.find(kind, value) for kind in kinds]
    return next((one for one in drafts if one is not None), None)


def ends(
    desk: Desk, resource: Resource, first: tuple[str, str], second: tuple[str, str]
) -> tuple[Draft | None, Draft | None]:
    """Return the two drafts that are joined; a half-known joint is noted."""
    both = found(desk, resource, *first), found(desk, resource, *second)
    for (name, kind), draft in zip((first, second), both, strict=True):
        if draft is None and resource.block.get(name) is UNKNOWN:
            link(name, kind, is_needed=True)(resource.block, desk)
    return both


def literal(resource: Resource, name: str) -> str:
    """Return what an attribute says, or where it says it when nobody can tell."""
    value = resource.block.get(name)
    return value if isinstance(value, str) else resource.block.where(name)


def add_link(desk: Desk, resource: Resource, draft: Draft, what: tuple[str, str, str]) -> None:
    """Add what an attribute refers to, to a list of ids of a draft: (attribute, kind, field)."""
    name, kind, field = what
    if name not in resource.values:
        return
    value = links_to(name, kind, is_needed=True)(resource.block, desk)
    if isinstance(value, list):
        draft.add(field, *value)
