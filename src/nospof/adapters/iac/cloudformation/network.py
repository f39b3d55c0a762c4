"""Ways in and out of a template's network: names, edges, addresses, routes, gateways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nospof.adapters.iac.cloudformation.loading import words
from nospof.adapters.iac.cloudformation.machines import Made
from nospof.adapters.iac.cloudformation.resources import Resource, Stack, as_list, chosen
from nospof.model.estate import UNKNOWN

LINKS = words(
    "GatewayId NatGatewayId InstanceId NetworkInterfaceId TransitGatewayId VpcPeeringConnectionId "
    "EgressOnlyInternetGatewayId"
)
DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")


def subnet(stack: Stack, one: Resource) -> Iterator[Made]:
    """A subnet: where it names no zone AWS chooses one."""
    yield "subnet", one.id, {**one.properties, "AvailabilityZone": stack.zone_of_subnet(one.id)}


def address(stack: Stack, one: Resource) -> Iterator[Made]:
    """An Elastic IP, with what it is bound to wherever that is said."""
    fields = dict(one.properties)
    for link in stack.of("EC2::EIPAssociation"):
        get = link.properties.get
        if one.id in (get("EIP"), get("AllocationId"), get("PublicIp")):
            fields |= {
                name: get(name) for name in ("InstanceId", "NetworkInterfaceId") if name in link.properties
            }
            fields["AssociationId"] = link.id
    yield "address", one.id, fields


def interface(stack: Stack, one: Resource) -> Iterator[Made]:
    """A network interface; it never leaves its subnet's zone."""
    fields = {**one.properties, "AvailabilityZone": stack.zone_of_subnet(one.properties.get("SubnetId"))}
    for link in stack.naming(one, "EC2::NetworkInterfaceAttachment", "NetworkInterfaceId"):
        fields["Attachment"] = {"InstanceId": link.get("InstanceId")}
    fields.pop("PrivateIpAddresses", None)
    yield "network interface", one.id, fields


