"""AWS itself starts the source where nobody of ours is left, and is never asked for what it cannot do."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest

from nospof.adapters.memory.account import Timings
from nospof.errors import CloudError, PreconditionFailed, UsageError
from nospof.model.cloud import TAG_GUARANTEE
from nospof.model.requests import CloneRequest
from nospof.model.starts import SCHEDULER
from nospof.planning.clone import image_name_of
from nospof.procedures.guarantee import keep_guarantees
from nospof.procedures.registry import PROCEDURES, clone_plan, pair_plan
from nospof.runtime.memory import Killed, MemorySteps
from support.boundaries import ANYWHERE, Boundary
from support.crash_cases import TOKEN, pair_case, take_case
from support.memory_world import memory_world, one_instance

QUARTER = 900
ASKED = {"dead_man_seconds": QUARTER}


def with_a_role(**options):
    cloud = one_instance(**options)
    cloud.add_role()
    return cloud


def tell(cloud, through=None, steps=None, **more):
    request = CloneRequest(cloud.the_instance.id, **{**ASKED, **more})
    steps = steps or MemorySteps(TOKEN)
    return steps.tell(PROCEDURES["clone"].story, memory_world(cloud, through), request)


def killed_after(cloud, method, steps):
    """Kill a clone after its first call of a method; nothing of it reaches the cloud any more."""
    rehearsal = with_a_role()
    through = Boundary(rehearsal, 10**9, ANYWHERE["killed before"])
    tell(rehearsal, through)
    number = through.names.index(method) + 1
    with pytest.raises(Killed):
        tell(cloud, Boundary(cloud, number, ANYWHERE["killed after"]), steps)


def refusal(cloud, **more):
    with pytest.raises(PreconditionFailed) as refused:
        tell(cloud, **more)
    assert cloud.writes == []
    return str(refused.value)


def test_aws_starts_the_source_when_the_run_and_its_machine_are_gone_and_the_run_can_be_resumed():
    cloud, steps = with_a_role(), MemorySteps(TOKEN)
    killed_after(cloud, "stop_instance", steps)
    cloud.clock.sleep(QUARTER - 60)
    cloud.settle()
    assert cloud.the_instance.state == "stopped"
    cloud.clock.sleep(60)
    cloud.settle()
    assert cloud.the_instance.state in ("pending", "running")
    assert cloud.starts == {}
    cloud.clock.sleep(10)
    tell(cloud, steps=steps)
    assert set(cloud.source_states_of(image_name_of(TOKEN))) == {"stopped"}
    assert (cloud.the_instance.state, cloud.starts) == ("running", {})


def test_the_start_is_taken_back_only_once_the_source_passes_its_checks_and_before_its_promise_is_released():
    cloud = with_a_role()
    tell(cloud)
    names = [call.name for call in cloud.calls]
    start, back = names.index("start_instance"), names.index("cancel_start")
    assert "instance_status" in names[start:back]
    assert names[back + 1] == "untag"
    assert cloud.starts == {}


def test_the_start_is_scheduled_before_the_stop_under_the_name_of_the_run():
    cloud = with_a_role()
    killed_after(cloud, "stop_instance", MemorySteps(TOKEN))
    (start,) = cloud.starts.values()
    assert start.name == f"nospof-{TOKEN}"
    assert start.instance_id == cloud.the_instance.id
    assert QUARTER - 30 <= start.at - cloud.clock.now() <= QUARTER
    assert "start=scheduled" in cloud.the_instance.tags[TAG_GUARANTEE]


@pytest.mark.parametrize("method", ["tag", "schedule_start", "stop_instance", "create_image"])
def test_a_keeper_takes_back_the_start_of_a_dead_run(method):
    cloud = with_a_role()
    killed_after(cloud, method, MemorySteps(TOKEN))
    keep_guarantees(memory_world(cloud), lambda _run: nullcontext(True))
    assert (cloud.the_instance.state, cloud.starts) == ("running", {})
    assert TAG_GUARANTEE not in cloud.the_instance.tags


def test_nothing_is_scheduled_where_nobody_asked_for_it():
    cloud = one_instance()
    tell(cloud, dead_man_seconds=0)
    assert {call.name for call in cloud.calls} & {"role", "schedule_start", "cancel_start"} == set()


@pytest.mark.parametrize("timings", [Timings(stopping=500), Timings(snapshot_appears=290, stopping=250)])
def test_what_takes_longer_than_the_dead_man_is_not_started_in_the_middle(timings):
    cloud = with_a_role(timings=timings)
    tell(cloud, dead_man_seconds=300)
    assert set(cloud.source_states_of(image_name_of(TOKEN))) == {"stopped"}
    assert (cloud.the_instance.state, cloud.starts) == ("running", {})


def test_a_start_that_cannot_be_moved_ahead_keeps_nobody_from_bringing_the_source_back():
    cloud = with_a_role(timings=Timings(stopping=200))
    moved = []
    schedule = cloud.schedule_start

    def first_two_only(start):
        moved.append(start.at)
        if len(moved) > 2:
            cloud.fail("schedule_start", "InternalServerException")
        schedule(start)

    cloud.schedule_start = first_two_only
    tell(cloud, dead_man_seconds=300)
    assert len(moved) > 2
    assert cloud.the_instance.state == "running"


def test_a_role_that_is_not_there_is_refused_with_how_to_make_it():
    says = refusal(one_instance())
    assert "there is no role nospof-dead-man" in says
    assert "aws iam create-role --role-name nospof-dead-man" in says
    assert "nospof permissions dead-man-role" in says


def test_a_role_that_aws_may_not_take_is_refused_with_how_to_let_it():
    cloud = one_instance()
    cloud.add_role(trusts=("ec2.amazonaws.com",))
    says = refusal(cloud)
    assert f"does not let {SCHEDULER} take it" in says
    assert "update-assume-role-policy" in says


def test_a_role_that_may_not_start_the_source_is_refused():
    cloud = one_instance()
    cloud.add_role(may_start=False)
    says = refusal(cloud)
    assert "ec2:StartInstances (AWS starts" in says
    assert "role/nospof-dead-man): denied" in says


def test_whoever_may_not_schedule_is_refused_before_anything_is_written():
    cloud = with_a_role()
    cloud.deny("schedule_start")
    assert "scheduler:CreateSchedule" in refusal(cloud)


def test_a_role_that_nobody_here_may_look_at_is_told_as_not_checked_and_tried():
    cloud = with_a_role()
    cloud.deny("role")
    source = cloud.the_instance.id
    plan = clone_plan(memory_world(cloud), CloneRequest(source, **ASKED))
    role = f"arn:aws:iam::{cloud.account_id}:role/nospof-dead-man"
    said = f"not checked: whether {role} can start it (iam:GetRole failed, UnauthorizedOperation)"
    assert said in plan.warnings
    tell(cloud)
    assert "cancel_start" in [call.name for call in cloud.calls]


@pytest.mark.parametrize("named", ["mine", "arn:aws:iam::123456789012:role/ops/mine"])
def test_another_role_is_taken_by_name_or_by_arn(named):
    cloud = one_instance()
    role = cloud.add_role("mine")
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id, dead_man_role=named, **ASKED))
    assert role.arn in next(call for call in plan.calls if call.operation == "PassRole").says


def test_a_schedule_that_is_refused_leaves_the_source_on_and_nothing_promised():
    cloud = with_a_role()
    cloud.fail("schedule_start", "ServiceQuotaExceededException")
    with pytest.raises(CloudError, match="ServiceQuotaExceeded"):
        tell(cloud)
    assert "stop_instance" not in [call.name for call in cloud.calls]
    assert cloud.the_instance.state == "running"
    assert TAG_GUARANTEE not in cloud.the_instance.tags


def test_a_lost_answer_is_asked_for_again():
    cloud = with_a_role()
    cloud.fail("schedule_start", "ReadTimeout", after=True)
    tell(cloud)
    assert (cloud.the_instance.state, cloud.starts) == ("running", {})


@pytest.mark.parametrize("seconds", [1, 299, 86_401])
def test_a_time_that_makes_no_sense_is_refused(seconds):
    with pytest.raises(UsageError, match="--dead-man"):
        tell(with_a_role(), dead_man_seconds=seconds)


def test_a_live_copy_has_no_dead_man():
    with pytest.raises(UsageError, match="--live and --dead-man"):
        tell(with_a_role(), live=True)


def test_of_a_source_that_is_off_the_plan_says_that_nothing_will_be_started():
    cloud = with_a_role()
    cloud.stop_instance(cloud.the_instance.id)
    cloud.clock.sleep(cloud.timings.stopping)
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id, **ASKED))
    assert any("--dead-man does nothing" in warning for warning in plan.warnings)
    assert "CreateSchedule" not in {call.operation for call in plan.calls}


def test_the_plan_names_its_calls_around_the_stop_and_what_they_need():
    cloud = with_a_role()
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id, **ASKED))
    order = [call.operation for call in plan.calls]
    around = ["CreateTags", "PassRole", "CreateSchedule", "UpdateSchedule", "StopInstances", "StartInstances"]
    around += ["DeleteSchedule", "DeleteTags"]
    assert [one for one in order if one in around] == around
    assert {"iam:PassRole", "scheduler:CreateSchedule", "scheduler:DeleteSchedule"} <= set(plan.permissions)


def test_a_pair_that_clones_has_one_too():
    case = pair_case()
    case.cloud.add_role()
    request = replace(case.request, **ASKED)
    plan = pair_plan(memory_world(case.cloud), request)
    assert "CreateSchedule" in {call.operation for call in plan.calls}
    MemorySteps(TOKEN).tell(case.story, memory_world(case.cloud), request)
    names = [call.name for call in case.cloud.calls]
    assert names.index("schedule_start") < names.index("stop_instance") < names.index("cancel_start")


def test_maintenance_that_is_taken_has_one_too():
    case = take_case()
    case.cloud.add_role()
    case.cloud.calls.clear()
    MemorySteps(TOKEN).tell(case.story, memory_world(case.cloud), replace(case.request, **ASKED))
    names = [call.name for call in case.cloud.calls]
    assert names.index("schedule_start") < names.index("stop_instance") < names.index("cancel_start")
    assert case.cloud.starts == {}
    with pytest.raises(UsageError, match="--dead-man"):
        MemorySteps("run-9").tell(
            case.story, memory_world(case.cloud), replace(case.request, dead_man_seconds=1)
        )
