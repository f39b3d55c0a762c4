"""Processes, as /proc tells of them: which one is meant, what came of it, what it has started.

A process is named by number *and* start time, and signalled through a pidfd, so that a number used
again is never mistaken for the process that had it before.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_POLL_SECONDS = 0.002


@dataclass(frozen=True)
class Stat:
    """What a line of /proc/<pid>/stat says; the name in it may hold spaces and parentheses."""

    pid: int
    parent: int
    state: str
    started: int

    @classmethod
    def parse(cls, line: str) -> Stat:
        """Read one line. Raises ValueError or IndexError when it is not one."""
        head, _, tail = line.rpartition(")")
        fields = tail.split()
        return cls(int(head.split()[0]), int(fields[1]), fields[0], int(fields[19]))


def stat_of(pid: int) -> Stat | None:
    """Return what is known of a process, or None when there is none or it has ended."""
    try:
        stat = Stat.parse((PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, IndexError):
        return None
    return None if stat.state in "ZX" else stat


@dataclass(frozen=True)
class Process:
    """One process, for as long as it lives."""

    pid: int
    started: int

    def stat(self) -> Stat | None:
        """Return its state now, or None once it has ended."""
        stat = stat_of(self.pid)
        return stat if stat and stat.started == self.started else None

    def send(self, number: signal.Signals) -> None:
        """Send a signal. A process that has ended is no error."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # Looked at after opening: from here on the handle can mean no other process.
            if self.stat():
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)


def all_processes() -> list[Stat]:
    """Return every living process this one can see."""
    found = (stat_of(int(name)) for name in os.listdir(PROC) if name.isdigit())
    return [stat for stat in found if stat]


def children_of(process: Process) -> list[Process]:
    """Return the living children of a process."""
    return [Process(s.pid, s.started) for s in all_processes() if s.parent == process.pid]


def descendants_of(ancestors: Iterable[Process]) -> list[Process]:
    """Return everything the processes have started, directly or not, that is still their descendant."""
    children: dict[int, list[Process]] = {}
    for stat in all_processes():
        children.setdefault(stat.parent, []).append(Process(stat.pid, stat.started))
    found: list[Process] = []
    waiting = [ancestor.pid for ancestor in ancestors]
    while waiting:
        for child in children.pop(waiting.pop(), []):
            found.append(child)
            waiting.append(child.pid)
    return found


def having_in_environment(entry: bytes) -> list[Process]:
    """Return the processes that were started with this entry ("NAME=value") in their environment.

    It finds those that cut every tie to their ancestors; those of other users stay unseen.
    """
    wanted = b"\0" + entry + b"\0"
    found = []
    for stat in all_processes():
        try:
            environment = (PROC / str(stat.pid) / "environ").read_bytes()
        except OSError:
            continue
        if wanted in b"\0" + environment:
            found.append(Process(stat.pid, stat.started))
    return found


def wait_until_gone(processes: Iterable[Process], timeout_seconds: float) -> None:
    """Wait until all have ended. Raises TimeoutError when one has not in time."""
    deadline = time.monotonic() + timeout_seconds
    for process in processes:
        while process.stat():
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {process.pid} has not ended after {timeout_seconds:g} s")
            time.sleep(_POLL_SECONDS)
