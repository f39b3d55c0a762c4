"""A balancer in one zone, whatever stands behind it: its own rule, and its own remedy."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.estate import Use
from nospof.model.findings import AuditReport, Finding
from nospof.services.audit import audit_estate
from support.estates import A, B, account, audit, balancer, group, instance, item, points, target

PAIR = (group(), target("i-1"), target("i-2"), instance("i-1", A), instance("i-2", B))
NETWORK = {"Type": "network"}


def cut(report: AuditReport, zone: str = A) -> Finding:
    (only,) = [one for one in report.findings if one.event == f"zone:{zone}" and one.view == "serving"]
    return only


def classic(**fields: Any) -> list[Any]:
    old = item("classic load balancer", LoadBalancerName="old", Instances=[{"InstanceId": "i-1"}], **fields)
    rows = [{"InstanceId": "i-1"}, {"InstanceId": "i-2"}]
    return [old.with_fields(Instances=rows), instance("i-1", A), instance("i-2", B)]


def subnet(zone: str) -> Any:
    return item("subnet", SubnetId=f"subnet-{zone[-1]}", AvailabilityZone=zone, VpcId="vpc-1")


def test_a_network_balancer_in_one_zone_closes_the_only_door() -> None:
    finding = cut(audit(balancer(zones=(A,), **NETWORK), *PAIR))
    assert (finding.rule, finding.severity) == ("NSP106", "critical")
    assert finding.title == (
        f"www stops when zone {A} (euw1-aza) fails: its balancer is in that zone alone, its members are not"
    )
    assert finding.remedy.is_verified
    assert "set-subnets" in finding.remedy.commands[0]


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({"AvailabilityZones": [A]}, "enable-availability-zones-for-load-balancer"),
        ({"Subnets": ["subnet-a"]}, "attach-load-balancer-to-subnets"),
    ],
    ids=["by zones", "by subnets"],
)
def test_a_classic_balancer_gets_the_zone_in_which_a_member_is(fields: dict[str, Any], command: str) -> None:
    finding = cut(audit(*classic(**fields), subnet(A), subnet(B)))
    assert finding.rule == "NSP106"
    assert finding.remedy.is_verified
    assert finding.remedy.adds == ()
    assert command in finding.remedy.commands[0]
    assert len(finding.remedy.commands) == 1


@pytest.mark.parametrize(
    "items",
    [
        [balancer(zones=(A,), **NETWORK), *PAIR[:3], instance("i-1", A), instance("i-2", A)],
        [balancer(zones=(A, B), **NETWORK), *PAIR[:3], instance("i-1", A), instance("i-2", A)],
    ],
    ids=["all in the balancer's zone", "balancer in both"],
)
def test_machines_in_one_zone_are_no_matter_of_the_balancer(items: list[Any]) -> None:
    assert cut(audit(*items)).rule == "NSP201"


def test_where_there_is_no_balancer_a_zone_is_no_matter_of_one() -> None:
    checked = {"Name": "www.example.com.", "Type": "A", "HostedZoneId": "/hostedzone/Z", "HealthCheckId": "h"}
    records = [
        item("record set", **checked, SetIdentifier=ip, ResourceRecords=[{"Value": ip}])
        for ip in ("198.51.100.1", "198.51.100.2")
    ]
    machines = [instance(f"i-{n}", zone, PublicIpAddress=f"198.51.100.{n}") for n, zone in ((1, A), (2, B))]
    orders = item("database", DBInstanceIdentifier="orders", MultiAZ=False, AvailabilityZone=A)
    uses = tuple(Use(one, "database", "orders") for one in ("i-1", "i-2"))
    estate = account(*records, *machines, orders, item("hosted zone", Id="/hostedzone/Z"), uses=uses)
    assert cut(audit_estate(estate)).rule == "NSP201"


def test_a_machine_outside_of_two_enabled_zones_does_not_make_it_the_balancers() -> None:
    front = balancer(zones=(A, "eu-west-1c"), **NETWORK)
    finding = cut(audit(front, *PAIR))
    assert finding.rule == "NSP201"
    assert finding.remedy.says == f"enable zone {B} on www: a target is there already"


# Zonal shifts ---------------------------------------------------------------------------------------------


def shifted(state: str, health: str = "healthy") -> AuditReport:
    away = target("i-2", state=health).with_fields(AdministrativeOverride={"State": state})
    return audit(balancer(), group(), target("i-1"), away, instance("i-1", A), instance("i-2", B))


@pytest.mark.parametrize("state", ["zonal_shift_active", "zonal_shift_delegated_to_dns"])
def test_a_target_that_traffic_is_shifted_away_from_is_no_spare_now(state: str) -> None:
    report = shifted(state)
    assert points(report) == {"i-1", f"zone:{A}"}
    finding = next(one for one in report.findings if one.event == "i-1")
    assert finding.time == "now"
    assert "left out by a zonal shift" in finding.title


def test_a_service_that_all_traffic_is_shifted_away_from_is_down_and_says_what_was_read() -> None:
    away = target("i-1").with_fields(AdministrativeOverride={"State": "zonal_shift_active"})
    report = audit(balancer(), group(), away, instance("i-1", A))
    down = next(one for one in report.findings if one.rule == "NSP100")
    shown = {(one.field, one.value) for one in down.facts}
    assert ("AdministrativeOverride.State", "zonal_shift_active") in shown


@pytest.mark.parametrize("state", ["no_override", "unknown", ""])
def test_a_target_that_nothing_shifts_is_one(state: str) -> None:
    assert points(shifted(state)) == set()


def test_a_target_that_is_ill_is_said_to_be_so_whatever_is_shifted() -> None:
    finding = next(one for one in shifted("zonal_shift_active", "unhealthy").findings if one.event == "i-1")
    assert "unhealthy" in finding.title
