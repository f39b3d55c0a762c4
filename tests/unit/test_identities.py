"""After a clone both machines are looked into, for as long as the twin's first boot may take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from nospof.model.machine import Looked
from nospof.model.requests import CloneRequest
from nospof.model.results import CloneResult
from nospof.procedures.clone import clone
from nospof.procedures.identities import AGENT_SECONDS
from nospof.runtime.memory import MemorySteps
from support.memory_world import memory_world, one_instance

SOURCE = "source's"


class Machines:
    """Machines with a machine id each; a twin shows its source's until it was looked at some times."""

    def __init__(self, source_id: str, looks_until_its_own: int, looks_until_it_answers: int = 0) -> None:
        self._source_id = source_id
        self._shared, self._mute = looks_until_its_own, looks_until_it_answers
        self.looks = 0

    def look(self, instance_ids: Sequence[str]) -> Iterator[Looked]:
        for one in instance_ids:
            self.looks += one != self._source_id
            if one != self._source_id and self.looks <= self._mute:
                yield Looked(one, problem="not managed by SSM")
                continue
            is_own = one != self._source_id and self.looks > self._shared
            row = {"kind": "machine id", "name": "/etc/machine-id", "hash": one if is_own else SOURCE}
            yield Looked(one, {"schema": "nospof.probe/1", "identity": {"status": "found", "found": [row]}})


def cloned(machines_of: Any, **asked: Any) -> tuple[CloneResult, Any, float]:
    cloud = one_instance()
    machines = machines_of(cloud.the_instance.id)
    world = replace(memory_world(cloud), machines=machines)
    began = cloud.clock.now()
    result = MemorySteps("run-1").tell(clone, world, CloneRequest(cloud.the_instance.id, **asked))
    return result, machines, cloud.clock.now() - began


def test_c49_a_first_boot_that_is_under_way_is_no_shared_identity() -> None:
    result, machines, _ = cloned(lambda source: Machines(source, looks_until_its_own=3))
    assert result.identities == ()
    assert machines.looks == 4


def test_c49_an_identity_that_stays_the_sources_is_told_after_a_bounded_wait() -> None:
    result, _, seconds = cloned(lambda source: Machines(source, looks_until_its_own=10_000))
    assert "machine id /etc/machine-id" in result.identities[0]
    assert AGENT_SECONDS <= seconds < AGENT_SECONDS + 600


def test_a_twin_whose_agent_never_answers_is_said_to_be_not_compared() -> None:
    def mute(source: str) -> Machines:
        return Machines(source, looks_until_its_own=0, looks_until_it_answers=10_000)

    (told,) = cloned(mute)[0].identities
    assert told.startswith("not compared: what is inside i-")
    assert told.endswith("not managed by SSM")
