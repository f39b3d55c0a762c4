"""Directories of a machine that are those of a file system of EFS, and what machines say of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nospof.model.cloud import IngressRule
from nospof.model.external import Stores
from nospof.model.layout import Obstacle

TAG_EFS = "nospof:efs"
"""On a member that has directories on EFS by nospof: the file systems' ids."""
NFS_PORT = 2049
REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d+")
"""The beginning of a zone's name, be it of a Local Zone."""


@dataclass(frozen=True)
class Mount:
    """A directory that is one of a file system.

    Args:
        system: the file system's id.
        server: its name, which leads to the mount target in the asking machine's zone.
        path: the directory there.
        directory: the machine's own.
    """

    system: str
    server: str
    path: str
    directory: str

    @property
    def there(self) -> str:
        """The other end, as people write it."""
        return f"{self.system}:{self.path}"


def server_of(system: str, zone: str) -> str:
    """Return a file system's name in the region of a zone (EFS User Guide, "Mounting with a DNS name")."""
    found = REGION.match(zone)
    region = found[0] if found else zone
    return f"{system}.efs.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


@dataclass(frozen=True)
class Moved:
    """A directory as it was found; not all was counted unless `is_whole`. It may be mounted already."""

    path: str
    files: int = 0
    size_bytes: int = 0
    is_whole: bool = True
    is_mounted: bool = False


@dataclass(frozen=True)
class MountsFound:
    """What was found on a machine whose directories are to move.

    Args:
        directories: those that were asked for.
        units: of systemd, that serve there.
        obstacles: what keeps directories from being moved; those of kind "use" are only to be known.
        problem: why nothing, or not all, is known; empty where all is.
        is_reached: whether the machine was asked at all.
    """

    directories: tuple[Moved, ...] = ()
    units: tuple[str, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    problem: str = ""
    is_reached: bool = True


@dataclass(frozen=True)
class MountsFacts:
    """What decides whether directories of a pair move.

    Args:
        found: on the source.
        stores: the file systems, and whose the addresses of their mount targets are.
        inward: who may reach each security group of a mount target, by its id.
    """

    found: MountsFound
    stores: Stores
    inward: Mapping[str, tuple[IngressRule, ...]]


@dataclass(frozen=True)
class MountsState:
    """What a machine has mounted now.

    Args:
        mounts: what it is to have.
        ready: whether it has all of it.
        says: why not.
        problem: why it could not be asked; empty where it answered.
        is_reached: whether the machine was asked at all.
    """

    mounts: tuple[Mount, ...] = ()
    ready: bool = False
    says: str = ""
    problem: str = ""
    is_reached: bool = True


@dataclass(frozen=True)
class Copied:
    """How far a copy is; it goes on by asking again unless `is_whole`."""

    files: int = 0
    size_bytes: int = 0
    is_whole: bool = False
    problem: str = ""
    is_reached: bool = True


def mounts_as_said(mounts: Sequence[Mount]) -> list[dict[str, str]]:
    """Return mounts as a machine is told them."""
    return [
        {"system": one.system, "server": one.server, "path": one.path, "directory": one.directory}
        for one in mounts
    ]


def mount_of(said: Mapping[str, object]) -> Mount:
    """Return a mount as a machine says it. Raises ValueError."""
    words = [said.get(name) for name in ("system", "server", "path", "directory")]
    if not all(isinstance(one, str) and one for one in words):
        raise ValueError(f"no mount: {said!r:.200}")
    return Mount(*map(str, words))
