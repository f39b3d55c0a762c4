"""What the audit finds in an account read from the in-memory cloud."""

from __future__ import annotations

import pytest

from nospof.adapters.memory.cloud import MemoryCloud
from nospof.errors import UsageError
from nospof.model.cloud import (
    TAG_SERVICE,
    TAG_STATE,
    TAG_TWIN_OF,
)
from nospof.model.estate import Estate
from nospof.model.layout import TAG_ARBITRATOR
from nospof.services.audit import audit_estate
from support.audit_accounts import (
    STATELESS,
    ZONES,
    Pair,
    audit,
    finding,
    one_instance,
    read,
    rules,
    target,
    with_targets,
)

# One instance -----------------------------------------------------------------------------------


def test_one_instance_is_a_single_point_with_its_volume_and_its_zone() -> None:
    cloud = one_instance()
    report = audit(cloud)
    assert rules(report) == ["NSP101", "NSP201", "NSP301", "NSP302", "NSP504"]
    machine = finding(report, "NSP101")
    disk = cloud.the_instance.attachments[0].volume_id
    assert machine.members == (cloud.the_instance.id, disk)
    assert (machine.severity, machine.confidence, machine.time) == ("critical", "certain", "configured")
    assert report.exit_code == 10
    assert report.verdict.startswith("2 single points of failure and 3 other findings in 1 service")


def test_the_remedy_is_tried_and_removes_what_it_says() -> None:
    cloud = one_instance()
    site = cloud.the_instance.id
    remedy = finding(audit(cloud), "NSP101").remedy
    assert remedy.is_verified
    # Not the data's: a machine more is no copy of it.
    assert remedy.removes == ("NSP101", "NSP201", "NSP504")
    assert remedy.adds == ()
    assert remedy.commands == (f"nospof clone {site} --zone eu-central-1b", f"nospof pair {site}")


def test_a_region_of_one_zone_has_no_remedy_to_claim() -> None:
    report = audit(MemoryCloud.with_one_instance(zone_count=1))
    remedy = finding(report, "NSP201").remedy
    assert not remedy.is_verified
    assert remedy.commands == ()


def test_declaring_no_state_does_not_hide_a_single_point() -> None:
    report = audit(one_instance(**STATELESS))
    assert report.exit_code == 10
    assert "--stateless" in finding(report, "NSP101").remedy.commands[1]


def test_two_volumes_stand_in_one_finding_with_their_machine() -> None:
    cloud = one_instance()
    estate = read(cloud)
    site = estate.of("instance")[0]
    disks = [*site.fields["BlockDeviceMappings"], {"DeviceName": "/dev/sdf", "Ebs": {"VolumeId": "vol-2"}}]
    report = audit_estate(estate.changed("instance", site.id, BlockDeviceMappings=disks))
    assert "vol-2" in finding(report, "NSP101").members


# A pair -----------------------------------------------------------------------------------------


def test_a_pair_in_two_zones_without_state_is_proved() -> None:
    report = audit(Pair().cloud)
    assert report.findings == ()
    assert report.exit_code == 0
    assert report.is_complete
    assert report.verdict.startswith("no single point of failure in 1 service; read: 2 instances")
    assert any("nospof:state=none" in one for one in report.services[0].assumptions)
    assert report.services[0].pairs == 9


def test_state_that_nobody_read_or_declared_makes_it_incomplete() -> None:
    pair = Pair()
    pair.cloud.untag(pair.ids[1], (TAG_STATE,))
    report = audit(pair.cloud)
    assert report.findings == ()
    assert report.exit_code == 13
    assert report.verdict.startswith("INCOMPLETE: no single point of failure in what was read of")
    assert pair.ids[1] in report.services[0].not_read[0]
    assert pair.ids[0] not in report.services[0].not_read[0]


def test_a_balancer_in_two_zones_with_one_target_is_a_single_point() -> None:
    pair = Pair(ZONES[:1])
    report = audit(pair.cloud)
    assert rules(report) == ["NSP101", "NSP201"]
    assert finding(report, "NSP201").event == "zone:eu-central-1a"
    remedy = finding(report, "NSP101").remedy
    assert remedy.is_verified
    assert "register-targets" in remedy.commands[1]


