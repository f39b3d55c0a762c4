"""Puts our EC2 models and operations in the places moto instantiates and routes from.

Every moto name used here is asserted in tests/localcloud/test_moto_names.py.
"""

from __future__ import annotations

import ipaddress
from typing import Any, cast

import moto.ec2.urls
from moto.ec2 import utils as moto_utils
from moto.ec2.models import EC2Backend, amis, elastic_block_store, instances, security_groups, subnets

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.cloud import current
from nospof.localcloud.ec2.groups import SecurityGroupRule
from nospof.localcloud.ec2.images import Ami, Snapshot
from nospof.localcloud.ec2.instances import Instance
from nospof.localcloud.ec2.responses import EC2Response

RESERVED_HOSTS = 4  # AWS keeps the first addresses of a subnet for itself


def install() -> None:
    """Patch moto's EC2. Called once, before the first backend is made."""
    models = ((instances, Instance), (amis, Ami), (elastic_block_store, Snapshot))
    for module, model in (*models, (security_groups, SecurityGroupRule)):
        setattr(module, model.__name__, model)
    moto.ec2.urls.url_paths = {"{0}/": EC2Response.dispatch}
    moto_utils.filter_dict_attribute_mapping.update(
        {
            "client-token": "client_token",
            "placement-group-name": "placement.group_name",
            "instance-state-code": "state_code",
            "root-device-name": "root_device_name",
            "tenancy": "placement.tenancy",
        }
    )
    subnet, backend = cast(Any, subnets.Subnet), cast(Any, EC2Backend)
    subnet.get_available_subnet_ip = next_address
    backend.create_default_vpc = create_default_vpc


def create_default_vpc(backend: Any) -> Any:
    """Make the default VPC in the block of addresses this cloud has claimed for the region."""
    block = current().block(backend.account_id, backend.region_name)
    vpc = backend.create_vpc(cidr_block=f"{block}.0.0/16", is_default=True)
    for zone in backend.describe_availability_zones():
        backend.create_default_subnet(zone.name)
    return vpc


def next_address(subnet: Any, instance: Any) -> str:
    """Return the subnet's next address, coming back to a used one only after all others.

    moto's own way keeps a generator outside the model, which starts again after a restart.
    """
    network = ipaddress.IPv4Network(subnet.cidr_block)
    usable = network.num_addresses - RESERVED_HOSTS - 1
    start = getattr(subnet, "next_host", 0)
    for offset in range(usable):
        host = (start + offset) % usable
        address = str(network.network_address + RESERVED_HOSTS + host)
        if address not in subnet._subnet_ips:
            subnet.next_host = host + 1
            subnet._subnet_ips[address] = instance
            return address
    raise AwsError(
        "InsufficientFreeAddressesInSubnet", f"There are not enough free addresses in subnet '{subnet.id}'."
    )
