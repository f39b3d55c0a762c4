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


def put_behind_classic(
    cloud: MemoryCloud, name: str = "old", check: HealthCheck | None = None
) -> TargetGroup:
    """Put the first instance behind a classic balancer of others; return it once it is healthy there."""
    source = cloud.the_instance
    zones = tuple(sorted({subnet.zone for subnet in cloud.subnets(source.vpc_id)}))[:2]
    group = cloud.add_classic_balancer(name, zones, check=check)
    cloud.register(group.arn, source.id, group.port)
    cloud.clock.sleep(cloud.timings.health)
    assert all(target.is_healthy for target in cloud.targets(group.arn))
    cloud.calls.clear()
    return group


def members(cloud: MemoryCloud, group: TargetGroup) -> list[str]:
    """Return who is in a group and not on the way out of it."""
    there: tuple[Target, ...] = cloud.targets(group.arn)
    return [one.instance_id for one in there if one.state != "draining"]


def subnets_of(cloud: RunningCloud, instance_id: str) -> tuple[str, list[str]]:
    """Return the network of an instance of a local cloud, and a subnet of its zone and one of another."""
    ec2 = cloud.client("ec2")
    (found,) = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"]
    here = [{"Name": "vpc-id", "Values": [found["VpcId"]]}]
    by_zone = {
        one["AvailabilityZone"]: one["SubnetId"] for one in ec2.describe_subnets(Filters=here)["Subnets"]
    }
    zones = sorted(by_zone, key=lambda zone: (zone != found["Placement"]["AvailabilityZone"], zone))[:2]
    return found["VpcId"], [by_zone[zone] for zone in zones]


def put_behind_a_classic_balancer(cloud: RunningCloud, name: str, *instance_ids: str) -> str:
    """Put instances of a local cloud behind a classic balancer of others; return its address."""
    elb = cloud.client("elb")
    _, subnets = subnets_of(cloud, instance_ids[0])
    listener = {"Protocol": "HTTP", "LoadBalancerPort": 8080, "InstancePort": 8080}
    made = elb.create_load_balancer(LoadBalancerName=name, Listeners=[listener], Subnets=subnets)
    check = {"Target": "HTTP:8080/health", "Interval": 5, "Timeout": 2}
    check |= {"UnhealthyThreshold": 2, "HealthyThreshold": 2}
    elb.configure_health_check(LoadBalancerName=name, HealthCheck=check)
    draining = {"ConnectionDraining": {"Enabled": True, "Timeout": 1}}
    elb.modify_load_balancer_attributes(LoadBalancerName=name, LoadBalancerAttributes=draining)
    members = [{"InstanceId": one} for one in instance_ids]
    elb.register_instances_with_load_balancer(LoadBalancerName=name, Instances=members)
    eventually(lambda: set(classic_healths(cloud, name).values()) == {"healthy"})
    return str(made["DNSName"])


def classic_healths(cloud: RunningCloud, name: str) -> dict[str, str]:
    """Return the health of each member of a classic balancer in a local cloud, by id."""
    told = cloud.client("elb").describe_instance_health(LoadBalancerName=name)["InstanceStates"]
    words = {"InService": "healthy"}
    return {
        one["InstanceId"]: one["Description"]
        if "currently" in one["Description"]
        else words.get(one["State"], "")
        for one in told
    }


def put_behind_a_balancer(
    cloud: RunningCloud, name: str, instance_id: str, *, is_network: bool = False
) -> tuple[str, str]:
    """Put an instance of a local cloud behind a balancer of others; return its group and its address.

    A network balancer passes connections on, and its check only connects.
    """
    elb = cloud.client("elbv2")
    vpc_id, subnets = subnets_of(cloud, instance_id)
    group = elb.create_target_group(
        Name=name,
        Protocol="TCP" if is_network else "HTTP",
        Port=8080,
        VpcId=vpc_id,
        **({} if is_network else {"HealthCheckPath": "/health"}),
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)
    kind = "network" if is_network else "application"
    balancer = elb.create_load_balancer(Name=name, Type=kind, Subnets=subnets)["LoadBalancers"][0]
    arn, action = balancer["LoadBalancerArn"], [{"Type": "forward", "TargetGroupArn": group}]
    protocol = "TCP" if is_network else "HTTP"
    elb.create_listener(LoadBalancerArn=arn, Protocol=protocol, Port=8080, DefaultActions=action)
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance_id}])
    eventually(lambda: set(healths(cloud, group).values()) == {"healthy"})
    eventually(
        lambda: (
            elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["State"]["Code"]
            == "active"
        )
    )
    return group, str(balancer["DNSName"])


def healths(cloud: RunningCloud, group_arn: str) -> dict[str, str]:
    """Return the health of each target of a group in a local cloud, by id."""
    told = cloud.client("elbv2").describe_target_health(TargetGroupArn=group_arn)
    return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in told["TargetHealthDescriptions"]}
