"""Services with stores: what is redundant, what only looks so, and what nobody could tell."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.audit.analysis import Analysis, analyse
from nospof.audit.entries import FRONTS
from nospof.model.estate import UNKNOWN, Estate, Item, Use
from support.estates import A, B, C, account, balancer, group, instance, item, target
from support.services import find_services

FRONT = (balancer(), group(), target("i-1"), target("i-2"), instance("i-1", A), instance("i-2", B))


def database(name: str = "orders", **fields: Any) -> Item:
    base = {"DBInstanceIdentifier": name, "AvailabilityZone": A, "DBInstanceStatus": "available"}
    return item("database", **{**base, **fields})


def used(kind: str, key: str, **about: Any) -> tuple[Use, ...]:
    return tuple(Use(who, kind, key, **about) for who in ("i-1", "i-2"))


def read(*items: Item, uses: tuple[Use, ...], pessimistic: bool = True, now: bool = False) -> Analysis:
    return reading(account(*FRONT, *items, uses=uses), pessimistic=pessimistic, now=now)


def reading(estate: Estate, **how: bool) -> Analysis:
    (service,) = find_services(estate, FRONTS).found
    return analyse(service.topology, **how)


DB = used("database", "orders")
ONE = "database orders copy 1"


def test_a_pair_with_one_database_stops_with_it_and_with_its_zone() -> None:
    found = read(database(MultiAZ=False), uses=DB)
    assert set(found.serving.total) == {ONE, f"zone:{A}"}
    assert found.loses == {"data of database orders": (ONE,)}


@pytest.mark.parametrize("second", [B, ""], ids=["standby known", "standby somewhere else"])
def test_a_standby_in_another_zone_takes_over(second: str) -> None:
    found = read(database(MultiAZ=True, SecondaryAvailabilityZone=second), uses=DB)
    assert found.serving.total == ()
    assert found.loses == {"data of database orders": ()}


def test_a_standby_of_unknown_zones_is_still_in_another_zone_than_the_primary() -> None:
    found = read(database(MultiAZ=True, AvailabilityZone=None), uses=DB)
    assert found.serving.total == ()


def test_a_standby_that_nobody_could_tell_of_is_possible_and_asked_about() -> None:
    estate = account(*FRONT, database(MultiAZ=UNKNOWN), uses=DB)
    (service,) = find_services(estate, FRONTS).found
    assert set(analyse(service.topology).serving.total) == {ONE, f"zone:{A}"}
    assert analyse(service.topology, pessimistic=False).serving.total == ()
    assert service.questions == ["does database orders have a standby in another zone?"]


def test_c100_a_read_replica_is_no_spare() -> None:
    replica = database("copy", AvailabilityZone=B, ReadReplicaSourceDBInstanceIdentifier="orders")
    source = database(ReadReplicaDBInstanceIdentifiers=["copy"])
    assert set(read(source, replica, uses=DB).serving.total) == {ONE, f"zone:{A}"}


def cluster(*zones: str, engine: str = "aurora-mysql") -> tuple[Item, ...]:
    names = [f"m{number}" for number, _ in enumerate(zones, 1)]
    members = [
        database(name, AvailabilityZone=zone, DBClusterIdentifier="c", MultiAZ=True)
        for name, zone in zip(names, zones, strict=True)
    ]
    rows = [{"DBInstanceIdentifier": name} for name in names]
    top = item(
        "database cluster", DBClusterIdentifier="c", Engine=engine, DBClusterMembers=rows, MultiAZ=True
    )
    return (top, *members)


def test_c100_one_aurora_member_is_single_though_its_storage_spans_zones() -> None:
    found = read(*cluster(A), uses=used("database cluster", "c"))
    assert set(found.serving.total) == {"database m1 copy 1", f"zone:{A}"}
    assert found.loses == {}


def test_aurora_members_take_over_where_they_stand_apart() -> None:
    uses = used("database cluster", "c")
    assert read(*cluster(A, B), uses=uses).serving.total == ()
    assert set(read(*cluster(A, A), uses=uses).serving.total) == {f"zone:{A}"}


def test_who_names_one_member_hangs_on_that_member() -> None:
    found = read(*cluster(A, B), uses=used("database", "m1"))
    assert set(found.serving.total) == {"database m1 copy 1", f"zone:{A}"}


def test_an_aurora_cluster_without_instances_serves_nobody() -> None:
    assert read(*cluster(), uses=used("database cluster", "c"), now=True).serving.is_broken


def cache(failover: Any) -> Item:
    rows = [
        {"CacheClusterId": f"s-{n}", "PreferredAvailabilityZone": zone, "CurrentRole": role}
        for n, (zone, role) in enumerate([(B, "replica"), (A, "primary")], 1)
    ]
    fields = {"ReplicationGroupId": "s", "AutomaticFailover": failover}
    return item("cache", **fields, NodeGroups=[{"NodeGroupId": "1", "NodeGroupMembers": rows}])


@pytest.mark.parametrize(
    ("failover", "worst", "best"),
    [
        ("enabled", set(), set()),
        ("disabled", {"cache node s-2", f"zone:{A}"}, {"cache node s-2", f"zone:{A}"}),
        (UNKNOWN, {"cache node s-2", f"zone:{A}"}, set()),
    ],
)
def test_a_cache_replica_is_a_spare_only_where_it_takes_over(
    failover: Any, worst: set[str], best: set[str]
) -> None:
    uses = used("cache", "s")
    assert set(read(cache(failover), uses=uses).serving.total) == worst
    assert set(read(cache(failover), uses=uses, pessimistic=False).serving.total) == best


def test_c100_memcached_nodes_hold_different_keys_so_one_of_them_is_a_part() -> None:
    nodes = [{"CacheNodeId": n, "CustomerAvailabilityZone": zone} for n, zone in (("1", A), ("2", B))]
    sessions = item("cache cluster", CacheClusterId="m", Engine="memcached", CacheNodes=nodes)
    found = read(sessions, uses=used("cache cluster", "m"))
    assert found.serving.total == ()
    assert {str(share) for event, share in found.serving.partial if event.startswith("cache")} == {"1/2"}


# Files ----------------------------------------------------------------------------------------------------


def files(*zones: str, **fields: Any) -> tuple[Item, ...]:
    ways = [
        item("mount target", MountTargetId=f"mt-{zone}", FileSystemId="fs-1", AvailabilityZoneName=zone)
        for zone in zones
    ]
    return (item("file system", FileSystemId="fs-1", **fields), *ways)


FS = used("file system", "fs-1")
SEEN = used("file system", "fs-1", provenance="assumed")


def test_files_with_a_way_in_each_zone_are_no_single_point() -> None:
    found = read(*files(A, B), uses=SEEN)
    assert found.serving.total == ()
    assert found.loses == {}


def test_a_lost_mount_that_no_check_sees_costs_its_share() -> None:
    found = read(*files(A, B), uses=FS)
    assert found.serving.total == ()
    assert {event for event, _ in found.serving.partial} == {
        f"mount target mt-{A}",
        f"mount target mt-{B}",
    }


def test_c99_one_mount_target_is_the_only_way_although_the_files_are_everywhere() -> None:
    found = read(*files(A), uses=SEEN)
    assert set(found.serving.total) == {f"mount target mt-{A}", f"zone:{A}"}
    assert found.loses == {}


def test_c99_files_in_one_zone_are_lost_with_it_whatever_the_ways() -> None:
    found = read(*files(A, AvailabilityZoneName=A), uses=FS)
    assert {"file system fs-1 copy 1", f"zone:{A}"} <= set(found.serving.total)
    assert found.loses == {"files of fs-1": ("file system fs-1 copy 1",)}


# Brokers and search ---------------------------------------------------------------------------------------


def test_a_single_broker_is_a_single_point_and_a_standby_is_none() -> None:
    subnets = [item("subnet", SubnetId=f"s-{one}", AvailabilityZone=one) for one in (A, B)]
    base = {"BrokerId": "b", "EngineType": "ACTIVEMQ"}
    alone = item("broker", **base, DeploymentMode="SINGLE_INSTANCE", SubnetIds=[f"s-{A}"])
    both = item("broker", **base, DeploymentMode="ACTIVE_STANDBY_MULTI_AZ", SubnetIds=[f"s-{A}", f"s-{B}"])
    uses = used("broker", "b")
    assert set(read(*subnets, alone, uses=uses).serving.total) == {"broker b copy 1", f"zone:{A}"}
    assert read(*subnets, both, uses=uses).serving.total == ()


def test_two_masters_are_worse_than_one() -> None:
    config = {"InstanceCount": 4, "ZoneAwarenessEnabled": True, "DedicatedMasterEnabled": True}
    domain = item(
        "search domain",
        DomainName="s",
        ClusterConfig={**config, "DedicatedMasterCount": 2},
        VPCOptions={"AvailabilityZones": [A, B]},
    )
    found = read(domain, uses=used("search domain", "s"), pessimistic=False)
    assert {f"search domain s master {n}" for n in (1, 2)} <= set(found.serving.total)
    three = domain.with_fields(
        ClusterConfig={**config, "DedicatedMasterCount": 3}, VPCOptions={"AvailabilityZones": [A, B, C]}
    )
    assert read(three, uses=used("search domain", "s"), pessimistic=False).serving.total == ()


def test_a_key_pending_deletion_is_announced_for_the_database_that_needs_it() -> None:
    key = item("key", KeyId="k", KeyState="PendingDeletion", DeletionDate="2026-12-10T00:00:00+00:00")
    found = read(database(MultiAZ=True, SecondaryAvailabilityZone=B, KmsKeyId="k"), key, uses=DB)
    assert set(found.serving.total) == {"deletion:k"}


def test_forced_maintenance_takes_a_single_database_down_and_no_pair() -> None:
    detail = {"Action": "os-upgrade", "ForcedApplyDate": "2026-12-10T00:00:00+00:00"}
    pending = item(
        "pending maintenance", ResourceIdentifier="arn:orders", PendingMaintenanceActionDetails=[detail]
    )
    alone = read(database(DBInstanceArn="arn:orders", MultiAZ=False), pending, uses=DB)
    assert "forced:orders:os-upgrade" in alone.serving.total
    both = read(database(DBInstanceArn="arn:orders", MultiAZ=True), pending, uses=DB)
    assert both.serving.total == ()


def test_a_certificate_that_ends_soon_hits_only_those_who_check_it() -> None:
    old = database(MultiAZ=True, CertificateDetails={"ValidTill": "2026-12-10T00:00:00+00:00"})
    estate = account(*FRONT, old, uses=DB, read_at=1_796_000_000.0)
    assert reading(estate).serving.total == ("certificate:orders",)
    assert reading(estate, pessimistic=False).serving.total == ()
