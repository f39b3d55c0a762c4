"""Who of a fleet goes when: what is announced, or everybody, in waves and in windows. Changes nothing."""

from __future__ import annotations

from itertools import groupby

from nospof.model.news import FleetPlan, PlannedTurn, PlannedWave
from nospof.planning.fleet import NEVER, Turn, timetable
from nospof.planning.upkeep import (
    Policy,
    Subject,
    limits_of,
    sizes_of,
    subjects_of,
    why_never,
    with_those_out,
)
from nospof.ports.world import World
from nospof.services.events import seen_in
from nospof.services.turns import out_of, watched


def fleet_plan(world: World, policy: Policy, *, everybody: bool = False) -> FleetPlan:
    """Return who goes when.

    Args:
        everybody: all members, not only those for whom something is announced.

    Raises:
        CloudError: it could not be read.
        UsageError: a service that is named is not there.
    """
    instances = {one.id: one for one in world.cloud.instances()}
    seen = seen_in(world, "", instances, with_crews=True)
    watched(policy.services, seen)
    seen = with_those_out(seen, out_of(seen))
    subjects = subjects_of(seen, policy.services, everybody=everybody)
    sizes = sizes_of(seen.crews)
    held = tuple(why for one in subjects if (why := why_never(one, sizes)))
    able = {one.member.instance_id: one for one in subjects if not why_never(one, sizes)}
    turns = timetable(
        [one.member for one in able.values()],
        limits_of(seen, policy.cap),
        policy.windows,
        seen.read_at,
        policy.turn_seconds,
    )
    waves = tuple(
        PlannedWave(span.begins, span.ends, tuple(planned(one, able) for one in wave))
        for span, wave in groupby((one for one in turns if one.span), lambda one: one.span)
        if span
    )
    return FleetPlan(
        seen.place,
        seen.read_at,
        policy.turn_seconds,
        waves,
        never=tuple(planned(one, able) for one in turns if one.span is None),
        held=held,
        no_window=tuple(
            sorted({name for one in able.values() for name in one.member.services} - {*policy.windows})
        ),
    )


def planned(turn: Turn, able: dict[str, Subject]) -> PlannedTurn:
    """Return a turn as it is shown."""
    member = turn.member
    return PlannedTurn(
        member.instance_id,
        member.services,
        member.zone,
        tuple(event.code for event in able[member.instance_id].events),
        0.0 if member.due == NEVER else member.due,
        turn.is_late,
    )
