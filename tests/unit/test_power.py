"""Off and, above all, on again: from every state, through every refusal, within a bound."""

from __future__ import annotations

import pytest

from nospof.adapters.memory import Timings
from nospof.errors import ProcedureFailed
from nospof.procedures.power import STARTS_THAT_FELL_BACK, bring_back, stop
from nospof.procedures.waiting import TimedOut
from support.memory_world import memory_world, one_instance

REASON = "Client.InternalError: the volume's key cannot be used"


class FallingBack:
    """A cloud whose starts are accepted and then given up, the first few or all of them."""

    def __init__(self, cloud, times):
        self.cloud, self.left = cloud, times

    def __getattr__(self, name):
        return getattr(self.cloud, name)

    def start_instance(self, instance_id):
        self.cloud.start_instance(instance_id)
        if self.left:
            self.left -= 1
            self.cloud.later(1, lambda: self.cloud._become(instance_id, "stopped", REASON))


class Lagging:
    """A cloud whose reads still say "stopped" for a while after a start was accepted."""

    def __init__(self, cloud, seconds):
        self.cloud, self.seconds, self.until, self.before = cloud, seconds, 0.0, None

    def __getattr__(self, name):
        return getattr(self.cloud, name)

    def start_instance(self, instance_id):
        self.before = self.cloud.instance(instance_id)
        self.until = self.cloud.clock.now() + self.seconds
        self.cloud.start_instance(instance_id)

    def instance(self, instance_id):
        seen = self.cloud.instance(instance_id)
        return self.before if self.cloud.clock.now() < self.until else seen


def in_state(state):
    """A cloud whose instance is in this state and, where it is on its way, will arrive."""
    cloud = one_instance()
    instance_id = cloud.the_instance.id
    if state in ("stopping", "stopped", "pending"):
        cloud.stop_instance(instance_id)
    if state in ("stopped", "pending"):
        cloud.clock.sleep(cloud.timings.stopping)
        cloud.settle()
    if state == "pending":
        cloud.start_instance(instance_id)
    if state in ("shutting-down", "terminated"):
        cloud.terminate(instance_id)
    if state == "terminated":
        cloud.clock.sleep(cloud.timings.shutting_down)
    assert cloud.instance(instance_id).state == state
    cloud.calls.clear()
    return cloud, instance_id


def written(cloud):
    return [call.name for call in cloud.writes]


@pytest.mark.parametrize(
    ("state", "writes"),
    [
        ("running", ["stop_instance"]),
        ("pending", ["stop_instance"]),
        ("stopping", []),
        ("stopped", []),
    ],
)
def test_stop_ends_stopped_from_every_state_with_no_more_calls_than_needed(state, writes):
    cloud, instance_id = in_state(state)
    assert stop(memory_world(cloud), instance_id).state == "stopped"
    assert cloud.instance(instance_id).state == "stopped"
    assert written(cloud) == writes


@pytest.mark.parametrize(
    ("state", "writes"),
    [
        ("running", []),
        ("pending", []),
        ("stopping", ["start_instance"]),
        ("stopped", ["start_instance"]),
    ],
)
def test_bring_back_ends_running_from_every_state_with_no_more_calls_than_needed(state, writes):
    cloud, instance_id = in_state(state)
    assert bring_back(memory_world(cloud), instance_id).state == "running"
    assert cloud.instance(instance_id).state == "running"
    assert written(cloud) == writes


@pytest.mark.parametrize("act", [stop, bring_back])
@pytest.mark.parametrize("state", ["shutting-down", "terminated"])
def test_an_instance_that_was_terminated_is_an_error_with_its_reason(act, state):
    cloud, instance_id = in_state(state)
    with pytest.raises(ProcedureFailed, match=rf"{instance_id} is {state}.*UserInitiatedShutdown"):
        act(memory_world(cloud), instance_id)
    assert written(cloud) == []


@pytest.mark.parametrize(
    "code", ["InsufficientInstanceCapacity", "InsufficientHostCapacity", "RequestLimitExceeded"]
)
@pytest.mark.parametrize("times", [1, 5, 50])
def test_c11_a_start_that_is_short_of_capacity_or_throttled_is_asked_for_until_it_works(code, times):
    cloud, instance_id = in_state("stopped")
    cloud.fail("start_instance", code, times)
    assert bring_back(memory_world(cloud), instance_id).state == "running"
    assert written(cloud) == ["start_instance"] * (times + 1)


def test_c11_capacity_that_never_comes_ends_at_the_bound_and_says_so():
    cloud, instance_id = in_state("stopped")
    cloud.fail("start_instance", "InsufficientInstanceCapacity", 10**6)
    with pytest.raises(TimedOut, match=r"30 s for .* to run.*InsufficientInstanceCapacity"):
        bring_back(memory_world(cloud), instance_id, within_seconds=30)


def test_a_start_that_is_refused_for_good_is_asked_for_until_the_bound_and_its_reason_said():
    cloud, instance_id = in_state("stopped")
    cloud.deny("start_instance")
    with pytest.raises(TimedOut, match="its start is refused: UnauthorizedOperation"):
        bring_back(memory_world(cloud), instance_id, 60)
    assert len(written(cloud)) > 10


