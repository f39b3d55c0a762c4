"""The reference runner: a journal in memory, and places at which it can be made to die.

It says what "durable" means in thirty lines; the durable engine is held against it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Killed(BaseException):
    """The process is gone. Not an Exception, so that no story can catch it by accident."""


class MemorySteps:
    """A journal that outlives the telling of a story, but not the process.

    Args:
        token: the run's id.
        die_at: kills the run there: "before NAME" dies with the step not begun, "after NAME" with
            its effect done and not recorded. Fires once.
    """

    def __init__(self, token: str, die_at: str = "") -> None:
        self.token = token
        self.die_at = die_at
        self.names: list[str] = []
        self._recorded: list[object] = []
        self._next = 0
        self.has_changed_something = False

    def tell(self, story: Callable[..., T], *args: object) -> T:
        """Tell a story from its first line, with what earlier tellings recorded."""
        self._next = 0
        return story(self, *args)

    def read(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Steps.read`."""
        return self._step(name, function, *args, **kwargs)

    def do(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Steps.do`."""
        self.has_changed_something = True
        return self._step(name, function, *args, **kwargs)

    def _step(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        number, self._next = self._next, self._next + 1
        if number < len(self._recorded):
            if self.names[number] != name:
                raise RuntimeError(f"step {number} was {self.names[number]!r} and is now {name!r}")
            return self._recorded[number]  # type: ignore[return-value]  # recorded by this same step
        self._maybe_die(f"before {name}")
        value = function(*args, **kwargs)
        self._maybe_die(f"after {name}")
        self._recorded.append(value)
        self.names.append(name)
        return value

    def _maybe_die(self, where: str) -> None:
        if self.die_at == where:
            self.die_at = ""
            raise Killed(where)
