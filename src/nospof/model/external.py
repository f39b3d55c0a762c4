"""Data that is kept elsewhere: what a machine was seen to use over the network, and who keeps it there."""

from __future__ import annotations

import re
from dataclasses import dataclass

EFS_INTERFACE = re.compile(r"EFS mount target for (fs-[0-9a-f]+)")
CACHE_INTERFACE = re.compile(r"ElastiCache (\S+)")
RDS_INTERFACE = "RDSNetworkInterface"
"""What AWS writes on the interfaces that it makes; RDS does not say for which database."""


@dataclass(frozen=True)
class Used:
    """Something that a look inside a machine found it to use over the network.

    Args:
        server: a connection's other end; of a mount its server by name or address, or a file system's id.
        port: of a connection; 0 for a mount.
        point: where it is mounted; empty for a connection.
        process: whose connection it is, empty where that may not be seen.
    """

    server: str
    port: int = 0
    point: str = ""
    process: str = ""


@dataclass(frozen=True)
class Holder:
    """The network interface that has an address.

    Args:
        address: the private address asked for.
        description: what AWS, or whoever made it, wrote there.
        instance_id: whose it is; empty where it belongs to no instance.
        zone: where it is.
        groups: its security groups.
    """

    address: str
    description: str = ""
    instance_id: str = ""
    zone: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Database:
    """A database instance of RDS, or of what is managed through it.

    Args:
        id: its own name, or its cluster's where it is in one: the cluster is what stays.
        engine: such as "mysql" or "aurora-postgresql".
        port: that it listens on.
        zone: where what is written to is now.
        groups: its security groups.
        is_cluster: whether it is a member of a cluster.
        is_multi_zone: whether it goes on in another zone by itself; None where that could not be read.
    """

    id: str
    engine: str
    port: int
    zone: str = ""
    groups: tuple[str, ...] = ()
    is_cluster: bool = False
    is_multi_zone: bool | None = False


@dataclass(frozen=True)
class MountTarget:
    """The way to a file system in one zone."""

    id: str
    zone: str
    address: str
    is_available: bool = True


@dataclass(frozen=True)
class FileSystem:
    """A file system of EFS.

    Args:
        id: its id.
        zone: the only zone that keeps it (One Zone); empty for one that is kept in the whole region, None
            where that could not be read.
        targets: its mount targets; None where they could not be read.
        state: as AWS calls it; empty where that could not be read.
        is_encrypted: whether it encrypts what it keeps; None where that could not be read.
    """

    id: str
    zone: str | None = ""
    targets: tuple[MountTarget, ...] | None = ()
    state: str = "available"
    is_encrypted: bool | None = True


@dataclass(frozen=True)
class Stores:
    """Who keeps what a machine uses; `unread` is a sentence for each part that could not be read."""

    holders: tuple[Holder, ...] = ()
    databases: tuple[Database, ...] = ()
    file_systems: tuple[FileSystem, ...] = ()
    unread: tuple[str, ...] = ()
