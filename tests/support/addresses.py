"""Loopback addresses for what a test starts itself; local clouds claim their own."""

from __future__ import annotations

import itertools
import os

_numbers = itertools.count()


def prefix() -> str:
    """Return the network of this process; its addresses from .128 on are left to load balancers."""
    pid = os.getpid()
    return f"127.{2 + pid % 27}.{pid // 27 % 250}"


def new_address() -> str:
    """Return a loopback address no other test of this process, or of one running beside it, uses."""
    return f"{prefix()}.{1 + next(_numbers) % 120}"
