"""The files of a pair, kept in step both ways, and left to the source again with all that was written.

A twin is a copy of a moment ago: it only takes until it is as its source is now, and gives from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nospof.errors import PreconditionFailed, ProcedureFailed
from nospof.model.cloud import Instance
from nospof.model.layout import Applied
from nospof.model.requests import PairRequest
from nospof.model.sharing import SYNCTHING, TAG_FILES, FilesFacts, FilesFound, FilesState, Partner, Sharing
from nospof.planning.files import FilesPlan, directories_of, files_out_of_step
from nospof.ports.files import Files
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures import data
from nospof.procedures.data import JOIN_SECONDS, open_ports
from nospof.procedures.membership import mark
from nospof.procedures.waiting import wait_for


def files_facts(world: World, source: Instance, request: PairRequest) -> FilesFacts | None:
    """Look at the source's directories that are to be shared; None where none are, or nobody can."""
    directories = directories_of(request)
    if world.files is None or not directories or source.state != "running":
        return None
    group_id = next(iter(source.security_groups), "")
    return FilesFacts(
        look_at_files(world, source.id, directories), world.cloud.ingress_rules(group_id) if group_id else ()
    )


def look_at_files(world: World, instance_id: str, directories: tuple[str, ...] = ()) -> FilesFound:
    """Return what there is of directories and who shares them. Raises PreconditionFailed: not reached."""
    found = files_of(world).look(instance_id, directories)
    if not found.is_reached:
        raise PreconditionFailed(
            f"the files of {instance_id} could not be looked at: {found.problem}. Nothing was changed."
        )
    return found


def files_of(world: World) -> Files:
    """Return who acts on files. Raises ProcedureFailed: nobody here can."""
    if world.files is None:
        raise ProcedureFailed("nobody here can reach into machines")
    return world.files


def sharing_in_step(world: World, member: Instance) -> Sharing | None:
    """Return who shares a member's files; None where nobody does.

    Raises:
        PreconditionFailed: not all of them have the same, or could be asked.
    """
    if TAG_FILES not in member.tags or world.files is None:
        return None
    found = look_at_files(world, member.id)
    if found.problem:
        raise PreconditionFailed(
            f"who shares the files of {member.id} could not be read: {found.problem}. Nothing was changed."
        )
    if found.sharing and (wrong := files_out_of_step(states_of(world, found.sharing))):
        raise PreconditionFailed(
            f"the files of {member.id} are not in step, so nobody who has them is touched: "
            f"{'; '.join(wrong)}. Nothing was changed."
        )
    return found.sharing


# Sharing -----------------------------------------------------------------------------------------


def share_files(steps: Steps, world: World, files: FilesPlan, source: Instance, twin: Instance) -> Sharing:
    """Have both have the directories, and each take what the other is given; return who shares."""
    if files.ports:
        steps.do("open the members' files to each other", open_ports, world, files.group_id, files.ports)
    partners = steps.do("have each member make its key", partners_of, world, (source, twin))
    both = Sharing(tuple(partners), files.directories)
    joining = replace(both, joining=(partners[1].device,))
    steps.do("mark what keeps its files", mark, world, (source.id,), {TAG_FILES: SYNCTHING})
    steps.do("have the source share its files", apply_sharing, world, source.id, joining)
    steps.do("let the twin take the source's files", take_files, world, twin.id, joining, both)
    steps.do("let the twin give its files too", apply_sharing, world, source.id, both)
    steps.do("wait until both have the same files", wait_files_in_step, world, both)
    steps.do("mark what keeps the twin's files", mark, world, (twin.id,), {TAG_FILES: SYNCTHING})
    return both


def partners_of(world: World, members: tuple[Instance, ...]) -> tuple[Partner, ...]:
    """Return machines by the keys that they are known by; each makes its own when it has none."""
    return tuple(
        Partner(
            one.id,
            one.private_ip,
            one.zone,
            key_of(world, one),
        )
        for one in members
    )


def key_of(world: World, member: Instance) -> str:
    """Return the name of a machine's key. Raises ProcedureFailed: it makes none."""
    files = files_of(world)
    return done(world, member.id, lambda: files.key(member.id, member.private_ip))[0]


def apply_sharing(world: World, instance_id: str, sharing: Sharing) -> tuple[str, ...]:
    """Make a machine what a sharing says it is; return what it did. Raises ProcedureFailed: it is not."""
    files = files_of(world)
    return done(world, instance_id, lambda: files.apply(instance_id, sharing))


