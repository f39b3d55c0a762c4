"""Everything that can go wrong at a call, at every call of every procedure: it converges.

A run that was stopped is kept by a keeper and resumed, as on an operator's machine; one that went on by
itself must have ended whole. A test is one kind of fault at all calls of one method in one procedure.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from contextlib import nullcontext, suppress
from functools import cache

import pytest

from nospof.errors import CloudError, NospofError, PreconditionFailed
from nospof.procedures.guarantee import keep_guarantees
from nospof.procedures.registry import PROCEDURES
from nospof.runtime.memory import Killed, MemorySteps
from support.boundaries import ANYWHERE, AT_WRITES, OPERATIONS, Boundary, Fault
from support.crash_cases import CASES, SAMPLED, TOKEN, Invariants
from support.memory_world import memory_world

NEVER = 10**9


@cache
def calls_of(name: str) -> dict[str, list[int]]:
    """Return the numbers of the calls that a case makes, by method."""
    case = CASES[name]()
    through = Boundary(case.cloud, NEVER, ANYWHERE["killed before"])
    MemorySteps(TOKEN).tell(case.story, memory_world(case.cloud, through), case.request)
    numbers = defaultdict(list)
    for number, method in enumerate(through.names, start=1):
        numbers[method].append(number)
    return dict(numbers)


MATRIX = [
    pytest.param(
        name,
        fault,
        (numbers[0], numbers[-1]) if name in SAMPLED else numbers,
        id=f"{name}: {fault} at {method}",
    )
    for name in CASES
    for method, numbers in calls_of(name).items()
    for fault in (*ANYWHERE, *(AT_WRITES if OPERATIONS[method].is_write else ()))
]


def converge(name: str, fault: Fault, number: int, *, is_kept: bool) -> tuple[list[str], bool]:
    """Tell a case with a fault at one call; where that stopped it, keep it, if asked, and resume it.

    Returns:
        what is wrong at the end, and whether it had been stopped.
    """
    case = CASES[name]()
    invariants = Invariants(case)
    steps = MemorySteps(TOKEN)
    through = Boundary(case.cloud, number, fault, invariants.look)
    wrong, was_stopped = [], False
    try:
        steps.tell(case.story, memory_world(case.cloud, through), case.request)
    except (Killed, NospofError) as stopped:
        was_stopped = True
        if isinstance(stopped, PreconditionFailed):
            wrong += invariants.unchanged()
        unharmed = memory_world(case.cloud, Boundary(case.cloud, NEVER, fault, invariants.look))
        if is_kept:
            keep(case.cloud, invariants.look)
            wrong += [f"kept: {one}" for one in invariants.kept()]
        try:
            steps.tell(case.story, unharmed, case.request)
        except NospofError as error:
            wrong.append(f"after {stopped!r} it cannot be resumed: {error}")
    return wrong + invariants.ended(), was_stopped


def keep(cloud, look, *, dies_at: int = NEVER, fault: Fault = ANYWHERE["killed before"]) -> int:
    """Sweep as a keeper does, who looks every minute; return how many calls that took."""
    through = Boundary(cloud, dies_at, fault, look)
    for _ in range(2):  # at first it may not see a mark that was just made
        keep_guarantees(memory_world(cloud, through), lambda _run: nullcontext(True))
        cloud.clock.sleep(60)
    return len(through.names)


@pytest.mark.parametrize(("name", "fault", "numbers"), MATRIX)
def test_it_converges(name, fault, numbers, crash_matrix):
    wrong = {}
    for number in numbers:
        for is_kept in (True, False):
            crash_matrix.count += 1
            found, was_stopped = converge(name, {**ANYWHERE, **AT_WRITES}[fault], number, is_kept=is_kept)
            if found:
                wrong[number, "kept" if is_kept else "not kept"] = found
            if not was_stopped:
                break
    assert wrong == {}


DIED_AT = ("tag", "protect_from_stop", "stop_instance", "create_image", "start_instance")
PLACES = [
    pytest.param(name, place, fault, id=f"{name}: died at {place}, keeper {fault}")
    for name, places in (
        ("clone of a protected one", DIED_AT),
        ("clone of a member of a group", ("suspend_processes",)),
        ("take", DIED_AT),
    )
    for place in places
    for fault in (*ANYWHERE, "killed after, reads stale")
    if place in calls_of(name)
]


@pytest.mark.parametrize(("name", "place", "fault"), PLACES)
def test_a_keeper_may_fail_anywhere_too(name, place, fault, crash_matrix):
    """The run died after a call, its keeper meets a fault at another; the next keeper finds what is left."""
    wrong = {}
    for number in itertools.count(1):
        case = CASES[name]()
        invariants = Invariants(case)
        steps = MemorySteps(TOKEN)
        through = Boundary(case.cloud, calls_of(name)[place][0], ANYWHERE["killed after"], invariants.look)
        with pytest.raises(Killed):
            steps.tell(case.story, memory_world(case.cloud, through), case.request)
        calls = NEVER
        with suppress(Killed, CloudError):  # whoever sweeps tells of it, and sweeps again
            calls = keep(case.cloud, invariants.look, dies_at=number, fault={**ANYWHERE, **AT_WRITES}[fault])
        keep(case.cloud, invariants.look)
        found = [f"kept: {one}" for one in invariants.kept()]
        steps.tell(case.story, memory_world(case.cloud), case.request)
        found += invariants.ended()
        if found:
            wrong[number] = found
        crash_matrix.count += 1
        if calls < number:
            break
    assert wrong == {}


def tell_through(name: str, choose: random.Random, attempts: int = 12) -> list[str]:
    """Tell a case through one fault after another, kept or not in between; return what is wrong."""
    case = CASES[name]()
    invariants, steps = Invariants(case), MemorySteps(TOKEN)
    for _ in range(attempts):
        number, fault = choose.randint(1, 50), choose.choice([*ANYWHERE.values(), *AT_WRITES.values()])
        try:
            through = Boundary(case.cloud, number, at_writes_or(fault), invariants.look)
            steps.tell(case.story, memory_world(case.cloud, through), case.request)
        except (Killed, NospofError):
            if choose.random() < 0.5:
                with suppress(Killed, CloudError):
                    keep(case.cloud, invariants.look, dies_at=choose.randint(1, 60))
    keep(case.cloud, invariants.look)
    steps.tell(case.story, memory_world(case.cloud), case.request)
    return invariants.ended()


def at_writes_or(fault: Fault) -> Fault:
    """Return a fault that throttles where it would strike a read and is one of writes."""

    def strike(cloud, name, act):
        is_apt = OPERATIONS[name].is_write or fault in ANYWHERE.values()
        return (fault if is_apt else ANYWHERE["throttled"])(cloud, name, act)

    return strike


@pytest.mark.parametrize("name", CASES)
def test_one_fault_after_another_converges_too(name, crash_matrix):
    wrong = {}
    for seed in range(30):
        crash_matrix.count += 1
        found = tell_through(name, random.Random(seed))  # noqa: S311 - the same faults every time
        if found:
            wrong[seed] = found
    assert wrong == {}


@pytest.mark.parametrize("seconds", [1.0, 3.0, 5.0])
@pytest.mark.parametrize("name", CASES)
def test_a_cloud_that_is_always_behind_stops_nobody(name, seconds, crash_matrix):
    case = CASES[name]()
    invariants = Invariants(case)
    case.cloud.stale_seconds, case.cloud.late_ids = seconds, 2
    through = Boundary(case.cloud, NEVER, ANYWHERE["killed before"], invariants.look)
    MemorySteps(TOKEN).tell(case.story, memory_world(case.cloud, through), case.request)
    crash_matrix.count += 1
    assert invariants.ended() == []


def test_every_registered_procedure_is_in_the_matrix():
    assert {CASES[name]().procedure for name in CASES} == set(PROCEDURES) - {"drill"}
