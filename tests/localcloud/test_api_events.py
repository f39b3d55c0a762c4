"""Scheduled events of the local cloud: announced, shown, moved, cancelled, and really executed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.ec2_words import get, healthy, instance, machine, refused, state, states_until, status, stopped
from support.local_cloud import RunningCloud
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud
DAY = 86_400.0


def announce(cloud: RunningCloud, instance_id: str, code: str, seconds: float, **more: Any) -> str:
    document = {"instance": instance_id, "code": code, "seconds": seconds, **more}
    answer = cloud.admin("POST", "event", document)
    assert answer[0] == 200, answer
    return str(answer[1]["event"])


def event(ec2: Any, instance_id: str, event_id: str) -> dict[str, Any]:
    events = status(ec2, instance_id)["Events"]
    return next(e for e in events if e["InstanceEventId"] == event_id)  # type: ignore[no-any-return]


def ends(ec2: Any, instance_id: str, event_id: str, word: str) -> None:
    eventually(lambda: event(ec2, instance_id, event_id)["Description"].startswith(f"[{word}] "))


def boots(cloud: RunningCloud, instance_id: str, count: int) -> None:
    """Wait until its machine, which counts them itself, has begun so many boots."""
    eventually(lambda: machine(cloud, instance_id)["boots"] == count)


def checks(ec2: Any, instance_id: str) -> set[str]:
    shown = status(ec2, instance_id)
    return {shown["SystemStatus"]["Status"], shown["InstanceStatus"]["Status"]}


@contextmanager
def ahead(cloud: RunningCloud, seconds: float) -> Iterator[None]:
    """Have the cloud's clock ahead."""
    assert cloud.admin("POST", "scheduler", {"ahead_seconds": seconds})[0] == 200
    try:
        yield
    finally:
        cloud.admin("POST", "scheduler", {"ahead_seconds": 0})


def test_an_announced_event_is_shown_and_found_by_its_filters(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    more = {"window_seconds": 1800, "deadline_seconds": 7200, "description": "a new roof"}
    event_id = announce(local_cloud, source, "system-reboot", 3600, **more)
    shown = event(ec2, source, event_id)
    assert (shown["Code"], shown["Description"]) == ("system-reboot", "a new roof")
    assert shown["NotAfter"] - shown["NotBefore"] == timedelta(minutes=30)
    assert shown["NotBeforeDeadline"] - shown["NotBefore"] == timedelta(hours=1)

    def found(**wanted: str) -> bool:
        filters = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in wanted.items()]
        answer = ec2.describe_instance_status(Filters=filters)
        return source in [entry["InstanceId"] for entry in answer["InstanceStatuses"]]

    begins = shown["NotBefore"].strftime("%Y-%m-%dT%H:%M:%S.000Z")
    zone_id = status(ec2, source)["AvailabilityZoneId"]
    assert found(**{"event.code": "system-*", "event.not_before": begins, "availability_zone_id": zone_id})
    assert found(
        **{
            "event.instance_event_id": event_id,
            "event.not_before_deadline": "20*",
            "operator.managed": "false",
        }
    )
    assert found(
        **{"event.description": "a new*", "event.not_after": "20*", "attached_ebs_status.status": "ok"}
    )
    assert not found(**{"event.code": "instance-stop"})
    assert not found(**{"event.code": "system-reboot", "instance_state_name": "stopped"})
    unknown = [{"Name": "event.colour", "Values": ["red"]}]
    assert refused(ec2.describe_instance_status, Filters=unknown) == "InvalidParameterValue"
    assert refused(ec2.describe_instance_status, NextToken="no page") == "InvalidNextToken"


def test_status_comes_in_pages_and_of_those_that_do_not_run_when_asked_for(
    local_cloud: RunningCloud, ec2: Any
) -> None:
    image = local_cloud.image_named("nospof-demo-site")
    made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=6, MaxCount=6)["Instances"]
    ids = {one["InstanceId"] for one in made}
    pages = ec2.get_paginator("describe_instance_status").paginate(
        IncludeAllInstances=True,
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}],
        PaginationConfig={"PageSize": 5},
    )
    first, *more = [[one["InstanceId"] for one in page["InstanceStatuses"]] for page in pages]
    assert len(first) == 5
    assert ids <= set(first).union(*more)
    assert not set(first).intersection(*more)
    ec2.terminate_instances(InstanceIds=sorted(ids))
    eventually(
        lambda: not ids & {one["InstanceId"] for one in ec2.describe_instance_status()["InstanceStatuses"]}
    )
    both = {"InstanceIds": sorted(ids), "MaxResults": 5}
    assert refused(ec2.describe_instance_status, **both) == "InvalidParameterCombination"


