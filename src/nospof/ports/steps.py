"""What makes a procedure durable: named steps, each done once and remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Steps(Protocol):
    """The journal of one run.

    When the process dies, the story is told again from its first line: steps that were recorded
    return their recorded answer at once, and the step that was under way is done again. So a step
    must be safe to repeat, and a story may decide on nothing but recorded answers.

    The two verbs differ in what a failure means. As long as a story has only read, nothing was
    changed and an error passes through as it is; after the first `do`, an error becomes
    `ProcedureFailed`, which says what exists and how to go on.
    """

    @property
    def token(self) -> str:
        """The run's id: the same each time the story is told, and part of every name it makes."""

    def read(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Look at the world, change nothing, and remember what was seen."""

    def do(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Change the world and remember what came of it.

        Args:
            name: a verb and an object; shown to people as it stands.
            function: takes and returns plain data or the frozen dataclasses of `model`; its
                return annotation is how the recorded answer is read back.
        """
