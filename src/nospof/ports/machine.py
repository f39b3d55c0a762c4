"""Looking inside machines, and holding what they write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from nospof.model.machine import Held, InFlight, Looked


class Machines(Protocol):
    """Runs the probe inside machines. Nothing is changed there, so a repeat does no harm."""

    def look(self, instance_ids: Sequence[str]) -> Iterator[Looked]:
        """Yield one answer for each machine, as they come; one that gives none says why.

        No machine's fault is another's, and a refused call is an answer here, not an error.
        """


class Holds(Protocol):
    """Has a machine write nothing for a moment: databases locked and flushed, data file systems frozen.

    Nothing raises: a refused call, a machine nobody reaches, a lock that was not got are answers.
    """

    def hold(self, instance_id: str, hold_id: str, seconds: int) -> Held:
        """Hold writes; return once they are held, or with the reason why nothing is.

        The machine itself ends it after so many seconds, whatever becomes of whoever asked.

        Args:
            hold_id: hexadecimal, and nobody else's.
        """

    def release(self, instance_id: str, hold_id: str) -> Held:
        """End a hold; return whether all of it had lasted until now. A repeat says that there is none."""


class Traffic(Protocol):
    """Looks at what others have open at a machine. Nothing is changed there."""

    def in_flight(self, instance_id: str, port: int) -> InFlight:
        """Return what others have open at a port now. Never raises: that nobody can tell is an answer."""
