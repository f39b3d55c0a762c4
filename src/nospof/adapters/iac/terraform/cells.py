"""How a field of the estate is read from a block: small readers, which the tables are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from nospof.adapters.iac.terraform.resources import Block
from nospof.adapters.iac.terraform.shape import Malformed, named
from nospof.model.estate import UNKNOWN


class Links(Protocol):
    """What finds the items that a block refers to."""

    def one(self, block: Block, name: str, kinds: tuple[str, ...], *, is_needed: bool) -> Any:
        """Return the id of the one item that an attribute refers to, UNKNOWN, or None."""

    def many(self, block: Block, name: str, kinds: tuple[str, ...], *, is_needed: bool) -> Any:
        """Return the ids of all items that an attribute refers to, or UNKNOWN."""


Cell = Callable[[Block, Links], Any]
Fields = Mapping[str, Cell]


def at(name: str, default: Any = None) -> Cell:
    """Read an attribute that is a text, a number or a switch."""

    def read(block: Block, _links: Links) -> Any:
        value = block.get(name, default)
        if isinstance(value, (Mapping, list)):
            raise Malformed(block.where(name), f"a single value was expected, not {named(value)}")
        return value

    return read


def given(name: str) -> Cell:
    """Read a single value, absent where nobody set it although AWS would answer something."""

    def read(block: Block, links: Links) -> Any:
        value = at(name)(block, links)
        return None if value is UNKNOWN and not block.may_be_set(name) else value

    return read


def listed(name: str) -> Cell:
    """Read a list of texts."""

    def read(block: Block, _links: Links) -> Any:
        value = block.get(name)
        if value is UNKNOWN or value is None:
            return value if block.may_be_set(name) or value is None else None
        if not isinstance(value, list):
            raise Malformed(block.where(name), f"a list was expected, not {named(value)}")
        texts = [str(one) for one in value if one is not None and one is not UNKNOWN]
        return texts or (UNKNOWN if value else [])

    return read


def always(value: Any) -> Cell:
    """Give the same value for every block."""
    return lambda _block, _links: value


def chosen(name: str, words: Mapping[Any, Any], default: Any = None) -> Cell:
    """Read an attribute and give the estate's word for it."""

    def read(block: Block, links: Links) -> Any:
        value = at(name, default)(block, links)
        if value is UNKNOWN:
            return UNKNOWN
        # Older states say everything in texts.
        value = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
        return words.get(value, value)

    return read


def link(name: str, *kinds: str, is_needed: bool = False) -> Cell:
    """Read the id of the item of some kind that an attribute refers to.

    Where it `is_needed` and nobody can tell, that is said: somebody would be missing from the service.
    """
    return lambda block, links: links.one(block, name, kinds, is_needed=is_needed)


def links_to(name: str, *kinds: str, is_needed: bool = False) -> Cell:
    """Read the ids of all items of some kind that an attribute refers to."""
    return lambda block, links: links.many(block, name, kinds, is_needed=is_needed)


def joined(cell: Cell) -> Cell:
    """Give a list as one text with commas, where AWS answers so."""

    def read(block: Block, links: Links) -> Any:
        value = cell(block, links)
        return ",".join(value) if isinstance(value, list) else value

    return read


def each(cell: Cell, field: str) -> Cell:
    """Give a list of texts as a list of records with that one field."""

    def read(block: Block, links: Links) -> Any:
        value = cell(block, links)
        return [nested({field: one}) for one in value] if isinstance(value, list) else value

    return read


def rows(name: str, fields: Fields) -> Cell:
    """Read nested blocks, each as a record."""

    def read(block: Block, links: Links) -> Any:
        value = block.get(name)
        if value is UNKNOWN:
            return UNKNOWN if block.may_be_set(name) else None
        return [record(one, links, fields) for one in block.blocks(name)] or None

    return read


def inside(name: str, cell: Cell, unset: Any = None) -> Cell:
    """Read something within the first nested block of a name; `unset` where there is no such block."""

    def read(block: Block, links: Links) -> Any:
        value = block.get(name)
        if value is UNKNOWN:
            return UNKNOWN if block.may_be_set(name) or unset is None else unset
        found = block.blocks(name)
        return cell(found[0], links) if found else unset

    return read


def first_of(*cells: Cell) -> Cell:
    """Give what the first of several tells; UNKNOWN if none does and one of them might."""

    def read(block: Block, links: Links) -> Any:
        values = [cell(block, links) for cell in cells]
        told = [one for one in values if one is not None and one is not UNKNOWN]
        if told:
            return told[0]
        return UNKNOWN if any(one is UNKNOWN for one in values) else None

    return read


def record(block: Block, links: Links, fields: Fields) -> dict[str, Any]:
    """Return a block as a record: what is absent is left out."""
    values = {path: cell(block, links) for path, cell in fields.items()}
    return nested({path: value for path, value in values.items() if value is not None})


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted paths as records in records."""
    found: dict[str, Any] = {}
    for path, value in flat.items():
        parts = path.split(".")
        inner = found
        for part in parts[:-1]:
            inner = inner.setdefault(part, {})
        inner[parts[-1]] = value
    return found


@dataclass(frozen=True)
class Translation:
    """How one of Terraform's types becomes an item.

    Args:
        kind: the item's kind; one that the estate does not have serves only for others to be found by.
        id: the attribute with the identity that AWS gives, once it has given one.
        fields: the item's fields, dotted, each with what reads it.
        others: further attributes that others may name it by.
    """

    kind: str
    id: str
    fields: Fields
    others: tuple[str, ...] = ()
