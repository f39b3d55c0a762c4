"""What a rule of the audit is: a name for one kind of event in one view, and what to know of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A rule. It decides nothing: it names what the simulation found.

    Args:
        id: stable; it never gets another meaning. Its first digit is the family.
        slug: the readable name, the family first.
        title: what it says, in a sentence.
        why: why that matters, in a few sentences.
        looks_at: what was read to find it.
        remedy: what usually mends it.
        related: ids of rules that tend to come with it, or that say what this one does not.
    """

    id: str
    slug: str
    title: str
    why: str
    looks_at: str
    remedy: str
    related: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The family's word: "serving", "domain", ..."""
        return self.slug.partition("/")[0]
