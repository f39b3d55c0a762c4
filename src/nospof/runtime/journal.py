"""Read the journal without the engine that wrote it, so that listing runs costs nothing.

The engine's tables are read with plain SQL; a test holds this against the engine's own answers.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from nospof.errors import CloudError, NotFound, PreconditionFailed, UnknownOutcome, UsageError
from nospof.model.runs import Run, RunState, RunStep
from nospof.runtime.home import is_alive

REFUSALS = frozenset(
    kind.__name__ for kind in (PreconditionFailed, UsageError, CloudError, NotFound, UnknownOutcome)
)
"""Errors that leave a story before it changed anything; afterwards it is always ProcedureFailed."""

WORKFLOWS = """
    select w.workflow_uuid, w.status, w.created_at, w.updated_at, w.application_version,
           i.inputs, o.output, o.error
    from workflow_status w
    left join workflow_input i using (workflow_uuid)
    left join workflow_output o using (workflow_uuid)
    where w.name = 'procedure'
    order by w.created_at, w.workflow_uuid
"""
STEPS = """
    select function_id, function_name, started_at_epoch_ms, completed_at_epoch_ms, output, error
    from operation_outputs where workflow_uuid = ? order by function_id
"""


class Journal:
    """The runs of this machine."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._database = home / "journal.sqlite"

    def runs(self) -> tuple[Run, ...]:
        """Return every run, oldest first, without its steps."""
        with self._open() as connection:
            rows = connection.execute(WORKFLOWS).fetchall() if connection else []
        attempts: dict[str, list[Any]] = {}
        for row in rows:
            attempts.setdefault(row[0].partition(".")[0], []).append(row)
        return tuple(self._run(run_id, told) for run_id, told in attempts.items())

    def run(self, run_id: str) -> Run:
        """Return one run with its steps.

        Raises:
            UsageError: there is none of that id.
        """
        for run in self.runs():
            if run.id == run_id:
                return self._with_steps(run)
        raise UsageError(f"there is no run {run_id} in {self._home}; see: nospof runs list")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        if not self._database.exists():
            yield None
            return
        try:
            with closing(
                sqlite3.connect(f"{self._database.as_uri()}?mode=ro", uri=True, timeout=10)
            ) as opened:
                yield opened
        except sqlite3.Error as error:
            raise PreconditionFailed(f"the journal {self._database} cannot be read: {error}") from error

    def _run(self, run_id: str, told: list[Any]) -> Run:
        workflow_id, status, _, updated, version, inputs, output, error = told[-1]
        procedure, request, _, place = json.loads(inputs)["positionalArgs"]
        problem = json.loads(error) if error else {}
        return Run(
            id=run_id,
            procedure=procedure,
            request=request,
            state=self._state(run_id, status, problem.get("name", "")),
            started_at=told[0][2] / 1000,
            updated_at=updated / 1000,
            error=problem.get("message", ""),
            attempts=len(told),
            result=json.loads(output) if output else None,
            workflow_id=workflow_id,
            schema=version,
            place=place,
        )

    def _state(self, run_id: str, status: str, error_name: str) -> RunState:
        if status == "SUCCESS":
            return "done"
        if status == "ERROR":
            return "refused" if error_name in REFUSALS else "failed"
        return "running" if is_alive(self._home, run_id) else "interrupted"

    def _with_steps(self, run: Run) -> Run:
        with self._open() as connection:
            rows = connection.execute(STEPS, (run.workflow_id,)).fetchall() if connection else []
        steps = tuple(
            RunStep(
                number=number,
                name=name,
                started_at=(started or 0) / 1000,
                finished_at=(finished or 0) / 1000,
                error=json.loads(error).get("message", "") if error else "",
                result=json.loads(output) if output else None,
            )
            for number, name, started, finished, output, error in rows
        )
        return Run(**{**run.__dict__, "steps": steps})
