"""The audit of an account, read from the in-memory cloud: what it finds, what it refuses to claim."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nospof.adapters.memory.cloud import MemoryCloud
from nospof.audit.report import build_report
from nospof.cli.audit_text import render_json, render_summary, render_text
from nospof.errors import CloudError, UsageError
from nospof.model.cloud import (
    TAG_SERVICE,
    TAG_STATE,
    TAG_TWIN_OF,
    HealthCheck,
    Instance,
    LoadBalancerRequest,
    MaintenanceEvent,
    Target,
    TargetGroupRequest,
)
from nospof.model.findings import AuditReport, Finding
from nospof.services.audit import audit_account, read_account

STATELESS = {TAG_STATE: "none"}
ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")


class Pair:
    """Instances behind a balancer in two zones, all healthy."""

    def __init__(
        self, zones: tuple[str, ...] = ZONES[:2], *, balancer_zones: int = 2, check: HealthCheck | None = None
    ) -> None:
        self.cloud = MemoryCloud()
        self.members = [
            self.cloud.add_instance(zone=zone, tags={"Name": f"web-{number}", **STATELESS})
            for number, zone in enumerate(zones, 1)
        ]
        vpc = self.members[0].vpc_id
        subnets = tuple(subnet.id for subnet in self.cloud.subnets(vpc))[:balancer_zones]
        self.balancer = self.cloud.create_load_balancer(LoadBalancerRequest("www", subnets))
        self.group = self.cloud.create_target_group(
            TargetGroupRequest("www", vpc, 80, check or HealthCheck())
        )
        self.cloud.create_listener(self.balancer.arn, 80, self.group.arn)
        for member in self.members:
            self.cloud.register(self.group.arn, member.id, 80)
        self.cloud.clock.sleep(300)

    @property
    def ids(self) -> list[str]:
        return [member.id for member in self.members]


def audit(cloud: MemoryCloud, service: str = "") -> AuditReport:
    return audit_account(cloud, service=service, read_at=cloud.clock.now())


def one_instance(**tags: str) -> MemoryCloud:
    return MemoryCloud.with_one_instance(tags={"Name": "site", **tags})


def rules(report: AuditReport) -> list[str]:
    return sorted(finding.rule for finding in report.findings)


def finding(report: AuditReport, rule: str) -> Finding:
    found = [one for one in report.findings if one.rule == rule]
    assert len(found) == 1
    return found[0]


# One instance -----------------------------------------------------------------------------------


def test_one_instance_is_a_single_point_with_its_volume_and_its_zone() -> None:
    cloud = one_instance()
    report = audit(cloud)
    assert rules(report) == ["NSP101", "NSP201"]
    machine = finding(report, "NSP101")
    disk = cloud.the_instance.attachments[0].volume_id
    assert machine.members == (cloud.the_instance.id, disk)
    assert (machine.severity, machine.confidence, machine.time) == ("critical", "certain", "configured")
    assert report.exit_code == 10
    assert report.verdict.startswith("2 single points of failure in 1 service")


def test_the_remedy_is_tried_and_removes_what_it_says() -> None:
    cloud = one_instance()
    site = cloud.the_instance.id
    remedy = finding(audit(cloud), "NSP101").remedy
    assert remedy.is_verified
    assert remedy.removes == ("NSP101", "NSP201")
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
    facts = read_account(cloud, 0)
    site = facts.instances[cloud.the_instance.id]
    more = replace(site, attachments=(*site.attachments, replace(site.attachments[0], volume_id="vol-2")))
    report = build_report(replace(facts, instances={site.id: more}))
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
    facts = read_account(pair.cloud, 0)
    targets = {pair.group.arn: (Target(pair.ids[0], 80, "healthy"), Target(pair.ids[1], 80, "initial"))}
    report = build_report(replace(facts, targets=targets))
    assert {(one.time, one.confidence) for one in report.findings} == {("now", "possible")}
    assert report.exit_code == 13


# Announced maintenance --------------------------------------------------------------------------


def test_one_window_over_both_members_is_a_single_point() -> None:
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
def test_windows_hit_both_only_where_they_overlap(
    windows: tuple[tuple[int, int], ...], is_found: bool
) -> None:
    pair = Pair()
    facts = read_account(pair.cloud, 0)
    events = {
        one: (MaintenanceEvent(f"event-{one}", "system-reboot", "", 86_400 + begins, ends and 86_400 + ends),)
        for one, (begins, ends) in zip(pair.ids, windows, strict=True)
    }
    statuses = {key: replace(one, events=events[key]) for key, one in facts.statuses.items()}
    report = build_report(replace(facts, statuses=statuses))
    assert ("NSP204" in rules(report)) == is_found


def test_three_windows_in_a_row_are_two_events() -> None:
    pair = Pair(ZONES, balancer_zones=3)
    facts = read_account(pair.cloud, 0)
    hours = dict(zip(pair.ids, ((1, 3), (2, 5), (4, 6)), strict=True))
    statuses = {
        key: replace(one, events=(MaintenanceEvent(f"e{key[-1]}", "system-reboot", "", *hours[key]),))
        for key, one in facts.statuses.items()
    }
    report = build_report(replace(facts, statuses=statuses))
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


# What could not be read -------------------------------------------------------------------------


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


# Balancers of every kind ------------------------------------------------------------------------


def test_a_network_balancer_that_stays_in_its_zone_needs_leg_and_target_in_one() -> None:
    pair = Pair((ZONES[0], ZONES[0]))
    facts = read_account(pair.cloud, 0)
    network = replace(pair.cloud.load_balancers()[0], type="network", is_cross_zone=False)
    report = build_report(replace(facts, balancers={network.arn: network}))
    assert rules(report) == ["NSP201"]
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


# The same answer, in text and JSON ---------------------------------------------------------------


def test_same_account_same_bytes() -> None:
    first, second = Pair((ZONES[0], ZONES[0])).cloud, Pair((ZONES[0], ZONES[0])).cloud
    assert render_text(audit(first)) == render_text(audit(second))
    assert render_json(audit(first)) == render_json(audit(second))


def test_order_of_the_answers_changes_nothing() -> None:
    cloud = Pair((ZONES[0], ZONES[0])).cloud
    facts = read_account(cloud, 0)
    turned = replace(
        facts,
        instances=dict(reversed(facts.instances.items())),
        volumes=dict(reversed(facts.volumes.items())),
        targets={arn: tuple(reversed(each)) for arn, each in facts.targets.items()},
    )
    prints = [one.fingerprint for one in build_report(facts).findings]
    assert [one.fingerprint for one in build_report(turned).findings] == prints


def test_a_fingerprint_survives_what_is_not_its_identity() -> None:
    pair = Pair()
    pair.cloud.stop_instance(pair.ids[1])
    pair.cloud.clock.sleep(60)
    now = finding(audit(pair.cloud), "NSP101")
    pair.cloud.deregister(pair.group.arn, pair.ids[1], 80)
    pair.cloud.clock.sleep(600)
    configured = finding(audit(pair.cloud), "NSP101")
    assert now.time != configured.time
    assert now.fingerprint == configured.fingerprint


def test_text_fits_the_page_and_marks_the_single_points() -> None:
    cloud = one_instance()
    cloud.announce(cloud.the_instance.id)
    text = render_text(audit(cloud))
    assert text.startswith("3 single points of failure in 1 service")
    assert "✗ zone eu-central-1a" in text
    assert f"$ nospof clone {cloud.the_instance.id}" in text
    long = [line for line in text.splitlines() if len(line) > 100 and "$ " not in line]
    assert all(line.startswith("         ") for line in long)
    summary = render_summary(audit(cloud))
    assert summary.count("[critical]") == 3


def test_json_says_everything_with_its_schema() -> None:
    document = json.loads(render_json(audit(one_instance())))
    assert document["schema"] == "nospof.audit/1"
    assert document["exit_code"] == 10
    assert document["complete"] is False
    found = document["services"][0]["findings"][0]
    assert found["rule"] == "NSP101"
    assert found["slug"] == "serving/single-instance"
    assert len(found["fingerprint"]) == 64
    assert found["share"] == 1.0
    assert found["proof"][0] == {"depth": 0, "says": "service site stops, because this stops:"}
