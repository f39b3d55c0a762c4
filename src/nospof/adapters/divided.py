"""A reading divided between two processes: Python works on one processor at a time, AWS answers many.

The second process is forked once it is known who asks, so it has the credentials, and whoever had to
type a code was asked before. It ends when the first closes its lines or dies. A call that it does
not answer is made here: whatever becomes of it, nothing is missing and no error is told twice.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import signal
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, Pipe
from typing import Any

from nospof.model.cloud import Identity
from nospof.ports.discovery import Discovery, Page

LINES = 16
"""As many calls as a reading makes at once."""
HERE = "ec2"
"""Its answers are the longest: as much work as the clients of all other services together."""
SHARED = "elbv2"
"""Asked for each of its groups: both processes ask."""


class DividedDiscovery:
    """Implements `ports.discovery.Discovery`.

    Make it before any thread is started: a fork takes only its own with it.

    Args:
        discovery: who answers, here and there.
    """

    def __init__(self, discovery: Discovery) -> None:
        self.source = discovery.source
        self._identity = discovery.identity()
        self._discovery = discovery
        self._turns = itertools.count()
        process, lines = fork_reader(discovery)
        self._lines: queue.SimpleQueue[Connection[Any, Any]] = queue.SimpleQueue()
        for line in lines:
            self._lines.put(line)
        self._end = weakref.finalize(self, end, process, lines)

    def identity(self) -> Identity:
        """See the port."""
        return self._identity

    def pages(self, call: str, arguments: Mapping[str, object], *, is_global: bool = False) -> Iterator[Page]:
        """See the port."""
        told = None if self._is_asked_here(call) else self._asked_there(call, arguments, is_global)
        if told is None:
            yield from self._discovery.pages(call, arguments, is_global=is_global)
            return
        pages, error = told
        yield from pages
        if error is not None:
            raise error

    def _is_asked_here(self, call: str) -> bool:
        service = call.partition(":")[0]
        return service == HERE or (service == SHARED and next(self._turns) % 2 == 0)

    def _asked_there(self, *asked: Any) -> tuple[list[Page], Exception | None] | None:
        """Return what the other process was answered, or None where it is gone."""
        line = self._lines.get()
        try:
            line.send(asked)
            told: tuple[list[Page], Exception | None] = line.recv()
        except (EOFError, OSError):
            return None
        else:
            return told
        finally:
            self._lines.put(line)


def divided(discovery: Discovery) -> Discovery:
    """Return a discovery that uses two processors, where there are two."""
    return DividedDiscovery(discovery) if len(os.sched_getaffinity(0)) > 1 else discovery


def fork_reader(discovery: Discovery) -> tuple[int, list[Connection[Any, Any]]]:
    """Start the process that asks; return it, and the lines it is asked by, each for a call at a time."""
    pairs = [Pipe() for _ in range(LINES)]
    process = os.fork()
    if process:
        for _, theirs in pairs:
            theirs.close()
        return process, [ours for ours, _ in pairs]
    # Whoever interrupts us interrupts our parent too, whose end is ours.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for ours, _ in pairs:
            ours.close()
        serve(discovery, [theirs for _, theirs in pairs])
    finally:
        os._exit(0)  # Not by raising: what our parent would do on its way out is not ours to do.
    raise AssertionError


def serve(discovery: Discovery, lines: Sequence[Connection[Any, Any]]) -> None:
    """Answer what comes by the lines until all are closed."""
    threads = [threading.Thread(target=serve_line, args=(discovery, line)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def serve_line(discovery: Discovery, line: Connection[Any, Any]) -> None:
    """Answer what comes by a line until it is closed, or until an answer cannot be sent."""
    with line, contextlib.suppress(Exception):
        while True:
            call, arguments, is_global = line.recv()
            line.send(answer(discovery, call, arguments, is_global=is_global))


def answer(
    discovery: Discovery, call: str, arguments: Mapping[str, object], *, is_global: bool
) -> tuple[list[Page], Exception | None]:
    """Return the pages of a call, and the error that ended them, if any did."""
    pages: list[Page] = []
    try:
        for page in discovery.pages(call, arguments, is_global=is_global):
            pages.append(page)  # noqa: PERF402 (what came before an error is kept)
    except Exception as error:  # noqa: BLE001 (it is raised in the process that asked)
        return pages, error
    return pages, None


def end(process: int, lines: Sequence[Connection[Any, Any]]) -> None:
    """End the process that asks: it has nothing to finish once nobody waits for its answer."""
    for line in lines:
        line.close()
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process, 0)
