"""A balancer that somebody made before nospof came, with the first instance behind it."""

from __future__ import annotations

from dataclasses import replace

from nospof.adapters.memory import MemoryCloud
from nospof.model.cloud import HealthCheck, LoadBalancerRequest, Target, TargetGroup, TargetGroupRequest
from support.local_cloud import RunningCloud
from support.waiting import eventually


def put_behind(
    cloud: MemoryCloud,
    name: str = "theirs",
    *,
    port: int = 80,
    zone_count: int = 2,
    by_address: bool = False,
) -> TargetGroup:
    """Put the first instance behind a balancer of others; return its group once it is healthy there."""
    source = cloud.the_instance
    subnets = {subnet.zone: subnet.id for subnet in cloud.subnets(source.vpc_id)}
    request = TargetGroupRequest(name, source.vpc_id, port, HealthCheck(), tags={"team": "web"})
    group = cloud.create_target_group(request)
    if by_address:
        cloud._target_groups[group.arn] = replace(group, target_type="ip")
        group = cloud._target_groups[group.arn]
    asked = LoadBalancerRequest(name, tuple(subnets.values())[:zone_count], tags={"team": "web"})
    balancer = cloud.create_load_balancer(asked)
    cloud.clock.sleep(cloud.timings.balancer)
    cloud.create_listener(balancer.arn, 80, group.arn)
    cloud.register(group.arn, group.target_id(source), port)
    cloud.clock.sleep(cloud.timings.health)
    assert all(target.is_healthy for target in cloud.targets(group.arn))
    cloud.calls.clear()
    return cloud.target_group_named(name) or group


def members(cloud: MemoryCloud, group: TargetGroup) -> list[str]:
    """Return who is in a group and not on the way out of it."""
    there: tuple[Target, ...] = cloud.targets(group.arn)
    return [one.instance_id for one in there if one.state != "draining"]


def put_behind_an_application_balancer(
    cloud: RunningCloud, instance_id: str, name: str = "theirs", *, listener_port: int = 8080
) -> str:
    """Put an instance of a local cloud behind a balancer of others; return its group, healthy there."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    (found,) = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"]
    here = [{"Name": "vpc-id", "Values": [found["VpcId"]]}]
    by_zone = {
        one["AvailabilityZone"]: one["SubnetId"] for one in ec2.describe_subnets(Filters=here)["Subnets"]
    }
    zones = sorted(by_zone, key=lambda zone: (zone != found["Placement"]["AvailabilityZone"], zone))[:2]
    group = elb.create_target_group(
        Name=name,
        Protocol="HTTP",
        Port=8080,
        VpcId=found["VpcId"],
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
        HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)
    subnets = [by_zone[zone] for zone in zones]
    balancer = elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    action = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=listener_port, DefaultActions=action)
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance_id}])
    eventually(lambda: set(healths(cloud, group).values()) == {"healthy"})
    return group


def healths(cloud: RunningCloud, group_arn: str) -> dict[str, str]:
    """Return the health of each target of a group in a local cloud, by id."""
    told = cloud.client("elbv2").describe_target_health(TargetGroupArn=group_arn)
    return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in told["TargetHealthDescriptions"]}
