"""The minute in which the source is off always ends, whatever happens inside it."""

from dataclasses import replace

import pytest

from nospof.adapters.memory.account import Timings
from nospof.adapters.memory.machines import SPREAD_LIMIT, Disk
from nospof.errors import CloudError, NospofError, PreconditionFailed, ProcedureFailed, UnknownOutcome
from nospof.model.cloud import TAG_GUARANTEE, TAG_RUN, LaunchRequest
from nospof.procedures.guarantee import parse_guarantee
from nospof.procedures.off_section import image_while_off
from nospof.procedures.waiting import TimedOut
from nospof.runtime.memory import Killed
from support.between import Before
from support.memory_world import memory_world, one_instance

IMAGE = "nospof-run-1"
TAGS = {TAG_RUN: "run-1"}


def run(cloud, through=None, **options):
    asked = {"must_run": True, **options}
    return image_while_off(memory_world(cloud, through), cloud.the_instance.id, IMAGE, TAGS, "run-1", **asked)


def switch_off(cloud):
    cloud.stop_instance(cloud.the_instance.id)
    cloud.clock.sleep(cloud.timings.stopping)
    cloud.settle()
    cloud.calls.clear()


def written(cloud):
    return [call.name for call in cloud.writes]


def state(cloud):
    cloud.settle()
    return cloud.the_instance.state


def with_group(**options):
    """A cloud with a spread placement group for its instance."""
    cloud = one_instance(zone_count=1, **options)
    cloud.create_placement_group("spread", {})
    cloud.calls.clear()
    return cloud


class DiesAfter:
    """A connection that dies with its process right after a call."""

    def __init__(self, cloud, last):
        self._cloud, self._last, self._is_dead = cloud, last, False

    def __getattr__(self, name):
        method = getattr(self._cloud, name)

        def call(*args, **kwargs):
            if self._is_dead:
                raise Killed(name)
            value = method(*args, **kwargs)
            if name == self._last:
                self._is_dead = True
                raise Killed(name)
            return value

        return call


# What it does ---------------------------------------------------------------------------------------


def test_the_source_is_promised_stopped_imaged_and_started_in_this_order():
    cloud = one_instance()
    off = run(cloud)
    assert written(cloud) == ["tag", "stop_instance", "create_image", "start_instance"]
    assert state(cloud) == "running"
    assert off.image.name == IMAGE
    assert off.image.tags == TAGS


def test_the_promise_is_on_the_source_before_it_goes_off():
    cloud = one_instance()
    seen = []
    through = Before(cloud, stop_instance=lambda _: seen.append(cloud.the_instance.tags[TAG_GUARANTEE]))
    run(cloud, through)
    assert [parse_guarantee(tag).run_id for tag in seen] == ["run-1"]


@pytest.mark.parametrize("disks", [1, 3])
def test_every_snapshot_begins_while_the_source_is_off(disks):
    cloud = one_instance(disks=tuple(Disk(f"/dev/sd{letter}", 8) for letter in "abc"[:disks]))
    run(cloud)
    cloud.clock.sleep(60)
    cloud.settle()
    assert cloud.source_states_of(IMAGE) == ("stopped",) * disks


def test_the_source_is_started_while_the_image_is_still_pending():
    cloud = one_instance(timings=Timings(image=3600))
    off = run(cloud)
    assert cloud.image(off.image.id).state == "pending"
    assert state(cloud) == "running"


def test_the_time_off_adds_up_to_what_the_clock_says():
    cloud = one_instance(timings=Timings(stopping=7, snapshot_appears=4, pending=3))
    began = cloud.clock.now()
    off = run(cloud)
    split = off.time_off
    assert (split.stop, split.image_call, split.start) == (7, 4, 3)
    assert split.total == cloud.clock.now() - began == 14
    assert off.running_since == cloud.clock.now()
    assert replace(split, first_good_answer=5).total == 19


def test_a_source_that_was_off_stays_off_and_is_not_promised():
    cloud = one_instance()
    switch_off(cloud)
    off = run(cloud, must_run=False)
    assert written(cloud) == ["create_image"]
    assert state(cloud) == "stopped"
    assert (off.time_off, off.running_since) == (None, 0.0)


def test_a_repeat_for_a_source_that_was_off_takes_no_second_image():
    cloud = one_instance()
    switch_off(cloud)
    first = run(cloud, must_run=False)
    assert run(cloud, must_run=False).image.id == first.image.id
    assert written(cloud) == ["create_image"]
    assert state(cloud) == "stopped"


# Repeats --------------------------------------------------------------------------------------------


def test_a_repeat_adopts_the_image_and_does_not_stop_the_source_again():
    cloud = one_instance()
    first = run(cloud)
    cloud.calls.clear()
    again = run(cloud)
    assert again.image.id == first.image.id
    assert again.time_off is None
    assert written(cloud) == []


