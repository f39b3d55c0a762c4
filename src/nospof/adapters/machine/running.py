"""Commands inside machines, through Systems Manager: the run program, strictly read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from nospof.adapters.machine.answers import Asking, Program, Unfit, number, text, texts
from nospof.adapters.machine.ssm import RUN_PARTS, SsmMachines
from nospof.model.layout import Applied
from nospof.model.maintaining import CommandState, Stage

SCHEMA = "nospof.run/1"
SECONDS = 120
LOOKS = {"state": "nospof asks how far a command is; it changes nothing"}
PROGRAM = Program("run", RUN_PARTS, SCHEMA, LOOKS, "maintenance", {}, SECONDS)


class SsmRunning:
    """Implements `ports.running.Running`."""

    def __init__(self, machines: SsmMachines) -> None:
        self._program = Asking(machines, PROGRAM)

    def begin(self, instance_id: str, token: str, command: str, seconds: int) -> Applied:
        """See the port."""
        return self._program.change(instance_id, "begin", token=token, command=command, seconds=seconds)

    def state(self, instance_id: str, token: str) -> CommandState:
        """See the port."""
        return self._program.ask(instance_id, "state", state_of, CommandState, token=token)


def state_of(answer: Mapping[str, Any]) -> CommandState:
    """Return how far a command is. Raises ValueError."""
    problem, stage = text(answer, "problem"), text(answer, "state")
    if not problem and (stage not in get_args(Stage) or not stage):
        raise Unfit(f"{stage!r} is no state of a command")
    return CommandState(
        state=stage,  # type: ignore[arg-type]  # looked at above
        exit_code=number(answer, "exit_code"),
        says=text(answer, "says"),
        lines=texts(answer, "lines"),
        boot=text(answer, "boot"),
        problem=problem,
    )
