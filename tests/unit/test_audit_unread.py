"""What the audit says of what it could not read: its name, and never that it is fine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nospof.audit.report import build_report
from nospof.errors import CloudError
from nospof.model.cloud import Target
from nospof.model.findings import Unread
from nospof.services.audit import read_account
from support.audit_accounts import ZONES, Pair, audit, finding, one_instance


def test_without_identity_there_is_no_report() -> None:
    cloud = one_instance()
    cloud.deny("identity")
    with pytest.raises(CloudError):
        audit(cloud)


READS = (
    "zones",
    "instances",
    "instance_status",
    "volumes",
    "load_balancers",
    "listeners",
    "target_groups",
    "targets",
)


@pytest.mark.parametrize("method", READS)
def test_whatever_is_denied_is_named_and_never_called_fine(method: str) -> None:
    pair = Pair()
    pair.cloud.deny(method)
    report = audit(pair.cloud)
    assert report.exit_code in (10, 13)
    assert any(one.kind.replace(" ", "_") == method for one in report.unread)
    assert report.unread[0].says in report.verdict


@pytest.mark.parametrize("method", [one for one in READS if one not in ("instances", "load_balancers")])
def test_what_is_denied_makes_findings_of_a_good_pair_possible_at_most(method: str) -> None:
    pair = Pair()
    pair.cloud.deny(method)
    report = audit(pair.cloud)
    assert {one.confidence for one in report.findings} <= {"possible"}
    assert report.exit_code == 13


def test_a_single_point_stays_certain_whatever_else_is_denied() -> None:
    pair = Pair(ZONES[:1])
    for method in ("zones", "instance_status", "volumes"):
        pair.cloud.deny(method)
    certain = {one.rule for one in audit(pair.cloud).findings if one.confidence == "certain"}
    assert certain == {"NSP101", "NSP201"}


def test_instances_known_only_as_targets_are_still_nodes() -> None:
    pair = Pair(ZONES[:1])
    pair.cloud.deny("instances")
    report = audit(pair.cloud)
    machine = finding(report, "NSP101")
    assert (machine.event, machine.confidence) == (pair.ids[0], "certain")
    assert finding(report, "NSP201").confidence == "possible"


def test_without_balancers_a_lone_instance_is_only_possibly_alone() -> None:
    cloud = one_instance()
    cloud.deny("load_balancers")
    report = audit(cloud)
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


@pytest.mark.parametrize("method", ["listeners", "targets", "instance_status"])
def test_what_the_service_rests_on_and_nobody_read_is_a_possible_single_point(method: str) -> None:
    pair = Pair()
    pair.cloud.deny(method)
    unread = [one for one in audit(pair.cloud).findings if one.rule == "NSP901" and one.service == "www"]
    assert [one.confidence for one in unread] == ["possible"]
    assert method.rpartition("_")[2] in unread[0].event


def test_a_target_of_a_group_nobody_read_is_not_taken_for_a_lost_instance() -> None:
    pair = Pair(ZONES[:1])
    facts = read_account(pair.cloud, 0)
    denied = Unread("target groups", "elasticloadbalancing:DescribeTargetGroups", "AccessDenied")
    targets = {pair.group.arn: (Target("10.9.9.9", 80, "healthy"),)}
    report = build_report(replace(facts, groups={}, targets=targets, unread=(denied,)), "www")
    assert {one.confidence for one in report.findings} == {"possible"}
    assert report.exit_code == 13
