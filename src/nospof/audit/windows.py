"""Announced maintenance as events: what AWS may take down together.

Two members are down together when their windows overlap; so each largest set of windows that share a
moment is one event. Windows are half-open: one that begins as another ends does not overlap it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from nospof.model.cloud import MaintenanceEvent


@dataclass(frozen=True)
class Window:
    """Announced events that share a moment. `starts_at` is when the first of them may begin."""

    id: str
    instance_ids: tuple[str, ...]
    events: tuple[MaintenanceEvent, ...]

    @property
    def starts_at(self) -> float:
        """Return when the first may begin, seconds since the epoch."""
        return min(event.not_before for event in self.events)

    @property
    def says(self) -> str:
        """The window as people call it."""
        codes = " and ".join(sorted({event.code for event in self.events}))
        return f"AWS {codes} announced for {day(self.starts_at)}"


def day(moment: float) -> str:
    """Return a moment as text: 2026-12-04 02:00 UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def ends_at(event: MaintenanceEvent) -> float:
    """Return when a window ends; one without an end, as AWS announces retirements, stays open."""
    return event.not_after if event.not_after > event.not_before else float("inf")


def overlapping(announced: list[tuple[str, MaintenanceEvent]]) -> tuple[Window, ...]:
    """Return the largest sets of announced events that share a moment, by time.

    Args:
        announced: pairs of an instance's id and a live event of it.
    """
    ordered = sorted(announced, key=lambda pair: (pair[1].not_before, pair[0], pair[1].id))
    # A largest set is complete at the moment its last window begins.
    open_at = [
        [(who, event) for who, event in ordered if event.not_before <= moment < ends_at(event)]
        for moment in sorted({event.not_before for _, event in ordered})
    ]
    sets = [frozenset((who, event.id) for who, event in at) for at in open_at]
    largest = [at for at, keys in zip(open_at, sets, strict=True) if not any(keys < other for other in sets)]
    return tuple(
        Window(
            id="maintenance:" + "+".join(sorted(event.id or f"{who}/{event.code}" for who, event in at)),
            instance_ids=tuple(sorted({who for who, _ in at})),
            events=tuple(event for _, event in at),
        )
        for at in largest
    )
