"""Load balancers, listeners and target groups of Elastic Load Balancing, version 2 and classic."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nospof.adapters.aws.classic import Classic
from nospof.adapters.aws.connection import as_tags, chunks
from nospof.adapters.aws.listeners import Listeners
from nospof.errors import CloudError, NotFound
from nospof.model.cloud import (
    HealthCheck,
    Listener,
    LoadBalancer,
    LoadBalancerRequest,
    Tags,
    Target,
    TargetGroup,
    TargetGroupRequest,
    classic_name,
)
from nospof.model.launching import tag_pairs

if TYPE_CHECKING:
    from mypy_boto3_elbv2.type_defs import LoadBalancerTypeDef, TargetGroupTypeDef

ARNS_PER_CALL = 20
"""DescribeTags takes no more ARNs than this in one request."""
DELAY = "deregistration_delay.timeout_seconds"
CROSS_ZONE = "load_balancing.cross_zone.enabled"
DELETION_PROTECTION = "deletion_protection.enabled"


class Balancing(Listeners, Classic):
    """The part of the port that speaks of load balancers.

    Lists leave `deregistration_delay_seconds` None: AWS gives it out one group a call, and all of
    Elastic Load Balancing shares ten calls a second. A group asked for by name has it.
    """

    # Reading -------------------------------------------------------------------------------------

    def load_balancers(self) -> tuple[LoadBalancer, ...]:
        """See the port."""
        found = [*self._describe_balancers(), *self.classic_balancers()]
        return tuple(sorted(found, key=lambda balancer: (balancer.name, balancer.arn)))

    def load_balancer_named(self, name: str) -> LoadBalancer | None:
        """See the port."""
        try:
            return next(iter(self._describe_balancers(name, Names=[name])), None)
        except NotFound:
            return None

    def _describe_balancers(self, about: str = "", **parameters: Any) -> list[LoadBalancer]:
        with self.reading("elasticloadbalancing:DescribeLoadBalancers", about):
            pages = self.elbv2.get_paginator("describe_load_balancers").paginate(**parameters)
            found = [
                one
                for page in pages
                for one in page["LoadBalancers"]
                if one["Type"] in ("application", "network")
            ]
        tags = self._tags_of([one["LoadBalancerArn"] for one in found])
        return [
            as_balancer(one, self._is_cross_zone(one), tags.get(one["LoadBalancerArn"], {})) for one in found
        ]

    def _is_cross_zone(self, one: LoadBalancerTypeDef) -> bool:
        """Return whether each node serves targets of all zones; an application balancer's always do."""
        if one["Type"] == "application":
            return True
        return self._is_on(one["LoadBalancerArn"], CROSS_ZONE)

    def is_deletion_protected(self, balancer_arn: str) -> bool:
        """See the port."""
        return self._is_on(balancer_arn, DELETION_PROTECTION)

    def _is_on(self, arn: str, attribute: str) -> bool:
        with self.reading("elasticloadbalancing:DescribeLoadBalancerAttributes", arn):
            attributes = self.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        return any(pair["Key"] == attribute and pair["Value"] == "true" for pair in attributes)

    def _tags_of(self, arns: list[str]) -> dict[str, Tags]:
        tags: dict[str, Tags] = {}
        for chunk in chunks(arns, ARNS_PER_CALL):
            with self.reading("elasticloadbalancing:DescribeTags"):
                for one in self.elbv2.describe_tags(ResourceArns=chunk)["TagDescriptions"]:
                    tags[one["ResourceArn"]] = as_tags(one.get("Tags"))
        return tags

    def listeners(self, balancer_arn: str) -> tuple[Listener, ...]:
        """See the port."""
        if not classic_name(balancer_arn):
            return super().listeners(balancer_arn)
        return tuple(sorted(self.classic_listeners(balancer_arn), key=lambda listener: listener.port))

    def target_groups(self) -> tuple[TargetGroup, ...]:
        """See the port."""
        with self.reading("elasticloadbalancing:DescribeTargetGroups"):
            pages = self.elbv2.get_paginator("describe_target_groups").paginate()
            found = [one for page in pages for one in page["TargetGroups"]]
        tags = self._tags_of([one["TargetGroupArn"] for one in found])
        groups = [as_group(one, tags.get(one["TargetGroupArn"], {})) for one in found]
        return tuple(sorted([*groups, *self.classic_groups()], key=lambda group: group.name))

    def target_group_named(self, name: str) -> TargetGroup | None:
        """See the port."""
        found = self._group_named(name)
        if found is None:
            return None
        arn = found["TargetGroupArn"]
        with self.reading("elasticloadbalancing:DescribeTargetGroupAttributes", name):
            attributes = self.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        delay = next((int(pair["Value"]) for pair in attributes if pair["Key"] == DELAY), None)
        group = as_group(found, self._tags_of([arn]).get(arn, {}))
        return replace(group, deregistration_delay_seconds=delay)

    def _group_named(self, name: str) -> TargetGroupTypeDef | None:
        try:
            with self.reading("elasticloadbalancing:DescribeTargetGroups", name):
                pages = self.elbv2.get_paginator("describe_target_groups").paginate(Names=[name])
                return next((one for page in pages for one in page["TargetGroups"]), None)
        except NotFound:
            return None

    def targets(self, target_group_arn: str) -> tuple[Target, ...]:
        """See the port."""

        def ask() -> list[Target]:
            if classic_name(target_group_arn):
                return self.classic_targets(target_group_arn)
            with self.reading("elasticloadbalancing:DescribeTargetHealth", target_group_arn):
                answer = self.elbv2.describe_target_health(TargetGroupArn=target_group_arn)
            return [as_target(one) for one in answer["TargetHealthDescriptions"]]

        found = self.patiently((target_group_arn,), ask)
        return tuple(sorted(found, key=lambda target: (target.instance_id, target.port)))

    # Writing -------------------------------------------------------------------------------------

    def create_target_group(self, request: TargetGroupRequest) -> TargetGroup:
        """See the port."""
        found = self._group_named(request.name) or self._create_target_group(request)
        arn = found["TargetGroupArn"]
        differs = _difference(found, request)
        if differs:
            raise CloudError(
                f"A target group named {request.name} exists and has another {differs}. "
                "Take another name, or delete the group.",
                code="DuplicateTargetGroupName",
                operation="elasticloadbalancing:CreateTargetGroup",
            )
        attributes: Any = [{"Key": DELAY, "Value": str(request.deregistration_delay_seconds)}]
        if request.sticky_seconds:
            sticky = {"enabled": "true", "type": "lb_cookie"}
            sticky["lb_cookie.duration_seconds"] = str(request.sticky_seconds)
            attributes += [{"Key": f"stickiness.{name}", "Value": value} for name, value in sticky.items()]

        def set_attributes() -> None:
            with self.writing("elasticloadbalancing:ModifyTargetGroupAttributes", request.name):
                self.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)

        # Not given at creation: a group whose making was cut short gets it when it is made again.
        self.patiently((arn,), set_attributes)
        group = as_group(found, self._tags_of([arn]).get(arn, dict(request.tags)))
        return replace(group, deregistration_delay_seconds=request.deregistration_delay_seconds)

    def _create_target_group(self, request: TargetGroupRequest) -> TargetGroupTypeDef:
        check = request.health_check
        tags = tag_pairs(request.tags)
        spoken = {"Protocol": request.protocol, "HealthCheckProtocol": request.protocol}
        parameters: dict[str, Any] = {**spoken, "Tags": tags} if tags else spoken
        with self.writing("elasticloadbalancing:CreateTargetGroup", request.name):
            made = self.elbv2.create_target_group(
                Name=request.name,
                Port=request.port,
                VpcId=request.vpc_id,
                TargetType="instance",
                HealthCheckPath=check.path,
                HealthCheckIntervalSeconds=check.interval_seconds,
                HealthCheckTimeoutSeconds=check.timeout_seconds,
                HealthyThresholdCount=check.healthy_threshold,
                UnhealthyThresholdCount=check.unhealthy_threshold,
                Matcher={"HttpCode": check.matcher},
                **parameters,
            )["TargetGroups"][0]
        self.made(made["TargetGroupArn"])
        return made

    def create_load_balancer(self, request: LoadBalancerRequest) -> LoadBalancer:
        """See the port."""
        found = self.load_balancer_named(request.name)
        if found is not None:
            return found
        optional = {"SecurityGroups": list(request.security_groups), "Tags": tag_pairs(request.tags)}
        parameters: dict[str, Any] = {name: value for name, value in optional.items() if value}

        def ask() -> LoadBalancerTypeDef:
            with self.writing("elasticloadbalancing:CreateLoadBalancer", request.name):
                return self.elbv2.create_load_balancer(
                    Name=request.name,
                    Type="application",
                    Scheme="internal" if request.is_internal else "internet-facing",
                    Subnets=list(request.subnet_ids),
                    **parameters,
                )["LoadBalancers"][0]

        made = self.patiently(request.security_groups, ask)
        self.made(made["LoadBalancerArn"])
        return as_balancer(made, True, dict(request.tags))

    def register(self, target_group_arn: str, instance_id: str, port: int) -> None:
        """See the port."""

        def ask() -> None:
            if classic_name(target_group_arn):
                self.classic_register(target_group_arn, instance_id)
                return
            try:
                with self.writing("elasticloadbalancing:RegisterTargets", instance_id):
                    self.elbv2.register_targets(
                        TargetGroupArn=target_group_arn, Targets=[{"Id": instance_id, "Port": port}]
                    )
            except CloudError as error:
                # One code says "does not exist (yet)" and "is not running": only the first passes.
                if error.code == "InvalidTarget" and "running" not in str(error) and self.is_new(instance_id):
                    raise NotFound(str(error), code=error.code, operation=error.operation) from error
                raise

        self.patiently((target_group_arn, instance_id), ask)

    def deregister(self, target_group_arn: str, instance_id: str, port: int) -> None:
        """See the port."""
        if classic_name(target_group_arn):
            self.classic_deregister(target_group_arn, instance_id)
            return
        with self.writing("elasticloadbalancing:DeregisterTargets", instance_id):
            self.elbv2.deregister_targets(
                TargetGroupArn=target_group_arn, Targets=[{"Id": instance_id, "Port": port}]
            )

    def delete_load_balancer(self, balancer_arn: str) -> None:
        """See the port."""
        with self.deleting("elasticloadbalancing:DeleteLoadBalancer", balancer_arn):
            self.elbv2.delete_load_balancer(LoadBalancerArn=balancer_arn)

    def delete_target_group(self, target_group_arn: str) -> None:
        """See the port."""
        with self.deleting("elasticloadbalancing:DeleteTargetGroup", target_group_arn):
            self.elbv2.delete_target_group(TargetGroupArn=target_group_arn)


