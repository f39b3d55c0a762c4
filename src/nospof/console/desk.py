"""What the web API asks for: each a question to a service, in the account and region of this server.

Reading an account takes seconds and calls; whoever asks the same within a short time gets the same answer.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from nospof import bootstrap
from nospof.console.fresh import Fresh
from nospof.errors import UnknownName
from nospof.model.asked import AskedRun, Caller, Deed
from nospof.model.drill import LoadProgress
from nospof.model.estate import Estate
from nospof.model.events import EventsFound
from nospof.model.findings import AuditReport, ServiceReport
from nospof.model.members import MemberSeen
from nospof.model.plans import Plan
from nospof.model.results import DataStatus
from nospof.model.runs import Run
from nospof.model.settings import Settings
from nospof.model.sight import Sight
from nospof.ports.world import World
from nospof.render.command_line import command_of
from nospof.render.result_text import describe_result
from nospof.services import asking, procedures
from nospof.services.audit import Terms, audit_estate
from nospof.services.data import data_status
from nospof.services.events import Asked, events_of
from nospof.services.members import members_seen
from nospof.services.reading import read_estate
from nospof.services.taking_back import taking_back

FRESH_SECONDS = 15.0
LOOK_SECONDS, OLD_SECONDS = 60.0, 300.0
"""How old what was read may be where somebody only looks on, and how old while it is read anew."""
MOST_REPORTS = 8
"""Those of a large account are large."""
MEMBERS_SECONDS = 10.0
RUNS_SECONDS = 0.4
LAST_DRILLS = 5


class Quiet:
    """A reporter whom nobody hears."""

    def progress(self, says: str, done: float | None = None) -> None:
        """Say nothing."""

    def warn(self, says: str) -> None:
        """Say nothing."""

    def loaded(self, phase: str, load: LoadProgress) -> None:
        """Say nothing."""


def ages(unchanged_seconds: float) -> tuple[float, float]:
    """Return how old what was read may be for who only looks on, and how old while it is read anew.

    Args:
        unchanged_seconds: since the last step of any run; but for some seconds, nothing older is shown.
    """
    fresh = max(FRESH_SECONDS, min(LOOK_SECONDS, unchanged_seconds))
    return fresh, min(OLD_SECONDS, unchanged_seconds)


class Desk:
    """Answers the API's questions and takes its orders.

    Args:
        settings: of nospof.yaml.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._place = ""
        self._queue = bootstrap.open_asked()
        self._hands = bootstrap.open_hands()
        self._journal = bootstrap.open_journal()
        self._estates = Fresh[Estate](FRESH_SECONDS)
        self._reports = Fresh[AuditReport](OLD_SECONDS, MOST_REPORTS)
        self._events = Fresh[EventsFound](FRESH_SECONDS)
        self._members = Fresh[tuple[MemberSeen, ...]](MEMBERS_SECONDS)
        self._data = Fresh[DataStatus](MEMBERS_SECONDS)
        self._runs = Fresh[tuple[Run, ...]](RUNS_SECONDS)
        self._one = Fresh[Run](RUNS_SECONDS)
        self._sights = Fresh[Sight](RUNS_SECONDS)

    # Reading ------------------------------------------------------------------------------------------

    def place(self) -> str:
        """Return the account and region of this server, which stay what they are."""
        self._place = self._place or procedures.place_of(self._world())
        return self._place

    def report(
        self, what_if: tuple[str, ...] = (), *, is_new: bool = False, may_be_old: bool = False
    ) -> AuditReport:
        """Return the audit of the account, as it was read a moment ago; or earlier, and it is read anew."""
        return self.audit(Terms(what_if=what_if), is_new=is_new, may_be_old=may_be_old)

    def audit(self, terms: Terms, *, is_new: bool = False, may_be_old: bool = False) -> AuditReport:
        """Return the audit of the account on terms, with the settings of this server."""

        def read() -> Estate:
            now = time.time()
            return read_estate(bootstrap.open_discovery(save=None, read_at=now, divides=False), now)

        estate = self._estates.get("", read, *self._ages(is_new=is_new, may_be_old=may_be_old))
        asked = replace(terms, settings=self.settings)
        key = repr((estate.read_at, terms))
        return self._reports.get(key, lambda: audit_estate(estate, asked, now=estate.read_at))

    def events(self, *, is_new: bool = False, may_be_old: bool = False) -> EventsFound:
        """Return the maintenance that is announced, as it was read a moment ago; or earlier, as above."""

        def ask() -> EventsFound:
            return events_of([Asked("", "", self._world)], None, self.settings)

        return self._events.get("", ask, *self._ages(is_new=is_new, may_be_old=may_be_old))

    def _ages(self, *, is_new: bool, may_be_old: bool) -> tuple[float, float]:
        """Return how old what was read may be, and how old while it is read anew."""
        if is_new or not may_be_old:
            return (0.0 if is_new else FRESH_SECONDS), 0.0
        return ages(time.time() - max((one.updated_at for one in self.runs()), default=0.0))

    def data(self, service: str) -> DataStatus:
        """Return how a service's data is kept in step now."""
        return self._data.get(service, lambda: data_status(self._world(), service))

    def service(self, name: str) -> ServiceReport:
        """Return what the audit says of a service. Raises UnknownName: there is none."""
        for one in self.report(may_be_old=True).services:
            if one.name == name:
                return one
        raise UnknownName(f"no service is called {name!r} here")

    def members(self, name: str) -> tuple[MemberSeen, ...]:
        """Return how the instances of a service are now."""
        ids = tuple(one for one in self.service(name).members if one.startswith("i-"))
        return self._members.get(name, lambda: members_seen(self._world(), name, ids))

    def drills(self, name: str) -> list[tuple[Run, str]]:
        """Return the last drills of a service, newest first, and what each said first."""
        mine = [one for one in self.runs() if one.procedure == "drill" and one.request["service"] == name]
        told = [self.run(one.id) for one in mine[:LAST_DRILLS]]
        return [(one, (self.outcome(one) or one.error).partition("\n")[0]) for one in told]

    def plan(self, procedure: str, plain: dict[str, Any]) -> Plan:
        """Return what a procedure would do now."""
        return procedures.plan(self._world(), procedure, self._request(procedure, plain))

    def command_line(self, procedure: str, plain: dict[str, Any]) -> str:
        """Return how the same is typed."""
        return command_of(procedure, self._request(procedure, plain))

    def plan_to_take_back(self, run_id: str, *, clients_are_back: bool) -> Plan:
        """Return what taking a run back would do now."""
        return procedures.plan(self._here(run_id), *self._back(run_id, clients_are_back))

    # Runs ---------------------------------------------------------------------------------------------

    def runs(self) -> tuple[Run, ...]:
        """Return every run, newest first."""
        return self._runs.get("", lambda: asking.seen_runs(self._journal, self._queue))

    def page(self, limit: int, after: str = "") -> tuple[tuple[Run, ...], str]:
        """Return so many runs that are older than one, and what the next page is after; empty at the end.

        Raises:
            UnknownName: there is no such run.
        """
        found = self.runs()
        begin = next((number + 1 for number, one in enumerate(found) if one.id == after), 0)
        if after and not begin:
            raise UnknownName(f"there is no run {after}")
        page = found[begin : begin + limit]
        return page, "" if begin + limit >= len(found) else page[-1].id

    def run(self, run_id: str) -> Run:
        """Return one run with its steps."""
        return self._one.get(run_id, lambda: asking.seen_run(self._journal, self._queue, run_id))

    def outcome(self, run: Run) -> str:
        """Return what a run that is done came to, in words."""
        found = asking.outcome_of(run, bootstrap.read_back)
        return describe_result(found) if found else ""

    def log(self, run_id: str) -> str:
        """Return what a run's processes have said."""
        self.run(run_id)
        return bootstrap.log_of(run_id)

    def sight(self, run_id: str) -> Sight:
        """Return what a run is doing at this moment, as far as this machine sees it.

        A process that was killed could not take back what it said last.
        """
        sight = self._sights.get(run_id, lambda: bootstrap.sight_of(self.run(run_id).id))
        return sight if self.run(run_id).state == "running" else Sight(loads=sight.loads)

    def begin(self, procedure: str, plain: dict[str, Any], who: Caller, key: str) -> AskedRun:
        """Accept a run."""
        request = self._request(procedure, plain)
        return asking.ask_to_begin(self._world(), self._queue, procedure, request, who.role, key)

    def take_back(self, run_id: str, who: Caller, key: str, *, clients_are_back: bool) -> AskedRun:
        """Accept that a run is taken back."""
        procedure, request = self._back(run_id, clients_are_back)
        return asking.ask_to_begin(self._here(run_id), self._queue, procedure, request, who.role, key)

    def resume(self, run_id: str, who: Caller, key: str) -> AskedRun:
        """Accept that a run is taken up again."""
        asked = asking.ask_to_resume(self._world(), self._queue, self._journal, run_id, who.role, key)
        self._one.forget(run_id)  # whoever follows it now must not be told that it has ended
        return asked

    def stop(self, run_id: str) -> Run:
        """Ask a run to stop after its step."""
        found = self._journal.run(run_id)
        procedures.refuse_to_stop(found)
        bootstrap.ask_to_stop(run_id)
        return found

    def work(self) -> int:
        """Start what waits; return how many were started."""
        return asking.work(self._queue, self._journal, self._hands)

    # Who did what -------------------------------------------------------------------------------------

    def note(self, deed: Deed) -> None:
        """Write a line of the log."""
        self._queue.note(deed)

    def deeds(self) -> tuple[Deed, ...]:
        """Return who did what, newest first."""
        return self._queue.deeds()

    def _world(self) -> World:
        return bootstrap.open_world(Quiet())

    def _here(self, run_id: str) -> World:
        """Return the world, where the run is about it. Raises PreconditionFailed: it is about another."""
        world = self._world()
        procedures.refuse_elsewhere(world, self._journal.run(run_id))
        return world

    def _back(self, run_id: str, clients_are_back: bool) -> tuple[str, Any]:
        return taking_back(self._journal, run_id, bootstrap.read_back, clients_are_back=clients_are_back)

    def _request(self, procedure: str, plain: dict[str, Any]) -> Any:
        return asking.request_of(procedure, plain, bootstrap.read_back, self.settings)
