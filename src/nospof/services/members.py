"""How the members of a service are: their state, what the balancer says, what clients have open there."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from nospof.model.cloud import TAG_SERVICE, Instance
from nospof.model.machine import InFlight
from nospof.model.members import MemberSeen, SeatSeen
from nospof.ports.world import World

LOOKS = 8
"""How many machines are looked at side by side."""


def members_seen(world: World, service: str, instance_ids: Sequence[str]) -> tuple[MemberSeen, ...]:
    """Return how the members of a service are now. Changes nothing.

    Args:
        service: whose target groups are asked, where any are marked as its own; else all behind balancers.
        instance_ids: its instances.

    Raises:
        CloudError: the cloud refused, or knows one of them no more.
    """
    cloud = world.cloud
    instances = [cloud.instance(one) for one in instance_ids]
    checks = {one.instance_id: one for one in cloud.instance_status(tuple(instance_ids))}
    used = [one for one in cloud.target_groups() if one.balancer_arns]
    own = [one for one in used if one.tags.get(TAG_SERVICE) == service]
    groups = [(group, cloud.targets(group.arn)) for group in own or used]

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