@pytest.mark.parametrize(("code", "moves"), [("system-reboot", True), ("instance-reboot", False)])
def test_a_due_reboot_happens_and_a_system_reboot_changes_the_host(
    local_cloud: RunningCloud, ec2: Any, source: str, code: str, moves: bool
) -> None:
    before = machine(local_cloud, source)
    event_id = announce(local_cloud, source, code, 0)
    ends(ec2, source, event_id, "Completed")
    boots(local_cloud, source, 2)
    assert (machine(local_cloud, source)["host"] != before["host"]) is moves
    assert state(ec2, source) == "running"


@pytest.mark.parametrize("code", ["instance-stop", "instance-retirement"])
def test_a_due_stop_stops_the_instance(local_cloud: RunningCloud, ec2: Any, source: str, code: str) -> None:
    event_id = announce(local_cloud, source, code, 0)
    states_until(ec2, source, "stopped")
    ends(ec2, source, event_id, "Completed")
    assert instance(ec2, source)["StateReason"]["Code"] == "Server.ScheduledStop"


def test_what_has_its_root_in_an_instance_store_is_terminated_by_its_retirement(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    assert local_cloud.admin("POST", "root", {"instance": source, "type": "paper"})[0] == 400
    assert local_cloud.admin("POST", "root", {"instance": source, "type": "instance-store"})[0] == 200
    assert instance(ec2, source)["RootDeviceType"] == "instance-store"
    assert refused(ec2.stop_instances, InstanceIds=[source]) == "UnsupportedOperation"
    event_id = announce(local_cloud, source, "instance-retirement", 0)
    states_until(ec2, source, "terminated")
    ends(ec2, source, event_id, "Completed")


def test_network_maintenance_takes_the_machine_from_the_network_for_its_time(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    address = instance(ec2, source)["PrivateIpAddress"]
    healthy(ec2, source)
    event_id = announce(local_cloud, source, "system-maintenance", 0, out_seconds=600)
    eventually(lambda: checks(ec2, source) == {"impaired"})
    eventually(lambda: get(address) == 0)
    agent = local_cloud.client("ssm").describe_instance_information(
        Filters=[{"Key": "InstanceIds", "Values": [source]}]
    )
    assert agent["InstanceInformationList"][0]["PingStatus"] == "ConnectionLost"
    with ahead(local_cloud, 601):
        ends(ec2, source, event_id, "Completed")
    eventually(lambda: get(address) == 200)
    assert checks(ec2, source) == {"ok"}
    assert machine(local_cloud, source)["boots"] == 1


def test_an_outage_that_began_by_a_clock_that_was_put_back_lasts_no_longer_than_announced(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    event_id = announce(local_cloud, source, "system-maintenance", 3600, outage="power", out_seconds=2)
    with ahead(local_cloud, 3601):
        eventually(lambda: machine(local_cloud, source)["machine"] == "off")
    ends(ec2, source, event_id, "Completed")
    boots(local_cloud, source, 2)


def test_power_maintenance_keeps_the_machine_off_for_its_time_and_boots_it(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    event_id = announce(local_cloud, source, "system-maintenance", 0, outage="power", out_seconds=600)
    eventually(lambda: machine(local_cloud, source)["machine"] == "off")
    time.sleep(1)  # time enough to boot
    assert machine(local_cloud, source)["machine"] == "off"
    assert (state(ec2, source), checks(ec2, source)) == ("running", {"impaired"})
    with ahead(local_cloud, 601):
        ends(ec2, source, event_id, "Completed")
    boots(local_cloud, source, 2)
    healthy(ec2, source)


def test_only_a_stop_and_start_is_done_with_what_was_announced_and_in_a_week_it_is_forgotten(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    of_host = announce(local_cloud, source, "system-reboot", 3600)
    of_instance = announce(local_cloud, source, "instance-reboot", 3600)
    ec2.reboot_instances(InstanceIds=[source])
    boots(local_cloud, source, 2)
    assert {one["Description"] for one in status(ec2, source)["Events"]} == {"scheduled reboot"}
    host = machine(local_cloud, source)["host"]
    stopped(ec2, source)
    ec2.start_instances(InstanceIds=[source])
    assert machine(local_cloud, source)["host"] != host
    for event_id in (of_host, of_instance):
        ends(ec2, source, event_id, "Completed")
    states_until(ec2, source, "running")
    with ahead(local_cloud, 6 * DAY):
        assert len(status(ec2, source)["Events"]) == 2
    with ahead(local_cloud, 8 * DAY):
        eventually(lambda: not status(ec2, source).get("Events"))
    healthy(ec2, source)
    assert machine(local_cloud, source)["boots"] == 3


def test_what_is_due_while_the_instance_is_stopped_does_nothing_to_it(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    event_id = announce(local_cloud, source, "system-reboot", 3600)
    stopped(ec2, source)
    with ahead(local_cloud, 3601):
        ends(ec2, source, event_id, "Canceled")
    assert state(ec2, source) == "stopped"


def test_an_event_is_moved_by_its_owner_within_the_rules(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    event_id = announce(local_cloud, source, "system-reboot", 3600)
    shown, move = event(ec2, source, event_id), ec2.modify_instance_event_start_time
    wanted = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    asked = {"InstanceId": source, "InstanceEventId": event_id, "NotBefore": wanted}
    told = move(**asked)["Event"]
    moved = event(ec2, source, event_id)
    assert told == moved
    assert moved["NotBefore"] == wanted
    assert moved["NotAfter"] - wanted == shown["NotAfter"] - shown["NotBefore"]
    late = {**asked, "NotBefore": wanted + timedelta(days=30)}
    assert refused(move, **late) == "InvalidInstanceEventStartTime"
    assert refused(move, **asked, DryRun=True) == "DryRunOperation"
    assert (
        refused(move, **{**asked, "InstanceEventId": "instance-event-0"}) == "InvalidInstanceEventIDNotFound"
    )
    fixed = announce(local_cloud, source, "instance-retirement", 3600)
    cannot = refused(move, **{**asked, "InstanceEventId": fixed})
    assert cannot == "InstanceEventStartTimeCannotChange"


def test_aws_moves_and_cancels_events_that_have_not_begun(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    moved = announce(local_cloud, source, "instance-reboot", 3600)
    taken_back = announce(local_cloud, source, "instance-stop", 3600)
    assert local_cloud.admin("POST", "event/move", {"event": moved, "seconds": 7200})[0] == 200
    assert local_cloud.admin("POST", "event/cancel", {"event": taken_back})[0] == 200
    with ahead(local_cloud, 3700):
        ends(ec2, source, taken_back, "Canceled")
        assert event(ec2, source, moved)["Description"] == "scheduled reboot"
    with ahead(local_cloud, 7300):
        ends(ec2, source, moved, "Completed")
    boots(local_cloud, source, 2)
    assert state(ec2, source) == "running"
    for what in ({"event": taken_back}, {"event": moved}):
        code, answer = local_cloud.admin("POST", "event/cancel", what)
        assert (code, "is over" in answer["error"]) == (409, True)
    assert local_cloud.admin("POST", "event/move", {"event": "instance-event-0", "seconds": 1})[0] == 404


def test_a_machine_that_is_lost_by_its_reboot_comes_back_by_a_stop_and_start_only(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    fault = {"instance": source, "fault": "lose-by-reboot"}
    assert local_cloud.admin("POST", "fault", fault)[0] == 200
    event_id = announce(local_cloud, source, "system-reboot", 0)
    ends(ec2, source, event_id, "Completed")
    ec2.reboot_instances(InstanceIds=[source])
    eventually(lambda: status(ec2, source)["InstanceStatus"]["Status"] == "impaired")
    assert (state(ec2, source), machine(local_cloud, source)["machine"]) == ("running", "off")
    stopped(ec2, source)
    ec2.start_instances(InstanceIds=[source])
    healthy(ec2, source)
    ec2.reboot_instances(InstanceIds=[source])
    boots(local_cloud, source, 3)


@pytest.mark.parametrize(
    ("document", "status_code", "sentence"),
    [
        ({"instance": "i-0", "code": "system-reboot", "seconds": 1}, 404, "does not exist"),
        ({"instance": "i-0", "code": "meteor", "seconds": 1}, 400, "unknown; known are"),
        ({"instance": "i-0", "code": "system-reboot", "seconds": -1}, 400, "must be between"),
        ({"instance": "i-0", "code": "system-reboot"}, 400, "'seconds' is missing"),
        ({"instance": "i-0", "code": "system-reboot", "seconds": "soon"}, 400, "wrong type"),
        ({"instance": "i-0", "colour": "red"}, 400, "unknown field 'colour'"),
        ({"instance": "i-0", "code": "system-reboot", "seconds": 1, "outage": "gas"}, 400, "or power"),
        ({"instance": "i-0", "code": "system-reboot", "seconds": 1, "out_seconds": -1}, 400, "'out_seconds'"),
        ({"instance": "i-0", "code": "system-reboot", "seconds": 1, "description": 7}, 400, "wrong type"),
    ],
)
def test_an_event_that_is_not_understood_is_refused_with_a_sentence(
    local_cloud: RunningCloud, document: dict[str, Any], status_code: int, sentence: str
) -> None:
    answer = local_cloud.admin("POST", "event", document)
    assert answer[0] == status_code
    assert sentence in answer[1]["error"]
