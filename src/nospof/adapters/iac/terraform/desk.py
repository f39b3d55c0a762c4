"""Items while they are made: each resource's drafts, and who is meant where one names another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from nospof.adapters.iac.terraform.cells import Translation, record
from nospof.adapters.iac.terraform.references import References
from nospof.adapters.iac.terraform.resources import Block, Resource
from nospof.adapters.iac.terraform.shape import Malformed, named
from nospof.adapters.iac.terraform.tables import FACTS, TABLE
from nospof.model.estate import UNKNOWN
from nospof.model.findings import Unread

IN_FRONT = frozenset({"load balancer", "classic load balancer", "listener", "target group"})
"""What stands in front of others: where it is in no file, nobody finds the way to what is behind it."""


@dataclass
class Draft:
    """An item in the making."""

    kind: str
    id: str
    resource: Resource
    translation: Translation
    fields: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, *more: Any) -> None:
        """Append to a list of the draft's; one that nobody could tell begins anew."""
        listed = self.fields.get(name)
        known = listed if isinstance(listed, list) else []
        self.fields[name] = [*known, *(one for one in more if one not in known)]


class Desk:
    """All drafts, and the notes taken while they are made.

    Args:
        resources: what the file describes.
        references: follows what expressions name.
        source: who says so: "terraform plan".
    """

    def __init__(self, resources: Iterable[Resource], references: References, source: str) -> None:
        self.resources = tuple(resources)
        self.references = references
        self.source = source
        self.drafts: list[Draft] = []
        self.unread: dict[str, Unread] = {}
        self.assumptions: dict[str, None] = {}
        self._at: dict[tuple[str, str], Draft] = {}
        self._by_name: dict[tuple[str, str], Draft | None] = {}
        for resource in self.resources:
            if not resource.is_data or resource.type in FACTS:
                for translation in TABLE.get(resource.type, ()):
                    self._begin(resource, translation)

    def _begin(self, resource: Resource, translation: Translation) -> None:
        kind = translation.kind
        known = resource.values.get(translation.id) if translation.id else None
        own = known if isinstance(known, str) and known else resource.address
        other = self._by_name.get((kind, own))
        if other is not None and other.id == own:
            if resource.is_data:
                return  # A data source that looks up what this very file manages.
            own = resource.address  # Another region's, or another account's, of the same name.
        draft = Draft(kind, own, resource, translation)
        self.drafts.append(draft)
        self._at[kind, resource.address] = draft
        told = [resource.values.get(name) for name in ("id", *translation.others)]
        texts = [one for one in (own, resource.address, *told, *resource.earlier_ids) if isinstance(one, str)]
        for name in dict.fromkeys(texts):
            if name:
                taken = self._by_name.get((kind, name), draft)
                self._by_name[kind, name] = draft if taken is draft else taken if name == own else None

    def fill(self) -> None:
        """Read the fields of every draft.

        Raises:
            Malformed: an attribute is not what it must be.
        """
        for draft in self.drafts:
            draft.fields = record(draft.resource.block, self, draft.translation.fields)

    # Who is meant -----------------------------------------------------------------------------------

    def find(self, kind: str, name: Any) -> Draft | None:
        """Return the draft that goes by an id, a name or an address."""
        return self._by_name.get((kind, name)) if isinstance(name, str) else None

    def draft_of(self, kind: str, resource: Resource) -> Draft | None:
        """Return what a resource became."""
        return self._at.get((kind, resource.address))

    def drafts_of(self, resource: Resource) -> Iterator[Draft]:
        """Yield all that a resource became."""
        for translation in TABLE.get(resource.type, ()):
            if draft := self._at.get((translation.kind, resource.address)):
                yield draft

    def one(self, block: Block, name: str, kinds: tuple[str, ...], *, is_needed: bool) -> Any:
        """Return the id of the one item that an attribute refers to, UNKNOWN, or None.

        Raises:
            Malformed: the attribute is no single value.
        """
        value = block.get(name)
        if value is None:
            return None
        if value is not UNKNOWN:
            if isinstance(value, (dict, list)):
                raise Malformed(block.where(name), f"a single value was expected, not {named(value)}")
            return self._meant(str(value), kinds, is_needed=is_needed)
        if not block.may_be_set(name):
            return None
        ids, _ = self._ids(block, name, kinds)
        if len(ids) == 1:
            return ids[0]
        return self._lost(block, name, is_needed=is_needed)

    def many(self, block: Block, name: str, kinds: tuple[str, ...], *, is_needed: bool) -> Any:
        """Return the ids of all items that an attribute refers to, UNKNOWN, or None.

        Raises:
            Malformed: the attribute is neither a list nor a text.
        """
        value = block.get(name)
        if value is None:
            return None
        if value is not UNKNOWN:
            rows = [value] if isinstance(value, str) else value
            if not isinstance(rows, list):
                raise Malformed(block.where(name), f"a list was expected, not {named(value)}")
            plain = [one for one in rows if one is not UNKNOWN and one is not None]
            if any(isinstance(one, (dict, list)) for one in plain):
                raise Malformed(block.where(name), "a list of texts was expected")
            known = [self._meant(str(one), kinds, is_needed=is_needed) for one in plain]
            if UNKNOWN not in rows:
                return known
        elif not block.may_be_set(name):
            return None
        else:
            known = []
        ids, is_whole = self._ids(block, name, kinds)
        if not ids or not is_whole:
            return self._lost(block, name, is_needed=is_needed)
        return list(dict.fromkeys((*known, *ids)))

    def _ids(self, block: Block, name: str, kinds: tuple[str, ...]) -> tuple[list[str], bool]:
        found = self.references.of(block.resource, block.references(name))
        ids = [
            draft.id
            for target in found.targets
            for kind in kinds
            if (draft := self._at.get((kind, target.resource.address)))
        ]
        if len(found.targets) > 1 and block.resource.key is not None:
            self.assume("what count or for_each makes is taken to use what the same index made")
        return sorted(set(ids)), found.is_whole

    def _meant(self, value: str, kinds: tuple[str, ...], *, is_needed: bool) -> str:
        for kind in kinds:
            if draft := self._by_name.get((kind, value)):
                return draft.id
        if is_needed and kinds and kinds[0] in IN_FRONT:
            self.note(kinds[0], "it is in no file that was read", value)
        return value

    def _lost(self, block: Block, name: str, *, is_needed: bool) -> Any:
        if is_needed:
            self.note("reference", "what it refers to could not be told", block.where(name))
        return UNKNOWN

    # Notes ------------------------------------------------------------------------------------------

    def note(self, kind: str, reason: str, about: str = "") -> None:
        """Note something that could not be read, once."""
        self.unread.setdefault(f"{kind}|{about}", Unread(kind, self.source, reason, about))

    def assume(self, says: str) -> None:
        """Note what is taken for true, once."""
        self.assumptions[says] = None
