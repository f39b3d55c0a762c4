"""The source finds no room when it is started again: other types, then its twin serves meanwhile (C11)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest

from nospof.adapters.memory import MemoryCloud
from nospof.errors import PreconditionFailed, ProcedureFailed, UsageError
from nospof.model.cloud import TAG_GUARANTEE, TAG_SERVICE
from nospof.model.requests import CloneRequest, PairRequest
from nospof.procedures.clone import clone
from nospof.procedures.guarantee import keep_guarantees, promise
from nospof.procedures.off_section import NO_ROOM_SECONDS
from nospof.procedures.pair import pair
from nospof.procedures.power import ROOM_POLL_SECONDS, ROOM_SECONDS, NoRoom, bring_back
from nospof.procedures.registry import clone_plan
from nospof.render.result_text import clone_text
from nospof.runtime.memory import MemorySteps
from support.memory_world import Silent, memory_world, one_instance
from support.standing import put_behind

OWN, OTHER, THIRD = "t3.small", "t3.medium", "t3.large"


class Listening(Silent):
    """A reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def progress(self, says: str, done: float | None = None) -> None:
        self.said.append(says)

    def warn(self, says: str) -> None:
        self.said.append(says)


def full(*types: str) -> MemoryCloud:
    """A cloud that has no room for these types where the instance is."""
    cloud = one_instance()
    cloud.full |= {(kind, cloud.the_instance.zone) for kind in types}
    return cloud


def off(cloud: MemoryCloud) -> str:
    """Return the id of its instance, now off."""
    cloud.stop_instance(cloud.the_instance.id)
    cloud.clock.sleep(cloud.timings.stopping)
    return cloud.the_instance.id


def asked(cloud: MemoryCloud, **changes: object) -> CloneRequest:
    request = CloneRequest(cloud.the_instance.id, or_types=f"{OTHER},{THIRD}", or_type_for_source=True)
    return replace(request, **changes)


def told(cloud: MemoryCloud, request: CloneRequest, steps: MemorySteps | None = None) -> object:
    return (steps or MemorySteps("run-1")).tell(clone, memory_world(cloud), request)


def kept(cloud: MemoryCloud) -> tuple[str, ...]:
    return keep_guarantees(memory_world(cloud), lambda _run: nullcontext(True))


@pytest.mark.parametrize(
    ("types", "becomes", "after"),
    [((OWN,), OTHER, 1), ((OWN, OTHER), THIRD, 2), ((), OWN, 0)],
)
def test_c11_each_type_is_asked_for_a_while_and_then_the_next(types, becomes, after):
    cloud = full(*types)
    source, began = off(cloud), cloud.clock.now()
    assert bring_back(memory_world(cloud), source, types=(OWN, OTHER, THIRD)).type == becomes
    assert after * ROOM_SECONDS <= cloud.clock.now() - began < after * (ROOM_SECONDS + 10) + 10
    starts = [call for call in cloud.writes if call.name == "start_instance"]
    assert len(starts) <= 1 + after * (ROOM_SECONDS / ROOM_POLL_SECONDS + 1)


def test_c11_room_for_its_own_type_that_comes_later_is_found_round_the_others():
    cloud = full(OWN, OTHER)
    cloud.later(ROOM_SECONDS * 1.5, lambda: cloud.full.discard((OWN, cloud.the_instance.zone)))
    assert bring_back(memory_world(cloud), off(cloud), types=(OWN, OTHER)).type == OWN


def test_c11_a_type_that_the_cloud_refuses_is_left_out_and_the_rest_is_tried():
    cloud = full(OWN)
    types = (OWN, "x9.unheard-of", OTHER)
    assert bring_back(memory_world(cloud), off(cloud), types=types).type == OTHER


def test_c11_what_is_waited_for_and_what_is_tried_next_is_said():
    cloud, listening = full(OWN), Listening()
    world = replace(memory_world(cloud), reporter=listening)
    bring_back(world, off(cloud), types=(OWN, OTHER))
    assert any(f"InsufficientInstanceCapacity; as a {OTHER} in 5" in one for one in listening.said)
    assert f"no room for {cloud.the_instance.id} as a {OWN}: making it a {OTHER}" in listening.said


def test_c11_without_other_types_its_own_is_never_changed():
    cloud = full(OWN)
    with pytest.raises(NoRoom, match="InsufficientInstanceCapacity"):
        bring_back(memory_world(cloud), off(cloud))
    assert "change_type" not in {call.name for call in cloud.writes}


def test_c11_a_clone_starts_its_source_as_another_type_and_says_how_to_go_back():
    cloud = full(OWN)
    result = told(cloud, asked(cloud))
    source = cloud.the_instance
    assert (source.state, source.type, result.runs_as) == ("running", OTHER, OTHER)
    assert TAG_GUARANTEE not in source.tags
    assert f"--instance-id {source.id} --instance-type {OWN}" in clone_text(result)


