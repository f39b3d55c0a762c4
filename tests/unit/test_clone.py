"""The story of a clone, told on the reference cloud: its order, its result, its refusals."""

from itertools import groupby

import pytest

from nospof.adapters.memory import MemoryService
from nospof.adapters.memory.account import OPERATIONS, Timings
from nospof.adapters.memory.machines import SPREAD_LIMIT
from nospof.errors import CloudError, PreconditionFailed, ProcedureFailed
from nospof.model.cloud import TAG_GUARANTEE, TAG_RUN, TAG_TWIN_OF, InstanceStatus
from nospof.model.requests import CloneRequest
from nospof.planning.clone import plan_clone
from nospof.procedures.clone import clone, clone_facts, url_of, wait_until_ok
from nospof.procedures.registry import clone_plan
from nospof.procedures.waiting import TimedOut
from nospof.runtime.memory import MemorySteps
from support.memory_world import memory_world, one_instance

RUN = "run-1"


def tell(cloud, through=None, **request):
    steps = MemorySteps(RUN)
    asked = CloneRequest(cloud.the_instance.id, **request)
    return steps, lambda: steps.tell(clone, memory_world(cloud, through), asked)


def result_of(cloud, **request):
    _, told = tell(cloud, **request)
    return told()


def switched_off(cloud):
    cloud.stop_instance(cloud.the_instance.id)
    cloud.clock.sleep(cloud.timings.stopping)
    cloud.settle()
    cloud.calls.clear()
    return cloud


def in_one_zone():
    return one_instance(zone_count=1)


def made(cloud):
    """The EC2 writes that were made, as AWS calls them, a repeat of the same one told once."""
    once = [call for call, _ in groupby((call.name, call.arguments[0]) for call in cloud.writes)]
    return [OPERATIONS[name].aws_name for name, _ in once]


def assert_untouched(cloud):
    assert cloud.writes == []
    assert cloud.the_instance.state in ("running", "stopped")


# What comes of it -----------------------------------------------------------------------------------


def test_a_clone_is_a_source_that_runs_and_a_twin_that_runs_elsewhere():
    cloud = one_instance()
    result = result_of(cloud)
    source, twin = cloud.the_instance, cloud.instance(result.twin.id)
    assert (source.state, twin.state) == ("running", "running")
    assert twin.zone != source.zone
    assert twin.image_id == result.image_id
    assert twin.tags[TAG_TWIN_OF] == source.id == result.source.id
    assert TAG_GUARANTEE not in source.tags


def test_the_image_is_one_of_a_disk_nobody_wrote_to():
    cloud = one_instance()
    result = result_of(cloud)
    assert cloud.source_states_of(cloud.image(result.image_id).name) == ("stopped",)


def test_everything_made_carries_the_run():
    cloud = in_one_zone()
    result = result_of(cloud, same_zone=True)
    assert cloud.image(result.image_id).tags[TAG_RUN] == RUN
    assert cloud.instance(result.twin.id).tags[TAG_RUN] == RUN
    assert [tags[TAG_RUN] for tags in cloud._placement_groups.values()] == [RUN]


def test_the_time_off_ends_with_the_first_good_answer():
    cloud = one_instance(timings=Timings(stopping=7, snapshot_appears=4, pending=3, boot=11))
    split = result_of(cloud).time_off
    assert (split.stop, split.image_call, split.start, split.first_good_answer) == (7, 4, 3, 11)
    assert split.total == 25


def test_a_service_that_could_not_be_asked_before_is_not_waited_for():
    cloud = one_instance(service=MemoryService(port=9999))
    steps, told = tell(cloud)
    assert told().time_off.first_good_answer is None
    assert "wait until the source answers again" not in steps.names


def test_a_service_that_does_not_answer_again_is_an_error_and_no_twin_is_launched():
    cloud = one_instance(timings=Timings(boot=10**6))
    with pytest.raises(TimedOut, match="the source to answer"):
        result_of(cloud)
    assert cloud.the_instance.state == "running"
    assert len(cloud.instances()) == 1


def test_a_source_that_was_off_is_off_afterwards_and_was_never_on():
    cloud = switched_off(one_instance())
    result = result_of(cloud)
    assert cloud.the_instance.state == "stopped"
    assert result.time_off is None
    assert [call.name for call in cloud.writes] == ["create_image", "launch"]
    assert cloud.instance(result.twin.id).state == "running"


@pytest.mark.parametrize("was_on", [True, False])
def test_in_one_zone_source_and_twin_share_a_spread_group(was_on):
    cloud = in_one_zone() if was_on else switched_off(in_one_zone())
    result = result_of(cloud, same_zone=True)
    twin = cloud.instance(result.twin.id)
    assert twin.zone == cloud.the_instance.zone
    assert twin.placement_group == cloud.the_instance.placement_group != ""


