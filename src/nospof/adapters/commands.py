"""Commands of the operator's own, run where nospof runs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

SAID_CHARACTERS = 500


class ShellCommands:
    """Implements `ports.world.Commands` by the shell."""

    def run(self, command: str, variables: Mapping[str, str], within_seconds: float) -> str:
        """See the port. What it started is ended with it when its time is over."""
        return why_not_done(["/bin/sh", "-c", command], variables, within_seconds)


def why_not_done(
    words: Sequence[str],
    variables: Mapping[str, str],
    within_seconds: float,
    *,
    given: str = "",
    characters: int = SAID_CHARACTERS,
) -> str:
    """Run a program to its end; return what went wrong, or nothing. Never raises.

    What it started is ended with it when its time is over.

    Args:
        variables: of its environment, beside our own.
        given: on its standard input.
        characters: so much of the end of what it said is told.
    """
    try:
        process = subprocess.Popen(
            words,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return f"it could not be run: {error.strerror}"
    with process:
        try:
            said = process.communicate(given, timeout=within_seconds)[0]
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return f"it had not ended after {within_seconds:g} s"
    if process.returncode == 0:
        return ""
    told = " ".join(said.split())[-characters:]
    return f"it ended with {process.returncode}" + (f": {told}" if told else "")
