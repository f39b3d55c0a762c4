"""A resource as the AWS call that describes it would answer, whoever describes it.

Fields are read by path, and only paths that the item's kind declares, so that a test can hold all
of them against AWS's own models. What a description leaves open is UNKNOWN, which is neither
absent nor false.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from nospof.model.findings import Fact, Location
from nospof.model.kinds import Kind


class NotKnown:
    """The type of UNKNOWN: a value that exists and that nobody could tell."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("a value that is not known is neither true nor false; ask `is UNKNOWN`")


UNKNOWN: Final = NotKnown()


class Record:
    """A part of an answer. Paths are dotted and relative to it; lists in between are read with `rows`.

    Every reader of a field raises KeyError for a path that the kind does not declare: that is our bug.
    The fields never change, so what was found at a path is remembered: an audit reads most of them often.
    """

    def __init__(self, kind: Kind, fields: Mapping[str, Any], prefix: str = "") -> None:
        self.kind = kind
        self.fields = fields
        self._prefix = prefix
        self._depth = prefix.count(".")
        self._read: dict[str, Any] = {}
        self._rows: dict[str, tuple[Record, ...]] = {}

    def at(self, path: str) -> Any:
        """Return the raw value: None when absent, UNKNOWN when it or what it stands in is."""
        try:
            return self._read[path]
        except KeyError:
            value = self._read[path] = self._found(path)
            return value

    def _found(self, path: str) -> Any:
        steps = self.kind.steps.get(self._prefix + path if self._depth else path)
        if steps is None:
            raise KeyError(f"{self.kind.name} does not declare {self._prefix}{path}")
        value: Any = self.fields
        for part in steps[self._depth :] if self._depth else steps:
            if type(value) is dict:  # nearly always; `isinstance` of an abstract class is slow
                value = value.get(part)
            elif value is UNKNOWN:
                return UNKNOWN
            else:
                value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def is_unknown(self, path: str) -> bool:
        """Whether the value exists and nobody could tell it."""
        return self.at(path) is UNKNOWN

    def text(self, path: str, default: str = "") -> str:
        """Return a text; the default when it is absent or unknown."""
        value = self.at(path)
        if type(value) is str:
            return value
        return default if value is None or value is UNKNOWN else str(value)

    def number(self, path: str, default: float | None = None) -> float | None:
        """Return a number; the default when absent, None when unknown or no number."""
        value = self.at(path)
        if value is None:
            return default
        try:
            return None if value is UNKNOWN else float(value)
        except (TypeError, ValueError):
            return None

    def flag(self, path: str, default: bool | None = False) -> bool | None:
        """Return a switch; the default when absent, None when unknown."""
        value = self.at(path)
        if value is None:
            return default
        if value is UNKNOWN:
            return None
        return value.lower() == "true" if isinstance(value, str) else bool(value)

    def moment(self, path: str) -> float | None:
        """Return a moment in seconds since the epoch, or None when absent, unknown or unreadable."""
        return moment_of(self.at(path))

    def texts(self, path: str) -> tuple[str, ...]:
        """Return a list of texts without what is unknown in it; empty when absent or unknown."""
        value = self.at(path)
        if not isinstance(value, (list, tuple)):
            return ()
        return tuple(str(one) for one in value if one is not None and one is not UNKNOWN)

    def rows(self, path: str) -> tuple[Record, ...]:
        """Return a list of parts; empty when absent or unknown."""
        found = self._rows.get(path)
        if found is None:
            value = self.at(path)
            rows = value if isinstance(value, (list, tuple)) else ()
            prefix = f"{self._prefix}{path}."
            found = tuple([Record(self.kind, one, prefix) for one in rows if isinstance(one, Mapping)])
            self._rows[path] = found
        return found


def moment_of(value: Any) -> float | None:
    """Return a moment that a call or a saved page tells: a datetime, ISO 8601 text, or seconds."""
    if isinstance(value, bool) or value is None or value is UNKNOWN:
        return None
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return None


class Item(Record):
    """A resource, as it was read.

    Args:
        kind: what it is.
        id: its identity within the estate, as other items refer to it; in a description without
            real ids, its address there.
        fields: as the describing call answers.
        call: who said so: "ec2:DescribeInstances", "terraform plan", "cloudformation template".
        label: what people call it; the name its kind has, else the Name tag, else the id, where empty.
        location: the file it stands in, if any.
    """

    def __init__(
        self,
        kind: Kind,
        id: str,  # noqa: A002 (the field's own word)
        fields: Mapping[str, Any],
        call: str = "",
        label: str = "",
        location: Location = Location(),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__(kind, fields)
        self.id = id
        self.call = call or kind.call
        self.location = location
        self._label = label
        self._facts: dict[str, Fact] = {}

    @cached_property
    def tags(self) -> dict[str, str]:
        """The item's tags; what is unknown about them is left out."""
        listed = (self.fields.get("Tags"), self.fields.get("TagList"))
        pairs = next((each for each in listed if isinstance(each, (list, tuple)) and each), ())
        return {
            str(one["Key"]): str(one.get("Value", ""))
            for one in pairs
            if isinstance(one, Mapping) and "Key" in one and one.get("Value") is not UNKNOWN
        }

    @cached_property
    def label(self) -> str:
        """What people call it."""
        named = self.text(self.kind.label) if self.kind.label else ""
        return self._label or named or self.tags.get("Name") or self.id

    @property
    def says(self) -> str:
        """Its kind and what people call it, with the id where that is another word."""
        other = f" ({self.id})" if self.label != self.id else ""
        return f"{self.kind.singular} {self.label}{other}"

    @property
    def keys(self) -> Iterator[str]:
        """Every text that others refer to it by."""
        yield self.id
        yield from filter(None, map(self.text, self.kind.keys))
        for path in self.kind.names:
            if value := self.text(path):
                yield value.rstrip(".").lower()

    def fact(self, path: str) -> Fact:
        """Return what was read in a field, as evidence."""
        found = self._facts.get(path)
        if found is None:
            value = self.at(path)
            says = "(unknown)" if value is UNKNOWN else "(absent)" if value is None else says_of(value)
            about = self.label if self.label == self.id else f"{self.label} ({self.id})"
            found = self._facts[path] = Fact(self.call, about, path, says)
        return found

    def facts(self, *paths: str) -> tuple[Fact, ...]:
        """Return what was read in fields, as evidence."""
        return tuple(map(self.fact, paths))

    def with_fields(self, **fields: Any) -> Item:
        """Return the item with top-level fields replaced, for trying out a change."""
        return Item(self.kind, self.id, {**self.fields, **fields}, self.call, self._label, self.location)


def item_of(kind: Kind, fields: Mapping[str, Any], call: str = "", location: Location = Location()) -> Item:  # noqa: B008
    """Return an item from a record as its call answers it; its id is where the kind says."""
    item = Item(kind, "", fields, call, location=location)
    parts = [item.text(path) for path in kind.id.split("+")]
    if kind.parent and kind.parent not in kind.id:
        parts.insert(0, item.text(kind.parent))
    item.id = ":".join(filter(None, parts))
    return item


def says_of(value: Any) -> str:
    """Return a value as evidence shows it, in one line and the same every time."""
    if type(value) is str:
        return value
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {says_of(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return ", ".join(says_of(one) for one in value) or "(empty)"
    return str(value)
