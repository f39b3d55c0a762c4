"""Scheduled events of the local cloud: announced, shown, moved, cancelled, and really executed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.ec2_words import machine, refused, state, states_until, status, stopped
from support.local_cloud import RunningCloud
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


def announce(cloud: RunningCloud, instance_id: str, code: str, seconds: float) -> str:
    answer = cloud.admin("POST", "event", {"instance": instance_id, "code": code, "seconds": seconds})
    assert answer[0] == 200
    return str(answer[1]["event"])


def event(ec2: Any, instance_id: str, event_id: str) -> dict[str, Any]:
    events = status(ec2, instance_id)["Events"]
    return next(e for e in events if e["InstanceEventId"] == event_id)  # type: ignore[no-any-return]


def ends(ec2: Any, instance_id: str, event_id: str, word: str) -> None:
    eventually(lambda: event(ec2, instance_id, event_id)["Description"].startswith(f"[{word}] "))


def test_an_announced_event_is_shown_and_found_by_its_filter(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    event_id = announce(local_cloud, source, "system-reboot", 3600)
    shown = event(ec2, source, event_id)
    assert (shown["Code"], shown["Description"]) == ("system-reboot", "scheduled reboot")
    assert shown["NotBefore"] < shown["NotAfter"]
    found = ec2.describe_instance_status(Filters=[{"Name": "event.code", "Values": ["system-*"]}])
    assert source in [entry["InstanceId"] for entry in found["InstanceStatuses"]]
    none = ec2.describe_instance_status(Filters=[{"Name": "event.code", "Values": ["instance-stop"]}])
    assert source not in [entry["InstanceId"] for entry in none["InstanceStatuses"]]
    unknown = [{"Name": "event.colour", "Values": ["red"]}]
    assert refused(ec2.describe_instance_status, Filters=unknown) == "InvalidParameterValue"


@pytest.mark.parametrize("code", ["system-reboot", "instance-reboot"])
def test_a_due_reboot_happens_and_is_completed(
    local_cloud: RunningCloud, ec2: Any, source: str, code: str
) -> None:
    event_id = announce(local_cloud, source, code, 0)
    ends(ec2, source, event_id, "Completed")
    assert machine(local_cloud, source)["boots"] == 2
    assert state(ec2, source) == "running"


@pytest.mark.parametrize("code", ["instance-stop", "instance-retirement"])
def test_a_due_stop_stops_the_instance(local_cloud: RunningCloud, ec2: Any, source: str, code: str) -> None:
    event_id = announce(local_cloud, source, code, 0)
    states_until(ec2, source, "stopped")
    ends(ec2, source, event_id, "Completed")


def test_maintenance_interrupts_the_machine_and_lets_it_go_on(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    event_id = announce(local_cloud, source, "system-maintenance", 0)
    eventually(lambda: machine(local_cloud, source)["machine"] == "frozen")
    ends(ec2, source, event_id, "Completed")
    assert machine(local_cloud, source)["machine"] == "on"
    assert machine(local_cloud, source)["boots"] == 1


def test_stop_and_start_cancel_what_was_announced(local_cloud: RunningCloud, ec2: Any, source: str) -> None:
    event_id = announce(local_cloud, source, "system-reboot", 3600)
    stopped(ec2, source)
    ec2.start_instances(InstanceIds=[source])
    ends(ec2, source, event_id, "Canceled")


def test_a_reboot_by_its_owner_cancels_an_instance_reboot_but_no_host_event(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    of_host = announce(local_cloud, source, "system-reboot", 3600)
    of_instance = announce(local_cloud, source, "instance-reboot", 3600)
    ec2.reboot_instances(InstanceIds=[source])
    ends(ec2, source, of_instance, "Canceled")
    assert event(ec2, source, of_host)["Description"] == "scheduled reboot"


def test_a_reboot_can_be_moved_before_its_deadline_only(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    event_id = announce(local_cloud, source, "system-reboot", 3600)
    wanted = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    move = ec2.modify_instance_event_start_time
    move(InstanceId=source, InstanceEventId=event_id, NotBefore=wanted)
    assert event(ec2, source, event_id)["NotBefore"] == wanted
    late = {"InstanceId": source, "InstanceEventId": event_id, "NotBefore": wanted + timedelta(days=30)}
    assert refused(move, **late) == "InvalidParameterValue"
    unknown = {"InstanceId": source, "InstanceEventId": "instance-event-0", "NotBefore": wanted}
    assert refused(move, **unknown) == "InvalidInstanceEventIDNotFound"


def test_a_retirement_cannot_be_moved(local_cloud: RunningCloud, ec2: Any, source: str) -> None:
    event_id = announce(local_cloud, source, "instance-retirement", 3600)
    wanted = datetime.now(UTC) + timedelta(hours=5)
    move = {"InstanceId": source, "InstanceEventId": event_id, "NotBefore": wanted}
    assert refused(ec2.modify_instance_event_start_time, **move) == "UnsupportedOperation"


@pytest.mark.parametrize(
    ("document", "status_code", "sentence"),
    [
        ({"instance": "i-0", "code": "system-reboot", "seconds": 1}, 404, "does not exist"),
        ({"instance": "i-0", "code": "meteor", "seconds": 1}, 400, "unknown; known are"),
        ({"instance": "i-0", "code": "system-reboot", "seconds": -1}, 400, "must be between"),
        ({"instance": "i-0", "code": "system-reboot"}, 400, "'seconds' is missing"),
        ({"instance": "i-0", "code": "system-reboot", "seconds": "soon"}, 400, "wrong type"),
        ({"instance": "i-0", "colour": "red"}, 400, "unknown field 'colour'"),
    ],
)
def test_an_event_that_is_not_understood_is_refused_with_a_sentence(
    local_cloud: RunningCloud, document: dict[str, Any], status_code: int, sentence: str
) -> None:
    answer = local_cloud.admin("POST", "event", document)
    assert answer[0] == status_code
    assert sentence in answer[1]["error"]