def as_balancer(one: LoadBalancerTypeDef, is_cross_zone: bool, tags: Tags) -> LoadBalancer:
    """Return boto3's balancer as ours."""
    return LoadBalancer(
        arn=one["LoadBalancerArn"],
        name=one["LoadBalancerName"],
        dns_name=one.get("DNSName", ""),
        type=one["Type"],
        state=one["State"]["Code"],
        vpc_id=one.get("VpcId", ""),
        zones=tuple(sorted(zone["ZoneName"] for zone in one.get("AvailabilityZones", []))),
        is_cross_zone=is_cross_zone,
        zone_id=one.get("CanonicalHostedZoneId", ""),
        tags=tags,
    )


def as_group(one: TargetGroupTypeDef, tags: Tags) -> TargetGroup:
    """Return boto3's target group as ours; a TCP check has no path and no matcher."""
    port = one.get("HealthCheckPort", "")
    return TargetGroup(
        arn=one["TargetGroupArn"],
        name=one["TargetGroupName"],
        port=one.get("Port", 0),
        target_type=one.get("TargetType", "instance"),
        health_check=HealthCheck(
            path=one.get("HealthCheckPath", ""),
            interval_seconds=one.get("HealthCheckIntervalSeconds", 0),
            timeout_seconds=one.get("HealthCheckTimeoutSeconds", 0),
            healthy_threshold=one.get("HealthyThresholdCount", 0),
            unhealthy_threshold=one.get("UnhealthyThresholdCount", 0),
            matcher=one.get("Matcher", {}).get("HttpCode", ""),
            protocol=one.get("HealthCheckProtocol", "HTTP"),
            port=int(port) if port.isdigit() else 0,
        ),
        balancer_arns=tuple(one.get("LoadBalancerArns", [])),
        tags=tags,
        vpc_id=one.get("VpcId", ""),
        protocol=one.get("Protocol", "HTTP"),
    )


def as_target(one: Any) -> Target:
    """Return boto3's target health as ours."""
    health = one.get("TargetHealth", {})
    return Target(
        instance_id=one["Target"]["Id"],
        port=one["Target"].get("Port", 0),
        state=health.get("State", ""),
        reason=health.get("Reason", ""),
        description=health.get("Description", ""),
    )


def _difference(found: TargetGroupTypeDef, request: TargetGroupRequest) -> str:
    """Return the name of what differs between a group and a request, or an empty string."""
    group = as_group(found, {})
    pairs = {
        "port": (group.port, request.port),
        "protocol": (group.protocol, request.protocol),
        "network": (found.get("VpcId"), request.vpc_id),
        "target type": (group.target_type, "instance"),
        "health check": (group.health_check, request.health_check),
    }
    return next((name for name, (is_so, wanted) in pairs.items() if is_so != wanted), "")