def nat_gateway(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A NAT gateway: in its subnet's zone, unless it is a regional one."""
    fields = {"ConnectivityType": "public", "AvailabilityMode": "zonal", **one.properties}
    fields["NatGatewayAddresses"] = [{"AllocationId": one.properties.get("AllocationId")}]
    yield "NAT gateway", one.id, fields


def route_table(stack: Stack, one: Resource) -> Iterator[Made]:
    """A route table, with its routes and subnets wherever they stand."""
    routes = []
    for route in stack.naming(one, "EC2::Route", "RouteTableId"):
        row = {name: route.get(name) for name in (*LINKS, *DESTINATIONS)}
        if "VpcEndpointId" in route:
            row["GatewayId"] = route["VpcEndpointId"]
        routes.append({**row, "State": "active"})
    links = stack.naming(one, "EC2::SubnetRouteTableAssociation", "RouteTableId")
    subnets = [{"SubnetId": link.get("SubnetId")} for link in links]
    yield "route table", one.id, {**one.properties, "Routes": routes, "Associations": subnets}


def vpc_endpoint(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A VPC endpoint."""
    fields = {"VpcEndpointType": "Gateway", **one.properties}
    for name in ("SubnetIds", "RouteTableIds"):
        fields[name] = one.texts(name)
    yield "VPC endpoint", one.id, fields


def security_group(stack: Stack, one: Resource) -> Iterator[Made]:
    """A security group: which others it lets in."""
    permissions = []
    apart = stack.naming(one, "EC2::SecurityGroupIngress", "GroupId")
    for rule in (*one.rows("SecurityGroupIngress"), *apart):
        source = rule.get("SourceSecurityGroupId")
        row = {name: rule.get(name) for name in ("IpProtocol", "FromPort", "ToPort")}
        permissions.append(
            {**row, "UserIdGroupPairs": [{"GroupId": source}] if chosen(source) is not None else []}
        )
    about = {
        "VpcId": one.properties.get("VpcId"),
        "GroupName": chosen(one.properties.get("GroupName"), one.id),
    }
    yield "security group", one.id, {**about, "IpPermissions": permissions}


# Names and edges ------------------------------------------------------------------------------------------


def record_set(stack: Stack, one: Resource) -> Iterator[Made]:
    """A record."""
    yield "record set", one.id, record(stack, one, one.id, one.properties)


def record_sets(stack: Stack, one: Resource) -> Iterator[Made]:
    """The records of a group of them."""
    zone = {
        name: one.properties[name] for name in ("HostedZoneId", "HostedZoneName") if name in one.properties
    }
    for place, row in enumerate(one.rows("RecordSets")):
        key = f"{one.id}[{place}]"
        yield "record set", key, record(stack, one, key, {**zone, **row})


def record(stack: Stack, one: Resource, key: str, written: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as Route 53 would answer it."""
    name = written.get("Name")
    if not isinstance(name, str):
        stack.evaluator.assume(f"the name of {key} is not known: it goes by its place in the template")
        name = key
    values = written.get("ResourceRecords")
    listed: Any = UNKNOWN
    if values is not UNKNOWN:
        listed = [{"Value": value} for value in as_list(one, "ResourceRecords", values)]
    zone = chosen(written.get("HostedZoneId"), written.get("HostedZoneName"))
    return {**written, "Name": name, "ResourceRecords": listed, "HostedZoneId": zone}


def hosted_zone(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A hosted zone: private where it names networks."""
    yield "hosted zone", one.id, {**one.properties, "Config": {"PrivateZone": "VPCs" in one.properties}}


def health_check(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A health check."""
    yield "health check", one.id, {"HealthCheckConfig": one.part("HealthCheckConfig")}


def distribution(stack: Stack, one: Resource) -> Iterator[Made]:
    """A CloudFront distribution: lists are called Items in its API."""
    config = dict(one.part("DistributionConfig"))
    certificate = config.get("ViewerCertificate")
    if isinstance(certificate, dict):
        named = {"ACMCertificateArn": certificate.get("AcmCertificateArn")}
        config["ViewerCertificate"] = {**named, "IAMCertificateId": certificate.get("IamCertificateId")}
    config["Aliases"] = {"Items": as_list(one, "Aliases", config.get("Aliases"))}
    for name in ("Origins", "CacheBehaviors"):
        config[name] = {"Items": [listed(row) for row in as_list(one, name, config.get(name))]}
    config["Origins"] = {"Items": [origin(stack, row) for row in config["Origins"]["Items"]]}
    if isinstance(config.get("DefaultCacheBehavior"), dict):
        config["DefaultCacheBehavior"] = listed(config["DefaultCacheBehavior"])
    yield "distribution", one.id, config


def origin(stack: Stack, row: Any) -> Any:
    """Return an origin; a bucket goes by the host name that S3 gives it."""
    found = stack.find(row.get("DomainName")) if isinstance(row, dict) else None
    is_bucket = found is not None and found.type == "AWS::S3::Bucket"
    return {**row, "DomainName": f"{row['DomainName']}.s3.amazonaws.com"} if is_bucket else row


def listed(behaviour: Any) -> Any:
    """Return a behaviour with its methods as the API lists them."""
    if not isinstance(behaviour, dict) or not isinstance(behaviour.get("AllowedMethods"), list):
        return behaviour
    return {**behaviour, "AllowedMethods": {"Items": behaviour["AllowedMethods"]}}


def endpoint_group(_stack: Stack, one: Resource) -> Iterator[Made]:
    """The endpoints of an accelerator in a region."""
    rows = one.rows("EndpointConfigurations")
    yield "endpoint group", one.id, {**one.properties, "EndpointDescriptions": rows}


def certificate(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A certificate that AWS issues: validated by mail unless it says otherwise."""
    method = one.properties.get("ValidationMethod", "EMAIL")
    about = {"DomainName": one.properties.get("DomainName"), "Type": "AMAZON_ISSUED", "Status": "ISSUED"}
    yield "certificate", one.id, {**about, "DomainValidationOptions": [{"ValidationMethod": method}]}


def internet_gateway(stack: Stack, one: Resource) -> Iterator[Made]:
    """An internet gateway."""
    links = [
        {"VpcId": link.get("VpcId"), "State": "available"}
        for link in stack.naming(one, "EC2::VPCGatewayAttachment", "InternetGatewayId")
    ]
    yield "internet gateway", one.id, {"Attachments": links}


NETWORK = {
    "EC2::Subnet": subnet,
    "EC2::EIP": address,
    "EC2::NetworkInterface": interface,
    "EC2::NatGateway": nat_gateway,
    "EC2::RouteTable": route_table,
    "EC2::VPCEndpoint": vpc_endpoint,
    "EC2::SecurityGroup": security_group,
    "EC2::InternetGateway": internet_gateway,
    "Route53::RecordSet": record_set,
    "Route53::RecordSetGroup": record_sets,
    "Route53::HostedZone": hosted_zone,
    "Route53::HealthCheck": health_check,
    "CloudFront::Distribution": distribution,
    "CertificateManager::Certificate": certificate,
    "GlobalAccelerator::EndpointGroup": endpoint_group,
}
