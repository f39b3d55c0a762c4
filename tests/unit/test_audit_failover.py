"""Spares that wait for a person: cache replicas, and secondaries of names."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.estate import UNKNOWN, Use
from nospof.model.findings import AuditReport, Finding
from nospof.services.audit import audit_estate
from support.estates import A, B, account, balancer, group, instance, item, target

ALB = "www.elb.amazonaws.com."
FRONT = (balancer(), group(), target("i-1"), target("i-2"), instance("i-1", A), instance("i-2", B))
HOSTS = (instance("i-1", A, PublicIpAddress="1.1.1.1"), instance("i-2", B, PublicIpAddress="2.2.2.2"))


def manual(report: AuditReport) -> list[Finding]:
    return [one for one in report.findings if one.rule == "NSP401"]


# Caches ---------------------------------------------------------------------------------------------------


def cached(failover: Any, *zones: str) -> AuditReport:
    rows = [
        {"CacheClusterId": f"s-{n}", "PreferredAvailabilityZone": zone, "CurrentRole": role}
        for n, (zone, role) in enumerate(zip(zones, ("primary", "replica"), strict=False), 1)
    ]
    fields = {"ReplicationGroupId": "s", "AutomaticFailover": failover}
    sessions = item("cache", **fields, NodeGroups=[{"NodeGroupMembers": rows}])
    uses = tuple(Use(one, "cache", "s") for one in ("i-1", "i-2"))
    return audit_estate(account(*FRONT, sessions, uses=uses))


def test_a_replica_that_does_not_take_over_waits_for_a_person() -> None:
    (finding,) = manual(cached("disabled", A, B))
    assert finding.title == "Cache s has replicas that do not take over: a person must promote one"
    assert (finding.view, finding.severity, finding.confidence) == ("failover", "medium", "certain")
    assert finding.remedy.is_verified
    assert "--automatic-failover-enabled" in finding.remedy.commands[0]


@pytest.mark.parametrize("failover", ["enabled", "enabling", UNKNOWN])
def test_a_replica_that_takes_over_or_may_waits_for_nobody(failover: Any) -> None:
    assert manual(cached(failover, A, B)) == []


def test_a_cache_without_a_replica_has_nothing_to_bring_in() -> None:
    assert manual(cached("disabled", A)) == []


# Names ----------------------------------------------------------------------------------------------------


def record(which: str, failover: str, **fields: Any) -> Any:
    base = {"HostedZoneId": "/hostedzone/Z", "Name": "www.example.org.", "Type": "A", "SetIdentifier": which}
    values = (
        {}
        if "AliasTarget" in fields
        else {"ResourceRecords": [{"Value": f"{which}.{which}.{which}.{which}"}]}
    )
    return item("record set", **base, **values, Failover=failover, **fields)


def named(*more: Any, spare: bool = True, **primary: Any) -> AuditReport:
    second = [record("2", "SECONDARY")] if spare else []
    return audit_estate(account(record("1", "PRIMARY", **primary), *second, *HOSTS, *more))


def check(**fields: Any) -> Any:
    return item("health check", Id="c", HealthCheckConfig={"Type": "HTTP", **fields})


def test_a_secondary_of_a_primary_without_a_check_waits_for_a_person() -> None:
    (finding,) = manual(named())
    assert finding.title == (
        "Name www.example.org never turns to its secondary without a health check: its primary has none"
    )
    assert finding.remedy.is_verified
    assert "create-health-check" in finding.remedy.commands[0]


def test_a_disabled_check_is_enabled_and_not_made_anew() -> None:
    (finding,) = manual(named(check(Disabled=True), HealthCheckId="c"))
    assert finding.title.endswith("the check of its primary is disabled")
    assert finding.remedy.is_verified
    assert finding.remedy.commands == ("aws route53 update-health-check --health-check-id c --no-disabled",)


def test_an_alias_evaluates_the_health_of_its_target_instead() -> None:
    front = balancer(DNSName=ALB)
    unchecked = {"AliasTarget": {"DNSName": ALB, "EvaluateTargetHealth": False}}
    rest = (front, group(), target("i-1"), target("i-2"))
    (finding,) = manual(named(*rest, **unchecked))
    assert finding.remedy.is_verified
    assert len(finding.remedy.commands) == 1
    assert manual(named(*rest, AliasTarget={"DNSName": ALB, "EvaluateTargetHealth": True})) == []


@pytest.mark.parametrize(
    "report",
    [named(check(), HealthCheckId="c"), named(HealthCheckId="c"), named(spare=False)],
    ids=["checked", "by a check that was not read", "no secondary"],
)
def test_a_name_that_turns_to_its_secondary_or_has_none_waits_for_nobody(report: AuditReport) -> None:
    assert manual(report) == []
