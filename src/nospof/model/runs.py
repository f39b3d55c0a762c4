"""A run: one telling of a procedure, with its journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

RunState = Literal["waiting", "running", "interrupted", "elsewhere", "done", "refused", "failed"]


@dataclass(frozen=True)
class RunStep:
    """A recorded step. Times are seconds since the epoch; `error` is empty when it succeeded."""

    number: int
    name: str
    started_at: float
    finished_at: float
    error: str = ""
    result: Any = None


@dataclass(frozen=True)
class Run:
    """A run as the journal has it; one that is `waiting` was asked for from afar and is not there yet.

    `interrupted` means that its process is gone and the run can be resumed; `elsewhere`, that another
    machine began it and only its people know whether that machine still works on it. `workflow_id` is the
    engine's id of the latest attempt, `schema` the version of the stories that began it, `place` the
    account and region it is about. `problem` says of an error what programs ask for: its kind, and more as
    `NospofError.details` has it; empty where there is none.
    """

    id: str
    procedure: str
    request: dict[str, Any]
    state: RunState
    started_at: float
    updated_at: float
    error: str = ""
    attempts: int = 1
    steps: tuple[RunStep, ...] = field(default=())
    result: Any = None
    workflow_id: str = ""
    schema: str = ""
    place: str = ""
    problem: dict[str, Any] = field(default_factory=dict)
