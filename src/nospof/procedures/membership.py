"""Put a member into a target group until the balancer finds it healthy; and take it out, drained."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

from nospof.errors import NospofError, ProcedureFailed
from nospof.model.cloud import TAG_DRAINED, Seat, Tags, Target
from nospof.planning.pair_rules import TAG_LENGTH
from nospof.ports.world import World
from nospof.procedures.waiting import wait_for

HEALTHY_SECONDS = 600.0
DRAIN_SECONDS = 900.0
"""Longer than the deregistration delay people set; AWS's own default is 300 s."""


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