def test_two_targets_in_one_zone_leave_the_zone() -> None:
    report = audit(Pair((ZONES[0], ZONES[0])).cloud)
    assert rules(report) == ["NSP201"]
    assert finding(report, "NSP201").remedy.removes == ("NSP201",)
    assert "Every machine of www is in zone eu-central-1a" in finding(report, "NSP201").title


def test_a_stopped_member_leaves_no_spare_now() -> None:
    pair = Pair()
    pair.cloud.stop_instance(pair.ids[1])
    pair.cloud.clock.sleep(60)
    report = audit(pair.cloud)
    assert rules(report) == ["NSP101", "NSP201"]
    machine = finding(report, "NSP101")
    assert (machine.time, machine.event, machine.severity) == ("now", pair.ids[0], "high")
    assert machine.remedy.commands[0] == f"aws ec2 start-instances --instance-ids {pair.ids[1]}"
    assert machine.remedy.is_verified


def test_a_draining_member_leaves_no_spare_now() -> None:
    pair = Pair()
    pair.cloud.deregister(pair.group.arn, pair.ids[1], 80)
    report = audit(pair.cloud)
    assert {one.time for one in report.findings} == {"now"}
    assert {one.event for one in report.findings} == {pair.ids[0], "zone:eu-central-1a"}


def test_a_service_whose_members_are_all_off_is_down_now() -> None:
    pair = Pair()
    for one in pair.ids:
        pair.cloud.stop_instance(one)
    pair.cloud.clock.sleep(60)
    down = finding(audit(pair.cloud), "NSP100")
    assert (down.order, down.time, down.confidence, down.severity) == (0, "now", "certain", "critical")
    assert down.remedy.is_verified
    assert down.proof[-1].says.endswith("is down already: unused (Target.InvalidState)")


def test_a_group_without_targets_is_down_as_configured() -> None:
    pair = Pair()
    for one in pair.ids:
        pair.cloud.deregister(pair.group.arn, one, 80)
    pair.cloud.clock.sleep(600)
    down = finding(audit(pair.cloud, "www"), "NSP100")
    assert (down.time, down.confidence) == ("configured", "certain")


def test_targets_that_are_not_checked_yet_are_possible_findings_only() -> None:
    pair = Pair()
    arn, (first, second) = pair.group.arn, pair.ids
    report = audit_estate(with_targets(read(pair.cloud), target(arn, first), target(arn, second, "initial")))
    assert {(one.time, one.confidence) for one in report.findings} == {("now", "possible")}
    assert report.exit_code == 13


def test_a_service_whose_targets_are_all_unchecked_is_only_possibly_down() -> None:
    pair = Pair()
    targets = [target(pair.group.arn, one, "initial") for one in pair.ids]
    down = finding(audit_estate(with_targets(read(pair.cloud), *targets)), "NSP100")
    assert (down.confidence, down.severity, down.time) == ("possible", "high", "now")


# Announced maintenance --------------------------------------------------------------------------


def announced(estate: Estate, hours: dict[str, tuple[int, int]]) -> Estate:
    """The estate with a reboot announced for each instance: from and until, in hours; until 0 is open."""
    for who, (begins, ends) in hours.items():
        event = {"InstanceEventId": f"e{who[-1]}", "Code": "system-reboot", "Description": ""}
        event |= {"NotBefore": 86_400 + begins} | ({"NotAfter": 86_400 + ends} if ends else {})
        estate = estate.changed("instance status", who, Events=[event])
    return estate


def test_c46_one_window_over_both_members_is_a_single_point() -> None:
    pair = Pair()
    for one in pair.ids:
        pair.cloud.announce(one, in_seconds=86_400, for_seconds=7_200)
    window = finding(audit(pair.cloud), "NSP204")
    assert window.severity == "critical"
    assert window.members == tuple(pair.ids)
    assert window.due.endswith("Z")
    assert window.remedy.commands == (f"nospof maintain take {pair.ids[0]}",)
    assert window.remedy.removes == ("NSP204",)


