"""Scheduled events: AWS announces them, and when they are due they happen.

A stop and start moves an instance to another host and so cancels what was announced for the old
one; a reboot from inside or by RebootInstances satisfies only an `instance-reboot`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.utils import utcnow

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
WINDOW = timedelta(hours=2)
POSTPONABLE = timedelta(days=7)


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
    thaw_at: float = 0.0

    def close(self, word: str) -> None:
        """Mark it [Completed] or [Canceled], as AWS does in the description."""
        self.phase = "over"
        self.description = f"[{word}] {self.description}"

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


def announce(code: str, seconds: float) -> ScheduledEvent:
    """Return an event of that code, due in that many seconds."""
    start = utcnow() + timedelta(seconds=seconds)
    deadline = start + POSTPONABLE if code in REBOOTS else None
    return ScheduledEvent(code, start, WORDS[code], start + WINDOW, deadline)


def move(event: ScheduledEvent, not_before: datetime) -> None:
    """Give an event another start, as ModifyInstanceEventStartTime does.

    Raises:
        AwsError: it is over, its kind cannot be moved, or the time is not between now and its deadline.
    """
    start = not_before.astimezone(UTC).replace(tzinfo=None) if not_before.tzinfo else not_before
    if event.phase != "announced":
        raise AwsError("InvalidParameterValue", f"The event '{event.instance_event_id}' is not pending.")
    if event.not_before_deadline is None:
        raise AwsError("UnsupportedOperation", f"An event of type '{event.code}' cannot be rescheduled.")
    if start < utcnow():
        raise AwsError("InvalidParameterValue", "The new start time must not be in the past.")
    if start > event.not_before_deadline:
        raise AwsError(
            "InvalidParameterValue", "The new start time is after the deadline for rescheduling the event."
        )
    event.not_after = start + (event.not_after - event.not_before)
    event.not_before = start


def cancel_all(events: list[ScheduledEvent], codes: tuple[str, ...] = tuple(WORDS)) -> None:
    """Cancel what is still announced, of those codes."""
    for event in events:
        if event.phase == "announced" and event.code in codes:
            event.close("Canceled")
