"""Small accounts of common shapes, each with the verdict that was worked out by hand first."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.estate import UNKNOWN, Estate, Use
from nospof.model.item import Item
from nospof.services.audit import audit_estate
from support.estates import A, B, account, balancer, described, group, instance, item, target

FRONT = (balancer(), group())
MACHINES = (instance("i-1", A), instance("i-2", B))
TARGETS = (target("i-1"), target("i-2"))
PAIR = (*FRONT, *MACHINES, *TARGETS)
APART = (balancer(), group("a"), group("b"), *MACHINES, target("i-1", "a"), target("i-2", "b"))
ZONE_A = ("NSP201", f"zone:{A}", "certain")


def forwards(*shares: tuple[str, int]) -> Item:
    groups = [{"TargetGroupArn": f"arn:group:{name}", "Weight": weight} for name, weight in shares]
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    return item("listener", ListenerArn="l", LoadBalancerArn="arn:www", DefaultActions=actions)


def with_database(multi_az: Any) -> Estate:
    fields = {"DBInstanceIdentifier": "db", "AvailabilityZone": A, "Engine": "mysql", "MultiAZ": multi_az}
    kept = {"BackupRetentionPeriod": 7, "DeletionProtection": True}
    uses = tuple(Use(who, "database", "db") for who in ("i-1", "i-2"))
    return account(*PAIR, item("database", **fields, **kept), uses=uses)


def with_files() -> Estate:
    """Both machines mount one file system through its only mount target, in zone a."""
    mount = item("mount target", MountTargetId="mt", FileSystemId="fs", AvailabilityZoneName=A)
    uses = tuple(Use(who, "file system", "fs", "serving", "declared") for who in ("i-1", "i-2"))
    return account(*PAIR, item("file system", FileSystemId="fs"), mount, uses=uses)


def rebooting() -> tuple[Item, ...]:
    window = {"Code": "system-reboot", "NotBefore": 86_400, "NotAfter": 90_000, "Description": ""}
    return tuple(
        item("instance status", InstanceId=who, Events=[{**window, "InstanceEventId": f"e{who}"}])
        for who in ("i-1", "i-2")
    )


SHAPES: dict[str, tuple[Estate, set[tuple[str, str, str]], int]] = {
    "a pair": (account(*PAIR), set(), 0),
    "a network balancer, both targets in one zone": (
        account(balancer(Type="network"), group(), instance("i-1", A), instance("i-2", A), *TARGETS),
        {ZONE_A},
        10,
    ),
    "a network balancer before a pair": (
        account(balancer(Type="network"), group(), *MACHINES, *TARGETS),
        set(),
        0,
    ),
    "one group of two balancers": (
        account(balancer(), balancer("x"), group(balancers=("arn:www", "arn:x")), *MACHINES, *TARGETS),
        set(),
        0,
    ),
    "no target": (account(*FRONT, *MACHINES), {("NSP100", "down", "certain")}, 10),
    "both unhealthy": (
        account(*FRONT, *MACHINES, target("i-1", state="unhealthy"), target("i-2", state="unhealthy")),
        {("NSP100", "down", "certain")},
        10,
    ),
    "one that is not checked yet": (
        account(*FRONT, *MACHINES, target("i-1"), target("i-2", state="initial")),
        {("NSP101", "i-1", "possible"), ("NSP201", f"zone:{A}", "possible")},
        13,
    ),
    "all the weight on one group": (
        account(*APART, forwards(("a", 100), ("b", 0))),
        {("NSP101", "i-1", "certain"), ZONE_A},
        10,
    ),
    "half the weight on each": (
        account(*APART, forwards(("a", 50), ("b", 50))),
        {("NSP407", event, "certain") for event in ("i-1", "i-2", f"zone:{A}", f"zone:{B}")},
        10,
    ),
    "a database without a standby": (
        with_database(False),
        {
            ZONE_A,
            ("NSP103", "database db copy 1", "certain"),
            ("NSP301", "loses:data of database db", "certain"),
        },
        10,
    ),
    "a database with one": (with_database(True), set(), 0),
    "a database nobody can tell of": (
        with_database(UNKNOWN),
        {
            ("NSP201", f"zone:{A}", "possible"),
            ("NSP103", "database db copy 1", "possible"),
            ("NSP301", "loses:data of database db", "possible"),
        },
        13,
    ),
    "one mount target for two machines": (
        with_files(),
        {ZONE_A, ("NSP105", "mount target mt", "certain")},
        10,
    ),
    "reboots of both in one window": (
        account(*PAIR, *rebooting()),
        {("NSP204", "maintenance:ei-1+ei-2", "certain")},
        10,
    ),
    "zones that nobody can tell": (
        account(*FRONT, instance("i-1", UNKNOWN), instance("i-2", UNKNOWN), *TARGETS),
        {("NSP201", "zone:unplaced", "possible")},
        13,
    ),
    "a group whose size nobody can tell": (
        described(
            *FRONT,
            item(
                "auto scaling group",
                AutoScalingGroupName="g",
                MinSize=UNKNOWN,
                DesiredCapacity=UNKNOWN,
                AvailabilityZones=[A, B],
                TargetGroupARNs=["arn:group:www"],
            ),
        ),
        {("NSP901", "unread:how many members g keeps", "possible")},
        13,
    ),
}


@pytest.mark.parametrize(("estate", "expected", "code"), SHAPES.values(), ids=SHAPES.keys())
def test_the_verdict_is_the_one_worked_out_by_hand(
    estate: Estate, expected: set[tuple[str, str, str]], code: int
) -> None:
    report = audit_estate(estate)
    assert {(one.rule, one.event, one.confidence) for one in report.findings} == expected
    assert report.exit_code == code
