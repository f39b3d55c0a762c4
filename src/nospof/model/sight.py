"""What a run is doing at this moment, for those who look on. Nothing rests on it: the journal does that."""

from __future__ import annotations

from dataclasses import dataclass

from nospof.model.drill import LoadProgress


@dataclass(frozen=True)
class LoadSeen:
    """How a load stood at a moment, and in which phase of the drill that was."""

    phase: str
    load: LoadProgress


@dataclass(frozen=True)
class Sight:
    """A run at this moment.

    Args:
        step: the step under way; empty where none is.
        since: when it began, seconds since the epoch.
        says: what it is doing.
        done: its share, 0 to 1, where that is known.
        loads: how the run's load has stood, oldest first.
    """

    step: str = ""
    since: float = 0.0
    says: str = ""
    done: float | None = None
    loads: tuple[LoadSeen, ...] = ()
