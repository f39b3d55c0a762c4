"""Maintenance of one's own: a command on each member in turn, drained, with an image to go back to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nospof.errors import NospofError, PreconditionFailed, ProcedureFailed, UsageError
from nospof.model.cloud import TAG_SERVICE, Image, Instance
from nospof.model.maintaining import CommandState, RunRequest, RunResult, Turn
from nospof.model.plans import Plan
from nospof.planning.clone import refuse_what_another_run_holds
from nospof.planning.maintaining import (
    back_image_name,
    back_tags,
    plan_run,
    refuse_what_makes_no_sense,
    rules_of,
)
from nospof.planning.preflight import heed
from nospof.ports.running import Running
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.clone import REMOVE_IMAGE, wait_for_image
from nospof.procedures.data import leave_writes, reached, states_of
from nospof.procedures.guarantee import promise
from nospof.procedures.membership import leave
from nospof.procedures.off_section import image_while_off
from nospof.procedures.power import bring_back, stop
from nospof.procedures.rehearse import ask_first
from nospof.procedures.turn import (
    MemberFacts,
    MemberSteps,
    have_serve,
    member_facts,
    now,
    put_back,
    refuse_to_leave_the_service_alone,
    take_out,
)
from nospof.procedures.waiting import TimedOut, ask, wait_for

GRACE_SECONDS = 900.0
"""Beyond the command's own time: the machine itself ends it, and may be rebooting meanwhile."""
KNOWN_SECONDS = 60.0
REBOOT_SECONDS = 600.0
PATIENT_POLLS = 5
"""A command takes minutes, and each look at it is a command of its own."""


@dataclass(frozen=True)
class RunFacts:
    """The members in the order of their turns."""

    members: tuple[MemberFacts, ...]


def maintain_run(steps: Steps, world: World, request: RunRequest) -> RunResult:
    """Have each member do a command. Guarantee: one at a time, and each serves again when this ends."""
    refuse_what_makes_no_sense(request)
    facts = steps.read("look at the members and those beside them", run_facts, world, request)
    plan = plan_of(facts, request, steps.token)
    ask_first(steps, world, plan, plan.warnings)
    turns: tuple[Turn, ...] = ()
    for number, member in enumerate(facts.members):
        later = [one.instance.id for one in facts.members[number + 1 :]]
        of_member = MemberSteps(steps, member.instance.id)
        turns += (take_turn(of_member, world, member, request, standing(turns, later)),)
    return RunResult(request.service, request.command, turns)


def standing(turns: tuple[Turn, ...], later: list[str]) -> str:
    """Say who had a turn before, and who is still to have one."""
    done = f" Done before: {', '.join(one.instance_id for one in turns)}." if turns else ""
    return done + (f" Not begun: {', '.join(later)}." if later else "")


def take_turn(steps: Steps, world: World, facts: MemberFacts, request: RunRequest, others: str) -> Turn:
    """Work on one member and put it back.

    Args:
        others: what is told of them where it goes wrong.

    Raises:
        ProcedureFailed: the command did not end well, or the member did not get well after it.
    """
    instance_id, image_id = facts.instance.id, ""
    began = take_out(steps, world, facts)
    if not request.no_image:
        taken = steps.do(
            "take an image of it while it is off", image_of_member, world, facts, request, steps.token
        )
        advice = (
            f"{instance_id} runs and is out of service: put it back (nospof runs repair --yes), "
            f"{REMOVE_IMAGE} and begin a new run.{others}"
        )
        image_id = steps.do("wait until its image is available", wait_for_image, world, taken.id, advice).id
    came = steps.do("have it do the command", have_done, world, instance_id, request, steps.token)
    wrong = "" if came.is_good else f"the command on {instance_id} {came.how}\n"
    way_back = f" Go back to the image: nospof maintain back {steps.token} {instance_id}." if image_id else ""
    try:
        if came.is_good and request.reboot:
            steps.do("reboot it", reboot, world, instance_id, steps.token, came.boot)
        put_back(steps, world, facts)
    except NospofError as error:
        raise ProcedureFailed(
            f"{wrong}{instance_id} does not get well: {error}. It stays out of service.{others}"
            f"{way_back} Or mend it and resume"
        ) from error
    if wrong:
        raise ProcedureFailed(
            f"{wrong}{instance_id} answers well and is back in service.{others}"
            f"{way_back} Or mend what is wrong and begin a new run"
        )
    ended = steps.do("note the time", now, world)
    return Turn(instance_id, ended - began, image_id, came.lines)


