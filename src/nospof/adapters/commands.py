"""Commands of the operator's own, run where nospof runs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress

SAID_CHARACTERS = 500


class ShellCommands:
    """Implements `ports.world.Commands` by the shell."""

    def run(self, command: str, variables: Mapping[str, str], within_seconds: float) -> str:
        """See the port. What it started is ended with it when its time is over."""
        with subprocess.Popen(
            ["/bin/sh", "-c", command],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                said = process.communicate(timeout=within_seconds)[0]
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                return f"it had not ended after {within_seconds:g} s"
        if process.returncode == 0:
            return ""
        told = " ".join(said.split())[-SAID_CHARACTERS:]
        return f"it ended with {process.returncode}" + (f": {told}" if told else "")
