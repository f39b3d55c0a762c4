"""Who is calling, and zones, subnets and security groups of EC2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nospof.adapters.aws.connection import (
    Connection,
    as_tags,
    exactly,
    has_tag,
    specification,
    tag_filters,
)
from nospof.errors import CloudError
from nospof.model.cloud import Identity, IngressRule, SecurityGroup, SecurityGroupRequest, Subnet, Zone

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import RouteTableTypeDef

TCP = ("tcp", "6", "-1")
LAST_PORT = 65535
ANYBODY = "0.0.0.0/0"


class Network(Connection):
    """The part of the port that speaks of the caller and the network."""

    def identity(self) -> Identity:
        """See the port. It is read once: a session's credentials stay those of one caller."""
        if self._caller is None:
            with self.reading("sts:GetCallerIdentity"):
                answer = self.sts.get_caller_identity()
            self._caller = Identity(answer["Account"], answer["Arn"], self.region)
        return self._caller

    def zones(self) -> tuple[Zone, ...]:
        """See the port. Local and wavelength zones are left out: load balancers cannot join them."""
        with self.reading("ec2:DescribeAvailabilityZones", self.region):
            answer = self.ec2.describe_availability_zones()
        return tuple(
            sorted(
                (
                    Zone(one["ZoneName"], one.get("ZoneId", ""), one.get("State", "available"))
                    for one in answer["AvailabilityZones"]
                    if one.get("ZoneType", "availability-zone") == "availability-zone"
                ),
                key=lambda zone: zone.name,
            )
        )

    def subnets(self, vpc_id: str) -> tuple[Subnet, ...]:
        """See the port. A subnet is public when it gives public addresses or routes to a gateway."""
        in_vpc: Any = [{"Name": "vpc-id", "Values": [vpc_id]}]
        with self.reading("ec2:DescribeSubnets", vpc_id):
            pages = self.ec2.get_paginator("describe_subnets").paginate(Filters=in_vpc)
            found = [one for page in pages for one in page["Subnets"]]
        with self.reading("ec2:DescribeRouteTables", vpc_id):
            tables = self.ec2.get_paginator("describe_route_tables").paginate(Filters=in_vpc)
            routed = _subnets_with_gateway([table for page in tables for table in page["RouteTables"]])
        subnets = [
            Subnet(
                id=one["SubnetId"],
                vpc_id=one["VpcId"],
                zone=one["AvailabilityZone"],
                free_addresses=one["AvailableIpAddressCount"],
                is_public=one.get("MapPublicIpOnLaunch", False)
                or routed.get(one["SubnetId"], routed.get("", False)),
                is_default=one.get("DefaultForAz", False),
                cidr=one.get("CidrBlock", ""),
            )
            for one in found
        ]
        return tuple(sorted(subnets, key=lambda subnet: (subnet.zone, subnet.id)))

    def ingress_rules(self, group_id: str) -> tuple[IngressRule, ...]:
        """See the port."""

        def ask() -> list[IngressRule]:
            with self.reading("ec2:DescribeSecurityGroups", group_id):
                groups = self.ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
            return [rule for group in groups for one in group["IpPermissions"] for rule in _rules(one)]

        rules = set(self.patiently((group_id,), ask))
        return tuple(sorted(rules, key=lambda rule: (rule.port, rule.cidr, rule.from_group)))

    def security_groups(self, tag: str, value: str = "") -> tuple[SecurityGroup, ...]:
        """See the port."""
        with self.reading("ec2:DescribeSecurityGroups", tag):
            pages = self.ec2.get_paginator("describe_security_groups").paginate(
                Filters=tag_filters(tag, value)
            )
            found = [
                SecurityGroup(
                    one["GroupId"], one["GroupName"], one.get("VpcId", ""), as_tags(one.get("Tags"))
                )
                for page in pages
                for one in page["SecurityGroups"]
            ]
        tagged = [group for group in found if has_tag(group.tags, tag, value)]
        return tuple(sorted(tagged, key=lambda group: group.id))

    def create_security_group(self, request: SecurityGroupRequest) -> str:
        """See the port."""
        found = self._security_group_named(request)
        if found is not None:
            return found
        tags = specification(("security-group", request.tags))
        parameters: dict[str, Any] = {"TagSpecifications": tags} if tags else {}
        try:
            with self.writing("ec2:CreateSecurityGroup", request.name):
                group_id = self.ec2.create_security_group(
                    GroupName=request.name,
                    Description=request.description,
                    VpcId=request.vpc_id,
                    **parameters,
                )["GroupId"]
        except CloudError as error:
            if error.code != "InvalidGroup.Duplicate":
                raise
            return self.until_found(lambda: self._security_group_named(request), error)
        self.made(group_id)
        return group_id

    def _security_group_named(self, request: SecurityGroupRequest) -> str | None:
        named: Any = [
            {"Name": "group-name", "Values": [exactly(request.name)]},
            {"Name": "vpc-id", "Values": [request.vpc_id]},
        ]
        with self.reading("ec2:DescribeSecurityGroups", request.name):
            pages = self.ec2.get_paginator("describe_security_groups").paginate(Filters=named)
            groups = [group for page in pages for group in page["SecurityGroups"]]
        return next((one["GroupId"] for one in groups if one["GroupName"] == request.name), None)

    def allow(self, group_id: str, rule: IngressRule) -> None:
        """See the port."""

        def ask() -> None:
            with self.writing("ec2:AuthorizeSecurityGroupIngress", group_id):
                self.ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[_permission(rule)])

        try:
            self.patiently((group_id, rule.from_group), ask)
        except CloudError as error:
            if error.code != "InvalidPermission.Duplicate":
                raise

    def allow_egress(self, group_id: str, port: int) -> None:
        """See the port."""
        rule = _permission(IngressRule(port, cidr=ANYBODY))

        def ask() -> None:
            with self.writing("ec2:AuthorizeSecurityGroupEgress", group_id):
                self.ec2.authorize_security_group_egress(GroupId=group_id, IpPermissions=[rule])

        try:
            self.patiently((group_id,), ask)
        except CloudError as error:
            if error.code != "InvalidPermission.Duplicate":
                raise

    def revoke_egress(self, group_id: str, *, but_port: int) -> None:
        """See the port. AWS gives each new group a rule that lets everything out."""

        def ask() -> list[Any]:
            with self.reading("ec2:DescribeSecurityGroups", group_id):
                groups = self.ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
            return [one for group in groups for one in group["IpPermissionsEgress"]]

        others = [one for one in self.patiently((group_id,), ask) if not _is_just(one, but_port)]
        if others:
            with self.deleting("ec2:RevokeSecurityGroupEgress", group_id):
                self.ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=others)

    def revoke(self, group_id: str, rule: IngressRule) -> None:
        """See the port."""
        with self.deleting("ec2:RevokeSecurityGroupIngress", group_id):
            self.ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=[_permission(rule)])

    def delete_security_group(self, group_id: str) -> None:
        """See the port."""
        with self.deleting("ec2:DeleteSecurityGroup", group_id):
            self.ec2.delete_security_group(GroupId=group_id)


