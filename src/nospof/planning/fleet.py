"""Who of a fleet may be out of service at once, and when each has its turn.

Pure. A member takes a place in every service it is in and in its zone, each of which has only so many.
Members are put, one after the other, into the first wave where all of theirs are free (first fit). A wave
that a member cannot go into is full of others of its, so there are never more waves than 1 + the most of
`sum(others // places)` over what a member is in. Where a service has one place those others are its
neighbours in the graph of who may not be out together, each counted once: the most neighbours + 1, and what
caps force.

The waves that are full stand as the bits of one number for each service and zone, so that a member of a
thousand looks at all of them in one step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nospof.model.window import Span, Window

SLOT_SECONDS = 300
"""Turns begin at multiples of this: people write windows in them."""
HORIZON_SECONDS = 366 * 86_400
"""What does not fit within a year does not fit."""

NEVER = float("inf")
ANYWHERE = -1
"""Every bit is set: a member may go into any wave."""

Key = tuple[Literal["service", "zone"], str]


@dataclass(frozen=True)
class Member:
    """An instance that is to have a turn.

    `due` is when it must be over, seconds since the epoch; infinite where there is no hurry.
    """

    instance_id: str
    services: tuple[str, ...]
    zone: str = ""
    due: float = NEVER

    @property
    def keys(self) -> tuple[Key, ...]:
        """What it takes a place in."""
        zone: tuple[Key, ...] = (("zone", self.zone),) if self.zone else ()
        return (*(("service", one) for one in self.services), *zone)


@dataclass(frozen=True)
class Limits:
    """How many may be out at once of a service, one where it is not named, and of a zone, else any number."""

    services: Mapping[str, int] = field(default_factory=dict)
    zones: Mapping[str, int] = field(default_factory=dict)

    def places(self, key: Key) -> float:
        """Return how many members have place."""
        kind, name = key
        return self.services.get(name, 1) if kind == "service" else self.zones.get(name, NEVER)


@dataclass(frozen=True)
class Waves:
    """Who goes together, one wave after the other; `held` goes in none: something of theirs has no place."""

    waves: tuple[tuple[Member, ...], ...]
    held: tuple[Member, ...] = ()


@dataclass(frozen=True)
class Turn:
    """When a member is out: `span` in seconds since the epoch, None where it fits into no window of a year.

    `is_late`: it is not over in time.
    """

    member: Member
    span: Span | None

    @property
    def is_late(self) -> bool:
        """Whether it is due before its turn is over."""
        return self.span is None or self.span.ends > self.member.due


def room_of(size: int, at_least: int | None = None) -> int:
    """Return how many members of a service may be out at once.

    Args:
        size: how many members it has.
        at_least: how many have to serve; all but one where it is None, and never none.
    """
    return max(0, size - max(1, size - 1 if at_least is None else at_least))


def share_of(size: int, share: float) -> int:
    """Return how many of a zone may be out at once where a share of it may, 0 to 1; one always may."""
    return max(1, int(size * share))


# First fit ----------------------------------------------------------------------------------------------


class Slots:
    """What is taken, wave by wave.

    Args:
        limits: how many places there are.
        length: how many waves in a row a turn takes.
    """

    def __init__(self, limits: Limits, length: int = 1) -> None:
        self._limits, self._length = limits, length
        self._taken: dict[Key, Counter[int]] = {}
        self._full: dict[Key, int] = {}

    def first_free(self, member: Member, allowed: int = ANYWHERE) -> int | None:
        """Return the first wave that is allowed, by its bit, and has place for a member; None for none."""
        full = 0
        for key in member.keys:
            full |= self._full.get(key, 0 if self._limits.places(key) >= 1 else ANYWHERE)
        blocked = full
        for later in range(1, self._length):
            blocked |= full >> later
        free = allowed & ~blocked
        return (free & -free).bit_length() - 1 if free else None

    def take(self, member: Member, first: int) -> None:
        """Give a member its places."""
        for key in member.keys:
            taken, places = self._taken.setdefault(key, Counter()), self._limits.places(key)
            for wave in range(first, first + self._length):
                taken[wave] += 1
                if taken[wave] >= places:
                    self._full[key] = self._full.get(key, 0) | (1 << wave)


def first_fit(
    order: Iterable[Member], slots: Slots, allowed: Mapping[str, int] | None = None
) -> dict[str, int | None]:
    """Put members into the first wave that has place for each; return its number by instance, None for none.

    Args:
        allowed: by instance, the waves it may go into, as bits; all where it is None.
    """
    placed: dict[str, int | None] = {}
    for member in order:
        found = slots.first_free(member, ANYWHERE if allowed is None else allowed[member.instance_id])
        placed[member.instance_id] = found
        if found is not None:
            slots.take(member, found)
    return placed


def in_order(members: Sequence[Member], limits: Limits) -> list[Member]:
    """Return members in an order that needs few waves, who is due earlier in front where that costs none.

    Two orders are tried: by when they are due, and the most crowded first ("largest first", Welsh and Powell,
    1967). Where the latter needs fewer waves, they are sorted by who of them is due, and filled again in that
    order, which never takes one more ("iterated greedy", Culberson, 1992).
    """
    sizes = Counter(key for member in members for key in member.keys)

    def crowd(member: Member) -> float:
        return sum(-(-sizes[key] // max(1.0, limits.places(key))) for key in member.keys)

    by_due = sorted(members, key=lambda one: (one.due, -crowd(one), one.instance_id))
    largest_first = sorted(members, key=lambda one: (-crowd(one), one.due, one.instance_id))
    waves = {}
    for name, order in (("due", by_due), ("largest", largest_first)):
        waves[name] = grouped(order, first_fit(order, Slots(limits)))
    if len(waves["due"]) <= len(waves["largest"]):
        return by_due
    return [one for wave in sorted(waves["largest"], key=dues_of) for one in wave]


def dues_of(wave: Sequence[Member]) -> list[tuple[float, str]]:
    """Return by when its members are due, the first in front."""
    return sorted((one.due, one.instance_id) for one in wave)


def grouped(order: Sequence[Member], placed: Mapping[str, int | None]) -> list[list[Member]]:
    """Return who is in each wave, those without one left out."""
    waves: dict[int, list[Member]] = {}
    for member in order:
        wave = placed[member.instance_id]
        if wave is not None:
            waves.setdefault(wave, []).append(member)
    return [waves[number] for number in sorted(waves)]


def waves_of(members: Sequence[Member], limits: Limits) -> Waves:
    """Return who goes together; the same for the same members, in whatever order they are given."""
    order = in_order(members, limits)
    placed = first_fit(order, Slots(limits))
    held = tuple(one for one in order if placed[one.instance_id] is None)
    return Waves(tuple(tuple(sorted(wave, key=by_id)) for wave in grouped(order, placed)), held)


def together(members: Sequence[Member], limits: Limits) -> tuple[Member, ...]:
    """Return who of these goes now, those that are due earlier before others.

    Args:
        limits: what is left of each, with those who are out already taken off.
    """
    slots, now = Slots(limits), {one.instance_id: 1 for one in members}
    order = sorted(members, key=lambda one: (one.due, one.instance_id))
    placed = first_fit(order, slots, now)
    return tuple(one for one in order if placed[one.instance_id] is not None)


def by_id(member: Member) -> str:
    """Return what members of a wave are sorted by."""
    return member.instance_id


# In time ------------------------------------------------------------------------------------------------


def timetable(
    members: Sequence[Member],
    limits: Limits,
    windows: Mapping[str, Window],
    now: float,
    turn_seconds: float,
) -> tuple[Turn, ...]:
    """Return when each member is out, by time; those that fit into no window of a year at the end.

    A member of several services is out when all of their windows allow it; a service without one has no say.
    Of two orders the one is taken in which fewer are late, and which is over earlier then.

    Args:
        windows: by service.
        now: seconds since the epoch.
        turn_seconds: how long a turn takes, whole slots of it.
    """
    length = max(1, -int(-turn_seconds // SLOT_SECONDS))
    base = -int(-now // SLOT_SECONDS)
    calendars: dict[frozenset[Window], int] = {}
    allowed = {}
    for member in members:
        mine = frozenset(windows[one] for one in member.services if one in windows)
        if mine not in calendars:
            calendars[mine] = calendar_of(mine, base, length)
        allowed[member.instance_id] = calendars[mine]
    found = []
    for order in (sorted(members, key=lambda one: (one.due, one.instance_id)), in_order(members, limits)):
        placed = first_fit(order, Slots(limits, length), allowed)
        found.append([Turn(one, span_of(placed[one.instance_id], base, length)) for one in order])
    best = min(found, key=badness)
    return tuple(sorted(best, key=lambda one: (begins(one), one.member.instance_id)))


def calendar_of(windows: Iterable[Window], base: int, length: int) -> int:
    """Return the slots at which a turn may begin so that it is over within all windows, as bits."""
    last = HORIZON_SECONDS // SLOT_SECONDS
    starts = (1 << last) - 1
    for window in windows:
        mine = 0
        for span in window.spans(base * SLOT_SECONDS):
            first = max(0, -int(-span.begins // SLOT_SECONDS) - base)
            if first >= last:
                break
            count = int(span.ends // SLOT_SECONDS) - base - first - length + 1
            if count > 0:
                mine |= ((1 << count) - 1) << first
        starts &= mine
    return starts


def span_of(slot: int | None, base: int, length: int) -> Span | None:
    """Return when a turn is that begins at a slot."""
    if slot is None:
        return None
    return Span(float((base + slot) * SLOT_SECONDS), float((base + slot + length) * SLOT_SECONDS))


def begins(turn: Turn) -> float:
    """Return when a turn begins; never where there is none."""
    return turn.span.begins if turn.span else NEVER


def badness(turns: Sequence[Turn]) -> tuple[int, float]:
    """Return how many are late, and when all is over."""
    return sum(one.is_late for one in turns), max(map(begins, turns), default=0.0)
