"""Show a run as it happens, on stderr: a live line on a terminal, a line per step elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

TEXT_WIDTH = 96


class Watch:
    """Shows steps and what each is doing. Implements `Reporter` and the runtime's `Listener`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self._is_live = self._console.is_terminal and not quiet
        self._progress = Progress(
            TextColumn(" "),
            SpinnerColumn(),
            TextColumn("{task.description}", table_column=None),
            BarColumn(bar_width=18),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._is_live,
        )
        self._task: int | None = None
        self._began = 0.0
        self._name = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step_began(self, name: str) -> None:
        """Show that a step is under way."""
        self._began, self._name = time.monotonic(), name
        if self._is_live:
            self._task = self._progress.add_task(name, total=None)

    def step_ended(self, name: str, error: str = "") -> None:
        """Show that it is recorded, or that it failed."""
        self._drop_task()
        took = time.monotonic() - self._began
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

    def warn(self, says: str) -> None:
        """Say something the operator should know, so that it stays to be read."""
        self._console.print(f"  ! {says}", markup=False)

    def say(self, sentence: str) -> None:
        """Say something that is no step."""
        self._console.print(f"  {sentence}", markup=False)

    def _drop_task(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)  # type: ignore[arg-type]  # rich's TaskID is an int
            self._task = None


def is_interactive() -> bool:
    """Whether a person can be asked."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
