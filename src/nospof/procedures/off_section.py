"""The minute in which the source is off: stop, image, start, as ONE step.

Measured with a prototype on the durable engine: a stop, an image and a start that are three steps
with a `finally` leave the source off for ever when the run is cancelled in between, because the steps
inside `finally` are refused as well. As one step with its own `finally`, the section always ends.
"""

from __future__ import annotations

from contextlib import suppress

from nospof.errors import CloudError, NospofError, ProcedureFailed, UnknownOutcome
from nospof.model.cloud import Image, Instance, Snapshot, Tags
from nospof.model.requests import CloneRequest
from nospof.model.results import OffSection, TimeOff
from nospof.model.starts import DeadMan
from nospof.planning.clone import refuse_what_another_run_holds
from nospof.planning.preflight import refuse_what_must_not_stop
from nospof.ports.world import World
from nospof.procedures.auto_scaling import group_of, seats_of
from nospof.procedures.dead_man import kept_ahead
from nospof.procedures.guarantee import hold_auto_scaling, lift_protection, promise, replace_what_is_gone
from nospof.procedures.looking import worked_on_beside
from nospof.procedures.power import ROOM_SECONDS, STOP_SECONDS, NoRoom, bring_back, state_of, stop
from nospof.procedures.snapshots import moment_where_unseen, wait_for_listing, wait_for_snapshots
from nospof.procedures.waiting import TimedOut, wait_for

LOST_ANSWER_SECONDS = 60.0
GROUP_SECONDS = 60.0
NO_ROOM_SECONDS = 300.0
LAUNCH_TIME_SECONDS = 1.0
"""EC2 tells the time of a start without its fraction."""


def image_while_off(
    world: World,
    source_id: str,
    image_name: str,
    tags: Tags,
    run_id: str,
    *,
    must_run: bool,
    placement_group: str = "",
    request: CloneRequest | None = None,
    dead_man: DeadMan | None = None,
    types: tuple[str, ...] = (),
) -> OffSection:
    """Take the image of a stopped source and have the source running again.

    The source is started as soon as every volume's snapshot exists: its point in time is fixed from then on,
    however long the snapshot stays pending. Safe to repeat: the image of an earlier attempt is adopted.

    Args:
        source_id: the instance to copy.
        image_name: the identity of the image; carries the run's id.
        tags: for the image and its snapshots.
        run_id: whose guarantee is written on the source.
        must_run: whether the source is to be running afterwards; False for one that was off before.
        placement_group: a group to move the source into while it is off, or empty.
        request: what was consented to; None for nothing.
        dead_man: has the cloud start the source where nobody else does; None for nobody.
        types: what the source may be started as, its own first; empty for its own alone.

    Raises:
        TimedOut, CloudError, ProcedureFailed: after the source was brought back, or with the reason why even
            that failed. Where only room for it is wanting, that is answered: its twin can serve.
    """
    if not must_run:
        found = adopt_image(world, source_id, image_name)
        return OffSection(found or take_image(world, source_id, image_name, tags, placement_group), None)
    clock = world.clock
    began = stopped = imaged = 0.0
    image: Image | None = None
    try:
        # Inside as well: an earlier attempt may have left the source off, whatever its image became.
        with moment_where_unseen(world):
            if world.cloud.instance(source_id).state != "running":
                wait_for_listing(world, image_name)
            adopted = adopt_image(world, source_id, image_name)
        if not adopted:
            world = make_ready(world, source_id, run_id, request, dead_man=dead_man, types=types)
            began = clock.now()
            stop(world, source_id)
            stopped = clock.now()
        image = adopted or take_image(world, source_id, image_name, tags, placement_group)
        imaged = clock.now()
    finally:
        source, no_room = _on_again(world, source_id, placement_group, types, has_image=image is not None)
    if source is None:
        return OffSection(image, None, no_room=no_room)
    running_since = clock.now()
    split = None if adopted else TimeOff(stopped - began, imaged - stopped, running_since - imaged)
    return OffSection(image, split, running_since, runs_as=source.type)


def make_ready(
    world: World,
    source_id: str,
    run_id: str,
    request: CloneRequest | None,
    *,
    dead_man: DeadMan | None,
    types: tuple[str, ...],
) -> World:
    """Promise that the source comes back, and clear what stands before its stop.

    Returns:
        the world to wait in: there the start that the cloud itself would make is kept ahead.
    """
    refuse_what_changed(world, source_id, run_id, request)
    may_suspend = request is not None and request.suspend_auto_scaling
    promised = promise(world, source_id, run_id, suspends=may_suspend, dead_man=dead_man, types=types)
    lift_protection(world, source_id)
    hold_auto_scaling(world, source_id, promised)
    return kept_ahead(world, source_id, run_id, dead_man)


def _on_again(
    world: World, source_id: str, placement_group: str, types: tuple[str, ...], *, has_image: bool
) -> tuple[Instance | None, str]:
    """Return the source running or, where its image is there to launch from, why there is no room for it."""
    with replace_what_is_gone(world, source_id):
        try:
            return _bring_back_with_room(world, source_id, placement_group, types), ""
        except NoRoom as error:
            if not has_image:
                raise
            return None, str(error)


