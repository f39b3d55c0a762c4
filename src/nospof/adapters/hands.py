"""What was asked for from afar as processes of their own, each of which outlives whoever started it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import IO

from nospof.adapters.own_process import start
from nospof.model.asked import AskedRun


class ProcessHands:
    """Implements `services.asking.Hands`: a `nospof` for each, in a session of its own, with a log.

    Args:
        home: the state directory, prepared; logs lie beside the runs' locks.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def host(self) -> str:
        """See the protocol."""
        return os.uname().nodename

    def start(self, asked: AskedRun, held: IO[str]) -> None:
        """See the protocol."""
        self._children = [one for one in self._children if one.poll() is None]
        with log_path(self._home, asked.run_id).open("ab") as log:
            words = ("runs", "begin", str(asked.number))
            self._children.append(start(words, log, log, keeps=(held.fileno(),)))


def log_path(home: Path, run_id: str) -> Path:
    """Return the file that has what a run's processes said."""
    return home / "runs" / f"{run_id}.log"


def log_of(home: Path, run_id: str) -> str:
    """Return what a run's processes have said; nothing where they were not begun from afar."""
    try:
        return log_path(home, run_id).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
