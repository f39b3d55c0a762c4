"""Decide how a service's directories move to EFS, which both of a pair mount, or why that must not be tried.

Pure: facts in, a plan or `PreconditionFailed` out. Nothing is kept in step, for there is one copy; what has
to be known is that both zones reach it, and how long uploads are refused while it takes over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import IngressRule, Instance
from nospof.model.external import FileSystem
from nospof.model.launching import tag_pairs
from nospof.model.mounting import NFS_PORT, TAG_EFS, Mount, MountsFacts, MountsState, server_of
from nospof.model.plans import Plan, PlannedCall
from nospof.model.requests import PairRequest
from nospof.planning.data import NOT_YET, size, told_call
from nospof.planning.external import add_target
from nospof.planning.files import directories_of
from nospof.planning.pair_rules import PairFacts

WISH = re.compile(r"(fs-[0-9a-f]{8,40})(?::(/[^\s=,]*))?=(/\S+)")
COMPARED_A_SECOND = 3000
"""Files of both sides, as told by a busy machine of two processors; a file system far away takes longer."""
NOTICE_SECONDS = 2


@dataclass(frozen=True)
class MountsPlan:
    """How the directories of a pair move.

    Args:
        mounts: what becomes of each.
        units: what must not serve without them.
        before: the writes that come before the clone.
        after: those that come after it.
    """

    mounts: tuple[Mount, ...]
    units: tuple[str, ...]
    before: tuple[PlannedCall, ...] = ()
    after: tuple[PlannedCall, ...] = ()
    warnings: tuple[str, ...] = ()
    details: dict[str, str] = field(default_factory=dict)

    @property
    def mark(self) -> dict[str, str]:
        """What is written on members."""
        return {TAG_EFS: " ".join(dict.fromkeys(one.system for one in self.mounts))}


def mounts_of(request: PairRequest, zone: str) -> tuple[Mount, ...]:
    """Return the directories that are to move.

    Args:
        zone: of the source.

    Raises:
        UsageError: one is not understood, lies in another, or is asked for twice.
    """
    found = []
    for said in dict.fromkeys(request.efs):
        wish = WISH.fullmatch(said)
        directory = wish[3].rstrip("/") if wish else ""
        parts = directory.split("/")
        if not wish or len(parts) < 3 or any(one in ("", ".", "..") for one in parts[1:]):
            raise UsageError(
                f"--efs {said!r} must be FS-ID[:/PATH]=DIR, with the whole path of a directory in another: "
                "fs-0123456789abcdef0=/var/www/html/uploads"
            )
        path = (wish[2] or "/").rstrip("/") or "/"
        found.append(Mount(wish[1], server_of(wish[1], zone), path, directory))
    refuse_what_overlaps(found, directories_of(request))
    if found and request.stateless:
        raise UsageError("--efs and --stateless contradict each other; leave one out")
    return tuple(found)


def refuse_what_overlaps(mounts: Sequence[Mount], synced: Sequence[str]) -> None:
    """Refuse directories, here or there, of which one lies in another."""
    places = [(one.directory, one.directory) for one in mounts] + [(one, one) for one in synced]
    there = [(f"{one.system}{one.path.rstrip('/')}", one.there) for one in mounts]
    for known in (places, there):
        for number, (at, says) in enumerate(known):
            others = [other for n, (other, _) in enumerate(known) if n != number]
            if any(f"{other}/".startswith(f"{at}/") for other in others):
                raise UsageError(f"{says} is asked for twice, or another of --efs or --sync lies in it")


def plan_mounts(facts: PairFacts, request: PairRequest) -> MountsPlan | None:
    """Return how directories become those of file systems; None where none do.

    Raises:
        PreconditionFailed: they cannot; everything that is in the way is named.
    """
    source = facts.source
    mounts = mounts_of(request, source.zone)
    if not mounts:
        return None
    if facts.mounts is None:
        raise PreconditionFailed(
            f"nobody here can reach into {source.id}, so --efs cannot be. Nothing was changed."
        )
    hard = [*of_the_systems(facts, facts.mounts, mounts), *of_the_machine(facts, facts.mounts, mounts)]
    if hard:
        raise PreconditionFailed(
            f"the files of {source.id} cannot move: {'; '.join(dict.fromkeys(hard))}. Nothing was changed."
        )
    made = MountsPlan(mounts, facts.mounts.found.units)
    return replace(
        made,
        before=before_calls(made, source),
        after=after_calls(made, facts.twin),
        warnings=warnings_of(facts.mounts, mounts),
        details={"files": "; ".join(details_of(facts.mounts, mounts, source))},
    )


# What is in the way -------------------------------------------------------------------------------


def of_the_systems(facts: PairFacts, about: MountsFacts, mounts: Sequence[Mount]) -> Iterator[str]:
    """Yield what keeps file systems from being had by both members."""
    for system_id in dict.fromkeys(one.system for one in mounts):
        system = next((one for one in about.stores.file_systems if one.id == system_id), None)
        if system is None or system.zone is None:
            why = "; ".join(about.stores.unread) or "there is none of that id here"
            yield (
                f"nothing is known of EFS {system_id} ({why}): aws efs describe-file-systems "
                f"--file-system-id {system_id}"
            )
        elif system.zone:
            yield (
                f"EFS {system_id} keeps its files in {system.zone} only, and that zone's failure would take "
                "them from both: aws efs create-file-system --encrypted makes one of the whole region"
            )
        elif system.state != "available":
            yield f"EFS {system_id} is {system.state}, not available: wait until it is"
        else:
            yield from of_the_targets(facts, about, system)


def of_the_targets(facts: PairFacts, about: MountsFacts, system: FileSystem) -> Iterator[str]:
    """Yield what keeps a member from a file system that is there."""
    if system.targets is None:
        yield f"the mount targets of EFS {system.id} could not be read ({'; '.join(about.stores.unread)})"
        return
    for zone in dict.fromkeys(one for one in (facts.source.zone, facts.twin_zone) if one):
        target = next((one for one in system.targets if one.zone == zone and one.is_available), None)
        if target is None:
            waits = any(one.zone == zone for one in system.targets)
            mend = "Wait until it is available" if waits else add_target(facts, system, zone)
            yield f"EFS {system.id} has no mount target in {zone} that is available. {mend}"
            continue
        holder = next((one for one in about.stores.holders if one.address == target.address), None)
        for member in members_in(facts, zone):
            if holder and holder.groups and not lets_in(about, holder.groups, member, facts):
                yield (
                    f"the mount target of EFS {system.id} in {zone} lets nobody of {member.id}'s security "
                    f"groups in: aws ec2 authorize-security-group-ingress --group-id {holder.groups[0]} "
                    f"--protocol tcp --port {NFS_PORT} --source-group "
                    f"{next(iter(member.security_groups), '...')}"
                )


def members_in(facts: PairFacts, zone: str) -> tuple[Instance, ...]:
    """Return who asks from a zone; a twin that is yet to be made has its source's security groups."""
    known = (facts.source, facts.twin) if facts.twin else (replace(facts.source, zone=zone),)
    return tuple(one for one in known if one and one.zone == zone)


