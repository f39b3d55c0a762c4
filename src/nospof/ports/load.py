"""A load on a service, as a drill asks for it: reads, or writes that are read back afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from nospof.model.drill import LoadProgress, LoadResult, LoadSpec


class LoadRun(Protocol):
    """One load under way.

    Leaving its `with` block ends it at once, whatever state it is in. If the generator dies, every
    method but `close` raises NospofError: a part of a load is never taken for the whole.
    """

    def snapshot(self) -> LoadProgress:
        """Return the counts so far, at most half a second old."""

    def stop(self) -> None:
        """Let no more requests fall due; those that did still get their outcome. Repeats are safe."""

    def finish(self) -> LoadResult:
        """Wait until every request that fell due has its outcome, and return them all.

        A repeat returns the same result.
        """

    def close(self) -> None:
        """End the load now and free what it holds. A repeat changes nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class LoadGenerator(Protocol):
    """Sends requests on a fixed schedule, however slowly they are answered (open loop)."""

    def start(self, spec: LoadSpec) -> LoadRun:
        """Begin a load; returns as soon as requests fall due.

        Raises NospofError when the generator cannot begin. What the service does is never an
        error here: it is an outcome.
        """

    def read_back(
        self, spec: LoadSpec, url: str, wanted: Iterable[str] = (), *, verify: bool = True
    ) -> tuple[str, ...]:
        """Return the ids of a load's writes that a page shows, each as often as it shows it.

        The page must show all of them and each once for each time it is kept: a list for programs.
        With `{id}` in `url` there is a page for each write: those of `wanted` are asked for, and a write
        is there when its page is, byte for byte, what was sent; 404 and 410 say that it is not.
        `verify`: whether its certificate must be trusted.

        Raises NospofError when a page cannot be read whole: nothing is known then, of any id.
        """
