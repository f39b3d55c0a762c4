"""The processes that this one has started."""

from __future__ import annotations

import os
from pathlib import Path

_OTHERS: set[str] = set()


def all_children() -> list[str]:
    """Return the ids of the processes this one has started, those that ended and nobody asked about too."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def forget_others() -> None:
    """Take no notice of what is there by now: other tests of this process start theirs."""
    _OTHERS.clear()
    _OTHERS.update(all_children())


def children() -> list[str]:
    """Return those that were started since."""
    return [one for one in all_children() if one not in _OTHERS]
