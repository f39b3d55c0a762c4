"""What became of each request of a load, as raw arrays, and their way from worker to caller.

The worker speaks JSON lines on its standard output: `{"progress": ...}` now and then, and last
`{"result": ...}`, followed by the arrays as they lie in memory (both ends run on one machine).
"""

from __future__ import annotations

import json
from array import array
from dataclasses import asdict
from typing import IO, Any

from nospof.model.drill import LoadProgress, LoadResult, LoadSpec, Outcome

ARRAYS = (
    ("due", "d"),
    ("latencies", "d"),
    ("lateness", "d"),
    ("outcomes", "B"),
    ("statuses", "H"),
    ("instances", "H"),
)
MAX_INSTANCES = 65_535
"""More names than this are counted as unknown: positions are 16 bits wide."""


class Request:
    """One request: its row in the arrays, when it was due by the monotonic clock, what carries it."""

    __slots__ = ("carrier", "due", "is_settled", "row")

    def __init__(self, row: int, due: float) -> None:
        self.carrier: object | None = None
        self.row = row
        self.due = due
        self.is_settled = False


class Ledger:
    """The rows of a load. A row is added when its request is due and settled exactly once."""

    def __init__(self, spec: LoadSpec) -> None:
        self._spec = spec
        self.columns: dict[str, array[Any]] = {name: array(code) for name, code in ARRAYS}
        self._positions = {"": 0}
        self._served_by: dict[str, int] = {}
        self.begun_at = 0.0
        self.begun = 0.0
        self.served = 0
        self.failed = 0
        self.reopened = 0
        self.is_over = False
        """Set when the load is done: connections closed from then on are not the service's doing."""

    def begin(self, monotonic: float, epoch: float) -> None:
        """Fix the moment the first request is due, on both clocks."""
        self.begun, self.begun_at = monotonic, epoch

    @property
    def is_settled(self) -> bool:
        """Whether every request that was due has its outcome."""
        return self.served + self.failed == len(self.columns["due"])

    def add(self, due: float, now: float) -> Request:
        """Add the row of a request that is due."""
        row = len(self.columns["due"])
        self.columns["due"].append(due - self.begun)
        self.columns["lateness"].append(max(0.0, now - due))
        for name in ("latencies", "outcomes", "statuses", "instances"):
            self.columns[name].append(0)
        return Request(row, due)

    def settle(
        self, request: Request, now: float, outcome: Outcome, status: int = 0, instance: str = ""
    ) -> None:
        """Write down what became of a request. Later news of the same request changes nothing."""
        if request.is_settled:
            return
        request.is_settled = True
        row = request.row
        self.columns["latencies"][row] = now - request.due
        self.columns["outcomes"][row] = outcome
        self.columns["statuses"][row] = status
        if outcome is Outcome.SERVED:
            self.served += 1
        else:
            self.failed += 1
        if instance:
            self._count(row, instance, is_served=outcome is Outcome.SERVED)

    def _count(self, row: int, instance: str, *, is_served: bool) -> None:
        position = self._positions.get(instance)
        if position is None:
            if len(self._positions) > MAX_INSTANCES:
                return
            position = self._positions[instance] = len(self._positions)
        self.columns["instances"][row] = position
        if is_served:
            self._served_by[instance] = self._served_by.get(instance, 0) + 1

    def progress(self, now: float) -> LoadProgress:
        """Return the counts so far."""
        due = len(self.columns["due"])
        return LoadProgress(now - self.begun, due, self.served, self.failed, dict(self._served_by))

    def write(self, stream: IO[bytes]) -> None:
        """Write the whole result."""
        header = {
            "started_at": self.begun_at,
            "rows": len(self.columns["due"]),
            "instance_names": list(self._positions),
            "reopened": self.reopened,
        }
        stream.write(json.dumps({"result": header}).encode() + b"\n")
        for name, _ in ARRAYS:
            stream.write(memoryview(self.columns[name]))
        stream.flush()


def progress_line(progress: LoadProgress) -> bytes:
    """Return a progress as the worker says it."""
    return json.dumps({"progress": asdict(progress)}).encode() + b"\n"


def read_result(spec: LoadSpec, header: dict[str, Any], stream: IO[bytes]) -> LoadResult:
    """Read what `Ledger.write` wrote after its header line.

    Raises:
        EOFError: the stream ended before the last row.
    """
    columns: dict[str, array[Any]] = {}
    for name, code in ARRAYS:
        column = array(code)
        column.fromfile(stream, header["rows"])
        columns[name] = column
    return LoadResult(
        spec=spec,
        started_at=header["started_at"],
        instance_names=tuple(header["instance_names"]),
        reopened=header["reopened"],
        **columns,
    )
