"""Least privilege, proved from below: each action of a policy is needed, and its lack shows before any write.

One cloud, one user for each procedure, whose policy is the procedure's own with one action left out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nospof.errors import NospofError
from nospof.model.applying import ApplyRequest
from nospof.model.backups import TAG_TAKEN, BackupRequest, DiscardRequest
from nospof.model.cloud import TAG_GUARANTEE, TAG_RUN
from nospof.model.maintaining import TAG_BACK, BackRequest, RunRequest
from nospof.model.names import RecordSet
from nospof.model.permissions import actions_of, policy
from nospof.model.requests import (
    CloneRequest,
    CutOverRequest,
    DrillRequest,
    PairRequest,
    RollbackRequest,
    TakeRequest,
    UndoRequest,
)
from nospof.model.shared_grants import AROUND, COPY_ENCRYPTED, INSIDE, RUN_INSIDE, START_ENCRYPTED
from nospof.planning.backups import marks
from nospof.planning.moving import plan_cut_over
from nospof.planning.pair import plan_pair
from nospof.ports.world import World
from nospof.procedures.cut_over import cut_over_facts
from nospof.procedures.pair import pair, pair_facts
from nospof.procedures.registry import PROCEDURES
from nospof.runtime.memory import MemorySteps
from nospof.services import procedures as service
from support.certificates import import_certificate
from support.ec2_words import launch, running, states_until, tagged
from support.hosted_zones import zone_of
from support.least_privilege import Hurried, Somebody, failure, is_clean, somebody, whole, without
from support.local_cloud import RunningCloud
from support.scaling import group_of_one
from support.standing import put_behind_a_balancer, put_behind_a_classic_balancer
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

CONSENTS: dict[str, Any] = {"allow_address_change": True, "jobs_may_run_twice": True}
NOTHING: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}],
}

NAMED_AS_NOT_CHECKED = {*AROUND.actions, *INSIDE.actions, *RUN_INSIDE.actions, "iam:SimulatePrincipalPolicy"}
"""Their lack is told, and nothing is refused for it."""

FOR_KEYS = {*START_ENCRYPTED.actions, *COPY_ENCRYPTED.actions}
"""What EC2 asks KMS for in the caller's name: the local cloud does not, and no rehearsal at AWS tells."""

NOT_SEEN_HERE = {
    "ec2:DescribeSpotInstanceRequests": "the source is no Spot instance",
    "kms:DescribeKey": "no disk here is encrypted",
    "servicequotas:GetServiceQuota": "the local cloud has no quotas of vCPUs",
}
"""What this scene gives no reason to ask for."""


@dataclass(frozen=True)
class Scene:
    """One service on one instance, another that is a pair already, and what can be asked about both."""

    cloud: RunningCloud
    requests: dict[str, Any]

    def act(self, procedure: str, one: Somebody, *, asks: str = "", looks_inside: bool = False) -> Any:
        """Plan a procedure, or begin it where there is no plan to show, with somebody's key.

        Args:
            asks: the name of the request, where it is not the procedure's.
        """
        world, request = one.world(looks_inside=looks_inside), self.requests[asks or procedure]
        if service.has_plan(procedure):
            return service.plan(world, procedure, request)
        return MemorySteps("run-2").tell(PROCEDURES[procedure].story, world, request)


def in_half_a_day() -> str:
    """Return a window that nothing announced for the next hour is in."""
    begins = datetime.now(UTC) + timedelta(hours=12)
    return f"daily {begins:%H:%M}-{begins + timedelta(hours=3):%H:%M}"


