"""Announced maintenance of a service: one member at a time, at the chosen time, and never both out."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nospof.adapters.memory import MemoryService
from nospof.errors import CloudError, PreconditionFailed, ProcedureFailed, UsageError
from nospof.model.answers import Answer
from nospof.model.applying import ApplyRequest
from nospof.model.cloud import TAG_DRAINED, TAG_GUARANTEE
from nospof.model.requests import PairRequest
from nospof.procedures.apply import apply, apply_plan
from nospof.procedures.pair import pair
from nospof.procedures.waiting import TimedOut
from nospof.runtime.memory import Killed, MemorySteps
from support.between import After
from support.memory_world import Silent, keep_data, memory_world, one_instance, stick

HOUR, DAY = 3600.0, 86_400.0


class Heard(Silent):
    def __init__(self):
        self.warnings, self.told = [], []

    def warn(self, says):
        self.warnings.append(says)

    def progress(self, says, done=None):
        self.told.append(says)


class Night:
    """A pair on the reference cloud, whose members have something announced, each so many seconds ahead."""

    def __init__(self, *ahead, code="system-reboot", data=False, **announced):
        self.cloud = one_instance()
        if data:
            keep_data(self.cloud)
        asked = {"mend_tables": True} if data else {"stateless": True}
        request = PairRequest(self.cloud.the_instance.id, service="www", **asked)
        self.pair = MemorySteps("before").tell(pair, memory_world(self.cloud), request)
        self.members = self.pair.members
        self.group = self.pair.target_group_arn
        self.events = [
            self.cloud.announce(one, code, in_seconds=seconds, **announced)
            for one, seconds in zip(self.members, ahead, strict=False)
        ]
        self.heard, self.seen = Heard(), []
        self.cloud.calls.clear()

    def apply(self, through=None, steps=None, **request):
        steps = steps or MemorySteps("run-1")
        world = replace(memory_world(self.cloud, Watched(self, through or self.cloud)), reporter=self.heard)
        return steps.tell(apply, world, ApplyRequest("www", **request))

    def healthy(self):
        return [one.instance_id for one in self.cloud.targets(self.group) if one.is_healthy]

    def stopped(self):
        return [call.arguments[0] for call in self.cloud.writes if call.name == "stop_instance"]

    def assert_whole(self):
        self.cloud.clock.sleep(60)
        assert sorted(self.healthy()) == sorted(self.members)
        for one in self.members:
            instance = self.cloud.instance(one)
            assert instance.state == "running"
            assert not {TAG_GUARANTEE, TAG_DRAINED} & set(instance.tags)
        assert all(self.seen), "nobody served for a moment"


class Watched:
    """The cloud; at each call it is noted whether anybody serves."""

    def __init__(self, night, through):
        self._night, self._through = night, through

    def __getattr__(self, name):
        self._night.seen.append(bool(self._night.healthy()))
        return getattr(self._through, name)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def set_clock(night, text):
    night.cloud.clock._now = at(text)


# Who, and in which order -----------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["system-reboot", "instance-retirement", "instance-reboot"])
def test_c46_both_members_with_events_in_one_window_are_taken_one_after_the_other(code):
    night = Night(DAY, DAY, code=code)
    result = night.apply()
    assert [one.instance_id for one in result.members] == sorted(night.members)
    assert [one.cleared for one in result.members] == [
        (event.id,) for _, event in sorted(zip(night.members, night.events, strict=True))
    ]
    assert {one.way for one in result.members} == {"stop-start"}
    assert all(one.seconds_out_of_service > 0 for one in result.members)
    assert result.left == ()
    night.assert_whole()


@pytest.mark.parametrize("ahead", [(2 * DAY, DAY), (DAY, 2 * DAY)])
def test_the_member_whose_event_is_nearest_has_its_turn_first(ahead):
    night = Night(*ahead)
    in_turn = night.members if ahead[0] < ahead[1] else night.members[::-1]
    assert [one.instance_id for one in night.apply().members] == list(in_turn)
    assert night.stopped() == list(in_turn)


def test_of_equals_the_one_that_takes_the_databases_writes_is_last():
    night = Night(DAY, DAY, data=True)
    databases = memory_world(night.cloud).databases
    (writer,) = (one for one in night.members if databases.state(one).role == "primary")
    assert [one.instance_id for one in night.apply().members][-1] == writer
    night.assert_whole()


def test_a_service_for_which_nothing_is_announced_is_left_alone():
    night = Night()
    result = night.apply(window="Sun 02:00-03:00 UTC")
    assert (result.service, result.members) == ("www", ())
    assert night.cloud.writes == []
    assert apply_plan(memory_world(night.cloud), ApplyRequest("www"), "RUN").calls == ()


def test_only_the_member_that_something_is_announced_for_is_touched():
    night = Night(DAY)
    (one,) = night.apply().members
    assert one.instance_id == night.members[0]
    assert night.stopped() == [night.members[0]]
    night.assert_whole()


def test_a_group_that_others_made_is_a_service_by_its_name():
    night = Night(DAY)
    group = night.cloud._target_groups[night.group]
    night.cloud._target_groups[night.group] = replace(group, tags={})
    for one in night.members:
        night.cloud.untag(one, ("nospof:service",))
    world = memory_world(night.cloud)
    result = MemorySteps("run-1").tell(apply, world, ApplyRequest("nospof-www"))
    assert [one.instance_id for one in result.members] == [night.members[0]]


def test_a_service_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(UsageError, match=r"nobody behind a balancer serves shop; known services: .*www"):
        MemorySteps("run-1").tell(apply, memory_world(Night(DAY).cloud), ApplyRequest("shop"))


# Refusals, of all members before the first write ------------------------------------------------------


def other_is_sick(night):
    night.cloud.impair(night.members[1])


def other_serves_nothing(night):
    night.cloud.serve(night.members[1], MemoryService(status=503))


def there_is_one_member(night):
    night.cloud.deregister(night.group, night.members[1], 80)
    night.cloud.clock.sleep(900)


def the_last_has_an_unknown_event(night):
    night.cloud.announce(night.members[1], "foo-bar", in_seconds=3 * DAY)


def the_last_has_local_disks(night):
    last = night.cloud._instances[night.members[1]]
    night.cloud._instances[last.id] = replace(last, type="i3.large")
    night.cloud.announce(last.id, in_seconds=3 * DAY)


def another_run_holds_the_last(night):
    night.cloud.tag(night.members[1], {TAG_GUARANTEE: "working run=run-9 by=2099-01-01T00:00:00Z"})


@pytest.mark.parametrize(
    ("prepare", "asked", "says"),
    [
        (other_is_sick, {}, "no other member of nospof-www is healthy"),
        (other_serves_nothing, {}, "no other member of nospof-www is healthy"),
        (there_is_one_member, {}, "no other member of nospof-www is healthy"),
        (the_last_has_an_unknown_event, {}, "not known to clear foo-bar"),
        (the_last_has_local_disks, {}, "local-disks-are-scratch"),
        (another_run_holds_the_last, {}, "run-9|a run works on"),
        (lambda _: None, {"by": "move", "window": "daily 02:00-05:00"}, "AWS gives no deadline"),
        (lambda night: night.cloud.announce(night.members[1], in_seconds=DAY), {"by": "aws"}, "at once from"),
        (
            lambda night: night.cloud.announce(night.members[0], "instance-retirement"),
            {"by": "reboot"},
            "a reboot is not known to clear instance-retirement",
        ),
    ],
)
def test_what_would_be_an_outage_for_any_member_is_refused_and_writes_nothing(prepare, asked, says):
    night = Night(DAY)
    prepare(night)
    night.cloud.calls.clear()
    with pytest.raises(PreconditionFailed, match=says) as refused:
        night.apply(**asked)
    assert str(refused.value).endswith("Nothing was changed.")
    assert night.cloud.writes == []


def test_a_member_whose_page_is_out_of_reach_is_not_rebooted_for_nobody_could_see_it_come_back():
    night = Night(DAY)
    world = replace(memory_world(night.cloud), probe=OutOfReach())
    with pytest.raises(PreconditionFailed, match="nobody could tell when its reboot is over"):
        MemorySteps("run-1").tell(apply, world, ApplyRequest("www", by="reboot"))


class OutOfReach:
    def get(self, url, **_):
        return Answer(url, 0, 5.0, error="timed out")


def test_data_that_is_not_in_step_is_refused():
    night = Night(DAY, data=True)
    stick(night.cloud, night.members[1])
    night.cloud.calls.clear()
    with pytest.raises(PreconditionFailed, match="not in step"):
        night.apply()
    assert night.cloud.writes == []


@pytest.mark.parametrize(
    "asked", [{"now": True, "wait": True}, {"by": "prayer"}, {"by": "move"}, {"dead_man_seconds": 5}]
)
def test_a_wish_that_makes_no_sense_is_one_of_usage(asked):
    with pytest.raises(UsageError):
        Night(DAY).apply(**asked)


# When ------------------------------------------------------------------------------------------------

SUNDAYS = "Sun 02:00-05:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("moment", "window", "opens"),
    [
        ("2027-03-27T12:00", SUNDAYS, "2027-03-28T01:00"),  # clocks are put forward over its beginning
        ("2027-10-30T12:00", SUNDAYS, "2027-10-31T00:00"),  # and back: it begins at the first of both
        ("2027-06-04T12:00", "Fri 22:00-04:00 UTC", "2027-06-04T22:00"),  # over midnight
    ],
)
def test_outside_of_the_window_it_is_refused_with_when_that_opens_and_waits_if_asked(moment, window, opens):
    night = Night()
    set_clock(night, moment)
    night.cloud.announce(night.members[0], in_seconds=7 * DAY)
    night.cloud.calls.clear()
    with pytest.raises(PreconditionFailed) as refused:
        night.apply(window=window)
    says = datetime.fromtimestamp(at(opens), UTC)
    assert f"the next is from {says:%Y-%m-%d %H:%M} UTC" in str(refused.value)
    assert "--now" in str(refused.value)
    assert "--wait" in str(refused.value)
    assert night.cloud.writes == []

    first_write = []
    through = After(night.cloud, tag=lambda *_: first_write.append(night.cloud.clock.now()))
    assert night.apply(through, window=window, wait=True).members
    assert at(opens) <= first_write[0] < at(opens) + 60
    night.assert_whole()


@pytest.mark.parametrize(
    ("moment", "asked"),
    [
        ("2027-06-05T01:00", {"window": "Fri 22:00-04:00 UTC"}),  # after midnight, still in Friday's
        ("2027-06-05T12:00", {"window": "Fri 22:00-04:00 UTC", "now": True}),
        ("2027-06-05T12:00", {}),
    ],
)
def test_in_the_window_or_by_its_owners_word_it_begins_at_once(moment, asked):
    night = Night()
    set_clock(night, moment)
    night.cloud.announce(night.members[0], in_seconds=7 * DAY)
    began = night.cloud.clock.now()
    assert night.apply(**asked).members
    assert night.cloud.clock.now() - began < HOUR


def test_what_aws_takes_before_the_window_opens_is_not_waited_for():
    night = Night()
    set_clock(night, "2027-06-04T12:00")
    night.cloud.announce(night.members[0], in_seconds=2 * HOUR)
    night.cloud.calls.clear()
    with pytest.raises(
        PreconditionFailed, match="AWS begins before that, at 2027-06-04 14:00 UTC"
    ) as refused:
        night.apply(window="Fri 22:00-04:00 UTC", wait=True)
    assert "--now" in str(refused.value)
    assert "--wait" not in str(refused.value)
    assert night.cloud.writes == []


def test_a_window_that_closes_during_the_first_turn_leaves_the_second_member_for_the_next():
    night = Night()
    set_clock(night, "2027-06-04T12:00")
    for one in night.members:
        night.cloud.announce(one, in_seconds=7 * DAY)
    steps = MemorySteps("run-1")
    with pytest.raises(ProcedureFailed) as over:
        night.apply(steps=steps, window="Fri 11:00-12:01 UTC")
    assert "The next is from 2027-06-11 11:00 UTC: resume then" in str(over.value)
    assert f"Taken before: {sorted(night.members)[0]}" in str(over.value)
    assert f"{sorted(night.members)[1]} is left as it is, and serves" in str(over.value)
    assert len(night.stopped()) == 1
    night.assert_whole()
    set_clock(night, "2027-06-11T11:00")
    assert len(night.apply(steps=steps, window="Fri 11:00-12:01 UTC").members) == 2
    night.assert_whole()


def test_a_plan_outside_of_the_window_shows_what_would_be_done_and_that_it_is_refused_now():
    night = Night()
    set_clock(night, "2027-06-05T12:00")
    night.cloud.announce(night.members[0], in_seconds=7 * DAY)
    night.cloud.calls.clear()
    plan = apply_plan(memory_world(night.cloud), ApplyRequest("www", window="Fri 22:00-04:00 UTC"), "RUN")
    assert any(one.startswith("refused now: ") for one in plan.warnings)
    assert "StopInstances" in [call.operation for call in plan.calls]
    assert night.cloud.writes == []


# What AWS changes meanwhile ---------------------------------------------------------------------------


def cancelled(night):
    night.cloud.reschedule(night.members[0], replace(night.events[0], description="[Canceled] not needed"))


def put_off(night):
    event = night.events[0]
    night.cloud.reschedule(night.members[0], replace(event, not_before=event.not_before + 5 * DAY))


def test_what_is_called_off_while_the_member_drains_is_not_done_and_it_is_put_back():
    night = Night(DAY)
    (one,) = night.apply(After(night.cloud, deregister=lambda *_: cancelled(night))).members
    assert (one.way, one.left) == ("", ())
    assert "called it off" in one.says
    assert night.stopped() == []
    night.assert_whole()


def test_a_member_whose_event_is_called_off_before_its_turn_is_not_even_drained():
    night = Night(DAY)
    night.events.append(night.cloud.announce(night.members[1], in_seconds=DAY / 2))
    result = night.apply(After(night.cloud, stop_instance=lambda *_: cancelled(night)))
    assert [one.way for one in result.members] == ["stop-start", ""]
    assert "nothing is announced" in result.members[1].says
    assert [call.name for call in night.cloud.writes].count("deregister") == 1
    night.assert_whole()


def test_what_is_put_off_while_the_member_drains_is_taken_all_the_same_and_that_is_said():
    night = Night(DAY)
    (one,) = night.apply(After(night.cloud, deregister=lambda *_: put_off(night))).members
    assert one.way == "stop-start"
    assert "put it off" in one.says
    assert night.stopped() == [night.members[0]]
    night.assert_whole()


# By AWS itself ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["system-reboot", "system-maintenance", "instance-retirement", "instance-stop"]
)
def test_a_member_is_drained_before_aws_takes_it_and_put_back_when_it_works_again(code):
    night = Night(2 * HOUR, code=code)
    drained = []
    through = After(night.cloud, deregister=lambda *_: drained.append(night.cloud.clock.now()))
    (one,) = night.apply(through, by="aws", window="Sun 02:00-02:01 UTC").members
    assert (one.way, one.cleared) == ("aws", (night.events[0].id,))
    assert 0 < night.events[0].not_before - drained[0] <= 900
    assert night.stopped() == []
    night.assert_whole()


def test_a_member_drained_for_aws_is_put_back_where_that_puts_it_off_or_calls_it_off():
    for change, says in ((put_off, "put it off"), (cancelled, "")):
        night = Night(2 * HOUR)
        through = After(night.cloud, deregister=lambda *_, change=change, night=night: change(night))
        (one,) = night.apply(through, by="aws").members
        assert says in one.says
        assert night.stopped() == []
        night.assert_whole()


def test_an_event_that_is_put_off_before_the_drain_is_waited_for_while_the_member_serves():
    night = Night(2 * HOUR)
    looks = []

    def later(*_):
        looks.append(night.cloud.clock.now())
        if len(looks) == 5:
            put_off(night)

    (one,) = night.apply(After(night.cloud, instance_status=later), by="aws").members
    assert one.way == "aws"
    assert one.seconds_out_of_service < 2 * HOUR
    night.assert_whole()


def test_what_aws_announces_and_does_not_do_is_not_waited_for_for_ever():
    night = Night(2 * HOUR)
    night.cloud._due.clear()
    with pytest.raises(TimedOut, match="AWS to take"):
        night.apply(by="aws")
    night.cloud.clock.sleep(60)
    assert sorted(night.healthy()) == sorted(night.members)


def test_a_member_that_does_not_come_back_from_what_aws_did_is_stopped_and_started():
    night = Night(2 * HOUR)
    night.cloud.later(2 * HOUR + 1, lambda: night.cloud.impair(night.members[0]))
    (one,) = night.apply(by="aws").members
    assert "stopped and started" in one.says
    night.assert_whole()


# By a reboot --------------------------------------------------------------------------------------------


def migrated(night):
    """Have its host's event be done with by a reboot, as some types do it."""
    night.cloud.reschedule(night.members[0], replace(night.events[0], description="[Completed] reboot"))


