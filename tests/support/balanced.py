"""Instances behind a balancer that nobody but the test made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from support.ec2_words import instance, launch, running
from support.local_cloud import RunningCloud
from support.waiting import eventually, meanwhile

PORT = 8080


def balanced(cloud: RunningCloud, members: list[str], name: str = "night") -> tuple[str, str]:
    """Put instances behind a new balancer; return its name and its group's ARN."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"][:2]]
    vpc = instance(ec2, members[0])["VpcId"]
    check = {"HealthCheckPath": "/health", "HealthCheckIntervalSeconds": 5, "HealthyThresholdCount": 2}
    made = elb.create_target_group(Name=name, Protocol="HTTP", Port=PORT, VpcId=vpc, **check)
    group = made["TargetGroups"][0]["TargetGroupArn"]
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "1"}
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one} for one in members])
    (balancer,) = elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=PORT, DefaultActions=forward
    )
    return balancer["DNSName"], group


def announced(cloud: RunningCloud, name: str) -> list[str]:
    """Make a service of two members, with a reboot announced for the first one; return who they are."""
    members = [running(cloud.client("ec2"), launch(cloud)) for _ in range(2)]
    balanced(cloud, members, name)
    event = {"instance": members[0], "code": "system-reboot", "seconds": 86_400}
    assert cloud.admin("POST", "event", event)[0] == 200
    return members


def healthy_in(cloud: RunningCloud, group: str) -> int:
    """Return how many members of a group are healthy now."""
    found = cloud.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return sum(one["TargetHealth"]["State"] == "healthy" for one in found)


def wait_for_health(cloud: RunningCloud, group: str, count: int) -> None:
    """Wait until just so many members of a group are healthy."""
    eventually(lambda: healthy_in(cloud, group) == count, f"{count} members of {group} are healthy")


@contextmanager
def least_healthy(cloud: RunningCloud, groups: list[str]) -> Iterator[list[int]]:
    """Ask how many members of each group are healthy, again and again; yield all that was seen."""
    seen: list[int] = []
    with meanwhile(lambda: seen.extend(healthy_in(cloud, group) for group in groups), 0.2):
        yield seen
