"""What a look inside a machine found, and what was held in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["found", "none", "unreadable", "not applicable"]
"""Not applicable is not "none": the hardware of a virtual machine is there, and it is the cloud's."""


@dataclass(frozen=True)
class Looked:
    """One machine that was to be looked into: what it answered, or why it did not.

    Args:
        document: the probe's answer; None when there is none.
        operation: the call that told.
        problem: why there is no answer.
    """

    instance_id: str
    document: Mapping[str, Any] | None = None
    operation: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Held:
    """What is held in a machine while its snapshots begin, or was.

    Args:
        what: databases and file systems, for people.
        seconds: how long it had lasted, once it has ended.
        problem: why nothing is held, or why it had not lasted; empty where all is well.
    """

    what: tuple[str, ...] = ()
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class InFlight:
    """What others have open at a port of a machine.

    Args:
        requests: connections whose client waits for an answer, or has not read all of it.
        idle: connections that only stand open.
        problem: why nobody can tell; empty where these are all.
    """

    requests: int = 0
    idle: int = 0
    problem: str = ""
