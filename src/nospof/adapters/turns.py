"""Turns of members as processes of their own: each outlives whoever began it, and is told how it ended."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal

from nospof.adapters.own_process import start
from nospof.errors import ExitCode, PreconditionFailed
from nospof.model.news import EndedTurn

SAID_CHARACTERS = 500
REFUSED = (ExitCode.REFUSED, ExitCode.CLOUD_REFUSED)
"""Nothing was changed, by what these mean."""


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    out: IO[bytes]
    errors: IO[bytes]
    run_id: str = ""


class ChildTurns:
    """Implements `services.turns.Turns`: a `nospof` for each, in a session of its own.

    No signal that is meant for whoever began it reaches it, and it goes on to its end where that one ends.
    """

    def __init__(self) -> None:
        self._children: dict[str, _Child] = {}

    @property
    def under_way(self) -> Sequence[str]:
        """See the protocol."""
        return tuple(self._children)

    def begin(self, instance_id: str) -> None:
        """See the protocol."""
        self._start(instance_id, "maintain", "take", instance_id, "--yes")

    def resume(self, run_id: str, instance_id: str) -> None:
        """See the protocol."""
        self._start(instance_id, "runs", "resume", run_id)
        self._children[instance_id].run_id = run_id

    def _start(self, instance_id: str, *command: str) -> None:
        # Files, not pipes: whoever reads them may be gone before there is anything to read.
        out, errors = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 - `read` closes them
        try:
            process = start((*command, "--format", "json"), out, errors)
        except OSError as error:
            out.close()
            errors.close()
            raise PreconditionFailed(
                f"the turn of {instance_id} could not be begun: no process could be started "
                f"({error.strerror}). Nothing was changed."
            ) from error
        self._children[instance_id] = _Child(process, out, errors)

    def ended(self) -> Sequence[EndedTurn]:
        """See the protocol."""
        found = []
        for instance_id, child in tuple(self._children.items()):
            if child.process.poll() is not None:
                del self._children[instance_id]
                found.append(outcome(instance_id, child))
        return found


def outcome(instance_id: str, child: _Child) -> EndedTurn:
    """Return how a turn ended, by what its process said and by its exit code."""
    code, said = child.process.returncode, told(child.out)
    errors = read(child.errors)
    run_id = str(said.get("run_id") or child.run_id)
    if code == ExitCode.DONE:
        result = said.get("result") or {}
        seconds = result.get("seconds_out_of_service")
        took = f" after {seconds:.0f} s out of it" if isinstance(seconds, int | float) else ""
        return EndedTurn(instance_id, run_id, "done", f"{instance_id} is back in its service{took}")
    error = said.get("error") or {}
    last = " ".join(errors.split())[-SAID_CHARACTERS:]
    ended = f"its process was killed by signal {-code}" if code < 0 else f"its process ended with {code}"
    says = str(error.get("message") or f"{ended}{': ' if last else ''}{last}")
    run_id = str(error.get("run_id") or run_id)
    how: Literal["refused", "failed"] = "refused" if code in REFUSED else "failed"
    return EndedTurn(instance_id, run_id, how, says, str(error.get("step") or ""))


def told(file: IO[bytes]) -> dict[str, Any]:
    """Return the JSON that a process wrote last; nothing where it wrote none."""
    try:
        found = json.loads(read(file))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def read(file: IO[bytes]) -> str:
    """Return what a process wrote, and let go of it."""
    with file:
        file.seek(0, os.SEEK_SET)
        return file.read().decode(errors="replace")
