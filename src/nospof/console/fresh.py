"""Answers that are kept for a while, because asking takes seconds and calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from nospof.errors import NospofError

T = TypeVar("T")
MOST_KEPT = 64


class Fresh(Generic[T]):
    """Answers that are kept for a while; many who ask at once wait for one answer.

    Args:
        seconds: how long one is fresh.
        most: so many are kept.
    """

    def __init__(self, seconds: float, most: int = MOST_KEPT) -> None:
        self._seconds, self._most = seconds, most
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._kept: dict[str, tuple[float, T]] = {}
        self._renewing: set[str] = set()

    def get(
        self, key: str, ask: Callable[[], T], seconds: float | None = None, old_seconds: float = 0.0
    ) -> T:
        """Return the kept answer where it is fresh, else a new one. What fails is not kept.

        Args:
            key: what is asked.
            ask: asks it.
            seconds: how old the answer may be, instead of the usual.
            old_seconds: an answer up to so old is returned too; a new one is asked for meanwhile.
        """
        seconds = self._seconds if seconds is None else seconds
        began = time.monotonic()
        with self._lock:
            kept = self._kept.get(key)
            lock = self._locks.setdefault(key, threading.Lock())
        if kept and began - seconds > kept[0] >= began - old_seconds:
            self._renew(key, ask)
            return kept[1]
        with lock:
            kept = self._kept.get(key)
            if kept and kept[0] >= began - seconds:
                return kept[1]
            asked_at = time.monotonic()
            try:
                value = ask()
            except BaseException:
                with self._lock:
                    self._locks.pop(key, None)
                raise
            with self._lock:
                self._kept[key] = (asked_at, value)
                while len(self._kept) > self._most:
                    oldest = min(self._kept, key=lambda one: self._kept[one][0])
                    del self._kept[oldest]
                    self._locks.pop(oldest, None)
            return value

    def forget(self, key: str) -> None:
        """Have the next who asks get a new answer."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock, self._lock:  # who is just being answered was before this
            self._kept.pop(key, None)

    def _renew(self, key: str, ask: Callable[[], T]) -> None:
        """Have a thread ask for a new answer, one at a time. Where that fails, the old one gets too old."""

        def renew() -> None:
            try:
                with suppress(NospofError):
                    self.get(key, ask)
            finally:
                with self._lock:
                    self._renewing.discard(key)

        with self._lock:
            if key in self._renewing:
                return
            self._renewing.add(key)
        threading.Thread(target=renew, name=f"renew {key}", daemon=True).start()
