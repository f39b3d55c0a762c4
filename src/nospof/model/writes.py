"""Writes made while something breaks, and what came of them: the ledger of acknowledged writes.

Whoever writes gives each write an id, and writes down what became of it: an acknowledged write is a
promise. Afterwards every id is read back, and a promise that was not kept has a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from nospof.errors import UsageError

ID = "{id}"
"""What stands for the id of a write."""
PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")


class WriteOutcome(IntEnum):
    """What became of one write."""

    ACKNOWLEDGED = 0
    """The service said that it is kept."""
    FAILED = 1
    """Not acknowledged: it may be kept or not."""
    CONFLICT = 2
    """The database took it back in favour of another: a deadlock or a certification failure."""


@dataclass(frozen=True)
class WriteSpec:
    """What makes the requests of a load writes.

    `{id}` stands for the id of the write, in the body, the URL and the headers.

    Args:
        prefix: what each id begins with; letters, digits and dashes, nobody else's.
        body: what is sent.
        content_type: what the body is.
        acknowledged: the status that acknowledges a write. Any other does not, however good it sounds.
        encoding: how the body is sent; latin-1 sends what is no text, a byte for each character.

    Raises:
        UsageError: the prefix could be mistaken for something else.
    """

    prefix: str
    body: str
    content_type: str = "application/json"
    acknowledged: int = 201
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        if not PREFIX.fullmatch(self.prefix):
            raise UsageError(f"ids cannot begin with {self.prefix!r}: a letter, then letters, digits, dashes")

    def id_of(self, number: int) -> str:
        """Return the id of a write by its number in the load."""
        return f"{self.prefix}-{number}"

    def body_of(self, id_: str) -> bytes:
        """Return what is sent as the write with this id."""
        return self.body.replace(ID, id_).encode(self.encoding)


A_WRITE = '{"id": "{id}", "name": "nospof", "text": "a write of a drill"}'
"""What is written where nobody says what the service takes."""


@dataclass(frozen=True)
class WriteWish:
    """Writes to make while something breaks, and where they are read back.

    `{id}` stands for the id of each write in `path` and `body`.

    Args:
        path: where they are sent.
        read_path: the page that lists what was written, each id once; with `{id}` in it, the page that is
            one write as it was sent; empty: where it was sent.
        method: POST or PUT.
        body: what is sent.
        content_type: what the body is.
        acknowledged: the status that acknowledges a write.
        rate_per_second: writes due each second, whatever the answers do.
        encoding: how the body is sent; see WriteSpec.
    """

    path: str
    read_path: str = ""
    method: str = "POST"
    body: str = A_WRITE
    content_type: str = "application/json"
    acknowledged: int = 201
    rate_per_second: int = 20
    encoding: str = "utf-8"

    @property
    def listed_at(self) -> str:
        """The page that lists what was written, or with `{id}` in it the one that is each write."""
        return self.read_path or self.path


@dataclass(frozen=True)
class WriteLedger:
    """What became of each write, in any order.

    Args:
        seconds: how long writes were made.
        ids: one for each write.
        ended: when its outcome was known, seconds since the first was due.
        outcomes: a `WriteOutcome` each.
        failures: how many were not acknowledged in which way, in words.
    """

    seconds: float
    ids: Sequence[str]
    ended: Sequence[float]
    outcomes: Sequence[int]
    failures: dict[str, int]

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.ended) == len(self.outcomes):
            raise ValueError("a ledger of writes must hold one entry per write in each sequence")

    @property
    def acknowledged(self) -> frozenset[str]:
        """The ids that must be there."""
        return frozenset(
            id_
            for id_, outcome in zip(self.ids, self.outcomes, strict=True)
            if outcome == WriteOutcome.ACKNOWLEDGED
        )


@dataclass(frozen=True)
class ReadBack:
    """The ids found at one place, each as often as it is there.

    Args:
        place: "the service", a member's id, a server's name.
        ids: what was found.
        error: why nothing could be read, in words; then nothing is known of this place.
    """

    place: str
    ids: Sequence[str]
    error: str = ""


@dataclass(frozen=True)
class WriteVerdict:
    """The ledger held against what was read back.

    Args:
        what: where the writes went.
        lost: by place, the acknowledged ids that are not there.
        duplicates: by place, the ids that are there more than once.
        longest_stall_seconds: the longest time without an acknowledgement.
        kept_unacknowledged: writes that were not acknowledged and are there all the same; no loss.
        reasons: why it did not pass; empty when it passed.
        warnings: what could not be seen, and does not count against it.
    """

    passed: bool
    reasons: tuple[str, ...]
    total: int
    acknowledged: int
    failed: int
    conflicts: int
    failures: dict[str, int]
    lost: dict[str, tuple[str, ...]]
    duplicates: dict[str, tuple[str, ...]]
    kept_unacknowledged: int
    longest_stall_seconds: float
    warnings: tuple[str, ...] = ()
    what: str = ""

    @property
    def lost_count(self) -> int:
        """How many acknowledged writes are missing at one place at least."""
        return len({id_ for ids in self.lost.values() for id_ in ids})

    @property
    def counts(self) -> str:
        """The verdict in numbers."""
        doubled = len({id_ for ids in self.duplicates.values() for id_ in ids})
        twice = f"{doubled} there twice, " if doubled else ""
        conflicts = f" ({self.conflicts} in conflict)" if self.conflicts else ""
        return (
            f"{self.lost_count} of {self.acknowledged} acknowledged writes lost, {twice}"
            f"{self.failed} failed{conflicts}, "
            f"longest time without an acknowledgement {self.longest_stall_seconds:.2f} s"
        )

    @property
    def says(self) -> str:
        """The verdict in one sentence."""
        return (
            f"passed: {self.counts}" if self.passed else f"failed: {'; '.join(self.reasons)} ({self.counts})"
        )
