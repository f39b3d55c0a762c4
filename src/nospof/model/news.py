"""What whoever watches over maintenance tells people, and how a fleet's maintenance is planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nospof.model.events import Place

NewsKind = Literal[
    "announced",
    "moved",
    "over",
    "begun",
    "ended",
    "refused",
    "failed",
    "held",
    "too-late",
    "kept",
    "unread",
    "readable",
]
"""over: done by AWS, called off, or cleared. held: nothing is done by itself, and why. too-late: no window is
before it. kept: what a dead run promised was made true. unread: an error, from which nothing is concluded."""

FOR_PEOPLE = frozenset({"refused", "failed", "held", "too-late", "unread"})
"""What nobody but people can mend."""


@dataclass(frozen=True)
class News:
    """Something that people should know, told once.

    Args:
        at: seconds since the epoch, UTC.
        place: the account and region; None before they are known.
        says: a sentence.
        services: those whose member it is about.
        instance_id, event_id, run_id: empty where there is none.
        due: when AWS may act, seconds since the epoch; 0 where that is not known or not meant.
    """

    at: float
    kind: NewsKind
    place: Place | None
    says: str
    services: tuple[str, ...] = ()
    instance_id: str = ""
    event_id: str = ""
    run_id: str = ""
    due: float = 0.0


@dataclass(frozen=True)
class EndedTurn:
    """A member's turn that has ended, how, and at which step it failed; `run_id` is empty for no run."""

    instance_id: str
    run_id: str
    how: Literal["done", "refused", "failed"]
    says: str
    step: str = ""


@dataclass(frozen=True)
class Tally:
    """What a watch counts, for its metrics.

    Args:
        read_at: when the cloud was read last, seconds since the epoch; 0 for never.
        round_seconds: how long the last round took.
        is_unread: whether the last round could not read; what is ahead is not known then.
        ahead: how many live events each service has.
        nearest_due: when AWS may act next, seconds since the epoch; None where nothing with a time is ahead.
        under_way: runs of this watch.
        ended: runs of this watch that ended, by how: done, refused, failed.
        for_people: members whose events nobody but people can take care of.
    """

    read_at: float = 0.0
    round_seconds: float = 0.0
    is_unread: bool = False
    ahead: tuple[tuple[str, int], ...] = ()
    nearest_due: float | None = None
    under_way: int = 0
    ended: tuple[tuple[str, int], ...] = (("done", 0), ("refused", 0), ("failed", 0))
    for_people: int = 0


@dataclass(frozen=True)
class PlannedTurn:
    """A member's turn. `due` is 0 where there is no hurry; `is_late`: it is not over in time."""

    instance_id: str
    services: tuple[str, ...]
    zone: str
    event_codes: tuple[str, ...]
    due: float
    is_late: bool


@dataclass(frozen=True)
class PlannedWave:
    """Who is out together, and when: seconds since the epoch."""

    begins: float
    ends: float
    turns: tuple[PlannedTurn, ...]


@dataclass(frozen=True)
class FleetPlan:
    """Who goes when.

    Args:
        waves: by time.
        never: who fits into no window of a year.
        held: who has no turn at all, and why, a sentence each.
        no_window: the services for which no window is written: their members may go at any time here, and a
            watch leaves them to people.
    """

    place: Place
    read_at: float
    turn_seconds: float
    waves: tuple[PlannedWave, ...]
    never: tuple[PlannedTurn, ...] = ()
    held: tuple[str, ...] = ()
    no_window: tuple[str, ...] = ()

    @property
    def late(self) -> tuple[PlannedTurn, ...]:
        """Who is not over in time."""
        return (*(turn for wave in self.waves for turn in wave.turns if turn.is_late), *self.never)
