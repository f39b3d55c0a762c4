"""Ctrl-C while a run is shown: it is asked to stop between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

from nospof.cli.progress import Watch


def ask_to_stop(runtime: Any) -> str:
    """Ask a run of this process to stop; return what a person is told."""
    runtime.ask_to_stop()
    step = runtime.current_step
    when = f"after {step!r}" if step else "before the first step"
    when = "now, for it only waits" if runtime.only_waits else when
    return (
        f"stopping {when}; once more leaves at once, "
        "and the keeper brings back what is off. Resume either with: nospof runs resume"
    )


class stopping_politely:  # noqa: N801 - reads as a sentence where it is used
    """While this lasts, the first signal asks the run to stop after its step, the second ends it.

    The second one is safe too: the keeper brings the source back. A closed terminal counts as a signal,
    unless somebody (nohup) has said that it should not.

    Args:
        ask: asks the run to stop; returns what a person is told.
        watch: tells it.
    """

    def __init__(self, ask: Callable[[], str], watch: Watch) -> None:
        self._ask = ask
        self._watch = watch
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._on_signal)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: object) -> None:
        for number in self._before:  # first, for to ask may take a while where a server is asked
            signal.signal(number, signal.SIG_DFL)
        self._watch.say(self._ask())
