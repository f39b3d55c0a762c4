"""The image of a source that is left running: writes held while its snapshots begin, and marked truthfully.

The image is born as crash-consistent. It is marked better only once all of this is known: writes were held
before the image was asked for, it was asked for under this very hold, every snapshot had begun, and the hold
had lasted until then. A run that dies anywhere in between leaves a mark that is true.
"""

from __future__ import annotations

import secrets

from nospof.errors import PreconditionFailed, ProcedureFailed
from nospof.model.cloud import TAG_CONSISTENCY, TAG_HOLD, Image, Snapshot, Tags
from nospof.model.machine import Held
from nospof.model.requests import CloneRequest
from nospof.model.results import OffSection
from nospof.ports.world import World
from nospof.procedures.off_section import adopt_image, ask_for_image
from nospof.procedures.snapshots import wait_for_snapshots

AGAIN = "an earlier attempt asked for it and did not live to see whether writes were held"


def image_live(
    world: World, source_id: str, image_name: str, tags: Tags, request: CloneRequest, no_hold: str = ""
) -> OffSection:
    """Take the image of a source that is left running. Safe to repeat: an earlier image is adopted.

    The adapter never lets the cloud reboot it (C21).

    Args:
        no_hold: why its writes are not to be held; empty where they are.

    Raises:
        PreconditionFailed: only a consistent image will do, and writes cannot be held; there is no image.
        ProcedureFailed: likewise, but it is known only now that there is one.
    """
    image = adopt_image(world, source_id, image_name, is_live=True)
    if image is None:
        off = image_while_held(world, source_id, image_name, tags, request, no_hold)
    elif image.tags.get(TAG_CONSISTENCY) == "application":
        off = OffSection(image, None, consistency="application")
    else:
        off = OffSection(image, None, consistency="crash", says=AGAIN)
    if request.require_consistent and off.consistency == "crash":
        raise ProcedureFailed(
            f"{off.image.id} is only crash-consistent: {off.says}. It is not used; remove it (aws ec2 "
            f"deregister-image --image-id {off.image.id}) and resume"
        )
    return off


def image_while_held(
    world: World, source_id: str, image_name: str, tags: Tags, request: CloneRequest, no_hold: str
) -> OffSection:
    """Hold writes where that can be done, take the image, let go, and say what it is worth."""
    hold_id = secrets.token_hex(8)
    held = Held(problem=no_hold) if no_hold else hold(world, source_id, hold_id, request.hold_seconds)
    if held.problem and request.require_consistent:
        raise PreconditionFailed(
            f"writes of {source_id} cannot be held ({held.problem}), and only a consistent image will do "
            "(--require-consistent). Nothing was changed."
        )
    ended = held
    try:
        image = ask_for_image(world, source_id, image_name, {**tags, TAG_HOLD: hold_id})
        snapshots = wait_for_snapshots(world, world.cloud.instance(source_id), image_name)
    finally:
        if world.holds and not held.problem:
            ended = world.holds.release(source_id, hold_id)
    if ended.problem:
        return OffSection(image, None, consistency="crash", says=ended.problem)
    if image.tags.get(TAG_HOLD) != hold_id:
        return OffSection(image, None, consistency="crash", says=AGAIN)
    mark(world, image, snapshots)
    says = f"{' and '.join(held.what)} held for {ended.seconds:.1f} s"
    return OffSection(image, None, consistency="application", says=says)


def hold(world: World, source_id: str, hold_id: str, seconds: int) -> Held:
    """Hold the writes of a source, where somebody can; say what came of it."""
    if world.holds is None:
        return Held(problem="nobody here can reach into it")
    world.reporter.progress(f"holding the writes of {source_id} for up to {seconds} s")
    held = world.holds.hold(source_id, hold_id, seconds)
    if held.problem:
        world.reporter.warn(f"the image will be crash-consistent: {held.problem}")
    return held


def mark(world: World, image: Image, snapshots: tuple[Snapshot, ...]) -> None:
    """Mark an image as consistent, itself last: it is what counts."""
    for marked in (*(one.id for one in snapshots), image.id):
        world.cloud.tag(marked, {TAG_CONSISTENCY: "application"})
