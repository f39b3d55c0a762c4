"""A map over processes: the answer of `map`, whatever becomes of the processes."""

from __future__ import annotations

import os
import signal

import pytest

from nospof.adapters.forks import LEAST, forked_map

ENOUGH = range(LEAST * 3)


@pytest.fixture(autouse=True)
def _two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def children() -> list[str]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return file.read().split()


def test_the_answers_are_in_order_and_two_processes_gave_them() -> None:
    found = forked_map(lambda one: (one, os.getpid()), ENOUGH)
    assert [one for one, _ in found] == list(ENOUGH)
    assert len({process for _, process in found}) == 2
    assert children() == []


def test_little_work_starts_no_process() -> None:
    assert {forked_map(lambda _: os.getpid(), range(LEAST))[0]} == {os.getpid()}


def test_an_error_is_raised_here_as_it_would_have_been_without_processes() -> None:
    with pytest.raises(ZeroDivisionError):
        forked_map(lambda one: 1 // (one - 1), ENOUGH)  # The second piece is in the other process's share.
    assert children() == []


def test_the_share_of_a_process_that_is_killed_is_worked_on_here() -> None:
    here = os.getpid()

    def work(one: int) -> int:
        if os.getpid() != here and one > LEAST:
            os.kill(os.getpid(), signal.SIGKILL)
        return one * one

    assert forked_map(work, ENOUGH) == [one * one for one in ENOUGH]


def test_whoever_is_interrupted_leaves_no_process_behind() -> None:
    here = os.getpid()

    def work(one: int) -> int:
        if os.getpid() == here:
            raise KeyboardInterrupt
        signal.pause()
        return one

    with pytest.raises(KeyboardInterrupt):
        forked_map(work, ENOUGH)
    assert children() == []


def test_an_answer_that_cannot_be_sent_is_made_here() -> None:
    found = forked_map(lambda one: lambda: one, ENOUGH)
    assert [one() for one in found] == list(ENOUGH)
