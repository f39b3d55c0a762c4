"""The lock by which processes act on a directory one at a time: the directory itself.

No lock file outlives what it guards, and the kernel gives the lock back when its holder dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[int]:
    """Wait until nobody else holds a directory, then hold it; gives the descriptor it is held by."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
