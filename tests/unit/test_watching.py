"""Pairs that are watched: who is asked to lead, and that an error of the cloud has nobody taken for gone."""

import threading

import pytest

from nospof.adapters.memory.databases import MemoryDatabases
from nospof.errors import CloudError, UsageError
from nospof.model.cloud import Instance
from nospof.model.requests import PairRequest
from nospof.planning.watching import LEAVING, OFF, Asking, Sighting, asks
from nospof.procedures.pair import pair
from nospof.runtime.memory import MemorySteps
from nospof.services.watching import MEMBERS_SECONDS, DataWatch, at_once, in_a_thread
from support.memory_world import keep_data, memory_world, one_instance, stick
from support.waiting import eventually

A, B = (Instance(f"i-{name}", "running", "t3.micro", "ami", "z", "s", "v", "10.0.0.1") for name in "ab")


def asked(states, rounds=1):
    return asks((A, B), {f"i-{name}": Sighting(state, rounds) for name, state in states.items()})


@pytest.mark.parametrize("state", sorted(OFF))
def test_a_member_that_is_off_is_not_waited_for(state):
    assert asked({"a": state, "b": "running"}) == (Asking("i-b", "i-a", state, True),)


@pytest.mark.parametrize("state", sorted(LEAVING))
def test_one_that_is_about_to_end_may_still_run_and_has_a_round_to_hand_over_by_itself(state):
    assert asked({"a": state, "b": "running"}) == ()
    assert asked({"a": state, "b": "running"}, rounds=2) == (Asking("i-b", "i-a", state, False),)


@pytest.mark.parametrize(
    "states",
    [
        {"a": "running", "b": "running"},
        {"a": "pending", "b": "running"},
        {"b": "running"},
        {"a": "stopped", "b": "stopped"},
        {"a": "stopped", "b": "pending"},
        {"a": "stopped"},
    ],
)
def test_nobody_is_asked_to_lead_where_none_is_gone_or_none_that_runs_is_left(states):
    assert asked(states, rounds=9) == ()


def test_rounds_are_counted_while_a_state_stays():
    seen = Sighting("stopping").then("stopping")
    assert (seen.rounds, seen.then("stopped").rounds) == (2, 1)


