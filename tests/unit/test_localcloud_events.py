"""The rules by which the local cloud's scheduled events are announced, moved, closed and forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.ec2.events import (
    WORDS,
    Announcement,
    ScheduledEvent,
    announce,
    close_all,
    reschedule,
    still_told,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000)  # noqa: DTZ001 - as moto has them: UTC without a zone
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)


def event(due_in: timedelta = 2 * DAY, deadline_in: timedelta | None = 9 * DAY) -> ScheduledEvent:
    deadline = None if deadline_in is None else deadline_in.total_seconds()
    asked = Announcement(
        "instance-stop", due_in.total_seconds(), window_seconds=10_800, deadline_seconds=deadline
    )
    return announce(asked, NOW)


def refusal(moved: ScheduledEvent, to: timedelta, now: datetime = NOW) -> tuple[str, str]:
    before = moved.document()
    with pytest.raises(AwsError) as refused:
        reschedule(moved, NOW + to, now)
    assert moved.document() == before
    return str(refused.value.code), str(refused.value.message)


@pytest.mark.parametrize("code", WORDS)
def test_whatever_its_code_an_event_with_a_deadline_is_moved_and_keeps_the_length_of_its_window(
    code: str,
) -> None:
    moved = announce(Announcement(code, 86_400, window_seconds=10_800, deadline_seconds=900_000), NOW)
    reschedule(moved, NOW + 3 * DAY, NOW)
    assert moved.not_before == (NOW + 3 * DAY).replace(microsecond=0)
    assert moved.not_after - moved.not_before == 3 * HOUR
    assert moved.not_before_deadline == (NOW + timedelta(seconds=900_000)).replace(microsecond=0)


def test_a_time_with_a_zone_is_that_moment() -> None:
    moved = event()
    reschedule(moved, (NOW + 3 * DAY).replace(tzinfo=UTC).astimezone(), NOW)
    assert moved.not_before == (NOW + 3 * DAY).replace(microsecond=0)


@pytest.mark.parametrize(
    ("to", "says"),
    [
        (-1 * MINUTE, "at least 60 minutes"),
        (59 * MINUTE, "at least 60 minutes"),
        (9 * DAY + MINUTE, "not be after the deadline"),
    ],
)
def test_a_time_too_near_or_too_late_is_refused(to: timedelta, says: str) -> None:
    code, message = refusal(event(), to)
    assert code == "InvalidInstanceEventStartTime"
    assert says in message


def test_a_time_just_within_the_rules_is_taken() -> None:
    for to in (60 * MINUTE + timedelta(seconds=1), 9 * DAY):
        moved = event()
        reschedule(moved, NOW + to, NOW)
        assert moved.not_before == (NOW + to).replace(microsecond=0)


def test_what_has_no_deadline_begins_soon_has_begun_or_is_over_cannot_be_moved() -> None:
    cannot = "InstanceEventStartTimeCannotChange"
    assert refusal(event(deadline_in=None), 3 * DAY)[0] == cannot
    code, message = refusal(event(due_in=5 * MINUTE), 3 * DAY)
    assert (code, "next 5 minutes" in message) == (cannot, True)
    begun, over = event(), event()
    begun.begin(NOW)
    over.close("Canceled", NOW)
    late = event()
    for one, now in ((begun, NOW), (over, NOW), (late, NOW + 2 * DAY)):
        code, message = refusal(one, 3 * DAY, now)
        assert (code, "already started" in message) == (cannot, True)


def test_aws_itself_may_move_it_past_its_deadline_which_then_moves_along() -> None:
    moved = event()
    moved.move(NOW + 20 * DAY, NOW)
    assert moved.not_before_deadline == NOW + 20 * DAY


def test_what_is_over_is_told_for_a_week_and_what_is_not_for_ever() -> None:
    completed, under_way, announced = event(), event(), event()
    under_way.begin(NOW)
    close_all([completed, under_way], "Completed", NOW)
    assert completed.description == f"[Completed] {WORDS['instance-stop']}"
    assert under_way.phase == "under way"
    everything = [completed, under_way, announced]
    assert still_told(everything, NOW + 7 * DAY) == everything
    assert still_told(everything, NOW + 7 * DAY + MINUTE) == [under_way, announced]


def test_only_maintenance_takes_something_away() -> None:
    asked = {"seconds": 0.0, "outage": "power", "out_seconds": 30.0}
    assert announce(Announcement("system-maintenance", **asked), NOW).outage == "power"
    assert announce(Announcement("system-reboot", **asked), NOW).outage == ""
