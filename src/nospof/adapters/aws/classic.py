"""Classic load balancers: each is told as a balancer, and as the one target group that it is itself."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from nospof.adapters.aws.connection import as_tags, chunks
from nospof.adapters.aws.network import Network
from nospof.model.cloud import HealthCheck, Listener, LoadBalancer, Tags, Target, TargetGroup, classic_name

NAMES_PER_CALL = 20
"""DescribeTags takes no more names than this in one request."""

WORDS = {
    "deregistration currently in progress": "draining",
    "registration is still in progress": "initial",
    "not passed the configured HealthyThreshold": "initial",
    "not configured to route traffic": "unused",
    "stopped state": "unused",
    "terminated state": "unused",
}
"""What DescribeInstanceHealth tells in sentences (API reference, InstanceState), as a target's state."""


class Classic(Network):
    """The part that speaks the API of 2012, which knows balancers by name and their members by instance."""

    @cached_property
    def elb(self) -> Any:
        """The client for classic load balancers."""
        return self._client("elb", "elasticloadbalancing:*")

    def classic_balancers(self) -> list[LoadBalancer]:
        """Return all classic balancers."""
        found = self._described()
        tags = self._tags_by_name([one["LoadBalancerName"] for one in found])
        return [self._as_balancer(one, tags.get(one["LoadBalancerName"], {})) for one in found]

    def classic_groups(self) -> list[TargetGroup]:
        """Return each classic balancer as the group that it is."""
        found = self._described()
        tags = self._tags_by_name([one["LoadBalancerName"] for one in found])
        return [
            as_group(self._arn(one), one, tags.get(one["LoadBalancerName"], {}))
            for one in found
            if one["ListenerDescriptions"]
        ]

    def classic_listeners(self, arn: str) -> list[Listener]:
        """Return a classic balancer's listeners. Raises NotFound."""
        (one,) = self._described(classic_name(arn))
        told = [each["Listener"] for each in one["ListenerDescriptions"]]
        return [
            Listener(
                f"{arn}:{at['LoadBalancerPort']}", arn, at["LoadBalancerPort"], at["Protocol"], ((arn, 1),)
            )
            for at in told
        ]

    def classic_targets(self, arn: str) -> list[Target]:
        """Return a classic balancer's members with their health. Raises NotFound."""
        name = classic_name(arn)
        (one,) = self._described(name)
        with self.reading("elasticloadbalancing:DescribeInstanceHealth", name):
            states = self.elb.describe_instance_health(LoadBalancerName=name)["InstanceStates"]
        return [as_target(state, port_of(one)) for state in states]

    def classic_register(self, arn: str, instance_id: str) -> None:
        """Put an instance in."""
        name = classic_name(arn)
        with self.writing("elasticloadbalancing:RegisterInstancesWithLoadBalancer", instance_id):
            self.elb.register_instances_with_load_balancer(
                LoadBalancerName=name, Instances=[{"InstanceId": instance_id}]
            )

    def classic_deregister(self, arn: str, instance_id: str) -> None:
        """Start draining an instance out, as long as the balancer's connection draining says."""
        name = classic_name(arn)
        if instance_id not in {one.instance_id for one in self.classic_targets(arn)}:
            return  # AWS refuses to take out who is not in (InvalidInstance).
        with self.writing("elasticloadbalancing:DeregisterInstancesFromLoadBalancer", instance_id):
            self.elb.deregister_instances_from_load_balancer(
                LoadBalancerName=name, Instances=[{"InstanceId": instance_id}]
            )

    def _described(self, name: str = "") -> list[Any]:
        parameters = {"LoadBalancerNames": [name]} if name else {}
        with self.reading("elasticloadbalancing:DescribeLoadBalancers", name):
            pages = self.elb.get_paginator("describe_load_balancers").paginate(**parameters)
            return [one for page in pages for one in page["LoadBalancerDescriptions"]]

    def _tags_by_name(self, names: list[str]) -> dict[str, Tags]:
        tags: dict[str, Tags] = {}
        for chunk in chunks(names, NAMES_PER_CALL):
            with self.reading("elasticloadbalancing:DescribeTags"):
                for one in self.elb.describe_tags(LoadBalancerNames=chunk)["TagDescriptions"]:
                    tags[one["LoadBalancerName"]] = as_tags(one.get("Tags"))
        return tags

    def _as_balancer(self, one: Any, tags: Tags) -> LoadBalancer:
        name = one["LoadBalancerName"]
        with self.reading("elasticloadbalancing:DescribeLoadBalancerAttributes", name):
            told = self.elb.describe_load_balancer_attributes(LoadBalancerName=name)
        return LoadBalancer(
            arn=self._arn(one),
            name=name,
            dns_name=one.get("DNSName", ""),
            type="classic",
            state="active",
            vpc_id=one.get("VPCId", ""),
            zones=tuple(sorted(one.get("AvailabilityZones", []))),
            is_cross_zone=told["LoadBalancerAttributes"]
            .get("CrossZoneLoadBalancing", {})
            .get("Enabled", False),
            zone_id=one.get("CanonicalHostedZoneNameID", ""),
            tags=tags,
        )

    def _arn(self, one: Any) -> str:
        """Return the ARN that policies know a classic balancer by; its API knows names only."""
        me = self.identity()
        partition = me.arn.split(":")[1]
        name = one["LoadBalancerName"]
        return f"arn:{partition}:elasticloadbalancing:{self.region}:{me.account}:loadbalancer/{name}"


def port_of(one: Any) -> int:
    """Return the port of its members that a classic balancer's first listener leads to."""
    first = min(one["ListenerDescriptions"], key=lambda each: int(each["Listener"]["LoadBalancerPort"]))
    return int(first["Listener"]["InstancePort"])


def as_group(arn: str, one: Any, tags: Tags) -> TargetGroup:
    """Return a classic balancer as the target group that it is."""
    first = min(one["ListenerDescriptions"], key=lambda each: int(each["Listener"]["LoadBalancerPort"]))
    return TargetGroup(
        arn=arn,
        name=f"classic/{one['LoadBalancerName']}",
        port=port_of(one),
        target_type="instance",
        health_check=as_check(one.get("HealthCheck") or {}),
        balancer_arns=(arn,),
        tags=tags,
        vpc_id=one.get("VPCId", ""),
        protocol=first["Listener"].get("InstanceProtocol") or first["Listener"]["Protocol"],
    )


def as_check(told: Any) -> HealthCheck:
    """Return a check told as "HTTP:80/page" or "TCP:80"; any answer but 200 fails it (API reference)."""
    protocol, _, rest = told.get("Target", "TCP:0").partition(":")
    port, slash, page = rest.partition("/")
    return HealthCheck(
        path=f"{slash}{page}",
        interval_seconds=told.get("Interval", 0),
        timeout_seconds=told.get("Timeout", 0),
        healthy_threshold=told.get("HealthyThreshold", 0),
        unhealthy_threshold=told.get("UnhealthyThreshold", 0),
        matcher="200" if slash else "",
        protocol=protocol,
        port=int(port),
    )


def as_target(told: Any, port: int) -> Target:
    """Return a member's health as a target's; one that drains is in service still, and is draining."""
    says = told.get("Description", "")
    words = (state for part, state in WORDS.items() if part in says)
    plain = {"InService": "healthy", "OutOfService": "unhealthy"}.get(told.get("State", ""), "unavailable")
    state = next(words, plain)
    is_healthy = state == "healthy"
    return Target(
        instance_id=told["InstanceId"],
        port=port,
        state=state,
        reason="" if is_healthy else told.get("ReasonCode", ""),
        description="" if is_healthy else says,
    )
