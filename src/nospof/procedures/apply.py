"""Announced maintenance of a service, one member at a time: out of it, taken, proved, and back in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nospof.audit.windows import day
from nospof.errors import NospofError, PreconditionFailed, ProcedureFailed, UsageError
from nospof.model.applying import ApplyRequest, ApplyResult, Due, EventMove, MemberTaken
from nospof.model.cloud import TAG_SERVICE, Instance, InstanceStatus
from nospof.model.plans import Plan
from nospof.model.window import window_of
from nospof.planning.applying import (
    NOTHING,
    begins_at,
    in_turn,
    listed,
    moves_into,
    plan_apply,
    plan_moves,
    refuse_a_wish_that_makes_no_sense,
    refuse_what_aws_would_do_to_all,
    refuse_what_this_does_not_clear,
    warnings_of,
    window_in,
)
from nospof.planning.clone import refuse_what_another_run_holds
from nospof.planning.dead_man import dead_man_of, refuse_a_time_that_makes_no_sense
from nospof.planning.preflight import TAKE_RULES, heed
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.data import states_of
from nospof.procedures.rehearse import ask_first
from nospof.procedures.taking import have_taken, wait_for_aws
from nospof.procedures.turn import (
    MemberFacts,
    MemberSteps,
    live_events,
    member_facts,
    now,
    put_back,
    refuse_to_leave_the_service_alone,
    take_out,
)


@dataclass(frozen=True)
class ApplyFacts:
    """What is announced for a service, by member in turn, and what each turn's decision rests on.

    `members` are as long as `due`, and empty where nobody has to leave the service.
    """

    due: tuple[Due, ...]
    members: tuple[MemberFacts, ...]
    read_at: float


@dataclass(frozen=True)
class Decided:
    """What is to be written, what should be known before, and when to begin."""

    plan: Plan
    warnings: tuple[str, ...] = ()
    begins: float = 0.0
    moves: tuple[EventMove, ...] = ()


def apply(steps: Steps, world: World, request: ApplyRequest) -> ApplyResult:
    """Take what is announced for a service. Guarantee: one at a time, each serves again when this ends."""
    asked = (world, request, steps.token)
    facts = steps.read("look at the service and what is announced for it", apply_facts, *asked)
    if not facts.due:
        return ApplyResult(request.service)
    decided = decide(facts, request, steps.token)
    if decided.begins > facts.read_at:
        steps.read("wait until the maintenance window opens", wait_for_window, world, request)
        facts = steps.read("look at the service again", apply_facts, *asked)
        if not facts.due:
            return ApplyResult(request.service)
        decided = decide(facts, request, steps.token)
    ask_first(steps, world, decided.plan, decided.warnings)
    if request.by == "move":
        return move_events(steps, world, request, facts, decided.moves)
    taken: tuple[MemberTaken, ...] = ()
    for number, one in enumerate(facts.due):
        try:
            taken += (take_turn(MemberSteps(steps, one.instance_id), world, request, is_first=not number),)
        except NospofError as error:
            raise with_what_is_left(error, taken, facts.due[number + 1 :]) from error
    return ApplyResult(request.service, taken)


def with_what_is_left(
    error: NospofError, taken: tuple[MemberTaken, ...], later: tuple[Due, ...]
) -> NospofError:
    """Return the failure of one member's turn with who had one before, and who is left as he is."""
    done = [one.instance_id for one in taken]
    left = [f"{one.instance_id} ({listed(one.events)})" for one in later]
    if not (done or left) or (isinstance(error, PreconditionFailed) and not done):
        return error
    said = str(error).removesuffix(NOTHING).rstrip(". ")
    said += f". Taken before: {', '.join(done)}" if done else ""
    return ProcedureFailed(said + (f". Not begun, and serving: {', '.join(left)}" if left else ""))


# Looking and deciding --------------------------------------------------------------------------------


