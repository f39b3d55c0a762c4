"""Kill a run at every step; resume it; look at the world.

The reference runner and the reference cloud: all places in seconds. What goes wrong at a call is in
test_matrix.py. The same is done with real processes and kill -9 in test_kill9.py, at fewer places.
"""

from __future__ import annotations

import dataclasses
import types
import typing

import pytest

from nospof.procedures.registry import PROCEDURES
from nospof.runtime.memory import Killed, MemorySteps
from support.crash_cases import CASES, TOKEN, Case, Invariants
from support.memory_world import memory_world


def tell(case: Case, steps: MemorySteps):
    return steps.tell(case.story, memory_world(case.cloud), case.request)


def steps_of(name):
    steps = MemorySteps(TOKEN)
    tell(CASES[name](), steps)
    return steps.names


STEPS = [(name, side, step) for name in CASES for step in steps_of(name) for side in ("before", "after")]


@pytest.mark.parametrize(("name", "side", "step"), STEPS)
def test_killed_at_a_step_and_resumed_it_ends_whole_and_nothing_exists_twice(name, side, step):
    case = CASES[name]()
    invariants = Invariants(case)
    steps = MemorySteps(TOKEN, die_at=f"{side} {step}")
    with pytest.raises(Killed):
        tell(case, steps)
    tell(case, steps)
    assert invariants.ended() == []


def is_plain(kind):
    """Whether a type is a word, a number, or built of nothing but such."""
    if dataclasses.is_dataclass(kind):
        return kind.__dataclass_params__.frozen and all(map(is_plain, typing.get_type_hints(kind).values()))
    parts = [part for part in typing.get_args(kind) if part is not Ellipsis]
    if parts:
        return typing.get_origin(kind) in (tuple, types.UnionType) and all(map(is_plain, parts))
    return kind in (str, int, bool, types.NoneType)


def test_the_requests_hold_plain_data_only():
    for procedure in PROCEDURES.values():
        assert is_plain(procedure.request_type)
    assert not is_plain(dict[str, str])
    assert not is_plain(MemorySteps)
