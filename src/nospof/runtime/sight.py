"""A run's own words for what it is doing, in a file beside its lock, for those who look on from elsewhere."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from nospof.model.drill import LoadProgress
from nospof.model.sight import LoadSeen, Sight
from nospof.ports.world import Reporter
from nospof.runtime.codec import from_plain, to_plain

WRITE_SECONDS = 0.5
MOST_LOADS = 300
"""Where there are more, each second one goes: a picture has no more room either."""


class Listener(Protocol):
    """Whoever shows the steps as they happen."""

    def step_began(self, name: str) -> None:
        """Show that a step is under way."""

    def step_ended(self, name: str, error: str = "") -> None:
        """Show that it is recorded, or that it failed."""

    def step_replayed(self, name: str) -> None:
        """Show that an earlier process had done it."""


class Shown:
    """Passes on what a run tells, and keeps the latest of it for others. Implements both protocols.

    Args:
        file: that is replaced each time; where that cannot be, the run goes on all the same.
        listener: is told of steps.
        reporter: is told what they do; None where nobody is.
    """

    def __init__(self, file: Path, listener: Listener, reporter: Reporter | None) -> None:
        self._file, self._listener, self._reporter = file, listener, reporter
        self._sight = read_sight(file)  # an earlier process's load is a part of this run
        self._written_at = 0.0
        self._load_seconds = WRITE_SECONDS

    def step_began(self, name: str) -> None:
        """Pass on and show."""
        self._listener.step_began(name)
        self._show(Sight(name, time.time(), loads=self._sight.loads), is_due=True)

    def step_ended(self, name: str, error: str = "") -> None:
        """Pass on; nothing is under way until the next one begins."""
        self._listener.step_ended(name, error)
        self._show(Sight(loads=self._sight.loads), is_due=True)

    def step_replayed(self, name: str) -> None:
        """Pass on."""
        self._listener.step_replayed(name)

    def progress(self, says: str, done: float | None = None) -> None:
        """Pass on and show."""
        if self._reporter:
            self._reporter.progress(says, done)
        self._show(replace(self._sight, says=says, done=done))

    def warn(self, says: str) -> None:
        """Pass on; what stays to be read is in the log."""
        if self._reporter:
            self._reporter.warn(says)

    def loaded(self, phase: str, load: LoadProgress) -> None:
        """Pass on and show; the load is kept so that all of it can be drawn."""
        if self._reporter:
            self._reporter.loaded(phase, load)
        loads = self._sight.loads
        before = loads[-1] if loads else None
        if before and before.phase == phase and 0 <= load.seconds - before.load.seconds < self._load_seconds:
            return
        if before and load.seconds < before.load.seconds:
            loads = ()  # the load of an earlier attempt, which came to nothing
        if len(loads) >= MOST_LOADS:
            loads, self._load_seconds = loads[::2], self._load_seconds * 2
        self._show(replace(self._sight, says=phase, done=None, loads=(*loads, LoadSeen(phase, load))))

    def _show(self, sight: Sight, *, is_due: bool = False) -> None:
        """Keep it, and write it now or when it is time."""
        self._sight = sight
        now = time.monotonic()
        if not is_due and now < self._written_at + WRITE_SECONDS:
            return
        self._written_at = now
        with suppress(OSError):
            new = self._file.with_suffix(f".{os.getpid()}.new")
            new.write_text(json.dumps(to_plain(sight, Sight)), encoding="utf-8")
            new.replace(self._file)


def sight_path(home: Path, run_id: str) -> Path:
    """Return the file in which a run says what it is doing."""
    return home / "runs" / f"{run_id}.now.json"


def read_sight(file: Path) -> Sight:
    """Return what stands in the file; nothing where there is none, or what another version wrote."""
    try:
        sight: Sight = from_plain(json.loads(file.read_text(encoding="utf-8")), Sight)
    except (OSError, ValueError, TypeError, KeyError):
        return Sight()
    return sight