def lets_in(about: MountsFacts, groups: Sequence[str], member: Instance, facts: PairFacts) -> bool:
    """Whether security groups let a member's NFS in; a rule for a part of its subnets is believed."""
    cidrs = [one.cidr for one in facts.subnets if one.zone == member.zone and one.cidr]

    def is_for(rule: IngressRule) -> bool:
        if rule.from_group:
            return rule.from_group in member.security_groups
        return ":" not in rule.cidr and (
            not cidrs or any(IPv4Network(rule.cidr).overlaps(IPv4Network(one)) for one in cidrs)
        )

    rules = [rule for group in groups for rule in about.inward.get(group, ())]
    return any(rule.port in (0, NFS_PORT) and is_for(rule) for rule in rules)


def of_the_machine(facts: PairFacts, about: MountsFacts, mounts: Sequence[Mount]) -> Iterator[str]:
    """Yield what a look at the source found to be in the way."""
    if about.found.problem:
        yield about.found.problem
    yield from (one.says for one in about.found.obstacles if one.refuses)
    of_database = facts.data.examined.directory.rstrip("/") if facts.data else ""
    for one in mounts if of_database else ():
        at = one.directory
        if f"{of_database}/".startswith(f"{at}/") or f"{at}/".startswith(f"{of_database}/"):
            yield f"{at} holds the database of {facts.source.id}, whose files only its server may write"


