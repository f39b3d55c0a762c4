"""Two runs at once, the other told between two calls of the one, or both call by call: somebody serves."""

from __future__ import annotations

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import replace

import pytest

from nospof.errors import NospofError
from nospof.model.cloud import TAG_GUARANTEE
from nospof.model.requests import CloneRequest, TakeRequest
from nospof.planning.clone import image_name_of
from nospof.procedures.guarantee import keep_guarantees
from nospof.procedures.registry import PROCEDURES
from nospof.runtime.memory import MemorySteps
from support.boundaries import Boundary, killed_before
from support.crash_cases import TOKEN, Case, Invariants, clone_case, take_case, undo_case
from support.memory_world import memory_world

OTHER = "run-2"


def both_members():
    case = take_case()
    _, twin = sorted(one.instance_id for one in case.cloud.targets(case.cloud.target_groups()[0].arn))
    case.cloud.announce(twin)
    return case, replace(case, request=TakeRequest(twin))


def member_and_undo():
    case = undo_case()
    case.cloud.announce(case.request.instance_id)
    return replace(case, procedure="take", request=TakeRequest(case.request.instance_id)), case


def twin_and_undo():
    case = undo_case()
    _, twin = sorted(one.id for one in case.cloud.instances())
    case.cloud.announce(twin)
    return replace(case, procedure="take", request=TakeRequest(twin)), case


def same_source():
    case = clone_case()
    return case, replace(case, request=CloneRequest(case.request.instance_id))


def clone_and_member():
    case = take_case()
    cloned = replace(case, procedure="clone", request=CloneRequest(case.request.instance_id))
    return case, cloned


def clone_and_other_member():
    first, second = both_members()
    return replace(first, procedure="clone", request=CloneRequest(first.request.instance_id)), second


COUPLES = {
    "both members are taken": both_members,
    "the source is taken and its pair undone": member_and_undo,
    "the twin is taken and its pair undone": twin_and_undo,
    "a source is cloned twice": same_source,
    "a member is taken and cloned": clone_and_member,
    "a member is cloned and the other taken": clone_and_other_member,
}


def tell(case: Case, token: str, through: object = None) -> None:
    MemorySteps(token).tell(PROCEDURES[case.procedure].story, memory_world(case.cloud, through), case.request)


def together(first: Case, second: Case, number: int) -> tuple[list[str], int]:
    """Tell the second after a call of the first; return what is wrong then, and how many calls were made."""
    cloud, invariants = first.cloud, Invariants(first)

    def interrupt(_cloud, _name, act):
        value = act()
        with suppress(NospofError):  # refused, or half-way
            tell(second, OTHER, Boundary(cloud, 10**9, interrupt, invariants.look))
        return value

    through = Boundary(cloud, number, interrupt, invariants.look)
    with suppress(NospofError):
        tell(first, TOKEN, through)
    return afterwards(first, invariants), len(through.names)


def afterwards(case: Case, invariants: Invariants) -> list[str]:
    """Sweep as a keeper does; return what is wrong then."""
    cloud = case.cloud
    for _ in range(2):
        keep_guarantees(memory_world(cloud), lambda _run: nullcontext(True))
        cloud.clock.sleep(60)
    wrong = ["nobody served for a moment"] if invariants.outages else []
    for one in cloud.instances():
        wrong += [] if one.state == "running" else [f"{one.id} is {one.state}"]
        wrong += [f"{one.id} keeps a guarantee"] if TAG_GUARANTEE in one.tags else []
    for run_id in (TOKEN, OTHER):
        image = cloud.image_named(image_name_of(run_id))
        is_used = image is not None and any(one.image_id == image.id for one in cloud.instances())
        if is_used and set(cloud.source_states_of(image_name_of(run_id))) - {"stopped"}:
            wrong.append(f"the twin of {run_id} is of a disk that was not at rest")
    return wrong


@pytest.mark.parametrize("order", [1, -1], ids=["first", "second"])
@pytest.mark.parametrize("couple", COUPLES)
def test_somebody_serves_and_everybody_is_back(couple, order, crash_matrix):
    wrong = {}
    for number in itertools.count(1):
        found, calls = together(*COUPLES[couple]()[::order], number)
        if calls < number:
            break
        crash_matrix.count += 1
        if found:
            wrong[number] = found
    assert wrong == {}


class Turns:
    """Lets one of several threads go on at a time, each up to its next call; the seed decides which."""

    def __init__(self, tokens: tuple[str, ...], seed: int) -> None:
        self._alive, self._whose = list(tokens), tokens[0]
        self._choose = random.Random(seed)  # noqa: S311 - the same turns every time
        self._changed = threading.Condition()

    def wait(self, token: str) -> None:
        """Give the turn to somebody, and come back when it is this one's."""
        with self._changed:
            self._whose = self._choose.choice(self._alive)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._whose == token, timeout=60)

    def leave(self, token: str) -> None:
        with self._changed:
            self._alive.remove(token)
            self._whose = next(iter(self._alive), "")
            self._changed.notify_all()


def interleaved(first: Case, second: Case, seed: int) -> list[str]:
    """Tell both, call by call in turns; return what is wrong afterwards."""
    invariants, turns = Invariants(first), Turns((TOKEN, OTHER), seed)

    def in_turns(case: Case, token: str) -> None:
        def wait_and_look() -> None:
            invariants.look()
            turns.wait(token)

        try:
            with suppress(NospofError):
                tell(case, token, Boundary(case.cloud, 10**9, killed_before, wait_and_look))
        finally:
            turns.leave(token)

    with ThreadPoolExecutor(2) as both:
        for told in [both.submit(in_turns, first, TOKEN), both.submit(in_turns, second, OTHER)]:
            told.result()
    return afterwards(first, invariants)


@pytest.mark.parametrize("couple", COUPLES)
def test_call_by_call_somebody_serves_and_everybody_is_back(couple, crash_matrix):
    wrong = {}
    for seed in range(20):
        crash_matrix.count += 1
        found = interleaved(*COUPLES[couple](), seed)
        if found:
            wrong[seed] = found
    assert wrong == {}
