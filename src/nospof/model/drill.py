"""A drill: the load on a service, the faults put into it, and what clients saw of them.

Two clocks meet here. `at` and other names ending in `_at` are seconds since the epoch; everything
else is seconds since the load began, or a length of time. A request belongs to the moment it was
due, not to the moment it could be sent: a service that stops answering cannot slow its own test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from nospof.errors import UsageError
from nospof.model.writes import WriteSpec, WriteVerdict

MAX_REQUESTS = 5_000_000
"""The largest load; its raw measurements take about 150 MB."""


class Outcome(IntEnum):
    """What became of one request."""

    SERVED = 0
    """A whole answer with a status of 200 to 399."""
    BAD_STATUS = 1
    """A whole answer with another status."""
    TIMED_OUT = 2
    """Sent, and no whole answer within the timeout."""
    NOT_SENT = 3
    """No connection to send it on could be had within the timeout."""
    NOT_CONNECTED = 4
    """Connecting failed: refused, unreachable, unknown name, certificate not trusted."""
    CUT_UNANSWERED = 5
    """Sent, then the connection was closed before the first byte of an answer."""
    CUT_HALFWAY = 6
    """The connection was closed in the middle of an answer."""
    NOT_HTTP = 7
    """What came back was not an HTTP answer."""

    @property
    def says(self) -> str:
        """The outcome in a few words, fit to follow a count."""
        return _SAYS[self]


_SAYS = {
    Outcome.SERVED: "served",
    Outcome.BAD_STATUS: "answered with an error status",
    Outcome.TIMED_OUT: "timed out",
    Outcome.NOT_SENT: "found no connection in time",
    Outcome.NOT_CONNECTED: "could not connect",
    Outcome.CUT_UNANSWERED: "cut before an answer",
    Outcome.CUT_HALFWAY: "cut in the middle of an answer",
    Outcome.NOT_HTTP: "not answered in HTTP",
}


@dataclass(frozen=True)
class LoadSpec:
    """A load: which page, how often, for how long.

    Args:
        url: the page, http or https.
        rate_per_second: requests due each second, evenly spaced, whatever the service does.
        seconds: how long requests fall due.
        timeout_seconds: a request not answered this long after it was DUE has failed.
        method: GET or HEAD; POST or PUT where the requests are writes.
        host: sent as Host (and as the TLS server name) instead of the URL's own.
        headers: further headers.
        instance_header: the header in which an answer says which instance gave it.
        ca_file: certificates to trust for https instead of the system's.
        writes: what makes the requests writes, each with an id of its own; None for reads.

    Raises:
        UsageError: a number is out of range, or the method does not fit.
    """

    url: str
    rate_per_second: float
    seconds: float
    timeout_seconds: float = 5.0
    method: str = "GET"
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    instance_header: str = "X-Instance"
    ca_file: str = ""
    writes: WriteSpec | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise UsageError(f"cannot load {self.url!r}: the URL must begin with http:// or https://")
        if min(self.rate_per_second, self.seconds, self.timeout_seconds) <= 0:
            raise UsageError("rate, seconds and timeout of a load must be greater than 0")
        if self.rate_per_second * self.seconds > MAX_REQUESTS:
            raise UsageError(
                f"a load of {self.rate_per_second:g}/s for {self.seconds:g} s is more than "
                f"{MAX_REQUESTS:,} requests: lower the rate or the time"
            )
        if self.writes is None and self.method not in ("GET", "HEAD"):
            raise UsageError(f"a load may only GET or HEAD, not {self.method}: it must change nothing")
        if self.writes is not None and self.method not in ("POST", "PUT"):
            raise UsageError(f"writes are made with POST or PUT, not with {self.method}")
        texts = [self.url, self.host, self.instance_header, *(text for pair in self.headers for text in pair)]
        texts += [self.writes.content_type] if self.writes else []
        if any(ord(character) < 32 or ord(character) == 127 for text in texts for character in text):
            raise UsageError("the URL, host and headers of a load may hold no control characters")

    @property
    def count(self) -> int:
        """How many requests fall due; at least one."""
        return max(1, round(self.rate_per_second * self.seconds))


@dataclass(frozen=True)
class LoadProgress:
    """A load so far. `due` counts requests whose time has come, answered or not.

    `served_by` counts good answers for each instance that named itself.
    """

    seconds: float = 0.0
    due: int = 0
    served: int = 0
    failed: int = 0
    served_by: dict[str, int] = field(default_factory=dict)

    @property
    def in_flight(self) -> int:
        """Due, and neither served nor failed yet."""
        return self.due - self.served - self.failed


@dataclass(frozen=True)
class LoadResult:
    """A whole load: for each request, in the order they were due, what became of it.

    The sequences have one entry per request. `latencies` run from the due time to the outcome,
    whatever the outcome; `lateness` is how late the generator itself was in taking the request up.
    `instances` are positions in `instance_names`, whose first name is empty: nobody said.
    `reopened` counts connections the service closed while idle; no request was lost by them.
    """

    spec: LoadSpec
    started_at: float
    due: Sequence[float]
    latencies: Sequence[float]
    lateness: Sequence[float]
    outcomes: Sequence[int]
    statuses: Sequence[int]
    instances: Sequence[int]
    instance_names: tuple[str, ...] = ("",)
    reopened: int = 0

    def __post_init__(self) -> None:
        rows = (self.latencies, self.lateness, self.outcomes, self.statuses, self.instances)
        if any(len(row) != len(self.due) for row in rows):
            raise ValueError("a load result must hold one entry per request in each sequence")

    @property
    def total(self) -> int:
        """How many requests fell due."""
        return len(self.due)


@dataclass(frozen=True)
class Fault:
    """Something broken on purpose, or by an event.

    Args:
        kind: "stop", "kill", "hang", "reboot", "partition", ...
        instance_id: what was broken.
        at: when, epoch seconds.
        ended_at: when it was undone, epoch seconds; None when it lasted as long as the load.
        detected_at: when the balancer said that the instance is not healthy; None when not seen.
    """

    kind: str
    instance_id: str
    at: float
    ended_at: float | None = None
    detected_at: float | None = None


@dataclass(frozen=True)
class Objective:
    """What a drill must keep to. None means no such demand.

    That no acknowledged write is lost and none is there twice is always demanded. A write that failed
    may be sent again by its client; how many may, and for how long nothing may be acknowledged
    (`max_stall_seconds`), depends on how the data is kept.
    """

    max_failed: int = 0
    max_failed_writes: int | None = None
    max_stall_seconds: float | None = None
    max_gap_seconds: float | None = 1.0
    max_recover_seconds: float | None = None
    max_p99_seconds: float | None = None


@dataclass(frozen=True)
class Steadiness:
    """Whether the steady-state hypothesis holds, and if not, why."""

    is_steady: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phase:
    """The requests due in one stretch of the load.

    Latencies are exact, over good answers only (failed requests are counted, not averaged in),
    and None where there was none.
    """

    name: str
    begin_seconds: float
    end_seconds: float
    total: int
    failed: int
    p50_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None
    served_by: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FaultEffect:
    """What clients saw of one fault, up to the next one.

    Args:
        failed: requests that failed.
        felt_after_seconds: from the fault to the first failure; None when no request failed.
        detect_seconds: from the fault to the balancer's notice; None when not observed.
        recover_seconds: from the fault to the first good answer due after the last failure; 0 when
            nothing failed, None when no good answer came after it.
    """

    fault: Fault
    failed: int
    felt_after_seconds: float | None
    detect_seconds: float | None
    recover_seconds: float | None


@dataclass(frozen=True)
class Verdict:
    """The drill in numbers, and whether it kept to its objective.

    Args:
        longest_gap_seconds: the longest time in which no client got a good answer.
        resolution_seconds: the time between two requests: a shorter outage cannot be seen.
        failures: how many requests failed in which way, in words.
        reasons: why it did not pass; empty when it passed.
        warnings: what makes the numbers less certain, such as a generator that was itself late.
        writes: what became of each kind of write, where there were any; `passed` and `reasons` count them.
    """

    passed: bool
    reasons: tuple[str, ...]
    total: int
    failed: int
    failures: dict[str, int]
    longest_gap_seconds: float
    resolution_seconds: float
    before: Phase
    during: Phase
    after: Phase
    effects: tuple[FaultEffect, ...] = ()
    warnings: tuple[str, ...] = ()
    writes: tuple[WriteVerdict, ...] = ()

    @property
    def says(self) -> str:
        """The verdict in one sentence."""
        seen = (
            f"{self.failed} of {self.total} requests failed, "
            f"longest time without an answer {self.longest_gap_seconds:.2f} s"
        )
        return f"passed: {seen}" if self.passed else f"failed: {'; '.join(self.reasons)} ({seen})"
