"""Balancers, groups and targets of every kind, and what the audit makes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nospof.audit.report import build_report
from nospof.model.cloud import (
    HealthCheck,
    Instance,
    Target,
)
from nospof.services.audit import read_account
from support.audit_accounts import ZONES, Pair, audit, finding, rules


def test_a_network_balancer_that_stays_in_its_zone_needs_leg_and_target_in_one() -> None:
    pair = Pair((ZONES[0], ZONES[0]))
    facts = read_account(pair.cloud, 0)
    network = replace(pair.cloud.load_balancers()[0], type="network", is_cross_zone=False)
    report = build_report(replace(facts, balancers={network.arn: network}))
    assert rules(report) == ["NSP201"]
    assert "all 2 alternatives are lost" in finding(report, "NSP201").proof[1].says
    assert any(
        step.says == "targets of www in eu-central-1b can never be up"
        for step in finding(report, "NSP201").proof
    )
    whole = Pair()
    facts = read_account(whole.cloud, 0)
    network = replace(whole.cloud.load_balancers()[0], type="network", is_cross_zone=False)
    report = build_report(replace(facts, balancers={network.arn: network}))
    assert report.findings == ()
    # A leg has no fault of its own, so with a target in each zone the cuts are those of cross-zone.
    assert report.services[0].pairs == audit(whole.cloud).services[0].pairs


def test_a_target_outside_the_balancers_zones_is_no_spare() -> None:
    report = audit(Pair((ZONES[0], ZONES[2])).cloud)
    assert rules(report) == ["NSP101", "NSP201", "NSP409"]
    outside = finding(report, "NSP409")
    assert outside.remedy.is_verified
    assert outside.remedy.removes == ("NSP101", "NSP201", "NSP409")


def test_a_weighted_forward_is_a_split_and_no_spare() -> None:
    pair = Pair()
    facts = read_account(pair.cloud, 0)
    other = replace(pair.group, arn="arn:other", name="other", balancer_arns=(pair.balancer.arn,))
    (listener,) = facts.listeners[pair.balancer.arn]
    listener = replace(listener, forwards_to=((pair.group.arn, 75), ("arn:other", 25)))
    one, two = (Target(each, 80, "healthy") for each in pair.ids)
    split = replace(
        facts,
        groups={**facts.groups, "arn:other": other},
        listeners={pair.balancer.arn: (listener,)},
        targets={pair.group.arn: (one,), "arn:other": (two,)},
    )
    report = build_report(split)
    assert set(rules(report)) == {"NSP407"}
    shares = {one.event: float(one.share) for one in report.findings}
    assert shares == {
        pair.ids[0]: 0.75,
        "zone:eu-central-1a": 0.75,
        pair.ids[1]: 0.25,
        "zone:eu-central-1b": 0.25,
    }
    assert report.exit_code == 10


def test_a_slow_or_lenient_health_check_is_a_finding_with_a_verified_remedy() -> None:
    check = HealthCheck(interval_seconds=30, unhealthy_threshold=5, timeout_seconds=5, matcher="200-399")
    report = audit(Pair(check=check).cloud)
    assert rules(report) == ["NSP402", "NSP403"]
    assert "155 s" in finding(report, "NSP402").title
    assert all(one.remedy.is_verified for one in report.findings)
    assert {one.severity for one in report.findings} == {"low", "medium"}


@pytest.mark.parametrize(
    ("matcher", "is_lenient"),
    [
        ("200", False),
        ("200-299", False),
        ("200,404", False),
        ("200,302", True),
        ("200-399", True),
        ("", False),
    ],
)
def test_matchers_are_read_as_written(matcher: str, is_lenient: bool) -> None:
    pair = Pair()
    facts = read_account(pair.cloud, 0)
    group = replace(pair.group, health_check=HealthCheck(matcher=matcher), balancer_arns=(pair.balancer.arn,))
    report = build_report(replace(facts, groups={group.arn: group}))
    assert ("NSP403" in rules(report)) == is_lenient


def test_members_of_a_placement_group_may_share_a_rack() -> None:
    pair = Pair((ZONES[0], ZONES[0]))
    facts = read_account(pair.cloud, 0)

    def grouped(name: str) -> dict[str, Instance]:
        return {key: replace(one, placement_group=name) for key, one in facts.instances.items()}

    rack = finding(build_report(replace(facts, instances=grouped("hpc"))), "NSP203")
    assert rack.confidence == "possible"
    ours = build_report(replace(facts, instances=grouped("nospof-i-1")))
    assert rules(ours) == ["NSP201"]


def test_targets_of_other_kinds_are_named_as_not_read() -> None:
    pair = Pair()
    facts = read_account(pair.cloud, 0)
    group = replace(pair.group, target_type="lambda", balancer_arns=(pair.balancer.arn,))
    targets = {group.arn: (Target("arn:aws:lambda:fn", 0, "healthy"),)}
    report = build_report(replace(facts, groups={group.arn: group}, targets=targets), "www")
    assert report.exit_code == 13
    assert any("lambda" in one for one in report.services[0].not_read)


def test_targets_by_address_are_the_instances_that_have_it() -> None:
    pair = Pair()
    facts = read_account(pair.cloud, 0)
    group = replace(pair.group, target_type="ip", balancer_arns=(pair.balancer.arn,))
    targets = {group.arn: tuple(Target(one.private_ip, 80, "healthy") for one in pair.members)}
    report = build_report(replace(facts, groups={group.arn: group}, targets=targets))
    assert report.exit_code == 0
    assert report.services[0].members == tuple(pair.ids)


def test_a_target_whose_instance_is_gone_is_no_spare() -> None:
    pair = Pair()
    facts = read_account(pair.cloud, 0)
    left = {pair.ids[0]: facts.instances[pair.ids[0]]}
    report = build_report(replace(facts, instances=left))
    assert rules(report) == ["NSP101", "NSP201"]
