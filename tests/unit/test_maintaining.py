"""Maintenance watched over: taken in its window and not before, told once, and never two of a service."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nospof.errors import CloudError, PreconditionFailed, UsageError
from nospof.model.cloud import TAG_GUARANTEE
from nospof.model.runs import Run
from nospof.planning.upkeep import Cap
from nospof.procedures.guarantee import promise
from nospof.services.maintaining import AGAIN_SECONDS, RESUMES, MaintenanceWatch
from support.fleets import DAY, HOUR, PLACE, Fleet, ToldTurns
from support.memory_world import memory_world

NIGHT = 2.0
"""The hour at which the windows open."""


def test_a_turn_is_begun_when_the_window_opens_and_not_before():
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    fleet.cloud.announce(one, in_seconds=3 * DAY)
    fleet.night(3)
    assert (fleet.turns.begun, fleet.kinds()) == ([], ["announced"])
    fleet.until(NIGHT - 0.01, day=1)
    fleet.watch.round()
    assert fleet.turns.begun == []
    fleet.until(NIGHT, day=0)
    fleet.night()
    assert fleet.turns.begun == [one]
    assert fleet.kinds() == ["announced", "begun", "ended", "over"]
    assert fleet.healthy("www") == 2


def test_two_of_a_service_go_one_after_the_other_and_services_side_by_side():
    fleet = Fleet("www", "shop")
    for name in fleet.pairs:
        for who in fleet.pairs[name]:
            fleet.cloud.announce(who, in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    least = []

    def look():
        out = fleet.turns.under_way
        least.extend(len(set(out) & set(both)) for both in fleet.pairs.values())

    fleet.watch.round()
    assert len(fleet.turns.under_way) == 2
    fleet.night(after=look)
    assert max(least) == 1
    assert sorted(fleet.turns.begun) == sorted(who for both in fleet.pairs.values() for who in both)
    assert fleet.kinds("announced", "over") == ["begun"] * 2 + ["ended"] * 2 + ["begun"] * 2 + ["ended"] * 2


def test_no_more_of_a_zone_go_at_once_than_its_cap_and_no_more_in_all_than_is_asked_for():
    fleet = Fleet("www", "shop", "blog", cap=Cap(1))
    for name in fleet.pairs:
        fleet.cloud.announce(fleet.pairs[name][0], in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    for _ in range(2):
        fleet.watch.round()
        assert len(fleet.turns.under_way) == 1
    wide = Fleet("www", "shop", "blog")
    for name in wide.pairs:
        wide.cloud.announce(wide.pairs[name][0], in_seconds=3 * DAY)
    wide.until(NIGHT, day=1)
    wide.another(at_once=2).round()
    assert len(wide.turns.under_way) == 2


def test_whoever_is_due_first_goes_first():
    fleet = Fleet()
    one, other = fleet.pairs["www"]
    fleet.cloud.announce(one, in_seconds=5 * DAY)
    fleet.cloud.announce(other, in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.night()
    assert fleet.turns.begun == [other, one]


def test_nothing_is_begun_weeks_ahead_for_aws_may_call_it_off():
    fleet = Fleet()
    fleet.cloud.announce(fleet.pairs["www"][0], in_seconds=30 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.watch.round()
    assert fleet.turns.begun == []
    fleet.until(NIGHT, day=17)
    fleet.watch.round()
    assert len(fleet.turns.begun) == 1


def test_nothing_is_begun_when_too_little_of_the_window_is_left():
    fleet = Fleet()
    fleet.cloud.announce(fleet.pairs["www"][0], in_seconds=3 * DAY)
    fleet.until(4.8, day=1)
    fleet.watch.round()
    assert fleet.turns.begun == []


def test_what_no_window_is_in_time_for_is_told_once_and_nothing_is_done():
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    fleet.cloud.announce(one, in_seconds=6 * HOUR, movable_seconds=3 * DAY)
    fleet.night()
    assert fleet.turns.begun == []
    assert fleet.kinds() == ["announced", "too-late"]
    (says,) = fleet.says("too-late")
    assert f"nospof maintain take {one}, or have AWS move it, until " in says


def test_with_leave_to_it_is_taken_outside_of_a_window_shortly_before_its_time():
    fleet = Fleet(before_seconds=2 * HOUR)
    one, _ = fleet.pairs["www"]
    fleet.cloud.announce(one, in_seconds=6 * HOUR)
    fleet.night(3)
    assert (fleet.turns.begun, fleet.kinds()) == ([], ["announced", "too-late"])
    fleet.cloud.clock.sleep(4 * HOUR)
    fleet.night(3)
    assert fleet.turns.begun == [one]


def test_what_aws_may_do_at_any_moment_is_left_to_aws():
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    fleet.until(NIGHT, day=1)
    event = fleet.cloud.announce(one, in_seconds=3 * DAY)
    due = fleet.cloud.clock.now() - 60
    fleet.cloud._machines[one].events = (type(event)(**{**vars(event), "not_before": due}),)
    fleet.night(3)
    assert fleet.turns.begun == []
    assert fleet.says("held") == [f"AWS may act on {one} at any moment now, so it is left to AWS"]


def test_a_service_without_a_window_is_only_told_of():
    fleet = Fleet(window="")
    one, _ = fleet.pairs["www"]
    fleet.cloud.announce(one, in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.night()
    assert (fleet.turns.begun, fleet.kinds()) == ([], ["announced", "held"])
    assert "no maintenance window is written for www" in fleet.says("held")[0]


@pytest.mark.parametrize(
    ("code", "root", "says"),
    [("foo-bar", "ebs", "not cleared"), ("instance-retirement", "instance-store", "not cleared")],
)
def test_c45_what_a_stop_does_not_clear_is_left_to_people(code, root, says):
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    machine = fleet.cloud._instances[one]
    fleet.cloud._instances[one] = type(machine)(**{**vars(machine), "root_device_type": root})
    fleet.cloud.announce(one, code, in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.watch.round()
    assert fleet.turns.begun == []
    assert says in fleet.says("held")[0]


def test_one_that_serves_alone_or_behind_no_balancer_is_left_to_people():
    fleet = Fleet()
    one, other = fleet.pairs["www"]
    group = fleet.cloud.target_groups()[0].arn
    fleet.cloud.deregister(group, other, 80)
    fleet.cloud.announce(one, in_seconds=3 * DAY)
    stranger = fleet.cloud.add_instance(tags={"Name": "batch"})
    fleet.cloud.announce(stranger.id, in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.watch.round()
    assert fleet.turns.begun == []
    alone, nowhere = sorted(fleet.says("held"), key=lambda one: "balancer" in one)
    assert f"{one} alone serves www" in alone
    assert f"{stranger.id} is behind no load balancer" in nowhere


def test_c41_a_cancelled_event_is_told_and_nothing_is_done():
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    event = fleet.cloud.announce(one, in_seconds=3 * DAY)
    fleet.watch.round()
    machine = fleet.cloud._machines[one]
    machine.events = (type(event)(**{**vars(event), "description": "[Canceled] scheduled maintenance"}),)
    fleet.until(NIGHT, day=1)
    fleet.night()
    assert (fleet.turns.begun, fleet.kinds()) == ([], ["announced", "over"])
    assert "[Canceled]" in fleet.says("over")[0]


def test_an_event_that_aws_moves_is_told_once_and_heeded():
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    event = fleet.cloud.announce(one, in_seconds=3 * DAY)
    fleet.watch.round()
    later = type(event)(**{**vars(event), "not_before": event.not_before + 30 * DAY})
    fleet.cloud._machines[one].events = (later,)
    fleet.until(NIGHT, day=1)
    fleet.night()
    assert (fleet.turns.begun, fleet.kinds()) == ([], ["announced", "moved"])


# What cannot be read ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["instances", "announcements", "target_groups", "targets"])
def test_what_cannot_be_read_is_told_once_and_nothing_is_concluded(method):
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    fleet.cloud.announce(one, in_seconds=3 * DAY)
    fleet.until(NIGHT - 0.1, day=1)
    said = []

    def pause(seconds):
        said.append(fleet.watch.tally.is_unread)
        if len(said) == 2:
            fleet.cloud.fail(method, "RequestLimitExceeded", times=60)
            fleet.until(NIGHT)
        fleet.cloud.clock.sleep(60)
        return len(said) > 12

    fleet.watch.watch(60.0, pause, lambda: None)
    assert fleet.turns.begun == []
    assert fleet.kinds() == ["announced", "unread"]
    assert said[2:] == [True] * 11
    fleet.cloud._faults.clear()
    fleet.watch.round()
    assert fleet.kinds("begun") == ["announced", "unread", "readable"]
    assert fleet.watch.tally.is_unread is False


def test_the_first_round_has_to_be_able_to_read():
    fleet = Fleet()
    fleet.cloud.fail("announcements", "UnauthorizedOperation")
    with pytest.raises(CloudError):
        fleet.watch.watch(60.0, lambda _seconds: True, lambda: None)


def test_a_service_that_is_not_there_is_named_with_those_that_are():
    fleet = Fleet(services=("wwww",))
    with pytest.raises(UsageError, match=r"no service is called wwww here\. There is: www"):
        fleet.watch.round()


def test_of_services_that_are_not_meant_nothing_is_told():
    fleet = Fleet("www", "shop", services=("shop",))
    fleet.cloud.announce(fleet.pairs["www"][0], in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.night(3)
    assert (fleet.told, fleet.watch.watched) == ([], ("shop",))


# Runs that do not end well ------------------------------------------------------------------------------


def test_what_is_refused_is_told_once_and_tried_again():
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    fleet.cloud.announce(one, in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)

    class Refusing:
        def __getattr__(self, name):
            if name == "target_groups":
                raise CloudError("denied", code="UnauthorizedOperation", operation="x")
            return getattr(fleet.cloud, name)

    fleet.turns.through = Refusing()
    fleet.night(40)
    assert len(fleet.turns.begun) == 3
    assert fleet.kinds("begun") == ["announced", "refused"]
    assert fleet.watch.tally.for_people == 1
    fleet.turns.through = None
    fleet.night(int(AGAIN_SECONDS / 60) + 2)
    assert fleet.kinds("begun")[-2:] == ["ended", "over"]


def test_after_a_failure_nothing_of_that_service_is_begun_until_its_run_is_resumed():
    fleet = Fleet("www", "shop")
    one, other = fleet.pairs["www"]
    for who in (one, other, fleet.pairs["shop"][0]):
        fleet.cloud.announce(who, in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.cloud.fail("untag", "InternalError", times=1)
    fleet.night(30)
    assert len(fleet.says("failed")) == 1
    failed = next(run for run in fleet.turns.journal.values() if run.state == "failed")
    assert set(fleet.turns.begun) & {one, other} == {failed.request["instance_id"]} & {one, other}
    assert fleet.pairs["shop"][0] in fleet.turns.begun
    assert any(f"nospof runs resume {failed.id}" in says for says in fleet.says("held"))


def test_a_run_that_gave_way_to_another_is_no_failure_and_holds_nothing_up():
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    fleet.cloud.announce(one, in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.watch.round()
    (promise_step, says) = ("promise that the member comes back", "another run began to work on the other")
    fleet.turns.give_way(one, says, promise_step)
    fleet.watch.collect()
    assert fleet.kinds("announced", "begun") == ["refused"]
    assert dict(fleet.watch.tally.ended) == {"done": 0, "refused": 1, "failed": 0}
    fleet.cloud.clock.sleep(AGAIN_SECONDS)
    fleet.night(3)
    assert fleet.turns.begun == [one, one]
    assert fleet.kinds("announced", "begun") == ["refused", "ended", "over"]


def test_a_run_whose_process_was_killed_is_resumed_and_serves_again():
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    fleet.cloud.announce(one, in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.turns.die_at = "after drain it from every group it serves in"
    fleet.night()
    assert fleet.kinds("announced", "kept", "over") == ["begun", "failed", "begun", "ended"]
    assert fleet.healthy("www") == 2


def test_a_new_watch_resumes_what_one_before_it_left_and_no_other_begins_beside_it():
    fleet = Fleet()
    one, other = fleet.pairs["www"]
    for who in fleet.pairs["www"]:
        fleet.cloud.announce(who, in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.turns.die_at = "after drain it from every group it serves in"
    fleet.watch.round()
    fleet.turns.tell()
    fleet.turns.ended()
    fleet.watch = fleet.another()
    fleet.watch.round()
    assert len(fleet.turns.under_way) == 1
    fleet.night()
    assert sorted(fleet.turns.begun) == sorted((one, other))
    assert fleet.healthy("www") == 2


def test_a_watch_over_one_service_leaves_what_was_interrupted_of_others_alone():
    fleet = Fleet("www", "shop")
    fleet.cloud.announce(fleet.pairs["shop"][0], in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.turns.die_at = "after drain it from every group it serves in"
    fleet.night(1)
    fleet.policy = replace(fleet.policy, services=("www",))
    fleet.another().round()
    assert fleet.turns.under_way == ()
    fleet.policy = replace(fleet.policy, services=("shop",))
    fleet.another().round()
    assert fleet.turns.under_way == (fleet.pairs["shop"][0],)


def test_one_that_is_killed_again_and_again_is_left_to_people():
    fleet = Fleet()
    fleet.cloud.announce(fleet.pairs["www"][0], in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    for _ in range(RESUMES + 3):
        fleet.turns.die_at = "before stop it and start it on other hardware"
        fleet.night(1)
    assert fleet.says("held") == [
        f"take-1 of {fleet.pairs['www'][0]} was interrupted: nospof runs resume take-1"
    ]
    assert len(fleet.says("begun")) == RESUMES + 1


def test_what_another_process_of_this_machine_works_on_is_not_begun_and_its_end_is_told():
    fleet = Fleet()
    one, other = fleet.pairs["www"]
    for who in (one, other):
        fleet.cloud.announce(who, in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    fleet.watch.round()
    (mine,) = fleet.turns.begun
    after = fleet.another(turns=OtherTurns(fleet.turns))
    after.round()
    assert fleet.turns.begun == [mine]
    fleet.turns.tell()
    after.round()
    assert any(one.kind == "ended" and one.run_id == "take-1" for one in fleet.told)


class OtherTurns(ToldTurns):
    """Those of a watch that came later: it shares the journal, and has begun nothing."""

    def __init__(self, others: ToldTurns) -> None:
        super().__init__(others._cloud)
        self.journal, self.begun = others.journal, others.begun


def test_two_watches_on_two_machines_wait_for_each_other_by_the_marks_of_members():
    fleet = Fleet()
    one, other = fleet.pairs["www"]
    fleet.cloud.announce(other, in_seconds=3 * DAY)
    promise(memory_world(fleet.cloud), one, "take-of-another-machine", must_work=True)
    fleet.cloud.fail("untag", "InternalError", times=9)  # its keeper is not ours
    fleet.until(NIGHT, day=1)
    fleet.watch.round()
    assert fleet.turns.begun == []
    assert f"take-of-another-machine has {one}" in fleet.says("held")[0]


def test_a_service_that_a_run_as_a_whole_works_on_waits_for_it():
    fleet = Fleet()
    fleet.cloud.announce(fleet.pairs["www"][0], in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    drill = Run("drill-1", "drill", {"service": "www"}, "running", 0, 0, place=PLACE)
    fleet.turns.journal["drill-1"] = drill
    fleet.watch.round()
    assert fleet.turns.begun == []
    assert "drill-1 works on www" in fleet.says("held")[0]
    fleet.turns.journal["drill-1"] = replace(drill, state="done")
    fleet.watch.round()
    assert len(fleet.turns.begun) == 1


def test_a_turn_for_which_no_process_could_be_started_is_told_and_tried_again(monkeypatch):
    fleet = Fleet()
    fleet.cloud.announce(fleet.pairs["www"][0], in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)

    def refuse(_instance_id):
        raise PreconditionFailed("no process could be started")

    with monkeypatch.context() as patched:
        patched.setattr(fleet.turns, "begin", refuse)
        fleet.night(3)
    assert fleet.kinds() == ["announced", "held"]
    fleet.night(3)
    assert fleet.kinds() == ["announced", "held", "begun", "ended", "over"]


def test_what_a_dead_run_promised_is_kept():
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    promise(memory_world(fleet.cloud), one, "dead", must_work=True)
    fleet.cloud.stop_instance(one)
    fleet.cloud.clock.sleep(60)
    fleet.watch.round()
    assert fleet.kinds("held") == ["kept"]
    assert fleet.cloud.instance(one).state == "running"
    assert TAG_GUARANTEE not in fleet.cloud.instance(one).tags


def test_nothing_is_begun_while_another_member_is_not_healthy_and_that_is_told_once():
    fleet = Fleet()
    one, other = fleet.pairs["www"]
    fleet.cloud.announce(one, in_seconds=3 * DAY)
    fleet.cloud.stop_instance(other)
    fleet.until(NIGHT, day=1)
    fleet.night(5)
    assert fleet.turns.begun == []
    assert fleet.says("held") == [f"not all others of {one} of www are healthy"]


def test_a_dry_one_says_what_it_would_begin_and_does_nothing():
    fleet = Fleet()
    one, _ = fleet.pairs["www"]
    fleet.cloud.announce(one, in_seconds=3 * DAY)
    promise(memory_world(fleet.cloud), fleet.cloud.add_instance().id, "dead")
    fleet.until(NIGHT, day=1)
    fleet.cloud.calls.clear()
    fleet.watch = fleet.another(is_dry=True)
    fleet.night(3)
    assert (fleet.turns.begun, list(fleet.cloud.writes)) == ([], [])
    assert [says for says in fleet.says("begun") if one in says] == [
        f"would begin the turn of {one} of www: its window is open"
    ]


# The loop and what is counted ---------------------------------------------------------------------------


def test_the_end_waits_for_turns_that_are_under_way():
    fleet = Fleet()
    fleet.cloud.announce(fleet.pairs["www"][0], in_seconds=3 * DAY)
    fleet.until(NIGHT, day=1)
    sleep = fleet.cloud.clock.sleep

    def slept(seconds):
        sleep(seconds)
        fleet.turns.tell()

    fleet.cloud.clock.sleep = slept  # type: ignore[method-assign]
    fleet.watch.watch(60.0, lambda _seconds: True, lambda: None)
    assert fleet.kinds("announced") == ["begun", "ended"]


def test_what_is_counted():
    fleet = Fleet("www", "shop")
    one, _ = fleet.pairs["www"]
    event = fleet.cloud.announce(one, in_seconds=3 * DAY)
    fleet.watch.round()
    tally = fleet.watch.tally
    assert (tally.ahead, tally.nearest_due, tally.under_way) == ((("www", 1),), event.not_before, 0)
    fleet.until(NIGHT, day=1)
    fleet.night()
    tally = fleet.watch.tally
    assert (tally.ahead, tally.nearest_due, dict(tally.ended)["done"]) == ((), None, 1)


def test_after_a_restart_what_is_announced_is_told_again():
    fleet = Fleet()
    fleet.cloud.announce(fleet.pairs["www"][0], in_seconds=3 * DAY)
    fleet.watch.round()
    watch: MaintenanceWatch = fleet.another()
    watch.round()
    watch.round()
    assert fleet.kinds() == ["announced", "announced"]
