"""How to have a script run inside a machine: the client of the agent in its init.

The agent is part of the machine. When the machine is frozen, off or dying there is no answer, and
that is an error of its own: never an exit code.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS = 5.0


class AgentUnreachable(Exception):
    """The machine's agent does not answer: it is off, frozen, still starting, or went down meanwhile."""


@dataclass(frozen=True)
class CommandResult:
    """How a script ended; of each output its first 24,000 characters, as Systems Manager keeps."""

    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool


def run_script(
    run_directory: Path, script: str, timeout_seconds: float, patience_seconds: float = PATIENCE_SECONDS
) -> CommandResult:
    """Run a script in a machine and wait for its end.

    Args:
        run_directory: where the machine has its agent's socket.
        script: run as its first line says ("#!/bin/bash"), or by sh.
        timeout_seconds: after which the script and what it started is killed.
        patience_seconds: how long the agent may take to answer at all.

    Raises:
        AgentUnreachable: nothing is known of the script; it may have run.
    """
    request = {"script": script, "timeout_seconds": timeout_seconds}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience_seconds)
        try:
            _connect(connection, run_directory)
            # A frozen machine accepts connections (its kernel is ours) but says nothing.
            if not connection.recv(16):
                raise AgentUnreachable("the machine is going down")
            connection.sendall(json.dumps(request).encode() + b"\n")
            connection.settimeout(timeout_seconds + patience_seconds)
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        except OSError as error:
            raise AgentUnreachable(f"the agent does not answer: {error}") from error
    if not answer.endswith(b"\n"):
        raise AgentUnreachable("the machine went down while the command ran")
    return CommandResult(**json.loads(answer))


def _connect(connection: socket.socket, run_directory: Path) -> None:
    # Through a handle of the directory: a socket's name is limited to 108 bytes.
    directory = os.open(run_directory, os.O_PATH | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{directory}/agent.sock")
    finally:
        os.close(directory)
