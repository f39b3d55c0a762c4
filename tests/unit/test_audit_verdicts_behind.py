"""Small accounts of what stands behind machines, each with the verdict that was worked out by hand first."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.estate import UNKNOWN, Estate, Use
from nospof.model.findings import AuditReport, Unread
from nospof.model.item import Item
from nospof.services.audit import audit_estate
from support.estates import A, B, C, account, balancer, described, group, instance, item, points, target

PAIR = (balancer(), group(), target("i-1"), target("i-2"), instance("i-1", A), instance("i-2", B))
SUBNETS = tuple(item("subnet", SubnetId=f"s-{one[-1]}", AvailabilityZone=one, VpcId="v") for one in (A, B, C))
APART = {"MultiAZ": True, "AvailabilityZone": A, "BackupRetentionPeriod": 7, "DeletionProtection": True}


def using(store: Item, *items: Item, is_whole: bool = True, **about: Any) -> Estate:
    """A pair of machines that both need a store."""
    uses = tuple(Use(who, store.kind.name, store.id) for who in ("i-1", "i-2"))
    return (account if is_whole else described)(*PAIR, *SUBNETS, store, *items, uses=uses, **about)


def audited(store: Item, *items: Item, is_whole: bool = True, **about: Any) -> AuditReport:
    return audit_estate(using(store, *items, is_whole=is_whole, **about))


def verdict(report: AuditReport) -> set[tuple[str, str, str]]:
    return {(one.rule, one.event, one.confidence) for one in report.findings}


# States ---------------------------------------------------------------------------------------------------


def database(**fields: Any) -> Item:
    return item("database", **{"DBInstanceIdentifier": "db", **APART, **fields})


def cache(*zones: Any, **fields: Any) -> Item:
    nodes = [
        {"CacheClusterId": f"r-{n}", "PreferredAvailabilityZone": zone, "CurrentRole": "replica"}
        for n, zone in enumerate(zones, 1)
    ]
    base = {"ReplicationGroupId": "r", "AutomaticFailover": "enabled", "MultiAZ": "enabled"}
    return item("cache", **{**base, "NodeGroups": [{"NodeGroupMembers": nodes}], **fields})


def windows(**fields: Any) -> Item:
    config = {"DeploymentType": "MULTI_AZ_1"}
    base = {"FileSystemId": "w", "SubnetIds": ["s-a", "s-b"], "WindowsConfiguration": config}
    return item("FSx file system", **{**base, **fields})


def broker(mode: str, subnets: Any = ("s-a", "s-b"), **fields: Any) -> Item:
    base = {"BrokerId": "q", "EngineType": "RABBITMQ", "DeploymentMode": mode, "SubnetIds": list(subnets)}
    return item("broker", **{**base, **fields})


@pytest.mark.parametrize(
    "store",
    [
        database(DBInstanceStatus="incompatible-parameters"),
        cache(A, B, Status="deleting"),
        windows(Lifecycle="MISCONFIGURED_UNAVAILABLE"),
        broker("ACTIVE_STANDBY_MULTI_AZ", BrokerState="CREATION_FAILED"),
        item("Kafka cluster", ClusterArn="k", ClusterType="SERVERLESS", State="FAILED"),
        item("directory", DirectoryId="d", VpcSettings={"SubnetIds": ["s-a", "s-b"]}, Stage="Inoperable"),
        item("file system", FileSystemId="fs", LifeCycleState="deleting"),
    ],
    ids=lambda one: one.kind.name,
)
def test_a_store_in_a_state_in_which_nobody_is_served_is_an_outage_now(store: Item) -> None:
    ways = [
        item("mount target", MountTargetId=f"m-{zone}", FileSystemId="fs", AvailabilityZoneName=zone)
        for zone in (A, B)
    ]
    report = audited(store, *ways)
    assert ("NSP100", "down", "certain") in verdict(report)
    assert report.exit_code == 10


def test_a_store_that_reboots_is_perhaps_an_outage_and_no_certain_one() -> None:
    report = audited(broker("ACTIVE_STANDBY_MULTI_AZ", BrokerState="REBOOT_IN_PROGRESS"))
    assert verdict(report) == {("NSP100", "down", "possible")}
    assert report.exit_code == 13


# Zones that nobody could tell -----------------------------------------------------------------------------


@pytest.mark.parametrize("config", [UNKNOWN, {"SubnetIds": UNKNOWN}, {"SubnetIds": ["s-a", UNKNOWN]}])
def test_a_function_whose_subnets_nobody_could_tell_is_possible_and_never_fine(config: Any) -> None:
    report = audited(item("function", FunctionName="f", VpcConfig=config), is_whole=False)
    assert points(report, "possible") == {"unread:zones of function f"}
    assert points(report) == set()
    assert report.exit_code == 13


def test_one_known_subnet_of_several_does_not_say_where_all_tasks_stand() -> None:
    subnets = {"awsvpcConfiguration": {"subnets": ["s-a", UNKNOWN]}}
    service = item(
        "container service",
        serviceArn="web",
        serviceName="web",
        desiredCount=2,
        networkConfiguration=subnets,
    )
    report = audited(service, is_whole=False)
    assert points(report) == set()
    assert report.exit_code == 13


# Tasks and functions --------------------------------------------------------------------------------------

SUBNETS_OF_TASKS = {"awsvpcConfiguration": {"subnets": ["s-a", "s-b"]}}
IN_TWO_ZONES = (("10.0.0.1", A), ("10.0.0.2", B))


def tasks(*places: tuple[str, str]) -> list[Item]:
    """An ECS service that wants two tasks, and those that run: by address and zone."""
    group_arn = [{"targetGroupArn": "arn:group:t"}]
    base = {"serviceArn": "arn:web", "serviceName": "web", "clusterArn": "c", "taskDefinition": "td"}
    wants = {"desiredCount": 2, "networkConfiguration": SUBNETS_OF_TASKS, "loadBalancers": group_arn}
    found = [item("container service", **base, **wants)]
    for address, zone in places:
        details = [
            {"name": "privateIPv4Address", "value": address},
            {"name": "subnetId", "value": f"s-{zone[-1]}"},
        ]
        runs = {"lastStatus": "RUNNING", "availabilityZone": zone, "attachments": [{"details": details}]}
        task = item("task", taskArn=f"t-{address}", clusterArn="c", group="service:web", **runs)
        found += [task, target(address, "t")]
    return [*found, balancer(), group("t", TargetType="ip"), *SUBNETS]


def mounting() -> Item:
    volumes = [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs"}}]
    return item("task definition", taskDefinitionArn="td", family="web", volumes=volumes)


def files(*zones: Any) -> list[Item]:
    """A file system with a mount target in each zone."""
    ways = [
        item("mount target", MountTargetId=f"m{place}", FileSystemId="fs", AvailabilityZoneName=zone)
        for place, zone in enumerate(zones, 1)
    ]
    return [item("file system", FileSystemId="fs", FileSystemArn="arn:fs"), *ways]


def gateway_in_one_zone() -> list[Item]:
    ways = [{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat"}]
    where = [{"SubnetId": "s-a"}, {"SubnetId": "s-b"}]
    table = item("route table", RouteTableId="rtb", VpcId="v", Associations=where, Routes=ways)
    return [item("NAT gateway", NatGatewayId="nat", SubnetId="s-a", VpcId="v", State="available"), table]


def test_tasks_that_were_promised_and_do_not_run_serve_nobody_now() -> None:
    assert verdict(audit_estate(account(*tasks(*IN_TWO_ZONES)))) == set()
    report = audit_estate(account(*tasks()))
    assert verdict(report) == {("NSP100", "down", "certain")}
    assert report.findings[0].time == "now"


def test_a_container_service_that_was_deleted_serves_nobody() -> None:
    service = tasks(*IN_TWO_ZONES)[0].with_fields(status="INACTIVE")
    assert verdict(audited(service)) == {("NSP100", "down", "certain")}


def test_running_tasks_that_mount_through_one_zone_stop_with_it() -> None:
    report = audit_estate(account(*tasks(*IN_TWO_ZONES), mounting(), *files(A)))
    assert points(report) == {"mount target m1", f"zone:{A}"}
    both = audit_estate(account(*tasks(*IN_TWO_ZONES), mounting(), *files(A, B)))
    assert points(both) == set()


@pytest.mark.parametrize("running", [(), IN_TWO_ZONES])
def test_tasks_go_out_as_their_subnets_say(running: tuple[tuple[str, str], ...]) -> None:
    report = audit_estate((account if running else described)(*tasks(*running), *gateway_in_one_zone()))
    found = {(one.rule, one.event, one.view) for one in report.findings}
    assert found == {("NSP601", "nat", "egress"), ("NSP601", f"zone:{A}", "egress")}


def function(**fields: Any) -> Item:
    return item("function", **{"FunctionName": "f", "VpcConfig": {"SubnetIds": ["s-a", "s-b"]}, **fields})


def test_a_function_goes_out_as_its_subnets_say() -> None:
    assert verdict(audited(function())) == set()
    report = audited(function(), *gateway_in_one_zone())
    assert verdict(report) == {("NSP601", "nat", "certain"), ("NSP601", f"zone:{A}", "certain")}


def test_a_function_in_two_zones_mounts_in_each_of_them() -> None:
    report = audited(function(FileSystemConfigs=[{"Arn": "arn:fs"}]), *files(A, B))
    assert points(report) == set()
    assert {one.rule for one in report.findings} == {"NSP406"}


# Ways to files --------------------------------------------------------------------------------------------


def test_which_of_several_ways_is_mounted_is_possible_where_nobody_could_tell_their_zones() -> None:
    report = audited(*files(UNKNOWN, UNKNOWN), is_whole=False)
    assert points(report) == set()
    assert {"mount target m1", "mount target m2"} <= points(report, "possible")
    assert report.exit_code == 13


def test_files_without_a_way_to_them_serve_nobody_and_unread_ways_are_possible() -> None:
    assert ("NSP100", "down", "certain") in verdict(audited(*files()))
    denied = (Unread("mount targets", "elasticfilesystem:DescribeMountTargets", "AccessDenied"),)
    report = audited(*files(), unread=denied)
    assert points(report, "possible") == {"unread:mount target of fs"}
    assert points(report) == set()
    assert report.exit_code == 13
