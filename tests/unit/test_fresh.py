"""Answers that are kept for a while."""

import threading
from itertools import count
from types import SimpleNamespace

import pytest

import nospof.console.fresh as module
from nospof.console.desk import ages
from nospof.console.fresh import MOST_KEPT, Fresh
from nospof.errors import CloudError
from support.waiting import eventually


@pytest.fixture
def clock(monkeypatch):
    """The seconds that have passed; a test lets them pass."""
    now = [1000.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def asked():
    return count(1)


def test_an_answer_is_asked_for_once_while_it_is_fresh(clock, asked):
    fresh = Fresh(15)
    assert [fresh.get("a", lambda: next(asked)) for _ in range(3)] == [1, 1, 1]
    assert fresh.get("b", lambda: next(asked)) == 2
    clock[0] += 16
    assert fresh.get("a", lambda: next(asked)) == 3
    clock[0] += 1
    assert fresh.get("a", lambda: next(asked), 0.0) == 4


def test_who_may_have_an_old_answer_has_it_at_once_and_a_new_one_is_asked_for(clock, asked):
    fresh = Fresh(15)
    assert fresh.get("a", lambda: next(asked)) == 1
    clock[0] += 16
    assert fresh.get("a", lambda: next(asked), old_seconds=300) == 1
    eventually(lambda: fresh.get("a", lambda: next(asked), old_seconds=300) == 2)
    assert next(asked) == 3
    clock[0] += 301
    assert fresh.get("a", lambda: next(asked), old_seconds=300) == 4


def test_many_who_look_at_an_old_answer_have_one_new_one_asked_for(clock):
    fresh, may_answer, asked = Fresh(15), threading.Event(), []
    fresh.get("a", lambda: 1)
    clock[0] += 16

    def slow():
        asked.append(1)
        may_answer.wait(30)
        return 2

    assert [fresh.get("a", slow, old_seconds=300) for _ in range(20)] == [1] * 20
    may_answer.set()
    eventually(lambda: fresh.get("a", slow, old_seconds=300) == 2)
    assert len(asked) == 1


def test_what_fails_is_told_to_who_waits_and_is_not_kept(clock, asked):
    fresh = Fresh(15)

    def refuse():
        raise CloudError("no")

    with pytest.raises(CloudError):
        fresh.get("a", refuse)
    assert fresh.get("a", lambda: next(asked)) == 1
    clock[0] += 16
    assert fresh.get("a", refuse, old_seconds=300) == 1  # in the background, and nobody hears it
    clock[0] += 301
    with pytest.raises(CloudError):
        fresh.get("a", refuse, old_seconds=300)


@pytest.mark.parametrize(
    ("unchanged", "expected"),
    [(0.0, (15.0, 0.0)), (20.0, (20.0, 20.0)), (120.0, (60.0, 120.0)), (1e9, (60.0, 300.0))],
)
def test_who_looks_on_is_shown_nothing_from_before_a_runs_last_step_but_for_seconds(unchanged, expected):
    assert ages(unchanged) == expected


def test_no_more_is_kept_than_so_many(asked):
    fresh = Fresh(1000)
    for number in range(MOST_KEPT + 5):
        fresh.get(str(number), lambda: next(asked))
    assert fresh.get("0", lambda: next(asked)) == MOST_KEPT + 6