def apply_facts(world: World, request: ApplyRequest, run_id: str) -> ApplyFacts:
    """Read what is announced, and everything that decides whether those members may be worked on.

    Raises:
        UsageError: there is no such service, or the request contradicts itself.
        PreconditionFailed: its data is not in step, or files are not mounted.
    """
    refuse_a_wish_that_makes_no_sense(request)
    refuse_a_time_that_makes_no_sense(request.dead_man_seconds)
    ids = tuple(one.id for one in members_of(world, request.service))
    statuses: tuple[InstanceStatus, ...] = world.cloud.instance_status(ids)
    due = [Due(one.instance_id, tuple(event for event in one.events if event.is_live)) for one in statuses]
    ordered, read_at = in_turn(due), world.clock.now()
    if request.by == "move" or not ordered:
        return ApplyFacts(ordered, (), read_at)
    found = {one.instance_id: facts_of(world, request, one.instance_id, run_id) for one in ordered}
    writers = {seat for one in found.values() for seat in writers_beside(world, one)}
    ordered = in_turn([replace(one, is_writer=one.instance_id in writers) for one in ordered])
    return ApplyFacts(ordered, tuple(found[one.instance_id] for one in ordered), read_at)


def members_of(world: World, service: str) -> tuple[Instance, ...]:
    """Return the instances that serve a service, by id: of groups that have its name, or marked with it.

    Raises:
        UsageError: there is none.
    """
    names: set[str] = set()
    found: dict[str, Instance] = {}
    instances = world.cloud.instances()
    for group in world.cloud.target_groups():
        by_target = {group.target_id(one): one for one in instances}
        there = [
            by_target[one.instance_id]
            for one in world.cloud.targets(group.arn)
            if one.instance_id in by_target
        ]
        name = group.tags.get(TAG_SERVICE) or group.name
        names |= {name, *(one.tags[TAG_SERVICE] for one in there if TAG_SERVICE in one.tags)}
        found |= {one.id: one for one in there if service in (name, one.tags.get(TAG_SERVICE))}
    if not found:
        raise UsageError(
            f"nobody behind a balancer serves {service}; known services: "
            f"{', '.join(sorted(names)) or 'none; make one with nospof pair'}"
        )
    return tuple(found[one] for one in sorted(found))


def facts_of(world: World, request: ApplyRequest, instance_id: str, run_id: str) -> MemberFacts:
    """Read what decides whether a member may be worked on."""
    dead_man = (request.dead_man_seconds, request.dead_man_role)
    return member_facts(world, instance_id, request.path, *dead_man, run_id)


def writers_beside(world: World, facts: MemberFacts) -> tuple[str, ...]:
    """Return who is written to among those who keep a member's data."""
    found = states_of(world, facts.layout) if facts.layout else ()
    return tuple(seat.instance_id for seat, state in found if state.role == "primary")


def decide(facts: ApplyFacts, request: ApplyRequest, token: str, *, is_plan: bool = False) -> Decided:
    """Decide about all members before anything is written.

    Args:
        is_plan: only show it: that it is outside of the window is told then, and not refused.

    Raises:
        PreconditionFailed: a member must not be worked on, or not now.
    """
    if request.by == "move":
        moves = moves_into(window_of(request.window), facts.due, facts.read_at)
        return Decided(plan_moves(request.service, moves), moves=moves)
    warnings = dict.fromkeys(warnings_of(facts.due, facts.read_at))
    for due, one in zip(facts.due, facts.members, strict=True):
        warnings |= dict.fromkeys(refuse_member(one, request, token))
        refuse_what_this_does_not_clear(request.by, due)
    if request.by == "aws":
        refuse_what_aws_would_do_to_all(facts.due)
    begins = facts.read_at
    try:
        begins = begins_at(request, facts.due, facts.read_at)
    except PreconditionFailed as error:
        if not is_plan:
            raise
        warnings[f"refused now: {error}"] = None
    seats = [[(group, group.group_tags) for group in one.memberships] for one in facts.members]
    dead_men = [dead_man_of(one.about, request.dead_man_seconds) for one in facts.members]
    plan = plan_apply(request, facts.due, seats, dead_men, token)
    return Decided(replace(plan, warnings=tuple(warnings)), tuple(warnings), begins)


def refuse_member(facts: MemberFacts, request: ApplyRequest, token: str) -> tuple[str, ...]:
    """Refuse a member that must not be worked on; return what should be known."""
    refuse_what_another_run_holds(facts.instance, token)
    refuse_to_leave_the_service_alone(facts)
    if request.by == "reboot" and not all(group.answer.status for group in facts.memberships):
        raise PreconditionFailed(
            f"{facts.instance.id} cannot be asked for a page from here, so nobody could tell when its reboot "
            f"is over. Take it --by stop-start, or run nospof where it can be reached. {NOTHING}"
        )
    return heed(facts.about, request, TAKE_RULES)


