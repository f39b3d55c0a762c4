"""Every write of a plan is asked about before the first one is made (C29)."""

from contextlib import nullcontext
from dataclasses import replace

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


def test_what_has_no_rehearsal_is_asked_of_iam_and_no_more_said_of_it():
    cloud = one_instance()
    assert rehearse(memory_world(cloud), plan(LISTEN, MOVE, STOP)) == ()
    assert [(call.name, call.arguments) for call in cloud.calls] == [
        ("rehearse", (STOP,)),
        ("simulate", (LISTEN,)),
        ("simulate", (MOVE,)),
    ]
    assert cloud.writes == []


def test_what_iam_would_deny_is_refused_beside_what_a_rehearsal_refuses():
    cloud = one_instance()
    cloud.deny("create_listener")
    cloud.deny("stop_instance")
    with pytest.raises(PreconditionFailed) as refused:
        rehearse(memory_world(cloud), plan(LISTEN, LISTEN, MOVE, STOP))
    assert str(refused.value).count("elasticloadbalancing:CreateListener (listen): denied") == 1
    assert "ec2:StopInstances (stop it)" in str(refused.value)


def test_what_aws_asks_for_beside_a_call_is_asked_about_as_well():
    make = PlannedCall("elbv2", "CreateTargetGroup", {"Tags": []}, "make it")
    for action in ("AddTags", "ModifyTargetGroupAttributes"):
        cloud = one_instance()
        cloud._denied.add(f"elasticloadbalancing:{action}")
        with pytest.raises(PreconditionFailed, match=f"elasticloadbalancing:{action} \\(make it\\): denied"):
            rehearse(memory_world(cloud), plan(make))


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "Throttling", "NoSuchEntity"])
def test_what_has_no_rehearsal_is_said_once_where_iam_does_not_answer(code):
    cloud = one_instance()
    cloud.fail("simulate", code)
    said = rehearse(memory_world(cloud), plan(LISTEN, MOVE, LISTEN, STOP))
    assert said == (
        f"not checked, for they have no rehearsal, and iam:SimulatePrincipalPolicy does not say ({code}): "
        "elasticloadbalancing:CreateListener, ec2:ModifyInstancePlacement",
    )


def test_what_iam_cannot_tell_is_neither_denied_nor_passed_over():
    class Unsure:
        def simulate(self, call):
            return dict.fromkeys(call.permissions)

        rehearse = one_instance().rehearse

    said = rehearse(memory_world(one_instance(), Unsure()), plan(LISTEN, MOVE))
    assert said == (
        "not checked, for your policies have conditions on them: elasticloadbalancing:CreateListener, "
        "ec2:ModifyInstancePlacement",
    )


@pytest.mark.parametrize("lifts", [True, False])
def test_a_protection_that_the_plan_lifts_first_is_no_refusal_of_the_stop(lifts):
    lift = PlannedCall("ec2", "ModifyInstanceAttribute", {}, "lift it")
    cloud = one_instance()
    cloud.fail("rehearse", "OperationNotPermitted")
    with nullcontext() if lifts else pytest.raises(PreconditionFailed, match="OperationNotPermitted"):
        rehearse(memory_world(cloud), plan(STOP, lift) if lifts else plan(STOP))


def test_reads_that_come_later_are_asked_about_before_the_first_write():
    cloud = one_instance()
    cloud.deny("snapshots_of")
    later = replace(plan(STOP), looks=(PlannedCall("ec2", "DescribeSnapshots", {}, "see them"),))
    with pytest.raises(PreconditionFailed, match=r"ec2:DescribeSnapshots \(see them\)"):
        rehearse(memory_world(cloud), later)


def test_the_action_that_is_missing_is_named_and_not_the_call_that_needs_it():
    said = "User: me is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/site"

    class Refusing:
        def rehearse(self, _call):
            raise CloudError(said, code="UnauthorizedOperation")

    with pytest.raises(PreconditionFailed, match=r"iam:PassRole \(stop it\): UnauthorizedOperation"):
        rehearse(memory_world(one_instance(), Refusing()), plan(STOP))


def test_throttling_is_not_taken_for_a_refusal():
    cloud = one_instance()
    cloud.fail("rehearse", "RequestLimitExceeded")
    with pytest.raises(CloudError, match="RequestLimitExceeded"):
        rehearse(memory_world(cloud), plan(STOP))


def test_an_endpoint_that_carries_out_a_rehearsal_is_asked_no_more():
    asked = []

    class InEarnest:
        def rehearse(self, call):
            asked.append(call)
            raise CloudError("it did not answer as a rehearsal", operation=call.permission)

    with pytest.raises(CloudError, match="did not answer as a rehearsal"):
        rehearse(memory_world(one_instance(), InEarnest()), plan(STOP, START))
    assert asked == [STOP]


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
