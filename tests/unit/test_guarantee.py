"""The guarantee written on the instance, and the keeper who makes it true without a journal."""

from contextlib import contextmanager, nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nospof.adapters.memory import MemoryCloud
from nospof.errors import PreconditionFailed
from nospof.model.cloud import TAG_GUARANTEE
from nospof.planning.clone import image_name_of
from nospof.procedures.guarantee import (
    DEADLINE_SECONDS,
    Guarantee,
    keep_guarantees,
    parse_guarantee,
    promise,
    release,
)
from support.memory_world import memory_world, one_instance

RUN = "clone-20260101-000000-abcdef"
YEAR_9999 = 253_402_300_799


def dead(_run_id):
    return nullcontext(True)


def alive(_run_id):
    return nullcontext(False)


def unknown(_run_id):
    return nullcontext(None)


def off_and_promised(run_id=RUN):
    """A cloud whose instance is off, with a promise that it comes back."""
    cloud = one_instance()
    source_id = cloud.the_instance.id
    promise(memory_world(cloud), source_id, run_id)
    switch_off(cloud, source_id)
    return cloud, source_id


def switch_off(cloud: MemoryCloud, instance_id: str) -> None:
    cloud.stop_instance(instance_id)
    cloud.clock.sleep(cloud.timings.stopping)
    cloud.settle()
    cloud.calls.clear()


@given(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789-=", min_size=1, max_size=80),
    st.integers(0, YEAR_9999),
    st.booleans(),
)
def test_a_guarantee_is_read_back_as_it_was_written(run_id, deadline, must_work):
    guarantee = Guarantee(run_id, deadline, must_work)
    assert parse_guarantee(str(guarantee)) == guarantee


@given(st.integers(0, YEAR_9999 - 1), st.floats(0, 0.999))
def test_the_deadline_is_kept_to_the_second(seconds, fraction):
    assert parse_guarantee(str(Guarantee("r", seconds + fraction))).deadline == seconds


@given(st.text())
def test_any_text_can_be_read_and_the_unreadable_is_due_at_once(text):
    assert parse_guarantee(text).deadline >= 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Guarantee("", 0.0)),
        ("garbage", Guarantee("", 0.0)),
        ("running run=r", Guarantee("r", 0.0)),
        ("running run=r by=yesterday", Guarantee("r", 0.0)),
        ("running run=r by=2026-02-30T00:00:00Z", Guarantee("r", 0.0)),
        ("by=1970-01-01T00:01:00Z run=r running", Guarantee("r", 60.0)),
    ],
)
def test_what_a_tag_says(text, expected):
    assert parse_guarantee(text) == expected


def test_a_promise_names_the_run_and_a_deadline_and_a_repeat_moves_it():
    cloud = one_instance()
    source_id = cloud.the_instance.id
    world = memory_world(cloud)
    first = cloud.clock.now()
    promise(world, source_id, RUN)
    written = parse_guarantee(cloud.instance(source_id).tags[TAG_GUARANTEE])
    assert written == Guarantee(RUN, first + DEADLINE_SECONDS)
    cloud.clock.sleep(60)
    promise(world, source_id, RUN)
    moved = parse_guarantee(cloud.instance(source_id).tags[TAG_GUARANTEE])
    assert moved.deadline == first + 60 + DEADLINE_SECONDS


def test_a_promise_is_not_written_over_that_of_another_run():
    cloud = one_instance()
    promise(memory_world(cloud), cloud.the_instance.id, "run-1")
    with pytest.raises(PreconditionFailed, match="another run works on"):
        promise(memory_world(cloud), cloud.the_instance.id, "run-2")
    assert parse_guarantee(cloud.the_instance.tags[TAG_GUARANTEE]).run_id == "run-1"


def test_releasing_takes_off_the_promise_and_nothing_else():
    cloud = one_instance(tags={"Name": "site", "team": "web"})
    source_id = cloud.the_instance.id
    world = memory_world(cloud)
    promise(world, source_id, RUN)
    release(world, source_id, "another-run")
    assert TAG_GUARANTEE in cloud.instance(source_id).tags
    release(world, source_id, RUN)
    release(world, source_id, RUN)
    assert cloud.instance(source_id).tags == {"Name": "site", "team": "web"}


def test_a_dead_runs_instance_is_turned_on_and_the_promise_released():
    cloud, source_id = off_and_promised()
    (says,) = keep_guarantees(memory_world(cloud), dead)
    assert says == f"{source_id} was stopped and is running again; its run {RUN} is not alive"
    assert cloud.instance(source_id).state == "running"
    assert TAG_GUARANTEE not in cloud.instance(source_id).tags


