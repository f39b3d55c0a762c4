"""Read the journal without the engine that wrote it, so that listing runs costs nothing.

The engine's tables are read with plain SQL; a test holds this against the engine's own answers.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from nospof.errors import CloudError, NotFound, PreconditionFailed, UnknownName, UnknownOutcome, UsageError
from nospof.model.runs import Run, RunState, RunStep
from nospof.runtime.home import is_alive

REFUSALS = frozenset(
    kind.__name__
    for kind in (PreconditionFailed, UsageError, UnknownName, CloudError, NotFound, UnknownOutcome)
)
"""Errors that leave a story before it changed anything; afterwards it is always ProcedureFailed."""

BUSY_SECONDS = 10

HAS_RUNS = "select 1 from sqlite_master where name = 'workflow_status'"
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
    """The runs in one database.

    Args:
        home: the state directory; the SQLite file lies in it, and the locks of living runs.
        database_url: a PostgreSQL database to read instead of that file.
    """

    def __init__(self, home: Path, database_url: str = "") -> None:
        self._home = home
        self._database = home / "journal.sqlite"
        self._url = database_url

    def runs(self) -> tuple[Run, ...]:
        """Return every run, oldest first, without its steps."""
        attempts: dict[str, list[Any]] = {}
        for row in self._rows(WORKFLOWS):
            attempts.setdefault(row[0].partition(".")[0], []).append(row)
        return tuple(self._run(run_id, told) for run_id, told in attempts.items())

    def run(self, run_id: str) -> Run:
        """Return one run with its steps.

        Raises:
            UnknownName: there is none of that id.
        """
        for run in self.runs():
            if run.id == run_id:
                return self._with_steps(run)
        where = "the shared journal" if self._url else self._home
        raise UnknownName(f"there is no run {run_id} in {where}; see: nospof runs list")

    def _rows(self, query: str, *parameters: str) -> list[Any]:
        """Return what a query finds; nothing where no run was ever recorded."""
        if self._url:
            return _rows_of_postgresql(self._url, query, parameters)
        if not self._database.exists():
            return []
        try:
            place = f"{self._database.as_uri()}?mode=ro"
            with closing(sqlite3.connect(place, uri=True, timeout=BUSY_SECONDS)) as connection:
                # Another process may be making the journal just now: its file is there before its tables.
                if not connection.execute(HAS_RUNS).fetchone():
                    return []
                return connection.execute(query, parameters).fetchall()
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
            problem={"kind": problem.get("name", ""), **(problem.get("data") or {})} if problem else {},
        )

    def _state(self, run_id: str, status: str, error_name: str) -> RunState:
        if status == "SUCCESS":
            return "done"
        if status == "ERROR":
            return "refused" if error_name in REFUSALS else "failed"
        lives = is_alive(self._home, run_id)
        if lives is None and self._url:
            return "elsewhere"
        return "running" if lives else "interrupted"

    def _with_steps(self, run: Run) -> Run:
        steps = tuple(
            RunStep(
                number=number,
                name=name,
                started_at=(started or 0) / 1000,
                finished_at=(finished or 0) / 1000,
                error=json.loads(error).get("message", "") if error else "",
                result=json.loads(output) if output else None,
            )
            for number, name, started, finished, output, error in self._rows(STEPS, run.workflow_id)
        )
        return replace(run, steps=steps)


def _rows_of_postgresql(url: str, query: str, parameters: tuple[str, ...]) -> list[Any]:
    """Return what a query finds in the engine's schema of a PostgreSQL database."""
    import psycopg

    try:
        with psycopg.connect(url, options="-c search_path=dbos", connect_timeout=BUSY_SECONDS) as connection:
            return connection.execute(query.replace("?", "%s").encode(), parameters).fetchall()
    except psycopg.errors.UndefinedTable:
        return []
    except psycopg.Error as error:
        raise PreconditionFailed(
            f"the journal named by NOSPOF_DATABASE_URL cannot be read: {str(error).strip()}"
        ) from error
