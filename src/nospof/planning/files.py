"""Decide how directories that change are kept by both of a pair, or why that must not be tried.

Pure: facts in, a plan or `PreconditionFailed` out. Two-way sync has a moment in which an acknowledged upload
is on one member only: the plan says how long, and the balancer keeps a visitor at the member that has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import Instance
from nospof.model.launching import tag_pairs
from nospof.model.plans import Plan, PlannedCall
from nospof.model.requests import PairRequest
from nospof.model.sharing import SHARING_PORT, SYNCTHING, TAG_FILES, FilesState, Partner
from nospof.planning.data import NOT_YET, allow_members_call, size, told_call
from nospof.planning.pair_rules import PairFacts, shared_of, syncs

WINDOW = "about 1 s, 2 s at most where the network and the disks are not the limit"
"""Measured on two members with bench/data_files.py: the tool gathers changes for a second before it acts."""
STICKY_SECONDS = 86400


@dataclass(frozen=True)
class FilesPlan:
    """How the directories of a pair are kept in step.

    Args:
        directories: what is shared.
        group_id: the security group of both.
        ports: that its members must be let reach of each other.
        calls: the writes, in order.
    """

    directories: tuple[str, ...]
    group_id: str
    ports: tuple[int, ...]
    calls: tuple[PlannedCall, ...] = ()
    warnings: tuple[str, ...] = ()
    details: dict[str, str] = field(default_factory=dict)


def directories_of(request: PairRequest) -> tuple[str, ...]:
    """Return the directories that are to be shared.

    Raises:
        UsageError: one is no directory's whole path, or lies in another.
    """
    found = tuple(dict.fromkeys(one.strip().rstrip("/") for one in request.sync.split(",") if one.strip()))
    for one in found:
        parts = one.split("/")
        if parts[0] or len(parts) < 3 or any(part in ("", ".", "..") for part in parts[1:]):
            raise UsageError(
                f"--sync {one or '/'!r} must be the whole path of a directory below another, such as "
                "/var/www/html/uploads"
            )
        inner = [other for other in found if other.startswith(f"{one}/")]
        if inner:
            raise UsageError(f"--sync {inner[0]!r} lies in {one!r}; leave it out")
    if found and request.stateless:
        raise UsageError("--sync and --stateless contradict each other; leave one out")
    return found


def plan_files(facts: PairFacts, request: PairRequest) -> FilesPlan | None:
    """Return how both have the directories that were asked for from now on; None where none were.

    Raises:
        PreconditionFailed: they cannot be had by two; everything that is in the way is named.
    """
    directories = directories_of(request)
    if not directories:
        return None
    source = facts.source
    if facts.files is None:
        raise PreconditionFailed(
            f"nobody here can reach into {source.id}, so --sync cannot be. Nothing was changed."
        )
    refuse_what_two_cannot_have(facts, directories)
    group_id = next(iter(source.security_groups), "")
    is_open = {rule.port for rule in facts.files.inward if rule.from_group == group_id}
    ports = () if is_open & {0, SHARING_PORT} else (SHARING_PORT,)
    made = FilesPlan(directories, group_id, ports)
    found = facts.files.found
    counted = ", ".join(
        f"{one.path} ({one.files} files, {size(one.size_bytes)})" for one in found.directories
    )
    return replace(
        made,
        calls=calls_of(made, source, facts.twin),
        warnings=warnings_of(facts, directories),
        details={"files": f"{counted} of {source.id} kept in step both ways by Syncthing {found.version}"},
    )


def refuse_what_two_cannot_have(facts: PairFacts, directories: Sequence[str]) -> None:
    """Refuse directories that two must not write to, or that are shared with somebody else."""
    assert facts.files is not None  # noqa: S101 - whoever asks has seen it
    source, found = facts.source, facts.files.found
    hard = [one.says for one in found.obstacles if one.refuses]
    if found.problem:
        hard.append(found.problem)
    of_database = facts.data.examined.directory.rstrip("/") if facts.data else ""
    hard += [
        f"{one} holds the database of {source.id}, whose files only its server may write"
        for one in directories
        if of_database
        and (f"{of_database}/".startswith(f"{one}/") or f"{one}/".startswith(f"{of_database}/"))
    ]
    known = {source.private_ip, facts.twin.private_ip if facts.twin else ""}
    others = [one for one in (found.sharing.members if found.sharing else ()) if one.address not in known]
    hard += [f"{source.id} shares its files with {one.instance_id} already" for one in others]
    if hard:
        raise PreconditionFailed(
            f"the files of {source.id} cannot be had by two: {'; '.join(hard)}. Nothing was changed."
        )


def warnings_of(facts: PairFacts, directories: Sequence[str]) -> tuple[str, ...]:
    """Return what the operator should know before saying yes."""
    told = [
        f"an upload that was acknowledged is on one member only for {WINDOW}: whoever loses that member in "
        "that moment loses it, or has it back once the member is on again",
        "a file that both write before either knows is kept twice: the later one under its name, the other "
        "beside it as .sync-conflict",
        "a file that is deleted on one is deleted on both",
    ]
    if facts.files:
        told += [one.says for one in facts.files.found.obstacles if one.kind == "use"]
    unknown = [one for one in syncs(facts.inside.keeps, directories) if one.startswith("files ")]
    told += [f"{one.partition(' ')[2]} is held open and shared" for one in unknown]
    return tuple(told)


def stays_seconds(facts: PairFacts) -> int:
    """Return how long a visitor stays at one member: he may not find elsewhere what he has just written."""
    keeps = facts.files is not None or any(one.startswith("sessions ") for one in facts.inside.keeps)
    return STICKY_SECONDS if keeps else 0


def sessions_warning(facts: PairFacts) -> tuple[str, ...]:
    """Return what is to be known of sessions that are files of one member."""
    left = [one for one in facts.inside.keeps if one.startswith("sessions ")]
    left = [one for one in left if one not in syncs(left, shared_of(facts))]
    if not left:
        return ()
    places = " and ".join(one.partition(" ")[2] for one in left)
    return (
        f"sessions {places} are files of each member: a visitor stays at the one he came to first (a cookie "
        "of the balancer), and is logged out when that is lost",
    )


# Calls -------------------------------------------------------------------------------------------


def calls_of(plan: FilesPlan, source: Instance, twin: Instance | None) -> tuple[PlannedCall, ...]:
    """Return the writes that have both keep the directories."""
    twin_id = twin.id if twin else NOT_YET
    is_known = twin is not None
    mark = tag_pairs({TAG_FILES: SYNCTHING})
    return (
        *(allow_members_call(plan.group_id, port) for port in plan.ports),
        told_call(source.id, "share its directories"),
        told_call(twin_id, "let the twin take what the source has, and then give too", is_known=is_known),
        PlannedCall("ec2", "CreateTags", {"Resources": [source.id], "Tags": mark}, f"mark it on {source.id}"),
        PlannedCall(
            "ec2",
            "CreateTags",
            {"Resources": [twin_id], "Tags": mark},
            "mark it on the twin",
            () if is_known else ("Resources",),
        ),
    )


def with_files(plan: Plan, files: FilesPlan) -> Plan:
    """Return a pair's plan with what is done for its files."""
    return replace(
        plan,
        calls=(*files.calls, *plan.calls),
        warnings=(*files.warnings, *plan.warnings),
        details={**plan.details, **files.details},
    )


# States ------------------------------------------------------------------------------------------


def files_out_of_step(states: Sequence[tuple[Partner, FilesState]]) -> tuple[str, ...]:
    """Return why files are not in step; nothing where they are."""
    told = []
    for one, state in states:
        if state.problem:
            told.append(f"{one.instance_id} cannot be asked: {state.problem}")
        elif not state.ready:
            why = state.says or (f"{state.needs} files are on the way" if state.needs else "not in step")
            told.append(f"{one.instance_id} is {state.role or 'unknown'}: {why}")
    return tuple(told)


def conflicts_told(states: Sequence[tuple[Partner, FilesState]]) -> tuple[str, ...]:
    """Return where versions stand beside each other that only somebody who knows them can choose from."""
    most = max((state.conflicts for _, state in states), default=0)
    if not most:
        return ()
    return (
        f"{most} files were written on both at once, and both versions are there: look for "
        "*.sync-conflict-*, and delete those that are not wanted",
    )