def _bring_back_with_room(
    world: World, source_id: str, placement_group: str, types: tuple[str, ...]
) -> Instance:
    """Bring the source back; give its placement group up rather than the source.

    A spread group narrows the hardware that will do, so it must never be what keeps the source off.

    Raises:
        NoRoom: there was none for any of the types in this time, which is shorter than for other reasons:
            meanwhile nobody serves, and a twin elsewhere would.
    """
    if placement_group:
        try:
            bring_back(world, source_id, GROUP_SECONDS)
        except NospofError:
            world.reporter.progress(f"no room for {source_id} in {placement_group}: starting it outside")
            # Refused while it is on its way up or down; it is brought back all the same.
            with suppress(CloudError):
                world.cloud.move_into_group(source_id, "")
    try:
        return bring_back(world, source_id, NO_ROOM_SECONDS + ROOM_SECONDS * len(types), types)
    except NoRoom:
        raise
    except TimedOut:
        return bring_back(world, source_id, types=types)


def adopt_image(world: World, source_id: str, image_name: str, *, is_live: bool = False) -> Image | None:
    """Return the image an earlier attempt took, its snapshots begun; refuse a failed one (C18, C22)."""
    image = world.cloud.image_named(image_name)
    if image and image.is_lost:
        raise ProcedureFailed(
            f"the image {image.id} of an earlier attempt ended {image.state}: "
            f"{image.state_reason or 'the cloud gives no reason'}. Remove it (aws ec2 deregister-image "
            f"--image-id {image.id}) and resume"
        )
    if image:
        snapshots = wait_for_snapshots(world, world.cloud.instance(source_id), image_name)
        if not is_live:
            refuse_what_was_running(image, snapshots, world.cloud.instance(source_id))
    return image


def refuse_what_was_running(image: Image, snapshots: tuple[Snapshot, ...], source: Instance) -> None:
    """Raise where a snapshot began only after the source was on again, unseen by an earlier attempt."""
    began = max((snapshot.started_at for snapshot in snapshots), default=0.0)
    if source.state != "stopped" and began >= source.launched_at + LAUNCH_TIME_SECONDS:
        raise ProcedureFailed(
            f"{image.id} was taken while {source.id} was starting, and an image of a running disk is not one "
            f"to trust. Remove it (aws ec2 deregister-image --image-id {image.id}) and resume"
        )


def take_image(world: World, source_id: str, image_name: str, tags: Tags, placement_group: str) -> Image:
    """Start the image and return once every volume's snapshot exists.

    A placement group, where one is named, takes the source in first: it can be moved only while off.
    """
    source = world.cloud.instance(source_id)
    if source.state != "stopped":
        raise ProcedureFailed(
            f"{source_id} is {source.state} where it should be stopped: somebody else started it, and "
            "an image of a running disk is not one to trust"
        )
    if placement_group:
        world.cloud.move_into_group(source_id, placement_group)
    image = ask_for_image(world, source_id, image_name, tags)
    with moment_where_unseen(world):
        wait_for_snapshots(world, source, image_name)
    state = world.cloud.instance(source_id).state
    if state != "stopped":
        raise ProcedureFailed(
            f"{source_id} is {state}: somebody else started it while {image.id} was being taken, and that "
            f"image is not one to trust. Remove it (aws ec2 deregister-image --image-id {image.id}) and "
            "resume"
        )
    return image


def ask_for_image(world: World, source_id: str, image_name: str, tags: Tags) -> Image:
    """Ask for the image, through throttling and lost answers: the source is off meanwhile."""
    deadline = world.clock.now() + LOST_ANSWER_SECONDS
    while True:
        try:
            return world.cloud.create_image(source_id, image_name, tags)
        except UnknownOutcome as error:
            return _image_after_a_lost_answer(world, image_name, error)
        except CloudError as error:
            if not error.retryable or world.clock.now() >= deadline:
                raise
            world.clock.sleep(world.poll_seconds)


def refuse_what_changed(world: World, source_id: str, run_id: str, request: CloneRequest | None) -> None:
    """Look again, right before the stop, at what must not be stopped: a run may be resumed days later.

    It may also be resumed at once, while what it asked for before it died is still under way.
    """
    source = wait_for(
        world,
        f"{source_id} to settle",
        lambda: world.cloud.instance(source_id),
        lambda source: source.state not in ("pending", "stopping"),
        within_seconds=STOP_SECONDS,
        says=state_of,
    )
    refuse_what_another_run_holds(source, run_id)
    scaling = group_of(world, source_id)
    refuse_what_must_not_stop(
        source,
        scaling,
        seats=seats_of(world, source_id, scaling),
        is_stop_protected=world.cloud.is_stop_protected(source_id),
        worked_on=worked_on_beside(world, source),
        consents=request,
    )


def _image_after_a_lost_answer(world: World, image_name: str, error: CloudError) -> Image:
    """Find out whether the image call whose answer was lost made an image."""
    deadline = world.clock.now() + LOST_ANSWER_SECONDS
    while world.clock.now() < deadline:
        image = world.cloud.image_named(image_name)
        if image:
            return image
        world.clock.sleep(world.poll_seconds)
    raise error