# What is told -------------------------------------------------------------------------------------


def warnings_of(about: MountsFacts, mounts: Sequence[Mount]) -> tuple[str, ...]:
    """Return what the operator should know before saying yes."""
    told = [
        f"uploads to {one.path} are refused for about {seconds_refused(one.files)} s while the last of its "
        "copy is made and compared; it is read meanwhile. Who writes then is told so by the application, and "
        "has to try again"
        for one in about.found.directories
        if not one.is_mounted
    ]
    for system_id in dict.fromkeys(one.system for one in mounts):
        system = next(one for one in about.stores.file_systems if one.id == system_id)
        if system.is_encrypted is False:
            told.append(f"EFS {system_id} does not encrypt what it keeps")
    told.append(
        "NFS goes through the network as it is, and remembers: a file that a member was asked for in vain "
        "may be found there only a minute after the other was given it"
    )
    told += [one.says for one in about.found.obstacles if one.kind == "use"]
    return tuple(told)


def seconds_refused(files: int) -> int:
    """Return about how long writes are refused for a directory of so many files."""
    return NOTICE_SECONDS + files // COMPARED_A_SECOND


def details_of(about: MountsFacts, mounts: Sequence[Mount], source: Instance) -> Iterator[str]:
    """Yield where each directory goes, and how much it is."""
    for found, one in zip(about.found.directories, mounts, strict=True):
        counted = "there already" if found.is_mounted else f"{found.files} files, {size(found.size_bytes)}"
        yield f"{found.path} of {source.id} ({counted}) on EFS {one.there}, mounted by both"


def before_calls(plan: MountsPlan, source: Instance) -> tuple[PlannedCall, ...]:
    """Return the writes that move the source's directories."""
    where = ", ".join(f"{one.directory} to {one.there}" for one in plan.mounts)
    return (
        told_call(source.id, f"copy {where} while it serves"),
        told_call(source.id, "refuse writes there, copy the rest, compare, and mount it"),
        PlannedCall(
            "ec2",
            "CreateTags",
            {"Resources": [source.id], "Tags": tag_pairs(plan.mark)},
            f"mark on {source.id} where its files are",
        ),
    )


def after_calls(plan: MountsPlan, twin: Instance | None) -> tuple[PlannedCall, ...]:
    """Return the writes that have the twin mount the same."""
    twin_id, is_known = (twin.id if twin else NOT_YET), twin is not None
    return (
        told_call(twin_id, "have the twin have the same mounted", is_known=is_known),
        PlannedCall(
            "ec2",
            "CreateTags",
            {"Resources": [twin_id], "Tags": tag_pairs(plan.mark)},
            "mark it on the twin",
            () if is_known else ("Resources",),
        ),
    )


def with_mounts(plan: Plan, mounts: MountsPlan) -> Plan:
    """Return a pair's plan with what is done for directories that move, once there is a twin."""
    return replace(
        plan,
        calls=(*mounts.after, *plan.calls),
        warnings=(*mounts.warnings, *plan.warnings),
        details={**plan.details, **mounts.details},
    )


# States -------------------------------------------------------------------------------------------


def not_mounted(states: Sequence[tuple[str, MountsState]]) -> tuple[str, ...]:
    """Return why not all members have the same mounted; nothing where they do.

    Args:
        states: of each member, by its id.
    """
    told = []
    for member, state in states:
        if state.problem:
            told.append(f"{member} cannot be asked: {state.problem}")
        elif not state.ready:
            told.append(f"{member}: {state.says or 'nothing is mounted'}")
    different = {tuple(sorted((one.directory, one.there) for one in state.mounts)) for _, state in states}
    if not told and len(different) > 1:
        told.append(f"{' and '.join(member for member, _ in states)} have different file systems mounted")
    return tuple(told)
