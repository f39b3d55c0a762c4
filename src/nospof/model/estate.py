"""Everything that was read, in one shape, whoever read it: the estate.

A live account and saved pages are taken as they are, Terraform and CloudFormation are translated
into the same items. An estate answers questions, and can be changed to try something out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from nospof.model.findings import Unread
from nospof.model.item import UNKNOWN, Item, Record, item_of, moment_of, says_of
from nospof.model.kinds import KINDS

__all__ = [
    "CERTAIN",
    "UNKNOWN",
    "Estate",
    "Item",
    "Provenance",
    "Record",
    "Use",
    "Watched",
    "estate_of",
    "item_of",
    "moment_of",
    "says_of",
]


Provenance = Literal["declared", "assumed", "observed", "configured", "permitted", "guessed"]
NONE: dict[str, Item] = {}
CERTAIN: tuple[Provenance, ...] = ("declared", "assumed", "observed", "configured")
"""Edges of other provenance count in the pessimistic reading only: they can make a finding possible."""


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
        answered: the ids of target groups whose targets were not asked for, as an Auto Scaling group tells
            of them: that none was read says nothing.
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
    answered: frozenset[str] = frozenset()

    def of(self, kind: str) -> tuple[Item, ...]:
        """Return all items of a kind, in the order they were read."""
        if kind not in KINDS:
            raise KeyError(f"no kind is called {kind}")
        return self.items.get(kind, ())

    def find(self, kind: str, key: str) -> Item | None:
        """Return the item of a kind that goes by an id, ARN, name or address."""
        index = self._indexes.get(kind)
        if index is None:
            index = self._indexes[kind] = {}
            for item in self.of(kind):
                for each in item.keys:
                    index.setdefault(each, item)
        return index.get(key) or index.get(key.rstrip(".").lower())

    def where(self, kind: str, path: str, *values: str) -> tuple[Item, ...]:
        """Return the items in whose field (through lists too) one of the values stands, in order.

        The index is made once for a kind and a path, so asking for each item of an account stays cheap.
        """
        index = self._lists.get((kind, path))
        if index is None:
            index = self._lists[kind, path] = {}
            for item in self.of(kind):
                for value in _leaves(item.fields, path.split(".")):
                    index.setdefault(value, {})[item.id] = item
        if len(values) == 1:
            return tuple(index.get(values[0], NONE).values())
        found = {item.id: item for value in values for item in index.get(value, NONE).values()}
        return tuple(found.values())

    def untold(self, kind: str, path: str) -> tuple[Item, ...]:
        """Return the items of a kind whose field exists and nobody could tell, in order."""
        found = self._untold.get((kind, path))
        if found is None:
            found = self._untold[kind, path] = tuple(one for one in self.of(kind) if one.is_unknown(path))
        return found

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
    def _lists(self) -> dict[tuple[str, str], dict[str, dict[str, Item]]]:
        return {}

    @cached_property
    def _untold(self) -> dict[tuple[str, str], tuple[Item, ...]]:
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
            self._touched[item.kind.name, item.id] = item
        return item

    def where(self, kind: str, path: str, *values: str) -> tuple[Item, ...]:
        """Return the items in whose field one of the values stands, in order."""
        return self._noted(self.whole.where(kind, path, *values))

    def untold(self, kind: str, path: str) -> tuple[Item, ...]:
        """Return the items of a kind whose field exists and nobody could tell, in order."""
        return self._noted(self.whole.untold(kind, path))

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
