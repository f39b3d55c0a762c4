"""What several suites of the local cloud's parts start: a home, an instance, machines, balancers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nospof.localcloud import control
from support.balanced_site import BalancedSite
from support.ec2_words import launch, running
from support.elbv2_world import World
from support.local_cloud import RunningCloud
from support.machines import Bench


@pytest.fixture
def ec2(local_cloud: RunningCloud) -> Any:
    return local_cloud.client("ec2")


@pytest.fixture
def source(local_cloud: RunningCloud, ec2: Any) -> Iterator[str]:
    """A running instance of its own for a test."""
    instance_id = running(ec2, launch(local_cloud))
    yield instance_id
    ec2.terminate_instances(InstanceIds=[instance_id])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home for clouds of a test's own; every cloud in it is deleted afterwards."""
    monkeypatch.setenv("NOSPOF_HOME", str(tmp_path))
    yield tmp_path
    for name in control.names():
        control.reset(name)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "machines", None)
    yield bench
    bench.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[BalancedSite]:
    """A balancer without a cloud around it."""
    site = BalancedSite(tmp_path)
    try:
        yield site
    finally:
        site.end()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("elbv2"))
    try:
        yield world
    finally:
        world.close()