def test_a_reboot_that_clears_the_event_is_enough():
    night = Night(DAY)
    (one,) = night.apply(After(night.cloud, reboot_instance=lambda *_: migrated(night)), by="reboot").members
    assert (one.way, one.cleared, one.left) == ("reboot", (night.events[0].id,), ())
    assert night.stopped() == []
    night.assert_whole()


def test_c44_what_a_reboot_leaves_announced_is_taken_by_a_stop_and_a_start():
    night = Night(DAY)
    (one,) = night.apply(by="reboot").members
    assert (one.way, one.left) == ("stop-start", ())
    assert "a reboot left it announced" in one.says
    assert night.stopped() == [night.members[0]]
    night.assert_whole()


@pytest.mark.parametrize("data", [False, True])
def test_a_reboot_that_never_comes_back_is_ended_by_a_stop_and_a_start(data):
    night = Night(DAY, data=data)
    (one,) = night.apply(After(night.cloud, reboot_instance=night.cloud.impair), by="reboot").members
    assert "did not come back from its reboot" in one.says
    assert one.seconds_out_of_service < 600, "nobody waits for the agent of a machine that is dead"
    night.assert_whole()


def test_a_reboot_that_nobody_sees_is_not_taken_for_one():
    night = Night(DAY)

    class Deaf(After):
        def reboot_instance(self, instance_id):
            night.cloud.calls.clear()

    (one,) = night.apply(Deaf(night.cloud), by="reboot").members
    assert one.way == "stop-start"
    assert any("to go down" in each for each in night.heard.warnings)
    night.assert_whole()


