"""What would mend a finding: the words, the commands, and the estate as it would be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nospof.audit.builder import Entry
from nospof.model.estate import Estate


@dataclass(frozen=True)
class Proposal:
    """A remedy.

    Args:
        says: what to do, in a sentence.
        commands: how, in order.
        changes: the estate with the remedy in place; None where nothing can be tried on what was read.
        entry: where clients enter afterwards, when that changes.
    """

    says: str
    commands: tuple[str, ...] = ()
    changes: Callable[[Estate], Estate] | None = None
    entry: Entry | None = None
