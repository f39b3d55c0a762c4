"""How the services of an estate are gone through: one after the other, or shared out by whoever can.

Services do not depend on each other, so who works on which changes no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Crew(Protocol):
    """Has a worker's methods called, on one piece of work at a time."""

    def map(self, what: str, pieces: Sequence[Any]) -> list[Any]:
        """Return what the worker's method of this name returns for each piece, in order.

        A piece has a `key`: what one method keeps is there for the next that is called on the same key,
        or is made again.
        """


class InTurn(AbstractContextManager["InTurn"]):
    """Implements `Crew`: here, one after the other."""

    def __init__(self, worker: object) -> None:
        self._worker = worker

    def __exit__(self, *_: object) -> None:
        """End; there is nothing to end."""

    def map(self, what: str, pieces: Sequence[Any]) -> list[Any]:
        """See the protocol."""
        do = getattr(self._worker, what)
        return [do(piece) for piece in pieces]


CrewOf = Callable[[object], AbstractContextManager[Crew]]
