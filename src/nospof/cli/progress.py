"""Show a run as it happens, on stderr: a live line on a terminal, a line per step elsewhere.

What draws is imported once there is something to draw: an audit in a pipeline shows nothing.
"""

from __future__ import annotations

import os
import sys
import time
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from nospof.model.drill import LoadProgress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

TEXT_WIDTH = 96
WARNING = "  ! "
"""What a line begins with that stays to be read."""


class Watch:
    """Shows steps and what each is doing. Implements `Reporter` and the runtime's `Listener`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._is_quiet = quiet
        self._is_live = not quiet and may_be_terminal() and self._console.is_terminal
        self._task: int | None = None
        self._began = 0.0
        self._name = ""

    @cached_property
    def _console(self) -> Console:
        from rich.console import Console

        return Console(stderr=True, quiet=self._is_quiet, highlight=False, soft_wrap=True)

    @cached_property
    def _progress(self) -> Progress:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        return Progress(
            TextColumn(" "),
            SpinnerColumn(),
            TextColumn("{task.description}", table_column=None),
            BarColumn(bar_width=18),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._is_live:
            self._progress.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._is_live:
            self._progress.stop()

    def step_began(self, name: str) -> None:
        """Show that a step is under way."""
        self._began, self._name = time.monotonic(), name
        if self._is_live:
            self._drop_task()
            self._task = self._progress.add_task(name, total=None)

    def step_ended(self, name: str, error: str = "", seconds: float | None = None) -> None:
        """Show that it is recorded, or that it failed; it took so long, else since it began to be shown."""
        self._drop_task()
        took = time.monotonic() - self._began if seconds is None else seconds
        mark = "[red]✗[/red]" if error else "[green]✓[/green]"
        self._console.print(f"  {mark} {name} [dim]{took:.1f} s[/dim]")

    def step_replayed(self, name: str) -> None:
        """Show that an earlier process had done it."""
        self._console.print(f"  [dim]✓ {name} (done before)[/dim]")

    def progress(self, says: str, done: float | None = None) -> None:
        """Say what the step under way is doing."""
        if self._is_live and self._task is not None:
            text = f"{self._name} [dim]{says[:TEXT_WIDTH]}[/dim]"
            self._progress.update(
                self._task,  # type: ignore[arg-type]  # rich's TaskID is an int
                description=text,
                total=None if done is None else 1.0,
                completed=0 if done is None else done,
            )

    def loaded(self, phase: str, load: LoadProgress) -> None:
        """Say how a load stands."""
        self.progress(f"{phase}: {load.due} sent, {load.failed} failed")

    def warn(self, says: str) -> None:
        """Say something the operator should know, so that it stays to be read."""
        self._console.print(f"{WARNING}{says}", markup=False)

    def say(self, sentence: str) -> None:
        """Say something that is no step."""
        self._console.print(f"  {sentence}", markup=False)

    def _drop_task(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)  # type: ignore[arg-type]  # rich's TaskID is an int
            self._task = None


def may_be_terminal() -> bool:
    """Whether stderr is a terminal, or somebody told the libraries that draw so."""
    told = os.environ.get("TTY_COMPATIBLE") or os.environ.get("FORCE_COLOR")
    return bool(told) or (sys.stderr is not None and sys.stderr.isatty())


def is_interactive() -> bool:
    """Whether a person can be asked."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
