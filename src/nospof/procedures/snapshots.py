"""The moment an image's content is fixed: when the snapshot of every volume exists, pending or not."""

from __future__ import annotations

from nospof.model.cloud import Instance, Snapshot
from nospof.ports.world import World
from nospof.procedures.waiting import wait_for

SNAPSHOTS_SECONDS = 300.0


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