def test_a_second_sweep_finds_nothing_to_do():
    cloud, _ = off_and_promised()
    keep_guarantees(memory_world(cloud), dead)
    cloud.calls.clear()
    assert keep_guarantees(memory_world(cloud), dead) == ()
    assert cloud.writes == []


def test_the_keeper_asks_for_the_run_the_tag_names():
    cloud, _ = off_and_promised()
    asked = []

    def claim(run_id):
        asked.append(run_id)
        return nullcontext(False)

    keep_guarantees(memory_world(cloud), claim)
    assert asked == [RUN]


def test_a_living_run_is_left_alone_even_past_its_deadline():
    cloud, source_id = off_and_promised()
    cloud.clock.sleep(10 * DEADLINE_SECONDS)
    assert keep_guarantees(memory_world(cloud), alive) == ()
    assert cloud.writes == []
    assert TAG_GUARANTEE in cloud.instance(source_id).tags


def test_another_machines_run_is_respected_until_its_deadline_and_then_acted_on():
    cloud, source_id = off_and_promised()
    deadline = parse_guarantee(cloud.instance(source_id).tags[TAG_GUARANTEE]).deadline
    cloud.clock.sleep(deadline - cloud.clock.now() - 1)
    assert keep_guarantees(memory_world(cloud), unknown) == ()
    assert cloud.writes == []
    cloud.clock.sleep(1)
    assert len(keep_guarantees(memory_world(cloud), unknown)) == 1
    assert cloud.instance(source_id).state == "running"


def test_a_tag_that_cannot_be_read_is_kept_at_once():
    cloud, source_id = off_and_promised()
    cloud.tag(source_id, {TAG_GUARANTEE: "somebody wrote this by hand"})
    (says,) = keep_guarantees(memory_world(cloud), unknown)
    assert "its run (unknown) is not alive" in says
    assert cloud.instance(source_id).state == "running"


def test_a_dead_runs_instance_that_never_went_off_is_only_released():
    cloud = one_instance()
    source_id = cloud.the_instance.id
    promise(memory_world(cloud), source_id, RUN)
    cloud.calls.clear()
    (says,) = keep_guarantees(memory_world(cloud), dead)
    assert says.startswith(f"{source_id} was left running")
    assert [call.name for call in cloud.writes] == ["untag"]


def test_an_instance_that_runs_and_does_not_work_is_stopped_and_started():
    cloud = one_instance()
    source_id = cloud.the_instance.id
    promise(memory_world(cloud), source_id, RUN, must_work=True)
    cloud.impair(source_id)
    cloud.calls.clear()
    keep_guarantees(memory_world(cloud), dead)
    assert [call.name for call in cloud.writes] == ["stop_instance", "start_instance", "untag"]
    cloud.clock.sleep(60)
    (status,) = cloud.instance_status((source_id,))
    assert status.is_ok


@pytest.mark.parametrize("claim", [dead, unknown])
def test_a_source_that_only_seems_impaired_is_never_stopped_by_its_keeper(claim):
    cloud = one_instance()
    promise(memory_world(cloud), cloud.the_instance.id, RUN)
    cloud.impair(cloud.the_instance.id)
    cloud.clock.sleep(DEADLINE_SECONDS)
    cloud.calls.clear()
    keep_guarantees(memory_world(cloud), claim)
    assert [call.name for call in cloud.writes] == ["untag"]


def test_a_member_another_machines_drill_broke_is_not_stopped_from_here():
    cloud = one_instance()
    promise(memory_world(cloud), cloud.the_instance.id, RUN, must_work=True)
    cloud.impair(cloud.the_instance.id)
    cloud.clock.sleep(DEADLINE_SECONDS)
    cloud.calls.clear()
    keep_guarantees(memory_world(cloud), unknown)
    assert "stop_instance" not in [call.name for call in cloud.writes]


def test_a_running_answer_that_is_stale_is_not_believed():
    """The run died right after its stop call: for some seconds the instance still reads as running."""
    cloud = one_instance()
    source_id = cloud.the_instance.id
    promise(memory_world(cloud), source_id, RUN)
    stale = cloud.instance(source_id)
    cloud.stop_instance(source_id)
    looks = []

    class Late:
        def __getattr__(self, name):
            return getattr(cloud, name)

        def instance(self, instance_id):
            looks.append(instance_id)
            return stale if len(looks) <= 4 else cloud.instance(instance_id)

    keep_guarantees(memory_world(cloud, Late()), dead)
    cloud.clock.sleep(600)
    assert cloud.instance(source_id).state == "running"
    assert TAG_GUARANTEE not in cloud.instance(source_id).tags


