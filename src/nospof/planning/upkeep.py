"""What is done now about what AWS has announced: whose turn it is, who waits, and what only people can mend.

Pure. A member has its turn by itself only where its owner wrote down when: in a window of every service it is
in, of which enough is left, at most two weeks before AWS acts, and never at the moment in which AWS may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from nospof.audit.windows import day
from nospof.model.cloud import Instance, MaintenanceEvent
from nospof.model.window import Window
from nospof.planning.events import LOST, UNKNOWN, Crew, Seen, meaning_of
from nospof.planning.fleet import NEVER, Limits, Member, Turn, room_of, share_of, timetable

TURN_SECONDS = 900.0
"""What a turn is taken to last: AWS's default of 300 s to drain, a stop and a start, and checks that pass."""
AHEAD_SECONDS = 14 * 86_400.0
"""No earlier than this before AWS acts: it may call its event off yet. Two windows of a week are in it."""


@dataclass(frozen=True)
class Cap:
    """How many of a zone may be out at once: a number of them, or a share of all, 0 to 1."""

    count: int = 0
    share: float = 0.25

    def of(self, size: int) -> int:
        """Return how many of so many."""
        return self.count or share_of(size, self.share)


@dataclass(frozen=True)
class Policy:
    """What an owner allows.

    Args:
        windows: when each service may be worked on; what is not named is not worked on by itself.
        services: those that are meant; all where none is named.
        cap: how many of a zone may be out at once.
        before_seconds: how long before AWS acts a member is worked on outside of windows, where none is in
            time; 0 for never.
        turn_seconds: how long a turn takes.
    """

    windows: Mapping[str, Window] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    cap: Cap = field(default_factory=Cap)
    before_seconds: float = 0.0
    turn_seconds: float = TURN_SECONDS


