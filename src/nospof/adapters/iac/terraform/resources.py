"""A resource as Terraform describes it, and the blocks in it, before anything is translated.

A value that the description leaves open is UNKNOWN. A value that is missing means its default in a
plan, which is whole; in a state, from which people remove attributes, it means that nobody can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nospof.adapters.iac.terraform.shape import Malformed, named
from nospof.model.estate import UNKNOWN

Key = str | int | None
"""The index of one instance of a resource: a number with count, a text with for_each."""

_STEP = re.compile(r'\.?(?:([^.\[\]]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\])')


@dataclass(frozen=True)
class Resource:
    """One instance of a resource.

    Args:
        address: its full address: 'module.a["x"].aws_instance.web[0]'.
        type: "aws_instance".
        name: "web".
        module: the address of the module instance it stands in; empty for the root.
        key: its index, if it has one.
        values: its attributes; UNKNOWN where the description leaves them open.
        expressions: what its attributes are made of, by the configuration; None where that was not read.
        is_data: it is a data source: a fact about something that is managed elsewhere.
        is_partial: attributes may have been removed from it, so that a missing one tells nothing.
        earlier_ids: ids it had before the plan, which others may still name.
    """

    address: str
    type: str
    name: str
    module: str = ""
    key: Key = None
    values: Mapping[str, Any] = field(default_factory=dict)
    expressions: Mapping[str, Any] | None = None
    is_data: bool = False
    is_partial: bool = False
    earlier_ids: tuple[str, ...] = ()

    @property
    def block(self) -> Block:
        """The resource's outermost block."""
        return Block(self, self.values, self.expressions)


@dataclass(frozen=True)
class Block:
    """A block of a resource, with its part of the configuration. `place` is its path in the resource."""

    resource: Resource
    values: Mapping[str, Any]
    expressions: Mapping[str, Any] | None
    place: str = ""

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute: UNKNOWN when nobody can tell, the default when it is not set."""
        if name not in self.values:
            return UNKNOWN if self.resource.is_partial else default
        value = self.values[name]
        if value is UNKNOWN and not self.may_be_set(name):
            # Nobody set it: the provider fills it in, and where it does so always alike, that is the default.
            return UNKNOWN if default is None else default
        return default if value is None or value == "" else value

    def may_be_set(self, name: str) -> bool:
        """Whether the configuration gives an attribute, or may."""
        return self.expressions is None or name in self.expressions

    def references(self, name: str) -> tuple[str, ...]:
        """Return what an attribute's expression refers to, in the configuration's own words."""
        return references_in((self.expressions or {}).get(name))

    def blocks(self, name: str) -> tuple[Block, ...]:
        """Return the nested blocks of a name; none where nobody can tell.

        Raises:
            Malformed: it is no block.
        """
        value = self.get(name)
        if value is None or value is UNKNOWN:
            return ()
        rows = [value] if isinstance(value, Mapping) else value
        if not isinstance(rows, list):
            raise Malformed(self.where(name), f"a block was expected, not {named(value)}")
        parts = self._expressions_of(name, len(rows))
        found = []
        for number, row in enumerate(rows):
            if row is None or row is UNKNOWN:
                continue
            where = f"{name}[{number}]"
            if not isinstance(row, Mapping):
                raise Malformed(self.where(where), f"a block was expected, not {named(row)}")
            found.append(Block(self.resource, row, parts[number], f"{self.place}{where}."))
        return tuple(found)

    def where(self, name: str) -> str:
        """Return the full place of an attribute, for a message."""
        return f"{self.resource.address}.{self.place}{name}"

    def _expressions_of(self, name: str, number: int) -> list[Mapping[str, Any] | None]:
        if self.expressions is None:
            return [None] * number
        part = self.expressions.get(name)
        rows = [part] if isinstance(part, Mapping) else part
        if isinstance(rows, list) and len(rows) == number and all(isinstance(one, Mapping) for one in rows):
            # An attribute in block syntax has one expression for all of it.
            return [None if "references" in one or "constant_value" in one else one for one in rows]
        return [
            None
        ] * number  # Dynamic blocks are left out of the configuration's JSON: anything may be set.


def references_in(expression: Any) -> tuple[str, ...]:
    """Return all that an expression refers to, at any depth, each once, in order."""
    return tuple(dict.fromkeys(_references(expression)))


def _references(expression: Any) -> Iterator[str]:
    if isinstance(expression, Mapping):
        listed = expression.get("references")
        if isinstance(listed, list):
            yield from (one for one in listed if isinstance(one, str))
        for key, value in expression.items():
            if key not in ("references", "constant_value"):
                yield from _references(value)
    elif isinstance(expression, list):
        for one in expression:
            yield from _references(one)


def with_unknown(values: Any, unknown: Any) -> Any:
    """Return values with UNKNOWN wherever the plan says that they are known only after it is applied."""
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, Mapping) and isinstance(values, (Mapping, type(None))):
        merged = dict(values or {})
        for name, part in unknown.items():
            found = with_unknown(merged.get(name), part)
            if found is not None or name in merged:
                merged[name] = found
        return merged if merged or values is not None else None
    if isinstance(unknown, list) and isinstance(values, (list, type(None))):
        rows = list(values or ())
        rows += [None] * (len(unknown) - len(rows))
        found = [with_unknown(row, part) for row, part in zip(rows, unknown, strict=False)]
        rest = rows[len(unknown) :]
        return found + rest if found or rest or values is not None else None
    return values


def steps(traversal: str) -> tuple[str | int, ...]:
    """Return the steps of an address or a reference: names as texts, indexes as numbers or ["text"].

    A text index is told from a name by the quotation marks it keeps.
    """
    found: list[str | int] = []
    at = 0
    while at < len(traversal):
        match = _STEP.match(traversal, at)
        if not match:
            return tuple(found)  # A splat or a computed index: what stands before it is all that is told.
        name, number, text = match.groups()
        found.append(name if name else int(number) if number else f'"{text}"')
        at = match.end()
    return tuple(found)


def key_of(step: str | int | None) -> Key:
    """Return the index that a step is, or None where it is a name."""
    if isinstance(step, str):
        return step[1:-1].replace('\\"', '"').replace("\\\\", "\\") if step.startswith('"') else None
    return step


def bare(address: str) -> str:
    """Return an address without any index: what the configuration calls it."""
    return ".".join(str(one) for one in steps(address) if key_of(one) is None)


def within(module: str, own: str) -> str:
    """Return the full address of what stands in a module; the root's is empty."""
    return f"{module}.{own}" if module else own


def indexed(address: str, key: Key) -> str:
    """Return an address with an index at its end."""
    if key is None:
        return address
    if isinstance(key, int):
        return f"{address}[{key}]"
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'{address}["{quoted}"]'
