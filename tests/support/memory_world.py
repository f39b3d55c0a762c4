"""A world in memory: the reference cloud, its clock and its eyes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nospof.adapters.memory import MemoryCloud, MemoryProbe
from nospof.adapters.memory.account import MemoryClock
from nospof.adapters.memory.databases import MemoryDatabases
from nospof.adapters.memory.files import MemoryFiles
from nospof.adapters.memory.holds import MemoryHolds
from nospof.adapters.memory.images import Contents
from nospof.adapters.memory.machines import Disk
from nospof.adapters.memory.mounts import MemoryMounts
from nospof.adapters.memory.running import MemoryRunning
from nospof.adapters.memory.site import MemoryService
from nospof.errors import PreconditionFailed
from nospof.model.cloud import Image, IngressRule
from nospof.model.drill import LoadProgress, LoadSpec
from nospof.model.external import FileSystem, Holder, MountTarget, Stores
from nospof.model.layout import Obstacle
from nospof.model.machine import Looked
from nospof.ports.load import LoadRun
from nospof.ports.world import World
from nospof.procedures.looking import DECISIVE

UPLOADS = "/var/www/html/uploads"
"""Where instances that keep uploads keep them."""
SYSTEM = "fs-0123456789abcdef0"
EFS = (f"{SYSTEM}={UPLOADS}",)
"""What is asked for where they are to move."""


class Silent:
    """A reporter nobody listens to."""

    def progress(self, says: str, done: float | None = None) -> None:
        pass

    def warn(self, says: str) -> None:
        pass

    def loaded(self, phase: str, load: LoadProgress) -> None:
        pass


class Unbreakable:
    """A place where nothing can be broken or loaded: there is nothing real in it."""

    def start(self, spec: LoadSpec) -> LoadRun:
        raise PreconditionFailed("there is no load in memory")

    def read_back(
        self, spec: LoadSpec, url: str, wanted: Iterable[str] = (), *, verify: bool = True
    ) -> tuple[str, ...]:
        raise PreconditionFailed("there is no load in memory")

    def refuse_unless_possible(self, kind: str) -> None:
        if kind == "kill":
            raise PreconditionFailed("there is no plug in memory")

    def kill(self, instance_id: str) -> None:
        raise PreconditionFailed("there is no plug in memory")


class Looks:
    """Looks inside machines that find these engines and rows of other sections, and nothing else."""

    def __init__(
        self, *engines: str, written: Sequence[str] = (), **sections: Sequence[Mapping[str, Any]]
    ) -> None:
        self._engines = engines
        self._sections = {"written": [{"directory": one} for one in written], **sections}

    def look(self, instance_ids: Sequence[str]) -> Iterator[Looked]:
        none = {"status": "none", "found": []}
        rows = {"status": "found", "found": [{"engine": one} for one in self._engines]}
        more = {name: {"status": "found", "found": list(one)} for name, one in self._sections.items() if one}
        found = {**dict.fromkeys(DECISIVE, none), "engines": rows if self._engines else none, **more}
        for one in instance_ids:
            yield Looked(one, found)


def memory_world(cloud: MemoryCloud, through: Any = None) -> World:
    """Return a world on this cloud; `through` stands between the procedures and it."""
    nothing = Unbreakable()
    there = through or cloud
    written = any(machine.uploads for machine in cloud._machines.values())
    servers = {machine.server.engine for machine in cloud._machines.values() if machine.server}
    return World(
        there,
        cloud.clock,
        MemoryProbe(cloud),
        Silent(),
        nothing,
        nothing,
        machines=Looks(*sorted(servers), written=(UPLOADS,) if written else ()) if cloud.has_agents else None,
        holds=MemoryHolds(there),
        databases=MemoryDatabases(there),
        files=MemoryFiles(there),
        mounts=MemoryMounts(there),
        running=MemoryRunning(there),
    )


def one_instance(**options: Any) -> MemoryCloud:
    return MemoryCloud.with_one_instance(MemoryClock(), **options)


def keep_files(cloud: MemoryCloud, *obstacles: Obstacle) -> None:
    """Have the first instance keep uploads."""
    cloud.keep_files(cloud.the_instance.id, *obstacles)


def have_efs(cloud: MemoryCloud, *, zones: Sequence[str] = (), **more: Any) -> None:
    """Have a file system with a mount target in these zones, else in all; its members let each other in."""
    group, instance = cloud.the_instance.security_groups[0], cloud.the_instance
    places = tuple(zones) or tuple(dict.fromkeys(one.zone for one in cloud.subnets(instance.vpc_id)))
    targets = tuple(MountTarget(f"fsmt-{one}", one, f"10.9.{n}.9") for n, one in enumerate(places))
    holders = tuple(
        Holder(one.address, f"EFS mount target for {SYSTEM}", "", one.zone, (group,)) for one in targets
    )
    cloud.keep_elsewhere(Stores(holders, file_systems=(FileSystem(SYSTEM, **{"targets": targets, **more}),)))
    cloud._rules[group] = [*cloud._rules[group], IngressRule(0, from_group=group)]


def keep_data(cloud: MemoryCloud, engine: str = "mariadb", *obstacles: Obstacle) -> None:
    """Have the first instance keep a database, in an account where an arbitrator can be made."""
    contents = Contents((Disk("/dev/sda1", 8),), MemoryService())
    cloud.put_image(Image("ami-debian", "debian-12-amd64-1", "available"), contents)
    cloud.keep_data(cloud.the_instance.id, engine, *obstacles)


def stick(cloud: MemoryCloud, instance_id: str) -> None:
    """Have a member miss what comes, and not catch up."""
    server = cloud._machines[instance_id].server
    assert server is not None
    server.has_joined, server.is_stuck = False, True
