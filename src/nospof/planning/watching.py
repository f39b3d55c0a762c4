"""Decide what the members of a pair are asked, from what the cloud says of their instances.

Pure. What the cloud did not say is no state: nobody is taken for gone because a call failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nospof.model.cloud import Instance

OFF = frozenset({"stopped", "terminated"})
"""No program of the instance runs any more."""
LEAVING = frozenset({"stopping", "shutting-down"})
"""The operating system may still run, and with it a primary that takes writes."""
LEAVING_ROUNDS = 2
"""An orderly end hands over by itself, most of the time before anybody else has asked for it."""


@dataclass(frozen=True)
class Sighting:
    """What the cloud said of an instance, and how many rounds in a row."""

    state: str
    rounds: int = 1

    def then(self, state: str) -> Sighting:
        """Return the sighting after one more round."""
        return Sighting(state, self.rounds + 1 if state == self.state else 1)


@dataclass(frozen=True)
class Asking:
    """A member that is left, and what it is asked: to lead instead of another.

    `is_off` tells whether the other's machine is off for certain, or may still run.
    """

    member_id: str
    gone_id: str
    state: str
    is_off: bool


def asks(members: Sequence[Instance], seen: Mapping[str, Sighting]) -> tuple[Asking, ...]:
    """Return who is asked to lead instead of whom; nobody where none that runs is left.

    Args:
        members: of one service.
        seen: by id; a member that is not in it was not told of.
    """
    left = next((one.id for one in members if one.id in seen and seen[one.id].state == "running"), "")
    if not left:
        return ()
    told = ((one.id, seen[one.id]) for one in members if one.id in seen)
    return tuple(
        Asking(left, gone, sight.state, sight.state in OFF)
        for gone, sight in told
        if sight.state in OFF or (sight.state in LEAVING and sight.rounds >= LEAVING_ROUNDS)
    )
