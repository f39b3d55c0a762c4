"""Small accounts of what stands behind machines, each with the verdict that was worked out by hand first."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.estate import UNKNOWN, Estate, Use
from nospof.model.findings import AuditReport
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
