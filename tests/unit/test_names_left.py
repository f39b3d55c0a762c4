"""Repair finds names that a dead cut-over left between their address and a balancer."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from nospof.adapters.memory import MemoryCloud
from nospof.procedures.cut_over import cut_over
from nospof.procedures.repair import find_troubles
from nospof.runtime.memory import Killed, MemorySteps
from support.memory_world import Silent, memory_world
from support.names import WWW, cut_over_request, moved, paired_with_names

RUN = "cut-over-1"


def half_moved() -> MemoryCloud:
    cloud = paired_with_names()
    steps = MemorySteps(RUN, "before watch the pair serve 50 %")
    with pytest.raises(Killed):
        steps.tell(cut_over, memory_world(cloud), cut_over_request())
    return cloud


def troubles(cloud: MemoryCloud, states: dict[str, Any], *, lives: bool = False) -> tuple[Any, ...]:
    known = {"pair-1": "done", **states}
    return find_troubles(memory_world(cloud), known, lambda _run: nullcontext(not lives), mends=False)


def test_a_name_of_a_dead_run_is_told_with_both_ways_to_end_it():
    (one,) = troubles(half_moved(), {RUN: "interrupted"})
    assert one.says.startswith(f"{WWW} is half on its way by {RUN}, which is interrupted: A 203.0.113.3")
    assert one.mends == f"nospof runs resume {RUN}, or nospof runs undo {RUN}"


def test_without_its_journal_the_machine_that_has_it_is_named():
    (one,) = troubles(half_moved(), {})
    assert one.mends.startswith("on the machine that began it: ")


def test_a_name_of_a_run_that_lives_or_has_ended_is_nothing_wrong():
    assert troubles(half_moved(), {RUN: "running"}) == ()
    assert troubles(half_moved(), {RUN: "interrupted"}, lives=True) == ()
    assert troubles(moved()[0], {RUN: "done"}) == ()


def test_names_that_may_not_be_read_are_told_as_not_checked():
    cloud, said = half_moved(), []

    class Hears(Silent):
        def warn(self, says: str) -> None:
            said.append(says)

    cloud.deny("record_sets")
    world = replace(memory_world(cloud), reporter=Hears())
    states: dict[str, Any] = {"pair-1": "done", RUN: "interrupted"}
    assert find_troubles(world, states, lambda _run: nullcontext(True), mends=False) == ()
    assert said == [
        "not checked: names left on their way (route53:ListResourceRecordSets, UnauthorizedOperation)"
    ]
