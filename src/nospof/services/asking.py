"""Accept work from afar, and have it done: each run by a process of its own, which outlives who asked."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields, replace
from typing import IO, Any, Protocol, get_origin, get_type_hints

from nospof.errors import NospofError, PreconditionFailed, UsageError
from nospof.model.asked import AskedRun
from nospof.model.runs import Run
from nospof.model.settings import Settings
from nospof.ports.world import World
from nospof.procedures.guarantee import Claim
from nospof.procedures.registry import PROCEDURES
from nospof.services.procedures import (
    UNDOING,
    Outcome,
    Runs,
    Runtime,
    new_run_id,
    place_of,
    refuse_elsewhere,
    resume,
    run,
)

ReadBack = Callable[[Any, Any], Any]
"""Makes a value of plain JSON and a type. Raises ValueError: it is none of that type."""
Pause = Callable[[float], bool]
WORK_SECONDS = 0.5
STARTS = 3
"""How many processes are started for one that died before its run stood in the journal."""


class Queue(Protocol):
    """What was asked for and is not over."""

    def ask(self, asked: AskedRun) -> AskedRun:
        """Accept it, once; a repeat with the same key is answered as the first was."""

    def knows(self, who: str, key: str) -> bool:
        """Whether somebody has asked for something under this key."""

    def of_run(self, run_id: str) -> AskedRun | None:
        """Return what was asked last for a run."""

    def ahead(self) -> tuple[AskedRun, ...]:
        """Return what is not over, oldest first."""

    def take(self, number: int, starts: int) -> bool:
        """Take one to start a process for it; False where somebody else was quicker."""

    def end(self, number: int, says: str = "", problem: dict[str, Any] | None = None) -> None:
        """Note that it is over."""

    def hold(self, number: int) -> IO[str] | None:
        """Be the one who works on it while the file is open; None where somebody of this machine is."""


class Hands(Protocol):
    """Whoever starts processes."""

    @property
    def host(self) -> str:
        """The name of this machine."""

    def start(self, asked: AskedRun, held: IO[str]) -> None:
        """Start the process that does what was asked, and have it hold that file until it ends."""


def asked_procedures() -> tuple[str, ...]:
    """Return the procedures that are begun by their name; those that undo others are asked of a run."""
    return tuple(name for name in PROCEDURES if name not in UNDOING)


def request_of(procedure: str, plain: Mapping[str, Any], read_back: ReadBack, settings: Settings) -> Any:
    """Return a procedure's request, of plain JSON.

    Raises:
        UsageError: there is no such procedure, or the request is not one of it.
    """
    if procedure not in asked_procedures():
        raise UsageError(f"there is no procedure {procedure!r}; there are: {', '.join(asked_procedures())}")
    kind = PROCEDURES[procedure].request_type
    unknown = sorted({*plain} - {*kind.__dataclass_fields__})
    if unknown:
        raise UsageError(
            f"{procedure} knows no {', '.join(unknown)}; it knows: {', '.join(kind.__dataclass_fields__)}"
        )
    if procedure == "apply" and "window" not in plain:
        windows = {one.name: one.maintenance for one in settings.services}
        window = windows.get(str(plain.get("service", "")))
        plain = {**plain, "window": window.says if window else ""}
    try:
        return read_back(plain, kind)
    except ValueError as error:
        raise UsageError(f"{procedure}: {' '.join(str(error).split())[:500]}") from error


def outcome_of(run: Run, read_back: ReadBack) -> Outcome | None:
    """Return what a run came to; None where it is not done, or was told by another version of nospof."""
    if run.state != "done" or run.procedure not in PROCEDURES:
        return None
    try:
        return Outcome(
            run.id, read_back(run.result, get_type_hints(PROCEDURES[run.procedure].story)["return"])
        )
    except ValueError:
        return None


def ask_to_begin(world: World, queue: Queue, procedure: str, request: Any, who: str, key: str) -> AskedRun:
    """Accept a run. It is begun by whoever works on the queue, under the id that this returns."""
    now = world.clock.now()
    run_id = new_run_id(procedure, now)
    return queue.ask(AskedRun(0, run_id, "begin", procedure, asdict(request), place_of(world), who, key, now))


def ask_to_resume(world: World, queue: Queue, runs: Runs, run_id: str, who: str, key: str) -> AskedRun:
    """Accept that a run is taken up again.

    Raises:
        UsageError: there is no such run.
        PreconditionFailed: there is nothing to resume, or it is about another place.
    """
    found = runs.run(run_id)
    refuse_elsewhere(world, found)
    if not queue.knows(who, key):  # a repeat is answered as the first was, whatever became of the run
        waits = queue.of_run(run_id)
        state = "waiting to be begun" if waits and not waits.is_over else found.state
        if state not in ("interrupted", "failed", "refused"):
            raise PreconditionFailed(
                f"{run_id} is {state}, so there is nothing to resume. Nothing was changed."
            )
    return queue.ask(
        AskedRun(0, run_id, "resume", found.procedure, {}, found.place, who, key, world.clock.now())
    )


def seen_run(runs: Runs, queue: Queue, run_id: str) -> Run:
    """Return a run with its steps, also where it was only asked for so far.

    Raises:
        UsageError: there is none.
    """
    asked = queue.of_run(run_id)
    try:
        return with_what_waits(runs.run(run_id), asked)
    except UsageError:
        if asked is None:
            raise
        return not_begun(asked)


def seen_runs(runs: Runs, queue: Queue) -> tuple[Run, ...]:
    """Return every run, newest first, with those that were only asked for so far."""
    ahead = {one.run_id: one for one in queue.ahead()}
    known = {one.id: with_what_waits(one, ahead.get(one.id)) for one in runs.runs()}
    waiting = {name: not_begun(one) for name, one in ahead.items() if name not in known}
    return tuple(
        sorted({**waiting, **known}.values(), key=lambda one: (one.started_at, one.id), reverse=True)
    )


def with_what_waits(run: Run, asked: AskedRun | None) -> Run:
    """Return a run; one that nobody works on waits, where somebody asked for that and it was not begun.

    Of one that was stopped, the journal does not say why; the process that was asked for has.
    """
    if asked is None:
        return run
    if asked.is_over:
        was_stopped = run.state == "interrupted" and asked.says and asked.ended_at >= run.updated_at
        return replace(run, error=asked.says, problem=asked.problem) if was_stopped else run
    return replace(run, state="waiting") if run.state in ("interrupted", "failed", "refused") else run


def not_begun(asked: AskedRun) -> Run:
    """Return what was asked for as a run of which nothing is in the journal."""
    return Run(
        id=asked.run_id,
        procedure=asked.procedure,
        request=asked.request,
        state="refused" if asked.is_over else "waiting",
        started_at=asked.asked_at,
        updated_at=asked.asked_at,
        error=asked.says,
        attempts=asked.starts,
        place=asked.place,
        problem=asked.problem,
    )


def work(queue: Queue, runs: Runs, hands: Hands) -> int:
    """Start a process for each that waits for one; return how many were started.

    One whose process died before its run stood in the journal has changed nothing, and is started again.
    """
    ahead, started = queue.ahead(), 0
    if not ahead:
        return 0
    known = {one.id: one for one in runs.runs()}
    for one in ahead:
        held = queue.hold(one.number) if one.host in ("", hands.host) else None
        if held is None:
            continue
        with held:
            if one.starts and (one.act == "resume" or one.run_id in known):
                queue.end(one.number)  # its process died later: the run is resumed as any other
            elif one.starts >= STARTS:
                queue.end(one.number, "its process ended before it could begin; see its log")
            elif queue.take(one.number, one.starts):
                hands.start(one, held)
                started += 1
    return started


def keep_working(work_once: Callable[[], int], say: Callable[[str], None], pause: Pause) -> None:
    """Start what waits until the end. What cannot be started now is told, and tried again.

    Args:
        work_once: starts what waits now, as `work`.
        say: is told what could not be done.
        pause: waits for so many seconds at most, and returns whether it is the end.
    """
    is_over = False
    while not is_over:
        try:
            work_once()
        except (NospofError, OSError) as error:
            say(f"nospof: {error}")
        except Exception:  # noqa: BLE001 - the worker's edge: what was accepted must not wait for ever
            say(f"nospof: this is a fault of nospof; please report it:\n{traceback.format_exc()}")
        is_over = pause(WORK_SECONDS)


def do_what_was_asked(
    world: World, runtime: Runtime, runs: Runs, claim: Claim, asked: AskedRun, read_back: ReadBack
) -> Outcome:
    """Begin or resume a run, in this process.

    Raises:
        NospofError: as the story does.
    """
    here = place_of(world)
    if asked.place != here:
        raise PreconditionFailed(
            f"{asked.run_id} is about {asked.place}, and this is {here}. Nothing was changed."
        )
    if asked.act == "resume":
        return resume(world, runtime, runs, claim, asked.run_id)
    begun = next((one for one in runs.runs() if one.id == asked.run_id), None)
    if begun:  # by a process that died after it was last looked for here
        raise PreconditionFailed(f"{begun.id} was begun already, and is {begun.state}. Nothing was changed.")
    request = read_back(asked.request, PROCEDURES[asked.procedure].request_type)
    return run(world, runtime, claim, asked.procedure, request, asked.run_id)


def described(procedure: str) -> dict[str, Any]:
    """Return a procedure as one reads who wants to ask for it: its guarantee, its request's fields."""
    told = PROCEDURES[procedure]
    says = fields_say(told.request_type.__doc__ or "")
    types = get_type_hints(told.request_type)
    return {
        "name": procedure,
        "guarantee": told.guarantee,
        "has_plan": told.plan is not None,
        "fields": [
            {
                "name": one.name,
                "type": str(types[one.name]) if get_origin(types[one.name]) else types[one.name].__name__,
                "default": None if one.default is MISSING else one.default,
                "required": one.default is MISSING and one.default_factory is MISSING,
                "says": says.get(one.name, ""),
            }
            for one in fields(told.request_type)
        ],
    }


def fields_say(docstring: str) -> dict[str, str]:
    """Return what a docstring's Args say of each field; several may share an entry."""
    entries: list[str] = []
    for line in docstring.partition("Args:")[2].splitlines():
        if line.startswith(" " * 9) and entries:
            entries[-1] += f" {line.strip()}"
        elif line.strip():
            entries.append(line.strip())
    split = [entry.partition(": ") for entry in entries]
    found = {name.strip(): says for names, _, says in split for name in names.split(",")}
    return {name: elsewhere(name, says) for name, says in found.items()}


def elsewhere(name: str, says: str) -> str:
    """Return what is said of a field where only another request's is named."""
    named = re.match(r"as in `(\w+)`", says)
    kinds = {one.request_type.__name__: one.request_type for one in PROCEDURES.values()}
    kind = kinds.get(named[1]) if named else None
    return fields_say(kind.__doc__ or "").get(name, says) if kind else says
