"""Every call a procedure makes to the cloud as a place where something goes wrong.

A fault takes the cloud, the name of the call and the call itself, and does with them what it is named
for. It strikes once, at the n-th call; what it leaves behind is for keepers and resumed runs to mend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nospof.adapters.memory import MemoryCloud
from nospof.adapters.memory.account import OPERATIONS, lost, refused
from nospof.runtime.memory import Killed

Act = Callable[[], Any]
Fault = Callable[[MemoryCloud, str, Act], Any]
STALE_SECONDS = 5.0


def killed_before(cloud: MemoryCloud, name: str, act: Act) -> Any:
    raise Killed(f"before {name}")


def killed_after(cloud: MemoryCloud, name: str, act: Act) -> Any:
    act()
    raise Killed(f"after {name}")


def killed_and_stale(cloud: MemoryCloud, name: str, act: Act) -> Any:
    stale(cloud, name, act)
    raise Killed(f"after {name}")


def answer_lost(cloud: MemoryCloud, name: str, act: Act) -> Any:
    act()
    raise lost(OPERATIONS[name].aws_name, "ReadTimeout")


def request_lost(cloud: MemoryCloud, name: str, act: Act) -> Any:
    """A fault of the server; of a write nobody can tell then whether it was done, and it was not."""
    if OPERATIONS[name].is_write:
        raise lost(OPERATIONS[name].aws_name, "InternalError")
    raise refused(OPERATIONS[name].aws_name, "InternalError", "a fault that was asked for")


def throttled(cloud: MemoryCloud, name: str, act: Act) -> Any:
    raise refused(OPERATIONS[name].aws_name, "RequestLimitExceeded", "a fault that was asked for")


def denied(cloud: MemoryCloud, name: str, act: Act) -> Any:
    raise refused(OPERATIONS[name].aws_name, "UnauthorizedOperation", "a fault that was asked for")


def late(cloud: MemoryCloud, name: str, act: Act) -> Any:
    cloud.late_ids = 3
    try:
        return act()
    finally:
        cloud.late_ids = 0


def stale(cloud: MemoryCloud, name: str, act: Act) -> Any:
    cloud.stale_seconds = STALE_SECONDS
    try:
        return act()
    finally:
        cloud.stale_seconds = 0.0


ANYWHERE: dict[str, Fault] = {
    "killed before": killed_before,
    "killed after": killed_after,
    "throttled": throttled,
    "failed with 500": request_lost,
    "denied once": denied,
}
AT_WRITES: dict[str, Fault] = {
    "answer lost": answer_lost,
    "new ids late": late,
    "reads stale after": stale,
    "killed after, reads stale": killed_and_stale,
}
"""What makes a difference only where something is changed."""


class Boundary:
    """A connection to a cloud whose n-th call meets a fault; one that killed the process ends it for good.

    Once dead, every further call dies too: no `finally` of a killed process reaches the cloud.

    Args:
        look: called after each call, to see what holds at every moment.
    """

    def __init__(
        self, cloud: MemoryCloud, number: int, fault: Fault, look: Callable[[], None] = lambda: None
    ) -> None:
        self._cloud, self._number, self._fault, self._look = cloud, number, fault, look
        self._is_dead = False
        self.names: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._cloud, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.names.append(name)
            if self._is_dead:
                raise Killed(f"before {name}")
            try:
                if len(self.names) == self._number:
                    return self._fault(self._cloud, name, lambda: method(*args, **kwargs))
                return method(*args, **kwargs)
            except Killed:
                self._is_dead = True
                raise
            finally:
                self._look()

        return call
