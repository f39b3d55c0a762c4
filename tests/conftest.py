"""Makes `tests/` importable, so that suites share `support.*`; the worlds more than one suite needs."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support.beginning import place
from support.local_cloud import RunningCloud, running_cloud
from support.site import Site

UMASK = os.umask(0o022)
"""As it was before any test was imported; a machine for somebody else is made with it."""
os.umask(UMASK)

pytest_plugins = ["support.crash_count"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs only when it is asked for; begin with what takes longest, at random otherwise."""
    for marker in ("ansible", "applications"):
        if marker not in config.getoption("markexpr"):
            left_out = [item for item in items if item.get_closest_marker(marker)]
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: place(item.path))


@pytest.fixture(scope="module", autouse=True)
def what_a_module_leaves_open_is_told_there() -> Iterator[None]:
    """Collect garbage when a module's tests are over, and its fixtures too; see that the umask is as it was.

    A socket in a cycle warns when it is collected, and the warning fails whichever test runs then.
    """
    yield
    gc.collect()
    umask = os.umask(UMASK)
    assert umask == UMASK, f"something that was imported here has set the umask to {umask:03o}"


@pytest.fixture(scope="module")
def local_cloud() -> Iterator[RunningCloud]:
    """A running local cloud, shared by the tests of a module."""
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture
def site(local_cloud: RunningCloud, tmp_path: Path) -> Site:
    """A home for nospof, in front of the local cloud of the module."""
    return Site(local_cloud, tmp_path / "home")
