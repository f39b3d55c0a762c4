"""Counts what the crash matrix tried, and says so at the end."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tried = config.stash[COUNT].count
    if tried:
        terminalreporter.write_line(f"crash matrix: {tried} cases")
