"""How a drained member's announced events are taken: by a stop and a start, a reboot, or AWS itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

from nospof.audit.windows import ends_at
from nospof.model.cloud import Instance, MaintenanceEvent
from nospof.model.starts import DeadMan
from nospof.planning.applying import NEVER, due_of, listed
from nospof.ports.world import World
from nospof.procedures.clone import url_of
from nospof.procedures.data import leave_writes
from nospof.procedures.guarantee import is_impaired, promise
from nospof.procedures.maintain import move
from nospof.procedures.power import bring_back
from nospof.procedures.turn import MemberFacts, MemberSteps, live_events, serving_after_failure
from nospof.procedures.waiting import TimedOut, ask, wait_for

AHEAD_SECONDS = 900.0
"""So long before AWS begins a member is drained; a drain takes as long at most."""
OVERDUE_SECONDS = 2 * 3600.0
"""So long after the end that AWS told it is still waited for."""
LONGEST_WAIT_SECONDS = 400 * 86_400.0
BACK_SECONDS = 600.0
IMPAIRED_SECONDS = 120.0
"""A check may fail for a moment while a member boots; for so long it is no boot."""
SLOW_POLLS = 10
"""Nothing is off while AWS is waited for, and each look is a call."""
RENEW_SECONDS = 300.0
"""The promise has a deadline, after which others keep it; a wait for AWS may be longer."""

Fate = Literal["done", "moved"]


def have_taken(
    steps: MemberSteps, world: World, facts: MemberFacts, by: str, dead_man: DeadMan | None
) -> tuple[str, str]:
    """Have a drained member's events taken; return by which way, and what else is to be told."""
    instance_id, way, says = steps.instance_id, "stop-start", ""
    if by == "aws":
        fate = steps.do("wait until AWS has done it", wait_until_done, world, facts, steps.token, dead_man)
        if fate == "moved":
            return "", "AWS has put it off, so it was put back and nothing was done to it"
        is_back = steps.do("see that it comes back", comes_back, world, facts)
        way, says = "aws", "" if is_back else "it did not come back by itself, so it was stopped and started"
        if is_back:
            return way, says
    else:
        # Draining takes minutes, in which AWS may have called it off.
        events = steps.read("see whether it is still announced", live_events, world, instance_id)
        if not events:
            return "", "AWS called it off, so it was put back and nothing was done to it"
        says = moved_says(facts.events, events)
    if by == "reboot":
        is_back = steps.do("reboot it", reboot, world, facts, steps.token, dead_man)
        left = steps.read("see whether that was enough", live_events, world, instance_id)
        if is_back and not left:
            return "reboot", says
        why = "a reboot left it announced" if is_back else "it did not come back from its reboot"
        says = f"{why}, so it was stopped and started"
        world.reporter.warn(f"{instance_id}: {says}")
    steps.do("stop it and start it on other hardware", move, world, facts, steps.token, dead_man)
    return way, says


def moved_says(before: tuple[MaintenanceEvent, ...], after: tuple[MaintenanceEvent, ...]) -> str:
    """Return which events AWS has given another time since they were read."""
    times = {event.id: event.not_before for event in before}
    moved = [event for event in after if times.get(event.id, event.not_before) != event.not_before]
    return f"AWS has put it off meanwhile ({listed(moved)}); it was taken all the same" if moved else ""


# Done by a reboot --------------------------------------------------------------------------------------


def reboot(world: World, facts: MemberFacts, run_id: str, dead_man: DeadMan | None) -> bool:
    """Reboot a member; return whether it was seen to go down and to come back. A repeat reboots again.

    Its page tells: the member is drained, so nobody else asks for it. A reboot that nobody saw is none: the
    member might still be about to go down when it gets traffic again.
    """
    instance_id = facts.instance.id
    promise(world, instance_id, run_id, must_work=True, dead_man=dead_man)
    with serving_after_failure(world, facts):
        if facts.layout:  # draining takes minutes, in which the other one may have fallen behind
            leave_writes(world, instance_id, facts.layout)
        ask(lambda: world.cloud.reboot_instance(instance_id))
        try:
            wait_for(
                world,
                f"{instance_id} to go down",
                lambda: serves(world, facts),
                lambda does: not does,
                within_seconds=BACK_SECONDS,
                says=lambda _: "it still answers",
                is_off=True,
            )
        except TimedOut as error:
            world.reporter.warn(str(error))
            return False
        return comes_back(world, facts)


