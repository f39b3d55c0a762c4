"""Which item an attribute refers to: by the id it holds, else by what the configuration says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nospof.adapters.iac.terraform.references import References
from nospof.adapters.iac.terraform.resources import Block, Resource
from nospof.adapters.iac.terraform.tables import FACTS, TABLE
from nospof.model.estate import UNKNOWN
from nospof.model.findings import Unread


@dataclass(frozen=True)
class Known:
    """What a resource is in the estate: its kind and its id there."""

    kind: str
    id: str


class Linker:
    """Implements `cells.Links`; notes whatever would be missing from a service.

    Args:
        resources: all that the file describes.
        references: what its expressions refer to.
        call: how what was read is called in the report.
    """

    def __init__(self, resources: Iterable[Resource], references: References, call: str) -> None:
        self._references = references
        self._call = call
        self.unread: list[Unread] = []
        self._by_address: dict[str, Known] = {}
        self._by_key: dict[tuple[str, str], str] = {}
        for one in resources:
            self._note(one)

    def _note(self, one: Resource) -> None:
        translations = TABLE.get(one.type, ())
        if not translations or not translations[0].id or (one.is_data and one.type not in FACTS):
            return
        first = translations[0]
        own = one.values.get(first.id)
        # What Terraform made goes by the id that it was given; what it will make, by its address.
        id_ = own if isinstance(own, str) and own and first.id in ("id", "arn") else one.address
        known = Known(first.kind, id_)
        self._by_address[one.address] = known
        names = [one.address, *one.earlier_ids, *(one.values.get(name) for name in (first.id, *first.others))]
        for name in names:
            if isinstance(name, str) and name:
                self._by_key.setdefault((first.kind, name), id_)

    def id_of(self, one: Resource) -> str:
        """Return the id of a resource's item."""
        known = self._by_address.get(one.address)
        return known.id if known else one.address

    def one(self, block: Block, name: str, kinds: tuple[str, ...], *, is_needed: bool) -> Any:
        """Return the id of the one item that an attribute refers to, UNKNOWN, or None."""
        value = block.get(name)
        if value is not UNKNOWN:
            return self._resolved(value, kinds)
        if not self._is_set(block, name):
            return None
        found, _ = self._referred(block, name, kinds)
        return found[0] if len(found) == 1 else self._open(block, name, is_needed=is_needed)

    def many(self, block: Block, name: str, kinds: tuple[str, ...], *, is_needed: bool) -> Any:
        """Return the ids of all items that an attribute refers to, or UNKNOWN."""
        value = block.get(name)
        if value is None or (value is UNKNOWN and not self._is_set(block, name)):
            return None
        values = value if isinstance(value, list) else [value]
        told = [self._resolved(one, kinds) for one in values if one is not UNKNOWN and one is not None]
        if UNKNOWN not in values:
            return told
        found, is_whole = self._referred(block, name, kinds)
        merged = list(dict.fromkeys([*told, *found]))
        if found and (is_whole or len(merged) >= len(values)):
            return merged
        self._open(block, name, is_needed=is_needed)
        return merged or UNKNOWN

    def _is_set(self, block: Block, name: str) -> bool:
        """Whether somebody wrote the attribute: the provider fills in others, and refers to nothing here."""
        return block.resource.is_partial or block.may_be_set(name)

    def _resolved(self, value: Any, kinds: tuple[str, ...]) -> Any:
        if not isinstance(value, str):
            return value
        return next((self._by_key[kind, value] for kind in kinds if (kind, value) in self._by_key), value)

    def _referred(self, block: Block, name: str, kinds: tuple[str, ...]) -> tuple[list[str], bool]:
        """Return the ids of the items that an expression uses, and whether nothing else may be among them."""
        answer = self._references.of(block.resource, block.references(name))
        known = (self._by_address.get(one.resource.address) for one in answer.targets)
        return sorted(one.id for one in known if one is not None and one.kind in kinds), answer.is_whole

    def _open(self, block: Block, name: str, *, is_needed: bool) -> Any:
        if is_needed:
            reason = f"{name} is not known before it is applied"
            self.unread.append(Unread(f"what {block.resource.address} refers to", self._call, reason))
        return UNKNOWN
