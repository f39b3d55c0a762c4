"""Rejoin: members that lost each other come together again, by those who have the most."""

from __future__ import annotations

from dataclasses import replace

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import TAG_SERVICE, Instance
from nospof.model.layout import TAG_ARBITRATOR, TAG_DATA, Engine, Layout
from nospof.model.plans import Plan, PlannedCall
from nospof.model.requests import RejoinRequest
from nospof.model.results import RejoinResult
from nospof.planning.data import cluster_of, out_of_step, seat_of, told_call
from nospof.planning.rejoin import Holding, plan_rejoin
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.clone import wait_until_ok
from nospof.procedures.data import (
    apply,
    bootstrap,
    databases_of,
    reached,
    states_of,
    wait_in_step,
)
from nospof.procedures.drill import restore
from nospof.procedures.guarantee import is_impaired
from nospof.procedures.rehearse import ask_first

SETTLE_SECONDS = 90.0
"""Members that all come back find each other by themselves, most of the time."""


def rejoin(steps: Steps, world: World, request: RejoinRequest) -> RejoinResult:
    """Bring a service's data in step. Guarantee: nobody begins with less than another has, throughout."""
    keepers = steps.read("look who keeps the data", keepers_of, world, request.service)
    off = steps.read("look who of them is off or hangs", out_of_order, world, keepers)
    plan = rejoin_calls(keepers, off)
    ask_first(steps, world, plan)
    left = next((one.id for one in keepers if TAG_DATA in one.tags and one not in off), "")
    for one in off if left else ():
        if one.state == "stopped" and TAG_DATA in one.tags:
            steps.do(f"have nobody wait for {one.id}", take_over, world, left, one.id)
    for one in off:
        steps.do(f"start {one.id}", restore, world, one.id)
        steps.do(f"wait until {one.id} passes its status checks", wait_until_ok, world, one.id)
    layout = steps.read("read who belongs together", layout_carried, world, keepers)
    refuse_those_that_are_no_more(layout, keepers)
    steps.read("wait whether they find each other", settle, world, layout)
    holdings = steps.read("ask each how far its data is", holdings_of, world, layout)
    decided = plan_rejoin(layout, holdings, request.begin)
    if decided.first:
        steps.do(f"have {decided.first} begin", bootstrap, world, decided.first)
    for instance_id in decided.joining:
        steps.do(f"have {instance_id} join", apply, world, instance_id, layout)
    states = steps.do("wait until all of it is in step", wait_in_step, world, layout)
    return RejoinResult(request.service, decided.first, states)


def rejoin_calls(keepers: tuple[Instance, ...], off: tuple[Instance, ...]) -> Plan:
    """Return the calls of a rejoin, as far as they are known before the members were asked."""
    starts = (
        PlannedCall("ec2", operation, {"InstanceIds": [one.id]}, f"{says} {one.id}")
        for one in off
        for operation, says in (("StopInstances", "stop"), ("StartInstances", "start"))
        if operation == "StartInstances" or one.state == "running"
    )
    acts = (
        replace(told_call(one.id, f"have {one.id} begin or join, if it is not in step"), is_allowed=False)
        for one in keepers
    )
    return Plan("rejoin", "bring the data in step", "nobody begins with less", (*starts, *acts))


def keepers_of(world: World, service: str) -> tuple[Instance, ...]:
    """Return the instances that keep a service's data, and who votes with them last.

    Raises:
        UsageError: nobody does.
    """
    cloud = world.cloud
    members = tuple(one for one in cloud.instances(TAG_SERVICE, service) if TAG_DATA in one.tags)
    if not members:
        known = sorted({one.tags.get(TAG_SERVICE, "") for one in cloud.instances(TAG_DATA)} - {""})
        raise UsageError(
            f"no data of {service} is kept in step by nospof; services whose data is: "
            f"{', '.join(known) or 'none'}"
        )
    return (*members, *cloud.instances(TAG_ARBITRATOR, service))


