"""Makes `tests/` importable, so that suites share `support.*`; the worlds more than one suite needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support.local_cloud import RunningCloud, running_cloud
from support.site import Site


@pytest.fixture(scope="module")
def local_cloud() -> Iterator[RunningCloud]:
    """A running local cloud, shared by the tests of a module."""
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture
def site(local_cloud: RunningCloud, tmp_path: Path) -> Site:
    """A home for nospof, in front of the local cloud of the module."""
    return Site(local_cloud, tmp_path / "home")
