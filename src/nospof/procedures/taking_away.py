"""Take away what a run made, and nothing else: each thing only while it carries the run's tag."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from nospof.errors import CloudError
from nospof.model.cloud import TAG_RUN, Tags
from nospof.ports.cloud import Cloud
from nospof.ports.world import World
from nospof.procedures.rehearse import IN_USE
from nospof.procedures.waiting import wait_for

GONE_SECONDS = 1200.0
"""The interfaces of a deleted balancer hold its security group for some minutes."""


def is_of(tags: Tags, run_id: str) -> bool:
    """Whether the tags say that a run made it."""
    return tags.get(TAG_RUN) == run_id


MADE_BY: dict[str, Callable[[Cloud, str], Iterable[str]]] = {
    "load balancer": lambda cloud, run: (one.arn for one in cloud.load_balancers() if is_of(one.tags, run)),
    "target group": lambda cloud, run: (one.arn for one in cloud.target_groups() if is_of(one.tags, run)),
    "instance": lambda cloud, run: (one.id for one in cloud.instances(TAG_RUN, run)),
    "image": lambda cloud, run: (one.id for one in cloud.images(TAG_RUN, run)),
    "snapshot": lambda cloud, run: (one.id for one in cloud.snapshots(TAG_RUN, run)),
    "placement group": lambda cloud, run: (
        one.name for one in cloud.placement_groups() if is_of(one.tags, run)
    ),
    "security group": lambda cloud, run: (one.id for one in cloud.security_groups(TAG_RUN, run)),
}
"""How the things of each kind that carry a run's tag are found, by id, ARN or name."""

DELETES: dict[str, Callable[[Cloud, str], None]] = {
    "load balancer": lambda cloud, arn: cloud.delete_load_balancer(arn),
    "target group": lambda cloud, arn: cloud.delete_target_group(arn),
    "instance": lambda cloud, instance_id: cloud.terminate_instance(instance_id),
    "image": lambda cloud, image_id: cloud.deregister_image(image_id),
    "snapshot": lambda cloud, snapshot_id: cloud.delete_snapshot(snapshot_id),
    "placement group": lambda cloud, name: cloud.delete_placement_group(name),
    "security group": lambda cloud, group_id: cloud.delete_security_group(group_id),
}


def take_away(
    world: World,
    kind: str,
    things: Mapping[str, str],
    run_id: str,
    within_seconds: float = GONE_SECONDS,
) -> tuple[str, ...]:
    """Take things of one kind away and wait until they are gone; return what went, in words.

    Whatever still needs a thing is waited out. Safe to repeat.

    Args:
        kind: a key of `MADE_BY`.
        things: what to call each, by its id.
        run_id: whose they are; one that does not carry its tag now is left alone.
        within_seconds: how long each is waited for.

    Raises:
        TimedOut: something needs it still.
        CloudError: it is protected, or may not be taken away.
    """
    return tuple(
        f"{kind} {called}"
        for thing, called in things.items()
        if _take_one_away(world, kind, (thing, called), run_id, within_seconds)
    )


def _take_one_away(
    world: World, kind: str, named: tuple[str, str], run_id: str, within_seconds: float
) -> bool:
    """Ask for a thing's end until the cloud has taken that on, and wait until it is not listed any more.

    Returns:
        Whether it went by this: False where it was gone or not the run's before.
    """
    is_asked = False
    thing, called = named

    def look() -> str:
        nonlocal is_asked
        if thing not in set(MADE_BY[kind](world.cloud, run_id)):
            return ""
        if is_asked:
            return "still there"
        try:
            DELETES[kind](world.cloud, thing)
        except CloudError as error:
            if error.code in IN_USE:
                return f"something needs it ({error.code})"
            if error.retryable:
                return f"no answer to the request ({error.code})"
            raise
        is_asked = True
        return "asked for its end"

    wait_for(
        world, f"the {kind} {called} to be gone", look, lambda seen: not seen, within_seconds=within_seconds
    )
    return is_asked
