"""Kill a run at every step and at every call it makes to the cloud; resume it; look at the world.

The reference runner and the reference cloud: all places in seconds. The same is done with real
processes and kill -9 in test_kill9.py, at fewer places.
"""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext

import pytest

from nospof.adapters.memory import MemoryCloud
from nospof.errors import NospofError
from nospof.model.cloud import TAG_GUARANTEE
from nospof.model.requests import CloneRequest, PairRequest, TakeRequest
from nospof.procedures.clone import clone
from nospof.procedures.guarantee import keep_guarantees
from nospof.procedures.maintain import take
from nospof.procedures.pair import pair
from nospof.procedures.registry import PROCEDURES
from nospof.procedures.undo import undo
from nospof.runtime.memory import Killed, MemorySteps
from support.memory_world import Mortal, memory_world, one_instance
from support.undoing import things, told

TOKEN = "run-1"


def clone_case():
    cloud = one_instance()
    return cloud, clone, CloneRequest(cloud.the_instance.id)


def pair_case():
    cloud = one_instance()
    return cloud, pair, PairRequest(cloud.the_instance.id, service="www", stateless=True)


def take_case():
    cloud, _, request = pair_case()
    result = MemorySteps("before").tell(pair, memory_world(cloud), request)
    cloud.announce(result.members[0])
    return cloud, take, TakeRequest(result.members[0])


def undo_case():
    cloud = one_instance()
    return cloud, undo, told(cloud, "pair", "run-0")


def same_zone_case():
    cloud = one_instance(zone_count=1)
    return cloud, clone, CloneRequest(cloud.the_instance.id, same_zone=True)


def protected_case():
    cloud, story, request = clone_case()
    cloud.protect_from_stop(request.instance_id, on=True)
    return cloud, story, dataclasses.replace(request, override_stop_protection=True)


def live_case():
    cloud, story, request = clone_case()
    cloud.protect_from_stop(request.instance_id, on=True)  # It is never stopped, so nothing is lifted.
    return cloud, story, dataclasses.replace(request, live=True)


CASES = {
    "clone": clone_case,
    "pair": pair_case,
    "take": take_case,
    "undo": undo_case,
    "clone in the same zone": same_zone_case,
    "clone of a protected one": protected_case,
    "clone of a protected one, live": live_case,
}
GROWN = {"take": (0, 0), "pair": (1, 1), "undo": (-1, -1)}
"""How many twins with their image, and how many ways in, there are more than before; else one and none."""


def steps_of(case):
    cloud, story, request = CASES[case]()
    steps = MemorySteps(TOKEN)
    steps.tell(story, memory_world(cloud), request)
    return steps.names


def calls_of(case):
    cloud, story, request = CASES[case]()
    through = Mortal(cloud, 10**9, after=True)
    MemorySteps(TOKEN).tell(story, memory_world(cloud, through), request)
    return through.calls


STEPS = [(case, side, name) for case in CASES for name in steps_of(case) for side in ("before", "after")]
CALLS = [(case, after, n) for case in CASES for n in range(1, calls_of(case) + 1) for after in (False, True)]


def counts(cloud: MemoryCloud) -> dict[str, int]:
    return {
        "images": len([i for i in cloud._images.values() if i.name.startswith("nospof-")]),
        "instances": len(cloud.instances()),
        "groups": len(cloud.target_groups()),
        "balancers": len(cloud.load_balancers()),
    }


def assert_whole(cloud: MemoryCloud, case: str, before: dict[str, int]):
    source = cloud.instance(cloud.the_instance.id)
    assert source.state == "running"
    assert TAG_GUARANTEE not in source.tags
    assert cloud.is_stop_protected(source.id) == ("protected" in case)
    grown = {kind: count - before[kind] for kind, count in counts(cloud).items()}
    twin, entry = GROWN.get(case, (1, 0))
    assert grown == {"images": twin, "instances": twin, "groups": entry, "balancers": entry}
    for group in cloud.target_groups():
        assert [target.is_healthy for target in cloud.targets(group.arn)] == [True, True]
    if case == "undo":
        assert things(cloud) == things(one_instance())


@pytest.mark.parametrize(("case", "side", "name"), STEPS)
def test_killed_at_a_step_and_resumed_it_ends_whole_and_nothing_exists_twice(case, side, name):
    cloud, story, request = CASES[case]()
    before = counts(cloud)
    steps = MemorySteps(TOKEN, die_at=f"{side} {name}")
    with pytest.raises(Killed):
        steps.tell(story, memory_world(cloud), request)
    steps.tell(story, memory_world(cloud), request)
    assert_whole(cloud, case, before)


@pytest.mark.parametrize(("case", "after", "number"), CALLS)
def test_killed_at_a_call_the_keeper_brings_the_source_back_and_resuming_ends_whole(case, after, number):
    cloud, story, request = CASES[case]()
    before = counts(cloud)
    steps = MemorySteps(TOKEN)
    with pytest.raises(Killed):
        steps.tell(story, memory_world(cloud, Mortal(cloud, number, after=after)), request)

    keep_guarantees(memory_world(cloud), lambda _run: nullcontext(True))
    source = cloud.instance(cloud.the_instance.id)
    assert source.state == "running"
    assert TAG_GUARANTEE not in source.tags
    assert cloud.is_stop_protected(source.id) == ("protected" in case)

    steps.tell(story, memory_world(cloud), request)
    assert_whole(cloud, case, before)


@pytest.mark.parametrize("case", CASES)
def test_a_lost_answer_of_any_write_makes_nothing_twice(case):
    cloud, story, request = CASES[case]()
    MemorySteps(TOKEN).tell(story, memory_world(cloud), request)
    for name in dict.fromkeys(call.name for call in cloud.writes):
        cloud, story, request = CASES[case]()
        before = counts(cloud)
        cloud.fail(name, "RequestTimeout", after=True)
        steps = MemorySteps(TOKEN)
        try:
            steps.tell(story, memory_world(cloud), request)
        except NospofError:
            steps.tell(story, memory_world(cloud), request)
        assert_whole(cloud, case, before)


def test_every_registered_procedure_is_in_the_suite():
    assert {PROCEDURES[case.split(" ")[0]].name for case in CASES} == set(PROCEDURES) - {"drill"}


def test_the_requests_hold_plain_data_only():
    for procedure in PROCEDURES.values():
        for field in dataclasses.fields(procedure.request_type):
            assert field.type in ("str", "int", "bool")
