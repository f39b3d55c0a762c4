"""Who uses which store, where no call declares it; and what the stores' own findings say."""

from __future__ import annotations

import pytest

from nospof.audit.checks_data import data_checks
from nospof.audit.entries import FRONTS
from nospof.audit.judging import judge
from nospof.audit.readings import read_both_ways
from nospof.audit.remedies_data import remedy_for
from nospof.audit.uses import find_uses, settled, with_uses
from nospof.model.estate import Item, Use
from nospof.services.audit import audit_estate
from support.estates import A, B, account, balancer, group, instance, item, points, target
from support.services import find_services

HOST = "orders.abc.eu-west-1.rds.amazonaws.com"
DB = item(
    "database",
    DBInstanceIdentifier="orders",
    AvailabilityZone=A,
    MultiAZ=False,
    Endpoint={"Address": HOST, "Port": 3306},
    VpcSecurityGroups=[{"VpcSecurityGroupId": "sg-db"}],
    BackupRetentionPeriod=0,
    DeletionProtection=False,
    ReadReplicaDBInstanceIdentifiers=["copy"],
)


def function(value: str) -> Item:
    return item("function", FunctionName="f", Environment={"Variables": {"DB": value}})


@pytest.mark.parametrize("value", [HOST, f"{HOST}:3306", f"mysql://u@{HOST.upper()}/orders"])
def test_a_setting_that_names_a_store_is_a_use(value: str) -> None:
    (use,) = find_uses(account(DB, function(value)))
    assert (use.user, use.used_kind, use.used, use.provenance) == ("f", "database", "orders", "configured")


@pytest.mark.parametrize("value", ["orders", f"x{HOST}", f"{HOST}.example.org", ""])
def test_words_like_a_store_are_none(value: str) -> None:
    assert find_uses(account(DB, function(value))) == ()


def test_a_file_system_is_known_by_its_host_name() -> None:
    files = item("file system", FileSystemId="fs-0a1b")
    (use,) = find_uses(account(files, function("fs-0a1b.efs.eu-west-1.amazonaws.com")))
    assert use.used == "fs-0a1b"


def door(port: int, protocol: str = "tcp") -> Item:
    rule = {"IpProtocol": protocol, "FromPort": port, "ToPort": port}
    return item(
        "security group",
        GroupId="sg-db",
        IpPermissions=[{**rule, "UserIdGroupPairs": [{"GroupId": "sg-web"}]}],
    )


def pair() -> list[Item]:
    web = [
        instance(name, zone, SecurityGroups=[{"GroupId": "sg-web"}])
        for name, zone in (("i-1", A), ("i-2", B))
    ]
    return [balancer(), group(), target("i-1"), target("i-2"), *web]


def test_what_a_group_permits_is_possible_and_becomes_a_question() -> None:
    estate = with_uses(account(*pair(), DB, door(3306)))
    assert {one.provenance for one in estate.uses} == {"permitted"}
    report = audit_estate(estate)
    assert points(report) == set()
    assert points(report, "possible") == {"database orders copy 1", f"zone:{A}"}
    assert any("does i-1 use database orders?" in one for one in report.services[0].questions)


@pytest.mark.parametrize("rule", [door(22), door(3306, "udp")])
def test_another_port_permits_nothing(rule: Item) -> None:
    assert find_uses(account(*pair(), DB, rule)) == ()


def test_what_a_person_says_settles_what_was_only_permitted() -> None:
    allowed = Use("i-1", "database", "orders", provenance="permitted")
    assert settled([allowed, Use("i-1", "database", "orders", "none", "assumed")]) == ()
    (left,) = settled([allowed, Use("i-1", "database", "orders", "degraded", "assumed")])
    assert left.view == "degraded"


def test_a_store_without_backup_or_protection_is_said_so_and_each_remedy_removes_its_finding() -> None:
    uses = tuple(Use(who, "database", "orders") for who in ("i-1", "i-2"))
    estate = account(*pair(), DB, uses=uses)
    (service,) = find_services(estate, FRONTS).found
    found = {one.rule: one for one in data_checks(estate, service)}
    assert set(found) == {"NSP302", "NSP305", "NSP306"}
    for rule in ("NSP302", "NSP306"):
        proposal = remedy_for(estate, service, found[rule])
        assert proposal is not None
        assert proposal.changes is not None
        (after,) = find_services(proposal.changes(estate), FRONTS).found
        assert rule not in {one.rule for one in data_checks(after.estate, after)}


def test_a_standby_removes_the_database_and_its_zone() -> None:
    uses = tuple(Use(who, "database", "orders") for who in ("i-1", "i-2"))
    estate = account(*pair(), DB, uses=uses)
    (service,) = find_services(estate, FRONTS).found
    cuts = [
        one
        for one in judge(service, read_both_ways(service.topology), 0.0, {"serving": {}})
        if one.is_single_point
    ]
    assert len(cuts) == 2
    for cut in cuts:
        proposal = remedy_for(estate, service, cut)
        assert proposal is not None
        assert proposal.changes is not None
        assert points(audit_estate(proposal.changes(estate))) == set()


def test_who_names_one_member_of_a_cluster_bypasses_its_failover() -> None:
    members = [
        item("database", DBInstanceIdentifier=name, AvailabilityZone=zone, DBClusterIdentifier="c")
        for name, zone in (("m1", A), ("m2", B))
    ]
    cluster = item("database cluster", DBClusterIdentifier="c", Engine="aurora-mysql")
    for kind, key, expected in (("database", "m1", ["NSP408"]), ("database cluster", "c", [])):
        uses = tuple(Use(who, kind, key) for who in ("i-1", "i-2"))
        estate = account(*pair(), *members, cluster, uses=uses)
        (service,) = find_services(estate, FRONTS).found
        assert [one.rule for one in data_checks(estate, service)] == expected


def test_a_standby_for_a_cache_and_a_way_in_each_zone_remove_their_findings() -> None:
    rows = [
        {"CacheClusterId": name, "PreferredAvailabilityZone": zone} for name, zone in (("s1", A), ("s2", B))
    ]
    cache = item("cache", ReplicationGroupId="s", NodeGroups=[{"NodeGroupMembers": rows}])
    files = item("file system", FileSystemId="fs-1")
    way = item("mount target", MountTargetId="mt", FileSystemId="fs-1", AvailabilityZoneName=A)
    uses = tuple(Use(who, "cache", "s") for who in ("i-1", "i-2"))
    uses += tuple(Use(who, "file system", "fs-1", provenance="assumed") for who in ("i-1", "i-2"))
    estate = account(*pair(), cache, files, way, uses=uses)
    (service,) = find_services(estate, FRONTS).found
    cuts = {
        one.event: one
        for one in judge(service, read_both_ways(service.topology), 0.0, {"serving": {}})
        if one.is_single_point
    }
    assert set(cuts) == {"cache node s1", "mount target mt", f"zone:{A}"}
    for event in ("cache node s1", "mount target mt"):
        proposal = remedy_for(estate, service, cuts[event])
        assert proposal is not None
        assert proposal.changes is not None
        assert event not in points(audit_estate(proposal.changes(estate)))
