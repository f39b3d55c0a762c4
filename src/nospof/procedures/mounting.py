"""The files of a pair on EFS: moved there before the image is taken, and brought home when it is undone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nospof.errors import PreconditionFailed, ProcedureFailed
from nospof.model.cloud import TAG_SERVICE, Instance
from nospof.model.layout import Applied
from nospof.model.mounting import TAG_EFS, Copied, Mount, MountsFacts, MountsState
from nospof.model.requests import PairRequest
from nospof.planning.mounting import MountsPlan, mounts_of, not_mounted
from nospof.ports.mounts import Mounts
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures import data
from nospof.procedures.membership import mark
from nospof.procedures.waiting import wait_for

MOUNT_SECONDS = 300.0


def mounts_facts(world: World, source: Instance, request: PairRequest) -> MountsFacts | None:
    """Look at what is to move, and where to; None where nothing is, or nobody can."""
    mounts = mounts_of(request, source.zone)
    if world.mounts is None or not mounts or source.state != "running":
        return None
    found = world.mounts.look(source.id, mounts, request.port)
    if not found.is_reached:
        raise PreconditionFailed(
            f"the files of {source.id} could not be looked at: {found.problem}. Nothing was changed."
        )
    systems = tuple(dict.fromkeys(one.system for one in mounts))
    stores = world.cloud.stores_behind(source.vpc_id, (), systems)
    targets = [one for system in stores.file_systems for one in system.targets or ()]
    if targets:
        addresses = tuple(one.address for one in targets)
        stores = world.cloud.stores_behind(source.vpc_id, addresses, systems)
    groups = {group for one in stores.holders for group in one.groups}
    return MountsFacts(found, stores, {one: world.cloud.ingress_rules(one) for one in sorted(groups)})


def mounts_port(world: World) -> Mounts:
    """Return who acts on mounts. Raises ProcedureFailed: nobody here can."""
    if world.mounts is None:
        raise ProcedureFailed("nobody here can reach into machines")
    return world.mounts


# Moving ------------------------------------------------------------------------------------------


def move_files(steps: Steps, world: World, plan: MountsPlan, source: Instance) -> None:
    """Have the source's directories be those of the file systems, with all that was acknowledged in them."""
    steps.do("copy its files to EFS while it serves", copy_all, world, source.id, plan.mounts)
    steps.do("have its files be on EFS", attach, world, source.id, plan)
    steps.do("mark where its files are", mark, world, (source.id,), plan.mark)


def mount_at_twin(steps: Steps, world: World, plan: MountsPlan, twin: Instance) -> None:
    """Have the twin mount the same: one that was made of the source's image does by itself."""
    steps.do("have the twin's files be on EFS", attach, world, twin.id, plan, is_copy=True)
    steps.do("mark where the twin's files are", mark, world, (twin.id,), plan.mark)


def copy_all(world: World, instance_id: str, mounts: tuple[Mount, ...]) -> int:
    """Copy directories to file systems; return how many files there are."""
    port = mounts_port(world)
    return copied(world, instance_id, lambda: port.copy(instance_id, mounts))


def copied(world: World, instance_id: str, ask: Callable[[], Copied]) -> int:
    """Ask until all is copied. Raises ProcedureFailed: it cannot be."""
    while True:
        answer = data.reached(world, instance_id, ask)
        if answer.problem:
            raise ProcedureFailed(
                f"the files of {instance_id} are where they were, for they could not be copied: "
                f"{answer.problem}. Mend that and resume"
            )
        world.reporter.progress(f"{answer.files} files, {answer.size_bytes >> 20} MB are looked at")
        if answer.is_whole:
            return answer.files
        world.clock.sleep(world.poll_seconds)


def attach(world: World, instance_id: str, plan: MountsPlan, *, is_copy: bool = False) -> tuple[str, ...]:
    """Have directories be those of the file systems. Raises ProcedureFailed: they are as they were."""
    port = mounts_port(world)
    return done(
        world,
        instance_id,
        lambda: port.attach(instance_id, plan.mounts, plan.units, is_copy=is_copy),
        f"the files of {instance_id} are where they were",
    )


def done(world: World, instance_id: str, ask: Callable[[], Applied], wrong: str) -> tuple[str, ...]:
    """Return what a machine did, and tell it. Raises ProcedureFailed: it did not."""
    did = data.done(world, instance_id, ask, wrong)
    for says in did:
        world.reporter.progress(f"{instance_id}: {says}")
    return did


