"""What is asked for from afar is accepted once, begun once whoever dies, and told of until it is a run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.asked import AskedRun, Deed
from nospof.model.maintaining import RunRequest
from nospof.model.requests import CloneRequest
from nospof.model.runs import Run
from nospof.model.settings import Settings
from nospof.runtime.asked import AskedRuns
from nospof.runtime.codec import from_plain
from nospof.services.asking import (
    STARTS,
    ask_to_begin,
    ask_to_resume,
    asked_procedures,
    described,
    do_what_was_asked,
    keep_working,
    request_of,
    seen_run,
    seen_runs,
    work,
)
from support.memory_world import memory_world, one_instance

PLAIN = {"instance_id": "i-1"}


class Known:
    """A journal."""

    def __init__(self, *runs: Run) -> None:
        self.found = {one.id: one for one in runs}

    def runs(self):
        return tuple(self.found.values())

    def run(self, run_id):
        if run_id not in self.found:
            raise UsageError(f"there is no run {run_id}")
        return self.found[run_id]


class Hands:
    """Starts nothing, and remembers for whom; what it was handed is let go of as when a process dies."""

    def __init__(self, host=""):
        self.host, self.started, self.kept = host or os.uname().nodename, [], []
        self.keeps = False

    def start(self, asked, held):
        self.started.append(asked.number)
        if self.keeps:
            self.kept.append(os.dup(held.fileno()))

    def die(self):
        while self.kept:
            os.close(self.kept.pop())


@pytest.fixture
def queue(tmp_path: Path) -> AskedRuns:
    return AskedRuns(tmp_path)


def begun(queue, key="a", **plain):
    request = CloneRequest(**{**PLAIN, **plain})
    return ask_to_begin(memory_world(one_instance()), queue, "clone", request, "operator", key)


def test_a_repeat_is_the_same_and_another_request_under_its_key_is_refused(queue):
    first = begun(queue)
    assert begun(queue) == replace(first, asked_at=first.asked_at)
    assert begun(queue, key="b").run_id != first.run_id
    with pytest.raises(UsageError, match="asked for something else"):
        begun(queue, zone="z")
    assert [one.key for one in queue.ahead()] == ["a", "b"]


def test_what_was_accepted_is_there_for_whoever_comes_after(queue, tmp_path):
    asked = begun(queue)
    assert AskedRuns(tmp_path).get(asked.number) == asked
    with pytest.raises(UsageError, match="number 7"):
        queue.get(7)


def test_one_is_started_once_while_its_process_lives(queue, tmp_path):
    asked, hands = begun(queue), Hands()
    hands.keeps = True
    assert work(queue, Known(), hands) == 1
    assert work(AskedRuns(tmp_path), Known(), Hands()) == 0, "another worker here sees that it lives"
    hands.die()
    assert queue.get(asked.number).starts == 1


def test_who_died_before_the_journal_had_it_is_started_again_but_not_for_ever(queue):
    asked, hands = begun(queue), Hands()
    assert [work(queue, Known(), hands) for _ in range(STARTS + 1)] == [1] * STARTS + [0]
    seen = seen_run(Known(), queue, asked.run_id)
    assert (seen.state, "ended before it could begin" in seen.error) == ("refused", True)
    assert work(queue, Known(), hands) == 0


def test_who_died_later_is_a_run_like_others_and_not_started_again(queue):
    asked, hands = begun(queue), Hands()
    work(queue, Known(), hands)
    run = Run(asked.run_id, "clone", PLAIN, "interrupted", 1.0, 1.0)
    assert work(queue, Known(run), hands) == 0
    assert queue.ahead() == ()
    assert seen_run(Known(run), queue, asked.run_id) is run


def test_what_another_machine_has_taken_is_left_to_it(queue):
    begun(queue)
    assert queue.take(1, 0)
    assert work(queue, Known(), Hands("elsewhere")) == 0
    assert not queue.take(1, 0), "somebody was quicker"


def test_what_waits_is_listed_with_the_runs_newest_first(queue):
    old = Run("clone-1", "clone", PLAIN, "done", 1.0, 1.0)
    asked = begun(queue)
    assert [(one.id, one.state) for one in seen_runs(Known(old), queue)] == [
        (asked.run_id, "waiting"),
        ("clone-1", "done"),
    ]
    with pytest.raises(UsageError, match="there is no run clone-2"):
        seen_run(Known(old), queue, "clone-2")


@pytest.mark.parametrize("state", ["running", "done", "elsewhere"])
def test_what_cannot_be_resumed_is_not_accepted(queue, state):
    world = memory_world(one_instance())
    here = world.cloud.identity()
    run = Run("clone-1", "clone", PLAIN, state, 1.0, 1.0, place=f"{here.account}/{here.region}")
    with pytest.raises(PreconditionFailed, match=f"clone-1 is {state}"):
        ask_to_resume(world, queue, Known(run), "clone-1", "operator", "a")
    with pytest.raises(PreconditionFailed, match="is about x/y"):
        ask_to_resume(world, queue, Known(replace(run, place="x/y")), "clone-1", "operator", "a")
    assert queue.ahead() == ()


def test_a_resume_that_is_sent_again_is_answered_as_before_whatever_became_of_the_run(queue):
    world = memory_world(one_instance())
    here = world.cloud.identity()
    run = Run("clone-1", "clone", PLAIN, "interrupted", 1.0, 1.0, place=f"{here.account}/{here.region}")
    first = ask_to_resume(world, queue, Known(run), "clone-1", "operator", "a")
    running = Known(replace(run, state="running"))
    assert ask_to_resume(world, queue, running, "clone-1", "operator", "a") == first
    with pytest.raises(PreconditionFailed, match="clone-1 is waiting to be begun"):
        ask_to_resume(world, queue, Known(run), "clone-1", "operator", "b")
    queue.end(first.number)
    assert ask_to_resume(world, queue, Known(run), "clone-1", "operator", "b").number > first.number


def test_why_a_run_was_stopped_is_not_why_it_died_later(queue):
    asked = begun(queue)
    queue.end(asked.number, "stopped as asked")
    ended_at = queue.get(asked.number).ended_at
    run = Run(asked.run_id, "clone", PLAIN, "interrupted", 1.0, ended_at - 1.0)
    assert seen_run(Known(run), queue, asked.run_id).error == "stopped as asked"
    assert seen_run(Known(replace(run, updated_at=ended_at + 1.0)), queue, asked.run_id).error == ""


def test_a_process_in_another_account_does_nothing():
    asked = AskedRun(1, "clone-1", "begin", "clone", PLAIN, "x/y", "operator", "a", 0.0)
    with pytest.raises(PreconditionFailed, match="clone-1 is about x/y"):
        do_what_was_asked(memory_world(one_instance()), None, Known(), None, asked, from_plain)


def test_a_process_that_comes_late_leaves_a_run_that_was_begun_alone():
    world = memory_world(one_instance())
    here = world.cloud.identity()
    place = f"{here.account}/{here.region}"
    asked = AskedRun(1, "clone-1", "begin", "clone", PLAIN, place, "operator", "a", 0.0)
    run = Run("clone-1", "clone", PLAIN, "interrupted", 1.0, 1.0)
    with pytest.raises(PreconditionFailed, match="was begun already, and is interrupted"):
        do_what_was_asked(world, None, Known(run), None, asked, from_plain)


@pytest.mark.parametrize("error", [PreconditionFailed("no"), OSError("no"), RuntimeError("no")])
def test_a_worker_goes_on_after_whatever_happens_and_says_it(error):
    told, rounds = [], iter([error, None])

    def work_once():
        if found := next(rounds):
            raise found
        return 0

    ends = iter([False, True])
    keep_working(work_once, told.append, lambda _seconds: next(ends))
    assert len(told) == 1
    assert "no" in told[0]


def test_requests_are_read_strictly():
    def read(procedure, plain):
        return request_of(procedure, plain, from_plain, Settings())

    assert read("clone", {"instance_id": "i-1", "port": 81}) == CloneRequest("i-1", port=81)
    assert read("maintain-run", {"service": "a", "command": "b"}) == RunRequest("a", "b")
    for procedure, plain, says in (
        ("undo", {}, "there is no procedure 'undo'"),
        ("clone", {"instance": "i-1"}, "clone knows no instance"),
        ("clone", {}, "instance_id"),
        ("clone", {"instance_id": "i-1", "port": "many"}, "port"),
        ("clone", {"instance_id": ["i-1"]}, "instance_id"),
    ):
        with pytest.raises(UsageError, match=says):
            read(procedure, plain)


def test_every_field_of_every_request_is_explained():
    for name in asked_procedures():
        told = described(name)
        assert told["guarantee"], name
        unsaid = [one["name"] for one in told["fields"] if not one["says"] or "as in `" in one["says"]]
        assert not unsaid, name


def test_who_did_what_is_told_newest_first(queue):
    deeds = [Deed(float(at), "operator", "127.0.0.1", f"POST /{at}", 202) for at in range(3)]
    for one in deeds:
        queue.note(one)
    assert queue.deeds() == tuple(reversed(deeds))


def test_a_queue_that_cannot_be_read_says_so(tmp_path):
    (tmp_path / "console.sqlite").write_text("this is no database, and long enough to be seen as none" * 40)
    with pytest.raises(PreconditionFailed, match="cannot be read or written"):
        AskedRuns(tmp_path).ahead()
