"""Remedies of the audit, run as printed on a local cloud; then the account is read again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore import xform_name

from nospof.adapters.aws import AwsCloud
from nospof.adapters.aws.connection import CONFIG
from nospof.adapters.aws.discovery import AwsDiscovery
from nospof.adapters.clock import SystemClock
from nospof.model.estate import Use
from nospof.model.findings import Finding
from nospof.services.audit import audit_estate
from nospof.services.reading import read_estate
from support import ec2_words
from support.aws_commands import parse
from support.local_cloud import REGION, RunningCloud, running_cloud

pytestmark = pytest.mark.local_cloud


class Account:
    """An account with machines, read and changed as a person would."""

    def __init__(self, cloud: RunningCloud) -> None:
        self.cloud = cloud
        self.ec2, self.elb = cloud.client("ec2"), cloud.client("elbv2")
        self.image = cloud.image_named("nospof-demo-site")
        zones = [one["ZoneName"] for one in self.ec2.describe_availability_zones()["AvailabilityZones"]]
        self.a, self.b, self.c = zones[:3]
        rows = self.ec2.describe_subnets()["Subnets"]
        self.subnets = {one["AvailabilityZone"]: one["SubnetId"] for one in rows}
        self.vpc = rows[0]["VpcId"]
        self.uses: tuple[Use, ...] = ()
        session = boto3.Session("test", "test", region_name=REGION)
        self.aws = AwsCloud(session, endpoint=cloud.url, clock=SystemClock(), config=CONFIG)

    def machine(self, zone: str, tag: str = "none") -> str:
        answer = self.ec2.run_instances(
            ImageId=self.image,
            InstanceType="t3.small",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnets[zone],
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "nospof:state", "Value": tag}]}],
        )
        return str(ec2_words.running(self.ec2, answer["Instances"][0]))

    def site(self, name: str, *members: str, **check: Any) -> None:
        """Put machines behind a balancer in the first two zones."""
        (group,) = self.elb.create_target_group(
            Name=name, Protocol="HTTP", Port=8080, VpcId=self.vpc, **check
        )["TargetGroups"]
        subnets = [self.subnets[self.a], self.subnets[self.b]]
        (balancer,) = self.elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"]
        self.elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Port=8080,
            Protocol="HTTP",
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
        )
        if members:
            targets = [{"Id": one} for one in members]
            self.elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=targets)

    def findings(self, service: str) -> list[Finding]:
        """Return what the audit says of a service now."""
        estate = read_estate(AwsDiscovery(self.aws), time.time())
        report = audit_estate(replace(estate, uses=self.uses))
        return [
            one
            for each in report.services
            if each.name == service
            for one in each.findings
            if one.time == "configured"
        ]

    def finding(self, service: str, rule: str) -> Finding:
        return next(one for one in self.findings(service) if one.rule == rule)

    def mend(self, service: str, rule: str, **given: str) -> None:
        """Run the remedy of a finding as it is printed; the finding is there before and gone after."""
        found = self.finding(service, rule)
        commands = [one for one in found.remedy.commands if one.startswith("aws ")]
        assert commands
        answers: dict[str, str] = dict(given)
        for command in commands:
            call = parse(command, answers)
            client = self.cloud.client(call.service)
            answer = getattr(client, xform_name(call.operation))(**call.parameters)
            if "AllocationId" in answer:
                answers["the new one"] = answer["AllocationId"]
        assert found.fingerprint not in {one.fingerprint for one in self.findings(service)}


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with running_cloud("remedies") as cloud:
        yield Account(cloud)


@pytest.fixture(scope="module")
def pair(account: Account) -> tuple[str, str]:
    return account.machine(account.a), account.machine(account.b)


def test_a_slow_check_becomes_a_quick_one(account: Account, pair: tuple[str, str]) -> None:
    account.site("slow", *pair, HealthCheckIntervalSeconds=300, UnhealthyThresholdCount=10)
    account.mend("slow", "NSP402")


def test_a_check_that_takes_a_redirect_takes_none(account: Account, pair: tuple[str, str]) -> None:
    account.site("lenient", *pair, Matcher={"HttpCode": "200-399"})
    account.mend("lenient", "NSP403")


def test_a_twin_in_another_zone_ends_the_single_machine_and_zone(account: Account) -> None:
    account.site("single", account.machine(account.a))
    twin = account.machine(account.b)
    account.mend("single", "NSP101", **{"the twin": twin})
    assert "NSP201" not in {one.rule for one in account.findings("single")}


def test_a_zone_with_a_target_is_enabled(account: Account) -> None:
    account.site("outside", account.machine(account.a), account.machine(account.c))
    account.mend("outside", "NSP409")


def test_a_machine_alone_gets_a_snapshot_and_an_address_that_stays(account: Account) -> None:
    alone = account.machine(account.a, tag="own")
    account.mend(alone, "NSP302")
    account.mend(alone, "NSP504")


@pytest.fixture
def stores(account: Account, pair: tuple[str, str]) -> Iterator[Account]:
    """The account, with a site whose machines use what a test makes."""
    if not account.elb.describe_load_balancers()["LoadBalancers"] or "shop" not in {
        one["LoadBalancerName"] for one in account.elb.describe_load_balancers()["LoadBalancers"]
    }:
        account.site("shop", *pair)
    yield account
    account.uses = ()


def use(account: Account, pair: tuple[str, str], kind: str, key: str) -> None:
    account.uses = tuple(Use(one, kind, key, provenance="assumed") for one in pair)


def test_a_database_gets_a_standby_and_keeps_backups(stores: Account, pair: tuple[str, str]) -> None:
    stores.cloud.client("rds").create_db_instance(
        DBInstanceIdentifier="orders",
        Engine="mysql",
        DBInstanceClass="db.t3.small",
        AllocatedStorage=20,
        MasterUsername="root",
        MasterUserPassword="not-a-secret",
        BackupRetentionPeriod=0,
        AvailabilityZone=stores.a,
    )
    use(stores, pair, "database", "orders")
    stores.mend("shop", "NSP103")
    stores.mend("shop", "NSP302")
    stores.mend("shop", "NSP306")


def test_files_get_a_way_in_each_zone(stores: Account, pair: tuple[str, str]) -> None:
    efs = stores.cloud.client("efs")
    files = efs.create_file_system(CreationToken="shop")["FileSystemId"]
    efs.create_mount_target(FileSystemId=files, SubnetId=stores.subnets[stores.a])
    use(stores, pair, "file system", files)
    stores.mend("shop", "NSP105", **{f"one in {stores.b}": stores.subnets[stores.b]})


def test_a_replica_of_a_cache_takes_over(stores: Account, pair: tuple[str, str]) -> None:
    stores.cloud.client("elasticache").create_replication_group(
        ReplicationGroupId="sessions",
        ReplicationGroupDescription="sessions",
        NumNodeGroups=1,
        ReplicasPerNodeGroup=1,
        NodeGroupConfiguration=[
            {"PrimaryAvailabilityZone": stores.a, "ReplicaAvailabilityZones": [stores.b]}
        ],
        CacheNodeType="cache.t3.small",
        Engine="redis",
    )
    use(stores, pair, "cache", "sessions")
    stores.mend("shop", "NSP104")


def test_a_group_heals_again_and_keeps_two_members(account: Account) -> None:
    scaling = account.cloud.client("autoscaling")
    account.site("scaled")
    (group,) = account.elb.describe_target_groups(Names=["scaled"])["TargetGroups"]
    account.ec2.create_launch_template(
        LaunchTemplateName="scaled",
        LaunchTemplateData={"ImageId": account.image, "InstanceType": "t3.small"},
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="scaled",
        LaunchTemplate={"LaunchTemplateName": "scaled", "Version": "$Latest"},
        MinSize=1,
        MaxSize=1,
        DesiredCapacity=1,
        VPCZoneIdentifier=account.subnets[account.a],
        TargetGroupARNs=[group["TargetGroupArn"]],
    )
    scaling.suspend_processes(AutoScalingGroupName="scaled", ScalingProcesses=["ReplaceUnhealthy"])
    account.mend("scaled", "NSP508")
    account.mend("scaled", "NSP404")
    account.mend("scaled", "NSP101")  # The local cloud fills one zone first; AWS would take the other.
