"""How Terraform's networks, ways out and entries say what the estate asks of them."""

from __future__ import annotations

from nospof.adapters.iac.terraform.cells import (
    Fields,
    Translation,
    always,
    at,
    each,
    given,
    inside,
    link,
    links_to,
    rows,
)

SUBNET = Translation(
    "subnet",
    "id",
    {
        "AvailabilityZone": at("availability_zone"),
        "AvailabilityZoneId": at("availability_zone_id"),
        "VpcId": link("vpc_id", "VPC"),
        "CidrBlock": at("cidr_block"),
        "MapPublicIpOnLaunch": at("map_public_ip_on_launch", False),
    },
    others=("arn",),
)
VPC = Translation("VPC", "id", {}, others=("arn", "default_route_table_id", "main_route_table_id"))

ADDRESS = Translation(
    "address",
    "id",
    {
        "PublicIp": at("public_ip"),
        "InstanceId": link("instance", "instance"),
        "NetworkInterfaceId": link("network_interface", "network interface"),
    },
    others=("public_ip", "allocation_id", "public_dns", "arn"),
)
INTERFACE = Translation(
    "network interface",
    "id",
    {
        "PrivateIpAddress": at("private_ip"),
        "SubnetId": link("subnet_id", "subnet"),
        "Attachment.InstanceId": inside("attachment", link("instance", "instance")),
        "Attachment.DeviceIndex": inside("attachment", at("device_index")),
    },
    others=("private_ip", "arn"),
)
NAT = Translation(
    "NAT gateway",
    "id",
    {
        "AvailabilityMode": at("availability_mode", "zonal"),
        "ConnectivityType": at("connectivity_type", "public"),
        "SubnetId": link("subnet_id", "subnet", is_needed=True),
        "NatGatewayAddresses": each(links_to("allocation_id", "address"), "AllocationId"),
    },
)

ROUTE: Fields = {
    "DestinationCidrBlock": given("cidr_block"),
    "DestinationIpv6CidrBlock": given("ipv6_cidr_block"),
    "DestinationPrefixListId": given("destination_prefix_list_id"),
    "GatewayId": link("gateway_id", "internet gateway", "virtual gateway"),
    "NatGatewayId": link("nat_gateway_id", "NAT gateway"),
    "NetworkInterfaceId": link("network_interface_id", "network interface"),
    "TransitGatewayId": link("transit_gateway_id", "transit gateway"),
    "VpcPeeringConnectionId": link("vpc_peering_connection_id", "peering connection"),
    "EgressOnlyInternetGatewayId": given("egress_only_gateway_id"),
}
OWN_ROUTE: Fields = {
    **ROUTE,
    "DestinationCidrBlock": given("destination_cidr_block"),
    "DestinationIpv6CidrBlock": given("destination_ipv6_cidr_block"),
}
"""A route that is a resource of its own names its destination otherwise than one within its table."""

