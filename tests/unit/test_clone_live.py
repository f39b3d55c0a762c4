"""A copy of an instance that is left running: no time off, and truthfully marked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nospof.adapters.memory import Timings
from nospof.adapters.memory.machines import Disk
from nospof.errors import CloudError, PreconditionFailed, ProcedureFailed, UsageError
from nospof.model.cloud import TAG_CONSISTENCY, TAG_RUN
from nospof.model.requests import CloneRequest, PairRequest
from nospof.model.surroundings import Surroundings
from nospof.model.traits import Traits
from nospof.procedures.clone import clone
from nospof.procedures.live import AGAIN, image_while_held
from nospof.procedures.pair import pair
from nospof.procedures.registry import clone_plan
from nospof.render.result_text import live_text
from nospof.runtime.memory import MemorySteps
from support.memory_world import Looks, memory_world, one_instance

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


def held(cloud, **request):
    """Tell a live clone of an instance whose agent can hold what it writes."""
    cloud.manage(cloud.the_instance.id, "MariaDB", "/data")
    return told(cloud, live=True, **request)


def test_c20_an_image_whose_writes_were_held_throughout_is_marked_so_with_its_snapshots():
    cloud = one_instance(disks=(Disk("/dev/sda1", 8), Disk("/dev/sdf", 100)))
    result = held(cloud)
    snapshots = cloud.snapshots(TAG_RUN, "run-1")
    assert [one.tags[TAG_CONSISTENCY] for one in snapshots] == ["application"] * 2
    assert cloud.image(result.image_id).tags[TAG_CONSISTENCY] == "application"
    assert cloud.were_held("nospof-run-1")
    assert (result.consistency, result.consistency_says) == (
        "application",
        "MariaDB and /data held for 1.0 s",
    )


@pytest.mark.parametrize(
    ("method", "why"),
    [("hold_writes", "ssm:SendCommand"), ("let_writes_go", "ssm:GetCommandInvocation")],
)
def test_c20_what_cannot_be_held_or_is_not_known_to_have_been_is_crash_consistent_and_says_why(method, why):
    cloud = one_instance()
    cloud.fail(method, "AccessDeniedException")
    result = held(cloud)
    assert cloud.image(result.image_id).tags[TAG_CONSISTENCY] == result.consistency == "crash"
    assert why in result.consistency_says
    assert why in live_text(result)


def test_c20_a_hold_that_ended_before_the_snapshots_began_counts_for_nothing():
    cloud = one_instance(timings=Timings(snapshot_appears=8))
    result = held(cloud, hold_seconds=5)
    assert result.consistency == "crash"
    assert not cloud.were_held("nospof-run-1")


def test_c20_an_image_of_an_attempt_that_died_is_not_taken_for_more_than_it_is():
    cloud = one_instance()
    cloud.manage(cloud.the_instance.id, "MariaDB")
    steps, world = MemorySteps("run-1"), memory_world(cloud)
    cloud.fail("let_writes_go", "InternalError")
    cloud.fail("snapshots_of", "UnauthorizedOperation")
    request = CloneRequest(cloud.the_instance.id, live=True)
    with pytest.raises(CloudError):
        steps.tell(clone, world, request)
    cloud.clock.sleep(60)
    result = steps.tell(clone, world, request)
    assert (result.consistency, result.consistency_says) == ("crash", AGAIN)


def test_an_image_that_was_not_listed_yet_is_not_taken_for_one_of_this_hold():
    """Its name is taken, and the image that has it was asked for while nothing was held."""
    cloud = one_instance()
    world = memory_world(cloud)
    cloud.manage(cloud.the_instance.id, "MariaDB")
    tags = {TAG_RUN: "run-1", TAG_CONSISTENCY: "crash"}
    earlier = cloud.create_image(cloud.the_instance.id, "nospof-run-1", tags)
    request = CloneRequest(cloud.the_instance.id, live=True)
    off = image_while_held(world, request.instance_id, "nospof-run-1", tags, request, no_hold="")
    assert (off.image.id, off.consistency) == (earlier.id, "crash")
    assert cloud.image(earlier.id).tags[TAG_CONSISTENCY] == "crash"


def test_where_only_a_consistent_image_will_do_none_is_taken_without_a_hold():
    cloud = one_instance()
    with pytest.raises(PreconditionFailed, match="nobody here can look"):
        told(cloud, live=True, require_consistent=True)
    assert cloud.writes == []


def test_where_only_a_consistent_image_will_do_a_worse_one_is_not_used():
    cloud = one_instance(timings=Timings(snapshot_appears=8))
    with pytest.raises(ProcedureFailed, match=r"only crash-consistent: the time was over.*deregister-image"):
        held(cloud, hold_seconds=5, require_consistent=True)
    assert "launch" not in {call.name for call in cloud.writes}


@pytest.mark.parametrize("seconds", [4, 61])
def test_a_hold_has_a_bound(seconds):
    with pytest.raises(UsageError, match="--hold-seconds"):
        told(one_instance(), live=True, hold_seconds=seconds)


def test_the_plan_tells_the_hold_its_bound_and_its_calls():
    cloud = one_instance()
    world = replace(memory_world(cloud), machines=Looks())
    plan = clone_plan(world, CloneRequest(cloud.the_instance.id, live=True, hold_seconds=15))
    assert "stall for up to 15 s" in "\n".join(plan.warnings)
    called = [call.permission for call in plan.calls]
    assert called[:4] == ["ssm:SendCommand", "ec2:CreateImage", "ssm:SendCommand", "ec2:CreateTags"]


def test_an_engine_that_cannot_be_held_is_named_before_anything_is_done():
    cloud = one_instance()
    world = replace(memory_world(cloud), machines=Looks("mongodb", "mariadb"))
    plan = clone_plan(world, CloneRequest(cloud.the_instance.id, live=True))
    assert "mongodb cannot be held" in "\n".join(plan.warnings)
    assert "ssm:SendCommand" not in [call.permission for call in plan.calls]


def test_a_plan_says_each_thing_once():
    cloud = one_instance()
    cloud.surround(cloud.the_instance.id, Surroundings(traits=Traits(can_hibernate=True)))
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id, live=True))
    assert any("hibernat" in one for one in plan.warnings)
    assert len(plan.warnings) == len(set(plan.warnings))
