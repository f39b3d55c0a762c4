"""Maintenance, one member at a time: drained, moved to other hardware, proved, put back."""

from __future__ import annotations

from nospof.errors import PreconditionFailed
from nospof.model.cloud import Instance
from nospof.model.requests import TakeRequest
from nospof.model.results import TakeResult
from nospof.model.starts import DeadMan
from nospof.planning.clone import refuse_what_another_run_holds
from nospof.planning.dead_man import dead_man_of, refuse_a_time_that_makes_no_sense
from nospof.planning.members import plan_take
from nospof.planning.preflight import TAKE_RULES, heed
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.data import leave_writes
from nospof.procedures.dead_man import kept_ahead
from nospof.procedures.guarantee import promise
from nospof.procedures.power import bring_back, stop
from nospof.procedures.rehearse import ask_first
from nospof.procedures.turn import (
    MemberFacts,
    live_events,
    member_facts,
    now,
    put_back,
    refuse_to_leave_the_service_alone,
    serving_after_failure,
    take_out,
)

MOVED_BY_STOP_AND_START = frozenset(
    {"instance-reboot", "system-reboot", "system-maintenance", "instance-retirement", "instance-stop"}
)
"""The announced events that a stop and a start clears, because the instance moves to another host."""


def take(steps: Steps, world: World, request: TakeRequest) -> TakeResult:
    """Take a member's announced events early. Guarantee: it is running and serves again at the end."""
    refuse_a_time_that_makes_no_sense(request.dead_man_seconds)
    asked = (request.instance_id, request.path, request.dead_man_seconds, request.dead_man_role)
    facts = steps.read("look at the member and those beside it", member_facts, world, *asked)
    refuse_what_another_run_holds(facts.instance, steps.token)
    refuse_to_leave_the_service_alone(facts)
    refuse_what_a_stop_does_not_clear(facts)
    warnings = heed(facts.about, request, TAKE_RULES)
    instance = facts.instance
    dead_man = dead_man_of(facts.about, request.dead_man_seconds)
    groups = [(one, one.group_tags) for one in facts.memberships]
    plan = plan_take(instance.id, groups, steps.token, dead_man)
    ask_first(steps, world, plan, warnings)
    began = take_out(steps, world, facts, dead_man)
    steps.do("stop it and start it on other hardware", move, world, facts, steps.token, dead_man)
    put_back(steps, world, facts)
    left = steps.do("see which events are left", live_events, world, instance.id)
    ended = steps.do("note the time", now, world)
    cleared = {event.id for event in facts.events} - {event.id for event in left}
    return TakeResult(instance.id, ended - began, tuple(sorted(cleared)))


def refuse_what_a_stop_does_not_clear(facts: MemberFacts) -> None:
    """Refuse where a stop and a start would gain nothing."""
    instance = facts.instance
    if not facts.events:
        raise PreconditionFailed(
            f"no maintenance is announced for {instance.id}, so there is none to take. Nothing was changed."
        )
    stubborn = [event.code for event in facts.events if event.code not in MOVED_BY_STOP_AND_START]
    if stubborn:
        raise PreconditionFailed(
            f"a stop and a start is not known to clear {', '.join(stubborn)} of {instance.id}. Ask AWS what "
            "it will do, and wait for its window. Nothing was changed."
        )


def move(world: World, facts: MemberFacts, run_id: str, dead_man: DeadMan | None = None) -> Instance:
    """Stop and start: on AWS this is what moves an instance off its host (C44).

    The guarantee is written again: a keeper may have kept and released it before this run was resumed.
    Where the stop is refused or does not end, the member is put back as it was.
    """
    instance_id = facts.instance.id
    promise(world, instance_id, run_id, must_work=True, dead_man=dead_man)
    world = kept_ahead(world, instance_id, run_id, dead_man)
    with serving_after_failure(world, facts):
        # Draining takes minutes, in which the other one may have fallen behind.
        if facts.layout and world.cloud.instance(instance_id).state == "running":
            leave_writes(world, instance_id, facts.layout)
        try:
            stop(world, instance_id)
        finally:
            instance = bring_back(world, instance_id)
    return instance
