"""nospof as a process of its own, which outlives whoever starts it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import IO


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
        env: its variables; None for ours.
        keeps: files of ours that it holds, too.

    Raises:
        OSError: no process could be started.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "nospof", *words],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=errors,
        start_new_session=True,
        env=env,
        pass_fds=keeps,
    )
