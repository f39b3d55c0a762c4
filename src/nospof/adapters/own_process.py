"""nospof as a process of its own, which outlives whoever starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

ELSEWHERE = ("NOSPOF_SERVER", "NOSPOF_TOKEN", "NOSPOF_TOKEN_FILE")


def start(
    words: tuple[str, ...],
    out: IO[bytes],
    errors: IO[bytes],
    *,
    env: Mapping[str, str] | None = None,
    keeps: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Start a command, in a session of its own: no signal that is meant for us reaches it.

    Args:
        words: of the command line, after the program's name.
        out, errors: files that get what it says; pipes would end with us.
        env: its variables; None for ours. That a server is to be asked is not for it: it works here.
        keeps: files of ours that it holds, too.

    Raises:
        OSError: no process could be started.
    """
    known = os.environ if env is None else env
    here = {name: value for name, value in known.items() if name not in ELSEWHERE}
    return subprocess.Popen(
        [sys.executable, "-m", "nospof", *words],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=errors,
        start_new_session=True,
        env=here,
        pass_fds=keeps,
    )


def start_keeper(home: Path, run_id: str) -> None:
    """Start the keeper of a run: a process that outlives ours and mends what our death leaves.

    It sleeps on the run's lock.
    """
    env = {key: value for key, value in os.environ.items() if key != "NOSPOF_FAILPOINT"}
    with (home / "runs" / f"{run_id}.keeper.log").open("ab") as log:
        start(("runs", "keep", run_id), log, log, env=env)
