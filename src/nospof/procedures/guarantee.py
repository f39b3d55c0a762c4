"""The guarantee on the instance itself, and the keeper who makes it true.

A `finally` does not survive kill -9, a full disk or a lost journal. So before a run turns an
instance off it writes, as a tag on that instance, that it must be running again. Whoever finds the
tag later and sees that its run is no longer alive turns the instance on: no journal is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from nospof.errors import CloudError, NospofError
from nospof.model.cloud import TAG_GUARANTEE, TAG_SUSPENDED, Instance
from nospof.model.results import way_back
from nospof.model.starts import DeadMan
from nospof.planning.clone import image_name_of, refuse_what_another_run_holds
from nospof.planning.dead_man import start_name
from nospof.planning.maintaining import back_image_name
from nospof.ports.world import World
from nospof.procedures.auto_scaling import let_it_act, processes_to_suspend
from nospof.procedures.dead_man import schedule_start
from nospof.procedures.power import GONE, bring_back, stop
from nospof.procedures.snapshots import moment_where_unseen, wait_for_listing, wait_for_snapshots

SCHEDULED = "scheduled"
DEADLINE_SECONDS = 900.0
"""After this, a keeper on another machine, which cannot see whether the run lives, acts as well."""

SETTLED_POLLS = 15
"""As many looks in a row must say "running": answers are stale for some seconds after a change of state."""

SNAPSHOTS_SECONDS = 20.0
"""They appear some two seconds after the image call."""

Claim = Callable[[str], AbstractContextManager[bool | None]]
"""Tries to be the one process that acts for a run: True where it is now, and nobody else can be while
the block lasts; False where another process is; None where this machine does not know the run."""


@dataclass(frozen=True)
class Guarantee:
    """That an instance is to be running, for a run, by a time (seconds since the epoch, UTC).

    `must_work` is for an instance the run itself breaks: one that runs and is impaired is stopped and
    started then. A source that only seems impaired is never stopped by its keeper. `protects` is for one
    whose stop protection was lifted for the moment: it is set again when the guarantee is released.
    `resumes` are the processes of its Auto Scaling group that must not act before it is well again.
    `is_scheduled`: the cloud starts it by itself, later, until the guarantee is released. `types` are what it
    may be started as where there is no room, its own first.
    """

    run_id: str
    deadline: float
    must_work: bool = False
    protects: bool = False
    resumes: tuple[str, ...] = ()
    is_scheduled: bool = False
    types: tuple[str, ...] = ()

    def __str__(self) -> str:
        by = datetime.fromtimestamp(self.deadline, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        then = " then=protected" if self.protects else ""
        then += f" resumes={'+'.join(self.resumes)}" if self.resumes else ""
        then += f" start={SCHEDULED}" if self.is_scheduled else ""
        then += f" as={'+'.join(self.types)}" if self.types else ""
        return f"{'working' if self.must_work else 'running'} run={self.run_id} by={by}{then}"


def parse_guarantee(text: str) -> Guarantee:
    """Read the tag back; one that cannot be read is due at once and belongs to no known run."""
    words = dict(word.split("=", 1) for word in text.split() if "=" in word)
    try:
        deadline = (
            datetime.strptime(words.get("by", ""), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        )
    except ValueError:
        deadline = 0.0
    return Guarantee(
        words.get("run", ""),
        deadline,
        text.startswith("working "),
        words.get("then") == "protected",
        several(words, "resumes"),
        words.get("start") == SCHEDULED,
        several(words, "as"),
    )


def several(words: dict[str, str], key: str) -> tuple[str, ...]:
    """Return the values of a word that has several."""
    return tuple(words[key].split("+")) if words.get(key) else ()


def promise(
    world: World,
    instance_id: str,
    run_id: str,
    *,
    must_work: bool = False,
    suspends: bool = False,
    dead_man: DeadMan | None = None,
    types: tuple[str, ...] = (),
) -> str:
    """Write the guarantee on the instance. Safe to repeat; a repeat moves the deadline.

    That it is to be protected again is kept from an earlier writing, and told by the instance itself
    before its protection is lifted. So are the processes that its Auto Scaling group is to run again. A dead
    man has the cloud start it too: that stands on the instance first, so that whoever releases the guarantee
    knows of it.

    Args:
        suspends: whether that group may be kept from acting meanwhile.
        dead_man: what the cloud is asked to do where nobody of ours is left; None for nothing.
        types: what it may be started as, its own first; empty for its own alone.

    Raises:
        PreconditionFailed: it carries the guarantee of another run, which began meanwhile.
        CloudError: the cloud was not to be had as a dead man; the guarantee is off again.
    """
    instance = world.cloud.instance(instance_id)
    refuse_what_another_run_holds(instance, run_id)
    earlier = parse_guarantee(instance.tags.get(TAG_GUARANTEE, ""))
    is_ours = earlier.run_id == run_id
    protects = (is_ours and earlier.protects) or world.cloud.is_stop_protected(instance_id)
    group, resumes = instance.tags.get(TAG_SUSPENDED, ""), earlier.resumes
    if not is_ours or not resumes:
        group, resumes = processes_to_suspend(world, instance_id) if suspends else ("", ())
    is_scheduled = (is_ours and earlier.is_scheduled) or dead_man is not None
    deadline = world.clock.now() + DEADLINE_SECONDS
    guarantee = Guarantee(run_id, deadline, must_work, protects, resumes, is_scheduled, types)
    # The group's name stands apart: it may have spaces in it, and as many letters as a tag has room for.
    named = {TAG_SUSPENDED: group} if resumes else {}
    world.cloud.tag(instance_id, {TAG_GUARANTEE: str(guarantee), **named})
    if dead_man is not None:
        try:
            schedule_start(world, instance_id, run_id, dead_man)
        except CloudError:
            with suppress(CloudError):
                release(world, instance_id, run_id)
            raise
    return str(guarantee)


def lift_protection(world: World, instance_id: str) -> None:
    """Let the instance be stopped, where its protection is on; the guarantee knows to set it again."""
    if world.cloud.is_stop_protected(instance_id):
        world.cloud.protect_from_stop(instance_id, on=False)


def hold_auto_scaling(world: World, instance_id: str, promised: str) -> None:
    """Keep the group of a member from acting on it, as far as that was promised to end."""
    guarantee = parse_guarantee(promised)
    if guarantee.resumes:
        world.cloud.suspend_processes(world.cloud.auto_scaling_group_of(instance_id), guarantee.resumes)


@contextmanager
def replace_what_is_gone(world: World, instance_id: str) -> Iterator[None]:
    """Where somebody terminated the member, let its group act again: it is what launches another."""
    try:
        yield
    except NospofError:
        with suppress(NospofError):
            instance = world.cloud.instance(instance_id)
            guarantee = parse_guarantee(instance.tags.get(TAG_GUARANTEE, ""))
            if instance.state in GONE and guarantee.resumes:
                world.cloud.resume_processes(instance.tags.get(TAG_SUSPENDED, ""), guarantee.resumes)
        raise


def release(world: World, instance_id: str, run_id: str) -> None:
    """Take a run's own guarantee off again: it was kept. Another run's stays."""
    tags = world.cloud.instance(instance_id).tags
    guarantee = parse_guarantee(tags.get(TAG_GUARANTEE, ""))
    if guarantee.run_id != run_id:
        return
    if guarantee.protects and not world.cloud.is_stop_protected(instance_id):
        world.cloud.protect_from_stop(instance_id, on=True)
    if guarantee.is_scheduled:
        world.cloud.cancel_start(start_name(run_id))
    if guarantee.resumes:
        let_it_act(world, instance_id, tags.get(TAG_SUSPENDED, ""), guarantee.resumes)
    world.cloud.untag(
        instance_id, (TAG_GUARANTEE, TAG_SUSPENDED) if TAG_SUSPENDED in tags else (TAG_GUARANTEE,)
    )


def keep_guarantees(world: World, claim: Claim) -> tuple[str, ...]:
    """Make every guarantee true whose run is not alive; return what was done, a sentence each.

    One instance that cannot be brought back does not keep the others from it.
    """
    return tuple(
        sentence
        for instance in world.cloud.instances(tag=TAG_GUARANTEE)
        if (sentence := keep_one(world, instance, claim))
    )


def keep_one(world: World, instance: Instance, claim: Claim) -> str:
    """Keep the guarantee of one instance; return what was done, or nothing where nothing was."""
    guarantee = parse_guarantee(instance.tags[TAG_GUARANTEE])
    with claim(guarantee.run_id) as is_ours:
        if is_ours is False or (is_ours is None and world.clock.now() < guarantee.deadline):
            return ""
        try:
            make_true(world, instance.id, guarantee, may_stop=guarantee.must_work and is_ours is True)
        except NospofError as error:
            return (
                f"{instance.id} should be running, for the dead run {guarantee.run_id}, and is not: {error}"
            )
    was = "was left running" if instance.state == "running" else f"was {instance.state} and is running again"
    own, kind = (*guarantee.types, "")[0], world.cloud.instance(instance.id).type
    if own not in ("", kind):
        was += f", as a {kind} for want of room for a {own}; {way_back(instance.id, own)}"
    return f"{instance.id} {was}; its run {guarantee.run_id or '(unknown)'} is not alive"


def make_true(world: World, instance_id: str, guarantee: Guarantee, *, may_stop: bool) -> None:
    """Have the instance running, and keep it so long enough to believe it; then take the guarantee off.

    A run that has just asked for a stop and died leaves an instance that still reads as running for a
    moment: one look is no proof.
    """
    instance = world.cloud.instance(instance_id)
    try:
        if may_stop and is_impaired(world, instance):
            stop(world, instance_id)
        elif instance.state == "stopped" and not guarantee.must_work:
            let_snapshots_begin(world, instance, guarantee.run_id)
    finally:
        bring_back(world, instance_id, types=guarantee.types)
    steady = 0
    while steady < SETTLED_POLLS:
        world.clock.sleep(world.poll_seconds)
        steady += 1
        if world.cloud.instance(instance_id).state != "running":
            bring_back(world, instance_id, types=guarantee.types)
            steady = 0
    release(world, instance_id, guarantee.run_id)


def let_snapshots_begin(world: World, instance: Instance, run_id: str) -> None:
    """Where the dead run had just asked for an image, let its point in time come while the disk is quiet.

    A resumed run adopts that image. It is worth a moment and no more: turning the instance on matters most.
    """
    names = (image_name_of(run_id), back_image_name(run_id, instance.id))
    with suppress(NospofError), moment_where_unseen(world):
        image = wait_for_listing(world, *names)
        if image:
            wait_for_snapshots(world, instance, image.name, SNAPSHOTS_SECONDS)


def is_impaired(world: World, instance: Instance) -> bool:
    """Whether it is "running" and does not work: only a stop and a start helps then."""
    if instance.state != "running":
        return False
    statuses = world.cloud.instance_status((instance.id,))
    return any("impaired" in (status.instance_check, status.system_check) for status in statuses)