# Looking and deciding ----------------------------------------------------------------------------


def run_facts(world: World, request: RunRequest) -> RunFacts:
    """Read everything the decision rests on, of all members before the first turn.

    Raises:
        UsageError: there is no such service.
        PreconditionFailed: its data is not in step, or a member is not reached.
    """
    found = world.cloud.instances(TAG_SERVICE, request.service)
    if not found:
        known = sorted({one.tags[TAG_SERVICE] for one in world.cloud.instances(TAG_SERVICE)})
        raise UsageError(
            f"no instance is marked as a member of {request.service}; known services: "
            f"{', '.join(known) or 'none; make one with nospof pair'}"
        )
    members = tuple(member_facts(world, one.id, request.path) for one in found)
    refuse_what_is_not_reached(world, found)
    # Whoever is written to comes last: its writes move once, and to one that had its turn.
    writer = next((seat for one in members if one.layout for seat in writers(world, one)), "")
    return RunFacts(tuple(sorted(members, key=lambda one: one.instance.id == writer)))


def refuse_what_is_not_reached(world: World, members: tuple[Instance, ...]) -> None:
    """Refuse where a member cannot be told to do anything."""
    unreached = [f"{one.id} ({says})" for one in members if (says := look(world, one.id, "none").problem)]
    if unreached:
        raise PreconditionFailed(
            f"Systems Manager does not reach into {' and '.join(unreached)}, so no command can be done "
            "there. See that the agent runs, and that the instance's role has AmazonSSMManagedInstanceCore. "
            "Nothing was changed."
        )


def writers(world: World, facts: MemberFacts) -> tuple[str, ...]:
    """Return who is written to among those who keep a member's data."""
    found = states_of(world, facts.layout) if facts.layout else ()
    return tuple(seat.instance_id for seat, state in found if state.role == "primary")


def plan_of(facts: RunFacts, request: RunRequest, token: str) -> Plan:
    """Return what will be written, with what should be known before.

    Raises:
        PreconditionFailed: a member must not be worked on; nobody is then.
    """
    if len(facts.members) < 2:
        raise PreconditionFailed(
            f"{facts.members[0].instance.id} is the only member of {request.service}: working on it is an "
            f"outage. Pair it first: nospof pair {facts.members[0].instance.id}. Nothing was changed."
        )
    warnings: dict[str, None] = {}
    for one in facts.members:
        refuse_what_another_run_holds(one.instance, token)
        refuse_to_leave_the_service_alone(one)
        warnings |= dict.fromkeys(heed(one.about, request, rules_of(request)))
    seats = [
        (one.instance.id, [(group, group.group_tags) for group in one.memberships]) for one in facts.members
    ]
    plan = plan_run(request, seats, token)
    return replace(plan, warnings=(*plan.warnings, *warnings))


# Working on a member -----------------------------------------------------------------------------


def image_of_member(world: World, facts: MemberFacts, request: RunRequest, run_id: str) -> Image:
    """Take the image of a drained member with its disks at rest, and have it running again.

    Draining is done again: whoever repeats this may find it put back. Where it fails the member serves on.
    """
    instance_id = facts.instance.id
    try:
        leave_unless_off(world, facts)
        name, tags = back_image_name(run_id, instance_id), back_tags(run_id, instance_id, request.service)
        taken = image_while_off(world, instance_id, name, tags, run_id, must_run=True)
        if taken.no_room:
            raise ProcedureFailed(f"{instance_id} has its image and could not be started: {taken.no_room}")
    except NospofError:
        bring_back(world, instance_id)
        have_serve(world, facts)
        raise
    return taken.image


