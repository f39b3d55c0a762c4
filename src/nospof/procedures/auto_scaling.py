"""Keep an Auto Scaling group from acting on a member that is off, and let it act again afterwards.

The order is what matters: the member works, the group's mark says so, and only then may it replace again.
A group that finds the mark of the minute off, or a balancer that has not asked again yet, ends the member.
"""

from __future__ import annotations

from nospof.model.auto_scaling import AutoScalingGroup
from nospof.model.cloud import Target
from nospof.planning.auto_scaling import CHECK, REPLACE, is_well, to_suspend
from nospof.ports.world import World
from nospof.procedures.waiting import wait_for

WELL_SECONDS = 900.0


def group_of(world: World, instance_id: str) -> AutoScalingGroup | None:
    """Return the group an instance is a member of; one that is not listed any more has no members."""
    name = world.cloud.auto_scaling_group_of(instance_id)
    return (world.cloud.auto_scaling_group(name) or AutoScalingGroup(name, "")) if name else None


def seats_of(world: World, instance_id: str, group: AutoScalingGroup | None) -> tuple[Target, ...]:
    """Return how the balancers that a group asks for health find a member."""
    if group is None or "ELB" not in group.checks:
        return ()
    return tuple(
        seat
        for arn in group.target_group_arns
        for seat in world.cloud.targets(arn)
        if seat.instance_id == instance_id
    )


def processes_to_suspend(world: World, instance_id: str) -> tuple[str, tuple[str, ...]]:
    """Return the group of a member, and its processes that would act on it; nothing where there is none."""
    group = group_of(world, instance_id)
    processes = to_suspend(group, instance_id) if group else ()
    return (group.name, processes) if group and processes else ("", ())


def let_it_act(world: World, instance_id: str, name: str, processes: tuple[str, ...]) -> None:
    """Have a group act again once the member is well and marked so; what replaces comes last.

    Safe to repeat. A group that is gone, and a member that has left it, need nothing of it.

    Raises:
        TimedOut: the member is not well within the bound; the processes stay suspended.
    """
    group = world.cloud.auto_scaling_group(name)
    if group is None:
        return
    if group.member(instance_id):
        wait_until_well(world, instance_id, group, processes)
        if REPLACE in processes:
            world.cloud.mark_healthy(instance_id)
    for some in (tuple(one for one in processes if one != REPLACE), (REPLACE,)):
        if set(some) & set(processes):
            world.cloud.resume_processes(name, some)


def wait_until_well(
    world: World, instance_id: str, group: AutoScalingGroup, processes: tuple[str, ...]
) -> None:
    """Wait until the group would find nothing wrong with a member, were it to look."""

    def faults() -> tuple[str, ...]:
        statuses = world.cloud.instance_status((instance_id,))
        found = [
            f"instance {one.instance_check}, system {one.system_check}" for one in statuses if not one.is_ok
        ]
        seats = seats_of(world, instance_id, group) if CHECK in processes else ()
        found += [f"{one.state} at its balancer ({one.reason})" for one in seats if not is_well(one)]
        return tuple(found) if statuses else ("not listed yet",)

    wait_for(
        world,
        f"{instance_id} to be well before {group.name} acts again",
        faults,
        lambda found: not found,
        within_seconds=WELL_SECONDS,
        says="; ".join,
    )
