"""Steps' answers as plain JSON in the journal, and back as the dataclasses they were.

Plain JSON, not pickle: whoever has the database can read it, and no code runs when it is read.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter


@lru_cache(maxsize=256)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def returned_by(function: Callable[..., Any]) -> Any:
    """Return the type a function is annotated to return."""
    return typing.get_type_hints(function)["return"]


def to_plain(value: Any, kind: Any) -> Any:
    """Return a value as JSON's own types."""
    return _adapter(kind).dump_python(value, mode="json")


def from_plain(plain: Any, kind: Any) -> Any:
    """Return the value that `to_plain` was given."""
    return _adapter(kind).validate_python(plain)