# At another time ------------------------------------------------------------------------------------------


def movable(*ahead, movable_seconds=10 * DAY, **more):
    night = Night(*ahead, movable_seconds=movable_seconds, **more)
    set_clock(night, "2027-06-02T12:00")  # a Wednesday
    for one, seconds in zip(night.members, ahead, strict=True):
        night.cloud._machines[one].events = ()
        night.cloud.announce(one, in_seconds=seconds, movable_seconds=movable_seconds)
    night.cloud.calls.clear()
    return night


def times_of(night):
    return [night.cloud._machines[one].events[0].not_before for one in sorted(night.members)]


def test_c46_events_are_moved_into_windows_and_no_two_members_into_one():
    night = movable(DAY, DAY)
    result = night.apply(by="move", window="Fri 22:00-00:30 UTC")
    assert times_of(night) == [at("2027-06-04T22:00"), at("2027-06-11T22:00")]
    assert {call.name for call in night.cloud.writes} == {"move_event"}
    assert {one.way for one in result.members} == {"move"}
    assert "2027-06-04 22:00 UTC" in result.members[0].says
    assert night.apply(by="move", window="Fri 22:00-00:30 UTC").members[0].way == ""


def test_an_event_whose_deadline_is_nearer_than_a_free_window_is_not_moved_nor_is_any_other():
    night = movable(DAY, DAY, movable_seconds=5 * DAY)
    with pytest.raises(PreconditionFailed, match="no free window before its deadline"):
        night.apply(by="move", window="Fri 22:00-00:30 UTC")
    assert night.cloud.writes == []


