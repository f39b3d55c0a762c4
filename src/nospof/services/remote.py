"""Plan, run and follow on a server elsewhere: what `services.procedures` does here, by the web API.

A run that was accepted goes on whatever happens to the connection or to the server; who follows it takes
that up again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Protocol
from urllib.parse import quote

from nospof.errors import (
    CloudError,
    NospofError,
    PreconditionFailed,
    ProcedureFailed,
    UnknownOutcome,
    UsageError,
    told_error,
)
from nospof.model.events import EventsFound
from nospof.model.findings import WrittenReport
from nospof.model.plans import Plan
from nospof.model.results import DataStatus
from nospof.model.runs import Run
from nospof.services.asking import ReadBack
from nospof.services.procedures import UNDOING, Outcome, result_type

ACCEPT_SECONDS = 60.0
"""So long an order is sent again, under the same key, while no answer comes."""
LOST_SECONDS = 600.0
"""So long a run is followed although its server does not answer."""
RETRY_SECONDS = 1.0
PAGE = "500"


class Api(Protocol):
    """The web API of a server. What it refuses is the error that a command would have ended with there."""

    @property
    def url(self) -> str:
        """The server, as people name it."""

    def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        """Ask; a `CloudError` that is `retryable` says that no answer came, and one may come later."""

    def text(self, path: str) -> str:
        """Ask for what is plain text."""

    def post(self, path: str, body: Any, key: str = "") -> Any:
        """Have something done, once under one key; `UnknownOutcome` says that it may have been accepted."""

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """Yield kinds of events and documents, to the end; a `CloudError` that is `retryable`: lost."""


class Onlooker(Protocol):
    """Whoever follows a run."""

    def see(self, run: Run) -> None:
        """See the run as it is, and at each change."""

    def see_now(self, now: Mapping[str, Any]) -> None:
        """See what the step under way is doing: `step`, `says`, and its share `done`, where it is known."""

    def say(self, sentence: str) -> None:
        """Be told that the server is lost, or answers again."""


class Remote:
    """What a server has done, and what it is asked. Implements `services.procedures.Runs`.

    Args:
        api: the server.
        read_back: makes of plain JSON the value of a type. Raises ValueError: it is none.
        pause: waits for so many seconds.
    """

    def __init__(self, api: Api, read_back: ReadBack, pause: Callable[[float], None] = time.sleep) -> None:
        self._api, self._read_back, self._pause = api, read_back, pause

    @property
    def url(self) -> str:
        """The server, as people name it."""
        return self._api.url

    def ask(self, path: str, kind: Any, query: Sequence[tuple[str, str]] = ()) -> Any:
        """Return what a question is answered with, as a value of a type.

        Raises:
            UsageError: the answer is no such value: the server is of another version.
            NospofError: as the server says.
        """
        return self._value(self._api.get(path, query), kind)

    def runs(self) -> tuple[Run, ...]:
        """Return every run, oldest first, without its steps."""
        found: list[Run] = []
        after: tuple[tuple[str, str], ...] = ()
        while True:
            page = self._api.get("runs", (("limit", PAGE), *after))
            found += self._value(page["runs"], tuple[Run, ...])
            if not page["next"]:
                return tuple(reversed(found))
            after = (("after", page["next"]),)

    def run(self, run_id: str) -> Run:
        """Return one run with its steps.

        Raises:
            UsageError: there is none of that id.
        """
        found: Run = self.ask(at(run_id), Run)
        return found

    def data(self, service: str) -> DataStatus:
        """Return how a service's data is kept in step there now."""
        found: DataStatus = self.ask(f"services/{quote(service, safe='')}/data", DataStatus)
        return found

    def events(self) -> EventsFound:
        """Return the maintenance that is announced there."""
        found: EventsFound = self.ask("events", EventsFound)
        return found

    def audit(self, query: Sequence[tuple[str, str]]) -> WrittenReport:
        """Return an audit of that account, written as it is asked for."""
        found: WrittenReport = self.ask("audit/report", WrittenReport, query)
        return found

    def log(self, run_id: str) -> str:
        """Return what a run's processes have said; empty where that is on another machine."""
        return self._api.text(f"{at(run_id)}/log")

    def plan(self, procedure: str, request: Any) -> Plan:
        """Return what a procedure would do there now; changes nothing."""
        path, body = order(procedure, request)
        planned = self._api.post("plans" if path == "runs" else f"{path}/plan", body)
        plan: Plan = self._value(planned, Plan)
        return plan

    def begin(self, procedure: str, request: Any) -> str:
        """Have a procedure run there; return the run's id once it is accepted.

        Raises:
            UnknownOutcome: no answer came for a minute: it may have been accepted.
            NospofError: it is refused.
        """
        return self._accepted(*order(procedure, request))

    def resume(self, run_id: str) -> str:
        """Have a run taken up again there; return its id. Raises as `begin`."""
        return self._accepted(f"{at(run_id)}/resume", {})

    def stop(self, run_id: str) -> None:
        """Ask a run to stop after its step. Raises PreconditionFailed: no process works on it."""
        self._api.post(f"{at(run_id)}/stop", {})

    def follow(self, run_id: str, onlooker: Onlooker) -> Run:
        """Return a run once it has ended.

        Raises:
            UnknownOutcome: the server did not answer for minutes; the run may go on.
            NospofError: as the server says, such as that the token is another one by now.
        """
        lost_at = 0.0
        while True:
            try:
                for kind, plain in self._api.events(f"{at(run_id)}/events"):
                    if lost_at:
                        onlooker.say(f"{self.url} answers again")
                        lost_at = 0.0
                    self._show(kind, plain, onlooker)
                run = self.run(run_id)
            except CloudError as error:
                if not error.retryable:
                    raise
                if not lost_at:
                    lost_at = time.monotonic()
                    onlooker.say(f"{error}. {run_id} goes on there; asking again")
                if time.monotonic() - lost_at > LOST_SECONDS:
                    raise UnknownOutcome(
                        f"{self.url} has not answered for {LOST_SECONDS / 60:.0f} minutes. {run_id} goes on "
                        f"where it runs; when the server answers: nospof runs show {run_id}"
                    ) from error
                self._pause(RETRY_SECONDS)
            else:
                return run

    def _show(self, kind: str, plain: Any, onlooker: Onlooker) -> None:
        """Show an event to whoever follows; of kinds that are not known here, nothing."""
        if kind == "run":
            onlooker.see(self._value(plain, Run))
        elif kind == "now":
            onlooker.see_now(plain)

    def outcome(self, run: Run) -> Outcome:
        """Return what came of a run that has ended.

        Raises:
            NospofError: as the command would have ended with where it ran.
        """
        if run.state == "done":
            return Outcome(run.id, self._value(run.result, result_type(run.procedure)))
        if run.problem:
            raise told_error(str(run.problem["kind"]), run.error, run.problem)
        if run.state == "refused":
            raise PreconditionFailed(run.error or f"{run.id} was refused. Nothing was changed.")
        done = tuple(f"recorded: {one.name}" for one in run.steps if not one.error)
        says = run.error or "its process has ended in the middle"
        raise ProcedureFailed(says, run_id=run.id, step=run.steps[-1].name if run.steps else "", exists=done)

    def _accepted(self, path: str, body: Any) -> str:
        key, ends = secrets.token_urlsafe(24), time.monotonic() + ACCEPT_SECONDS
        may_be_accepted = False
        while True:
            try:
                return str(self._api.post(path, body, key)["run_id"])
            except NospofError as error:
                may_be_accepted = may_be_accepted or isinstance(error, UnknownOutcome)
                if not may_be_accepted:
                    raise
                may_pass = isinstance(error, CloudError) and error.retryable
                if not may_pass or time.monotonic() > ends:
                    raise UnknownOutcome(
                        f"{error}. What was asked may have been accepted all the same; look before you ask "
                        "again: nospof runs list"
                    ) from error
                self._pause(RETRY_SECONDS)

    def _value(self, plain: Any, kind: Any) -> Any:
        try:
            return self._read_back(plain, kind)
        except ValueError as error:
            why = " ".join(str(error).split())[:300]
            raise UsageError(
                f"what {self.url} answers is not understood here ({why}); see that both are of one version: "
                "nospof --version"
            ) from error


def at(run_id: str) -> str:
    """Return where a run stands, whatever was typed for its id."""
    return f"runs/{quote(run_id, safe='')}"


def order(procedure: str, request: Any) -> tuple[str, Any]:
    """Return where a procedure is asked for, and with what. What is as usual is left to the server."""
    if procedure in UNDOING:
        word = getattr(request, "clients_are_back", False)
        return f"{at(request.run_id)}/undo", {"clients_are_back": word}
    plain = asdict(request)
    usual = {one.name: one.default for one in fields(request)}
    given = {name: value for name, value in plain.items() if getattr(request, name) != usual[name]}
    return "runs", {"procedure": procedure, "request": given}
