"""Scheduled events: how AWS announces, moves and takes them back, and how long it tells of them.

The rules are those of the EC2 User Guide (docs.aws.amazon.com/AWSEC2/latest/UserGuide):
"Reschedule a scheduled event" (reschedule-event), "Manage instances scheduled for reboot"
(schedevents_actions_reboot), "... for maintenance" (schedevents_actions_maintenance), "... to stop
or retire" (schedevents_actions_retire). A stop and start moves an instance with an EBS root to
another host, and what was announced for it on the old one is done with. A reboot by the user stays
on the host and clears nothing: "no host maintenance takes place, and the event stays open". (The
guide knows one exception, reboot migration of types that support it for a system-reboot, and says
that it may not succeed; here it never does.)

What happens when an event is due is in `due.py`. All times are UTC without a zone, as moto has them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from nospof.localcloud.awserrors import AwsError

WORDS = {
    "instance-reboot": "scheduled reboot",
    "system-reboot": "scheduled reboot",
    "system-maintenance": "scheduled maintenance",
    "instance-retirement": "The instance is running on degraded hardware",
    "instance-stop": "The instance is scheduled to be stopped",
}
REBOOTS = ("instance-reboot", "system-reboot")
STOPS = ("instance-stop", "instance-retirement")
OUTAGES = ("network", "power")
WINDOW_SECONDS = 7200.0
OUT_SECONDS = 120.0
POSTPONABLE_SECONDS = 7 * 86_400.0
TOLD_AFTERWARDS = timedelta(days=7)
"""A completed event "can still be described for up to a week" (InstanceStatusEvent)."""
BEGINS_SOON = timedelta(minutes=5)
EARLIEST_MOVE = timedelta(minutes=60)
LONG_AGO = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Announcement:
    """What is to be announced.

    Args:
        code: one of `WORDS`.
        seconds: when it is due, from now.
        window_seconds: how long its window is.
        deadline_seconds: until when it may be moved, from now; None for not at all.
        description: AWS's words for it; empty for the usual ones.
        outage: of a system-maintenance, what is away: "network" or "power".
        out_seconds: of a system-maintenance, for how long.
    """

    code: str
    seconds: float
    window_seconds: float = WINDOW_SECONDS
    deadline_seconds: float | None = None
    description: str = ""
    outage: str = "network"
    out_seconds: float = OUT_SECONDS


@dataclass
class ScheduledEvent:
    """One announced event of one instance, in the words of DescribeInstanceStatus."""

    code: str
    not_before: datetime
    description: str
    not_after: datetime
    not_before_deadline: datetime | None
    instance_event_id: str = field(default_factory=lambda: f"instance-event-{secrets.token_hex(8)}")
    phase: str = "announced"  # then "under way", "over"
    outage: str = ""
    out_seconds: float = OUT_SECONDS
    changed: datetime = LONG_AGO  # when it was announced, moved, begun, or over

    def begin(self, now: datetime) -> None:
        """It happens from now on."""
        self.phase, self.changed = "under way", now

    def close(self, word: str, now: datetime) -> None:
        """Mark it [Completed] or [Canceled], as AWS does in the description."""
        self.phase, self.changed = "over", now
        self.description = f"[{word}] {self.description}"

    def move(self, start: datetime, now: datetime) -> None:
        """Give it another start; its window keeps its length, and its deadline is never before its start."""
        length = self.not_after - self.not_before
        self.not_before, self.not_after, self.changed = start, start + length, now
        if self.not_before_deadline:
            self.not_before_deadline = max(self.not_before_deadline, start)

    def document(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        shown: dict[str, Any] = {
            "InstanceEventId": self.instance_event_id,
            "Code": self.code,
            "Description": self.description,
            "NotBefore": self.not_before,
            "NotAfter": self.not_after,
        }
        if self.not_before_deadline:
            shown["NotBeforeDeadline"] = self.not_before_deadline
        return shown


def announce(asked: Announcement, now: datetime) -> ScheduledEvent:
    """Return an event that is announced now."""
    start = later(now, asked.seconds)
    late = asked.deadline_seconds
    is_maintenance = asked.code == "system-maintenance"
    return ScheduledEvent(
        asked.code,
        start,
        asked.description or WORDS[asked.code],
        later(start, asked.window_seconds),
        None if late is None else later(now, late),
        outage=asked.outage if is_maintenance else "",
        out_seconds=asked.out_seconds,
        changed=now,
    )


def later(now: datetime, seconds: float) -> datetime:
    """Return a time in whole seconds, as the API tells times."""
    return (now + timedelta(seconds=seconds)).replace(microsecond=0)


def reschedule(event: ScheduledEvent, not_before: datetime, now: datetime) -> None:
    """Give an event another start, as ModifyInstanceEventStartTime does.

    Raises:
        AwsError: InstanceEventStartTimeCannotChange: it has no deadline, has begun, or begins within 5
            minutes. InvalidInstanceEventStartTime: the time is not 60 minutes away, or after the deadline.
    """
    start = not_before.astimezone(UTC).replace(tzinfo=None) if not_before.tzinfo else not_before
    start, name = start.replace(microsecond=0), f"The event '{event.instance_event_id}'"
    deadline, wrong = event.not_before_deadline, ""
    if deadline is None:
        wrong = f"{name} of type '{event.code}' has no deadline and cannot be rescheduled."
    elif event.phase != "announced" or event.not_before <= now:
        wrong = f"{name} has already started or ended."
    elif event.not_before - now <= BEGINS_SOON:
        wrong = f"{name} starts in the next 5 minutes and cannot be rescheduled."
    if deadline is None or wrong:
        raise AwsError("InstanceEventStartTimeCannotChange", wrong)
    if start - now < EARLIEST_MOVE:
        wrong = "The new start time must be at least 60 minutes from the current time."
    elif start > deadline:
        wrong = f"The new start time must not be after the deadline of the event, {deadline.isoformat()}Z."
    if wrong:
        raise AwsError("InvalidInstanceEventStartTime", wrong)
    event.move(start, now)


def close_all(announced: Iterable[ScheduledEvent], word: str, now: datetime) -> None:
    """Close what has not begun."""
    for event in announced:
        if event.phase == "announced":
            event.close(word, now)


def still_told(announced: list[ScheduledEvent], now: datetime) -> list[ScheduledEvent]:
    """Return those that are not over, and those that have been for no longer than a week."""
    return [one for one in announced if one.phase != "over" or now - one.changed <= TOLD_AFTERWARDS]
