"""Balancers, groups and targets of every kind, and what the audit makes of them."""

from __future__ import annotations

import pytest

from nospof.model.cloud import HealthCheck
from nospof.model.estate import Estate, item_of
from nospof.model.kinds import KINDS
from nospof.services.audit import Terms, audit_estate
from support.audit_accounts import ZONES, Pair, audit, finding, read, rules, target, with_targets


def as_network(pair: Pair) -> Estate:
    """The pair behind a network balancer that stays in its zone."""
    return read(pair.cloud).changed("load balancer", pair.balancer.arn, Type="network")


def test_a_network_balancer_that_stays_in_its_zone_needs_leg_and_target_in_one() -> None:
    pair = Pair((ZONES[0], ZONES[0]))
    report = audit_estate(as_network(pair))
    assert rules(report) == ["NSP201"]
    proof = [step.says for step in finding(report, "NSP201").proof]
    assert any("all 2 alternatives are lost" in says for says in proof)
    assert "targets of www in eu-central-1b can never be up" in [says.strip() for says in proof]
    whole = Pair()
    report = audit_estate(as_network(whole))
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
    estate = read(pair.cloud)
    (known,) = estate.of("target group")
    other = {**known.fields, "TargetGroupArn": "arn:other", "TargetGroupName": "other"}
    sent = [
        {"TargetGroupArn": pair.group.arn, "Weight": 75},
        {"TargetGroupArn": "arn:other", "Weight": 25},
    ]
    listener = {
        "ListenerArn": "arn:listener",
        "LoadBalancerArn": pair.balancer.arn,
        "DefaultActions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": sent}}],
    }
    estate = estate.without("listener", estate.of("listener")[0].id)
    estate = estate.plus(item_of(KINDS["target group"], other), item_of(KINDS["listener"], listener))
    one, two = target(pair.group.arn, pair.ids[0]), target("arn:other", pair.ids[1])
    report = audit_estate(with_targets(estate, one, two))
    assert set(rules(report)) == {"NSP407"}
    shares = {one.event: float(one.share) for one in report.findings}
    assert shares == {
        pair.ids[0]: 0.75,
        "zone:eu-central-1a": 0.75,
        pair.ids[1]: 0.25,
        "zone:eu-central-1b": 0.25,
    }
    assert report.exit_code == 10


def test_c57_c65_a_slow_or_lenient_health_check_is_a_finding_with_a_verified_remedy() -> None:
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
def test_c57_matchers_are_read_as_written(matcher: str, is_lenient: bool) -> None:
    pair = Pair()
    matching = {"HttpCode": matcher}
    report = audit_estate(read(pair.cloud).changed("target group", pair.group.arn, Matcher=matching))
    assert ("NSP403" in rules(report)) == is_lenient


def test_members_of_a_placement_group_may_share_a_rack() -> None:
    pair = Pair((ZONES[0], ZONES[0]))
    estate = read(pair.cloud)

    def grouped(name: str) -> Estate:
        found = estate
        for one in estate.of("instance"):
            place = {**one.fields["Placement"], "GroupName": name}
            found = found.changed("instance", one.id, Placement=place)
        return found

    assert finding(audit_estate(grouped("hpc")), "NSP203").confidence == "possible"
    assert rules(audit_estate(grouped("nospof-i-1"))) == ["NSP201"]
    spread = item_of(KINDS["placement group"], {"GroupName": "web", "Strategy": "spread"})
    assert rules(audit_estate(grouped("web").plus(spread))) == ["NSP201"]


def test_targets_of_other_kinds_are_named_as_not_read() -> None:
    pair = Pair()
    estate = read(pair.cloud).changed("target group", pair.group.arn, TargetType="lambda")
    question = Terms(service="www")
    report = audit_estate(with_targets(estate, target(pair.group.arn, "arn:aws:lambda:fn")), question)
    assert report.exit_code == 13
    assert any("lambda" in one for one in report.services[0].not_read)


def test_targets_by_address_are_the_instances_that_have_it() -> None:
    pair = Pair()
    estate = read(pair.cloud).changed("target group", pair.group.arn, TargetType="ip")
    targets = [target(pair.group.arn, one.private_ip) for one in pair.members]
    report = audit_estate(with_targets(estate, *targets))
    assert report.exit_code == 0
    assert report.services[0].members == tuple(pair.ids)


def test_c77_a_target_whose_instance_is_gone_is_no_spare() -> None:
    pair = Pair()
    report = audit_estate(read(pair.cloud).without("instance", pair.ids[1]))
    assert rules(report) == ["NSP101", "NSP201"]