@pytest.mark.parametrize(
    ("windows", "is_found"),
    [
        (((0, 2), (1, 3)), True),
        (((0, 2), (2, 4)), False),
        (((0, 2), (5, 6)), False),
        (((0, 0), (5, 6)), True),
        (((5, 6), (7, 0)), False),
    ],
    ids=["overlap", "touch", "apart", "no end", "no end after the other"],
)
def test_c46_windows_hit_both_only_where_they_overlap(
    windows: tuple[tuple[int, int], ...], is_found: bool
) -> None:
    pair = Pair()
    report = audit_estate(announced(read(pair.cloud), dict(zip(pair.ids, windows, strict=True))))
    assert ("NSP204" in rules(report)) == is_found


def test_three_windows_in_a_row_are_two_events() -> None:
    pair = Pair(ZONES, balancer_zones=3)
    hours = dict(zip(pair.ids, ((1, 3), (2, 5), (4, 6)), strict=True))
    report = audit_estate(announced(read(pair.cloud), hours))
    assert "NSP204" not in rules(report)
    events = {name for pair in report.services[0].pair_classes for side in pair for name in side}
    assert {name for name in events if name.startswith("maintenance:")} == {
        "maintenance:e1+e2",
        "maintenance:e2+e3",
    }


def test_an_event_on_one_member_is_a_note_with_its_command() -> None:
    pair = Pair()
    pair.cloud.announce(pair.ids[1])
    report = audit(pair.cloud)
    assert report.exit_code == 0
    assert f"nospof maintain take {pair.ids[1]}" in report.services[0].notes[0]


def test_finished_and_cancelled_events_count_for_nothing() -> None:
    pair = Pair()
    for one in pair.ids:
        pair.cloud.announce(one, description="[Completed] reboot")
    assert audit(pair.cloud).findings == ()
    assert audit(pair.cloud).services[0].notes == ()


def test_an_event_on_a_lone_instance_is_mended_by_a_twin() -> None:
    cloud = one_instance()
    cloud.announce(cloud.the_instance.id, in_seconds=30 * 86_400)
    window = finding(audit(cloud), "NSP204")
    assert window.severity == "high"
    assert window.remedy.is_verified
    assert window.remedy.commands[-1] == f"nospof maintain take {cloud.the_instance.id}"


# What a service is ------------------------------------------------------------------------------


def test_a_twin_that_waits_is_listed_and_not_audited() -> None:
    cloud = one_instance()
    cloud.add_instance(zone=ZONES[1], tags={"Name": "twin", TAG_TWIN_OF: cloud.the_instance.id})
    report = audit(cloud)
    assert [one.name for one in report.services] == ["site"]
    assert "not serving yet" in report.not_serving[0]


def test_a_third_vote_is_listed_and_not_audited() -> None:
    cloud = one_instance()
    cloud.add_instance(zone=ZONES[2], tags={"Name": "site arbitrator", TAG_ARBITRATOR: "site"})
    report = audit(cloud)
    assert [one.name for one in report.services] == ["site"]
    assert "the third vote of site, and serves nobody" in report.not_serving[0]


def test_a_stopped_instance_is_listed_unless_it_is_tagged_as_a_service() -> None:
    cloud = one_instance()
    cloud.stop_instance(cloud.the_instance.id)
    cloud.clock.sleep(60)
    assert audit(cloud).services == ()
    assert audit(cloud).exit_code == 13
    assert cloud.the_instance.id in audit(cloud).not_serving[0]
    cloud.tag(cloud.the_instance.id, {TAG_SERVICE: "shop"})
    assert finding(audit(cloud), "NSP100").service == "shop"


def test_services_are_told_apart_by_name_and_chosen_by_any_of_their_names() -> None:
    pair = Pair()
    alone = pair.cloud.add_instance(zone=ZONES[2], tags={"Name": "www"})
    names = [one.name for one in audit(pair.cloud).services]
    assert names == [f"www ({alone.id})", "www (www)"]
    assert [one.entry for one in audit(pair.cloud, alone.id).services] == [alone.id]
    assert [one.entry for one in audit(pair.cloud, pair.balancer.arn).services] == ["www"]


def test_a_service_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match="no service goes by 'shop'"):
        audit(one_instance(), "shop")


def test_an_empty_account_is_not_called_fine() -> None:
    report = audit(MemoryCloud())
    assert report.exit_code == 13
    assert "nothing that serves was found" in report.verdict
