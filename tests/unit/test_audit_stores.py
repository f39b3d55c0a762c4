"""Stores of every kind beside a pair of machines: alone, with a spare, and where nobody could tell."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.audit.analysis import Analysis, analyse
from nospof.audit.builder import Entry
from nospof.audit.entries import read_service
from nospof.audit.fronts import ALL_FRONTS
from nospof.model.estate import UNKNOWN, Estate, Item, Use
from nospof.services.audit import audit_estate
from support.estates import A, B, C, account, balancer, group, instance, item, target
from support.services import find_services

FRONT = (balancer(), group(), target("i-1"), target("i-2"), instance("i-1", A), instance("i-2", B))
SUBNETS = tuple(item("subnet", SubnetId=f"s-{one[-1]}", AvailabilityZone=one) for one in (A, B, C))
ONE, TWO = ["s-a"], ["s-a", "s-b"]


def estate(kind: str, key: str, *items: Item) -> Estate:
    uses = tuple(Use(who, kind, key) for who in ("i-1", "i-2"))
    return account(*FRONT, *SUBNETS, *items, uses=uses)


def read(kind: str, key: str, *items: Item, pessimistic: bool = True) -> Analysis:
    (service,) = find_services(estate(kind, key, *items), ALL_FRONTS).found
    return analyse(service.topology, pessimistic=pessimistic)


def cuts(kind: str, key: str, *items: Item) -> tuple[set[str], set[str]]:
    """Return what alone stops the service, at worst and at best."""
    worst, best = (read(kind, key, *items, pessimistic=one) for one in (True, False))
    return set(worst.serving.total), set(best.serving.total)


def certain(*events: str) -> tuple[set[str], set[str]]:
    return set(events), set(events)


NONE = certain()


# Databases ------------------------------------------------------------------------------------------------


def proxied(*subnets: str, targets: bool = True) -> list[Item]:
    database = item(
        "database", DBInstanceIdentifier="d", AvailabilityZone=A, MultiAZ=True, SecondaryAvailabilityZone=B
    )
    proxy = item("database proxy", DBProxyName="p", VpcSubnetIds=list(subnets))
    row = item("database proxy target", DBProxyName="p", Type="RDS_INSTANCE", RdsResourceId="d")
    return [database, proxy, row] if targets else [database, proxy]


def test_a_proxy_in_two_zones_before_a_sound_database_is_none_and_in_one_zone_falls_with_it() -> None:
    assert cuts("database proxy", "p", *proxied(*TWO)) == NONE
    assert cuts("database proxy", "p", *proxied(*ONE)) == certain(f"zone:{A}")


def test_a_proxy_needs_the_database_behind_it() -> None:
    database, *rest = proxied(*TWO)
    alone = database.with_fields(MultiAZ=False, SecondaryAvailabilityZone=None)
    assert cuts("database proxy", "p", alone, *rest) == certain("database d copy 1", f"zone:{A}")


def test_a_proxy_whose_database_was_not_read_is_possible() -> None:
    worst, best = cuts("database proxy", "p", *proxied(*TWO, targets=False))
    assert len(worst) == 1
    assert best == set()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("enabled", NONE),
        ("disabled", certain("warehouse w copy 1", f"zone:{A}")),
        (UNKNOWN, ({"warehouse w copy 1", f"zone:{A}"}, set())),
    ],
)
def test_a_warehouse_is_single_unless_it_spans_two_zones(said: Any, expected: Any) -> None:
    store = item("warehouse", ClusterIdentifier="w", AvailabilityZone=A, MultiAZ=said)
    assert cuts("warehouse", "w", store) == expected


def memory(*zones: str) -> Item:
    nodes = [{"Name": f"n{place}", "AvailabilityZone": one} for place, one in enumerate(zones, 1)]
    shards = [{"Name": "1", "Nodes": nodes}] if nodes else UNKNOWN
    return item("memory database", Name="m", Shards=shards)


def test_a_shard_of_a_memory_database_needs_a_replica_in_another_zone() -> None:
    assert cuts("memory database", "m", memory(A, B)) == NONE
    assert cuts("memory database", "m", memory(A, A)) == certain(f"zone:{A}")
    assert cuts("memory database", "m", memory(A)) == certain("memory database m n1", f"zone:{A}")
    worst, best = cuts("memory database", "m", memory())
    assert (len(worst), best) == (1, set())


def dax(*zones: str) -> Item:
    rows = [{"NodeId": f"n{place}", "AvailabilityZone": one} for place, one in enumerate(zones, 1)]
    return item("DAX cluster", ClusterName="x", Nodes=rows, TotalNodes=len(rows) or UNKNOWN)


def test_any_node_of_a_dax_cluster_serves() -> None:
    assert cuts("DAX cluster", "x", dax(A, B)) == NONE
    assert cuts("DAX cluster", "x", dax(A)) == certain("DAX cluster x node 1", f"zone:{A}")


def test_how_many_nodes_a_dax_cluster_has_is_possible_where_nobody_could_tell() -> None:
    worst, best = cuts("DAX cluster", "x", dax())
    assert worst == {"unread:nodes of DAX cluster x"}
    assert best == set()


# Brokers and directories ----------------------------------------------------------------------------------


def kafka(number: int, subnets: list[str], kind: str = "PROVISIONED") -> Item:
    nodes = {"NumberOfBrokerNodes": number, "BrokerNodeGroupInfo": {"ClientSubnets": subnets}}
    return item("Kafka cluster", ClusterArn="k", ClusterType=kind, Provisioned=nodes)


def test_what_a_kafka_topic_bears_is_possible_and_one_broker_is_certain() -> None:
    worst, best = cuts("Kafka cluster", "k", kafka(3, ["s-a", "s-b", "s-c"]))
    assert {f"Kafka cluster k copy {one}" for one in (1, 2, 3)} <= worst
    assert best == set()
    assert cuts("Kafka cluster", "k", kafka(1, ONE)) == certain("Kafka cluster k copy 1", f"zone:{A}")
    assert cuts("Kafka cluster", "k", kafka(0, [], "SERVERLESS")) == NONE


def test_a_directory_with_controllers_in_two_zones_is_none() -> None:
    def controllers(subnets: list[str]) -> Item:
        return item("directory", DirectoryId="d", VpcSettings={"SubnetIds": subnets})

    assert cuts("directory", "d", controllers(TWO)) == NONE
    assert cuts("directory", "d", controllers(ONE)) == certain("directory d copy 1", f"zone:{A}")


def test_a_directory_whose_zones_nobody_could_tell_is_possible() -> None:
    unread = item("directory", DirectoryId="d", VpcSettings={"SubnetIds": UNKNOWN})
    worst, best = cuts("directory", "d", unread)
    assert worst
    assert best == set()


# Files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("MULTI_AZ_1", NONE),
        ("SINGLE_AZ_2", certain("FSx file system f copy 1", f"zone:{A}")),
        (UNKNOWN, ({"FSx file system f copy 1", f"zone:{A}"}, set())),
    ],
)
def test_windows_files_are_single_unless_they_are_of_two_zones(said: Any, expected: Any) -> None:
    subnets = TWO if said == "MULTI_AZ_1" else ONE
    files = item(
        "FSx file system", FileSystemId="f", SubnetIds=subnets, WindowsConfiguration={"DeploymentType": said}
    )
    assert cuts("FSx file system", "f", files) == expected


def test_two_file_servers_in_a_zone_share_that_zone_only() -> None:
    fields = {
        "FileSystemId": "f",
        "SubnetIds": ONE,
        "OpenZFSConfiguration": {"DeploymentType": "SINGLE_AZ_HA_2"},
    }
    assert cuts("FSx file system", "f", item("FSx file system", **fields)) == certain(f"zone:{A}")


def test_a_bucket_is_of_the_region_unless_its_name_says_a_zone() -> None:
    assert cuts("bucket", "uploads", item("bucket", Name="uploads")) == NONE
    name = "uploads--euw1-az1--x-s3"
    expected = certain(f"bucket {name} copy 1", "zone:euw1-az1")
    assert cuts("bucket", name, item("bucket", Name=name)) == expected


# Machines of others ---------------------------------------------------------------------------------------


def nodes(*zones: str) -> list[Item]:
    rows = [
        {"InstanceId": f"n-{place}", "AvailabilityZone": one, "LifecycleState": "InService"}
        for place, one in enumerate(zones, 1)
    ]
    scaling = item("auto scaling group", AutoScalingGroupName="eks", Instances=rows, MinSize=len(rows))
    names = {"autoScalingGroups": [{"name": "eks"}]} if zones else UNKNOWN
    return [scaling, item("node group", nodegroupArn="ng", nodegroupName="ng", resources=names)]


def of_nodes(*zones: str) -> tuple[set[str], set[str]]:
    service = read_service(account(*nodes(*zones)), Entry("web", "node group", "ng"))
    worst, best = (analyse(service.topology, pessimistic=one).serving.total for one in (True, False))
    return set(worst), set(best)


def test_any_machine_of_a_node_group_serves() -> None:
    assert of_nodes(A, B) == NONE
    assert of_nodes(A) == certain(f"eks/{A}/1", f"zone:{A}")
    worst, best = of_nodes()
    assert (len(worst), best) == (1, set())


# Keys, secrets, backups -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gone", "is_off"), [(None, False), ("2026-11-01T00:00:00Z", True), (UNKNOWN, False)]
)
def test_a_secret_that_is_being_deleted_is_an_outage(gone: Any, is_off: bool) -> None:
    (service,) = find_services(
        estate("secret", "x", item("secret", ARN="x", Name="x", DeletedDate=gone)), ALL_FRONTS
    ).found
    assert ("secret x" in service.topology.failed_now) is is_off


def database(**fields: Any) -> Item:
    base = {
        "DBInstanceIdentifier": "d",
        "AvailabilityZone": A,
        "MultiAZ": True,
        "SecondaryAvailabilityZone": B,
    }
    return item("database", **{**base, **fields})


@pytest.mark.parametrize(("state", "expected"), [("Enabled", NONE), ("Disabled", certain("key:k"))])
def test_a_database_stops_with_a_disabled_key_and_a_disk_does_not(state: str, expected: Any) -> None:
    key = item("key", KeyId="k", KeyState=state)
    assert cuts("database", "d", database(KmsKeyId="k"), key) == expected
    files = item("file system", FileSystemId="f", KmsKeyId="k")
    assert cuts("file system", "f", files, key) == NONE


def test_a_database_that_has_lost_its_key_is_off_now() -> None:
    off = database(DBInstanceStatus="inaccessible-encryption-credentials-recoverable")
    (service,) = find_services(estate("database", "d", off), ALL_FRONTS).found
    assert "database d" in service.topology.failed_now


@pytest.mark.parametrize(
    ("kind", "key", "store", "arn"),
    [
        ("database", "d", database(BackupRetentionPeriod=0, DBInstanceArn="arn:d"), "arn:d"),
        (
            "warehouse",
            "w",
            item("warehouse", ClusterIdentifier="w", AutomatedSnapshotRetentionPeriod=0, MultiAZ="enabled"),
            "arn:aws:redshift:eu-west-1:123456789012:cluster:w",
        ),
    ],
)
def test_a_store_that_aws_backup_copies_is_not_without_a_backup(
    kind: str, key: str, store: Item, arn: str
) -> None:
    def rules(*more: Item) -> set[str]:
        report = audit_estate(estate(kind, key, store, *more))
        return {one.rule for one in report.findings}

    copied = item("protected resource", ResourceArn=arn, ResourceType="Redshift" if key == "w" else "RDS")
    other = item("protected resource", ResourceArn=f"{arn}2", ResourceType="Redshift")
    assert "NSP302" in rules(other)
    assert "NSP302" not in rules(copied)