@pytest.mark.parametrize("age_seconds", [0, 10, 30])
def test_an_instance_still_starting_is_not_taken_for_a_broken_one(age_seconds):
    cloud, source_id = off_and_promised()
    cloud.start_instance(source_id)
    cloud.clock.sleep(age_seconds)
    cloud.calls.clear()
    keep_guarantees(memory_world(cloud), dead)
    assert [call.name for call in cloud.writes] == ["untag"]


def test_instances_without_a_promise_are_nobodys_business():
    cloud = one_instance()
    switch_off(cloud, cloud.the_instance.id)
    assert keep_guarantees(memory_world(cloud), dead) == ()
    assert cloud.writes == []


def three_off():
    cloud = one_instance()
    ids = [cloud.the_instance.id, cloud.add_instance().id, cloud.add_instance().id]
    for one in ids:
        promise(memory_world(cloud), one, f"run-of-{one}")
        switch_off(cloud, one)
    return cloud, ids


def test_one_instance_that_was_terminated_does_not_keep_the_others_from_it():
    cloud, ids = three_off()
    cloud.terminate(ids[1])
    said = keep_guarantees(memory_world(cloud), dead)
    assert [cloud.instance(one).state for one in (ids[0], ids[2])] == ["running", "running"]
    assert len(said) == 3
    assert said[1].startswith(f"{ids[1]} should be running, for the dead run run-of-{ids[1]}, and is not")


def test_one_start_that_is_refused_does_not_keep_the_others_from_it_and_the_promise_stays():
    cloud, ids = three_off()
    cloud.fail("instance", "UnauthorizedOperation")
    said = keep_guarantees(memory_world(cloud), dead)
    assert [cloud.instance(one).state for one in ids] == ["stopped", "running", "running"]
    assert "UnauthorizedOperation" in said[0]
    assert [TAG_GUARANTEE in cloud.instance(one).tags for one in ids] == [True, False, False]
    keep_guarantees(memory_world(cloud), dead)
    assert cloud.instance(ids[0]).state == "running"


def test_a_status_that_is_not_listed_is_no_sign_of_a_broken_instance():
    cloud = one_instance()
    source_id = cloud.the_instance.id
    promise(memory_world(cloud), source_id, RUN)

    class NotListed:
        def __getattr__(self, name):
            return getattr(cloud, name)

        def instance_status(self, instance_ids):
            return ()

    cloud.calls.clear()
    assert len(keep_guarantees(memory_world(cloud, NotListed()), dead)) == 1
    assert [call.name for call in cloud.writes] == ["untag"]


def test_an_image_just_asked_for_gets_its_point_in_time_before_the_source_starts():
    cloud, source_id = off_and_promised()
    cloud.create_image(source_id, image_name_of(RUN), {})
    keep_guarantees(memory_world(cloud), dead)
    assert cloud.instance(source_id).state == "running"
    assert set(cloud.source_states_of(image_name_of(RUN))) == {"stopped"}


def test_an_image_that_is_not_listed_yet_gets_its_point_in_time_as_well():
    cloud, source_id = off_and_promised()
    cloud.stale_seconds = 3
    cloud.create_image(source_id, image_name_of(RUN), {})
    keep_guarantees(memory_world(cloud), dead)
    assert set(cloud.source_states_of(image_name_of(RUN))) == {"stopped"}


@pytest.mark.parametrize("method", ["image_named", "snapshots_of"])
def test_an_image_that_a_keeper_may_not_look_at_gets_its_moment_all_the_same(method):
    cloud, source_id = off_and_promised()
    cloud.create_image(source_id, image_name_of(RUN), {})
    cloud.deny(method)
    keep_guarantees(memory_world(cloud), dead)
    assert set(cloud.source_states_of(image_name_of(RUN))) == {"stopped"}


def test_an_image_whose_snapshots_never_come_does_not_keep_the_source_off():
    cloud, source_id = off_and_promised()
    cloud.create_image(source_id, image_name_of(RUN), {})
    cloud.fail("snapshots_of", "InternalError", times=10_000)
    keep_guarantees(memory_world(cloud), dead)
    assert cloud.instance(source_id).state == "running"


def test_the_run_is_claimed_until_its_instance_is_back():
    """Somebody who resumes the run meanwhile would stop what the keeper starts."""
    cloud, source_id = off_and_promised()
    states = []

    @contextmanager
    def claim(_run_id):
        states.append(cloud.instance(source_id).state)
        yield True
        states.append(cloud.instance(source_id).state)

    keep_guarantees(memory_world(cloud), claim)
    assert states == ["stopped", "running"]
