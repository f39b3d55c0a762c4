"""What every face answers with: results as JSON, and one object for every error."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

from nospof.errors import NospofError
from nospof.model.runs import Run


def to_json(value: Any) -> str:
    """Return a result as JSON, the same bytes for the same value."""
    return json.dumps(plain(value), indent=2, default=str)


def to_line(value: Any) -> str:
    """Return one of many results as a line of JSON."""
    return json.dumps(plain(value), default=str)


def plain(value: Any) -> Any:
    """Return a result as what JSON has words for."""
    is_result = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return dataclasses.asdict(value) if is_result else value


def summary(run: Run) -> dict[str, Any]:
    """Return a run as one entry of a list."""
    keys = ("id", "procedure", "request", "state", "started_at", "updated_at", "error", "attempts")
    return {key: getattr(run, key) for key in keys}


def envelope(error: NospofError) -> dict[str, Any]:
    """Return an error as the JSON object every face gives."""
    exit_code = int(error.exit_code)
    return {"kind": type(error).__name__, "message": str(error), "exit_code": exit_code, **error.details}


def moment(seconds: float) -> str:
    """Return a time as people write it, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
