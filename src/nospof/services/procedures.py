"""Plan, run and resume procedures: what every face calls."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, get_type_hints

from nospof.errors import NospofError, PreconditionFailed, UsageError
from nospof.model.cloud import TAG_GUARANTEE
from nospof.model.plans import Plan
from nospof.model.results import Trouble
from nospof.model.runs import Run
from nospof.ports.world import World
from nospof.procedures.guarantee import Claim, keep_guarantees, parse_guarantee
from nospof.procedures.registry import PROCEDURES
from nospof.procedures.repair import find_troubles

UNDOING = ("undo", "rollback", "discard")
"""The procedures that take another run back."""
TAKING_AWAY = ("undo", "discard")
"""Of them, those that take away what it made."""

NOT_RUNNING = {
    "waiting": "it has not begun",
    "interrupted": "no process works on it, so there is nothing to stop",
    "elsewhere": "another machine began it; if it works there, stop it there",
    "done": "there is nothing to stop",
    "refused": "there is nothing to stop",
    "failed": "there is nothing to stop",
}
"""Why a run cannot be stopped, by its state."""


class Runtime(Protocol):
    """What makes stories durable, as the services need it."""

    def run(self, procedure: str, request: Any, run_id: str, place: str) -> Any:
        """Run a story to its end, and record where."""

    def resume(self, run_id: str, *, take_over: bool = False) -> Any:
        """Take up an interrupted or failed run where it was."""


class Runs(Protocol):
    """The journal, read only."""

    def runs(self) -> tuple[Run, ...]:
        """Return every run, oldest first."""

    def run(self, run_id: str) -> Run:
        """Return one run with its steps."""


@dataclass(frozen=True)
class Outcome:
    """A run that ended well: what it answered, and what the keeper found before it began."""

    run_id: str
    result: Any
    kept: tuple[str, ...] = ()


def has_plan(procedure: str) -> bool:
    """Whether a procedure can show what it would do."""
    return PROCEDURES[procedure].plan is not None


def result_type(procedure: str) -> Any:
    """Return the type of what a procedure answers."""
    return get_type_hints(PROCEDURES[procedure].story)["return"]


def plan(world: World, procedure: str, request: Any) -> Plan:
    """Return what a procedure would do now; changes nothing.

    Raises:
        UsageError, PreconditionFailed: it would refuse, and why.
    """
    planned = PROCEDURES[procedure].plan
    if planned is None:
        raise UsageError(f"{procedure} has no plan to show")
    return planned(world, request)


def new_run_id(procedure: str, now: float) -> str:
    """Return an id that sorts by time and is nobody else's; the names a run makes carry it."""
    when = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    return f"{procedure}-{when}-{secrets.token_hex(3)}"


def run(
    world: World, runtime: Runtime, claim: Claim, procedure: str, request: Any, run_id: str = ""
) -> Outcome:
    """Keep what earlier runs left unkept, then run a procedure to its end.

    Args:
        run_id: the id that somebody was told already; empty for a new one.

    Raises:
        NospofError: as the story does; `ProcedureFailed` once anything was changed.
    """
    kept = keep_guarantees(world, claim)
    run_id = run_id or new_run_id(procedure, world.clock.now())
    undone = request.run_id if procedure in UNDOING else ""
    with undone_by(undone, claim):
        return Outcome(run_id, runtime.run(procedure, request, run_id, place_of(world)), kept)


@contextmanager
def undone_by(run_id: str, claim: Claim) -> Iterator[None]:
    """While this lasts, nobody resumes the run that is undone, where one is.

    Raises:
        PreconditionFailed: somebody works on it.
    """
    if not run_id:
        yield
        return
    with claim(run_id) as is_ours:
        if is_ours is False:
            raise PreconditionFailed(
                f"another process works on {run_id} now. Wait for it; see: nospof runs list. "
                "Nothing was changed."
            )
        yield


def resume(
    world: World, runtime: Runtime, runs: Runs, claim: Claim, run_id: str, *, take_over: bool = False
) -> Outcome:
    """Keep what runs left unkept, then take up one of them where it was.

    Raises:
        UsageError: there is no such run.
        PreconditionFailed: it is about another account or region than the one in use.
        NospofError: as `run`.
    """
    run = runs.run(run_id)
    refuse_elsewhere(world, run)
    undone = next((one for one in runs.runs() if undoes(one, run_id)), None)
    if undone:
        raise PreconditionFailed(
            f"{run_id} is taken apart by {undone.id}, so it cannot go on. Begin a new one, or see: nospof "
            f"runs show {undone.id}. Nothing was changed."
        )
    kept = keep_guarantees(world, claim)
    with undone_by(run.request["run_id"] if run.procedure in UNDOING else "", claim):
        return Outcome(run_id, runtime.resume(run_id, take_over=take_over), kept)


def undoes(run: Run, run_id: str) -> bool:
    """Whether a run has begun to take another one apart."""
    return run.procedure in UNDOING and run.request["run_id"] == run_id and run.state != "refused"


def refuse_elsewhere(world: World, run: Run) -> None:
    """Refuse a run that is about another account or region than the one in use."""
    here = place_of(world)
    if run.place != here:
        raise PreconditionFailed(
            f"{run.id} is about {run.place}, and this is {here}; choose its account and region with "
            "--profile and --region. Nothing was changed."
        )


def refuse_to_stop(run: Run) -> None:
    """Refuse to stop what no process of this machine works on.

    Raises:
        PreconditionFailed: it is so.
    """
    if run.state != "running":
        raise PreconditionFailed(f"{run.id} is {run.state}: {NOT_RUNNING[run.state]}. Nothing was changed.")


def place_of(world: World) -> str:
    """Return the account and region in use, as "123456789012/eu-west-1"."""
    identity = world.cloud.identity()
    return f"{identity.account}/{identity.region}"


def keep(world: World, claim: Claim) -> tuple[str, ...]:
    """Make true what dead runs promised; return what was done, a sentence each."""
    return keep_guarantees(world, claim)


def repair(world: World, runs: Runs, claim: Claim, *, mends: bool) -> tuple[Trouble, ...]:
    """Look at the world for what runs left wrong, and mend what is safe to mend.

    A journal that cannot be read is no journal: every run is then one that this machine does not know.
    """
    known: tuple[Run, ...] = ()
    with suppress(NospofError):
        known = runs.runs()
    undoing = {
        str(run.request["run_id"]): run.id
        for run in known
        if run.procedure in TAKING_AWAY and run.state in ("failed", "interrupted", "elsewhere")
    }
    done = {
        str(run.request["run_id"]) for run in known if run.procedure in TAKING_AWAY and run.state == "done"
    }
    states = {run.id: run.state for run in known}
    left = {run_id: undo for run_id, undo in undoing.items() if run_id not in done}
    return find_troubles(world, states, claim, mends=mends, undoing=left)


def is_promised(world: World, run_id: str) -> bool:
    """Whether an instance still carries what a run promised: then its keeper has not done its work."""
    promised = world.cloud.instances(tag=TAG_GUARANTEE)
    return any(parse_guarantee(one.tags[TAG_GUARANTEE]).run_id == run_id for one in promised)
