"""A source whose zone has no room for it when it is started again, with the policy the page prints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from nospof.errors import ProcedureFailed
from nospof.model.cloud import TAG_GUARANTEE
from nospof.model.permissions import policy
from nospof.model.requests import CloneRequest
from nospof.procedures.clone import clone
from nospof.runtime.memory import MemorySteps
from nospof.services import procedures as service
from support.ec2_words import instance, launch, running
from support.least_privilege import Hurried, somebody
from support.local_cloud import RunningCloud

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def source(local_cloud: RunningCloud) -> Iterator[str]:
    """An instance whose type finds no room in its zone from now on."""
    ec2 = local_cloud.client("ec2")
    instance_id = running(ec2, launch(local_cloud))
    told = instance(ec2, instance_id)
    full = {"type": told["InstanceType"], "zone": told["Placement"]["AvailabilityZone"]}
    assert local_cloud.admin("POST", "full", full)[0] == 200
    yield instance_id
    local_cloud.admin("DELETE", "full")


def test_c11_it_is_started_as_another_type_where_that_was_consented_to(
    local_cloud: RunningCloud, source: str
) -> None:
    world = somebody(local_cloud, policy("clone")).world(clock=Hurried(), poll_seconds=10.0)
    request = CloneRequest(
        source,
        port=8080,
        path="/health",
        allow_address_change=True,
        or_types="t3.medium",
        or_type_for_source=True,
    )
    result = MemorySteps("run-1").tell(clone, world, request)
    told = instance(local_cloud.client("ec2"), source)
    assert (told["State"]["Name"], told["InstanceType"], result.runs_as) == (
        "running",
        "t3.medium",
        "t3.medium",
    )


def test_c11_where_it_is_not_its_twin_runs_and_the_keeper_starts_it_when_there_is_room(
    local_cloud: RunningCloud, source: str
) -> None:
    ec2 = local_cloud.client("ec2")
    world = somebody(local_cloud, policy("clone")).world(clock=Hurried(), poll_seconds=10.0)
    request = CloneRequest(source, port=8080, path="/health", allow_address_change=True, or_types="t3.medium")
    with pytest.raises(ProcedureFailed, match="DEGRADED"):
        MemorySteps("run-2").tell(clone, world, request)
    (twin,) = world.cloud.instances("nospof:twin-of", source)
    assert (instance(ec2, source)["State"]["Name"], twin.state) == ("stopped", "running")

    local_cloud.admin("DELETE", "full")
    keeper = somebody(local_cloud, policy("keep")).world(clock=Hurried(), poll_seconds=10.0)
    (sentence,) = service.keep(keeper, lambda _run: nullcontext(True))
    assert "is running again" in sentence
    assert TAG_GUARANTEE not in world.cloud.instance(source).tags
