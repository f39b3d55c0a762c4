"""The backups there are of a service, and what takes back a run that made one."""

from __future__ import annotations

from nospof.errors import UsageError
from nospof.model.backups import Backup, DiscardRequest
from nospof.model.runs import Run
from nospof.ports.world import World
from nospof.procedures.backup_list import backups_of, members_of
from nospof.services.undoing import refuse_now

DISCARDED = ("backup", "maintain-run", "test-backup")
"""The procedures whose runs are taken back by taking away what they made."""


def backups_known(world: World, service: str) -> tuple[tuple[Backup, ...], float]:
    """Return the backups of a service, newest first, what never became one last; and the time now.

    Raises:
        UsageError: there is no such service, and no backup of one.
    """
    found = backups_of(world, service)
    if not found:
        members_of(world, service)
    newest = sorted(found, key=lambda one: (-one.taken_at, one.image_id))
    return tuple(newest), world.clock.now()


def discard_request(run: Run) -> DiscardRequest:
    """Return the request that takes away what a backup, or its test, made.

    Raises:
        UsageError: the run is of another kind.
        PreconditionFailed: it lives, may live elsewhere, or changed nothing.
    """
    if run.procedure not in DISCARDED:
        raise UsageError(f"{run.id} is a {run.procedure}")
    refuse_now(run)
    return DiscardRequest(run.id)