@dataclass(frozen=True)
class Subject:
    """A member and what is announced for it."""

    member: Member
    instance: Instance
    events: tuple[MaintenanceEvent, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What is done about a subject now, and why."""

    subject: Subject
    kind: Literal["go", "wait", "held", "too-late"]
    says: str


def subjects_of(seen: Seen, services: Collection[str], *, everybody: bool = False) -> tuple[Subject, ...]:
    """Return the members for whom something is announced, or all of them, by their ids.

    Args:
        services: those that are meant; all where none is named.
    """
    events: dict[str, list[MaintenanceEvent]] = {}
    for who, event in seen.live:
        events.setdefault(who, []).append(event)
    served: dict[str, dict[str, None]] = {}
    for crew in seen.crews:
        for who in crew.members:
            served.setdefault(who, {})[crew.name] = None
    found = []
    for who in sorted({*events, *(served if everybody else ())}):
        names = tuple(sorted(served.get(who, {})))
        if services and not set(names) & set(services):
            continue
        mine = tuple(events.get(who, ()))
        due = min((one.not_before or NEVER for one in mine), default=NEVER)
        instance = seen.instances[who]
        found.append(Subject(Member(who, names, instance.zone, due), instance, mine))
    return tuple(found)


def with_those_out(seen: Seen, out: Mapping[str, Collection[str]]) -> Seen:
    """Return what was seen with those who left their groups for a moment among the members of their services.

    Args:
        out: who is out or about to be, and the services each belongs to.
    """
    crews = [
        replace(crew, members=crew.members | {who for who, names in out.items() if crew.name in names})
        for crew in seen.crews
    ]
    return replace(seen, crews=tuple(crews))


def why_never(subject: Subject, sizes: Mapping[str, int]) -> str:
    """Return why a member has no turn at all, or nothing.

    Args:
        sizes: how many members each service has.
    """
    who, kind = subject.member.instance_id, subject.instance.root_device_type
    stubborn = [one.code for one in subject.events if meaning_of(one.code, kind) in (LOST, UNKNOWN)]
    if stubborn:
        return f"{' and '.join(stubborn)} of {who} is not cleared by a stop and a start: ask AWS"
    if not subject.member.services:
        return f"{who} is behind no load balancer, so working on it is an outage: nospof pair {who}"
    alone = [one for one in subject.member.services if sizes.get(one, 0) < 2]
    if alone:
        return f"{who} alone serves {' and '.join(alone)}: nospof pair {who}"
    return ""


def decisions(subjects: Sequence[Subject], seen: Seen, policy: Policy) -> tuple[Decision, ...]:
    """Return what is done about each now, as far as only time decides it."""
    sizes, now = sizes_of(seen.crews), seen.read_at
    able = [one.member for one in subjects if not why_never(one, sizes)]
    limits = limits_of(seen, policy.cap)
    turns = {
        one.member.instance_id: one
        for one in timetable(able, limits, policy.windows, now, policy.turn_seconds)
    }
    return tuple(decide(one, sizes, turns.get(one.member.instance_id), policy, now) for one in subjects)


def decide(
    subject: Subject, sizes: Mapping[str, int], turn: Turn | None, policy: Policy, now: float
) -> Decision:
    """Return what is done about one.

    Args:
        turn: when it would be out if everything went as it is written down.
    """
    never = why_never(subject, sizes)
    if never or turn is None:
        return Decision(subject, "held", never)
    member = subject.member
    who, due, needed = member.instance_id, member.due, policy.turn_seconds
    without = [one for one in member.services if one not in policy.windows]
    if without:
        says = f"no maintenance window is written for {' and '.join(without)}, so {who} is left to people"
        return Decision(subject, "held", f"{says}: nospof maintain take {who}")
    if due <= now:
        return Decision(subject, "held", f"AWS may act on {who} at any moment now, so it is left to AWS")
    has_time = now + needed <= due
    if has_time and is_open([policy.windows[one] for one in member.services], now, needed):
        if due - now <= AHEAD_SECONDS or due == NEVER:
            return Decision(subject, "go", "its window is open")
        return Decision(subject, "wait", f"AWS acts only on {day(due)}, and may call it off yet")
    if not turn.is_late:
        assert turn.span is not None  # noqa: S101 - one without a span is late
        return Decision(subject, "wait", f"its turn is in the window of {day(turn.span.begins)}")
    if has_time and now >= due - policy.before_seconds:
        return Decision(subject, "go", f"no window is before {day(due)}, and it is near")
    return Decision(subject, "too-late", too_late(subject, policy))


def too_late(subject: Subject, policy: Policy) -> str:
    """Return that no window is in time, and what can be done."""
    member = subject.member
    by = f"before AWS acts on {day(member.due)}" if member.due < NEVER else "long enough within a year"
    says = f"no window of {' and '.join(member.services)} has room for {member.instance_id} {by}"
    if policy.before_seconds and member.due < NEVER:
        return f"{says}; it is taken outside of one {policy.before_seconds / 60:.0f} min before"
    moves = [one for one in subject.events if one.deadline > one.not_before]
    later = f", or have AWS move it, until {day(min(one.deadline for one in moves))}" if moves else ""
    return f"{says}: nospof maintain take {member.instance_id}{later}"


def is_open(windows: Iterable[Window], now: float, needed_seconds: float) -> bool:
    """Whether all of these are open now, and for long enough."""
    spans = [one.next(now) for one in windows]
    return all(span.is_at(now) and now + needed_seconds <= span.ends for span in spans)


# How many -----------------------------------------------------------------------------------------------


def sizes_of(crews: Iterable[Crew]) -> dict[str, int]:
    """Return how many members each service has, in the smallest of its groups."""
    sizes: dict[str, int] = {}
    for crew in crews:
        sizes[crew.name] = min(len(crew.members), sizes.get(crew.name, len(crew.members)))
    return sizes


def limits_of(seen: Seen, cap: Cap) -> Limits:
    """Return how many may be out at once while all is well."""
    return Limits(
        {name: room_of(size) for name, size in sizes_of(seen.crews).items()},
        {zone: cap.of(size) for zone, size in zones_of(seen).items()},
    )


def zones_of(seen: Seen) -> Counter[str]:
    """Return how many members each zone has."""
    members = {who for crew in seen.crews for who in crew.members}
    return Counter(seen.instances[who].zone for who in members)


def left_of(seen: Seen, cap: Cap, out: Collection[str]) -> Limits:
    """Return how many may go out now, beside those who are out or not well.

    Args:
        seen: with those who are out.
        out: who is out or about to be.
    """
    services: dict[str, int] = {}
    for crew in seen.crews:
        size = len(crew.members)
        left = len(crew.healthy - {*out}) - (size - room_of(size))
        services[crew.name] = max(0, min(left, services.get(crew.name, left)))
    away = Counter(seen.instances[who].zone for who in out)
    sizes = zones_of(seen)
    return Limits(services, {zone: max(0, cap.of(size) - away[zone]) for zone, size in sizes.items()})
