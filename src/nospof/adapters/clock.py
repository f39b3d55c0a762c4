"""The computer's clock."""

from __future__ import annotations

import time


class SystemClock:
    """Implements `ports.world.Clock`."""

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
