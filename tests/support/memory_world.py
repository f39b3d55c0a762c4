"""A world in memory: the reference cloud, its clock and its eyes."""

from __future__ import annotations

from typing import Any

from nospof.adapters.memory import MemoryCloud, MemoryProbe
from nospof.adapters.memory.account import MemoryClock
from nospof.errors import PreconditionFailed
from nospof.model.drill import LoadSpec
from nospof.ports.load import LoadRun
from nospof.ports.world import World
from nospof.runtime.memory import Killed


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


class Mortal:
    """A connection to a cloud that dies with its process at the n-th call, before or after its effect.

    Once dead, every further call dies too: no `finally` of a killed process reaches the cloud.
    """

    def __init__(self, cloud: MemoryCloud, dies_at: int, *, after: bool) -> None:
        self._cloud = cloud
        self._left = dies_at
        self._after = after
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._cloud, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls > self._left or (self.calls == self._left and not self._after):
                raise Killed(f"before {name}")
            value = method(*args, **kwargs)
            if self.calls == self._left:
                raise Killed(f"after {name}")
            return value

        return call
