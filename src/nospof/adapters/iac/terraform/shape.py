"""What a file must look like, checked while it is read; a wrong place is told by its path in the JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class Malformed(ValueError):
    """A place in a file that is not what it must be."""

    def __init__(self, where: str, says: str) -> None:
        super().__init__(f"{where}: {says}")


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    """Return an object; an empty one for null.

    Raises:
        Malformed: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Malformed(where, f"an object was expected, not {named(value)}")
    return value


def sequence(value: Any, where: str) -> Sequence[Any]:
    """Return a list; an empty one for null.

    Raises:
        Malformed: it is something else.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Malformed(where, f"a list was expected, not {named(value)}")
    return value


def objects(value: Any, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each object of a list, behind its path in the JSON.

    Raises:
        Malformed: it is no list, or has something else in it.
    """
    for number, one in enumerate(sequence(value, where)):
        at = f"{where}[{number}]"
        yield at, mapping(one, at)


def word(value: Any, where: str, default: str | None = None) -> str:
    """Return a text; the default for null or an empty one, where there is a default.

    Raises:
        Malformed: it is something else, or missing without a default.
    """
    if value in (None, "") and default is not None:
        return default
    if not isinstance(value, str) or not value:
        raise Malformed(where, f"a text was expected, not {named(value)}")
    return value


def named(value: Any) -> str:
    """Return what a value is, in JSON's own words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text" if value else "an empty text"
    return "a list" if isinstance(value, (list, tuple)) else "an object"
