"""The image of a member that does not serve: its database at rest, or its writes held, while snapshots begin.

The image is born as nothing to rely on. It becomes a backup by its last mark, once all of this is known: the
member's database rested from before the image was asked for until every snapshot had begun, and where it was.
A run that dies in between leaves an image that nobody counts, and its resumption takes another.
"""

from __future__ import annotations

import secrets

from nospof.errors import ProcedureFailed
from nospof.model.backups import TAG_POSITION, TAG_TAKEN, Taken, told_moment
from nospof.model.cloud import TAG_CONSISTENCY, TAG_HOLD, Image, Snapshot, Tags
from nospof.model.layout import Layout
from nospof.model.requests import CloneRequest
from nospof.ports.world import World
from nospof.procedures.data import databases_of, done, leave_writes, reached, states_of, wait_in_step
from nospof.procedures.guarantee import promise
from nospof.procedures.live import image_while_held
from nospof.procedures.membership import leave
from nospof.procedures.off_section import ask_for_image
from nospof.procedures.snapshots import wait_for_snapshots
from nospof.procedures.turn import MemberFacts, serving_after_failure

REST_SECONDS = 420
"""The machine itself wakes its database after so long: longer than snapshots may take to begin."""
HOLD_SECONDS = 60


def image_of_member(world: World, facts: MemberFacts, image_name: str, tags: Tags, run_id: str) -> Taken:
    """Take the image of a drained member. A repeat takes another one, under another name.

    The guarantee is written again, and the member drained again: a keeper may have kept that, and a repair
    may have put the member back, before this run was resumed.

    Args:
        image_name: what its name begins with.

    Raises:
        NospofError: after the member's database was woken and the member put back.
    """
    instance_id = facts.instance.id
    promise(world, instance_id, run_id, must_work=True)
    attempt = secrets.token_hex(8)
    name = f"{image_name}-{attempt[:6]}"
    with serving_after_failure(world, facts):
        leave(world, instance_id, facts.memberships)
        if facts.layout:
            return image_at_rest(world, instance_id, facts.layout, name, {**tags, TAG_HOLD: attempt})
        return image_held(world, facts, name, tags)


def image_at_rest(world: World, instance_id: str, layout: Layout, name: str, tags: Tags) -> Taken:
    """Take an image while the member's database rests, and wake it as soon as every snapshot has begun."""
    databases, rest_id, clock = databases_of(world), tags[TAG_HOLD], world.clock
    end_earlier_rest(world, instance_id, layout, rest_id)
    leave_writes(world, instance_id, layout)
    world.reporter.progress(f"the database of {instance_id} comes to rest")
    began = clock.now()
    try:
        asked = (instance_id, rest_id, REST_SECONDS)
        done(
            world,
            instance_id,
            lambda: databases.rest(*asked),
            f"the database of {instance_id} does not rest",
        )
        where = f"how far the data of {instance_id} is was not told"
        position = next(iter(done(world, instance_id, lambda: databases.position(instance_id), where)), "")
        image = ask_for_image(world, instance_id, name, tags)
        snapshots = wait_for_snapshots(world, world.cloud.instance(instance_id), name)
    finally:
        woken = reached(world, instance_id, lambda: databases.wake(instance_id, rest_id))
    seconds = clock.now() - began
    if woken.problem:
        raise ProcedureFailed(
            f"{image.id} is no backup, for {instance_id} says: {woken.problem}. Resume, and another is taken"
        )
    says = f"its database rested for {seconds:.1f} s"
    taken_at = mark(world, image, snapshots, {TAG_POSITION: position, TAG_CONSISTENCY: "application"})
    return Taken(image.id, instance_id, layout.engine, position, "application", taken_at, seconds, says)


def end_earlier_rest(world: World, instance_id: str, layout: Layout, rest_id: str) -> None:
    """Have a member in step that an attempt which died has left at rest: it would wake by itself, later."""
    databases = databases_of(world)
    mine = [state for seat, state in states_of(world, layout) if seat.instance_id == instance_id]
    if not all(state.ready for state in mine):
        reached(world, instance_id, lambda: databases.wake(instance_id, rest_id))
        wait_in_step(world, layout)


def image_held(world: World, facts: MemberFacts, name: str, tags: Tags) -> Taken:
    """Take an image of a member that keeps no database in step: its writes held, where they can be."""
    instance_id = facts.instance.id
    began = world.clock.now()
    asked = CloneRequest(instance_id, live=True, hold_seconds=HOLD_SECONDS)
    off = image_while_held(world, instance_id, name, tags, asked, facts.about.inside.no_hold)
    seconds = world.clock.now() - began
    snapshots = wait_for_snapshots(world, facts.instance, name)
    taken_at = mark(world, off.image, snapshots, {})
    return Taken(off.image.id, instance_id, None, "", off.consistency, taken_at, seconds, off.says)


def mark(world: World, image: Image, snapshots: tuple[Snapshot, ...], tags: Tags) -> float:
    """Make an image a backup; return the moment whose content it is, to the second. Itself last."""
    taken_at = float(int(max((one.started_at for one in snapshots), default=0.0) or world.clock.now()))
    for marked in (*(one.id for one in snapshots), image.id):
        world.cloud.tag(marked, {**tags, TAG_TAKEN: told_moment(taken_at)})
    return taken_at
