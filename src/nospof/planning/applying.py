"""Which member's announced maintenance is taken when, and how. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import takewhile

from nospof.audit.windows import day, ends_at, overlapping
from nospof.errors import PreconditionFailed, UsageError
from nospof.model.applying import WAYS, ApplyRequest, Due, EventMove
from nospof.model.cloud import MaintenanceEvent, Seat, Tags
from nospof.model.plans import Plan, PlannedCall
from nospof.model.starts import DeadMan
from nospof.model.window import EXAMPLE, Span, Window, window_of
from nospof.planning.events import MEANINGS
from nospof.planning.members import plan_take

NOTHING = "Nothing was changed."
ONE_AFTER_THE_OTHER = "one at a time, and each runs and serves again when this ends"
NOTHING_MOVES_MEMBERS = "nobody leaves the service, throughout"
NEVER = float("inf")
EARLIEST_MOVE_SECONDS = 3600.0
"""AWS takes no new time that is nearer (EC2 User Guide, "Reschedule a scheduled event")."""
TURN_SECONDS = 1800.0
"""What a turn may well take: a drain, a stop, a start, checks and data that catches up."""
CLEARED_BY = {"stop-start": frozenset(MEANINGS), "reboot": frozenset({"instance-reboot", "system-reboot"})}
"""What is known to be done with by each; AWS itself, and another time, are for any event."""


def due_of(event: MaintenanceEvent) -> float:
    """Return when an event may begin, seconds since the epoch; infinite where AWS does not say."""
    return event.not_before or NEVER


def in_turn(members: Sequence[Due]) -> tuple[Due, ...]:
    """Return those that something is announced for: the nearest event first, of equals the writer last.

    Writes are then moved once, and to a member that had its turn.
    """
    some = [replace(one, events=tuple(sorted(one.events, key=due_of))) for one in members if one.events]
    return tuple(sorted(some, key=lambda one: (due_of(one.events[0]), one.is_writer, one.instance_id)))


def listed(events: Sequence[MaintenanceEvent]) -> str:
    """Return events as people are told of them."""
    return ", ".join(f"{one.code} at {told(one)}" for one in events)


def told(event: MaintenanceEvent) -> str:
    """Return when an event may begin, as people are told."""
    return day(event.not_before) if event.not_before else "a time that AWS does not say"


# How -----------------------------------------------------------------------------------------------------


def refuse_a_wish_that_makes_no_sense(request: ApplyRequest) -> None:
    """Raise UsageError where a request contradicts itself."""
    if request.by not in WAYS:
        raise UsageError(f"there is no way {request.by!r}; there are: {', '.join(WAYS)}")
    if request.now and request.wait:
        raise UsageError("--now and --wait are opposites: leave one of them out")
    if request.by == "move" and not request.window:
        raise UsageError(
            f"--by move moves events into the maintenance window of {request.service}, and none is known. "
            f'Say it in nospof.yaml: services: {{{request.service}: {{maintenance: "{EXAMPLE}"}}}}'
        )


def refuse_what_this_does_not_clear(by: str, due: Due) -> None:
    """Refuse where working on a member would gain nothing."""
    known = CLEARED_BY.get(by)
    stubborn = [one.code for one in due.events if known is not None and one.code not in known]
    if stubborn:
        what = {"stop-start": "a stop and a start", "reboot": "a reboot"}[by]
        instead = "--by stop-start" if by == "reboot" else "--by aws, which drains it before"
        raise PreconditionFailed(
            f"{what} is not known to clear {', '.join(stubborn)} of {due.instance_id}. Ask AWS what it will "
            f"do, or take it {instead}. {NOTHING}"
        )


def refuse_what_aws_would_do_to_all(due: Sequence[Due]) -> None:
    """Refuse to leave it to AWS where no time is told, or where it may take several at once (C46)."""
    untold = [one.instance_id for one in due if any(not event.not_before for event in one.events)]
    if untold:
        raise PreconditionFailed(
            f"AWS does not say when it takes {' and '.join(untold)}, so nobody can be drained before. Take "
            f"it by --by stop-start. {NOTHING}"
        )
    for together in overlapping([(one.instance_id, event) for one in due for event in one.events]):
        if len(together.instance_ids) > 1:
            raise PreconditionFailed(
                f"AWS may take {' and '.join(together.instance_ids)} at once from {day(together.starts_at)}: "
                f"nobody would serve. Take them one after the other before that: --by stop-start; or move "
                f"them apart: --by move. {NOTHING}"
            )


# When ----------------------------------------------------------------------------------------------------


def window_in(request: ApplyRequest) -> Window | None:
    """Return the window that members may be worked on in; None for at any time, and where AWS chooses it."""
    is_bound = request.by in CLEARED_BY and not request.now
    return window_of(request.window) if is_bound and request.window else None


def begins_at(request: ApplyRequest, due: Sequence[Due], now: float) -> float:
    """Return when to begin: now, or where that is asked for, when the window opens.

    Raises:
        PreconditionFailed: it is outside of the window, or that would open too late.
    """
    window = window_in(request)
    if window is None:
        return now
    span = window.next(now)
    if span.is_at(now):
        return now
    first = min((event for one in due for event in one.events), key=due_of)
    is_late = due_of(first) <= span.begins
    if request.wait and not is_late:
        return span.begins
    late = f" AWS begins before that, at {day(first.not_before)}." if is_late else ""
    wait = "" if is_late else ", or wait for it with --wait"
    raise PreconditionFailed(
        f"now is outside of the maintenance window of {request.service}, {window.says}; the next is from "
        f"{day(span.begins)} to {day(span.ends)}.{late} Begin all the same with --now{wait}. {NOTHING}"
    )


def warnings_of(due: Sequence[Due], now: float) -> tuple[str, ...]:
    """Return who may be taken by AWS itself while another member has its turn."""
    return tuple(
        f"AWS may begin with {one.instance_id} before its turn is over: {listed(one.events[:1])}"
        for one in due
        if len(due) > 1 and due_of(one.events[0]) < now + TURN_SECONDS
    )


def moves_into(window: Window, due: Sequence[Due], now: float) -> tuple[EventMove, ...]:
    """Return which events are to begin at another time: in the window, no two members' at once (C46).

    Raises:
        PreconditionFailed: AWS moves one of them no more, or nothing is free before its deadline.
    """
    taken: list[tuple[str, float, float]] = []
    moves, stuck = [], []
    for one in due:
        for event in one.events:
            found = next(
                spans_for(event, window, now, [at for at in taken if at[0] != one.instance_id]), None
            )
            if found is None:
                stuck.append(f"{event.code} of {one.instance_id} ({why_not(event)})")
                continue
            taken.append((one.instance_id, *found))
            if found[0] != event.not_before:
                moves.append(EventMove(one.instance_id, event, found[0]))
    if stuck:
        raise PreconditionFailed(
            f"these cannot be moved into the window {window.says}: {'; '.join(stuck)}. Take them earlier: "
            f"--by stop-start --now. {NOTHING}"
        )
    return tuple(moves)


def why_not(event: MaintenanceEvent) -> str:
    """Return why an event has no place in a window."""
    if event.deadline <= event.not_before:
        return "AWS gives no deadline until which it could begin"
    return f"no free window before its deadline, {day(event.deadline)}"


def spans_for(
    event: MaintenanceEvent, window: Window, now: float, taken: Sequence[tuple[str, float, float]]
) -> Iterator[tuple[float, float]]:
    """Yield from when to when an event can be: where it is, if that is in the window, then in later ones."""
    spans = takewhile(lambda span: span.begins <= max(event.deadline, event.not_before), window.spans(now))
    for span in spans:
        begins = event.not_before if span.is_at(event.not_before) else span.begins
        is_allowed = now + EARLIEST_MOVE_SECONDS <= begins <= event.deadline
        if begins != event.not_before and not is_allowed:
            continue
        ends = begins + length_of(event, span)
        if all(ends <= other_begins or other_ends <= begins for _, other_begins, other_ends in taken):
            yield begins, ends


def length_of(event: MaintenanceEvent, span: Span) -> float:
    """Return how long an event may last; where AWS does not say, as long as the window."""
    ends = ends_at(event)
    return span.ends - span.begins if ends == NEVER else ends - event.not_before


# What it writes --------------------------------------------------------------------------------------------


def plan_apply(
    request: ApplyRequest,
    due: Sequence[Due],
    seats: Sequence[Sequence[tuple[Seat, Tags]]],
    dead_men: Sequence[DeadMan | None],
    token: str,
) -> Plan:
    """Return what the turns of all will write.

    Args:
        seats: where each serves, with the tags of each group.
        dead_men: what the cloud is asked to do for each where nobody comes back.
    """
    turns = [
        plan_take(one.instance_id, groups, token, dead_man)
        for one, groups, dead_man in zip(due, seats, dead_men, strict=True)
    ]
    calls: list[PlannedCall] = []
    for one, turn in zip(due, turns, strict=True):
        for call in turn.calls:
            if call.operation == "StopInstances":
                calls += before_a_stop(request.by, one.instance_id)
            calls.append(call)
    looks: list[PlannedCall] = []
    for look in (look for turn in turns for look in turn.looks):
        looks += [look] if look not in looks else []
    order = "; then ".join(f"{one.instance_id} ({listed(one.events)})" for one in due)
    return Plan(
        "apply",
        f"take what is announced for {request.service}, by {request.by}",
        ONE_AFTER_THE_OTHER,
        tuple(calls),
        details={"in turn": order, "window": request.window or "none is known: at any time"},
        looks=tuple(looks),
    )


def before_a_stop(by: str, instance_id: str) -> list[PlannedCall]:
    """Return what comes before a stop, which is made then only where that was not enough."""
    one = {"InstanceIds": [instance_id]}
    return [PlannedCall("ec2", "RebootInstances", one, f"reboot {instance_id}")] if by == "reboot" else []


def instant(moment: float) -> str:
    """Return a moment as AWS takes it."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


def plan_moves(service: str, moves: Sequence[EventMove]) -> Plan:
    """Return the writes that give events another time."""
    calls = tuple(
        PlannedCall(
            "ec2",
            "ModifyInstanceEventStartTime",
            {"InstanceId": one.instance_id, "InstanceEventId": one.event.id, "NotBefore": instant(one.to)},
            f"have {one.event.code} of {one.instance_id} begin at {day(one.to)}",
        )
        for one in moves
    )
    return Plan("apply", f"move what is announced for {service}", NOTHING_MOVES_MEMBERS, calls)
