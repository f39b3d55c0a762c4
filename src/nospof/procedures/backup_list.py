"""The backups that there are of a service, and the members that the next one can be of."""

from __future__ import annotations

from nospof.errors import UsageError
from nospof.model.backups import TAG_BACKUP, Backup, BackupRequest, backup_of
from nospof.model.cloud import TAG_SERVICE, Instance
from nospof.model.layout import TAG_DATA
from nospof.planning.backups import member_to_copy
from nospof.ports.world import World
from nospof.procedures.data import examine, states_of


def choose(world: World, request: BackupRequest) -> str:
    """Return the member that is copied.

    Raises:
        UsageError: there is no such service, or no such member of it.
        PreconditionFailed: who keeps its data could not be asked.
    """
    members = members_of(world, request.service)
    keepers = [one for one in members if TAG_DATA in one.tags]
    layout = examine(world, keepers[0].id).layout if keepers and world.databases else None
    states = states_of(world, layout) if layout else ()
    return member_to_copy(members, states, request.instance_id, request.service)


def members_of(world: World, service: str) -> tuple[Instance, ...]:
    """Return the members of a service that run. Raises UsageError: there are none."""
    marked = world.cloud.instances(TAG_SERVICE, service)
    if not marked:
        known = sorted({one.tags[TAG_SERVICE] for one in world.cloud.instances(TAG_SERVICE)})
        raise UsageError(
            f"no instance is a member of {service}; known services: "
            f"{', '.join(known) or 'none; make one with nospof pair'}"
        )
    return tuple(one for one in marked if one.state == "running") or marked


def backups_of(world: World, service: str) -> tuple[Backup, ...]:
    """Return the images that backups of a service made, whatever became of them, by id."""
    images = world.cloud.images(TAG_BACKUP, service)
    snapshots = world.cloud.snapshots(TAG_BACKUP, service) if images else ()
    return tuple(backup_of(one, snapshots) for one in images)
