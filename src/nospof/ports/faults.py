"""Breaking things on purpose."""

from __future__ import annotations

from typing import Protocol


class Faults(Protocol):
    """What can be broken here beyond the cloud's own API."""

    def refuse_unless_possible(self, kind: str) -> None:
        """Raise PreconditionFailed when this fault cannot be put here; changes nothing."""

    def kill(self, instance_id: str) -> None:
        """Pull the plug of an instance: every process in it is gone at once, its state stays "running"."""