def leave_unless_off(world: World, facts: MemberFacts) -> None:
    """Drain a member and have others take its writes, where it runs.

    A run that has just asked for its stop and died leaves one that reads as running for a moment. Then it had
    left both before.
    """
    instance_id = facts.instance.id
    if world.cloud.instance(instance_id).state != "running":
        return
    leave(world, instance_id, facts.memberships)
    try:
        if facts.layout:  # draining takes minutes, in which the others may have fallen behind
            leave_writes(world, instance_id, facts.layout)
    except NospofError:
        if world.cloud.instance(instance_id).state == "running":
            raise


def have_done(world: World, instance_id: str, request: RunRequest, run_id: str) -> CommandState:
    """Have a member do the command, and return how it ended; one that was begun is only waited for.

    Raises:
        ProcedureFailed: it could not be begun, or the machine does not know it any more.
        TimedOut: the machine did not tell, long after the command must have ended.
    """
    running = running_of(world)
    asked = (instance_id, run_id, request.command, request.timeout_seconds)
    begun = reached(world, instance_id, lambda: running.begin(*asked))
    if begun.problem:
        raise ProcedureFailed(f"the command could not be begun on {instance_id}: {begun.problem}")

    ends = world.clock.now() + KNOWN_SECONDS

    def is_over(state: CommandState) -> bool:
        is_unknown = state.state == "none" and world.clock.now() > ends
        if state.is_reached and (state.problem or is_unknown):
            why = state.problem or "it does not know it any more"
            raise ProcedureFailed(f"{instance_id} cannot tell what became of the command: {why}")
        return state.is_over

    return wait_for(
        replace(world, poll_seconds=world.poll_seconds * PATIENT_POLLS),
        f"the command on {instance_id}",
        lambda: running.state(instance_id, run_id),
        is_over,
        within_seconds=request.timeout_seconds + GRACE_SECONDS,
        says=lambda state: state.problem or (state.lines[-1] if state.lines else state.state),
    )


def reboot(world: World, instance_id: str, run_id: str, boot: str) -> str:
    """Reboot a member and wait until it is another boot; stop and start one that does not come back.

    Args:
        boot: the one it was in when its command had ended: where it is in another, that was it.

    Raises:
        ProcedureFailed, TimedOut: it does not answer after that either.
    """
    promise(world, instance_id, run_id, must_work=True)

    def wait_for_boot() -> str:
        return wait_for(
            world,
            f"{instance_id} to boot",
            lambda: look(world, instance_id, run_id),
            lambda state: state.is_reached and state.boot not in ("", boot),
            within_seconds=REBOOT_SECONDS,
            says=lambda state: state.problem or "not rebooted yet",
        ).boot

    found = look(world, instance_id, run_id)
    if found.is_reached and found.boot == boot:
        ask(lambda: world.cloud.reboot_instance(instance_id))
    try:
        return wait_for_boot()
    except TimedOut as error:
        world.reporter.warn(f"{error}; it is stopped and started")
    try:
        stop(world, instance_id)
    finally:
        bring_back(world, instance_id)
    return wait_for_boot()


def look(world: World, instance_id: str, token: str) -> CommandState:
    """Return how far a command of a machine is, which tells of its boot as well."""
    return running_of(world).state(instance_id, token)


def running_of(world: World) -> Running:
    """Return what has machines do commands. Raises PreconditionFailed: nobody can."""
    if world.running is None:
        raise PreconditionFailed("nobody here can reach into machines. Nothing was changed.")
    return world.running
