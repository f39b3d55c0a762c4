"""Directories that several machines have, each taking what others wrote, and what machines say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nospof.model.cloud import IngressRule
from nospof.model.layout import Obstacle

TAG_FILES = "nospof:files"
"""On a member whose directories nospof keeps in step with others': what does it, "syncthing"."""
SYNCTHING = "syncthing"
SHARING_PORT = 22000
"""Members reach each other here (Syncthing's own)."""


@dataclass(frozen=True)
class Partner:
    """A machine that shares directories; `device` is the name of its key."""

    instance_id: str
    address: str
    zone: str
    device: str


@dataclass(frozen=True)
class Sharing:
    """Who shares which directories.

    Args:
        members: the source first; none means that a machine shares nothing any more.
        directories: the same on all of them.
        joining: keys of members that have an old copy, and become as the others before they give anything.
    """

    members: tuple[Partner, ...] = ()
    directories: tuple[str, ...] = ()
    joining: tuple[str, ...] = ()


@dataclass(frozen=True)
class Directory:
    """A directory as it was found; not all was counted unless `is_whole`."""

    path: str
    files: int
    size_bytes: int
    is_whole: bool = True


@dataclass(frozen=True)
class FilesFound:
    """What was found of directories on a machine.

    Args:
        version: of the tool; empty where it is not there.
        sharing: as last applied here.
        directories: those that were asked for.
        obstacles: what keeps them from being had by two; those of kind "use" are only to be known.
        problem: why nothing, or not all, is known; empty where all is.
        is_reached: whether the machine was asked at all.
    """

    version: str = ""
    sharing: Sharing | None = None
    directories: tuple[Directory, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    problem: str = ""
    is_reached: bool = True


@dataclass(frozen=True)
class FilesFacts:
    """What decides how a pair's files are kept; `inward`: who may reach the first security group."""

    found: FilesFound
    inward: tuple[IngressRule, ...] = ()


FilesRole = Literal["member", "joining", "stranger", "alone", "down"]
"""A stranger is a copy that nobody let in; alone: a machine that shares nothing."""


@dataclass(frozen=True)
class FilesState:
    """What a machine is in its sharing now.

    Args:
        role: empty where it could not be had.
        ready: whether it has what the others have, and they what it has, as far as it was seen.
        says: why not.
        needs: how many files and deletions are on the way, here or to others.
        need_bytes: of them.
        scanned: when all of its directories were last looked at as a whole, by its own clock (RFC 3339).
        conflicts: versions that stand beside another that was written at the same time.
        problem: why it could not be asked; empty where it answered.
        is_reached: whether the machine was asked at all.
    """

    role: FilesRole | Literal[""] = ""
    ready: bool = False
    says: str = ""
    needs: int = 0
    need_bytes: int = 0
    scanned: str = ""
    conflicts: int = 0
    problem: str = ""
    is_reached: bool = True


@dataclass(frozen=True)
class DirectorySum:
    """What is in a directory, so that it can be compared with another machine's.

    Args:
        path: of the directory.
        files: how many were read.
        size_bytes: of them.
        in_part: how many of them were read at their beginning and end only.
        sums: of each group that names are put into.
        entries: content and name of everything in the groups that were asked for; no sums are told then.
        is_whole: whether there was not more than that.
    """

    path: str
    files: int = 0
    size_bytes: int = 0
    in_part: int = 0
    sums: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True)
class FilesChecked:
    """What is in a machine's shared directories."""

    directories: tuple[DirectorySum, ...] = ()
    problem: str = ""
    is_reached: bool = True


def sharing_of(said: Mapping[str, object] | None) -> Sharing | None:
    """Return the sharing that a machine carries, or None where it carries none.

    Raises:
        ValueError: what it says is none.
    """
    if not said:
        return None
    members, directories, joining = (said.get(one, []) for one in ("members", "directories", "joining"))
    if not all(isinstance(one, list) for one in (members, directories, joining)):
        raise ValueError(f"no sharing: {said!r:.200}")
    assert isinstance(members, list)  # noqa: S101 - seen above
    assert isinstance(directories, list)  # noqa: S101
    assert isinstance(joining, list)  # noqa: S101
    return Sharing(tuple(map(partner_of, members)), tuple(map(str, directories)), tuple(map(str, joining)))


def partner_of(said: object) -> Partner:
    """Return one member of a sharing as a machine says it. Raises ValueError."""
    if not isinstance(said, Mapping) or not said.get("address") or not said.get("device"):
        raise ValueError(f"no member: {said!r:.200}")
    return Partner(
        str(said.get("id", "")), str(said["address"]), str(said.get("zone", "")), str(said["device"])
    )


def sharing_as_said(sharing: Sharing) -> dict[str, object]:
    """Return a sharing as a machine is told it."""
    return {
        "members": [
            {"id": one.instance_id, "address": one.address, "zone": one.zone, "device": one.device}
            for one in sharing.members
        ],
        "directories": list(sharing.directories),
        "joining": list(sharing.joining),
    }
