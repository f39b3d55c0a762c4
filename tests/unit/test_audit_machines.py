"""Machines in groups, on hosts and racks, and behind balancers of the first generation."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.audit.entries import FRONTS
from nospof.model.estate import Use
from nospof.services.audit import audit_estate
from support.estates import (
    ZONES,
    A,
    B,
    account,
    audit,
    balancer,
    described,
    found,
    group,
    instance,
    item,
    points,
    scaling,
    target,
)
from support.services import find_services

FRONT = (balancer(), group())
TARGETS = (target("i-1"), target("i-2"))
PAIR = (*FRONT, instance("i-1", A), instance("i-2", B), *TARGETS)


def test_c101_a_group_of_one_is_a_single_point_that_heals_itself() -> None:
    report = audit(*FRONT, scaling("web", {"i-1": A}), instance("i-1", A))
    assert points(report) == {f"web/{A}/1", f"zone:{A}"}
    machine = next(one for one in report.findings if one.rule == "NSP101")
    assert machine.is_self_healing
    assert machine.remedy.is_verified
    assert "update-auto-scaling-group" in machine.remedy.commands[0]


def test_a_group_of_two_in_two_zones_has_no_single_point() -> None:
    machines = [instance("i-1", A, Tags=[]), instance("i-2", B, Tags=[])]
    report = audit(*FRONT, scaling("web", {"i-1": A, "i-2": B}), *machines, *TARGETS)
    assert points(report) == set()
    assert report.exit_code == 0
    assert any("they are replaced from their image" in one for one in report.services[0].assumptions)


def test_members_replaced_overnight_leave_every_fingerprint_as_it_was() -> None:
    before = audit(*FRONT, scaling("web", {"i-1": A, "i-2": A}), instance("i-1", A), instance("i-2", A))
    after = audit(*FRONT, scaling("web", {"i-8": A, "i-9": A}), instance("i-8", A), instance("i-9", A))
    assert points(before) == {f"zone:{A}"}
    prints = [[one.fingerprint for one in report.findings] for report in (before, after)]
    assert prints[0] == prints[1]


@pytest.mark.parametrize("process", ["Launch", "Terminate", "ReplaceUnhealthy", "HealthCheck"])
def test_a_group_whose_healing_is_suspended_heals_nothing(process: str) -> None:
    suspended = [{"ProcessName": process}]
    one = scaling("web", {"i-1": A}, SuspendedProcesses=suspended)
    report = audit(*FRONT, one, instance("i-1", A))
    assert not any(each.is_self_healing for each in report.findings)


def test_c64_an_unhealthy_member_leaves_no_spare_now() -> None:
    web = scaling("web", {"i-1": A, "i-2": B})
    rows = [web.fields["Instances"][0], {**web.fields["Instances"][1], "HealthStatus": "Unhealthy"}]
    machines = (instance("i-1", A), instance("i-2", B))
    report = audit(*FRONT, web.with_fields(Instances=rows), *machines, *TARGETS)
    assert points(report) == {f"web/{A}/1", f"zone:{A}"}
    assert {one.time for one in report.findings if one.is_single_point} == {"now"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"MinSize": 2, "AvailabilityZones": [A, B]}, set()),
        ({"MinSize": 1, "DesiredCapacity": 2, "AvailabilityZones": [A, B]}, set()),
        ({"MinSize": 1, "AvailabilityZones": [A, B]}, {f"web/{A}/1", f"zone:{A}"}),
        ({"MinSize": 3, "AvailabilityZones": [A]}, {f"zone:{A}"}),
    ],
    ids=["two in two", "one wanted two", "one", "three in one zone"],
)
def test_a_described_group_is_judged_by_what_it_promises(fields: dict[str, Any], expected: set[str]) -> None:
    web = item("auto scaling group", AutoScalingGroupName="web", TargetGroupARNs=["arn:group:www"], **fields)
    report = audit_estate(described(*FRONT, web))
    assert points(report) == expected
    assert report.is_complete


def test_two_members_on_one_dedicated_host_fall_with_it() -> None:
    placed = {"AvailabilityZone": A, "HostId": "h-1"}
    both = [instance(one, A, Placement=placed) for one in ("i-1", "i-2")]
    report = audit(*FRONT, *both, target("i-1"), target("i-2"))
    assert points(report) == {"host:h-1", f"zone:{A}"}
    assert found(report, "NSP202") == ["www stops when dedicated host h-1 fails"]


def test_members_of_one_partition_certainly_share_its_racks() -> None:
    places = item("placement group", GroupName="web", Strategy="partition", PartitionCount=3)
    placed = {"AvailabilityZone": A, "GroupName": "web", "PartitionNumber": 2}
    both = [instance(one, A, Placement=placed) for one in ("i-1", "i-2")]
    report = audit(*FRONT, places, *both, target("i-1"), target("i-2"))
    assert "rack:web/2" in points(report)
    apart = [both[0], instance("i-2", A, Placement={**placed, "PartitionNumber": 1})]
    assert points(audit(*FRONT, places, *apart, target("i-1"), target("i-2"))) == {f"zone:{A}"}


# Classic balancers --------------------------------------------------------------------------------


def classic(*members: str, zones: tuple[str, ...] = (A, B), **fields: Any) -> Any:
    rows = [{"InstanceId": one} for one in members]
    return item(
        "classic load balancer",
        LoadBalancerName="old",
        AvailabilityZones=list(zones),
        Instances=rows,
        **fields,
    )


def test_c101_a_classic_balancer_before_one_instance_is_no_redundancy() -> None:
    report = audit(classic("i-1"), instance("i-1", A))
    assert points(report) == {"i-1", f"zone:{A}"}
    assert found(report, "NSP101") == ["Instance i-1 is the only one behind old: no second machine"]


def test_a_classic_balancer_in_one_zone_falls_with_it_whatever_stands_behind() -> None:
    report = audit(classic("i-1", "i-2", zones=(A,)), instance("i-1", A), instance("i-2", B))
    assert points(report) == {f"zone:{A}"}


def test_a_classic_target_out_of_service_is_no_spare_now() -> None:
    out = item("classic target", LoadBalancerName="old", InstanceId="i-2", State="OutOfService")
    report = audit(classic("i-1", "i-2"), out, instance("i-1", A), instance("i-2", B))
    assert points(report) == {"i-1", f"zone:{A}"}


# What is an entry ------------------------------------------------------------------------------------


def test_a_machine_that_nobody_can_reach_is_listed_and_not_judged_where_something_else_serves() -> None:
    report = audit(
        *FRONT, instance("i-1", A), instance("i-2", B), target("i-1"), target("i-2"), instance("i-9", A)
    )
    assert [one.name for one in report.services] == ["www"]
    assert "i-9: stands alone" in report.not_serving[0]


def test_a_machine_with_a_public_address_is_a_service_beside_others() -> None:
    public = instance("i-9", A, PublicIpAddress="198.51.100.7")
    report = audit(*PAIR, public)
    assert {one.name for one in report.services} == {"www", "i-9"}


def test_each_service_is_read_from_its_own_part_of_the_estate() -> None:
    estate = account(
        *FRONT, instance("i-1", A), target("i-1"), instance("i-9", B, PublicIpAddress="198.51.100.7")
    )
    services = {one.entry.service: one for one in find_services(estate, FRONTS).found}
    kept = {one.id for one in services["www"].estate.of("instance")}
    assert kept == {"i-1"}
    assert {one.id for one in services["www"].estate.of("zone")} == set(ZONES)


# Votes -------------------------------------------------------------------------------------------------


def test_c82_c86_a_zone_with_most_of_the_votes_has_a_rule_of_its_own() -> None:
    # Of four masters in three zones, two share one, and three must agree.
    config = {"InstanceCount": 3, "ZoneAwarenessEnabled": True, "MultiAZWithStandbyEnabled": True}
    votes = {"DedicatedMasterEnabled": True, "DedicatedMasterCount": 4}
    where = {"AvailabilityZones": list(ZONES)}
    domain = item("search domain", DomainName="s", ClusterConfig={**config, **votes}, VPCOptions=where)
    uses = tuple(Use(who, "search domain", "s") for who in ("i-1", "i-2"))
    report = audit_estate(account(*PAIR, domain, uses=uses))
    assert {one.rule for one in report.findings if one.is_single_point} == {"NSP205"}
