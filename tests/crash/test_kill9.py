"""kill -9 of a real nospof, at every step and inside the off-section, against a real local cloud.

What must hold afterwards: the keeper process has the source running without anybody's help; resumed,
the run ends; and there is exactly one image, one twin, one target group, one balancer.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from nospof.model.cloud import TAG_GUARANTEE
from nospof.model.requests import CloneRequest, PairRequest
from nospof.procedures.clone import clone
from nospof.procedures.pair import pair
from nospof.runtime.memory import MemorySteps
from support.local_cloud import RunningCloud
from support.memory_world import memory_world, one_instance
from support.site import SITE, Site
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

OFF_SECTIONS = (
    [
        f"{side} {call}"
        for call in ("tag", "stop_instance", "create_image", "snapshots_of")
        for side in ("before", "after")
    ],
    ["before start_instance", "before launch", "after launch"],
    ["after start_instance"],
    ["before untag"],
    ["after untag"],
)
"""What one run is killed at, one place after the other: whoever resumes comes to each, for nothing of the
step is noted yet. The start and the end of the promise, which its keeper has seen to meanwhile, nobody does
again: each side of those is in a run of its own. The matrix in memory has every place so."""

UNDOING = [
    f"{side} {call}"
    for call in (
        "deregister",
        "delete_load_balancer",
        "delete_target_group",
        "revoke",
        "delete_security_group",
    )
    for side in ("before", "after")
]


def done_and_not_noted(names: list[str]) -> list[str]:
    """Return the place in each step where its act is done, and the journal does not know it yet.

    To die before a step is what to stop between two steps is; the matrix in memory has both for every step.
    """
    return [f"after {name}" for name in names]


def steps_of_a_clone() -> list[str]:
    cloud = one_instance()
    steps = MemorySteps("clone")
    steps.tell(clone, memory_world(cloud), CloneRequest(cloud.the_instance.id))
    return steps.names


def steps_of_a_pair() -> list[str]:
    cloud = one_instance()
    source = cloud.the_instance.id
    cloned = MemorySteps("clone").tell(clone, memory_world(cloud), CloneRequest(source))
    steps = MemorySteps("pair")
    request = PairRequest(source, twin_id=cloned.twin.id, stateless=True)
    steps.tell(pair, memory_world(cloud), request)
    return steps.names


def count(site: Site, run_id: str) -> dict[str, int]:
    """Return how many things carry the run's tag."""
    ec2, elb = site.cloud.client("ec2"), site.cloud.client("elbv2")
    of_run = [{"Name": "tag:nospof:run", "Values": [run_id]}]
    live = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
    twins = ec2.describe_instances(Filters=[*of_run, live])["Reservations"]
    groups = elb.describe_target_groups()["TargetGroups"]
    balancers = elb.describe_load_balancers()["LoadBalancers"]
    return {
        "images": len(ec2.describe_images(Owners=["self"], Filters=of_run)["Images"]),
        "twins": sum(len(reservation["Instances"]) for reservation in twins),
        "groups": len(tagged(elb, [group["TargetGroupArn"] for group in groups], run_id)),
        "balancers": len(tagged(elb, [balancer["LoadBalancerArn"] for balancer in balancers], run_id)),
    }


def rules_of(site: Site) -> dict[str, Any]:
    """Return the security groups and who may come in through them."""
    found = site.cloud.client("ec2").describe_security_groups()["SecurityGroups"]
    return {group["GroupId"]: group["IpPermissions"] for group in found}


def tagged(elb: Any, arns: list[str], run_id: str) -> list[str]:
    if not arns:
        return []
    described = elb.describe_tags(ResourceArns=arns)["TagDescriptions"]
    wanted = {"Key": "nospof:run", "Value": run_id}
    return [one["ResourceArn"] for one in described if wanted in one["Tags"]]


