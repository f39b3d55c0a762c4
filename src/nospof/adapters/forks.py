"""Work shared out to forked processes: each inherits all there is and keeps what it makes; answers travel.

The answers are those of one process, in the same order, whatever becomes of the others: the pieces of
one that ends early are worked on here, so an error shows where it would have without them.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Any, Self
from zlib import crc32

LEAST = 64
"""With fewer pieces to work on nobody is forked: a process and its answers take 20 ms."""


@dataclass(frozen=True)
class Fork:
    """A process that works, and the line it is told by."""

    process: int
    line: Connection[Any, Any]


class ForkedCrew:
    """Implements `audit.crew.Crew` with a process for each processor.

    Use it with no other thread at work.

    Args:
        worker: does the work; a piece is always given to the same process, which may remember it.
    """

    def __init__(self, worker: object) -> None:
        self._worker = worker
        self._forks: list[Fork] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        while self._forks:
            end(self._forks.pop())

    def map(self, what: str, pieces: Sequence[Any]) -> list[Any]:
        """See the protocol."""
        if len(pieces) >= LEAST and not self._forks:
            for _ in range(len(os.sched_getaffinity(0)) - 1):
                self._forks.append(fork(self._worker, self._forks))
        shares: list[list[Any]] = [[] for _ in range(len(self._forks) + 1)]
        owners = [crc32(piece.key.encode()) % len(shares) for piece in pieces]
        for owner, piece in zip(owners, pieces, strict=True):
            shares[owner].append(piece)
        for each, share in zip(self._forks, shares[1:], strict=True):
            with contextlib.suppress(OSError):
                each.line.send((what, share))
        answers = [iter(work(self._worker, what, shares[0]))]
        for each, share in zip(self._forks, shares[1:], strict=True):
            told = answer_of(each)
            answers.append(iter(work(self._worker, what, share) if told is None else told))
        return [next(answers[owner]) for owner in owners]


def work(worker: object, what: str, share: Sequence[Any]) -> list[Any]:
    """Return what a worker makes of its share."""
    do = getattr(worker, what)
    return [do(piece) for piece in share]


def fork(worker: object, others: Sequence[Fork]) -> Fork:
    """Start a process that works on what it is told until its line is closed."""
    ours, theirs = Pipe()
    process = os.fork()
    if process:
        theirs.close()
        return Fork(process, ours)
    # Whoever interrupts us interrupts our parent too, whose end is ours.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ours.close()
        for each in others:
            each.line.close()
        while True:
            what, share = theirs.recv()
            theirs.send(work(worker, what, share))
    finally:
        os._exit(0)  # Not by raising: what our parent would do on its way out is not ours to do.


def answer_of(fork: Fork) -> list[Any] | None:
    """Return what a process made of its share, or None where it ended early."""
    with contextlib.suppress(EOFError, OSError):
        found: list[Any] = fork.line.recv()
        return found
    return None


def end(fork: Fork) -> None:
    """End a process, whatever it is doing, and forget it."""
    fork.line.close()
    with contextlib.suppress(ProcessLookupError):
        os.kill(fork.process, signal.SIGKILL)
    os.waitpid(fork.process, 0)
