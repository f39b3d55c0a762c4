"""Counts what the crash matrix tried, in every worker, and says so at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

TOLD = "crash matrix"


@dataclass
class Count:
    """How many cases were told."""

    count: int = 0


COUNT = pytest.StashKey[Count]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[COUNT] = Count()


@pytest.fixture(scope="session")
def crash_matrix(pytestconfig: pytest.Config) -> Count:
    return pytestconfig.stash[COUNT]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell whoever gave this worker its tests."""
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told[TOLD] = session.config.stash[COUNT].count


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear what a worker tried; one that died has told nothing."""
    node.config.stash[COUNT].count += getattr(node, "workeroutput", {}).get(TOLD, 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tried = config.stash[COUNT].count
    if tried:
        terminalreporter.write_line(f"{TOLD}: {tried} cases")
