"""What a look inside a machine found."""

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
