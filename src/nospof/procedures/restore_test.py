"""A backup is worth what its restoration shows: a machine made of it, that nobody reaches, is looked into.

It stands in a security group of its own, which lets nobody in, and out by HTTPS only: there is Systems
Manager, and neither the members whose data it has nor anybody's mail. Its database does not start by itself:
its address has no seat in the layout that is on its disk. It is made a plain server, read, and taken away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from nospof.errors import PreconditionFailed, ProcedureFailed
from nospof.model.backups import TAG_TESTED, Restored, RestoreRequest, told_moment
from nospof.model.cloud import Instance
from nospof.model.layout import Checked, Engine, Layout
from nospof.planning.backups import (
    HTTPS,
    Setting,
    backup_to_restore,
    jobs_of,
    plan_restore,
    refuse_jobs,
    restored_on,
    shut_group,
)
from nospof.planning.data import cluster_of
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.backup_list import backups_of, members_of
from nospof.procedures.clone import wait_until_ok
from nospof.procedures.data import apply, databases_of, done, reached
from nospof.procedures.launching import launch
from nospof.procedures.looking import look_inside
from nospof.procedures.rehearse import ask_first
from nospof.procedures.taking_away import take_away
from nospof.procedures.turn import now
from nospof.procedures.waiting import TimedOut


@dataclass(frozen=True)
class Seen:
    """What was seen of a restored machine, or why a backup is not proved by it."""

    says: str = ""
    problem: str = ""


def try_backup(steps: Steps, world: World, request: RestoreRequest) -> Restored:
    """Restore a backup and look at it. Guarantee: nothing of it is left when this ends."""
    setting = steps.read("look at the backup and where it can be restored", setting_of, world, request)
    refuse_jobs(setting.jobs, is_accepted=request.jobs_may_run_twice)
    plan = plan_restore(setting, steps.token)
    ask_first(steps, world, plan)
    return restore_and_look(steps, world, setting)


def setting_of(world: World, request: RestoreRequest) -> Setting:
    """Return the backup to restore, and the member whose kind of machine it is restored on.

    Raises:
        UsageError: there is no such service or backup.
        PreconditionFailed: it cannot be restored.
    """
    members = members_of(world, request.service)
    backup = backup_to_restore(backups_of(world, request.service), request.image_id, request.service)
    member = next((one for one in members if one.id == backup.instance_id), members[0])
    return Setting(request.service, backup, member, jobs_of(look_inside(world, member)))


def restore_and_look(steps: Steps, world: World, setting: Setting) -> Restored:
    """Restore a backup, look at what is in it, mark it with what came of that, and take the machine away."""
    token, backup = steps.token, setting.backup
    group = steps.do("make a security group that lets nobody in", make_group, world, setting, token)
    began = steps.do("note when the restoration began", now, world)
    machine = steps.do("launch a machine from the backup", launch_in, world, setting, group, token)
    seen = steps.do("wait until that machine passes its status checks", see_it_up, world, machine.id)
    checked, checked_at = Checked(), 0.0
    if backup.engine and not seen.problem:
        seen = steps.do("compare how far its database is", see_position, world, machine.id, backup.position)
    if backup.engine and not seen.problem:
        seen = steps.do("have its database be a plain server", see_plain, world, machine.id, setting)
    restored_at = steps.do("note when it was restored", now, world)
    if backup.engine and not seen.problem:
        checked = steps.do("read all of its tables", read_tables, world, machine.id)
        checked_at = steps.do("note when they were read", now, world)
    problem = seen.problem or checked.problem
    removed = steps.do(
        "terminate that machine", take_away, world, "instance", {machine.id: machine.id}, token
    )
    removed += steps.do(
        "delete its security group", take_away, world, "security group", {group: group}, token
    )
    made = Restored(
        backup.image_id,
        restored_at - began,
        checked_at - restored_at if checked_at else 0.0,
        len(checked.tables),
        sum(one.rows for one in checked.tables),
        backup.position,
        problem,
        tuple(removed),
    )
    steps.do("mark the backup with what came of it", mark_tested, world, made)
    return made


def make_group(world: World, setting: Setting, token: str) -> str:
    """Make the security group; return its id once its members reach others by HTTPS only."""
    group = world.cloud.create_security_group(shut_group(setting.member, token))
    world.cloud.allow_egress(group, HTTPS)
    world.cloud.revoke_egress(group, but_port=HTTPS)
    return group


def launch_in(world: World, setting: Setting, group: str, token: str) -> Instance:
    """Launch the machine that is like a member, in that group. A repeat returns the same one."""
    return launch(world, replace(restored_on(setting, token), security_groups=(group,)))


def seen(look: Callable[[], str]) -> Seen:
    """Return what was seen, or how the machine is not as it should be: that is an answer.

    What the cloud refuses is none, and raises.
    """
    try:
        return Seen(look())
    except (ProcedureFailed, PreconditionFailed, TimedOut) as error:
        return Seen(problem=str(error))


def see_it_up(world: World, instance_id: str) -> Seen:
    """Wait until the machine works, as the cloud sees it."""
    return seen(lambda: wait_until_ok(world, instance_id).state)


def see_position(world: World, instance_id: str, wanted: str) -> Seen:
    """Have the machine tell how far its database is, which has not been started there."""

    def look() -> str:
        wrong = f"how far the data of {instance_id} is was not told"
        told = done(world, instance_id, lambda: databases_of(world).position(instance_id), wrong)
        if told != (wanted,):
            raise ProcedureFailed(
                f"its data is at {', '.join(told) or 'no position'}, and was at {wanted} when it was taken"
            )
        return wanted

    return seen(look)


def see_plain(world: World, instance_id: str, setting: Setting) -> Seen:
    """Have the machine's database be the plain server that the service's once was."""
    engine: Engine = "patroni" if setting.backup.engine == "patroni" else "galera"
    plain = Layout(engine, cluster_of(setting.service))
    return seen(lambda: "; ".join(apply(world, instance_id, plain)))


def read_tables(world: World, instance_id: str) -> Checked:
    """Return what the tables of the restored database hold, every row of them read."""
    return reached(world, instance_id, lambda: databases_of(world).check(instance_id))


def mark_tested(world: World, made: Restored) -> str:
    """Mark a backup with what came of its restoration."""
    what = "not proved" if made.problem else f"restored in {made.seconds:.0f} s"
    says = f"{told_moment(world.clock.now())} {what}"
    world.cloud.tag(made.image_id, {TAG_TESTED: says})
    return says
