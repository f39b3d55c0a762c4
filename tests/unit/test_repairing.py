"""Which runs a repair is told of as half taken apart: what the journal says of their undos."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from nospof.model.runs import Run
from nospof.procedures.undo import undo
from nospof.runtime.memory import Killed, MemorySteps
from nospof.services import procedures as service
from support.memory_world import memory_world, one_instance
from support.undoing import told


class Journal:
    def __init__(self, *runs: Run) -> None:
        self._runs = runs

    def runs(self) -> tuple[Run, ...]:
        return self._runs

    def run(self, run_id: str) -> Run:
        return next(run for run in self._runs if run.id == run_id)


def a_run(procedure, name, state, **request):
    return Run(name, procedure, request, state, 0.0, 0.0)


@pytest.mark.parametrize(
    ("undos", "way_on"),
    [
        ([("undo-1", "interrupted")], ["nospof runs resume undo-1"]),
        ([("undo-1", "failed"), ("undo-2", "interrupted")], ["nospof runs resume undo-2"]),
        ([("undo-1", "interrupted"), ("undo-2", "done")], []),
        ([("undo-1", "refused")], []),
    ],
)
def test_the_last_undo_that_has_not_ended_is_the_one_to_go_on_with(undos, way_on):
    cloud = one_instance()
    request = told(cloud, "pair", "pair-1")
    if way_on:
        with pytest.raises(Killed):
            MemorySteps("undo-0", die_at="after delete the load balancer").tell(
                undo, memory_world(cloud), request
            )
    known = [a_run("undo", name, state, run_id="pair-1") for name, state in undos]
    journal = Journal(a_run("pair", "pair-1", "done"), *known)
    cloud.untag(cloud.the_instance.id, ("nospof:guarantee",))
    found = service.repair(memory_world(cloud), journal, lambda _run: nullcontext(True), mends=False)
    assert [one.mends for one in found] == way_on
