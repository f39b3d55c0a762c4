"""A copy of an instance that is left running: no time off, and truthfully marked."""

from __future__ import annotations

import pytest

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import TAG_CONSISTENCY
from nospof.model.requests import CloneRequest, PairRequest
from nospof.model.surroundings import Surroundings
from nospof.model.traits import Traits
from nospof.procedures.clone import clone
from nospof.procedures.pair import pair
from nospof.procedures.registry import clone_plan
from nospof.runtime.memory import MemorySteps
from support.memory_world import memory_world, one_instance

OFF = {"stop_instance", "start_instance", "move_into_group", "protect_from_stop", "tag", "untag"}


def told(cloud, **request):
    asked = CloneRequest(cloud.the_instance.id, **request)
    return MemorySteps("run-1").tell(clone, memory_world(cloud), asked)


def test_c20_c21_a_live_copy_never_stops_or_marks_the_source():
    cloud = one_instance()
    result = told(cloud, live=True)
    assert not OFF & {call.name for call in cloud.writes}
    assert result.time_off is None
    assert cloud.instance(result.twin.id).state == "running"


@pytest.mark.parametrize(("live", "consistency"), [(True, "crash"), (False, "stopped")])
def test_c20_the_image_says_what_it_is(live, consistency):
    cloud = one_instance()
    result = told(cloud, live=live)
    assert cloud.image(result.image_id).tags[TAG_CONSISTENCY] == consistency


def test_c20_the_plan_says_what_a_live_copy_is_worth():
    cloud = one_instance()
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id, live=True))
    assert plan.expected_seconds_off is None
    assert "may be torn" in "\n".join(plan.warnings)
    assert {call.operation for call in plan.calls} == {"CreateImage", "RunInstances"}


def test_c01_c02_c08_what_must_not_be_stopped_can_be_copied_live():
    cloud = one_instance()
    cloud.join_auto_scaling_group(cloud.the_instance.id, "web")
    cloud.protect_from_stop(cloud.the_instance.id, on=True)
    with pytest.raises(PreconditionFailed):
        told(cloud)
    assert told(cloud, live=True).twin.state == "running"
    assert cloud.is_stop_protected(cloud.the_instance.id)


def test_a_source_that_is_off_is_copied_as_ever():
    cloud = one_instance()
    world = memory_world(cloud)
    cloud.stop_instance(cloud.the_instance.id)
    world.clock.sleep(60)
    result = told(cloud, live=True)
    assert cloud.image(result.image_id).tags[TAG_CONSISTENCY] == "stopped"


def test_live_and_other_hardware_in_the_same_zone_exclude_each_other():
    with pytest.raises(UsageError, match="exclude each other"):
        told(one_instance(), live=True, same_zone=True)


def test_a_pair_is_made_from_a_live_copy_too():
    cloud = one_instance()
    asked = PairRequest(cloud.the_instance.id, service="www", stateless=True, live=True)
    MemorySteps("run-1").tell(pair, memory_world(cloud), asked)
    assert "stop_instance" not in {call.name for call in cloud.writes}


def test_a_plan_says_each_thing_once():
    cloud = one_instance()
    cloud.surround(cloud.the_instance.id, Surroundings(traits=Traits(can_hibernate=True)))
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id, live=True))
    assert any("hibernat" in one for one in plan.warnings)
    assert len(plan.warnings) == len(set(plan.warnings))
