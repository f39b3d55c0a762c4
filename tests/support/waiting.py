"""The one way tests wait: ask until a deadline, never sleep and hope."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

T = TypeVar("T")


@contextmanager
def meanwhile(act: Callable[[], object], every_seconds: float) -> Iterator[None]:
    """Do something again and again, in a thread, for as long as this lasts."""
    is_over = threading.Event()

    def again() -> None:
        while not is_over.is_set():
            act()
            time.sleep(every_seconds)

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def eventually(
    question: Callable[[], T],
    what: str = "",
    *,
    timeout_seconds: float = 60.0,
    every_seconds: float = 0.02,
) -> T:
    """Return the first true answer to a question; fail the test, saying what never was, at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    while not (answer := question()):
        if time.monotonic() > deadline:
            pytest.fail(f"not true after {timeout_seconds:g} s: {what or question}")
        time.sleep(every_seconds)
    return answer
