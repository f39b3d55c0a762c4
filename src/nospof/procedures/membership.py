"""Put a member into a target group until the balancer finds it healthy; and take it out, drained."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

from nospof.errors import NospofError, ProcedureFailed
from nospof.model.cloud import TAG_DRAINED, Seat, Tags, Target
from nospof.model.machine import InFlight
from nospof.planning.pair_rules import TAG_LENGTH
from nospof.ports.machine import Traffic
from nospof.ports.world import World
from nospof.procedures.waiting import TimedOut, wait_for

HEALTHY_SECONDS = 600.0
DRAIN_SECONDS = 900.0
"""Longer than the deregistration delay people set; AWS's own default is 300 s."""
QUIET_SECONDS = 60.0
"""How long requests may still be in flight once the balancer has let go of a member."""


def register(world: World, group_arn: str, instance_id: str, port: int) -> str:
    """Put an instance into the group."""
    world.cloud.register(group_arn, instance_id, port)
    return instance_id


def wait_healthy(world: World, group_arn: str, instance_ids: tuple[str, ...]) -> tuple[Target, ...]:
    """Wait until the balancer itself finds every one of these healthy."""

    def are_healthy(targets: tuple[Target, ...]) -> bool:
        return {target.instance_id for target in targets if target.is_healthy} >= set(instance_ids)

    return wait_for(
        world,
        f"{' and '.join(instance_ids)} to be healthy",
        lambda: world.cloud.targets(group_arn),
        are_healthy,
        within_seconds=HEALTHY_SECONDS,
        says=lambda targets: "; ".join(
            f"{target.instance_id} {target.state} {target.reason} {target.description}".strip()
            for target in targets
        ),
    )


def mark(world: World, instance_ids: tuple[str, ...], tags: Tags) -> tuple[str, ...]:
    """Tag the members, so that the audit and later runs know them."""
    for instance_id in instance_ids:
        world.cloud.tag(instance_id, tags)
    return instance_ids


def leave(world: World, instance_id: str, seats: Sequence[Seat]) -> str:
    """Drain a member; where it belongs stands on it meanwhile, for whoever finds it after our death."""
    places = " ".join(f"{seat.group_name}:{seat.port}" for seat in seats)
    world.cloud.tag(instance_id, {TAG_DRAINED: shorten(places, TAG_LENGTH, placeholder="")})
    try:
        drain(world, seats)
    except NospofError:
        world.cloud.untag(instance_id, (TAG_DRAINED,))
        raise
    if world.traffic:
        for port in dict.fromkeys(seat.port for seat in seats):
            wait_quiet(world, world.traffic, instance_id, port)
    return instance_id


def drain(world: World, seats: Sequence[Seat]) -> None:
    """Take a member out of its groups, wait until nothing of it is left there (C75), or put it back.

    One step for all groups: out of some and in the others would be neither drained nor serving. That
    others serve is looked at again here and at the end, for what was read first may be long ago.

    Raises:
        TimedOut, CloudError, ProcedureFailed: after it was put back.
    """
    try:
        for seat in seats:
            refuse_last_one(world, seat)
            world.cloud.deregister(seat.group_arn, seat.target_id, seat.port)
            refuse_last_one(world, seat)  # somebody else may be draining the other one
        for seat in seats:
            wait_drained(world, seat)
            refuse_last_one(world, seat)
    except NospofError:
        for seat in seats:
            register(world, seat.group_arn, seat.target_id, seat.port)
        raise


def refuse_last_one(world: World, seat: Seat) -> None:
    """Raise when nobody else is healthy in the group now."""
    targets = world.cloud.targets(seat.group_arn)
    if not any(target.is_healthy for target in targets if target.instance_id != seat.target_id):
        raise ProcedureFailed(
            f"no other member of {seat.group_name} is healthy any more, so {seat.target_id} stays in it. "
            "Mend the others and resume"
        )


def wait_drained(world: World, seat: Seat) -> None:
    """Wait until the balancer has let go of the member."""

    def mine(targets: tuple[Target, ...]) -> list[Target]:
        member = (seat.target_id, seat.port)
        return [t for t in targets if (t.instance_id, t.port) == member and t.state != "unused"]

    wait_for(
        world,
        f"{seat.target_id} to be drained from {seat.group_name}",
        lambda: world.cloud.targets(seat.group_arn),
        lambda targets: not mine(targets),
        within_seconds=DRAIN_SECONDS,
        says=lambda targets: ", ".join(target.state for target in mine(targets)),
    )


def wait_quiet(world: World, traffic: Traffic, instance_id: str, port: int) -> None:
    """Wait until nobody waits for an answer at a member's port, as the member itself sees it (C75).

    The balancer's word says that it sends no more, and not that all was answered: at the end of its delay it
    gives up what is in flight, and some clients never came through it. Connections that only stand open are
    left: nothing is lost with them, and what watches a machine holds some for ever. Where requests do not
    end, or nobody can tell, that is said, and the balancer's word has to do.
    """

    def says(seen: InFlight) -> str:
        return f"{seen.requests} of {seen.requests + seen.idle} connections wait for it"

    try:
        seen = wait_for(
            world,
            f"requests in flight at port {port} of {instance_id} to end",
            lambda: traffic.in_flight(instance_id, port),
            lambda seen: bool(seen.problem) or not seen.requests,
            within_seconds=QUIET_SECONDS,
            says=says,
        )
    except TimedOut as error:
        world.reporter.warn(f"{error}; the balancer has let go of {instance_id}, so it is taken all the same")
        return
    if seen.problem:
        world.reporter.warn(
            f"not checked: whether requests are still in flight at port {port} of {instance_id} "
            f"({seen.problem}); the balancer has let go of it"
        )