def test_a_lost_answer_of_the_launch_makes_one_twin():
    cloud = one_instance()
    cloud.fail("launch", "ReadTimeout", after=True)
    result = result_of(cloud)
    assert [one.id for one in cloud.instances(tag=TAG_TWIN_OF)] == [result.twin.id]


def test_c17_c31_ids_that_are_known_late_do_not_stop_a_clone():
    cloud = one_instance()
    cloud.late_ids = 3
    assert result_of(cloud).twin.state == "running"
    assert len(cloud.instances(tag=TAG_TWIN_OF)) == 1


def test_a_second_clone_makes_another_twin():
    cloud = one_instance()
    first = result_of(cloud)
    again = MemorySteps("run-2").tell(clone, memory_world(cloud), CloneRequest(cloud.the_instance.id))
    assert again.twin.id != first.twin.id
    assert again.image_id != first.image_id


# The plan is what happens ---------------------------------------------------------------------------

SITUATIONS = {
    "running": (one_instance, {}),
    "stopped": (lambda: switched_off(one_instance()), {}),
    "running, same zone": (in_one_zone, {"same_zone": True}),
    "stopped, same zone": (lambda: switched_off(in_one_zone()), {"same_zone": True}),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_calls_made_are_those_planned_in_their_order(situation):
    build, request = SITUATIONS[situation]
    planned = clone_plan(memory_world(build()), CloneRequest(build().the_instance.id, **request))
    cloud = build()
    result_of(cloud, **request)
    assert made(cloud) == [call.permission for call in planned.calls]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_showing_the_plan_changes_nothing(situation):
    build, request = SITUATIONS[situation]
    cloud = build()
    clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id, **request))
    assert_untouched(cloud)


def test_the_plan_says_what_could_not_be_checked():
    cloud = in_one_zone()
    cloud.deny("simulate")
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id, same_zone=True))
    (said,) = (one for one in plan.warnings if "no rehearsal" in one)
    assert said.startswith("not checked, for ")
    assert said.endswith("(UnauthorizedOperation): ec2:ModifyInstancePlacement")


def planned_methods():
    """Each planned call that can be rehearsed, with the port's method that makes it."""
    methods = {operation.aws_name: name for name, operation in OPERATIONS.items() if operation.is_write}
    for situation, (build, request) in SITUATIONS.items():
        cloud = build()
        asked = CloneRequest(cloud.the_instance.id, **request)
        plan = plan_clone(clone_facts(memory_world(cloud), asked), asked, RUN).plan
        for call in plan.calls:
            if call.can_rehearse:
                yield pytest.param(situation, methods[call.permission], call.permission)


@pytest.mark.parametrize(("situation", "method", "action"), list(planned_methods()))
def test_c29_a_call_that_is_denied_is_named_before_anything_is_written(situation, method, action):
    build, request = SITUATIONS[situation]
    cloud = build()
    cloud.deny(method)
    with pytest.raises(PreconditionFailed) as refused:
        result_of(cloud, **request)
    assert action in str(refused.value)
    assert str(refused.value).endswith("Nothing was changed.")
    assert_untouched(cloud)


def test_c29_all_is_read_and_rehearsed_before_the_first_write():
    cloud = one_instance()
    result_of(cloud)
    names = [call.name for call in cloud.calls]
    first_write = next(number for number, name in enumerate(names) if OPERATIONS[name].is_write)
    assert "rehearse" in names[:first_write]
    assert "rehearse" not in names[first_write:]
    for read in ("subnets", "zones_offering", "is_stop_protected", "auto_scaling_group_of"):
        assert read in names[:first_write]


# Refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "request_", "says"),
    [
        (lambda c: c.protect_from_stop(c.the_instance.id, on=True), {}, "disableApiStop"),
        (lambda c: c.join_auto_scaling_group(c.the_instance.id, "web"), {}, "Auto Scaling group web"),
        (lambda c: c.offer("t3.small", (c.the_instance.zone,)), {}, "--same-zone"),
        (lambda c: c.stop_instance(c.the_instance.id), {}, "is stopping"),
        (lambda c: c.terminate(c.the_instance.id), {}, "is shutting-down"),
        (lambda c: None, {"zone": "eu-central-1x"}, "eu-central-1x"),
    ],
)
def test_a_refusal_writes_nothing_and_says_so(prepare, request_, says):
    cloud = one_instance()
    prepare(cloud)
    cloud.calls.clear()
    steps, told = tell(cloud, **request_)
    with pytest.raises(PreconditionFailed) as refused:
        told()
    assert says in str(refused.value)
    assert str(refused.value).endswith("Nothing was changed.")
    assert cloud.writes == []
    assert not steps.has_changed_something


