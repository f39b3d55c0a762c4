"""What a watch counts, as Prometheus' text format, for the textfile collector of node_exporter."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nospof.errors import UsageError
from nospof.model.news import Tally

Sample = tuple[str, float]
"""Its labels, as they are written, and its value."""


def metrics_text(tally: Tally, lost: int, now: float) -> str:
    """Return the metrics.

    What is ahead is left out while it could not be read: what is not known is neither none nor what it was.

    Args:
        lost: news that could not be delivered.
        now: seconds since the epoch.
    """
    return "".join(f"{line}\n" for line in _lines(tally, lost, now))


def _lines(tally: Tally, lost: int, now: float) -> Iterator[str]:
    unread = [("", float(tally.is_unread))]
    yield from _metric("unread", "gauge", "Whether the last round could not read the cloud.", unread)
    if not tally.is_unread:
        ahead = [(f'{{service="{_quoted(name)}"}}', float(count)) for name, count in tally.ahead]
        yield from _metric("events_ahead", "gauge", "Announced events, by service.", ahead)
        if tally.nearest_due is not None:
            says = "How long until AWS may act on the next of them; below zero while it may."
            yield from _metric("nearest_deadline_seconds", "gauge", says, [("", tally.nearest_due - now)])
        says = "Members whose events only people can take care of."
        yield from _metric("for_people", "gauge", says, [("", float(tally.for_people))])
    yield from _metric("runs_under_way", "gauge", "Runs of this watch.", [("", float(tally.under_way))])
    ended = [(f'{{outcome="{how}"}}', float(count)) for how, count in tally.ended]
    yield from _metric("runs_total", "counter", "Runs of this watch that ended.", ended)
    yield from _metric("news_lost_total", "counter", "News that nobody was told of.", [("", float(lost))])
    read_at = [("", tally.read_at)]
    yield from _metric("last_read_timestamp_seconds", "gauge", "When the cloud was read last.", read_at)
    took = [("", tally.round_seconds)]
    yield from _metric("round_seconds", "gauge", "How long the last round took that read.", took)


def _metric(name: str, kind: str, says: str, samples: list[Sample]) -> Iterator[str]:
    whole = f"nospof_maintenance_{name}"
    yield f"# HELP {whole} {says}"
    yield f"# TYPE {whole} {kind}"
    for labels, value in samples:
        yield f"{whole}{labels} {value:.15g}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write_metrics(path: Path, text: str) -> None:
    """Write metrics so that whoever reads them sees the old ones or the new ones, whole.

    Raises:
        UsageError: they cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")  # the collector reads *.prom only
    try:
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o644)  # the collector is somebody else
        draft.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