def test_an_event_is_not_moved_nearer_than_aws_takes():
    night = movable(3 * HOUR, 10 * HOUR)
    night.apply(by="move", window="daily 12:30-14:30 UTC")  # in half an hour: too near
    assert times_of(night) == [at("2027-06-03T12:30"), at("2027-06-04T12:30")]


# Where it goes wrong --------------------------------------------------------------------------------------


def test_where_the_first_turn_fails_the_second_member_is_not_touched_and_who_is_left_is_told():
    night = Night(DAY, 2 * DAY)

    class Refusing(After):
        def stop_instance(self, instance_id):
            raise CloudError("refused", code="UnauthorizedOperation")

    with pytest.raises(ProcedureFailed) as failed:
        night.apply(Refusing(night.cloud))
    assert f"Not begun, and serving: {night.members[1]} (system-reboot" in str(failed.value)
    assert all(call.arguments[0] != night.members[1] for call in night.cloud.writes)
    night.cloud.clock.sleep(60)
    assert sorted(night.healthy()) == sorted(night.members)


def test_a_member_whose_fellow_does_not_get_well_after_its_turn_is_not_touched():
    night = Night(DAY, 2 * DAY)
    with pytest.raises(ProcedureFailed, match="status checks"):
        night.apply(After(night.cloud, start_instance=night.cloud.impair))
    assert night.stopped() == [night.members[0]]
    assert night.healthy() == [night.members[1]]


def test_a_run_killed_between_two_turns_finds_the_other_sick_and_leaves_the_last_one_in():
    night = Night(DAY, 2 * DAY)
    steps = MemorySteps("run-1", die_at=f"before see that it may leave its service: {night.members[1]}")
    with pytest.raises(Killed):
        night.apply(steps=steps)
    night.cloud.impair(night.members[0])
    night.cloud.clock.sleep(60)
    with pytest.raises(ProcedureFailed, match="no other member of nospof-www is healthy") as failed:
        night.apply(steps=steps)
    assert "Nothing was changed" not in str(failed.value)
    assert night.stopped() == [night.members[0]]