@pytest.fixture(scope="module")
def cloned(local_cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    site = Site(local_cloud, tmp_path_factory.mktemp("home"))
    source = site.launch("paired")
    return source, str(site.answer("clone", source, "--yes", *SITE)["result"]["twin"]["id"])


def is_back(site: Site, source: str) -> bool:
    return site.state(source) == "running" and TAG_GUARANTEE not in site.tags(source)


def killed_at(site: Site, place: str, *command: str) -> None:
    """Run a command that is killed at a place; wait for nobody to help the source."""
    killed = site.nospof(*command, NOSPOF_FAILPOINT=place)
    assert killed.returncode == -9, (place, killed.stderr)


def cloned_and_killed(site: Site, places: list[str]) -> str:
    """Clone a source, killed at one place after the other; each time nobody but its keeper has it running."""
    source = site.launch("source")
    command = ("clone", source, "--yes", *SITE)
    for place in places:
        killed_at(site, place, *command)
        eventually(lambda: is_back(site, source), place, timeout_seconds=60)
        command = ("runs", "resume", site.the_run()["id"])
    return source


def is_a_clone(site: Site, source: str) -> None:
    """Resume the run that was killed last, to one image and one twin; then take the twin away."""
    try:
        run_id = site.the_run()["id"]
        resumed = site.nospof("runs", "resume", run_id)
        assert resumed.returncode == 0, resumed.stderr
        assert site.the_run()["state"] == "done"
        assert is_back(site, source)
        assert count(site, run_id) == {"images": 1, "twins": 1, "groups": 0, "balancers": 0}
    finally:
        twins = site.cloud.client("ec2").describe_instances(
            Filters=[{"Name": "tag:nospof:twin-of", "Values": [source]}]
        )["Reservations"]
        ids = [instance["InstanceId"] for one in twins for instance in one["Instances"]]
        site.cloud.client("ec2").terminate_instances(InstanceIds=[source, *ids])


@pytest.mark.parametrize("places", OFF_SECTIONS, ids=lambda places: places[0])
def test_a_clone_killed_around_every_call_while_its_source_is_off_leaves_it_running_and_resumes(site, places):
    is_a_clone(site, cloned_and_killed(site, places))


@pytest.mark.timeout(900)
def test_a_clone_killed_at_every_step_in_turn_leaves_its_source_running_and_resumes(site):
    is_a_clone(site, cloned_and_killed(site, done_and_not_noted(steps_of_a_clone())))


def test_an_undo_killed_around_every_call_resumes_to_nothing_of_the_pair_and_the_source_runs(site, cloned):
    source, twin = cloned
    asked = ["pair", source, "--with", twin, "--service", "undone", "--yes", "--stateless"]
    asked += ["--port", "8080", "--listener-port", "9500", "--health-path", "/health", "--drain-seconds", "1"]
    rules, tags = rules_of(site), site.tags(source)
    run_id = site.answer(*asked)["run_id"]
    command = ("runs", "undo", run_id, "--yes", "--clients-are-back")
    for place in UNDOING:
        killed_at(site, place, *command)
        assert site.state(source) == "running", place
        command = ("runs", "resume", site.the_run()["id"])

    resumed = site.nospof(*command)
    assert resumed.returncode == 0, resumed.stderr
    assert count(site, run_id) == {"images": 0, "twins": 0, "groups": 0, "balancers": 0}
    assert rules_of(site) == rules
    assert (site.state(source), site.state(twin)) == ("running", "running")
    assert site.tags(source) == tags


@pytest.mark.timeout(900)
def test_a_pair_killed_at_every_step_in_turn_resumes_to_one_group_and_one_balancer(site, cloned):
    source, twin = cloned
    command = ("pair", source, "--with", twin, "--service", "www", "--yes", "--stateless")
    command += ("--port", "8080", "--listener-port", "9000", "--health-path", "/health")
    for place in done_and_not_noted(steps_of_a_pair()):
        killed_at(site, place, *command)
        assert site.state(source) == "running"
        command = ("runs", "resume", site.the_run()["id"])

    run_id = site.the_run()["id"]
    resumed = site.nospof(*command, "--format", "json")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert count(site, run_id) == {"images": 0, "twins": 0, "groups": 1, "balancers": 1}
    result = json.loads(resumed.stdout)["result"]
    elb = site.cloud.client("elbv2")
    health = elb.describe_target_health(TargetGroupArn=result["target_group_arn"])
    states = {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in health["TargetHealthDescriptions"]}
    assert states == {source: "healthy", twin: "healthy"}
    elb.delete_load_balancer(LoadBalancerArn=result["balancer_arn"])
