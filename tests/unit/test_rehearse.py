"""Every write of a plan is asked about before the first one is made (C29)."""

import pytest

from nospof.errors import CloudError, PreconditionFailed
from nospof.model.plans import Plan, PlannedCall
from nospof.procedures.rehearse import rehearse
from support.memory_world import memory_world, one_instance

STOP = PlannedCall("ec2", "StopInstances", {}, "stop it")
START = PlannedCall("ec2", "StartInstances", {}, "start it")
MOVE = PlannedCall("ec2", "ModifyInstancePlacement", {}, "move it")
LISTEN = PlannedCall("elbv2", "CreateListener", {}, "listen")


def plan(*calls):
    return Plan("test", "test", "test", calls)


def test_a_plan_that_is_allowed_passes_and_changes_nothing():
    cloud = one_instance()
    assert rehearse(memory_world(cloud), plan(STOP, START)) == ()
    assert [call.arguments for call in cloud.calls] == [(STOP,), (START,)]
    assert cloud.writes == []


def test_all_refused_calls_are_named_at_once_with_what_they_are_for():
    cloud = one_instance()
    cloud.deny("stop_instance")
    cloud.deny("start_instance")
    with pytest.raises(PreconditionFailed) as refused:
        rehearse(memory_world(cloud), plan(STOP, START))
    says = str(refused.value)
    assert "ec2:StopInstances (stop it): UnauthorizedOperation" in says
    assert "ec2:StartInstances (start it): UnauthorizedOperation" in says
    assert "Grant these" in says
    assert says.endswith("Nothing was changed.")
    assert cloud.writes == []


def test_what_has_no_rehearsal_is_not_asked_about_and_said_once():
    cloud = one_instance()
    said = rehearse(memory_world(cloud), plan(LISTEN, MOVE, LISTEN, STOP))
    assert said == (
        "not checked, for the cloud has no rehearsal of it: elasticloadbalancing:CreateListener, "
        "ec2:ModifyInstancePlacement",
    )
    assert [call.arguments for call in cloud.calls] == [(STOP,)]


def test_throttling_is_not_taken_for_a_refusal():
    cloud = one_instance()
    cloud.fail("rehearse", "RequestLimitExceeded")
    with pytest.raises(CloudError, match="RequestLimitExceeded"):
        rehearse(memory_world(cloud), plan(STOP))


def test_an_id_that_does_not_exist_is_a_refusal():
    cloud = one_instance()
    gone = PlannedCall("ec2", "StopInstances", {"InstanceIds": ["i-gone"]}, "stop it")
    with pytest.raises(PreconditionFailed, match=r"InvalidInstanceID\.NotFound"):
        rehearse(memory_world(cloud), plan(gone))


def test_a_stand_in_is_not_taken_for_an_id_that_does_not_exist():
    cloud = one_instance()
    later = PlannedCall("ec2", "StopInstances", {"InstanceIds": ["i-later"]}, "stop it", ("InstanceIds",))
    assert rehearse(memory_world(cloud), plan(later)) == ()


@pytest.mark.parametrize("code", ["InvalidGroup.Duplicate", "DependencyViolation", "InvalidSnapshot.InUse"])
def test_what_an_earlier_run_made_and_what_goes_before_are_no_refusals(code):
    cloud = one_instance()
    cloud.fail("rehearse", code)
    assert rehearse(memory_world(cloud), plan(STOP)) == ()