def take_files(world: World, twin_id: str, joining: Sharing, both: Sharing) -> str:
    """Have the twin take all that the source has and drop what only it has, and then be as any member."""
    files = files_of(world)
    state = files.state(twin_id)
    if state.role != "member":  # one that gives already has what nobody else has
        apply_sharing(world, twin_id, joining)
        wait_for(
            world,
            f"{twin_id} to know what the source has",
            lambda: files.state(twin_id),
            lambda now: now.ready,
            within_seconds=JOIN_SECONDS,
            says=lambda now: now.problem or now.says,
        )
    apply_sharing(world, twin_id, both)
    return twin_id


def done(world: World, instance_id: str, ask: Callable[[], Applied]) -> tuple[str, ...]:
    """Return what a machine did, waiting for one that nobody reaches yet.

    Raises:
        ProcedureFailed: it did not.
    """
    did = data.done(world, instance_id, ask, f"the files of {instance_id} are not as they should be")
    for says in did:
        world.reporter.progress(f"{instance_id}: {says}")
    return did


def states_of(world: World, sharing: Sharing) -> tuple[tuple[Partner, FilesState], ...]:
    """Return what each member of a sharing is now."""
    found = data.databases_of(world).several(
        files_of(world).state, [one.instance_id for one in sharing.members]
    )
    return tuple(zip(sharing.members, found, strict=True))


def sharing_carried(world: World, keepers: tuple[Instance, ...]) -> Sharing:
    """Return who shares the files of those whose files are marked as shared.

    Raises:
        PreconditionFailed: none of them could say, or they say different things.
    """
    files, ids = files_of(world), [one.id for one in keepers]
    asked = dict(
        zip(ids, data.databases_of(world).several(lambda one: files.look(one, ()), ids), strict=True)
    )
    carried = {one: found.sharing for one, found in asked.items() if found.sharing}
    if not carried:
        silent = (f"{one}: {found.problem or 'it shares nothing'}" for one, found in asked.items())
        raise PreconditionFailed(f"nobody could say who shares the files: {'; '.join(silent)}")
    if len({frozenset(one.device for one in sharing.members) for sharing in carried.values()}) > 1:
        raise PreconditionFailed(
            f"{' and '.join(carried)} say differently who shares their files: a run did not end; resume it "
            "(nospof runs list)"
        )
    return next(iter(carried.values()))


def wait_files_in_step(
    world: World, sharing: Sharing, within_seconds: float = JOIN_SECONDS
) -> tuple[tuple[Partner, FilesState], ...]:
    """Wait until all members have the same files."""
    return wait_for(
        world,
        "the files of all members to be the same",
        lambda: states_of(world, sharing),
        lambda states: not files_out_of_step(states),
        within_seconds=within_seconds,
        says=lambda states: "; ".join(files_out_of_step(states)),
    )


def leave_files(world: World, instance_id: str) -> tuple[str, ...]:
    """Have all files of a member be with the others too, before it goes off. Raises ProcedureFailed."""
    files = files_of(world)
    return done(world, instance_id, lambda: files.settle(instance_id))


# Leaving -----------------------------------------------------------------------------------------


def stop_sharing(steps: Steps, world: World, source_id: str, sharing: Sharing, gone: tuple[str, ...]) -> None:
    """Leave the files to the source, with all that others were given.

    Args:
        gone: members that are no more.
    """
    others = tuple(one.instance_id for one in sharing.members if one.instance_id not in (source_id, *gone))
    if others:
        steps.do("bring what others were given to the source", bring_home, world, others)
    for one in (*others, source_id):
        steps.do(f"have {one} share nothing any more", apply_sharing, world, one, Sharing())
        steps.do(f"take off {one} the mark of what kept its files", unmark_files, world, one)


def bring_home(world: World, others: tuple[str, ...]) -> tuple[str, ...]:
    """Have the source have everything that others have; one that shares nothing any more has given it."""
    sharing = [one for one in others if files_of(world).state(one).role != "alone"]
    return tuple(says for one in sharing for says in leave_files(world, one))


def unmark_files(world: World, instance_id: str) -> str:
    """Take the mark of what keeps its files off an instance."""
    world.cloud.untag(instance_id, (TAG_FILES,))
    return instance_id