@pytest.mark.parametrize("code", ["VcpuLimitExceeded", "UnauthorizedOperation", "ExpiredToken"])
def test_a_start_that_is_refused_for_a_while_succeeds_in_the_end(code):
    cloud, instance_id = in_state("stopped")
    cloud.fail("start_instance", code, times=5)
    assert bring_back(memory_world(cloud), instance_id).state == "running"


@pytest.mark.parametrize("times", range(1, STARTS_THAT_FELL_BACK))
def test_a_start_that_fell_back_is_tried_again(times):
    cloud, instance_id = in_state("stopped")
    assert bring_back(memory_world(cloud, FallingBack(cloud, times)), instance_id).state == "running"
    assert written(cloud) == ["start_instance"] * (times + 1)


def test_c14_three_starts_that_fell_back_are_an_error_with_the_clouds_reason_and_the_next_step():
    cloud, instance_id = in_state("stopped")
    with pytest.raises(ProcedureFailed) as failed:
        bring_back(memory_world(cloud, FallingBack(cloud, -1)), instance_id)
    assert REASON in str(failed.value)
    assert f"aws ec2 start-instances --instance-ids {instance_id}" in str(failed.value)
    assert written(cloud) == ["start_instance"] * STARTS_THAT_FELL_BACK


def test_reads_that_lag_behind_a_start_are_not_taken_for_starts_that_fell_back():
    cloud, instance_id = in_state("stopped")
    lagging = memory_world(cloud, Lagging(cloud, seconds=8))
    assert bring_back(lagging, instance_id).state == "running"
    assert written(cloud) == ["start_instance"]


@pytest.mark.parametrize(("act", "state"), [(stop, "running"), (bring_back, "stopped")])
def test_c37_an_error_in_the_middle_is_never_taken_for_a_state(act, state):
    cloud, instance_id = in_state(state)
    cloud.fail("instance", "RequestLimitExceeded", 8)
    wanted = "stopped" if state == "running" else "running"
    assert act(memory_world(cloud), instance_id).state == wanted
    assert cloud.instance(instance_id).state == wanted


@pytest.mark.parametrize("throttled_at", range(1, 6))
def test_c37_throttling_at_any_look_of_a_stop_changes_only_how_long_it_takes(throttled_at):
    cloud, instance_id = in_state("running")
    world = memory_world(cloud)
    looks = iter(range(1, 1000))

    class Throttled:
        def __getattr__(self, name):
            return getattr(cloud, name)

        def instance(self, wanted_id):
            if next(looks) == throttled_at:
                cloud.fail("instance", "RequestLimitExceeded", 8)
            return cloud.instance(wanted_id)

    assert stop(memory_world(cloud, Throttled()), instance_id).state == "stopped"
    assert world.cloud.instance(instance_id).state == "stopped"
    assert written(cloud) == ["stop_instance"]


@pytest.mark.parametrize("is_done", [True, False], ids=["the call arrived", "the call was lost"])
@pytest.mark.parametrize(
    ("act", "method", "state", "wanted"),
    [(stop, "stop_instance", "running", "stopped"), (bring_back, "start_instance", "stopped", "running")],
)
@pytest.mark.parametrize("times", [1, 2, 7])
def test_lost_answers_need_no_answer(act, method, state, wanted, is_done, times):
    cloud, instance_id = in_state(state)
    cloud.fail(method, "ReadTimeout", times, after=is_done)
    assert act(memory_world(cloud), instance_id).state == wanted
    assert written(cloud) == [method] * (1 if is_done else times + 1)


@pytest.mark.parametrize(
    ("act", "method", "state", "wanted"),
    [(stop, "stop_instance", "running", "stopped"), (bring_back, "start_instance", "stopped", "running")],
)
def test_a_state_that_changed_since_the_look_is_looked_at_again(act, method, state, wanted):
    cloud, instance_id = in_state(state)
    cloud.fail(method, "IncorrectInstanceState", 2)
    assert act(memory_world(cloud), instance_id).state == wanted


def test_a_stop_that_hangs_ends_at_its_bound_and_says_what_was_seen_last():
    cloud, instance_id = in_state("running")
    cloud.timings = type(cloud.timings)(stopping=10**6)
    with pytest.raises(TimedOut, match=rf"600 s for {instance_id} to stop; last seen: stopping"):
        stop(memory_world(cloud), instance_id)


@pytest.mark.parametrize("takes", [0.6, 7.3, 20.4, 45.7, 200.9])
def test_a_stop_that_is_over_is_seen_within_a_fiftieth_of_it_or_a_quarter_of_a_poll(takes):
    cloud = one_instance(timings=Timings(stopping=takes))
    world, began = memory_world(cloud), cloud.clock.now()
    stop(world, cloud.the_instance.id)
    late = cloud.clock.now() - began - takes
    assert 0 <= late <= max(world.poll_seconds / 4, takes / 50) + 0.001


def test_a_long_stop_is_not_asked_for_more_than_once_a_poll():
    cloud = one_instance(timings=Timings(stopping=500))
    asked = []

    class Counted:
        def __getattr__(self, name):
            return getattr(cloud, name)

        def instance(self, instance_id):
            asked.append(instance_id)
            return cloud.instance(instance_id)

    stop(memory_world(cloud, Counted()), cloud.the_instance.id)
    assert 400 < len(asked) < 650