def test_a_repeat_after_dying_in_the_off_section_starts_the_source():
    cloud = one_instance()
    with pytest.raises(Killed):
        run(cloud, DiesAfter(cloud, "create_image"))
    assert state(cloud) == "stopped"
    run(cloud)
    assert state(cloud) == "running"
    assert written(cloud).count("create_image") == 1


def test_a_repeat_starts_the_source_only_once_the_snapshots_of_the_adopted_image_exist():
    cloud = one_instance(timings=Timings(snapshot_appears=20))
    with pytest.raises(Killed):
        run(cloud, DiesAfter(cloud, "create_image"))
    run(cloud)
    cloud.clock.sleep(60)
    cloud.settle()
    assert cloud.source_states_of(IMAGE) == ("stopped",)


def test_an_image_whose_snapshots_began_with_the_source_on_again_is_not_adopted():
    cloud = one_instance(timings=Timings(snapshot_appears=20))
    with pytest.raises(Killed):
        run(cloud, DiesAfter(cloud, "create_image"))
    cloud.start_instance(cloud.the_instance.id)
    cloud.clock.sleep(60)
    with pytest.raises(ProcedureFailed, match=r"was taken while i-\w+ was starting"):
        run(cloud)
    assert state(cloud) == "running"


def test_a_run_resumed_while_its_own_stop_is_under_way_goes_on_from_it():
    cloud = one_instance()
    with pytest.raises(Killed):
        run(cloud, DiesAfter(cloud, "stop_instance"))
    assert state(cloud) == "stopping"
    run(cloud)
    assert state(cloud) == "running"
    assert written(cloud).count("stop_instance") == 1


@pytest.mark.parametrize("must_run", [True, False])
def test_c18_a_failed_image_of_an_earlier_attempt_is_refused_and_the_source_is_as_it_was(must_run):
    cloud = one_instance()
    cloud.fail_image("Client.SnapshotLimitExceeded: no more")
    switch_off(cloud)
    image = cloud.create_image(cloud.the_instance.id, IMAGE, TAGS)
    cloud.clock.sleep(100)
    with pytest.raises(ProcedureFailed) as failed:
        run(cloud, must_run=must_run)
    assert "SnapshotLimitExceeded" in str(failed.value)
    assert f"deregister-image --image-id {image.id}" in str(failed.value)
    assert state(cloud) == ("running" if must_run else "stopped")


# What goes wrong inside -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "code", "kind"),
    [
        ("tag", "UnauthorizedOperation", CloudError),
        ("stop_instance", "OperationNotPermitted", CloudError),
        ("create_image", "UnauthorizedOperation", CloudError),
        ("create_image", "ReadTimeout", UnknownOutcome),
        ("snapshots_of", "UnauthorizedOperation", CloudError),
        ("image_named", "RequestLimitExceeded", CloudError),
    ],
)
def test_the_source_runs_although_a_call_fails(method, code, kind):
    cloud = one_instance()
    cloud.fail(method, code)
    with pytest.raises(kind) as failed:
        run(cloud)
    assert failed.value.code == code
    assert state(cloud) == "running"


def test_throttling_at_the_image_call_does_not_waste_the_time_off():
    cloud = one_instance()
    cloud.fail("create_image", "RequestLimitExceeded", times=8)
    run(cloud)
    assert [call.name for call in cloud.writes].count("stop_instance") == 1


def test_an_image_whose_snapshots_nobody_may_see_gets_its_moment_before_the_source_starts():
    cloud = one_instance()
    cloud.fail("snapshots_of", "UnauthorizedOperation")
    with pytest.raises(CloudError):
        run(cloud)
    assert state(cloud) == "running"
    assert cloud.source_states_of(IMAGE) == ("stopped",)


def test_an_image_during_which_somebody_started_the_source_is_not_trusted():
    cloud = one_instance()

    class Meddling:
        def __getattr__(self, name):
            return getattr(cloud, name)

        def create_image(self, *arguments):
            image = cloud.create_image(*arguments)
            cloud.start_instance(cloud.the_instance.id)
            return image

    with pytest.raises(ProcedureFailed, match="somebody else started it while ami-"):
        run(cloud, through=Meddling())
    assert state(cloud) == "running"


@pytest.mark.parametrize(
    "changed",
    [
        lambda cloud: cloud.join_auto_scaling_group(cloud.the_instance.id, "asg-web"),
        lambda cloud: cloud.protect_from_stop(cloud.the_instance.id, on=True),
    ],
)
def test_what_must_not_be_stopped_any_more_is_not_stopped_by_a_late_resume(changed):
    cloud = one_instance()
    changed(cloud)
    with pytest.raises(PreconditionFailed):
        run(cloud)
    assert "stop_instance" not in [call.name for call in cloud.writes]
    assert state(cloud) == "running"


@pytest.mark.parametrize("method", ["image_named", "tag", "create_image"])
def test_a_source_an_earlier_attempt_left_off_is_started_although_a_call_fails(method):
    cloud = one_instance()
    switch_off(cloud)
    cloud.fail(method, "UnauthorizedOperation")
    with pytest.raises(CloudError, match="UnauthorizedOperation"):
        run(cloud)
    assert state(cloud) == "running"


