"""Small accounts with machines that were looked into, each with the verdict that was worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.estate import Use
from nospof.model.findings import AuditReport, Unread
from nospof.model.item import Item
from nospof.model.kinds.inside import SECTIONS
from nospof.services.audit import audit_estate
from support.behind import audited, titles, verdict
from support.estates import (
    A,
    B,
    C,
    account,
    balancer,
    described,
    group,
    instance,
    item,
    points,
    scaling,
    target,
)

WHERE = {"i-1": (A, "10.0.0.1"), "i-2": (B, "10.0.0.2"), "i-3": (C, "10.0.0.3")}
FRONT = (balancer(), group(), target("i-1"), target("i-2"))
ADDRESSES = [address for _, address in WHERE.values()]


def look(who: str, **given: list[dict[str, Any]]) -> Item:
    """What a look found that could read everything."""
    fields: dict[str, Any] = {name: {"status": "none", "reason": "", "found": []} for name in SECTIONS}
    fields |= {name: {"status": "found", "reason": "", "found": rows} for name, rows in given.items()}
    return item("machine", InstanceId=who, **fields)


def seen(first: dict[str, Any], second: dict[str, Any], *items: Item, **about: Any) -> AuditReport:
    """The report on a pair that was looked into."""
    machines = [
        instance(who, zone, PrivateIpAddress=address, Tags=[]) for who, (zone, address) in WHERE.items()
    ]
    looks = [look("i-1", **first), look("i-2", **second)]
    return audit_estate(account(*FRONT, *machines[:2], *looks, *items, **about))


def engine(name: str, kind: str = "", peers: list[str] | None = None) -> dict[str, Any]:
    row = {"engine": name, "directory": f"/var/lib/{name}", "role": "", "group": kind, "peers": peers or []}
    return {"engines": [row]}


def connected(address: str, port: int = 3306) -> dict[str, Any]:
    return {"connections": [{"address": address, "port": port, "process": "php-fpm"}]}


# Whom a machine is connected to ---------------------------------------------------------------------------

STRANGER = "unread:MySQL at 10.9.9.9:3306"


def interface(says: str) -> Item:
    addresses = [{"PrivateIpAddress": "10.9.9.9"}]
    return item("network interface", NetworkInterfaceId="eni", Description=says, PrivateIpAddresses=addresses)


def database(name: str) -> Item:
    where = {"AvailabilityZone": A, "MultiAZ": False, "Endpoint": {"Address": f"{name}.x", "Port": 3306}}
    return item("database", DBInstanceIdentifier=name, BackupRetentionPeriod=7, **where)


def test_a_store_of_which_nothing_was_read_is_possible_where_machines_were_seen_to_use_it() -> None:
    assert verdict(seen({}, {})) == set()
    report = seen(connected("10.9.9.9"), connected("10.9.9.9"))
    assert verdict(report) == {("NSP901", STRANGER, "possible")}
    assert report.exit_code == 13
    for own in ("127.0.0.1", "::1", "10.0.0.1"):
        assert verdict(seen(connected(own), {})) == set()


def test_the_only_database_that_listens_there_is_the_one_behind_an_interface_of_rds() -> None:
    both, rds = (connected("10.9.9.9"), connected("10.9.9.9")), interface("RDSNetworkInterface")
    assert points(seen(*both, rds, database("d"))) == {"database d copy 1", f"zone:{A}"}
    two = seen(*both, rds, database("d"), database("e"))
    assert points(two) == set()
    assert points(two, "possible") == {STRANGER}


def test_what_somebody_said_a_machine_uses_is_what_answers_there() -> None:
    uses = tuple(Use(who, "database", "d", provenance="assumed") for who in ("i-1", "i-2"))
    report = seen(connected("10.9.9.9"), connected("10.9.9.9"), database("d"), database("e"), uses=uses)
    assert points(report) == {"database d copy 1", f"zone:{A}"}
    assert points(report, "possible") == set()


def test_files_of_a_server_nobody_read_are_possible() -> None:
    mount = {"mounts": [{"point": "/srv", "type": "nfs4", "server": "10.9.9.9", "export": "/srv"}]}
    report = seen(mount, mount)
    assert points(report, "possible") == {"unread:files of 10.9.9.9"}
    assert report.exit_code == 13


# Data on machines -----------------------------------------------------------------------------------------


def test_the_other_of_a_pair_needs_the_database_it_is_connected_to_and_no_clone_mends_that() -> None:
    report = seen(engine("mysql"), connected("10.0.0.1"))
    assert points(report) == {"i-1", f"zone:{A}"}
    for one in report.findings:
        assert not one.remedy.is_verified
        assert one.rule == "NSP301" or one.remedy.says.startswith("move the mysql data of i-1 to where")


@pytest.mark.parametrize(("kind", "waits"), [("galera", True), ("etcd", False), ("patroni", False)])
def test_only_a_cluster_that_must_be_told_to_start_waits_for_itself(kind: str, waits: bool) -> None:
    members = engine("mysql", kind, ADDRESSES)
    third = (instance("i-3", C, PrivateIpAddress="10.0.0.3"), look("i-3", **members))
    report = seen(members, members, *third)
    assert verdict(report) == ({("NSP507", "cold", "certain")} if waits else set())


def test_c81_two_votes_are_worse_than_one_and_a_clone_is_no_third() -> None:
    members = engine("etcd", "etcd", ADDRESSES[:2])
    report = seen(members, members)
    assert points(report) == {"i-1", "i-2", f"zone:{A}", f"zone:{B}"}
    for one in report.findings:
        assert "third vote" in one.remedy.says
        assert one.remedy.is_verified
        assert not one.remedy.commands


# Files ----------------------------------------------------------------------------------------------------


def test_files_that_both_keep_in_step_are_no_single_copies_and_the_last_second_is_told() -> None:
    def uploads(*, in_step: bool) -> dict[str, Any]:
        return {"written": [{"directory": "/srv/up", "files": 3, "in_step": in_step}]}

    def lost_with_one(report: AuditReport) -> set[str]:
        return {one.event for one in report.findings if one.view == "data"}

    alone, both = (seen(uploads(in_step=one), uploads(in_step=one)) for one in (False, True))
    assert lost_with_one(alone)
    assert not lost_with_one(both)
    says = "files in /srv/up of i-1 are on another member too, but for those of the last second"
    assert says in both.services[0].assumptions
    assert says not in alone.services[0].assumptions


# Jobs -----------------------------------------------------------------------------------------------------


def test_jobs_that_run_twice_or_on_one_machine_alone_are_asked_about() -> None:
    def jobs(*names: str) -> dict[str, Any]:
        return {"jobs": [{"kind": "cron", "name": one} for one in names]}

    report = seen(jobs("mail", "bills"), jobs("mail"))
    asked = report.services[0].questions
    assert "may each of i-1, i-2 run this at the same time: mail?" in asked
    assert "is this missed while i-1 is down, where alone it runs: bills?" in asked
    assert verdict(report) == set()


def test_c54_what_visitors_of_a_wordpress_run_is_asked_about() -> None:
    def views(value: str) -> dict[str, Any]:
        setting = {"server": "wordpress", "setting": "DISABLE_WP_CRON", "value": value, "path": "/srv/config"}
        return {"web": [setting]}

    (asked,) = [one for one in seen(views(""), views("")).services[0].questions if "WordPress" in one]
    assert asked.startswith("may each of i-1, i-2 run this at the same time: what is due in WordPress")
    assert not any("WordPress" in one for one in seen(views("set"), views("set")).services[0].questions)


def test_what_a_look_could_not_read_is_named_once() -> None:
    hidden = {"status": "unreadable", "reason": "needs root", "found": []}
    machines = [instance(who, WHERE[who][0]) for who in ("i-1", "i-2")]
    looks = [look("i-1"), look("i-2").with_fields(engines=hidden)]
    report = audit_estate(account(*FRONT, *machines, *looks))
    assert report.services[0].not_read.count("engines of i-2: needs root") == 1
    assert report.exit_code == 13
    assert "no single point of failure in what was read" in report.verdict
    assert titles(report) == ""


# What is promised and not there ---------------------------------------------------------------------------


def test_a_group_that_launched_nothing_serves_nobody_now() -> None:
    empty = scaling("g", {}, MinSize=2, DesiredCapacity=2, AvailabilityZones=[A, B])
    assert verdict(audit_estate(account(*FRONT[:2], empty))) == {("NSP100", "down", "certain")}
    assert verdict(audit_estate(described(*FRONT[:2], empty.with_fields(Instances=None)))) == set()


def test_members_that_are_registered_nowhere_serve_nobody_now() -> None:
    running = (scaling("g", {"i-1": A, "i-2": B}), instance("i-1", A), instance("i-2", B))
    assert verdict(audit_estate(account(*FRONT, *running))) == set()
    report = audit_estate(account(*FRONT[:2], *running))
    assert verdict(report) == {("NSP100", "down", "certain")}
    assert "target group www is without a registered target" in titles(report)
    denied = (Unread("targets", "elasticloadbalancing:DescribeTargetHealth", "AccessDenied"),)
    assert audit_estate(account(*FRONT[:2], *running, unread=denied)).exit_code == 13


def of_tasks(**second: Any) -> AuditReport:
    """The report on a pair that needs a service of two tasks; the second as the fields say."""
    service = item("container service", serviceArn="s", serviceName="s", clusterArn="c", desiredCount=2)
    base = {"clusterArn": "c", "group": "service:s", "lastStatus": "RUNNING"}
    one = item("task", taskArn="t-1", availabilityZone=A, **base)
    two = item("task", taskArn="t-2", availabilityZone=B, **{**base, **second})
    uses = tuple(Use(who, "container service", "s") for who in ("i-1", "i-2"))
    machines = (instance("i-1", A), instance("i-2", B))
    return audit_estate(account(*FRONT, *machines, service, one, two, uses=uses))


@pytest.mark.parametrize(
    ("second", "confidence"),
    [({}, ""), ({"lastStatus": "STOPPED"}, "certain"), ({"healthStatus": "UNHEALTHY"}, "possible")],
)
def test_a_task_that_has_ended_or_is_unhealthy_leaves_no_spare_now(second: Any, confidence: str) -> None:
    alone = {f"task s/{A}/1", f"zone:{A}"} if confidence else set()
    assert points(of_tasks(**second), confidence or "certain") == alone


@pytest.mark.parametrize(
    ("subnets", "says", "change"),
    [
        ([], "give its cluster machines in another zone first", ""),
        (["s-a"], "give it a subnet in another zone first", ""),
        (["s-a", "s-b"], "let s keep two tasks, in two zones", "--force-new-deployment"),
    ],
)
def test_tasks_that_are_enough_and_all_in_one_zone_are_placed_anew(
    subnets: list[str], says: str, change: str
) -> None:
    where = {"awsvpcConfiguration": {"subnets": subnets}}
    fields = {"serviceArn": "s", "serviceName": "s", "desiredCount": 3, "networkConfiguration": where}
    running = {"group": "service:s", "lastStatus": "RUNNING", "availabilityZone": A}
    tasks = [item("task", taskArn=f"t-{n}", **running) for n in range(3)]
    service = item("container service", **fields)
    (found,) = audited(service, *tasks).findings
    assert found.remedy.says.endswith(says)
    assert found.remedy.is_verified is bool(change)
    assert all(one.endswith(change) and "--desired-count" not in one for one in found.remedy.commands)


# Copies of a lone machine's disk --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("copies", "is_missing"),
    [
        ([], True),
        ([item("snapshot", SnapshotId="s", VolumeId="v", State="completed", StartTime=900.0)], False),
        ([item("snapshot", SnapshotId="s", VolumeId="v", State="error", StartTime=900.0)], True),
        ([item("protected resource", ResourceArn="arn:aws:ec2:r:1:instance/i-1", ResourceType="EC2")], False),
        ([item("protected resource", ResourceArn="arn:aws:ec2:r:1:instance/i-9", ResourceType="EC2")], True),
    ],
)
def test_a_disk_has_a_copy_where_a_snapshot_did_not_fail_or_aws_backup_keeps_one(
    copies: list[Item], is_missing: bool
) -> None:
    disks = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "v"}}]
    machine = instance("i-1", A, Tags=[], PublicIpAddress="192.0.2.1", BlockDeviceMappings=disks)
    volume = item("volume", VolumeId="v", AvailabilityZone=A, Attachments=[{"InstanceId": "i-1"}])
    address = item("address", AllocationId="e", InstanceId="i-1", PublicIp="192.0.2.1")
    report = audit_estate(account(machine, volume, address, *copies, read_at=1_000.0))
    assert ("NSP302" in {one.rule for one in report.findings}) is is_missing


def test_a_secret_that_new_tasks_ask_for_is_called_back_and_no_image_is_blamed() -> None:
    arn = "arn:aws:secretsmanager:r:1:secret:x"
    asks = [{"name": "c", "secrets": [{"valueFrom": arn}]}]
    definition = item("task definition", taskDefinitionArn="td", containerDefinitions=asks)
    service = item("container service", serviceArn="s", serviceName="s", taskDefinition="td", desiredCount=2)
    running = [
        item("task", taskArn=f"t-{zone}", group="service:s", lastStatus="RUNNING", availabilityZone=zone)
        for zone in (A, B)
    ]
    secret = item("secret", ARN=arn, Name="x", DeletedDate="2026-11-20T00:00:00Z")
    uses = tuple(Use(who, "container service", "s") for who in ("i-1", "i-2"))
    machines = (instance("i-1", A), instance("i-2", B))
    known = (*FRONT, *machines, definition, service, *running)
    (found,) = audit_estate(account(*known, secret, uses=uses)).findings
    assert (found.rule, found.event, found.remedy.is_verified) == ("NSP501", "broken:recovery", True)
    assert found.remedy.says == "call off the deletion of x"
    (found,) = audit_estate(account(*known, uses=uses)).findings
    assert "image" not in found.remedy.says
