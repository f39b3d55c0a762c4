"""Put a member into a target group, and wait until the balancer itself finds it healthy."""

from __future__ import annotations

from nospof.model.cloud import Tags, Target
from nospof.ports.world import World
from nospof.procedures.waiting import wait_for

HEALTHY_SECONDS = 600.0


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