def test_c22_an_image_call_whose_answer_was_lost_is_found_by_its_name():
    cloud = one_instance()
    cloud.fail("create_image", "ReadTimeout", after=True)
    off = run(cloud)
    assert off.image.id == cloud.image_named(IMAGE).id
    assert written(cloud).count("create_image") == 1
    assert state(cloud) == "running"


def test_the_source_runs_although_its_snapshots_never_appear():
    cloud = one_instance(timings=Timings(snapshot_appears=10**6))
    with pytest.raises(TimedOut, match="snapshots of 1 volumes to exist; last seen: 0 of 1"):
        run(cloud)
    assert state(cloud) == "running"


def test_one_snapshot_of_two_is_not_all_of_them():
    cloud = one_instance(disks=(Disk("/dev/sda1", 8), Disk("/dev/sdb", 8)))

    class OneOnly(Before):
        def snapshots_of(self, name, volume_ids):
            return cloud.snapshots_of(name, volume_ids)[:1]

    with pytest.raises(TimedOut, match="last seen: 1 of 2"):
        run(cloud, OneOnly(cloud))
    assert state(cloud) == "running"


def test_the_source_runs_although_its_stop_takes_longer_than_the_bound():
    cloud = one_instance(timings=Timings(stopping=1000))
    with pytest.raises(TimedOut, match="to stop; last seen: stopping"):
        run(cloud)
    assert state(cloud) == "running"
    assert "create_image" not in written(cloud)


def test_c21_a_source_somebody_started_meanwhile_is_not_imaged():
    cloud = one_instance()
    source_id = cloud.the_instance.id
    later: list[bool] = []

    class Meddled(Before):
        def instance(self, instance_id):
            seen = cloud.instance(instance_id)
            if seen.state == "stopped" and not later:
                later.append(True)
                cloud.start_instance(source_id)
            return seen

    with pytest.raises(ProcedureFailed, match=f"{source_id} is pending where it should be stopped"):
        run(cloud, Meddled(cloud))
    assert "create_image" not in written(cloud)
    assert state(cloud) == "running"


def test_a_source_that_was_terminated_is_an_error_that_says_so():
    cloud = one_instance()
    terminated = Before(cloud, stop_instance=lambda instance_id: cloud.terminate(instance_id))
    with pytest.raises(NospofError, match="somebody terminated it"):
        run(cloud, terminated)


# The placement group --------------------------------------------------------------------------------


@pytest.mark.parametrize("must_run", [True, False])
def test_the_source_is_moved_into_its_group_while_it_is_off(must_run):
    cloud = with_group()
    if not must_run:
        switch_off(cloud)
    run(cloud, must_run=must_run, placement_group="spread")
    assert cloud.the_instance.placement_group == "spread"
    assert state(cloud) == ("running" if must_run else "stopped")


def no_room_in(cloud, seconds=10**9, code="InsufficientInstanceCapacity"):
    """The cloud, refusing starts in the group for some time."""
    until = cloud.clock.now() + seconds

    def refuse(instance_id):
        if cloud.instance(instance_id).placement_group and cloud.clock.now() < until:
            cloud.fail("start_instance", code)

    return Before(cloud, start_instance=refuse)


@pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", "UnauthorizedOperation"])
def test_the_group_is_given_up_rather_than_the_source(code):
    cloud = with_group()
    off = run(cloud, no_room_in(cloud, code=code), placement_group="spread")
    assert state(cloud) == "running"
    assert cloud.the_instance.placement_group == ""
    assert off.time_off.total == off.running_since - 1_800_000_000.0


def test_room_that_comes_in_time_keeps_the_group():
    cloud = with_group()
    run(cloud, no_room_in(cloud, seconds=30), placement_group="spread")
    assert state(cloud) == "running"
    assert cloud.the_instance.placement_group == "spread"


def test_a_start_that_takes_longer_than_the_group_is_given_is_waited_for():
    cloud = with_group(timings=Timings(pending=200))
    run(cloud, placement_group="spread")
    assert state(cloud) == "running"
    assert cloud.the_instance.placement_group == "spread"


def test_a_full_group_is_an_error_and_the_source_runs_outside_it():
    cloud = with_group()
    subnet_id, image_id = cloud.the_instance.subnet_id, cloud.the_instance.image_id
    for number in range(SPREAD_LIMIT):
        cloud.launch(
            LaunchRequest(f"other-{number}", image_id, "t3.small", subnet_id, placement_group="spread")
        )
    with pytest.raises(CloudError, match="InsufficientInstanceCapacity"):
        run(cloud, placement_group="spread")
    assert state(cloud) == "running"
    assert cloud.the_instance.placement_group == ""


def test_no_group_is_touched_where_none_is_asked_for():
    cloud = one_instance()
    run(cloud)
    assert "move_into_group" not in written(cloud)
