"""A live audit of a local cloud with several services in it, as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import ec2_words
from support.local_cloud import RunningCloud, running_cloud
from support.site import nospof

pytestmark = pytest.mark.local_cloud

TAGS = {"nospof:state": "none"}


class Account:
    """A cloud with three services: a pair in two zones, two machines in one zone, one machine alone."""

    def __init__(self, cloud: RunningCloud) -> None:
        self.cloud = cloud
        self.ec2, self.elb = cloud.client("ec2"), cloud.client("elbv2")
        zones = [one["ZoneName"] for one in self.ec2.describe_availability_zones()["AvailabilityZones"]]
        self.subnets = {
            one["AvailabilityZone"]: one["SubnetId"] for one in self.ec2.describe_subnets()["Subnets"]
        }
        self.a, self.b = zones[:2]
        self.pair = [self.machine("pair", zone) for zone in (self.a, self.b)]
        self.crowd = [self.machine("crowd", self.a) for _ in range(2)]
        self.alone = self.machine("alone", self.b, tags={})
        for name, members in (("pair", self.pair), ("crowd", self.crowd)):
            self.serve(name, members)

    def machine(self, name: str, zone: str, tags: dict[str, str] = TAGS) -> str:
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


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with running_cloud("audit") as cloud:
        yield Account(cloud)


def points(report: dict[str, Any], service: str) -> set[str]:
    (found,) = [one for one in report["services"] if one["name"] == service]
    return {
        one["event"]
        for one in found["findings"]
        if one["view"] == "serving" and one["order"] == 1 and one["share"] == 1
    }


def test_each_service_gets_its_own_verdict_from_one_reading(account: Account) -> None:
    report = account.report()
    assert report["unread"] == []
    assert report["returned"] == 10
    assert points(report, "pair") == set()
    assert points(report, "crowd") == {f"zone:{account.a}"}
    assert points(report, "alone") == {account.alone, f"zone:{account.b}"}


def test_one_service_alone_can_be_proved(account: Account) -> None:
    done = account.nospof("audit", "--service", "pair")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("No single point of failure in 1 service; read: ")
    assert "reading:" not in done.stdout


def test_asking_twice_gives_the_same_bytes_but_for_the_moment(account: Account) -> None:
    first, second = (account.report("--service", "crowd") for _ in range(2))
    assert first.pop("read_at") < second.pop("read_at")
    assert first == second


def test_denied_calls_are_named_and_make_it_incomplete(account: Account) -> None:
    rules = [
        account.cloud.admin(
            "POST", "inject", {"service": service, "action": action, "code": "AccessDenied", "count": 0}
        )
        for service, action in (("ec2", "DescribeVolumes"), ("elbv2", "DescribeTargetHealth"))
    ]
    assert [status for status, _ in rules] == [200, 200]
    try:
        report = account.report("--service", "pair")
        text = account.nospof("audit", "--service", "pair")
    finally:
        account.cloud.admin("DELETE", "inject")
    assert report["returned"] == 13
    assert {one["kind"] for one in report["unread"]} == {"volumes", "targets"}
    assert text.returncode == 13
    assert "volumes (ec2:DescribeVolumes: AccessDenied)" in " ".join(text.stdout.split())
    assert account.report("--service", "pair")["returned"] == 0


def test_a_saved_account_gives_the_same_report_with_no_cloud(account: Account, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    live = account.report("--save", str(saved))
    again = nospof(tmp_path, "audit", str(saved), "--format", "json")
    assert again.returncode == live.pop("returned"), again.stderr
    assert json.loads(again.stdout) == live


def test_a_machine_that_stops_leaves_its_pair_without_a_spare(account: Account) -> None:
    first, second = account.pair
    ec2_words.stopped(account.ec2, second)
    report = account.report("--service", "pair")
    account.ec2.start_instances(InstanceIds=[second])
    account.wait_until_healthy("pair")
    assert points(report, "pair") == {first, f"zone:{account.a}"}
    assert {one["time"] for one in report["services"][0]["findings"]} == {"now"}
    assert account.report("--service", "pair")["returned"] == 0
