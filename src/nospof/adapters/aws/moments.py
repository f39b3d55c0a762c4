"""Moments as AWS tells them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botocore.utils import parse_timestamp


def moment(value: Any) -> datetime:
    """Return a moment of an answer, as botocore reads it.

    Nearly all are ISO 8601, which the standard library reads in 0.2 microseconds and botocore in
    50: a large account tells tens of thousands.
    """
    if isinstance(value, str) and value[10:11] == "T":
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    found: datetime = parse_timestamp(value)
    return found