ROUTE_TABLE = Translation(
    "route table", "id", {"VpcId": link("vpc_id", "VPC"), "Routes": rows("route", ROUTE)}, others=("arn",)
)
MAIN_TABLE = Translation(
    "route table",
    "id",
    {
        "VpcId": link("default_route_table_id", "VPC"),
        "Routes": rows("route", ROUTE),
        "Associations": always([{"Main": True}]),
    },
)
GATEWAY = Translation(
    "internet gateway", "id", {"Attachments": each(links_to("vpc_id", "VPC"), "VpcId")}, others=("arn",)
)
ENDPOINT = Translation(
    "VPC endpoint",
    "id",
    {
        "VpcEndpointType": at("vpc_endpoint_type", "Gateway"),
        "VpcId": link("vpc_id", "VPC"),
        "ServiceName": at("service_name"),
        "SubnetIds": links_to("subnet_ids", "subnet"),
        "RouteTableIds": links_to("route_table_ids", "route table"),
        "PrivateDnsEnabled": given("private_dns_enabled"),
    },
    others=("arn",),
)
VPN = Translation(
    "VPN connection",
    "id",
    {
        "CustomerGatewayId": link("customer_gateway_id", "customer gateway"),
        "VpnGatewayId": link("vpn_gateway_id", "virtual gateway"),
        "TransitGatewayId": link("transit_gateway_id", "transit gateway"),
        "Options.StaticRoutesOnly": given("static_routes_only"),
    },
)
ATTACHMENT = Translation(
    "transit gateway attachment",
    "id",
    {
        "TransitGatewayId": link("transit_gateway_id", "transit gateway"),
        "VpcId": link("vpc_id", "VPC"),
        "SubnetIds": links_to("subnet_ids", "subnet"),
        "Options.ApplianceModeSupport": at("appliance_mode_support", "disable"),
    },
)
PEERING = Translation(
    "peering connection",
    "id",
    {
        "AccepterVpcInfo.VpcId": link("peer_vpc_id", "VPC"),
        "RequesterVpcInfo.VpcId": link("vpc_id", "VPC"),
    },
)
FIREWALL = Translation(
    "firewall",
    "arn",
    {
        "FirewallName": at("name"),
        "VpcId": link("vpc_id", "VPC"),
        "SubnetMappings": rows("subnet_mapping", {"SubnetId": link("subnet_id", "subnet")}),
    },
    others=("id",),
)
PERMISSION: Fields = {
    "IpProtocol": at("protocol"),
    "FromPort": at("from_port"),
    "ToPort": at("to_port"),
    "UserIdGroupPairs": each(links_to("security_groups", "security group"), "GroupId"),
}
SECURITY_GROUP = Translation(
    "security group",
    "id",
    {"VpcId": link("vpc_id", "VPC"), "IpPermissions": rows("ingress", PERMISSION)},
    others=("arn",),
)

LINE = Translation(
    "direct connection",
    "id",
    {
        "location": at("location"),
        "awsDeviceV2": given("aws_device"),
        "hasLogicalRedundancy": given("has_logical_redundancy"),
    },
    others=("arn",),
)
INTERFACE_OF_LINE = Translation(
    "virtual interface",
    "id",
    {
        "connectionId": link("connection_id", "direct connection"),
        "virtualGatewayId": link("vpn_gateway_id", "virtual gateway"),
        "directConnectGatewayId": link("dx_gateway_id", "direct connect gateway"),
    },
    others=("arn",),
)
NETWORK = {
    **dict.fromkeys(("aws_subnet", "aws_default_subnet"), (SUBNET,)),
    **dict.fromkeys(("aws_vpc", "aws_default_vpc"), (VPC,)),
    "aws_eip": (ADDRESS,),
    "aws_network_interface": (INTERFACE,),
    "aws_nat_gateway": (NAT,),
    "aws_route_table": (ROUTE_TABLE,),
    "aws_default_route_table": (MAIN_TABLE,),
    "aws_internet_gateway": (GATEWAY,),
    "aws_vpn_gateway": (Translation("virtual gateway", "id", {}),),
    "aws_customer_gateway": (Translation("customer gateway", "id", {}),),
    "aws_ec2_transit_gateway": (Translation("transit gateway", "id", {}, ("arn",)),),
    "aws_vpc_endpoint": (ENDPOINT,),
    "aws_vpn_connection": (VPN,),
    "aws_ec2_transit_gateway_vpc_attachment": (ATTACHMENT,),
    "aws_vpc_peering_connection": (PEERING,),
    "aws_networkfirewall_firewall": (FIREWALL,),
    **dict.fromkeys(("aws_security_group", "aws_default_security_group"), (SECURITY_GROUP,)),
    "aws_dx_connection": (LINE,),
    "aws_dx_gateway": (Translation("direct connect gateway", "id", {}),),
    **dict.fromkeys(
        ("aws_dx_private_virtual_interface", "aws_dx_transit_virtual_interface"), (INTERFACE_OF_LINE,)
    ),
}
