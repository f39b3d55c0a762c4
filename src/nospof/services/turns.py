"""Members' turns as a watch sees them: who has them done, which runs they are, who is out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nospof.errors import UnknownName
from nospof.model.cloud import TAG_DRAINED, TAG_GUARANTEE, TAG_SERVICE
from nospof.model.news import EndedTurn
from nospof.model.runs import Run
from nospof.model.settings import Settings
from nospof.planning.events import Seen
from nospof.planning.upkeep import Cap, Policy

TURN = "take"
"""The procedure that a turn is."""
PROMISES = "promise that the member comes back"
"""A run that fails there gave way to another one, and left nothing."""


class Turns(Protocol):
    """Whoever has runs done beside the watch, each so that it outlives it."""

    def begin(self, instance_id: str) -> None:
        """Begin a member's turn. Raises PreconditionFailed: no process could be started."""

    def resume(self, run_id: str, instance_id: str) -> None:
        """Take up a run that was interrupted. Raises as `begin`."""

    def ended(self) -> Sequence[EndedTurn]:
        """Return those that have ended since this was asked last."""

    @property
    def under_way(self) -> Sequence[str]:
        """The instances whose turn has not ended."""


@dataclass(frozen=True)
class Wishes:
    """What a watch may do: by the owner's policy, so many runs at once; a dry one only says what it would."""

    policy: Policy
    at_once: int = 8
    is_dry: bool = False


def policy_from(
    settings: Settings,
    services: tuple[str, ...],
    zone_cap: tuple[int, float],
    turn_seconds: float,
    before_seconds: float = 0.0,
) -> Policy:
    """Return what an owner allows, by what is written in nospof.yaml and what is asked for."""
    windows = {wish.name: wish.maintenance for wish in settings.services if wish.maintenance}
    return Policy(windows, services, Cap(*zone_cap), before_seconds, turn_seconds)


def watched(services: Sequence[str], seen: Seen) -> tuple[str, ...]:
    """Return the services that are meant: those that are named, else all that are there.

    Raises:
        UsageError: a name is no service's; what is not watched over would look as if it were.
    """
    names = sorted({crew.name for crew in seen.crews})
    unknown = sorted({*services} - {*names})
    if unknown:
        there = ", ".join(names) or "none"
        raise UnknownName(f"no service is called {' or '.join(unknown)} here. There is: {there}.")
    return tuple(sorted({*services})) if services else tuple(names)


def is_turn(run: Run, place: str) -> bool:
    """Whether a run is a member's turn in this account and region."""
    return run.procedure == TURN and run.place == place


def member_of(run: Run) -> str:
    """Return the instance that a run is about."""
    return str(run.request.get("instance_id", ""))


def is_meant(who: str, services: Collection[str], seen: Seen) -> bool:
    """Whether a member is of one of these services; anybody is where none is named."""
    return not services or any(who in crew.members and crew.name in services for crew in seen.crews)


def is_marked(tags: Mapping[str, str]) -> bool:
    """Whether somebody works on an instance, or left it out of its service."""
    return TAG_GUARANTEE in tags or TAG_DRAINED in tags


def is_beside(services: Sequence[str], out: Mapping[str, Sequence[str]]) -> bool:
    """Whether a member waits only for another one of its services to be back."""
    return any(set(services) & set(names) for names in out.values())


def why_not(who: str, services: Sequence[str], others: Mapping[str, Run], full: Sequence[str]) -> str:
    """Return what keeps a member in its services although its time has come, or nothing.

    Args:
        others: by service, the run that works on all of it or failed there lately.
        full: its services in which not enough would be left.
    """
    run = next((others[name] for name in services if name in others), None)
    if run is not None and run.state == "failed":
        says = f"{run.id} failed, so nothing of {' and '.join(services)} is begun for a day"
        return f"{says}: nospof runs resume {run.id}"
    if run is not None:
        return f"{run.id} works on {' and '.join(services)}, so {who} stays in"
    return f"not all others of {who} of {' and '.join(full)} are healthy" if full else ""


def out_of(
    seen: Seen, known: Collection[str] = (), remembered: Mapping[str, Sequence[str]] | None = None
) -> dict[str, tuple[str, ...]]:
    """Return who is out or about to be, with the services each belongs to, also where it left them.

    Args:
        known: whose turn is known to be under way, whatever their marks say yet.
        remembered: the services of members, as they were seen before.
    """
    out = {}
    for who, instance in seen.instances.items():
        if who in known or is_marked(instance.tags):
            names = {crew.name for crew in seen.crews if who in crew.members}
            names |= {*(remembered or {}).get(who, ()), instance.tags.get(TAG_SERVICE, "")} - {""}
            out[who] = tuple(sorted(names))
    return out


def busy_services(runs: Sequence[Run], place: str) -> dict[str, Run]:
    """Return the services that a run as a whole is about, such as a drill, while its process lives."""
    return {
        str(run.request["service"]): run
        for run in runs
        if run.state == "running" and run.place == place and run.request.get("service")
    }
