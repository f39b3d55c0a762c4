"""The demonstration's site on two instances of a local cloud, its data kept in step, and clients of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from nospof import bootstrap
from nospof.cli.demo import IMAGE, PATH, PORT, SITE, WRITES, pair_of
from nospof.model.drill import Verdict
from nospof.model.results import PairResult
from nospof.ports.world import World
from nospof.procedures.pair import pair
from nospof.runtime.memory import MemorySteps
from nospof.services.demo import launch_site, under_load
from support.local_cloud import RunningCloud
from support.memory_world import Silent

T = TypeVar("T")


@dataclass(frozen=True)
class Maintained:
    """A pair, and the world it is in."""

    cloud: RunningCloud
    world: World
    pair: PairResult

    def announce(self, member: str, code: str, **more: Any) -> str:
        """Announce something for a member, for tomorrow."""
        asked = {"instance": member, "code": code, "seconds": 86400, **more}
        status, answer = self.cloud.admin("POST", "event", asked)
        assert status == 200, answer
        return str(answer["event"])

    def under_load(self, rate: int, act: Callable[[], T]) -> tuple[T, Verdict]:
        """Do something while clients read and write."""
        return under_load(self.world, self.pair, rate, tuple(WRITES), act)


def maintained(cloud: RunningCloud, reporter: Any = None) -> Maintained:
    """Return the demonstration's site as a pair of a local cloud that the environment names by then."""
    os.environ.update(cloud.environment)
    world = bootstrap.open_world(reporter or Silent())
    site = launch_site(world, IMAGE, SITE, PORT, (PATH, "/comments.json", "/files.json"))
    return Maintained(cloud, world, MemorySteps("pair-1").tell(pair, world, pair_of(site.id)))
