"""A world in memory: the reference cloud, its clock and its eyes."""

from __future__ import annotations

from typing import Any

from nospof.adapters.memory import MemoryCloud, MemoryProbe
from nospof.adapters.memory.account import MemoryClock
from nospof.errors import PreconditionFailed
from nospof.model.drill import LoadSpec
from nospof.ports.load import LoadRun
from nospof.ports.world import World


class Silent:
    """A reporter nobody listens to."""

    def progress(self, says: str, done: float | None = None) -> None:
        pass

    def warn(self, says: str) -> None:
        pass


class Unbreakable:
    """A place where nothing can be broken or loaded: there is nothing real in it."""

    def start(self, spec: LoadSpec) -> LoadRun:
        raise PreconditionFailed("there is no load in memory")

    def refuse_unless_possible(self, kind: str) -> None:
        if kind == "kill":
            raise PreconditionFailed("there is no plug in memory")

    def kill(self, instance_id: str) -> None:
        raise PreconditionFailed("there is no plug in memory")


def memory_world(cloud: MemoryCloud, through: Any = None) -> World:
    """Return a world on this cloud; `through` stands between the procedures and it."""
    nothing = Unbreakable()
    return World(through or cloud, cloud.clock, MemoryProbe(cloud), Silent(), nothing, nothing)


def one_instance(**options: Any) -> MemoryCloud:
    return MemoryCloud.with_one_instance(MemoryClock(), **options)
