"""A pair is taken apart as a person does it: planned, done while clients are served, and nothing is left."""

from __future__ import annotations

import pytest

from nospof.model.cloud import TAG_GUARANTEE
from support.site import PAIR, SITE, Site, clients_of, only, world
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


def address_of(site: Site, instance_id: str) -> str:
    found = site.cloud.client("ec2").describe_instances(InstanceIds=[instance_id])
    return str(found["Reservations"][0]["Instances"][0]["PublicIpAddress"])


def test_a_pair_is_undone_to_the_world_before_it_and_the_source_answers_throughout(site):
    source = site.launch("undone")
    before = world(site)
    paired = site.answer("pair", source, *PAIR)
    run_id, url = paired["run_id"], paired["result"]["url"]

    between = world(site)
    plan = site.nospof("runs", "undo", run_id, "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "ec2:TerminateInstances" in plan.stdout
    assert "--clients-are-back" in plan.stdout
    unsaid = site.nospof("runs", "undo", run_id, "--yes")
    assert unsaid.returncode == 3, unsaid.stderr
    assert url.split("//")[1].split(":")[0] in unsaid.stderr
    lacks = only(site, "undo", without="elasticloadbalancing:DeleteLoadBalancer")
    denied = site.nospof("runs", "undo", run_id, "--yes", "--clients-are-back", **lacks)
    assert denied.returncode == 3, denied.stderr
    assert "elasticloadbalancing:DeleteLoadBalancer" in denied.stderr
    assert world(site) == between

    with clients_of(address_of(site, source)) as answers:
        undone = site.nospof("runs", "undo", run_id, "--yes", "--clients-are-back", **only(site, "undo"))
    assert undone.returncode == 0, undone.stderr
    assert f"{source} serves alone again" in undone.stdout
    assert len(answers) > 20
    assert set(answers) == {200}
    assert world(site) == before
    assert TAG_GUARANTEE not in site.tags(source)

    resumed = site.nospof("runs", "resume", run_id)
    assert (resumed.returncode, "is taken apart by undo-" in resumed.stderr) == (3, True), resumed.stderr
    again = site.nospof("runs", "undo", run_id, "--yes", "--clients-are-back")
    assert (again.returncode, "nothing to undo" in again.stderr) == (3, True), again.stderr


def test_c108_a_run_that_failed_half_way_says_how_it_is_taken_apart_and_is(site):
    source = site.launch("half")
    before = world(site)
    failed = site.nospof("pair", source, *PAIR, "--expect", "a text that is nowhere")
    assert failed.returncode == 4, failed.stderr
    run_id = site.the_run()["id"]
    assert f"nospof runs undo {run_id} --plan" in failed.stderr
    undone = site.nospof("runs", "undo", run_id, "--yes", "--clients-are-back")
    assert undone.returncode == 0, undone.stderr
    assert world(site) == before


def test_a_member_a_dead_run_took_out_is_found_and_put_back_without_its_journal(site, tmp_path):
    source = site.launch("left-out")
    group = site.answer("pair", source, *PAIR)["result"]["target_group_arn"]
    event = {"instance": source, "code": "system-reboot", "seconds": 3600}
    assert site.cloud.admin("POST", "event", event)[0] == 200
    place = "before wait until it passes its status checks"
    killed = site.nospof("maintain", "take", source, "--yes", "--path", "/health", NOSPOF_FAILPOINT=place)
    assert killed.returncode == -9, killed.stderr
    eventually(lambda: TAG_GUARANTEE not in site.tags(source))  # its keeper has brought it back

    elsewhere = Site(site.cloud, tmp_path / "another-home")
    looked = elsewhere.nospof("runs", "repair")
    assert looked.returncode == 0, looked.stderr
    assert f"{source} was taken out of nospof-left-out and not put back" in looked.stdout
    mended = elsewhere.nospof("runs", "repair", "--yes", **only(site, "repair"))
    assert (mended.returncode, f"done: {source} is in" in mended.stdout) == (0, True), mended.stderr

    def is_healthy() -> bool:
        health = site.cloud.client("elbv2").describe_target_health(TargetGroupArn=group)
        states = {
            one["Target"]["Id"]: one["TargetHealth"]["State"] for one in health["TargetHealthDescriptions"]
        }
        return states.get(source) == "healthy"

    eventually(is_healthy)
    assert not any(
        source in one["says"] for one in elsewhere.answer("runs", "repair") if "taken out" in one["says"]
    )


def test_an_undo_that_is_killed_is_resumed_to_its_end(site):
    source = site.launch("killed")
    before = world(site)
    run_id = site.answer("clone", source, "--yes", *SITE)["run_id"]
    killed = site.nospof("runs", "undo", run_id, "--yes", NOSPOF_FAILPOINT="after terminate_instance")
    assert killed.returncode == -9, killed.stderr
    resumed = site.nospof("runs", "resume", site.the_run()["id"])
    assert resumed.returncode == 0, resumed.stderr
    assert world(site) == before
    shown = site.nospof("runs", "show", run_id).stdout
    assert "it is taken apart by undo-" in shown
    assert "which is done" in shown
    assert "runs resume" not in shown


def test_a_run_of_another_region_is_not_undone_here_and_an_unknown_one_is_said(site):
    source = site.launch("alive")
    run_id = site.answer("clone", source, "--yes", *SITE)["run_id"]
    elsewhere = site.nospof("runs", "undo", run_id, "--yes", "--region", "eu-west-1")
    assert (elsewhere.returncode, "--region" in elsewhere.stderr) == (3, True), elsewhere.stderr
    unknown = site.nospof("runs", "undo", "nix", "--yes")
    assert unknown.returncode == 2, unknown.stderr