# Looking -----------------------------------------------------------------------------------------


def mounting_members(world: World, service: str) -> tuple[Instance, ...]:
    """Return the members of a service whose files are on EFS by nospof."""
    members = world.cloud.instances(TAG_SERVICE, service) if service else ()
    return tuple(one for one in members if TAG_EFS in one.tags)


def mounts_now(world: World, members: tuple[Instance, ...]) -> tuple[tuple[str, MountsState], ...]:
    """Return what each of some members has mounted now; of one that is off, that it has nothing."""
    port = mounts_port(world)
    return tuple(
        (one.id, port.state(one.id) if one.state == "running" else MountsState(says=f"it is {one.state}"))
        for one in members
    )


def refuse_what_is_not_mounted(world: World, member: Instance) -> bool:
    """Return whether a member's files are on EFS; refuse where not all members have them there.

    Raises:
        PreconditionFailed: a member has not, or could not be asked.
    """
    if TAG_EFS not in member.tags or world.mounts is None:
        return False
    members = mounting_members(world, member.tags.get(TAG_SERVICE, "")) or (member,)
    if wrong := not_mounted(mounts_now(world, members)):
        raise PreconditionFailed(
            f"not all members have the files of {member.id}, so none of them is touched: {'; '.join(wrong)}. "
            "Nothing was changed."
        )
    return True


def wait_mounted(world: World, instance_id: str) -> MountsState:
    """Wait until a machine has its files."""
    return wait_for(
        world,
        f"{instance_id} to have its files",
        lambda: mounts_port(world).state(instance_id),
        lambda state: state.ready,
        within_seconds=MOUNT_SECONDS,
        says=lambda state: state.problem or state.says,
    )


# Coming home -------------------------------------------------------------------------------------


def mounts_left(
    world: World, source: Instance, twins: set[str]
) -> tuple[MountsState | None, tuple[str, ...], tuple[str, ...]]:
    """Return what the source has mounted of EFS, and who else has: those that stay, and those that go."""
    if TAG_EFS not in source.tags or world.mounts is None:
        return None, (), ()
    ((_, found),) = mounts_now(world, (source,))
    if not found.is_reached:
        raise PreconditionFailed(
            f"the files of {source.id} on EFS could not be looked at: {found.problem}. Nothing was changed."
        )
    others = mounting_members(world, source.tags.get(TAG_SERVICE, ""))
    on = tuple(one.id for one in others if one.id != source.id and one.state == "running")
    return found, tuple(one for one in on if one not in twins), tuple(one for one in on if one in twins)


def bring_files_home(
    steps: Steps, world: World, source_id: str, leaving: tuple[str, ...], staying: tuple[str, ...]
) -> None:
    """Give the source its own directories back, with all that is in the file systems.

    Args:
        leaving: other members, which are about to go.
        staying: other members, which are given theirs as well.
    """
    if leaving:
        steps.do("have the twin write to EFS no more", leave, world, leaving)
    for one in (*staying, source_id):
        steps.do(f"copy the files of {one} home while it serves", copy_home, world, one)
        steps.do(f"have the files of {one} be its own again", detach, world, one)
        steps.do(f"take off {one} the mark of where its files are", unmark_mounts, world, one)


def leave(world: World, instance_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Have members write to their file systems no more. Raises ProcedureFailed."""
    port = mounts_port(world)

    def ask(one: str) -> Applied:
        return port.detach(one, leave=True)

    wrong = "may still write to its files on EFS"
    return tuple(
        says for one in instance_ids for says in done(world, one, partial(ask, one), f"{one} {wrong}")
    )


def copy_home(world: World, instance_id: str) -> int:
    """Copy what is in the file systems to a machine's disk; return how many files there are."""
    port = mounts_port(world)
    return copied(world, instance_id, lambda: port.copy_home(instance_id))


def detach(world: World, instance_id: str) -> tuple[str, ...]:
    """Give a machine its own directories back. Raises ProcedureFailed: they are on EFS."""
    port, wrong = mounts_port(world), f"the files of {instance_id} are on EFS still"
    return done(world, instance_id, lambda: port.detach(instance_id), wrong)


def unmark_mounts(world: World, instance_id: str) -> str:
    """Take the mark of where its files are off an instance."""
    world.cloud.untag(instance_id, (TAG_EFS,))
    return instance_id
