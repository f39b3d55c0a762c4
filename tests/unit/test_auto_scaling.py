"""A member of an Auto Scaling group is cloned: the group does not act while it is off, and does after it."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import replace

import pytest

from nospof.adapters.memory import MemoryCloud
from nospof.errors import PreconditionFailed, ProcedureFailed
from nospof.model.auto_scaling import AutoScalingGroup, GroupMember
from nospof.model.cloud import TAG_GUARANTEE, TAG_SUSPENDED, Instance, Target
from nospof.model.requests import CloneRequest, PairRequest, TakeRequest
from nospof.planning.auto_scaling import PROCESSES
from nospof.planning.concerns import SourceFacts
from nospof.planning.preflight import heed
from nospof.procedures.clone import clone
from nospof.procedures.guarantee import keep_guarantees
from nospof.procedures.pair import pair
from nospof.procedures.registry import clone_plan
from nospof.procedures.waiting import TimedOut
from nospof.runtime.memory import Killed, MemorySteps
from support.boundaries import ANYWHERE, Boundary
from support.memory_world import memory_world, one_instance

GROUP = AutoScalingGroup("web", "arn:aws:autoscaling:r:1:autoScalingGroup:u:autoScalingGroupName/web")
SOURCE = Instance("i-1", "running", "t3.small", "ami-1", "a", "subnet-1", "vpc-1", "172.31.0.5")
SUSPENDED = {"suspend_processes", "stop_instance", "start_instance", "mark_healthy", "resume_processes"}


def in_a_group(**settings: object) -> MemoryCloud:
    cloud = one_instance()
    cloud.join_auto_scaling_group(cloud.the_instance.id, "web", **settings)
    return cloud


def told(cloud: MemoryCloud, through: object = None, **consents: bool) -> object:
    request = CloneRequest(cloud.the_instance.id, suspend_auto_scaling=True, **consents)
    return MemorySteps("run-1").tell(clone, memory_world(cloud, through), request)


def facts_of(group: AutoScalingGroup, seats: tuple[Target, ...] = (), state: str = "running") -> SourceFacts:
    return SourceFacts(
        source=replace(SOURCE, state=state),
        auto_scaling_group=group.name,
        is_stop_protected=False,
        has_local_disks=False,
        scaling=group,
        seats=seats,
    )


def heard(group: AutoScalingGroup, *, seats: tuple[Target, ...] = (), state: str = "running") -> str:
    facts = facts_of(group, seats, state)
    try:
        return "\n".join(heed(facts, CloneRequest("i-1", suspend_auto_scaling=True)))
    except PreconditionFailed as refused:
        return f"refused: {refused}"


def member(lifecycle: str = "InService", health: str = "Healthy", **settings: object) -> AutoScalingGroup:
    return replace(GROUP, members=(GroupMember("i-1", lifecycle, health),), **settings)  # type: ignore[arg-type]


def seat(state: str, reason: str = "") -> tuple[Target, ...]:
    return (Target("i-1", 80, state, reason),)


@pytest.mark.parametrize(
    ("group", "seats", "says"),
    [
        (member(), (), "HealthCheck, AZRebalance, Terminate, ReplaceUnhealthy are suspended"),
        (member(suspended=("Terminate", "Launch")), (), "HealthCheck, AZRebalance, ReplaceUnhealthy are"),
        (member("Standby"), (), "a stopped instance gives its capacity back"),
        (member(suspended=PROCESSES), (), "a stopped instance gives its capacity back"),
        (
            member("Terminating", suspended=PROCESSES),
            (),
            "refused: i-1 belongs to the Auto Scaling group web",
        ),
        (GROUP, (), "is on its way out there"),
        (member(health="Unhealthy"), (), "is marked Unhealthy there: it is about to be replaced"),
        (member(health="Unhealthy", suspended=("ReplaceUnhealthy",)), (), "HealthCheck, AZRebalance, Term"),
        (member(checks=("VPC_LATTICE",)), (), "its health there rests on VPC_LATTICE"),
        (member(checks=("ELB",), classic_balancers=("old",)), (), "its health there rests on old"),
        (member(classic_balancers=("old",)), (), "HealthCheck, AZRebalance"),
        (member(checks=("ELB",)), seat("unhealthy", "Target.Timeout"), "finds it unhealthy (Target.Timeout)"),
        (member(checks=("ELB",)), seat("unused", "Target.NotInUse"), "HealthCheck, AZRebalance"),
        (member(checks=("ELB",), suspended=("HealthCheck",)), seat("unhealthy"), "AZRebalance, Terminate, R"),
    ],
)
def test_c01_what_is_suspended_and_what_could_not_be_kept(group, seats, says):
    assert says in heard(group, seats=seats)


def test_c01_one_that_is_off_is_not_kept_by_a_group_that_acts():
    assert "enter-standby" in heard(member(), state="stopped")
    assert "refused" not in heard(member("Standby"), state="stopped")


def test_c01_the_group_does_not_act_while_its_member_is_off_and_acts_again_afterwards():
    cloud = in_a_group(suspended=("AZRebalance",))
    source = cloud.the_instance.id
    told(cloud)
    assert cloud.instance(source).state == "running"
    assert not {TAG_GUARANTEE, TAG_SUSPENDED} & set(cloud.instance(source).tags)
    assert cloud.auto_scaling_group("web") == replace(
        cloud.auto_scaling_group("web"), suspended=("AZRebalance",), members=(GroupMember(source),)
    )
    assert [call.name for call in cloud.writes if call.name in SUSPENDED] == [
        "suspend_processes",
        "stop_instance",
        "start_instance",
        "mark_healthy",
        "resume_processes",
        "resume_processes",
    ]
    *_, checks, replaces = (call.arguments for call in cloud.writes if call.name == "resume_processes")
    assert (checks, replaces) == (("web", ("HealthCheck", "Terminate")), ("web", ("ReplaceUnhealthy",)))
    cloud.stop_instance(source)
    cloud.clock.sleep(10)
    assert cloud.instance(source).state == "shutting-down"


def test_c01_a_mark_made_while_it_was_off_is_taken_back_before_the_group_replaces_again():
    cloud = in_a_group()
    source = cloud.the_instance.id
    # A check that had begun before the processes were suspended ends after the stop.
    cloud.later(4, lambda: cloud._mark(source, health="Unhealthy"))
    told(cloud)
    cloud.clock.sleep(60)
    assert cloud.instance(source).state == "running"


def test_c01_the_group_waits_for_its_balancer_to_find_the_member_healthy_again():
    cloud = one_instance()
    source = cloud.the_instance.id
    made = MemorySteps("run-0").tell(
        pair, memory_world(cloud), PairRequest(source, service="www", stateless=True)
    )
    arn = made.target_group_arn
    cloud.join_auto_scaling_group(source, "web", checks=("ELB",), target_group_arns=(arn,))
    cloud.timings = replace(cloud.timings, health=200)
    cloud.clock.sleep(300)
    told(cloud)
    cloud.clock.sleep(300)
    assert [one.is_healthy for one in cloud.targets(arn)] == [True, True]
    assert cloud.auto_scaling_group("web").suspended == ()


def test_c01_a_member_that_does_not_become_well_is_not_left_to_its_group():
    cloud = in_a_group()
    source = cloud.the_instance.id
    cloud.later(8, lambda: cloud.impair(source))
    with pytest.raises(TimedOut):
        told(cloud)
    (kept,) = keep_guarantees(memory_world(cloud), lambda _run: nullcontext(True))
    assert "to be well before web acts again" in kept
    assert cloud.instance(source).state == "running"
    assert "resumes=HealthCheck+" in cloud.instance(source).tags[TAG_GUARANTEE]


def test_c01_a_keeper_lets_the_group_act_again_in_the_right_order():
    cloud = in_a_group()
    source = cloud.the_instance.id
    number = 1 + names_of_calls().index("create_image")
    with pytest.raises(Killed):
        told(cloud, Boundary(cloud, number, ANYWHERE["killed after"]))
    assert keep_guarantees(memory_world(cloud), lambda _run: nullcontext(True))
    cloud.clock.sleep(60)
    assert cloud.instance(source).state == "running"
    assert cloud.auto_scaling_group("web").suspended == ()


def names_of_calls() -> list[str]:
    """Return the calls of a clone of such a member."""
    cloud = in_a_group()
    told(cloud)
    return [call.name for call in cloud.calls]


def test_c01_a_member_that_somebody_terminates_is_replaced_by_its_group():
    cloud = in_a_group()
    cloud.later(4, lambda: cloud.terminate(cloud.the_instance.id))
    with suppress(ProcedureFailed):
        told(cloud)
    assert cloud.the_instance.state == "terminated"
    assert cloud.auto_scaling_group("web").suspended == ()


def test_c01_a_group_that_goes_meanwhile_is_no_error():
    cloud = in_a_group()
    cloud.later(4, cloud._scaling.clear)
    told(cloud)
    assert TAG_GUARANTEE not in cloud.the_instance.tags


def test_c01_without_the_consent_nothing_is_changed_and_the_option_is_named():
    cloud = in_a_group()
    with pytest.raises(PreconditionFailed, match="--suspend-auto-scaling"):
        MemorySteps("run-1").tell(clone, memory_world(cloud), CloneRequest(cloud.the_instance.id))
    assert cloud.writes == []


def test_an_option_that_a_request_does_not_have_is_not_offered():
    with pytest.raises(PreconditionFailed, match="Auto Scaling group web") as refused:
        heed(facts_of(member()), TakeRequest("i-1"))
    assert "--suspend-auto-scaling" not in str(refused.value)


def test_c01_the_plan_shows_the_calls_around_the_stop_and_what_the_group_will_not_do():
    cloud = in_a_group()
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id, suspend_auto_scaling=True))
    shown = [call.operation for call in plan.calls]
    assert shown.index("SuspendProcesses") < shown.index("StopInstances") < shown.index("StartInstances")
    assert shown.index("StartInstances") < shown.index("SetInstanceHealth") < shown.index("ResumeProcesses")
    assert any("it replaces no other member either" in one for one in plan.warnings)
    assert {call.on for call in plan.calls if call.service == "autoscaling"} == {
        ("autoScalingGroup:0:autoScalingGroupName/web",)
    }
