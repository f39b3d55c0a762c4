"""Two runs at once: between any two calls of the one, the other is told whole. Somebody serves throughout."""

from __future__ import annotations

import itertools
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
from support.boundaries import Boundary
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
    for _ in range(2):
        keep_guarantees(memory_world(cloud), lambda _run: nullcontext(True))
        cloud.clock.sleep(60)
    wrong = ["nobody served for a moment"] if invariants.outages else []
    for one in cloud.instances():
        wrong += [] if one.state == "running" else [f"{one.id} is {one.state}"]
        wrong += [f"{one.id} keeps a guarantee"] if TAG_GUARANTEE in one.tags else []
    for run_id in (TOKEN, OTHER):
        if set(cloud.source_states_of(image_name_of(run_id))) - {"stopped"}:
            wrong.append(f"the image of {run_id} is of a disk that was not at rest")
    return wrong, len(through.names)


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
