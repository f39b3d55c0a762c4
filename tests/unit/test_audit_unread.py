"""What the audit says of what it could not read: its name, and never that it is fine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nospof.errors import CloudError
from nospof.model.findings import Unread
from nospof.services.audit import audit_estate
from support.audit_accounts import ZONES, Pair, audit, finding, one_instance, read, target, with_targets


def test_without_identity_there_is_no_report() -> None:
    cloud = one_instance()
    cloud.deny("identity")
    with pytest.raises(CloudError):
        audit(cloud)


CALLS = {
    "zones": "ec2:DescribeAvailabilityZones",
    "instances": "ec2:DescribeInstances",
    "instance status": "ec2:DescribeInstanceStatus",
    "volumes": "ec2:DescribeVolumes",
    "load balancers": "elbv2:DescribeLoadBalancers",
    "target groups": "elbv2:DescribeTargetGroups",
    "targets": "elbv2:DescribeTargetHealth",
}


@pytest.mark.parametrize("kind", CALLS)
def test_whatever_is_denied_is_named_and_never_called_fine(kind: str) -> None:
    report = audit(Pair().cloud, denied=(CALLS[kind],))
    assert report.exit_code in (10, 13)
    assert [one.kind for one in report.unread] == [kind]
    assert report.unread[0].says in report.verdict


@pytest.mark.parametrize("kind", [one for one in CALLS if one not in ("instances", "load balancers")])
def test_what_is_denied_makes_findings_of_a_good_pair_possible_at_most(kind: str) -> None:
    report = audit(Pair().cloud, denied=(CALLS[kind],))
    assert {one.confidence for one in report.findings} <= {"possible"}
    assert report.exit_code == 13


def test_a_single_point_stays_certain_whatever_else_is_denied() -> None:
    denied = tuple(CALLS[kind] for kind in ("zones", "instance status", "volumes"))
    report = audit(Pair(ZONES[:1]).cloud, denied=denied)
    certain = {one.rule for one in report.findings if one.confidence == "certain"}
    assert certain == {"NSP101", "NSP201"}


def test_instances_known_only_as_targets_are_still_nodes() -> None:
    pair = Pair(ZONES[:1])
    report = audit(pair.cloud, denied=(CALLS["instances"],))
    machine = finding(report, "NSP101")
    assert (machine.event, machine.confidence) == (pair.ids[0], "certain")
    zone = finding(report, "NSP201")
    assert (zone.event, zone.confidence) == (f"zone of {pair.ids[0]}", "certain")


def test_without_balancers_a_lone_instance_is_only_possibly_alone() -> None:
    report = audit(one_instance(), denied=(CALLS["load balancers"],))
    assert {one.confidence for one in report.findings} == {"possible"}
    assert report.exit_code == 13
    assert "elasticloadbalancing:DescribeLoadBalancers" in report.findings[0].remedy.says


def test_a_failed_call_is_unread_like_a_denied_one() -> None:
    pair = Pair()
    pair.cloud.fail("volumes", "InternalError")
    assert [one.kind for one in audit(pair.cloud).unread] == ["volumes"]


def test_the_audit_changes_nothing() -> None:
    pair = Pair()
    before = len(pair.cloud.writes)
    audit(pair.cloud)
    assert len(pair.cloud.writes) == before


@pytest.mark.parametrize("kind", ["target groups", "targets", "instance status"])
def test_what_the_service_rests_on_and_nobody_read_is_a_possible_single_point(kind: str) -> None:
    report = audit(Pair().cloud, denied=(CALLS[kind],))
    unread = [one for one in report.findings if one.rule == "NSP901" and one.service == "www"]
    assert [one.confidence for one in unread] == ["possible"]
    assert kind.rstrip("s") in unread[0].event


def test_a_target_of_a_group_nobody_read_is_not_taken_for_a_lost_instance() -> None:
    pair = Pair(ZONES[:1])
    estate = with_targets(read(pair.cloud), target(pair.group.arn, "10.9.9.9"))
    denied = Unread("target groups", "elasticloadbalancing:DescribeTargetGroups", "AccessDenied")
    report = audit_estate(replace(estate.without("target group", pair.group.arn), unread=(denied,)))
    assert {one.confidence for one in report.findings} == {"possible"}
    assert report.exit_code == 13
