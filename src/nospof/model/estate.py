"""Everything that was read, in one shape, whoever read it: the estate.

An item is a resource as the AWS call that describes it would answer: a live account and saved
pages are taken as they are, Terraform and CloudFormation are translated into the same fields. What
a description leaves open is UNKNOWN, which is neither absent nor false. Fields are read by path,
and only paths that the item's kind declares, so that a test can hold all of them against AWS's own
models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Literal

from nospof.model.findings import Fact, Location, Unread
from nospof.model.kinds import KINDS, Kind


class NotKnown:
    """The type of UNKNOWN: a value that exists and that nobody could tell."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("a value that is not known is neither true nor false; ask `is UNKNOWN`")


UNKNOWN: Final = NotKnown()

Provenance = Literal["declared", "assumed", "observed", "configured", "permitted", "guessed"]
CERTAIN: tuple[Provenance, ...] = ("declared", "assumed", "observed", "configured")
"""Edges of other provenance count in the pessimistic reading only: they can make a finding possible."""


class Record:
    """A part of an answer. Paths are dotted and relative to it; lists in between are read with `rows`.

    Every reader of a field raises KeyError for a path that the kind does not declare: that is our bug.
    """

    def __init__(self, kind: Kind, fields: Mapping[str, Any], prefix: str = "") -> None:
        self.kind = kind
        self.fields = fields
        self._prefix = prefix

    def at(self, path: str) -> Any:
        """Return the raw value: None when absent, UNKNOWN when it or what it stands in is."""
        full = self._prefix + path
        if full not in self.kind.paths:
            raise KeyError(f"{self.kind.name} does not declare {full}")
        value: Any = self.fields
        for part in path.split("."):
            if value is UNKNOWN:
                return UNKNOWN
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def is_unknown(self, path: str) -> bool:
        """Whether the value exists and nobody could tell it."""
        return self.at(path) is UNKNOWN

    def text(self, path: str, default: str = "") -> str:
        """Return a text; the default when it is absent or unknown."""
        value = self.at(path)
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
        value = self.at(path)
        if not isinstance(value, (list, tuple)):
            return ()
        return tuple(
            Record(self.kind, one, f"{self._prefix}{path}.") for one in value if isinstance(one, Mapping)
        )


def moment_of(value: Any) -> float | None:
    """Return a moment that a call or a saved page tells: a datetime, ISO 8601 text, or seconds."""
    from datetime import UTC, datetime

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

    @cached_property
    def tags(self) -> dict[str, str]:
        """The item's tags; what is unknown about them is left out."""
        pairs = self.fields.get("Tags") or self.fields.get("TagList") or ()
        if not isinstance(pairs, (list, tuple)):
            return {}
        return {
            str(one["Key"]): str(one.get("Value", ""))
            for one in pairs
            if isinstance(one, Mapping) and "Key" in one
        }

    @property
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
        for path in self.kind.keys:
            if value := self.text(path):
                yield value.rstrip(".").lower() if self.kind.is_name(path) else value

    def fact(self, path: str) -> Fact:
        """Return what was read in a field, as evidence."""
        value = self.at(path)
        says = "(unknown)" if value is UNKNOWN else "(absent)" if value is None else says_of(value)
        return Fact(
            self.call, self.label if self.label == self.id else f"{self.label} ({self.id})", path, says
        )

    def facts(self, *paths: str) -> tuple[Fact, ...]:
        """Return what was read in fields, as evidence."""
        return tuple(self.fact(path) for path in paths)

    def with_fields(self, **fields: Any) -> Item:
        """Return the item with top-level fields replaced, for trying out a change."""
        return Item(self.kind, self.id, {**self.fields, **fields}, self.call, self._label, self.location)


def item_of(kind: Kind, fields: Mapping[str, Any], call: str = "", location: Location = Location()) -> Item:  # noqa: B008
    """Return an item from a record as its call answers it; its id is where the kind says."""
    record = Record(kind, fields)
    parts = [record.text(path) for path in kind.id.split("+")]
    if kind.parent and kind.parent not in kind.id:
        parts.insert(0, record.text(kind.parent))
    return Item(kind, ":".join(part for part in parts if part), fields, call, location=location)


