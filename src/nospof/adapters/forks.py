"""A map over the computer's processors: forked processes inherit the work, and only results travel.

The answer is that of `map`, in the same order, whatever becomes of the processes: the share of one
that ends early is worked on here, so an error shows where it would have without them.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

LEAST = 32
"""Fewer pieces than this for each process are not worth one: a fork and its answer take 20 ms."""


@dataclass(frozen=True)
class Fork:
    """A process that works on a share, and where its answer comes from."""

    process: int
    pipe: int


def forked_map(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return what a function makes of each item, in order; each processor takes a share.

    Call it with no other thread at work, and with a function that only computes.
    """
    work = list(items)
    workers = min(len(os.sched_getaffinity(0)), len(work) // LEAST)
    if workers < 2:
        return [function(one) for one in work]
    shares = [work[start::workers] for start in range(workers)]
    forks: list[Fork] = []
    try:
        forks.extend(fork(function, share) for share in shares[1:])
        answers = [[function(one) for one in shares[0]]]
        for share, each in zip(shares[1:], forks, strict=True):
            told = answer_of(each)
            answers.append([function(one) for one in share] if told is None else told)
    finally:
        for each in forks:
            end(each)
    return [answers[number % workers][number // workers] for number in range(len(work))]


def fork(function: Callable[[T], R], share: Sequence[T]) -> Fork:
    """Start a process that works on a share and says what it made of it."""
    reader, writer = os.pipe()
    process = os.fork()
    if process:
        os.close(writer)
        return Fork(process, reader)
    # Whoever interrupts us interrupts our parent too, which ends us; nothing else of ours may be run.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = 1
    try:
        os.close(reader)
        with open(writer, "wb") as pipe:
            pickle.dump([function(one) for one in share], pipe, pickle.HIGHEST_PROTOCOL)
        code = 0
    finally:
        os._exit(code)  # Not by raising: what our parent would do on its way out is not ours to do.
    raise AssertionError


def answer_of(fork: Fork) -> list[Any] | None:
    """Return what a process made of its share, or None where it ended early."""
    with open(fork.pipe, "rb", closefd=False) as pipe, contextlib.suppress(EOFError, pickle.UnpicklingError):
        found: list[Any] = pickle.load(pipe)  # noqa: S301 (our own process wrote it)
        return found
    return None


def end(fork: Fork) -> None:
    """End a process, whatever it is doing, and forget it."""
    os.close(fork.pipe)
    with contextlib.suppress(ProcessLookupError):
        os.kill(fork.process, signal.SIGKILL)
    os.waitpid(fork.process, 0)
