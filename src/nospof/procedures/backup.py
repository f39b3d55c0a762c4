"""Backup: one member leaves, its database rests for the seconds in which its snapshots begin, and it is back.

Others serve meanwhile. Older backups go last: once the new one can be restored or, where that was asked for,
was restored.
"""

from __future__ import annotations

from nospof.errors import CloudError
from nospof.model.backups import TAG_BACKUP, Backup, BackupRequest, BackupResult, backup_of
from nospof.model.cloud import TAG_RUN, Image
from nospof.planning.backups import (
    Setting,
    deletion_calls,
    jobs_of,
    marks,
    plan_backup,
    refuse_jobs,
    refuse_to_keep_none,
    restore_calls,
    too_old,
)
from nospof.planning.clone import image_name_of, refuse_what_another_run_holds
from nospof.planning.preflight import company, heed, state
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.backup_image import image_of_member
from nospof.procedures.backup_list import backups_of, choose
from nospof.procedures.clone import wait_for_image
from nospof.procedures.rehearse import PROTECTED, ask_first
from nospof.procedures.restore_test import restore_and_look
from nospof.procedures.taking_away import take_away
from nospof.procedures.turn import (
    MemberFacts,
    member_facts,
    now,
    put_back,
    refuse_to_leave_the_service_alone,
    take_out,
)
from nospof.procedures.waiting import TimedOut

IN_USE_SECONDS = 60.0
"""So long an image that was deregistered may still keep its snapshots."""

BEGIN_ANOTHER = (
    "The member serves, and no backup was deleted. Take what is left away (nospof runs undo, of this run) "
    "and begin another"
)


def backup(steps: Steps, world: World, request: BackupRequest) -> BackupResult:
    """Back a service up while it serves. Guarantee: the member runs and serves again at the end."""
    refuse_to_keep_none(request.keep)
    member = steps.read("choose the member that is copied", choose, world, request)
    facts = steps.read("look at the member and those beside it", member_facts, world, member, request.path)
    there = steps.read("look at the backups there are", backups_of, world, request.service)
    prepare(steps, world, request, facts, there)
    tags = marks(request.service, member, facts.layout.engine if facts.layout else "", steps.token)
    began = take_out(steps, world, facts)
    how = "its database at rest" if facts.layout else "its writes held"
    name = image_name_of(steps.token)
    taken = steps.do(f"take the image with {how}", image_of_member, world, facts, name, tags, steps.token)
    put_back(steps, world, facts)
    ended = steps.do("note the time", now, world)
    steps.do("wait until the backup can be restored", wait_for_image, world, taken.image_id, BEGIN_ANOTHER)
    steps.do("take away what attempts that failed have left", tidy, world, taken.image_id, steps.token)
    made = steps.do("look at the backups once more", backups_of, world, request.service)
    restored = None
    if request.test:
        own = next(one for one in made if one.image_id == taken.image_id)
        restored = restore_and_look(steps, world, Setting(request.service, own, facts.instance))
    removed: list[str] = []
    for old in too_old(made, request.keep) if not (restored and restored.problem) else ():
        removed += steps.do(f"delete the backup {old.image_id}", delete, world, request.service, old)
    return BackupResult(request.service, taken, ended - began, restored, tuple(removed))


def prepare(
    steps: Steps, world: World, request: BackupRequest, facts: MemberFacts, there: tuple[Backup, ...]
) -> None:
    """Refuse what must not be, and ask the cloud: all that comes before the first change."""
    refuse_what_another_run_holds(facts.instance, steps.token)
    refuse_to_leave_the_service_alone(facts)
    warnings = heed(facts.about, request, (state, company))
    if facts.is_on_efs:
        world.reporter.warn("files on EFS are not in the backup: AWS Backup copies file systems of EFS")
    more = [*deletion_calls(too_old(there, request.keep - 1))]
    if request.test:
        refuse_jobs(jobs_of(facts.about.inside), is_accepted=request.jobs_may_run_twice)
        own = backup_of(Image(facts.instance.image_id, "", "pending"), ())
        more += restore_calls(Setting(request.service, own, facts.instance), steps.token)
    groups = [(one, one.group_tags) for one in facts.memberships]
    plan = plan_backup(facts.instance.id, groups, steps.token, more)
    ask_first(steps, world, plan, warnings)


def tidy(world: World, image_id: str, run_id: str) -> tuple[str, ...]:
    """Take away images of earlier attempts of this run, which became no backups, and their snapshots."""
    images = [one for one in world.cloud.images(TAG_RUN, run_id) if one.id != image_id]
    kept = {one.name for one in world.cloud.images(TAG_RUN, run_id) if one.id == image_id}
    gone = take_away(world, "image", {one.id: one.id for one in images}, run_id)
    left = [one.id for one in world.cloud.snapshots(TAG_RUN, run_id) if one.tags.get("Name") not in kept]
    return gone + take_away(world, "snapshot", {one: one for one in left}, run_id)


def delete(world: World, service: str, old: Backup) -> tuple[str, ...]:
    """Delete a backup with its snapshots; return what went, and what stays. Safe to repeat.

    Only what carries the marks of this service and of the run that made it goes. An instance that was
    launched from it is no hindrance, and stays. So does what its owner protects, or uses in another image.
    """
    if any(one.id == old.image_id for one in world.cloud.images(TAG_BACKUP, service)):
        try:
            take_away(world, "image", {old.image_id: old.image_id}, old.run_id)
        except CloudError as error:
            if error.code != PROTECTED:
                raise
            return (f"the backup {old.image_id} stays: it is protected against being deregistered",)
    ours = {one.id for one in world.cloud.snapshots(TAG_BACKUP, service)}
    stays = [one for one in old.snapshot_ids if one in ours and not snapshot_goes(world, one, old.run_id)]
    return (
        f"the backup {old.image_id}, with {len(old.snapshot_ids) - len(stays)} snapshots",
        *(f"the snapshot {one} stays: another image rests on it" for one in stays),
    )


def snapshot_goes(world: World, snapshot_id: str, run_id: str) -> bool:
    """Delete a snapshot; return whether it is gone: one that another image rests on stays."""
    try:
        take_away(world, "snapshot", {snapshot_id: snapshot_id}, run_id, IN_USE_SECONDS)
    except TimedOut:
        return False
    return True
