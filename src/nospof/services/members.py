"""How the members of a service are: their state, what the balancer says, what clients have open there."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from nospof.model.cloud import Instance
from nospof.model.machine import InFlight
from nospof.model.members import MemberSeen, SeatSeen
from nospof.ports.world import World

LOOKS = 8
"""How many machines are looked at side by side."""


def members_seen(world: World, instance_ids: Sequence[str]) -> tuple[MemberSeen, ...]:
    """Return how members are now. Changes nothing.

    Args:
        instance_ids: who.

    Raises:
        CloudError: the cloud refused, or knows one of them no more.
    """
    cloud = world.cloud
    instances = [cloud.instance(one) for one in instance_ids]
    checks = {one.instance_id: one for one in cloud.instance_status(tuple(instance_ids))}
    groups = [(group, cloud.targets(group.arn)) for group in cloud.target_groups()]

    def seen(instance: Instance) -> MemberSeen:
        seats = tuple(
            SeatSeen(group.name, target.port, target.state, target.reason)
            for group, targets in groups
            for target in targets
            if target.instance_id == group.target_id(instance)
        )
        status = checks.get(instance.id)
        told = "not told" if status is None else worse(status.instance_check, status.system_check)
        traffic = open_at(world, instance, seats)
        return MemberSeen(instance.id, instance.zone, instance.state, told, seats, traffic)

    with ThreadPoolExecutor(LOOKS) as pool:
        return tuple(pool.map(seen, instances))


def worse(one: str, other: str) -> str:
    """Return the check that is not ok, else ok."""
    return one if one != "ok" else other


def open_at(world: World, instance: Instance, seats: tuple[SeatSeen, ...]) -> InFlight | None:
    """Return what clients have open at a member that runs; None where nobody can look."""
    if world.traffic is None or not seats or instance.state != "running":
        return None
    return world.traffic.in_flight(instance.id, seats[0].port)
