"""What makes a procedure durable: named steps, each done once and remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Steps(Protocol):
    """The journal of one run.

    A story calls `do` for every effect and for every reading a decision rests on. When the
    process dies, the story is told again from its first line: steps that were recorded return
    their recorded answer at once, and the step that was under way is done again. So a step must
    be safe to repeat, and a story may decide on nothing but recorded answers.
    """

    @property
    def token(self) -> str:
        """The run's id: the same each time the story is told, and part of every name it makes."""

    def do(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do one step and remember what it returned.

        Args:
            name: a verb and an object; shown to people as it stands.
            function: takes and returns plain data or the frozen dataclasses of `model`; its
                return annotation is how the recorded answer is read back.
        """