def test_c11_or_type_alone_is_about_the_twin():
    cloud = full(OWN)
    with pytest.raises(ProcedureFailed, match="DEGRADED"):
        told(cloud, asked(cloud, or_type_for_source=False))
    assert cloud.the_instance.type == OWN


def test_c11_a_keeper_starts_it_as_another_type_too_and_says_so():
    cloud = full(OWN)
    source = cloud.the_instance.id
    promise(memory_world(cloud), source, "run-1", types=(OWN, OTHER))
    off(cloud)
    (sentence,) = kept(cloud)
    assert cloud.instance(source).type == OTHER
    assert f"as a {OTHER} for want of room for a {OWN}; go back when there is room" in sentence


def test_c11_where_nothing_starts_the_twin_is_made_and_the_run_says_that_it_is_degraded():
    cloud = full(OWN, OTHER, THIRD)
    began, steps = cloud.clock.now(), MemorySteps("run-1")
    with pytest.raises(ProcedureFailed, match=r"DEGRADED: i-.* is off.*its twin i-.* in .* runs") as failed:
        told(cloud, asked(cloud), steps)
    assert "InsufficientInstanceCapacity" in str(failed.value)
    source, twin = cloud.the_instance, cloud.instances()[-1]
    assert (source.state, twin.state) == ("stopped", "running")
    assert twin.zone != source.zone
    assert TAG_GUARANTEE in source.tags
    assert cloud.clock.now() - began < NO_ROOM_SECONDS + 4 * ROOM_SECONDS + 200

    assert "InsufficientInstanceCapacity" in kept(cloud)[0]
    assert TAG_GUARANTEE in cloud.the_instance.tags
    cloud.full.clear()
    assert "is running again" in kept(cloud)[0]
    result = told(cloud, asked(cloud), steps)
    assert result.twin.id == twin.id
    assert cloud.the_instance.state == "running"
    assert "was off until there was room for it again" in clone_text(result)


def test_c11_a_pair_whose_source_finds_no_room_has_its_twin_serve_alone_and_is_whole_when_resumed():
    cloud = full(OWN)
    request = PairRequest(cloud.the_instance.id, service="www", stateless=True)
    steps = MemorySteps("run-1")
    with pytest.raises(
        ProcedureFailed, match=r"DEGRADED: .*its twin i-\w+ serves alone at http://nospof-www"
    ):
        steps.tell(pair, memory_world(cloud), request)
    source, twin = cloud.the_instance, cloud.instances()[-1]
    (group,) = cloud.target_groups()
    assert [(one.instance_id, one.is_healthy) for one in cloud.targets(group.arn)] == [(twin.id, True)]

    cloud.full.clear()
    kept(cloud)
    steps.tell(pair, memory_world(cloud), request)
    assert {one.instance_id for one in cloud.targets(group.arn) if one.is_healthy} == {source.id, twin.id}
    assert cloud.instance(source.id).tags[TAG_SERVICE] == "www"
    assert TAG_GUARANTEE not in cloud.instance(source.id).tags


def test_c11_a_twin_serves_alone_behind_the_balancer_its_source_was_behind():
    cloud = one_instance()
    group, source = put_behind(cloud), cloud.the_instance
    cloud.full.add((OWN, source.zone))
    request = PairRequest(source.id, service="www", stateless=True)
    steps = MemorySteps("run-1")
    with pytest.raises(ProcedureFailed, match=r"DEGRADED: .*its twin i-\w+ serves alone at "):
        steps.tell(pair, memory_world(cloud), request)
    (twin,) = [one.instance_id for one in cloud.targets(group.arn) if one.is_healthy]
    assert twin != source.id

    cloud.full.clear()
    steps.tell(pair, memory_world(cloud), request)
    cloud.clock.sleep(60)
    assert {one.instance_id for one in cloud.targets(group.arn) if one.is_healthy} == {source.id, twin}


@pytest.mark.parametrize(
    ("or_types", "why"),
    [
        ("t4g.small", "t4g.small is arm64, not x86_64"),
        ("t2.small", "t2.small runs on xen, not on nitro"),
    ],
)
def test_c11_a_type_that_its_disks_would_not_boot_on_is_refused_before_anything_is_done(or_types, why):
    cloud = one_instance()
    cloud.offer(or_types, cloud.zones_offering(OWN))
    with pytest.raises(PreconditionFailed, match=why):
        told(cloud, asked(cloud, or_types=or_types))
    assert cloud.writes == []


def test_c11_the_consent_without_types_is_not_understood():
    cloud = one_instance()
    with pytest.raises(UsageError, match="--or-type"):
        told(cloud, asked(cloud, or_types=""))


def test_c11_the_plan_shows_what_the_source_may_become():
    cloud = one_instance()
    plan = clone_plan(memory_world(cloud), asked(cloud))
    changes = [call.parameters["InstanceType"] for call in plan.calls if "InstanceType" in call.parameters]
    assert {"Value": OTHER} in changes
    assert {"Value": THIRD} in changes
