"""Backups of a service: images of a member that did not serve meanwhile, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from nospof.model.cloud import TAG_CONSISTENCY, TAG_RUN, Image, Snapshot
from nospof.model.layout import Engine

TAG_BACKUP = "nospof:backup"
"""On an image that `maintain backup` takes, and its snapshots: the service."""
TAG_MEMBER = "nospof:backup-of"
"""Likewise: the instance it is of."""
TAG_ENGINE = "nospof:engine"
"""Likewise: what kept that instance's data in step with the others'; empty where nothing did."""
TAG_POSITION = "nospof:position"
"""Likewise: how far its database was, by the database's own count; empty where there is none."""
TAG_TAKEN = "nospof:taken"
"""Likewise: the moment whose content it is. Put on last, once all else is known."""
TAG_TESTED = "nospof:tested"
"""On a backup: when it was restored, and what came of it."""

MADE_BY = "backup-"
"""How the ids of the runs begin whose backups may be deleted."""
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class BackupRequest:
    """Take an image of a member that does not serve meanwhile, its database at rest.

    Args:
        service: the service's name.
        instance_id: the member; empty takes one that is not written to.
        path: the page to ask it for before it serves again; empty takes the page its balancer asks for.
        keep: how many backups are kept, the newest; 1 or more.
        test: restore it before an older one is deleted.
        jobs_may_run_twice: as in `CloneRequest`, of the machine it is restored on.
    """

    service: str
    instance_id: str = ""
    path: str = ""
    keep: int = 7
    test: bool = False
    jobs_may_run_twice: bool = False


@dataclass(frozen=True)
class RestoreRequest:
    """Restore a backup on a machine that nobody reaches, look at what is in it, and take that away again.

    Args:
        service: the service's name.
        image_id: the backup; empty takes the newest.
        jobs_may_run_twice: as in `CloneRequest`.
    """

    service: str
    image_id: str = ""
    jobs_may_run_twice: bool = False


@dataclass(frozen=True)
class DiscardRequest:
    """Take away what a backup, or the test of one, made.

    Args:
        run_id: what carries its tag goes, and nothing else.
    """

    run_id: str


@dataclass(frozen=True)
class Backup:
    """One image of a service, and what is known of it.

    Args:
        state: the image's, in AWS's words.
        taken_at: the moment whose content it is, in seconds since the epoch; 0 where it became no backup.
        size_gib: of its disks.
        instance_id: the member it is of.
        consistency: as in `TAG_CONSISTENCY`.
        tested: as in `TAG_TESTED`; empty where nobody restored it.
        run_id: who made it.
    """

    image_id: str
    name: str
    state: str
    taken_at: float
    size_gib: int
    instance_id: str
    engine: str
    position: str
    consistency: str
    tested: str
    run_id: str
    snapshot_ids: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether it can be restored now."""
        return self.state == "available" and self.taken_at > 0


@dataclass(frozen=True)
class Taken:
    """An image whose point in time has come.

    `seconds` is how long the member's database was at rest, or its writes were held; 0 for neither. `says` is
    what the image is worth, in words.
    """

    image_id: str
    instance_id: str
    engine: Engine | None
    position: str
    consistency: str
    taken_at: float
    seconds: float
    says: str


@dataclass(frozen=True)
class Restored:
    """What came of restoring a backup.

    Args:
        seconds: from the request for a machine until its database answered, or its status checks passed.
        check_seconds: that reading all of its tables took.
        tables, rows: what was read.
        problem: why the backup is not proved; empty where it is.
        removed: what the test made and is gone.
    """

    image_id: str
    seconds: float
    check_seconds: float
    tables: int
    rows: int
    position: str
    problem: str = ""
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class BackupResult:
    """A backup that can be restored.

    `seconds_out_of_service` is how long the member served nobody. `removed` says of older backups what went,
    and what of them had to stay.
    """

    service: str
    taken: Taken
    seconds_out_of_service: float
    restored: Restored | None = None
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class DiscardResult:
    """What a run had made and is gone."""

    run_id: str
    removed: tuple[str, ...]


def backup_of(image: Image, snapshots: Iterable[Snapshot]) -> Backup:
    """Return what is known of an image.

    Args:
        snapshots: among which its own are, by the tag of the run and its name.
    """
    tags = image.tags
    own = [
        one
        for one in snapshots
        if one.tags.get("Name") == image.name and one.tags.get(TAG_RUN) == tags.get(TAG_RUN)
    ]
    return Backup(
        image_id=image.id,
        name=image.name,
        state=image.state,
        taken_at=moment_of(tags.get(TAG_TAKEN, "")),
        size_gib=sum(one.size_gib for one in own),
        instance_id=tags.get(TAG_MEMBER, ""),
        engine=tags.get(TAG_ENGINE, ""),
        position=tags.get(TAG_POSITION, ""),
        consistency=tags.get(TAG_CONSISTENCY, ""),
        tested=tags.get(TAG_TESTED, ""),
        run_id=tags.get(TAG_RUN, ""),
        snapshot_ids=tuple(one.id for one in own),
    )


def moment_of(text: str) -> float:
    """Return a moment as it stands on an image, in seconds since the epoch; 0 for what is none."""
    try:
        return datetime.strptime(text, TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def told_moment(seconds: float) -> str:
    """Return a moment as it stands on an image."""
    return datetime.fromtimestamp(seconds, UTC).strftime(TIME)
