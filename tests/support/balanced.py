"""Instances behind a balancer that nobody but the test made."""

from __future__ import annotations

from support.ec2_words import instance
from support.local_cloud import RunningCloud

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
