"""Resources that only join two others: what they say belongs to one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nospof.adapters.iac.terraform.cells import record
from nospof.adapters.iac.terraform.linking import Linker
from nospof.adapters.iac.terraform.resources import Resource
from nospof.adapters.iac.terraform.tables.network import OWN_ROUTE
from nospof.model.estate import UNKNOWN, Estate, Item

Join = Callable[[Linker, Resource], tuple[str, str, dict[str, Any]] | None]
"""Returns the kind and the id of whom it is told of, and lists to be added to that item's fields."""


def target_group_of_group(links: Linker, one: Resource) -> tuple[str, str, dict[str, Any]] | None:
    """An Auto Scaling group and where it puts its members."""
    group = links.one(one.block, "autoscaling_group_name", ("auto scaling group",), is_needed=True)
    behind = links.one(one.block, "lb_target_group_arn", ("target group",), is_needed=False)
    if behind in (None, UNKNOWN):
        behind = links.one(one.block, "alb_target_group_arn", ("target group",), is_needed=False)
    classic = links.one(one.block, "elb", ("classic load balancer",), is_needed=False)
    added = {"TargetGroupARNs": texts(behind), "LoadBalancerNames": texts(classic)}
    return ("auto scaling group", group, added) if isinstance(group, str) else None


def machine_of_classic(links: Linker, one: Resource) -> tuple[str, str, dict[str, Any]] | None:
    """A classic balancer and one of its machines."""
    balancer = links.one(one.block, "elb", ("classic load balancer",), is_needed=True)
    machine = links.one(one.block, "instance", ("instance",), is_needed=True)
    added = {"Instances": [{"InstanceId": who} for who in texts(machine)]}
    return ("classic load balancer", balancer, added) if isinstance(balancer, str) else None


def volume_of_machine(links: Linker, one: Resource) -> tuple[str, str, dict[str, Any]] | None:
    """A machine and a disk more."""
    machine = links.one(one.block, "instance_id", ("instance",), is_needed=True)
    volume = links.one(one.block, "volume_id", ("volume",), is_needed=False)
    device = one.block.get("device_name", "")
    disks = [{"DeviceName": str(device), "Ebs": {"VolumeId": who}} for who in texts(volume)]
    return ("instance", machine, {"BlockDeviceMappings": disks}) if isinstance(machine, str) else None


def machine_of_address(links: Linker, one: Resource) -> tuple[str, str, dict[str, Any]] | None:
    """An Elastic IP and the machine it leads to."""
    address = links.one(one.block, "allocation_id", ("address",), is_needed=True)
    machine = links.one(one.block, "instance_id", ("instance",), is_needed=False)
    return ("address", address, {"InstanceId": machine}) if isinstance(address, str) else None


def route_of_table(links: Linker, one: Resource) -> tuple[str, str, dict[str, Any]] | None:
    """A route that is a resource of its own."""
    table = links.one(one.block, "route_table_id", ("route table",), is_needed=False)
    added = {"Routes": [record(one.block, links, OWN_ROUTE)]}
    return ("route table", table, added) if isinstance(table, str) else None


def subnet_of_table(links: Linker, one: Resource) -> tuple[str, str, dict[str, Any]] | None:
    """A route table and a subnet that goes by it."""
    table = links.one(one.block, "route_table_id", ("route table",), is_needed=False)
    subnet = links.one(one.block, "subnet_id", ("subnet",), is_needed=False)
    added = {"Associations": [{"SubnetId": who} for who in texts(subnet)]}
    return ("route table", table, added) if isinstance(table, str) else None


JOINS: Mapping[str, Join] = {
    "aws_autoscaling_attachment": target_group_of_group,
    "aws_autoscaling_traffic_source_attachment": target_group_of_group,
    "aws_elb_attachment": machine_of_classic,
    "aws_volume_attachment": volume_of_machine,
    "aws_eip_association": machine_of_address,
    "aws_route": route_of_table,
    "aws_route_table_association": subnet_of_table,
}


def texts(value: Any) -> list[str]:
    """Return the one text that is known, or none."""
    return [value] if isinstance(value, str) and value else []


def attached(estate: Estate, links: Linker, resources: Iterable[Resource]) -> Estate:
    """Return the estate with what the joining resources say."""
    for one in resources:
        join = None if one.is_data else JOINS.get(one.type)
        told = join(links, one) if join else None
        if told is None:
            continue
        kind, id_, added = told
        item = estate.find(kind, id_)
        if item is not None:
            estate = estate.changed(kind, item.id, **merged(item, added))
    return estate


def merged(item: Item, added: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's fields with lists made longer, and single values set."""
    found = {}
    for name, value in added.items():
        if not isinstance(value, list):
            found[name] = value
        elif value:
            before = item.fields.get(name)
            found[name] = [*(before if isinstance(before, list) else ()), *value]
    return found
