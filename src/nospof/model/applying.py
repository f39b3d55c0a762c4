"""Announced maintenance taken for a service: what is asked for, how each member is taken, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nospof.model.cloud import MaintenanceEvent

Way = Literal["stop-start", "reboot", "move", "aws"]
WAYS: tuple[Way, ...] = ("stop-start", "reboot", "move", "aws")


@dataclass(frozen=True)
class ApplyRequest:
    """Take what is announced for a service, one member at a time.

    Args:
        service: the service's name.
        by: one of `WAYS`.
        window: when it may be worked on, as `Window.says` has it; empty for at any time.
        now: consent to work on it outside of its window.
        wait: wait for the window.
        path, local_disks_are_scratch, it_boots_again, dead_man_seconds, dead_man_role: as in `TakeRequest`.
    """

    service: str
    by: str = "stop-start"
    window: str = ""
    now: bool = False
    wait: bool = False
    path: str = ""
    local_disks_are_scratch: bool = False
    it_boots_again: bool = False
    dead_man_seconds: int = 0
    dead_man_role: str = ""


@dataclass(frozen=True)
class Due:
    """A member with what is announced for it, by time. `is_writer`: it takes its database's writes."""

    instance_id: str
    events: tuple[MaintenanceEvent, ...]
    is_writer: bool = False


@dataclass(frozen=True)
class EventMove:
    """An event that is to begin at another time, seconds since the epoch."""

    instance_id: str
    event: MaintenanceEvent
    to: float


@dataclass(frozen=True)
class MemberTaken:
    """A member whose turn is over; it serves.

    Args:
        way: how it was taken; empty where nothing was announced any more.
        cleared: the ids of the events that are gone, whoever was done with them.
        left: those that are announced still.
        says: what else came of it, in words.
    """

    instance_id: str
    way: str = ""
    cleared: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    seconds_out_of_service: float = 0.0
    says: str = ""


@dataclass(frozen=True)
class ApplyResult:
    """What came of a service's announced maintenance; no members where nothing was announced."""

    service: str
    members: tuple[MemberTaken, ...] = ()

    @property
    def left(self) -> tuple[str, ...]:
        """The events that are announced still."""
        return tuple(event for one in self.members for event in one.left)