def comes_back(world: World, facts: MemberFacts) -> bool:
    """Have a member run, and wait until it works again; return whether it does."""
    instance_id = facts.instance.id
    impaired_at: list[float] = []

    def look() -> tuple[bool, bool]:
        return works(world, facts), is_impaired(world, world.cloud.instance(instance_id))

    def is_over(seen: tuple[bool, bool]) -> bool:
        does_work, seems_impaired = seen
        moment = world.clock.now()
        impaired_at[:] = [*impaired_at, moment][:1] if seems_impaired else []
        return does_work or bool(impaired_at and moment - impaired_at[0] >= IMPAIRED_SECONDS)

    with serving_after_failure(world, facts):
        bring_back(world, instance_id)
        try:
            does_work, _ = wait_for(
                world,
                f"{instance_id} to come back",
                look,
                is_over,
                within_seconds=BACK_SECONDS,
                says=lambda seen: "its status checks fail" if seen[1] else "it does not answer yet",
            )
        except TimedOut:
            return False
        return does_work


def works(world: World, facts: MemberFacts) -> bool:
    """Whether a member works, by its pages where they answer from here, else by its status checks."""
    if all(group.answer.status for group in facts.memberships):
        return serves(world, facts)
    return all(status.is_ok for status in world.cloud.instance_status((facts.instance.id,)))


def serves(world: World, facts: MemberFacts) -> bool:
    """Whether a member answers well wherever it is asked. A stop may have given it another address."""
    instance = world.cloud.instance(facts.instance.id)
    pages = [url_of(instance, group.port, urlsplit(group.answer.url).path) for group in facts.memberships]
    return all(world.probe.get(page, verify=False).is_good for page in pages)


# Done by AWS -------------------------------------------------------------------------------------------


def wait_for_aws(world: World, instance_id: str) -> float:
    """Wait until AWS is about to begin with a member, or has called all of it off; return when that was."""

    def is_near(events: tuple[MaintenanceEvent, ...]) -> bool:
        soon = world.clock.now() + AHEAD_SECONDS
        return not events or min(map(due_of, events)) <= soon

    wait_for(
        slowly(world),
        f"AWS to be about to begin with {instance_id}",
        lambda: live_events(world, instance_id),
        is_near,
        within_seconds=LONGEST_WAIT_SECONDS,
        says=lambda events: f"{listed(events)}; it serves until then",
    )
    return world.clock.now()


def wait_until_done(world: World, facts: MemberFacts, run_id: str, dead_man: DeadMan | None) -> Fate:
    """Keep a member drained until AWS is done with it or has put it off; return which.

    Where that does not come, it is put back as it was.
    """
    instance_id = facts.instance.id
    renewed_at = [-NEVER]

    def look() -> tuple[Instance, tuple[MaintenanceEvent, ...]]:
        if world.clock.now() - renewed_at[0] >= RENEW_SECONDS:
            promise(world, instance_id, run_id, must_work=True, dead_man=dead_man)
            renewed_at[0] = world.clock.now()
        return world.cloud.instance(instance_id), live_events(world, instance_id)

    def is_put_off(events: tuple[MaintenanceEvent, ...]) -> bool:
        return bool(events) and min(map(due_of, events)) > world.clock.now() + AHEAD_SECONDS

    def is_over(seen: tuple[Instance, tuple[MaintenanceEvent, ...]]) -> bool:
        instance, events = seen
        is_settled = instance.state in ("running", "stopped")
        return is_settled and (not events or instance.state == "stopped" or is_put_off(events))

    ends = [ends_at(event) for event in facts.events]
    latest = max(
        event.not_before if end == NEVER else end for event, end in zip(facts.events, ends, strict=True)
    )
    with serving_after_failure(world, facts):
        instance, events = wait_for(
            slowly(world),
            f"AWS to take {instance_id}",
            look,
            is_over,
            within_seconds=max(latest - world.clock.now(), 0) + OVERDUE_SECONDS,
            says=lambda seen: f"it is {seen[0].state}, and announced is {listed(seen[1])}",
        )
    return "moved" if instance.state == "running" and is_put_off(events) else "done"


def slowly(world: World) -> World:
    """Return the world as it is looked at while nothing is off."""
    return replace(world, poll_seconds=world.poll_seconds * SLOW_POLLS)
