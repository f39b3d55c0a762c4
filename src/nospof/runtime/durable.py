"""Stories made durable by DBOS: the only module that imports it.

What was learnt about the engine is kept here:

* Every process has its own executor id; with a shared one, a second process runs the first one's
  steps a second time.
* No number of recovery attempts is too many: the engine's default gives a run up after 100.
* The engine's cancel and its time-outs are never used: a cancelled workflow refuses even the steps
  in `finally`.
* A run is picked up by the process that resumes it and by no other: each listens to a queue of its own.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetWorkflowID, WorkflowHandle
from dbos import DBOSPortableJSONSerializer as PortableJson

from nospof.errors import NospofError, PreconditionFailed, ProcedureFailed
from nospof.model.runs import Run
from nospof.ports.world import Clock, World
from nospof.runtime.codec import from_plain, returned_by, to_plain
from nospof.runtime.failpoints import reach
from nospof.runtime.home import alive, is_asked_to_stop
from nospof.runtime.journal import Journal
from nospof.runtime.sight import Listener, Shown, sight_path
from nospof.runtime.sqlite import engine_on

P = ParamSpec("P")
T = TypeVar("T")

APPLICATION = "nospof"
POLL_SECONDS = 0.1
BUSY_MS = 30_000
WAITS = "wait until "
"""What a step begins with that only waits: left in the middle, nothing is half-done."""
KEEPER_SECONDS = 60.0
"""A keeper believes that an instance runs after some fifteen looks, a second apart."""


class Story(Protocol):
    """A procedure as the runtime needs it: what it takes, and how it is told."""

    @property
    def request_type(self) -> type[Any]:
        """The frozen request."""

    @property
    def story(self) -> Callable[..., Any]:
        """`story(steps, world, request)`; its return annotation is how its answer is read back."""


class DurableSteps:
    """The journal of one telling, on DBOS."""

    def __init__(self, run_id: str, listener: Listener, wants_stop: threading.Event) -> None:
        self.token = run_id
        self.current = ""
        self.done: list[str] = []
        self.has_changed_something = False
        self.is_parked = threading.Event()
        self._listener = listener
        self._wants_stop = wants_stop

    def read(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Steps.read`."""
        return self._step(name, function, *args, **kwargs)

    def do(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Steps.do`."""
        self.has_changed_something = True
        value = self._step(name, function, *args, **kwargs)
        self.done.append(name)
        return value

    def _step(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        kind = returned_by(function)
        is_new = False

        def work() -> Any:
            nonlocal is_new
            is_new = True
            self._park_if_asked()
            self.current = name
            self._listener.step_began(name)
            reach(f"before {name}")
            plain = to_plain(function(*args, **kwargs), kind)
            reach(f"after {name}")
            return plain

        try:
            plain = DBOS.run_step({"name": name}, work)
        except NospofError as error:
            self._listener.step_ended(name, str(error))
            raise
        reach(f"recorded {name}")
        if is_new:
            self._listener.step_ended(name)
        else:
            self._listener.step_replayed(name)
        value: T = from_plain(plain, kind)
        return value

    @property
    def only_waits(self) -> bool:
        """Whether the step under way may be left in the middle."""
        return self.current.startswith(WAITS)

    def sleep(self, clock: Clock, seconds: float) -> None:
        """Sleep; a run that is asked to stop does so here where it only waits, for hours perhaps."""
        if self.only_waits:
            self._park_if_asked()
        clock.sleep(seconds)

    def _park_if_asked(self) -> None:
        """Stop between steps for ever: the process is about to end, and the run stays resumable."""
        if self._wants_stop.is_set():
            self.is_parked.set()
            threading.Event().wait()


class Pausing:
    """A clock whose sleep is where a run that only waits can be stopped."""

    def __init__(self, clock: Clock, steps: DurableSteps) -> None:
        self._clock, self._steps = clock, steps

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """Wait, or stop."""
        self._steps.sleep(self._clock, seconds)


class DurableRuntime:
    """Runs stories and resumes them. One per process, as the engine is.

    Args:
        home: the state directory, prepared.
        stories: by name.
        schema: the version of the stories; a run is resumed only by the schema that began it.
        world: handed to each story, with a clock on which its waits can be stopped.
        listener: shown each step.
        post_keeper: called with the run's id once this process holds the run, before its first step.
        database_url: a PostgreSQL database for the journal; empty for a SQLite file in `home`.
    """

    def __init__(
        self,
        home: Path,
        stories: Mapping[str, Story],
        schema: str,
        world: Any,
        listener: Listener,
        post_keeper: Callable[[str], None] = lambda _run_id: None,
        database_url: str = "",
    ) -> None:
        self._home = home
        self._stories = stories
        self._world = world
        self._post_keeper = post_keeper
        self._schema = schema
        self._listener = listener
        self._queue = f"resume-{uuid.uuid4().hex[:12]}"
        self._wants_stop = threading.Event()
        self._steps: DurableSteps | None = None
        self._outcome: list[Any] = []
        self._ended = threading.Event()
        self._is_launched = False
        self._url = database_url
        self.journal = Journal(home, database_url)

        @DBOS.workflow(name="procedure", max_recovery_attempts=None)
        def tell(procedure: str, plain: dict[str, Any], run_id: str, _place: str) -> Any:
            return self._tell_story(procedure, plain, run_id)

        self._tell = tell

    def run(self, procedure: str, request: Any, run_id: str, place: str) -> Any:
        """Run a story to its end and return what it answers.

        Args:
            procedure: the story's name.
            request: what is asked for.
            run_id: a new id.
            place: the account and region it is about; recorded with the run.

        Raises:
            NospofError: as the story raised it, or because it was asked to stop; `ProcedureFailed`
                once anything was changed.
        """
        plain = to_plain(request, self._stories[procedure].request_type)
        with alive(self._home, run_id):
            self._post_keeper(run_id)
            self._launch()
            with SetWorkflowID(run_id):
                return self._wait(DBOS.start_workflow(self._tell, procedure, plain, run_id, place))

    def resume(
        self, run_id: str, *, take_over: bool = False, patience_seconds: float = KEEPER_SECONDS
    ) -> Any:
        """Take up a run that was interrupted or failed, where it was, and return what it answers.

        Args:
            run_id: the run.
            take_over: the operator's word that the other machine which began it is gone.
            patience_seconds: how long to wait for a keeper that is just mending what the run left.

        Raises:
            PreconditionFailed: there is nothing to resume, or another process works on it.
            NospofError: as `run` does.
        """
        run = self.journal.run(run_id)
        if run.state == "done":
            return self._answer_of(run)
        if run.schema != self._schema:
            raise PreconditionFailed(
                f"the run {run_id} was begun by nospof's procedures of version {run.schema} and this is "
                f"{self._schema}; resume it with the nospof that began it. Nothing was changed."
            )
        if run.state == "elsewhere" and not take_over:
            raise PreconditionFailed(
                f"the run {run_id} was begun on another machine, and from here nobody can see whether it "
                "still works there. When you know that it does not, add --take-over. Nothing was changed."
            )
        with alive(self._home, run_id, patience_seconds):
            run = self.journal.run(run_id)  # again: it may have ended while we waited for it
            if run.state == "done":
                return self._answer_of(run)
            self._post_keeper(run_id)
            self._launch()
            DBOS.register_queue(self._queue, polling_interval_sec=POLL_SECONDS)
            try:
                return self._wait(self._take_up(run))
            finally:
                with suppress(Exception):  # a queue left behind is a row nobody reads
                    DBOS.delete_queue(self._queue)

    def _answer_of(self, run: Run) -> Any:
        return from_plain(run.result, returned_by(self._stories[run.procedure].story))

    def ask_to_stop(self) -> None:
        """Ask the run to stop before its next step, or at once where it only waits."""
        self._wants_stop.set()

    @property
    def only_waits(self) -> bool:
        """Whether the step under way may be left in the middle."""
        return self._steps is not None and self._steps.only_waits

    @property
    def current_step(self) -> str:
        """The step under way, or empty."""
        return self._steps.current if self._steps else ""

    def _take_up(self, run: Run) -> WorkflowHandle[Any]:
        """Continue a dead workflow; tell a failed one again from the step that failed.

        A refused one changed nothing, so it looks at the world anew.
        """
        if run.state in ("interrupted", "elsewhere", "running"):
            return DBOS.resume_workflow(run.workflow_id, queue_name=self._queue)
        failed = next((step.number for step in run.steps if step.error), len(run.steps) + 1)
        first = 1 if run.state == "refused" else failed
        with SetWorkflowID(f"{run.id}.{run.attempts + 1}"):
            return DBOS.fork_workflow(
                run.workflow_id, first, application_version=self._schema, queue_name=self._queue
            )

    def _launch(self) -> None:
        """Start the engine, once; it ends with the process, for taking it down takes a second."""
        self._ended.clear()
        if self._is_launched:
            return
        os.umask(0o077)  # what was asked and answered is nobody else's to read
        database = self._home / "journal.sqlite"
        config = DBOSConfig(
            name=APPLICATION,
            system_database_url=self._url or f"sqlite:///{database}",
            application_version=self._schema,
            executor_id=f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
            serializer=PortableJson(),
            log_level="CRITICAL",
        )
        if not self._url:
            config["system_database_engine"] = engine_on(database, BUSY_MS)
        try:
            DBOS(config=config)
            DBOS.listen_queues([self._queue])
            DBOS.launch()
            self._is_launched = True
        except (sa.exc.SQLAlchemyError, OSError) as error:
            where = "named by NOSPOF_DATABASE_URL" if self._url else database
            why = getattr(error, "orig", None) or error
            raise PreconditionFailed(
                f"the journal {where} cannot be opened ({str(why).strip()}); mend that, or name another "
                "place with NOSPOF_HOME or NOSPOF_DATABASE_URL. Nothing was changed."
            ) from error

    def _tell_story(self, procedure: str, plain: dict[str, Any], run_id: str) -> Any:
        story = self._stories[procedure]
        reporter = self._world.reporter if isinstance(self._world, World) else None
        shown = Shown(sight_path(self._home, run_id), self._listener, reporter)
        steps = DurableSteps(run_id, shown, self._wants_stop)
        self._steps = steps
        try:
            world = as_told(self._world, steps, shown)
            value = story.story(steps, world, from_plain(plain, story.request_type))
        except NospofError as error:
            self._outcome = [None, _told(error, steps)]
            raise self._outcome[1] from error
        except (sa.exc.SQLAlchemyError, OSError) as error:
            why = str(getattr(error, "orig", None) or error).strip()
            told = NospofError(f"the journal could not be written ({why}); make room for it")
            self._outcome = [None, _told(told, steps)]
            raise self._outcome[1] from error
        except Exception as error:
            error.add_note(f"in the run {run_id} at '{steps.current}'; see: nospof runs show {run_id}")
            self._outcome = [None, error]
            raise
        else:
            self._outcome = [value, None]
            return to_plain(value, returned_by(story.story))
        finally:
            self._ended.set()

    def _wait(self, handle: WorkflowHandle[Any]) -> Any:
        """Wait for the story's end and for the engine's record of it."""
        while not self._ended.wait(POLL_SECONDS):
            if self._steps and is_asked_to_stop(self._home, self._steps.token):
                self.ask_to_stop()
            if self._steps and self._steps.is_parked.is_set():
                where = "while it only waited" if self._steps.only_waits else "between two steps"
                raise _told(NospofError(f"stopped as asked, {where}"), self._steps)
        with suppress(Exception):  # what it raises is in our hands already
            handle.get_result(polling_interval_sec=POLL_SECONDS)
        value, error = self._outcome
        if error:
            raise error
        return value


def as_told(world: Any, steps: DurableSteps, shown: Shown) -> Any:
    """Return the world with a clock on which waits can be stopped, and what it reports shown to others.

    A story without a cloud has neither.
    """
    if not isinstance(world, World):
        return world
    return replace(world, clock=Pausing(world.clock, steps), reporter=shown)


def _told(error: NospofError, steps: DurableSteps) -> NospofError:
    """Return the error as the one who asked must hear it: did anything change, and what now?"""
    if not steps.has_changed_something:
        return PreconditionFailed(f"{error}; nothing was changed") if type(error) is NospofError else error
    exists = tuple(f"done: {name}" for name in steps.done)
    return ProcedureFailed(str(error), run_id=steps.token, step=steps.current, exists=exists)
