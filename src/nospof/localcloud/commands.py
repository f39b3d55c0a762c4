"""Run Command: scripts that really run inside machines, through the agent in the machine.

A command is `Pending` until the agent has it, so a dead or frozen machine gives `DeliveryTimedOut`
and never a success. Commands are kept over a restart of the gateway; one that was running then is
reported failed, because nobody saw its end.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.core.utils import utcnow

from nospof.localcloud.cloud import Cloud
from nospof.localcloud.machines.agent import AgentUnreachable, CommandResult
from nospof.localcloud.machines.hypervisor import MachineNotFound

PROBE_SECONDS = 2.0
RETRY_SECONDS = 0.5
OPEN = ("Pending", "InProgress")
KEPT_COMMANDS = 200


@dataclass
class Invocation:
    """One command on one instance."""

    instance_id: str
    status: str = "Pending"
    details: str = "Pending"
    exit_code: int = -1
    stdout: str = ""
    stderr: str = ""
    started: datetime | None = None
    ended: datetime | None = None

    def end(self, status: str, details: str = "", exit_code: int = -1) -> None:
        """Close the invocation; an end is never changed by a later one."""
        if self.status in OPEN:
            self.status, self.details, self.exit_code = status, details or status, exit_code
            self.ended = utcnow()


@dataclass
class Command:
    """One SendCommand."""

    account: str
    region: str
    document: str
    parameters: dict[str, list[str]]
    comment: str
    timeout_seconds: int
    invocations: dict[str, Invocation]
    targets: list[dict[str, Any]] = field(default_factory=list)
    requested: datetime = field(default_factory=utcnow)
    command_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def script(self) -> str:
        """Return what the machine's shell is given."""
        directory = "".join(self.parameters.get("workingDirectory") or [])
        change = [f"cd '{directory}' || exit 1"] if directory else []
        return "\n".join([*change, *self.parameters.get("commands", [])])

    @property
    def execution_seconds(self) -> float:
        """Return how long the script may run."""
        given = self.parameters.get("executionTimeout") or ["3600"]
        return float(given[0])

    @property
    def status(self) -> str:
        """Return the status over all instances, as ListCommands shows it."""
        states = [invocation.status for invocation in self.invocations.values()]
        for state in ("InProgress", "Pending", "Cancelled", "TimedOut", "Failed"):
            if state in states:
                return state
        return "Success"


class RunCommand:
    """Delivers commands to machines, one thread for each open invocation.

    Args:
        cloud: the running cloud; its lock guards the commands.
        takes_commands: whether an instance of that id runs and is not cut off from the network.
    """

    def __init__(self, cloud: Cloud, takes_commands: Callable[[str], bool]) -> None:
        self._cloud = cloud
        self._takes_commands = takes_commands
        self._closing = threading.Event()
        self.commands: dict[str, Command] = {}

    def adopt(self, commands: dict[str, Command]) -> None:
        """Take over the commands of an earlier gateway: deliver what was not, close what is unknown."""
        self.commands = commands
        for command in commands.values():
            for invocation in command.invocations.values():
                if invocation.status == "InProgress":
                    invocation.stderr = "The local cloud was restarted while this ran; its end is not known."
                    invocation.end("Failed", "Failed")
                elif invocation.status == "Pending":
                    self._deliver_in_background(command, invocation)

    def send(self, command: Command) -> None:
        """Accept a command and begin to deliver it. The lock is held by the caller."""
        while len(self.commands) >= KEPT_COMMANDS:
            del self.commands[next(iter(self.commands))]
        self.commands[command.command_id] = command
        for invocation in command.invocations.values():
            self._deliver_in_background(command, invocation)

    def cancel(self, command: Command, instance_ids: list[str]) -> None:
        """Cancel what has not ended. A script that runs is left to itself; its result is not taken."""
        for instance_id, invocation in command.invocations.items():
            if not instance_ids or instance_id in instance_ids:
                invocation.end("Cancelled")

    def close(self) -> None:
        """Stop trying to deliver."""
        self._closing.set()

    def _deliver_in_background(self, command: Command, invocation: Invocation) -> None:
        thread = threading.Thread(target=self._deliver, args=(command, invocation), daemon=True)
        thread.start()

    def _deliver(self, command: Command, invocation: Invocation) -> None:
        deadline = time.monotonic() + command.timeout_seconds
        while not self._closing.is_set():
            with self._cloud.lock:
                if invocation.status != "Pending":
                    return
            if self._takes_commands(invocation.instance_id) and self._run(command, invocation):
                return
            if time.monotonic() >= deadline:
                with self._cloud.lock:
                    invocation.end("TimedOut", "DeliveryTimedOut")
                self._cloud.dirty.set()
                return
            self._closing.wait(RETRY_SECONDS)

    def _run(self, command: Command, invocation: Invocation) -> bool:
        """Give the script to the machine; return False when its agent could not be reached."""
        hypervisor = self._cloud.hypervisor
        try:
            # An agent that answers this has the machine behind it; from here on the script may have run.
            hypervisor.execute(invocation.instance_id, ":", PROBE_SECONDS, patience_seconds=PROBE_SECONDS)
        except (AgentUnreachable, MachineNotFound):
            return False
        with self._cloud.lock:
            if invocation.status != "Pending":
                return True
            invocation.status = invocation.details = "InProgress"
            invocation.started = utcnow()
        self._cloud.dirty.set()
        try:
            result = hypervisor.execute(invocation.instance_id, command.script, command.execution_seconds)
        except (AgentUnreachable, MachineNotFound) as error:
            with self._cloud.lock:
                invocation.stderr = f"The machine's agent was lost while the command ran: {error}"
                invocation.end("Failed", "Failed")
        else:
            self._take(invocation, result)
        self._cloud.dirty.set()
        return True

    def _take(self, invocation: Invocation, result: CommandResult) -> None:
        with self._cloud.lock:
            if invocation.status != "InProgress":
                return  # cancelled meanwhile
            invocation.stdout, invocation.stderr = result.stdout, result.stderr
            if result.timed_out:
                invocation.end("TimedOut", "ExecutionTimedOut")
            elif result.exit_code == 0:
                invocation.end("Success", exit_code=0)
            else:
                invocation.end("Failed", exit_code=result.exit_code)