def apply_plan(world: World, request: ApplyRequest, token: str) -> Plan:
    """Return what would be done now."""
    facts = apply_facts(world, request, token)
    if facts.due:
        return decide(facts, request, token, is_plan=True).plan
    return Plan("apply", f"nothing, for nothing is announced for {request.service}", "nothing is changed", ())


# When ------------------------------------------------------------------------------------------------


def wait_for_window(world: World, request: ApplyRequest) -> float:
    """Wait until the service may be worked on; return when that was."""
    window = window_of(request.window)
    while not (span := window.next(world.clock.now())).is_at(world.clock.now()):
        world.reporter.progress(
            f"waiting for the maintenance window of {request.service}, {day(span.begins)}"
        )
        world.clock.sleep(min(world.poll_seconds, span.begins - world.clock.now()))
    return world.clock.now()


def see_that_the_window_is_open(world: World, request: ApplyRequest, instance_id: str) -> float:
    """Wait for the window where that was asked for, else see that it is open; return when that was.

    Raises:
        ProcedureFailed: it has closed since the run began.
    """
    window = window_in(request)
    span = window.next(world.clock.now()) if window else None
    if span is None or span.is_at(world.clock.now()):
        return world.clock.now()
    if request.wait:
        return wait_for_window(world, request)
    raise ProcedureFailed(
        f"the maintenance window of {request.service} is over, so {instance_id} is left as it is, and "
        f"serves. The next is from {day(span.begins)}: resume then, or begin at once with: "
        f"nospof maintain apply {request.service} --now"
    )


# A member's turn -------------------------------------------------------------------------------------


def take_turn(steps: MemberSteps, world: World, request: ApplyRequest, *, is_first: bool) -> MemberTaken:
    """Take one member's events while the others serve, and put it back."""
    instance_id = steps.instance_id
    if window_in(request) and not is_first:
        steps.do("wait until the window is open", see_that_the_window_is_open, world, request, instance_id)
    if request.by == "aws":
        steps.read("wait until AWS is about to begin", wait_for_aws, world, instance_id)
    see = steps.read if is_first else steps.do
    facts = see(
        "see that it may leave its service", see_that_it_may_leave, world, request, instance_id, steps.token
    )
    if not facts.events:
        return MemberTaken(instance_id, says="nothing is announced for it any more, so it was left as it is")
    dead_man = dead_man_of(facts.about, request.dead_man_seconds)
    began = take_out(steps, world, facts, dead_man)
    way, says = have_taken(steps, world, facts, request.by, dead_man)
    put_back(steps, world, facts)
    left = {event.id for event in steps.do("see which events are left", live_events, world, instance_id)}
    ended = steps.do("note the time", now, world)
    cleared = tuple(event.id for event in facts.events if event.id not in left)
    return MemberTaken(instance_id, way, cleared, tuple(sorted(left)), ended - began, says)


def see_that_it_may_leave(world: World, request: ApplyRequest, instance_id: str, run_id: str) -> MemberFacts:
    """Look at a member whose turn it is, as it is now, and refuse again what was refused before.

    Raises:
        PreconditionFailed, ProcedureFailed: it must not leave its service now.
    """
    facts = facts_of(world, request, instance_id, run_id)
    if facts.events:
        refuse_member(facts, request, run_id)
        refuse_what_this_does_not_clear(request.by, Due(instance_id, facts.events))
    return facts


# At another time -----------------------------------------------------------------------------------------


def move_events(
    steps: Steps, world: World, request: ApplyRequest, facts: ApplyFacts, moves: tuple[EventMove, ...]
) -> ApplyResult:
    """Have events begin in the window; nobody leaves the service for that."""
    for one in moves:
        MemberSteps(steps, one.instance_id).do(f"move {one.event.id}", move_event, world, one)
    return ApplyResult(request.service, tuple(moved(due, moves) for due in facts.due))


def move_event(world: World, move: EventMove) -> float:
    """Have an event begin at another time; return which."""
    world.cloud.move_event(move.instance_id, move.event.id, move.to)
    return move.to


def moved(due: Due, moves: tuple[EventMove, ...]) -> MemberTaken:
    """Return what came of a member whose events were to be moved."""
    left = tuple(event.id for event in due.events)
    to = [f"{one.event.code} is now at {day(one.to)}" for one in moves if one.instance_id == due.instance_id]
    says = "; ".join(to) or "what is announced for it is in the window already"
    return MemberTaken(due.instance_id, "move" if to else "", (), left, says=says)
