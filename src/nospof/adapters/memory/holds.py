"""Writes held in the machines of the in-memory cloud."""

from __future__ import annotations

from typing import Any

from nospof.errors import CloudError
from nospof.model.machine import Held


class MemoryHolds:
    """Implements `ports.machine.Holds`.

    Args:
        cloud: the in-memory cloud, or what stands between it and the procedures.
    """

    def __init__(self, cloud: Any) -> None:
        self._cloud = cloud

    def hold(self, instance_id: str, hold_id: str, seconds: int) -> Held:
        """See the port."""
        try:
            return Held(what=self._cloud.hold_writes(instance_id, hold_id, seconds))
        except CloudError as error:
            return Held(problem=f"{error.operation}: {error.code}")

    def release(self, instance_id: str, hold_id: str) -> Held:
        """See the port."""
        try:
            seconds, has_lasted = self._cloud.let_writes_go(instance_id, hold_id)
        except CloudError as error:
            return Held(problem=f"{error.operation}: {error.code}")
        return Held(seconds=seconds, problem="" if has_lasted else "the time was over")
