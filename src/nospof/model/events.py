"""What AWS has announced for instances, joined to the services on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nospof.model.cloud import MaintenanceEvent

Urgency = Literal["critical", "high", "normal"]
"""critical: something is lost, or a service stops; high: it may be; normal: others serve meanwhile."""


@dataclass(frozen=True)
class Place:
    """An account's region, and the profile it was asked with; empty for the one boto3 takes by itself."""

    account: str
    region: str
    profile: str = ""


@dataclass(frozen=True)
class Serving:
    """A service that an instance is a member of, and its other members that are healthy, by id."""

    name: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Announced:
    """An event of an instance, and what it means for the services on it.

    Args:
        name: the instance's tag Name; empty where it has none.
        serving: the services it is a member of.
        happens: what AWS will do.
        clears: what makes it go away earlier.
        urgency: how it should be heeded, and `because` says why.
        windows: where the owner's maintenance windows lie to it, a sentence each.
        do: the commands to choose from, the best first.
    """

    place: Place
    instance_id: str
    name: str
    zone: str
    event: MaintenanceEvent
    serving: tuple[Serving, ...]
    happens: str
    clears: str
    urgency: Urgency
    because: str
    windows: tuple[str, ...]
    do: tuple[str, ...]


@dataclass(frozen=True)
class Together:
    """All healthy members of a service whose events may fall into one moment: nobody would serve.

    `starts_at` is when the first of them may begin, seconds since the epoch.
    """

    place: Place
    service: str
    instance_ids: tuple[str, ...]
    event_ids: tuple[str, ...]
    starts_at: float


@dataclass(frozen=True)
class Over:
    """An event that is finished or cancelled, and still listed for about a week."""

    place: Place
    instance_id: str
    event: MaintenanceEvent


@dataclass(frozen=True)
class EventsFound:
    """What was found where.

    Args:
        ahead: live events, by time.
        unmatched: what a notice names and the cloud does not announce, a sentence each.
        unread: what could not be read, a sentence each.
        read_at: when, seconds since the epoch.
    """

    places: tuple[Place, ...]
    ahead: tuple[Announced, ...] = ()
    together: tuple[Together, ...] = ()
    over: tuple[Over, ...] = ()
    unmatched: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    read_at: float = 0.0


@dataclass(frozen=True)
class Notice:
    """A mail from AWS: whom it names.

    Args:
        where: the file it was read from.
        regions: those it names; none where it names none.
    """

    where: str
    instance_ids: tuple[str, ...]
    regions: tuple[str, ...] = ()
