"""A cut-over: how a name moves from one address to a balancer, what was measured, and where it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from nospof.model.answers import Answer
from nospof.model.names import Records

TOLERANCE = 0.01
"""Share of requests that may fail beyond those that failed before anything was moved (C74): a target that
closes idle connections too early makes rare 502s that no cut-over is to blame for."""


class Ending(StrEnum):
    """Where a cut-over ended."""

    MOVED = "moved"
    RETURNED = "returned"


@dataclass(frozen=True)
class Page:
    """What an answer is compared by. `status` is 0 and `error` says why where none came."""

    url: str
    status: int
    title: str = ""
    length: int = 0
    location: str = ""
    error: str = ""

    @property
    def says(self) -> str:
        """The answer in a few words."""
        if not self.status:
            return self.error
        named = f" {self.title!r}" if self.title else f", {self.length} characters"
        return f"{self.status} to {self.location}" if self.location else f"{self.status}{named}"

    def is_served(self, answer: Answer) -> bool:
        """Whether an answer serves a client as well as this page does."""
        return answer.status // 100 == self.status // 100


@dataclass(frozen=True)
class Asked:
    """A page of a name, and where to ask for it without asking any name server."""

    url: str
    host: str
    page: Page


@dataclass(frozen=True)
class Move:
    """How one name goes from its one address to the balancer.

    Args:
        name: what clients know.
        zone_id: of the hosted zone it stands in.
        states: what stands there before, remembered shortly, at each share, and at the end.
        old: how it is served at the address.
        new: how it is served through the balancer.
    """

    name: str
    zone_id: str
    states: tuple[Records, ...]
    old: Asked
    new: Asked

    @property
    def before(self) -> Records:
        """What stood there before anything was changed."""
        return self.states[0]

    @property
    def remembered_seconds(self) -> int:
        """How long clients remember what stood there before."""
        return max(record.remembered_seconds for record in self.before)


@dataclass(frozen=True)
class Change:
    """A change of names. `id` is empty where its answer was lost; `at` is seconds since the epoch."""

    id: str
    at: float


@dataclass(frozen=True)
class Measured:
    """What a number of requests came to; latencies are of those that were served.

    `first_failure` says what the first one met; `not_whole` why the pair was found not to be whole.
    """

    requests: int
    failed: int
    p50_seconds: float = 0.0
    slowest_seconds: float = 0.0
    first_failure: str = ""
    not_whole: str = ""

    @property
    def says(self) -> str:
        """The figures in a few words."""
        served = f"{self.failed} of {self.requests} requests failed"
        first = f" (first: {self.first_failure})" if self.first_failure else ""
        middle = f", p50 {self.p50_seconds * 1000:.0f} ms" if self.failed < self.requests else ""
        return f"{served}{first}{middle}{f'; {self.not_whole}' if self.not_whole else ''}"

    def allows(self, requests: int) -> int:
        """How many of a number of requests may fail afterwards."""
        share = self.failed / self.requests if self.requests else 0.0
        return int(requests * (share + TOLERANCE))


@dataclass(frozen=True)
class Watched:
    """What was measured through the balancer while it had a share of the clients."""

    share: int
    measured: Measured
    is_worse: bool


@dataclass(frozen=True)
class MovedName:
    """A name and its records before the run and at its end."""

    name: str
    zone_id: str
    before: Records
    after: Records


@dataclass(frozen=True)
class CutOverResult:
    """Names that lead to the pair, or that lead where they led before because it served worse."""

    service: str
    outcome: Ending
    names: tuple[MovedName, ...]
    baseline: Measured
    watched: tuple[Watched, ...]
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class RollbackResult:
    """Names that lead where they led before a cut-over; `unchanged` did already."""

    run_id: str
    names: tuple[str, ...]
    unchanged: tuple[str, ...]