@pytest.fixture(scope="module")
def scene(local_cloud: RunningCloud) -> Scene:
    admin = somebody(local_cloud)
    world = admin.world()
    iam, ec2 = local_cloud.client("iam"), local_cloud.client("ec2")
    iam.create_role(RoleName="shop", AssumeRolePolicyDocument="{}")
    profile = iam.create_instance_profile(InstanceProfileName="shop")["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="shop", RoleName="shop")
    given = {"IamInstanceProfile": {"Arn": profile}, "DisableApiStop": True}
    shop, www, behind = (
        running(ec2, launch(local_cloud, TagSpecifications=tagged("instance", name), **more))
        for name, more in (("shop", given), ("www", {"DisableApiTermination": True}), ("behind", {}))
    )
    ports: dict[str, Any] = {"port": 8080, "listener_port": 8080, "health_path": "/health"}
    www_pair = PairRequest(www, service="www", stateless=True, drain_seconds=1, **ports, **CONSENTS)
    made = MemorySteps("run-1").tell(pair, world, www_pair)
    local_cloud.admin("POST", "event", {"instance": www, "code": "system-reboot", "seconds": 3600})
    zone = world.cloud.instance(shop).zone
    # One whose health is asked at a target group, so that whoever may not ask there is found out.
    vpc = world.cloud.instance(shop).vpc_id
    elb = local_cloud.client("elbv2")
    asked = elb.create_target_group(Name="asked", Protocol="HTTP", Port=8080, VpcId=vpc)["TargetGroups"]
    group_of_one(
        local_cloud,
        shop,
        "shop",
        HealthCheckType="ELB",
        TargetGroupARNs=[one["TargetGroupArn"] for one in asked],
    )
    hard: dict[str, Any] = {"zone": zone, "same_zone": True, "override_stop_protection": True, **CONSENTS}
    hard["suspend_auto_scaling"] = True
    import_certificate(local_cloud.client("acm"), "shop.example.org")
    tls: dict[str, Any] = {"certificate": "auto", "names": "shop.example.org", "https_port": 8443}
    shop_pair = PairRequest(shop, service="shop", stateless=True, **ports, **tls, **hard)
    subnets = [one.id for one in world.cloud.subnets(world.cloud.instance(www).vpc_id)][:2]
    local_cloud.client("elbv2").create_load_balancer(Name="other", Type="network", Subnets=subnets)
    put_behind_a_balancer(local_cloud, "theirs", behind)
    put_behind_a_classic_balancer(local_cloud, "old", behind)
    put_behind_a_classic_balancer(local_cloud, "older", *made.members)
    older = next(one.arn for one in world.cloud.load_balancers() if one.name == "older")
    old = world.cloud.create_image(www, "www-before", {TAG_RUN: "run-0", TAG_BACK: www})
    eventually(lambda: world.cloud.image(old.id).state == "available", "it can be gone back to")
    # An earlier run got as far as this: what it made is found again, and looked at.
    facts = pair_facts(world, shop_pair)
    world.cloud.create_target_group(plan_pair(facts, shop_pair, "run-0").target_group)
    backed_up(world, www)
    jobs = {"jobs_may_run_twice": True}
    return Scene(
        local_cloud,
        {
            "clone": CloneRequest(shop, port=8080, path="/health", **hard),
            "pair": shop_pair,
            "join": PairRequest(behind, stateless=True, **CONSENTS),
            "take": TakeRequest(www),
            "apply": ApplyRequest("www"),
            "reboot": ApplyRequest("www", by="reboot"),
            "move": ApplyRequest("www", by="move", window=in_half_a_day()),
            "maintain-run": RunRequest("www", "true", reboot=True),
            "maintain-back": BackRequest("run-0"),
            "cut-over": CutOverRequest("www", path="/health"),
            "rollback": rolled_back(world, local_cloud, www),
            "backup": BackupRequest("www", www, path="/health", keep=1, test=True, **jobs),
            "discard": DiscardRequest("run-1"),
            "drill": DrillRequest("www", instance_id=www, fault="stop", path="/health"),
            "undo": UndoRequest(
                run_id="run-1",
                instance_id=www,
                twin_id=made.members[1],
                image_id=made.clone.image_id,
                service="www",
                port=8080,
                path="/health",
                answered=True,
                clients_are_back=True,
                joined=(older,),
            ),
        },
    )


def backed_up(world: World, www: str) -> None:
    """Have a backup of the service."""
    tags = {**marks("www", www, "", "backup-0"), TAG_TAKEN: "2026-01-02T03:04:05Z"}
    image = world.cloud.create_image(www, "nospof-backup-0", tags)
    eventually(lambda: world.cloud.image(image.id).state == "available", "the backup is available")


def rolled_back(world: World, cloud: RunningCloud, www: str) -> RollbackRequest:
    """Have a name that leads to the service and another that was led to its balancer; return the way back."""
    address = world.cloud.instance(www).public_ip
    route53 = cloud.client("route53")
    zone_id = zone_of(route53, "example.org")
    simple = tuple(RecordSet(f"{name}.example.org", "A", 60, (address,)) for name in ("www", "moved"))
    world.cloud.replace_records(zone_id, (), simple)
    moved = CutOverRequest("www", names=("moved.example.org",), path="/health")
    (move,) = plan_cut_over(cut_over_facts(world, moved), moved, "cut-over-1").moves
    world.cloud.replace_records(zone_id, move.before, move.states[-1])
    return RollbackRequest("cut-over-1", "www", (move,))


@pytest.fixture(scope="module")
def users(scene: Scene) -> Callable[[str], Somebody]:
    made: dict[str, Somebody] = {}

    def user(procedure: str) -> Somebody:
        if procedure not in made:
            made[procedure] = somebody(scene.cloud, NOTHING)
        return made[procedure]

    return user


ONLY_ITS_KEEPER = {
    ("undo", "ec2:StartInstances"),
    ("undo", "ec2:StopInstances"),
    ("rollback", "ec2:DescribeInstances"),
}
"""An undo turns nothing off: only a keeper that finds the source off, for another reason, turns it on. What
moves names back asks for no instance; the keeper's look that every run begins with does."""

NO_GROUP = {
    ("undo", "ec2:DeletePlacementGroup"),
    ("take", "autoscaling:DescribeAutoScalingGroups"),
    ("apply", "autoscaling:DescribeAutoScalingGroups"),
    ("drill", "autoscaling:DescribeAutoScalingGroups"),
    ("drill", "elasticloadbalancing:DescribeInstanceHealth"),
}
"""This pair stands in two zones, and its members are in no Auto Scaling group."""

NOTHING_TO_ASK_ABOUT = {
    ("backup", action)
    for action in (
        "autoscaling:DescribeAutoScalingGroups",
        "ec2:DeleteSecurityGroup",
        "ec2:StartInstances",
        "ec2:TerminateInstances",
        "iam:PassRole",
    )
}
"""The members here have no role and are in no Auto Scaling group; and what takes away a restored machine goes
by the tag of the run, which nothing carries yet."""

ONLY_TO_JOIN = {
    ("pair", f"elasticloadbalancing:{action}"): "join"
    for action in (
        "DeregisterTargets",
        "DeregisterInstancesFromLoadBalancer",
        "DescribeInstanceHealth",
        "DescribeLoadBalancerAttributes",
        "RegisterInstancesWithLoadBalancer",
    )
}
"""What a pair needs only where the source is behind a balancer of others."""

ONLY_BY = {
    ("apply", "ec2:RebootInstances"): "reboot",
    ("apply", "ec2:ModifyInstanceEventStartTime"): "move",
}
"""What is needed only for one way of taking what is announced. All else is asked for as by "take"."""
OTHERS = ONLY_TO_JOIN | ONLY_BY

NEEDED = [
    (name, action)
    for name in PROCEDURES
    # One begins only where a pair keeps data; what the other asks for is among what a backup does.
    if name not in ("rejoin", "test-backup")
    for action in actions_of(name)
    if name != "apply" or (name, action) in ONLY_BY
    if not name.startswith("maintain-") or action not in actions_of("take")  # what both do is tried there
    if action not in NAMED_AS_NOT_CHECKED | FOR_KEYS
    and (name, action) not in ONLY_ITS_KEEPER | NO_GROUP | NOTHING_TO_ASK_ABOUT
]


class Untouched:
    """What is there, as the last test saw it: looking at all of it takes as long as what is refused does."""

    def __init__(self, cloud: RunningCloud) -> None:
        self._cloud = cloud
        self._seen: dict[str, Any] = {}

    def forget(self) -> None:
        """Look again before the next test: something is about to be changed."""
        self._seen = {}

    def refused(self, act: Callable[[], object]) -> NospofError | None:
        """Return what an act ended with, which has left everything as it was."""
        before = self._seen or whole(self._cloud)
        self.forget()
        error = failure(act)
        after = whole(self._cloud)
        assert after == before
        self._seen = after
        return error


@pytest.fixture(scope="module")
def untouched(scene: Scene) -> Untouched:
    return Untouched(scene.cloud)


@pytest.mark.parametrize(("procedure", "action"), NEEDED)
def test_c29_without_an_action_nothing_is_begun_and_the_action_is_named(
    scene, users, untouched, procedure, action
):
    user = users(procedure)
    user.may(without(procedure, action))
    asks = OTHERS.get((procedure, action), "")
    error = untouched.refused(lambda: scene.act(procedure, user, asks=asks))
    assert is_clean(error, action), error


TOLD = [
    (name, action)
    for name in ("clone", "pair", "take")
    for action in actions_of(name)
    if action in NAMED_AS_NOT_CHECKED and action not in NOT_SEEN_HERE
]


@pytest.mark.parametrize(("procedure", "action"), [one for one in TOLD if one[0] == "clone"])
def test_without_what_only_tells_more_the_plan_says_what_was_not_checked(scene, users, procedure, action):
    user = users(procedure)
    user.may(without(procedure, action))
    warnings = scene.act(procedure, user, looks_inside=action.startswith("ssm:")).warnings
    (said,) = [one for one in warnings if action in one]
    assert said.startswith("not checked"), warnings


def test_every_exception_is_an_action_of_a_policy():
    assert set(NOT_SEEN_HERE) <= NAMED_AS_NOT_CHECKED
    assert all(
        action in actions_of(name)
        for name, action in {*ONLY_ITS_KEEPER, *NO_GROUP, *NOTHING_TO_ASK_ABOUT, *OTHERS}
    )


# The keeper: nothing can be asked beforehand, for the instance is off already ----------------------


@pytest.fixture
def left_off(scene: Scene, untouched: Untouched) -> str:
    """An instance that a dead run had turned off, its protection lifted."""
    untouched.forget()
    ec2 = scene.cloud.client("ec2")
    launched = launch(scene.cloud, TagSpecifications=tagged("instance", "left"))
    instance_id = running(ec2, launched)
    ec2.stop_instances(InstanceIds=[instance_id])
    states_until(ec2, instance_id, "stopped")
    promised = "running run=clone-0 by=2026-01-01T00:00:00Z then=protected"
    ec2.create_tags(Resources=[instance_id], Tags=[{"Key": TAG_GUARANTEE, "Value": promised}])
    return instance_id


def kept(scene: Scene, without_action: str) -> str:
    """Let a keeper that lacks an action do its work; return what it says."""
    keeper = somebody(scene.cloud, without("keep", without_action) if without_action else policy("keep"))
    world = keeper.world(clock=Hurried(), poll_seconds=20.0)
    return "; ".join(service.keep(world, lambda _run: nullcontext(True)))


@pytest.mark.parametrize("action", ["", "ec2:DescribeImages", "ec2:DescribeSnapshots"])
def test_the_keeper_brings_back_with_its_policy_and_without_what_it_can_spare(scene, left_off, action):
    assert f"{left_off} was stopped and is running again" in kept(scene, action)
    shown = scene.cloud.client("ec2").describe_instances(InstanceIds=[left_off])["Reservations"][0][
        "Instances"
    ][0]
    assert shown["State"]["Name"] == "running"
    assert TAG_GUARANTEE not in {tag["Key"] for tag in shown["Tags"]}


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("ec2:StartInstances", "stopped"),
        ("ec2:DeleteTags", "running"),
        ("ec2:ModifyInstanceAttribute", "running"),
    ],
)
def test_a_keeper_that_lacks_an_action_says_so_and_the_promise_stays(scene, left_off, action, state):
    said = kept(scene, action)
    assert "should be running" in said
    assert "UnauthorizedOperation" in said
    ec2 = scene.cloud.client("ec2")
    shown = ec2.describe_instances(InstanceIds=[left_off])["Reservations"][0]["Instances"][0]
    assert shown["State"]["Name"] == state
    assert TAG_GUARANTEE in {tag["Key"] for tag in shown["Tags"]}
    ec2.delete_tags(Resources=[left_off], Tags=[{"Key": TAG_GUARANTEE}])


def test_a_keeper_that_may_not_even_look_is_refused_and_the_action_is_named(scene, untouched, left_off):
    error = untouched.refused(lambda: kept(scene, "ec2:DescribeInstances"))
    assert is_clean(error, "ec2:DescribeInstances")
    untouched.forget()
    scene.cloud.client("ec2").delete_tags(Resources=[left_off], Tags=[{"Key": TAG_GUARANTEE}])
