"""A local cloud with sites behind balancers, and the audit of it as a person runs it."""

from __future__ import annotations

import json
from typing import Any

from support import ec2_words
from support.local_cloud import RunningCloud
from support.site import nospof


class AuditedAccount:
    """A cloud whose machines are demonstration sites, in two zones."""

    def __init__(self, cloud: RunningCloud) -> None:
        self.cloud = cloud
        self.ec2, self.elb = cloud.client("ec2"), cloud.client("elbv2")
        zones = [one["ZoneName"] for one in self.ec2.describe_availability_zones()["AvailabilityZones"]]
        self.subnets = {
            one["AvailabilityZone"]: one["SubnetId"] for one in self.ec2.describe_subnets()["Subnets"]
        }
        self.a, self.b = zones[:2]

    def machine(self, name: str, zone: str, tags: dict[str, str]) -> str:
        listed = [{"Key": key, "Value": value} for key, value in {"Name": name, **tags}.items()]
        answer = self.ec2.run_instances(
            ImageId=self.cloud.image_named("nospof-demo-site"),
            InstanceType="t3.small",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnets[zone],
            TagSpecifications=[{"ResourceType": "instance", "Tags": listed}],
        )
        return ec2_words.running(self.ec2, answer["Instances"][0])

    def serve(self, name: str, members: list[str]) -> None:
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        group = self.elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=8080,
            VpcId=vpc,
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        subnets = [self.subnets[self.a], self.subnets[self.b]]
        balancer = self.elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]
        self.elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Port=8080,
            Protocol="HTTP",
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one} for one in members])
        self.wait_until_healthy(name)

    def wait_until_healthy(self, name: str) -> None:
        (group,) = self.elb.describe_target_groups(Names=[name])["TargetGroups"]
        self.elb.get_waiter("target_in_service").wait(
            TargetGroupArn=group["TargetGroupArn"], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )

    def nospof(self, *arguments: str) -> Any:
        return nospof(self.cloud.home, *arguments, **self.cloud.environment)

    def report(self, *arguments: str) -> dict[str, Any]:
        done = self.nospof("audit", "--format", "json", *arguments)
        assert done.stdout, done.stderr
        return {**json.loads(done.stdout), "returned": done.returncode}
