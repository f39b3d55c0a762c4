"""Pairs made of the first instance of a cloud in memory, and how they are refused."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.adapters.memory import MemoryCloud
from nospof.errors import PreconditionFailed
from nospof.model.requests import PairRequest
from nospof.model.results import PairResult
from nospof.ports.world import World
from nospof.procedures.pair import pair
from nospof.runtime.memory import MemorySteps
from support.memory_world import memory_world
from support.undoing import things


class Pairing:
    """Asks for pairs. Args: what is asked for where a test says nothing else."""

    def __init__(self, **usual: Any) -> None:
        self.usual = usual

    def asked(self, cloud: MemoryCloud, **more: Any) -> PairRequest:
        """Return what is asked for."""
        return PairRequest(cloud.the_instance.id, service="www", **{**self.usual, **more})

    def make(
        self,
        cloud: MemoryCloud,
        world: World | None = None,
        steps: MemorySteps | None = None,
        **more: Any,
    ) -> PairResult:
        """Make the pair; return what came of it."""
        return pair(steps or MemorySteps("run-1"), world or memory_world(cloud), self.asked(cloud, **more))

    def refusal(self, cloud: MemoryCloud, world: World | None = None, **more: Any) -> str:
        """Return why the pair is refused; that changed nothing, and says so."""
        before = things(cloud)
        with pytest.raises(PreconditionFailed) as refused:
            self.make(cloud, world, **more)
        assert things(cloud) == before
        assert refused.value.exit_code == 3
        assert "Nothing was changed." in str(refused.value)
        return str(refused.value)
