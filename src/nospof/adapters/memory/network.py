"""Zones, subnets and security groups of the in-memory cloud: a default VPC, one subnet a zone."""

from __future__ import annotations

from nospof.adapters.memory.account import Account, has_tag, refused, serves
from nospof.model.cloud import Identity, IngressRule, SecurityGroup, SecurityGroupRequest, Subnet, Zone

VPC_ID = "vpc-00000000000000001"


class Network(Account):
    """Who is calling, and the network everything stands in."""

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self._zones = tuple(
            Zone(f"{self.region}{letter}", f"euc1-az{number}")
            for number, letter in enumerate("abcdef"[:zone_count], start=1)
        )
        self._subnets = {
            f"subnet-{number:017x}": Subnet(
                f"subnet-{number:017x}", VPC_ID, zone.name, 4091, True, True, f"172.31.{number * 16}.0/20"
            )
            for number, zone in enumerate(self._zones, start=1)
        }
        self._groups: dict[str, SecurityGroupRequest] = {}
        self._rules: dict[str, list[IngressRule]] = {}
        self.lets_out: dict[str, set[int]] = {}
        self.shelves["sg"] = self._groups
        self.default_group = self._new_group(SecurityGroupRequest("default", "default group", VPC_ID))

    @serves("sts:GetCallerIdentity")
    def identity(self) -> Identity:
        """See the port."""
        return Identity(self.account_id, f"arn:aws:iam::{self.account_id}:user/memory", self.region)

    @serves("ec2:DescribeAvailabilityZones")
    def zones(self) -> tuple[Zone, ...]:
        """See the port."""
        return self._zones

    @serves("ec2:DescribeSubnets")
    def subnets(self, vpc_id: str) -> tuple[Subnet, ...]:
        """See the port."""
        found = [subnet for subnet in self._subnets.values() if subnet.vpc_id == vpc_id]
        return tuple(sorted(found, key=lambda subnet: (subnet.zone, subnet.id)))

    def subnet(self, subnet_id: str, operation: str) -> Subnet:
        """Return a subnet by id. Raises NotFound."""
        return self.find(self._subnets, subnet_id, operation, "InvalidSubnetID.NotFound")

    @serves("ec2:DescribeSecurityGroups")
    def ingress_rules(self, group_id: str) -> tuple[IngressRule, ...]:
        """See the port."""
        rules = self.find(self._rules, group_id, "ec2:DescribeSecurityGroups", "InvalidGroup.NotFound")
        return tuple(sorted(rules, key=lambda rule: (rule.port, rule.cidr, rule.from_group)))

    @serves("ec2:DescribeSecurityGroups")
    def security_groups(self, tag: str, value: str = "") -> tuple[SecurityGroup, ...]:
        """See the port."""
        return tuple(
            SecurityGroup(group_id, group.name, group.vpc_id, dict(group.tags))
            for group_id, group in sorted(self._groups.items())
            if has_tag(group.tags, tag, value)
        )

    @serves("ec2:CreateSecurityGroup", writes=True)
    def create_security_group(self, request: SecurityGroupRequest) -> str:
        """See the port."""
        if request.vpc_id != VPC_ID:
            raise refused("ec2:CreateSecurityGroup", "InvalidVpcID.NotFound", f"no VPC {request.vpc_id}")
        for group_id, group in self._groups.items():
            if (group.name, group.vpc_id) == (request.name, request.vpc_id):
                return group_id
        return self._new_group(request)

    def _new_group(self, request: SecurityGroupRequest) -> str:
        group_id = self.new_id("sg")
        self._groups[group_id] = request
        self._rules[group_id] = []
        return group_id

    @serves("ec2:AuthorizeSecurityGroupIngress", writes=True)
    def allow(self, group_id: str, rule: IngressRule) -> None:
        """See the port."""
        operation = "ec2:AuthorizeSecurityGroupIngress"
        rules = self.find(self._rules, group_id, operation, "InvalidGroup.NotFound")
        if rule.from_group and rule.from_group not in self._groups:
            raise refused(operation, "InvalidGroup.NotFound", f"{rule.from_group} does not exist")
        if rule not in rules:
            rules.append(rule)

    @serves("ec2:AuthorizeSecurityGroupEgress", writes=True)
    def allow_egress(self, group_id: str, port: int) -> None:
        """See the port."""
        operation = "ec2:AuthorizeSecurityGroupEgress"
        self.find(self._rules, group_id, operation, "InvalidGroup.NotFound")
        self.lets_out.setdefault(group_id, {0}).add(port)

    @serves("ec2:RevokeSecurityGroupEgress", writes=True)
    def revoke_egress(self, group_id: str, *, but_port: int) -> None:
        """See the port."""
        self.lets_out[group_id] = self.lets_out.get(group_id, {0}) & {but_port}

    @serves("ec2:RevokeSecurityGroupIngress", writes=True)
    def revoke(self, group_id: str, rule: IngressRule) -> None:
        """See the port."""
        if rule in self._rules.get(group_id, ()):
            self._rules[group_id].remove(rule)

    @serves("ec2:DeleteSecurityGroup", writes=True)
    def delete_security_group(self, group_id: str) -> None:
        """See the port."""
        others = (rules for owner, rules in self._rules.items() if owner != group_id)
        is_named = any(rule.from_group == group_id for rules in others for rule in rules)
        if is_named or self.is_worn(group_id):
            says = f"{group_id} has a dependent object"
            raise refused("ec2:DeleteSecurityGroup", "DependencyViolation", says)
        self._groups.pop(group_id, None)
        self._rules.pop(group_id, None)

    def is_worn(self, group_id: str) -> bool:
        """Whether an interface is in a security group."""
        raise NotImplementedError
