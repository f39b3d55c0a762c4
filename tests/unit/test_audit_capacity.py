"""What stands under machines: hosts, racks, spot pools, the state of disks, and local disks."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.estate import Use
from nospof.model.findings import AuditReport, ExitCode, Finding
from nospof.services.audit import Terms, audit_estate
from support.estates import (
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

FRONT = (balancer(), group(), target("i-1"), target("i-2"))


def pair(*zones: str, **fields: Any) -> list[Any]:
    return [instance(f"i-{number}", zone, **fields) for number, zone in enumerate(zones or (A, B), 1)]


def of_rule(report: AuditReport, rule: str) -> Finding:
    (only,) = [one for one in report.findings if one.rule == rule]
    return only


# Dedicated hosts ------------------------------------------------------------------------------------------


def on_host(zone: str, host: str = "h-1") -> dict[str, Any]:
    return {"AvailabilityZone": zone, "HostId": host, "Tenancy": "host"}


def host(**fields: Any) -> Any:
    return item("dedicated host", **{"HostId": "h-1", "State": "available", "HostRecovery": "on", **fields})


def both_on_one(**fields: Any) -> AuditReport:
    return audit(*FRONT, *pair(A, A, Placement=on_host(A)), host(**fields))


def test_a_host_that_recovers_is_a_single_point_that_heals_itself() -> None:
    finding = of_rule(both_on_one(Tags=[{"Key": "Name", "Value": "metal"}]), "NSP202")
    assert finding.is_self_healing
    assert finding.title == "www stops when dedicated host metal (h-1) fails"
    assert {fact.field: fact.value for fact in finding.facts}["HostRecovery"] == "on"
    assert found(both_on_one(), "NSP508") == []


def test_a_host_without_recovery_stays_down_and_one_command_mends_that() -> None:
    report = both_on_one(HostRecovery="off")
    assert not of_rule(report, "NSP202").is_self_healing
    finding = of_rule(report, "NSP508")
    assert finding.title == (
        "Host recovery of dedicated host h-1 is off: when it fails, its machines (i-1, i-2) stay off"
    )
    assert finding.remedy.is_verified
    assert finding.remedy.commands == ("aws ec2 modify-hosts --host-ids h-1 --host-recovery on",)


def test_a_host_that_was_not_read_is_not_said_to_stay_down() -> None:
    report = audit(*FRONT, *pair(A, A, Placement=on_host(A)))
    assert points(report) == {"host:h-1", f"zone:{A}"}
    assert found(report, "NSP508") == []


def test_a_group_starts_its_members_anew_whatever_their_host_does() -> None:
    members = pair(A, A, Placement=on_host(A))
    report = audit(*FRONT, *members, scaling("web", {"i-1": A, "i-2": A}), host(HostRecovery="off"))
    assert found(report, "NSP508") == []


@pytest.mark.parametrize(
    ("state", "certain", "possible"),
    [
        ("available", set(), set()),
        ("permanent-failure", {"i-2", f"zone:{B}"}, set()),
        ("under-assessment", set(), {"i-2", f"zone:{B}"}),
    ],
)
def test_a_host_that_has_failed_leaves_no_spare_now(
    state: str, certain: set[str], possible: set[str]
) -> None:
    members = [instance("i-1", A, Placement=on_host(A)), instance("i-2", B)]
    report = audit(*FRONT, *members, host(State=state))
    assert points(report) == certain
    assert points(report, "possible") == possible


def recovering_alarm() -> Any:
    return item(
        "alarm",
        AlarmName="back",
        AlarmActions=["arn:aws:automate:eu-west-1:ec2:recover"],
        Dimensions=[{"Name": "InstanceId", "Value": "i-1"}],
    )


def test_an_alarm_does_not_recover_a_machine_from_a_dedicated_host() -> None:
    front = (balancer(), group(), target("i-1"), recovering_alarm())
    assert of_rule(audit(*front, instance("i-1", A)), "NSP101").is_self_healing
    placed = instance("i-1", A, Placement=on_host(A))
    assert not of_rule(audit(*front, placed, host()), "NSP101").is_self_healing


def recovering(setting: str, *more: Any, **fields: Any) -> AuditReport:
    options = {"MaintenanceOptions": {"AutoRecovery": setting}} if setting else {}
    return audit(*FRONT, instance("i-1", A, **options, **fields), instance("i-2", B), *more)


def test_a_machine_whose_recovery_somebody_switched_off_stays_off() -> None:
    finding = of_rule(recovering("disabled"), "NSP508")
    assert finding.title == "Automatic recovery of instance i-1 is off: when its hardware fails, it stays off"
    assert finding.remedy.is_verified
    assert finding.remedy.commands == (
        "aws ec2 modify-instance-maintenance-options --instance-id i-1 --auto-recovery default",
    )


@pytest.mark.parametrize(
    "report",
    [
        recovering("default"),
        recovering(""),
        recovering("disabled", recovering_alarm()),
        recovering("disabled", scaling("web", {"i-1": A, "i-2": B})),
        recovering("disabled", host(), Placement=on_host(A)),
    ],
    ids=["on", "not told", "an alarm instead", "a group instead", "a host of its own"],
)
def test_a_machine_that_something_brings_back_is_not_named(report: AuditReport) -> None:
    assert found(report, "NSP508") == []


# Racks ----------------------------------------------------------------------------------------------------


def position(who: str, *nodes: str) -> Any:
    return item("rack position", InstanceId=who, NetworkNodes=list(nodes), AvailabilityZone=A)


def test_machines_below_one_network_node_may_share_a_rack() -> None:
    report = audit(*FRONT, *pair(A, A), position("i-1", "nn-1", "nn-3"), position("i-2", "nn-1", "nn-3"))
    finding = of_rule(report, "NSP203")
    assert (finding.event, finding.confidence) == ("rack:nn-3", "possible")
    assert finding.remedy.says.startswith("place the members in a spread group")
    assert points(report) == {f"zone:{A}"}


@pytest.mark.parametrize(
    ("placed", "nodes"),
    [
        ({"AvailabilityZone": A}, ("nn-3", "nn-4")),
        ({"AvailabilityZone": A, "GroupName": "apart"}, ("nn-3", "nn-3")),
    ],
    ids=["below two nodes", "in a spread group"],
)
def test_machines_that_are_apart_share_no_rack(placed: dict[str, str], nodes: tuple[str, str]) -> None:
    apart = item("placement group", GroupName="apart", Strategy="spread")
    positions = [position(f"i-{number}", "nn-1", node) for number, node in enumerate(nodes, 1)]
    assert found(audit(*FRONT, *pair(A, A, Placement=placed), apart, *positions), "NSP203") == []


OUTPOST = "arn:aws:outposts:eu-west-1:123456789012:outpost/op-1"


def test_machines_of_one_outpost_certainly_share_its_site() -> None:
    report = audit(*FRONT, *pair(A, A, OutpostArn=OUTPOST))
    finding = of_rule(report, "NSP203")
    assert (finding.event, finding.confidence) == ("rack:op-1", "certain")
    assert finding.title == "www stops when Outpost op-1 fails"
    assert finding.remedy.is_verified
    apart = [instance("i-1", A, OutpostArn=OUTPOST), instance("i-2", A)]
    assert found(audit(*FRONT, *apart), "NSP203") == []


# Spot -----------------------------------------------------------------------------------------------------


SPOT = {"InstanceLifecycle": "spot", "InstanceType": "m5.large"}


def test_spot_machines_of_one_pool_go_together() -> None:
    report = audit(*FRONT, *pair(A, A, **SPOT))
    finding = of_rule(report, "NSP206")
    assert finding.event == f"spot:m5.large:{A}"
    assert finding.title == f"www stops when AWS takes spot capacity of m5.large in {A} back"
    assert (finding.confidence, finding.severity) == ("certain", "high")
    assert finding.remedy.is_verified
    assert finding.minutes is not None


@pytest.mark.parametrize(
    "members",
    [
        pair(A, B, **SPOT),
        [instance("i-1", A, **SPOT), instance("i-2", A, **{**SPOT, "InstanceType": "m5.xlarge"})],
        [instance("i-1", A, **SPOT), instance("i-2", A, InstanceType="m5.large")],
    ],
    ids=["two zones", "two types", "one on demand"],
)
def test_machines_of_different_pools_do_not(members: list[Any]) -> None:
    assert found(audit(*FRONT, *members), "NSP206") == []


def test_a_group_of_spot_machines_of_one_pool_goes_as_a_whole() -> None:
    report = audit(*FRONT, *pair(A, A, **SPOT), scaling("web", {"i-1": A, "i-2": A}))
    assert of_rule(report, "NSP206").event == f"spot:m5.large:{A}"


def test_spot_machines_of_which_the_zone_is_not_known_may_be_of_one_pool() -> None:
    bare = {"Placement": {}, **SPOT}
    report = audit_estate(described(balancer(), group(), target("i-1"), target("i-2"), *pair(A, A, **bare)))
    assert of_rule(report, "NSP206").confidence == "possible"


def test_a_spot_machine_that_is_about_to_be_taken_back_may_leave_no_spare_now() -> None:
    request = {
        "SpotInstanceRequestId": "sir-1",
        "InstanceId": "i-1",
        "Status": {"Code": "marked-for-termination"},
    }
    members = [instance("i-1", A, **SPOT), instance("i-2", B)]
    report = audit(*FRONT, *members, item("spot request", **request))
    assert points(report, "possible") == {"i-2", f"zone:{B}"}
    kept = item("spot request", **{**request, "Status": {"Code": "fulfilled"}})
    assert points(audit(*FRONT, *members, kept), "possible") == set()


# Disks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "certain"), [("impaired", {"i-2", f"zone:{B}"}), ("warning", set()), ("ok", set())]
)
def test_a_volume_that_answers_no_reads_is_down_now(status: str, certain: set[str]) -> None:
    told = item("volume status", VolumeId="vol-i-1", VolumeStatus={"Status": status})
    report = audit(*FRONT, *pair(), item("volume", VolumeId="vol-i-1", AvailabilityZone=A), told)
    assert {point for point in points(report) if not point.startswith("vol-")} == certain


def sold(name: str, *, has_disks: bool) -> Any:
    info = {"InstanceStorageInfo": {"TotalSizeInGB": 950}} if has_disks else {}
    return item("instance type", InstanceType=name, InstanceStorageSupported=has_disks, **info)


def storing(**fields: Any) -> list[Any]:
    return pair(A, B, **{"InstanceType": "i3.large", "Tags": [], **fields})


def test_local_disks_that_nobody_looked_at_may_hold_data() -> None:
    report = audit(*FRONT, *storing(), sold("i3.large", has_disks=True))
    assert found(report, "NSP304") == [
        f"{who} has 950 GB of local disks that a stop empties; nobody looked whether data is there"
        for who in ("i-1", "i-2")
    ]
    assert {one.confidence for one in report.findings} == {"possible"}
    assert {one.remedy.commands for one in report.findings} == {("nospof audit --service www --probe",)}
    assert report.exit_code is ExitCode.INCOMPLETE


@pytest.mark.parametrize(
    "items",
    [
        [*storing(), sold("i3.large", has_disks=False)],
        storing(),
        [*storing(Tags=[{"Key": "nospof:state", "Value": "none"}]), sold("i3.large", has_disks=True)],
        [*storing(), sold("i3.large", has_disks=True), scaling("web", {"i-1": A, "i-2": B})],
    ],
    ids=["none", "type not read", "keeps nothing", "made anew by a group"],
)
def test_machines_without_data_on_local_disks_are_not_named(items: list[Any]) -> None:
    assert found(audit_estate(account(*FRONT, *items)), "NSP304") == []


# Reserved capacity ----------------------------------------------------------------------------------------


def launched_into(reservation: Any | None, **about: Any) -> AuditReport:
    named = {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}}
    template = item("launch template", LaunchTemplateId="lt-1", DefaultVersionNumber=1)
    version = item(
        "launch template version",
        LaunchTemplateId="lt-1",
        VersionNumber=1,
        LaunchTemplateData={"CapacityReservationSpecification": named},
    )
    web = scaling("web", {"i-1": A, "i-2": B}, LaunchTemplate={"LaunchTemplateId": "lt-1"})
    items = [*FRONT, *pair(), web, template, version, *([reservation] if reservation else [])]
    return audit_estate(account(*items, **about))


def reservation(**fields: Any) -> Any:
    return item("capacity reservation", **{"CapacityReservationId": "cr-1", "State": "active", **fields})


@pytest.mark.parametrize("state", ["active", "scheduled"])
def test_a_reservation_that_is_there_or_to_come_is_no_finding(state: str) -> None:
    assert launched_into(reservation(State=state)).findings == ()


def test_a_reservation_that_has_ended_lets_nothing_be_replaced() -> None:
    finding = of_rule(launched_into(reservation(State="expired")), "NSP506")
    assert (finding.view, finding.confidence, finding.order) == ("recovery", "certain", 0)
    assert "capacity reservation cr-1" in finding.title
    assert finding.title.endswith("expired")
    assert finding.remedy.says.startswith("take cr-1 out of the launch template")


def test_a_reservation_that_will_end_is_dated() -> None:
    ends = reservation(EndDateType="limited", EndDate="2027-03-01T00:00:00+00:00")
    finding = of_rule(launched_into(ends), "NSP506")
    assert finding.due == "2027-03-01T00:00:00Z"
    assert finding.title == (
        "What fails of www cannot be replaced with the end of capacity reservation cr-1 on "
        "2027-03-01 00:00 UTC"
    )
    assert finding.remedy.is_verified


def test_a_reservation_in_one_zone_contradicts_a_group_of_two() -> None:
    report = launched_into(reservation(AvailabilityZone=A))
    assert found(report, "NSP502") == [f"Launch template lt-1:1 fixes {A}, although group web has {A}, {B}"]


def test_a_reservation_that_was_not_read_may_be_missing() -> None:
    finding = of_rule(launched_into(None), "NSP901")
    assert (finding.view, finding.confidence) == ("recovery", "possible")


# Files ----------------------------------------------------------------------------------------------------


def with_files(**fields: Any) -> AuditReport:
    ways = [
        item("mount target", MountTargetId=f"mt-{zone}", FileSystemId="fs-1", AvailabilityZoneName=zone)
        for zone in (A, B)
    ]
    files = item("file system", FileSystemId="fs-1", **fields)
    uses = tuple(Use(who, "file system", "fs-1") for who in ("i-1", "i-2"))
    return audit_estate(account(*FRONT, *pair(), files, *ways, uses=uses), Terms())


def holds(gib: float) -> dict[str, Any]:
    return {"Value": int(gib * 2**30)}


def test_c72_a_small_file_system_that_is_fast_on_credit_is_told_with_a_remedy() -> None:
    finding = of_rule(with_files(ThroughputMode="bursting", SizeInBytes=holds(4.25)), "NSP803")
    assert finding.title == (
        "file system fs-1 stores 4.2 GiB in bursting mode: once its credit is used up it is slow for all "
        "members at once"
    )
    assert (finding.confidence, finding.severity) == ("possible", "low")
    assert "--throughput-mode elastic" in finding.remedy.commands[0]
    assert finding.remedy.is_verified
    assert {fact.field for fact in finding.facts} == {"ThroughputMode", "SizeInBytes.Value"}


@pytest.mark.parametrize(
    "fields",
    [
        {"ThroughputMode": "elastic", "SizeInBytes": holds(1)},
        {"ThroughputMode": "provisioned", "SizeInBytes": holds(1)},
        {"ThroughputMode": "bursting", "SizeInBytes": holds(100)},
        {"ThroughputMode": "bursting"},
        {"SizeInBytes": holds(1)},
    ],
    ids=["elastic", "provisioned", "large", "of unknown size", "of unknown mode"],
)
def test_c72_a_file_system_that_needs_no_credit_is_not_told(fields: dict[str, Any]) -> None:
    assert found(with_files(**fields), "NSP803") == []


def test_c72_a_file_system_that_nobody_uses_is_not_told() -> None:
    files = item("file system", FileSystemId="fs-1", ThroughputMode="bursting", SizeInBytes=holds(1))
    assert found(audit(*FRONT, *pair(), files), "NSP803") == []