def out_of_order(world: World, keepers: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """Return those that do not run, or only seem to: their status checks fail."""
    return tuple(one for one in keepers if one.state != "running" or is_impaired(world, one))


def take_over(world: World, instance_id: str, gone: str) -> tuple[str, ...]:
    """Have a member that is left wait no longer for one that the cloud knows to be off; say where it does."""
    done = databases_of(world).fail_over(instance_id, gone)
    if done.problem:
        world.reporter.warn(f"{instance_id} goes on as it is: {done.problem}")
    return done.did


def refuse_those_that_are_no_more(layout: Layout, keepers: tuple[Instance, ...]) -> None:
    """Refuse to wait for a machine that was terminated: nothing brings it back."""
    there = {one.id for one in keepers}
    lost = [seat.instance_id for seat in layout.voters if seat.instance_id not in there]
    if lost:
        raise PreconditionFailed(
            f"{' and '.join(lost)} of {layout.cluster} are no more, so it cannot be whole again. Those that "
            "are left serve while they have most of the votes; go back to one (nospof data undo); pair again"
        )


def layout_carried(world: World, keepers: tuple[Instance, ...], *, or_marked: bool = False) -> Layout:
    """Return the layout that those who keep data carry.

    Args:
        keepers: as `keepers_of` returns them.
        or_marked: take what their marks say where none of them could be asked.

    Raises:
        PreconditionFailed: none of them could be asked, or they carry different ones.
    """
    databases = databases_of(world)
    members = [one.id for one in keepers if TAG_DATA in one.tags]
    asked = dict(zip(members, databases.several(databases.examine, members), strict=True))
    layouts = {one: found.layout for one, found in asked.items() if found.layout}
    silent = [
        f"{one}: {found.problem or 'it carries no layout'}"
        for one, found in asked.items()
        if not found.layout
    ]
    if not layouts and or_marked:
        return layout_marked(keepers)
    if not layouts:
        raise PreconditionFailed(f"nobody could say who keeps the data: {'; '.join(silent)}")
    voters = {tuple(sorted(one.address for one in layout.voters)) for layout in layouts.values()}
    if len(voters) > 1:
        raise PreconditionFailed(
            f"{' and '.join(layouts)} say differently who belongs to them: a run did not end; resume it "
            "(nospof runs list)"
        )
    return next(iter(layouts.values()))


def layout_marked(keepers: tuple[Instance, ...]) -> Layout:
    """Return who keeps data and who votes as their marks say."""
    members = [one for one in keepers if TAG_DATA in one.tags]
    arbitrator = next((one for one in keepers if one not in members), None)
    engine: Engine = "patroni" if members[0].tags[TAG_DATA] == "patroni" else "galera"
    return Layout(
        engine,
        cluster_of(members[0].tags[TAG_SERVICE]),
        tuple(seat_of(one) for one in members),
        seat_of(arbitrator) if arbitrator else None,
    )


def settle(world: World, layout: Layout) -> bool:
    """Wait whether members find each other by themselves; return whether they did."""
    ends = world.clock.now() + SETTLE_SECONDS
    while out_of_step(layout, states_of(world, layout)):
        if world.clock.now() >= ends:
            return False
        world.clock.sleep(world.poll_seconds)
    return True


def holdings_of(world: World, layout: Layout) -> tuple[Holding, ...]:
    """Return what each machine with a vote is, and how far the data of those that are down is."""
    databases = databases_of(world)
    found = []
    for seat in layout.voters:
        state = reached(world, seat.instance_id, lambda seat=seat: databases.state(seat.instance_id))  # type: ignore[misc]
        position = state.position
        if not state.ready and seat in layout.members:
            told = databases.position(seat.instance_id)
            position = next(iter(told.did), "") if not told.problem else ""
        found.append(Holding(seat, state, position))
    return tuple(found)