def _is_just(permission: Any, port: int) -> bool:
    """Whether a rule is for one port of TCP to anybody."""
    ports = (permission.get("IpProtocol"), permission.get("FromPort"), permission.get("ToPort"))
    cidrs = [one.get("CidrIp") for one in permission.get("IpRanges", ())]
    return ports == ("tcp", port, port) and cidrs == [ANYBODY]


def _permission(rule: IngressRule) -> Any:
    """Return a rule as AWS takes it."""
    permission: dict[str, Any] = {
        "IpProtocol": "tcp",
        "FromPort": rule.port,
        "ToPort": rule.port or LAST_PORT,
    }
    if rule.from_group:
        return {**permission, "UserIdGroupPairs": [{"GroupId": rule.from_group}]}
    if ":" in rule.cidr:
        return {**permission, "Ipv6Ranges": [{"CidrIpv6": rule.cidr}]}
    return {**permission, "IpRanges": [{"CidrIp": rule.cidr}]}


def _subnets_with_gateway(tables: list[RouteTableTypeDef]) -> dict[str, bool]:
    """Return for each subnet with a table of its own whether it routes to an internet gateway.

    The key "" stands for the main table, which serves all the others.
    """
    routed: dict[str, bool] = {}
    for table in tables:
        has_gateway = any(
            route.get("GatewayId", "").startswith("igw-") and route.get("State", "active") == "active"
            for route in table.get("Routes", [])
        )
        for association in table.get("Associations", []):
            if association.get("Main"):
                routed[""] = has_gateway
            elif "SubnetId" in association:
                routed[association["SubnetId"]] = has_gateway
    return routed


def _rules(permission: Any) -> list[IngressRule]:
    """Return one rule for each peer of a permission; none when it is not one port or all of TCP."""
    if permission["IpProtocol"] not in TCP:
        return []
    first, last = permission.get("FromPort", 0), permission.get("ToPort", LAST_PORT)
    is_all = permission["IpProtocol"] == "-1" or (first <= 1 and last == LAST_PORT)
    if not is_all and first != last:
        return []
    port = 0 if is_all else first
    return [
        *(IngressRule(port, cidr=one["CidrIp"]) for one in permission.get("IpRanges", [])),
        *(IngressRule(port, cidr=one["CidrIpv6"]) for one in permission.get("Ipv6Ranges", [])),
        *(
            IngressRule(port, from_group=one["GroupId"])
            for one in permission.get("UserIdGroupPairs", [])
            if "GroupId" in one
        ),
    ]