def test_an_instance_that_does_not_exist_is_named():
    cloud = one_instance()
    with pytest.raises(CloudError, match="i-gone"):
        MemorySteps(RUN).tell(clone, memory_world(cloud), CloneRequest("i-gone"))
    assert cloud.writes == []


# Half-way -------------------------------------------------------------------------------------------


def test_c18_an_image_that_fails_is_an_error_that_names_it_and_the_source_runs():
    cloud = one_instance()
    cloud.fail_image("Client.SnapshotLimitExceeded: the quota is used up")
    with pytest.raises(ProcedureFailed) as failed:
        result_of(cloud)
    image = cloud.image_named(f"nospof-{RUN}")
    assert f"deregister-image --image-id {image.id}" in str(failed.value)
    assert "SnapshotLimitExceeded" in str(failed.value)
    assert cloud.the_instance.state == "running"
    assert len(cloud.instances()) == 1


def test_the_promise_stays_until_the_source_has_passed_its_checks():
    cloud = one_instance(timings=Timings(checks=10**6))
    with pytest.raises(TimedOut, match="pass its status checks; last seen: instance initializing"):
        result_of(cloud)
    assert TAG_GUARANTEE in cloud.the_instance.tags
    assert cloud.the_instance.state == "running"


def test_c16_an_image_that_takes_hours_is_waited_for_with_the_source_on():
    cloud = one_instance(timings=Timings(image=5 * 3600))
    result = result_of(cloud)
    assert result.time_off.total < 60
    assert cloud.image(result.image_id).state == "available"


def test_a_full_placement_group_leaves_the_source_running():
    cloud = in_one_zone()
    group = f"nospof-{cloud.the_instance.id}"
    cloud.create_placement_group(group, {})
    for _ in range(SPREAD_LIMIT):
        other = cloud.add_instance()
        cloud._instances[other.id] = type(other)(**{**vars(other), "placement_group": group})
    with pytest.raises(CloudError, match="InsufficientInstanceCapacity"):
        result_of(cloud, same_zone=True)
    assert cloud.the_instance.state == "running"


# Eyes -----------------------------------------------------------------------------------------------


def test_an_instance_is_asked_at_its_public_address_else_at_its_private_one():
    instance = one_instance().the_instance
    private = type(instance)(**{**vars(instance), "public_ip": ""})
    assert url_of(instance, 8080, "/up") == f"http://{instance.public_ip}:8080/up"
    assert url_of(private, 80, "/") == f"http://{private.private_ip}:80/"


def test_a_status_that_is_not_listed_yet_is_waited_for():
    cloud = one_instance()
    answers = iter([(), ()])

    class Late:
        def __getattr__(self, name):
            return getattr(cloud, name)

        def instance_status(self, instance_ids):
            return next(answers, cloud.instance_status(instance_ids))

    status = wait_until_ok(memory_world(cloud, Late()), cloud.the_instance.id)
    assert isinstance(status, InstanceStatus)
    assert status.is_ok


def launched_and_gone(times):
    """A cloud that gives up on the first twins it launches, as EC2 does when a key is unusable."""
    cloud = one_instance()

    class GivingUp:
        given_up = 0

        def __getattr__(self, name):
            return getattr(cloud, name)

        def launch(self, request):
            twin = cloud.launch(request)
            if self.given_up < times and cloud.instance(twin.id).state not in ("shutting-down", "terminated"):
                self.given_up += 1
                cloud.terminate(twin.id)
            return twin

    return cloud, GivingUp()


def test_c15_a_twin_ec2_gave_up_on_is_launched_again_with_another_token():
    cloud, through = launched_and_gone(1)
    request = CloneRequest(cloud.the_instance.id)
    result = MemorySteps("run-1").tell(clone, memory_world(cloud, through), request)
    assert result.twin.state == "running"
    tokens = [call.arguments[0].token for call in cloud.writes if call.name == "launch"]
    assert tokens == ["run-1-twin", "run-1-twin-2"]


def test_a_twin_that_never_comes_up_is_an_error_after_three():
    cloud, through = launched_and_gone(99)
    with pytest.raises(ProcedureFailed, match="terminated it"):
        MemorySteps("run-1").tell(clone, memory_world(cloud, through), CloneRequest(cloud.the_instance.id))
    assert cloud.the_instance.state == "running"
