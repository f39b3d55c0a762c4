"""Places at which a process can be told to die, so that dying there can be tested.

`NOSPOF_FAILPOINT="before stop_instance"` kills the process (SIGKILL: no `finally`, no flush) when it
gets there. Steps are places by their name, calls to the cloud by their method's name.
"""

from __future__ import annotations

import functools
import os
import signal
from typing import Any

VARIABLE = "NOSPOF_FAILPOINT"


def reach(place: str) -> None:
    """Die here if this is the place."""
    if os.environ.get(VARIABLE) == place:
        os.kill(os.getpid(), signal.SIGKILL)


class MortalCloud:
    """A cloud whose every call is a place to die, before and after it."""

    def __init__(self, cloud: Any) -> None:
        self._cloud = cloud

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._cloud, name)

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            reach(f"before {name}")
            value = method(*args, **kwargs)
            reach(f"after {name}")
            return value

        return call