class Heard(MemoryDatabases):
    """The databases of the in-memory cloud, and who of them was asked to lead."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.asked = []
        self.silent = None

    def several(self, ask, instance_ids):
        if self.silent:
            self.silent.wait(60)
        return super().several(ask, instance_ids)

    def fail_over(self, instance_id, gone, *, is_off=True):
        self.asked.append((instance_id, gone, is_off))
        return super().fail_over(instance_id, gone, is_off=is_off)


class Watched:
    """A pair in the in-memory cloud, and somebody who watches it."""

    def __init__(self, engine="postgresql", patience_seconds=300.0, beside=at_once):
        self.cloud = one_instance()
        keep_data(self.cloud, engine)
        request = PairRequest(self.cloud.the_instance.id, service="www")
        made = pair(MemorySteps("run-1"), memory_world(self.cloud), request)
        self.primary, self.other = made.members
        self.databases, self.told = Heard(self.cloud), []
        self.patience_seconds, self.beside, self.through = patience_seconds, beside, None
        self.watch = self.watcher()

    def watcher(self, *services):
        world = memory_world(self.cloud, self.through)
        world = type(world)(**{**vars(world), "databases": self.databases})
        return DataWatch(world, services, self.told.append, self.patience_seconds, self.beside)

    def rounds(self, count, seconds=3.0):
        for _ in range(count):
            self.watch.round()
            self.cloud.clock.sleep(seconds)

    def kinds(self, *left_out):
        return [one.kind for one in self.told if one.kind not in left_out]


def test_a_pair_in_step_is_told_of_once_and_nobody_is_asked_to_lead():
    here = Watched()
    here.rounds(40)
    assert here.kinds() == ["in-step"]
    assert here.databases.asked == []


def test_a_primary_that_is_stopped_is_not_waited_for_and_asked_about_once():
    here = Watched()
    here.rounds(1)
    here.cloud.stop_instance(here.primary)
    here.rounds(40)
    assert here.databases.asked[-1] == (here.other, here.primary, True)
    assert here.databases.asked.count((here.other, here.primary, True)) == 1
    assert [one.says for one in here.told if one.kind == "seen"] == [
        f"{here.primary} is stopping",
        f"{here.primary} is stopped",
    ]
    assert [one.problem for one in here.told if one.kind == "answered"][-1] == ""


def test_a_primary_that_was_terminated_is_known_to_be_gone_though_it_is_not_listed_any_more():
    here = Watched()
    here.rounds(1)
    here.cloud.terminate(here.primary)
    here.rounds(40)
    assert here.databases.asked[-1] == (here.other, here.primary, True)


def test_members_of_galera_decide_by_themselves_and_are_only_told_of():
    here = Watched("mariadb")
    here.rounds(1)
    here.cloud.stop_instance(here.primary)
    here.rounds(20)
    assert here.databases.asked == []
    assert here.kinds("in-step", "out-of-step") == ["seen", "seen"]


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError", "UnauthorizedOperation"])
def test_an_error_of_the_cloud_is_no_state(code):
    here = Watched()
    here.rounds(1)
    here.cloud.fail("instances", code, times=5)
    for _ in range(5):
        with pytest.raises(CloudError):
            here.watch.round()
    here.rounds(1)
    assert here.databases.asked == []


def test_an_id_that_is_not_known_any_more_is_no_state():
    here = Watched()
    here.rounds(1)
    del here.cloud._instances[here.primary]
    here.rounds(3)
    assert here.databases.asked == []
    assert "seen" not in here.kinds()


def test_what_is_off_is_asked_for_again_right_before_anybody_is_asked_to_lead():
    here = Watched()
    here.rounds(1)
    here.cloud.stop_instance(here.primary)
    here.cloud.clock.sleep(60)
    here.cloud.fail("instance", "RequestLimitExceeded", times=1)
    here.watch.round()
    assert here.databases.asked == []
    assert "nobody was asked to lead" in [one for one in here.told if one.kind == "unread"][-1].says
    here.rounds(5)
    assert here.databases.asked == [(here.other, here.primary, True)]


def test_whoever_watches_goes_on_when_the_cloud_cannot_be_read_and_tells_of_it_once(monkeypatch):
    class Over(Exception):
        pass

    here, waits = Watched(), []
    sleep = here.cloud.clock.sleep

    def until_over(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            here.cloud.fail("instances", "RequestLimitExceeded", times=3)
        if len(waits) == 8:
            raise Over
        sleep(seconds)

    monkeypatch.setattr(here.cloud.clock, "sleep", until_over)
    with pytest.raises(Over):
        here.watch.watch(3.0)
    unread = [(one.says, bool(one.problem)) for one in here.told if one.kind == "unread"]
    assert unread == [
        ("the cloud could not be read, and nothing is concluded from that", True),
        ("the cloud is read again", False),
    ]


class Stale:
    """A cloud whose lists of instances are those of a while ago."""

    def __init__(self, cloud):
        self._cloud, self._listed = cloud, cloud.instances("nospof:data")

    def instances(self, *_):
        return self._listed

    def __getattr__(self, name):
        return getattr(self._cloud, name)


def test_nobody_is_asked_to_lead_instead_of_one_that_runs_again_by_then():
    here = Watched()
    here.cloud.stop_instance(here.primary)
    here.cloud.clock.sleep(60)
    here.through = Stale(here.cloud)
    here.cloud.start_instance(here.primary)
    here.cloud.clock.sleep(60)
    here.watch = here.watcher()
    here.rounds(3)
    assert here.databases.asked == []
    assert [one.says for one in here.told if one.kind == "seen"] == [f"{here.primary} is stopped"]


def test_one_that_refuses_to_lead_is_asked_again_a_little_later():
    here = Watched()
    here.rounds(1)
    here.cloud.stop_instance(here.primary)
    here.cloud.clock.sleep(60)
    here.cloud.impair(here.other)
    here.rounds(4)
    here.cloud._machines[here.other].is_impaired = False
    here.rounds(8)
    answers = [one.problem for one in here.told if one.kind == "answered"]
    assert answers[0]
    assert answers[-1] == ""
    assert len(answers) < 6


def test_the_second_of_two_watchers_is_told_that_another_took_writes_already():
    here = Watched()
    watches = (here.watch, here.watcher("www"))
    for one in watches:
        one.round()
    here.cloud.stop_instance(here.primary)
    here.cloud.clock.sleep(60)
    for one in watches:
        one.round()
    assert here.databases.asked == [(here.other, here.primary, True)] * 2
    assert {one.problem for one in here.told if one.kind == "answered"} == {""}
    assert here.cloud.write(here.other, "afterwards")


def test_a_member_that_came_back_and_stays_out_of_step_is_told_of_with_what_to_do():
    here = Watched()
    here.rounds(1)
    stick(here.cloud, here.primary)
    here.rounds(90)
    assert here.kinds("in-step") == []
    here.rounds(40)
    (told,) = [one for one in here.told if one.kind == "out-of-step"]
    assert here.primary in told.says
    assert told.says.endswith("Bring it in step: nospof data rejoin www")
    here.cloud.bootstrap_cluster(here.primary)
    here.rounds(1 + int(MEMBERS_SECONDS / 3))
    assert here.kinds() == ["in-step", "out-of-step", "in-step"]


def test_a_member_whose_data_is_not_kept_any_more_is_not_watched():
    here = Watched()
    here.rounds(1)
    for one in (here.primary, here.other):
        here.cloud.untag(one, ("nospof:data",))
    here.cloud.stop_instance(here.primary)
    here.rounds(1)
    assert here.watch._members["www"] == {}


def test_a_service_without_data_is_told_so_with_those_that_have_some():
    here = Watched()
    with pytest.raises(UsageError, match="services whose data is: www"):
        here.watcher("shop").round()


def test_a_member_that_does_not_answer_keeps_no_other_from_being_asked_to_lead():
    """One that is silent for minutes is what a dead primary looks like: it is asked beside the rounds."""
    silent = threading.Event()
    here = Watched(beside=in_a_thread)
    here.databases.silent = silent
    here.watch.round()
    here.cloud.stop_instance(here.primary)
    here.cloud.clock.sleep(60)
    here.watch.round()
    eventually(lambda: "answered" in here.kinds(), "the other member was asked")
    assert "in-step" not in here.kinds()
    silent.set()
    eventually(lambda: not here.watch._under_way, "all that was begun has ended")
