"""One local cloud for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.local_cloud import RunningCloud, running_cloud


@pytest.fixture(scope="module")
def local_cloud() -> Iterator[RunningCloud]:
    """A running local cloud, shared by the tests of a module."""
    with running_cloud() as cloud:
        yield cloud
