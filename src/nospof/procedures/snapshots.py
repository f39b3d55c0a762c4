"""The moment an image's content is fixed: when the snapshot of every volume exists, pending or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nospof.errors import CloudError
from nospof.model.cloud import Image, Instance, Snapshot
from nospof.ports.world import World
from nospof.procedures.waiting import TimedOut, wait_for

SNAPSHOTS_SECONDS = 300.0
LISTED_SECONDS = 5.0
"""An image that was just asked for may not be listed yet; whether it was asked for, nobody can tell."""
UNSEEN_SECONDS = 10.0
"""Snapshots begin some two seconds after the image call."""


def wait_for_listing(world: World, *names: str) -> Image | None:
    """Return the image a run that died may just have asked for, or None where it is not listed by then."""

    def look() -> Image | None:
        return next((image for name in names if (image := world.cloud.image_named(name))), None)

    try:
        return wait_for(
            world,
            f"{names[0]} to be listed",
            look,
            lambda image: image is not None,
            within_seconds=LISTED_SECONDS,
        )
    except TimedOut:
        return None


@contextmanager
def moment_where_unseen(world: World) -> Iterator[None]:
    """Give what was perhaps asked for its moment where nobody may look: the source is started after it."""
    try:
        yield
    except CloudError:
        world.clock.sleep(UNSEEN_SECONDS)
        raise


def wait_for_snapshots(
    world: World, source: Instance, image_name: str, within_seconds: float = SNAPSHOTS_SECONDS
) -> tuple[Snapshot, ...]:
    """Wait until the snapshot of every volume exists, and return them: only then is the point in time fixed.

    Raises:
        TimedOut: they do not exist within the bound.
    """
    volume_ids = tuple(attachment.volume_id for attachment in source.attachments)

    def have_all(snapshots: tuple[Snapshot, ...]) -> bool:
        return {snapshot.volume_id for snapshot in snapshots} >= set(volume_ids)

    return wait_for(
        world,
        f"the snapshots of {len(volume_ids)} volumes to exist",
        lambda: world.cloud.snapshots_of(image_name, volume_ids),
        have_all,
        within_seconds=within_seconds,
        says=lambda snapshots: f"{len(snapshots)} of {len(volume_ids)}",
        is_off=True,
    )
