"""The services and the commands of a machine: what its init starts besides units."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import time
from pathlib import Path

from nospof.localcloud.machines.guest import Guest, say, script_command

BACKOFF_FIRST_SECONDS = 0.1
BACKOFF_LAST_SECONDS = 10.0
SETTLED_SECONDS = 10.0  # a service that ran this long starts its backoff anew
OUTPUT_CHARACTERS = 24_000  # what Systems Manager keeps of a command's output
COMMAND_SECONDS = 172_800.0  # the longest executionTimeout of Systems Manager
PIPE_BYTES = 1 << 16  # all a pipe can hold, so one read at the end misses nothing


class Service:
    """One executable of etc/services: started again, a little later each time, whenever it ends."""

    def __init__(self, guest: Guest, path: Path) -> None:
        self._guest = guest
        self.path = path
        self.name = path.name
        self.pid = 0
        self.started = 0.0
        self.start_at = 0.0
        self.backoff = BACKOFF_FIRST_SECONDS

    def start(self) -> None:
        """Start it; what cannot be started is tried again as if it had died."""
        self.started = time.monotonic()
        try:
            with (self._guest.log / f"{self.name}.log").open("ab") as log:
                self.pid = self._guest.spawn([str(self.path)], log.fileno(), log.fileno())
        except OSError as error:
            say(f"service {self.name} cannot be started: {error}")
            self.ended()

    def ended(self, how: str = "") -> None:
        """Note its end and decide when it is started again."""
        self.pid = 0
        if time.monotonic() - self.started > SETTLED_SECONDS:
            self.backoff = BACKOFF_FIRST_SECONDS
        self.start_at = time.monotonic() + self.backoff
        if how:
            say(f"service {self.name} {how}; starting it again in {self.backoff:g} s")
        self.backoff = min(self.backoff * 2, BACKOFF_LAST_SECONDS)


class Command:
    """One connection to the agent: a script to run, its output as it comes, its end."""

    def __init__(self, guest: Guest, connection: socket.socket) -> None:
        self._guest = guest
        self.connection = connection
        self.request = b""
        self.pid = 0
        self.script = guest.run / "commands" / str(id(self))
        self.pipes: dict[str, int] = {}
        self.output = {"stdout": b"", "stderr": b""}
        self.deadline = float("inf")
        self.timed_out = False

    def run(self) -> None:
        """Start the script that was asked for. Raises OSError, or what a malformed request raises."""
        request = json.loads(self.request)
        # In this order, so that what is no number at all is the longest time too.
        self.deadline = time.monotonic() + min(COMMAND_SECONDS, float(request["timeout_seconds"]))
        self.script.write_text(request["script"], encoding="utf-8")
        self.script.chmod(stat.S_IRWXU)
        writers = {}
        for name in self.output:
            self.pipes[name], writers[name] = os.pipe()
            os.set_blocking(self.pipes[name], False)
        try:
            command = script_command(self.script)
            self.pid = self._guest.spawn(command, writers["stdout"], writers["stderr"])
        finally:
            for writer in writers.values():
                os.close(writer)

    def read(self, name: str) -> bool:
        """Take what a pipe holds, keeping only as much as is reported. Return False at its end."""
        try:
            data = os.read(self.pipes[name], PIPE_BYTES)
        except BlockingIOError:
            return True
        room = 4 * OUTPUT_CHARACTERS - len(self.output[name])  # a character has up to 4 bytes
        self.output[name] += data[:room] if room > 0 else b""
        return bool(data)

    def answer(self, exit_code: int) -> None:
        """Report how the script ended. Nobody left to hear it is no error."""
        text = {k: v.decode(errors="replace")[:OUTPUT_CHARACTERS] for k, v in self.output.items()}
        line = json.dumps({"exit_code": exit_code, "timed_out": self.timed_out, **text}) + "\n"
        with contextlib.suppress(OSError):
            self.connection.settimeout(1.0)
            self.connection.sendall(line.encode())
