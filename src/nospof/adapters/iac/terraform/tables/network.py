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
    listed,
    rows,
)
from nospof.model.estate import UNKNOWN

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

ZONE = Translation(
    "hosted zone",
    "zone_id",
    {
        "Name": at("name"),
        "Config.PrivateZone": lambda block, _links: (
            block.get("private_zone") is True
            or "vpc" in (block.expressions or {})
            or bool(block.blocks("vpc"))
        ),
    },
    others=("id", "arn"),
)
_ANSWERS = (
    "load balancer",
    "classic load balancer",
    "distribution",
    "accelerator",
    "address",
    "instance",
    "API domain",
    "bucket",
    "VPC endpoint",
    "database",
    "database cluster",
    "cache",
    "cache cluster",
    "network interface",
)
RECORD = Translation(
    "record set",
    "",
    {
        "HostedZoneId": link("zone_id", "hosted zone"),
        "Name": at("name"),
        "Type": at("type"),
        "SetIdentifier": given("set_identifier"),
        "TTL": given("ttl"),
        "Weight": inside("weighted_routing_policy", at("weight")),
        "Failover": inside("failover_routing_policy", at("type")),
        "Region": inside("latency_routing_policy", at("region")),
        "GeoLocation.ContinentCode": inside("geolocation_routing_policy", given("continent")),
        "GeoLocation.CountryCode": inside("geolocation_routing_policy", given("country")),
        "GeoLocation.SubdivisionCode": inside("geolocation_routing_policy", given("subdivision")),
        "GeoProximityLocation.Bias": inside("geoproximity_routing_policy", given("bias")),
        "CidrRoutingConfig.LocationName": inside("cidr_routing_policy", given("location_name")),
        "MultiValueAnswer": given("multivalue_answer_routing_policy"),
        "HealthCheckId": link("health_check_id", "health check"),
        "AliasTarget.DNSName": inside("alias", link("name", *_ANSWERS, is_needed=True)),
        "AliasTarget.EvaluateTargetHealth": inside("alias", at("evaluate_target_health", False)),
        "ResourceRecords": each(links_to("records", *_ANSWERS, is_needed=True), "Value"),
    },
)
HEALTH_CHECK = Translation(
    "health check",
    "id",
    {
        "HealthCheckConfig.Type": at("type"),
        "HealthCheckConfig.IPAddress": link("ip_address", "address", "instance"),
        "HealthCheckConfig.FullyQualifiedDomainName": link("fqdn", *_ANSWERS),
        "HealthCheckConfig.RequestInterval": at("request_interval", 30),
        "HealthCheckConfig.FailureThreshold": at("failure_threshold", 3),
        "HealthCheckConfig.Disabled": at("disabled", False),
        "HealthCheckConfig.Inverted": at("invert_healthcheck", False),
        "HealthCheckConfig.ChildHealthChecks": links_to("child_healthchecks", "health check"),
        "HealthCheckConfig.HealthThreshold": given("child_health_threshold"),
    },
    others=("arn",),
)
_BEHAVIOUR: Fields = {
    "PathPattern": given("path_pattern"),
    "TargetOriginId": at("target_origin_id"),
    "AllowedMethods.Items": listed("allowed_methods"),
}
DISTRIBUTION = Translation(
    "distribution",
    "id",
    {
        "DomainName": at("domain_name"),
        "Enabled": at("enabled", True),
        "Aliases.Items": listed("aliases"),
        "Origins.Items": rows(
            "origin",
            {"Id": at("origin_id"), "DomainName": link("domain_name", *_ANSWERS, is_needed=True)},
        ),
        "OriginGroups.Items": rows(
            "origin_group",
            {
                "Id": at("origin_id"),
                "Members.Items": rows("member", {"OriginId": at("origin_id")}),
                "FailoverCriteria.StatusCodes.Items": inside("failover_criteria", listed("status_codes")),
            },
        ),
        "DefaultCacheBehavior.TargetOriginId": inside("default_cache_behavior", at("target_origin_id")),
        "DefaultCacheBehavior.AllowedMethods.Items": inside(
            "default_cache_behavior", listed("allowed_methods")
        ),
        "CacheBehaviors.Items": rows("ordered_cache_behavior", _BEHAVIOUR),
        "ViewerCertificate.ACMCertificateArn": inside(
            "viewer_certificate", link("acm_certificate_arn", "certificate")
        ),
        "ViewerCertificate.IAMCertificateId": inside(
            "viewer_certificate", link("iam_certificate_id", "server certificate")
        ),
    },
    others=("arn", "domain_name"),
)
ACCELERATOR = Translation(
    "accelerator",
    "id",
    {"DnsName": at("dns_name"), "Enabled": at("enabled", True)},
    others=("arn", "dns_name", "dual_stack_dns_name"),
)
ACCELERATOR_LISTENER = Translation(
    "accelerator listener",
    "id",
    {
        "AcceleratorArn": link("accelerator_arn", "accelerator", is_needed=True),
        "Protocol": at("protocol"),
        "PortRanges": rows("port_range", {"FromPort": at("from_port"), "ToPort": at("to_port")}),
    },
    others=("arn",),
)
ENDPOINT_GROUP = Translation(
    "endpoint group",
    "id",
    {
        "ListenerArn": link("listener_arn", "accelerator listener", is_needed=True),
        "EndpointGroupRegion": given("endpoint_group_region"),
        "TrafficDialPercentage": at("traffic_dial_percentage", 100),
        "HealthCheckIntervalSeconds": at("health_check_interval_seconds", 30),
        "ThresholdCount": at("threshold_count", 3),
        "EndpointDescriptions": rows(
            "endpoint_configuration",
            {
                "EndpointId": link("endpoint_id", "load balancer", "instance", "address", is_needed=True),
                "Weight": at("weight", 128),
            },
        ),
    },
    others=("arn",),
)
CERTIFICATE = Translation(
    "certificate",
    "arn",
    {
        "DomainName": at("domain_name"),
        "Status": at("status"),
        "Type": lambda block, _links: (
            "AMAZON_ISSUED"
            if block.get("validation_method", "NONE") in ("DNS", "EMAIL")
            else "IMPORTED"
            if isinstance(block.get("certificate_body"), str)
            else UNKNOWN
        ),
        "NotAfter": at("not_after"),
        "DomainValidationOptions": each(listed("validation_method"), "ValidationMethod"),
    },
    others=("id",),
)
SERVER_CERTIFICATE = Translation(
    "server certificate", "id", {"Arn": at("arn"), "Expiration": at("expiration")}, ("arn",)
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
    "aws_route53_zone": (ZONE,),
    "aws_route53_record": (RECORD,),
    "aws_route53_health_check": (HEALTH_CHECK,),
    "aws_cloudfront_distribution": (DISTRIBUTION,),
    "aws_globalaccelerator_accelerator": (ACCELERATOR,),
    "aws_globalaccelerator_listener": (ACCELERATOR_LISTENER,),
    "aws_globalaccelerator_endpoint_group": (ENDPOINT_GROUP,),
    "aws_acm_certificate": (CERTIFICATE,),
    "aws_iam_server_certificate": (SERVER_CERTIFICATE,),
}