def says_of(value: Any) -> str:
    """Return a value as evidence shows it, in one line and the same every time."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {says_of(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return ", ".join(says_of(one) for one in value) or "(empty)"
    return str(value)


@dataclass(frozen=True)
class Use:
    """Somebody needs something: an edge that no describing call declares.

    Args:
        user: the id of the item that needs.
        used_kind: the kind of what is needed.
        used: the id, or another key, of what is needed.
        view: where its loss hurts: "serving", "degraded", "egress", "recovery", "admin".
        provenance: how it is known.
        why: the sentence that proves it: "10.0.1.4:3306 is connected from 10.0.2.7".
    """

    user: str
    used_kind: str
    used: str
    view: str = "serving"
    provenance: Provenance = "configured"
    why: str = ""


@dataclass(frozen=True)
class Estate:
    """All that was read, and what was not.

    Args:
        source: "AWS", "Terraform plan", "CloudFormation template", ...
        account: the account's number, where known.
        region: the region, where known.
        read_at: when, seconds since the epoch.
        items: by the name of their kind.
        unread: what could not be read, and why.
        is_whole: everything of a kind that was read is here (a live account); otherwise what is
            referred to may exist elsewhere (a plan, a template).
        uses: edges that were found beside what the items declare.
        assumptions: what the reader took for true, in sentences.
    """

    source: str
    account: str = ""
    region: str = ""
    read_at: float = 0.0
    items: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()
    is_whole: bool = True
    uses: tuple[Use, ...] = ()
    assumptions: tuple[str, ...] = ()

    def of(self, kind: str) -> tuple[Item, ...]:
        """Return all items of a kind, in the order they were read."""
        if kind not in KINDS:
            raise KeyError(f"no kind is called {kind}")
        return self.items.get(kind, ())

    def find(self, kind: str, key: str) -> Item | None:
        """Return the item of a kind that goes by an id, ARN, name or address."""
        if kind not in KINDS:
            raise KeyError(f"no kind is called {kind}")
        return self._index(kind).get(key) or self._index(kind).get(key.rstrip(".").lower())

    def _index(self, kind: str) -> dict[str, Item]:
        index = self._indexes.get(kind)
        if index is None:
            index = self._indexes[kind] = {}
            for item in self.items.get(kind, ()):
                for key in item.keys:
                    index.setdefault(key, item)
        return index

    def where(self, kind: str, path: str, *values: str) -> tuple[Item, ...]:
        """Return the items in whose field (through lists too) one of the values stands, in order.

        The index is made once for a kind and a path, so asking for each item of an account stays cheap.
        """
        index = self._lists.get((kind, path))
        if index is None:
            index = self._lists[kind, path] = {}
            for item in self.of(kind):
                for value in dict.fromkeys(_leaves(item.fields, path.split("."))):
                    index.setdefault(value, []).append(item)
        found = {item.id: item for value in values for item in index.get(value, ())}
        return tuple(found.values())

    def uses_of(self, user: str) -> tuple[Use, ...]:
        """Return what an item needs beside what it declares."""
        return tuple(self._uses.get(user, ()))

    @cached_property
    def _uses(self) -> dict[str, list[Use]]:
        found: dict[str, list[Use]] = {}
        for use in self.uses:
            found.setdefault(use.user, []).append(use)
        return found

    @cached_property
    def _lists(self) -> dict[tuple[str, str], dict[str, list[Item]]]:
        return {}

    @cached_property
    def _indexes(self) -> dict[str, dict[str, Item]]:
        return {}

    def is_unread(self, *kinds: str) -> bool:
        """Whether anything of these kinds could not be read."""
        return any(one.kind in (KINDS[kind].plural for kind in kinds) for one in self.unread)

    def plus(self, *items: Item) -> Estate:
        """Return the estate with items more, for trying out a change."""
        more = dict(self.items)
        for item in items:
            more[item.kind.name] = (*more.get(item.kind.name, ()), item)
        return replace(self, items=more)

    def changed(self, kind: str, id: str, **fields: Any) -> Estate:  # noqa: A002
        """Return the estate with top-level fields of one item replaced."""
        each = tuple(one.with_fields(**fields) if one.id == id else one for one in self.of(kind))
        return replace(self, items={**self.items, kind: each})

    def without(self, kind: str, id: str) -> Estate:  # noqa: A002
        """Return the estate without one item."""
        return replace(self, items={**self.items, kind: tuple(one for one in self.of(kind) if one.id != id)})


class Watched:
    """An estate that remembers which items were asked for, so that a part of it can stand for the whole.

    It answers as the estate does. `narrowed` is the estate of what was asked for: small enough to
    try many changes on, and with the same answers to the same questions.
    """

    WHOLE = ("zone", "subnet")
    """Kinds that are small, and that a change may ask for anew: always kept."""

    def __init__(self, estate: Estate) -> None:
        self.whole = estate
        self._touched: dict[tuple[str, str], Item] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def of(self, kind: str) -> tuple[Item, ...]:
        """Return all items of a kind, in the order they were read."""
        return self._noted(self.whole.of(kind))

    def find(self, kind: str, key: str) -> Item | None:
        """Return the item of a kind that goes by an id, ARN, name or address."""
        item = self.whole.find(kind, key)
        if item is not None:
            self._noted((item,))
        return item

    def where(self, kind: str, path: str, *values: str) -> tuple[Item, ...]:
        """Return the items in whose field one of the values stands, in order."""
        return self._noted(self.whole.where(kind, path, *values))

    def _noted(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        for item in items:
            self._touched[item.kind.name, item.id] = item
        return items

    def narrowed(self) -> Estate:
        """Return the estate of what was asked for so far."""
        for kind in self.WHOLE:
            self.of(kind)
        found: dict[str, list[Item]] = {}
        for (kind, _), item in self._touched.items():
            found.setdefault(kind, []).append(item)
        return replace(self.whole, items={kind: tuple(each) for kind, each in found.items()})


def _leaves(value: Any, path: list[str]) -> Iterator[str]:
    """Yield every text that a path leads to, through lists."""
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _leaves(one, path)
    elif not path:
        if value is not None and value is not UNKNOWN and not isinstance(value, Mapping):
            yield str(value)
    elif isinstance(value, Mapping):
        yield from _leaves(value.get(path[0]), path[1:])


def estate_of(items: Iterable[Item], **about: Any) -> Estate:
    """Return an estate of items in any order; `about` are Estate's other arguments."""
    by_kind: dict[str, list[Item]] = {}
    for item in items:
        by_kind.setdefault(item.kind.name, []).append(item)
    return Estate(items={kind: tuple(each) for kind, each in by_kind.items()}, **about)
