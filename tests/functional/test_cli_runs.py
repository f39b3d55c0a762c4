"""Runs as a person meets them: planned, done, stopped, listed, shown, resumed, kept."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from nospof.model.cloud import TAG_GUARANTEE
from support import backends
from support.ec2_words import get, instance, launch, running, state
from support.site import PAIR, SITE, environment_of, everything, nospof
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


def test_a_plan_names_every_call_and_changes_nothing(site):
    source = site.launch("planned")
    before = everything(site.cloud)
    plan = site.answer(
        "pair",
        source,
        "--plan",
        "--stateless",
        "--allow-address-change",
        "--port",
        "8080",
        "--listener-port",
        "8080",
    )
    operations = [call["operation"] for call in plan["calls"]]
    assert operations[:4] == ["CreateTags", "StopInstances", "CreateImage", "StartInstances"]
    assert operations.count("RegisterTargets") == 2
    text = site.nospof("clone", source, "--plan", *SITE)
    assert "ec2:StopInstances" in text.stdout
    assert "Time off to expect" in text.stdout
    assert everything(site.cloud) == before
    assert site.answer("runs", "list") == []


def of_instance(instance_id: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found if one["instance_id"] == instance_id]


def test_the_whole_story_by_hand(site):
    source = site.launch("shop")
    first = site.nospof("audit", "--service", "shop", "--format", "json")
    assert first.returncode == 10
    (service,) = json.loads(first.stdout)["services"]
    points = [one for one in service["findings"] if one["view"] == "serving"]
    assert {one["rule"] for one in points} == {"NSP101", "NSP201"}

    paired = site.answer("pair", source, *PAIR, "--expect", "ok")["result"]
    split = paired["clone"]["time_off"]
    assert all(split[part] >= 0 for part in ("stop", "image_call", "start", "first_good_answer"))
    assert "Harbour Lights" in backends.get(f"{paired['url']}/")[1]
    assert site.nospof("audit", "--service", "shop").returncode == 0

    event = {"instance": source, "code": "system-reboot", "seconds": 3600}
    assert site.cloud.admin("POST", "event", event)[0] == 200
    announced = site.nospof("audit", "--service", "shop", "--format", "json")
    assert announced.returncode == 0, announced.stdout
    calendar = site.home / "events.ics"
    listed = site.nospof("maintain", "events", "--format", "json", "--ics", str(calendar))
    assert listed.returncode == 10, listed.stderr
    # Other tests have announced something for theirs, in the same cloud.
    (ahead,) = of_instance(source, json.loads(listed.stdout)["ahead"])
    assert ahead["serving"][0]["name"] == "shop"
    assert "SUMMARY:shop: system-reboot" in calendar.read_text()
    taken = site.answer("maintain", "take", source, "--yes", "--path", "/health")["result"]
    assert len(taken["events_cleared"]) == 1
    left = json.loads(site.nospof("maintain", "events", "--format", "json").stdout)
    assert (len(of_instance(source, left["over"])), of_instance(source, left["ahead"])) == (1, [])

    drilled = site.answer("drill", "shop", "--yes", "--seconds", "12", "--rate", "100", "--instance", source)
    verdict = drilled["result"]["verdict"]
    assert (verdict["passed"], verdict["failed"]) == (True, 0)
    assert verdict["total"] > 1000
    stopped = site.answer("drill", "shop", "--yes", "--seconds", "12", "--rate", "50", "--fault", "stop")
    assert stopped["result"]["verdict"]["failed"] == 0
    assert [run["state"] for run in site.answer("runs", "list")] == ["done"] * 4


def begun(process: subprocess.Popen[str], step: str) -> str:
    """Wait until the step before is reported done."""
    assert process.stderr
    for line in process.stderr:
        if step in line:
            return line
    raise AssertionError(process.stderr.read())


def test_ctrl_c_stops_after_the_step_under_way_and_the_run_is_resumed(site):
    source = site.launch("stopped")
    process = site.start("clone", source, "--yes", *SITE)
    eventually(lambda: site.state(source) in ("stopping", "stopped"))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 4, told
    assert "stopping after 'take the image with the source off'" in told
    assert "stopped as asked, between two steps" in told
    run = site.the_run()
    assert f"nospof runs resume {run['id']}" in told
    assert site.state(source) == "running"
    eventually(lambda: site.the_run()["state"] == "interrupted")  # once its keeper is done

    shown = site.nospof("runs", "show", run["id"])
    assert "✓ take the image with the source off" in shown.stdout
    assert f"nospof runs resume {run['id']}" in shown.stdout
    resumed = site.nospof("runs", "resume", run["id"])
    assert resumed.returncode == 0, resumed.stderr
    assert "take the image with the source off (done before)" in resumed.stderr
    assert site.the_run()["state"] == "done"
    assert TAG_GUARANTEE not in site.tags(source)


def test_a_run_is_stopped_from_another_process_after_its_step_and_is_resumed(site):
    source = site.launch("far-away")
    slow = {"service": "ec2", "action": "CreateImage", "latency_seconds": 15.0, "match": "^(?!.*DryRun)"}
    assert site.cloud.admin("POST", "inject", slow)[0] == 200
    process = site.start("clone", source, "--yes", *SITE)
    eventually(lambda: site.state(source) in ("stopping", "stopped"))
    run_id = site.the_run()["id"]
    stopped = site.nospof("runs", "stop", run_id)
    assert stopped.returncode == 0, stopped.stderr
    assert f"{run_id} has stopped; resume it: nospof runs resume {run_id}" in stopped.stdout
    _, told = process.communicate(timeout=60)
    assert process.returncode == 4, told
    assert "stopped as asked, between two steps" in told
    assert site.state(source) == "running"

    again = site.nospof("runs", "stop", run_id)
    assert again.returncode == 3, again.stderr
    assert "no process works on it" in again.stderr
    resumed = site.nospof("runs", "resume", run_id)
    assert resumed.returncode == 0, resumed.stderr
    assert site.the_run()["state"] == "done"
    done = site.nospof("runs", "stop", run_id)
    assert (done.returncode, "is done" in done.stderr) == (3, True), done.stderr


def test_ctrl_c_before_the_first_change_leaves_nothing_to_resume(site):
    source = site.launch("early")
    process = site.start("clone", source, "--yes", *SITE)
    begun(process, "look at the instance")
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode in (3, 4), told
    assert site.state(source) == "running"


def test_the_keeper_acts_in_the_region_the_run_was_given(site):
    """Killed with the source off, in a region that no variable names."""
    ec2 = site.cloud.client("ec2", "eu-west-1")
    source = running(ec2, launch(site.cloud, region="eu-west-1"))
    variables = site.cloud.environment
    nameless = {key: variables[key] for key in variables if not key.endswith("REGION")}
    asked = ["clone", source, "--yes", *SITE, "--region", "eu-west-1"]
    killed = nospof(site.home, *asked, **nameless, NOSPOF_FAILPOINT="after create_image")
    assert killed.returncode == -9
    assert state(ec2, source) in ("stopped", "pending", "running")
    eventually(lambda: state(ec2, source) == "running")

    run = site.the_run()
    elsewhere = site.nospof("runs", "resume", run["id"])
    assert elsewhere.returncode == 3
    assert "123456789012/eu-west-1" in elsewhere.stderr
    resumed = site.nospof("runs", "resume", run["id"], "--region", "eu-west-1")
    assert resumed.returncode == 0, resumed.stderr


def test_a_second_clone_of_an_instance_a_living_run_works_on_is_refused(site):
    source = site.launch("contended")
    first = site.start("clone", source, "--yes", *SITE)
    eventually(lambda: TAG_GUARANTEE in site.tags(source))
    first.send_signal(signal.SIGSTOP)  # It lives, and it waits until the second has made up its mind.
    try:
        second = site.nospof("clone", source, "--yes", *SITE)
    finally:
        first.send_signal(signal.SIGCONT)
    _, told = first.communicate(timeout=60)
    assert first.returncode == 0, told
    assert second.returncode == 3, second.stderr
    assert "Nothing was changed" in second.stderr


def test_what_proves_nothing_or_would_serve_nothing_is_refused_before_a_member_is_touched(site):
    source = site.launch("drilled")
    group = site.answer("pair", source, *PAIR)["result"]["target_group_arn"]
    for wrong in (["--path", "/nix"], ["--rate", "0"], ["--seconds", "3"]):
        refused = site.nospof("drill", "drilled", "--yes", *wrong)
        assert refused.returncode in (2, 3), (wrong, refused.stderr)
        assert TAG_GUARANTEE not in site.tags(source), wrong

    event = {"instance": source, "code": "system-reboot", "seconds": 3600}
    assert site.cloud.admin("POST", "event", event)[0] == 200
    refused = site.nospof("maintain", "take", source, "--yes", "--path", "/nix")
    assert refused.returncode == 3, refused.stderr
    assert "404" in refused.stderr
    health = site.cloud.client("elbv2").describe_target_health(TargetGroupArn=group)
    states = [one["TargetHealth"]["State"] for one in health["TargetHealthDescriptions"]]
    assert states == ["healthy", "healthy"]


def test_nobody_to_ask_is_a_usage_error_even_without_a_terminal_at_all(site):
    source = site.launch("cron")
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m nospof clone "$1" <&-', sys.executable, source],
        env=environment_of(site.home, **site.cloud.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr


@pytest.mark.parametrize("verb", ["keep", "stop"])
def test_a_run_nobody_knows_is_said_to_be_none(site, verb):
    done = site.nospof("runs", verb, "nix")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr


def test_a_result_that_cannot_be_written_is_said(site):
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m nospof audit > /dev/full', sys.executable],
        env=environment_of(site.home, **site.cloud.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "could not be written" in done.stderr


def test_keep_sweeps_what_a_dead_run_left_off(site):
    region = "eu-west-2"  # Where no keeper of another test's run looks after the instances too.
    ec2 = site.cloud.client("ec2", region)
    source = running(ec2, launch(site.cloud, region=region))
    tag = {"Key": TAG_GUARANTEE, "Value": "running run=clone-20200101-000000-aaaaaa by=2020-01-01T00:00:00Z"}
    ec2.create_tags(Resources=[source], Tags=[tag])
    ec2.stop_instances(InstanceIds=[source])
    eventually(lambda: state(ec2, source) == "stopped")
    kept = site.nospof("runs", "keep", "--region", region)
    assert kept.returncode == 0, kept.stderr
    assert f"{source} was stopped and is running again" in kept.stdout
    assert state(ec2, source) == "running"
    tags = [tag["Key"] for tag in instance(ec2, source).get("Tags", ())]
    assert TAG_GUARANTEE not in tags


def test_a_failed_run_says_what_is_done_and_is_resumed_when_the_cause_is_gone(site):
    source = site.launch("unlucky")
    rule = {"service": "ec2", "action": "RunInstances", "code": "InsufficientInstanceCapacity", "status": 500}
    # The rehearsal is the first call of that name; the launch itself is what must fail.
    process = site.start("clone", source, "--yes", *SITE)
    begun(process, "promise that the source comes back")
    assert site.cloud.admin("POST", "inject", {**rule, "count": 50})[0] == 200
    _, told = process.communicate(timeout=120)
    site.cloud.admin("DELETE", "inject")
    assert process.returncode == 4, told
    assert "InsufficientInstanceCapacity" in told
    assert "done: take the image with the source off" in told
    run = site.the_run()
    assert run["state"] == "failed"
    assert site.state(source) == "running"
    assert TAG_GUARANTEE not in site.tags(source)

    resumed = site.nospof("runs", "resume", run["id"])
    assert resumed.returncode == 0, resumed.stderr
    assert (site.the_run()["state"], site.the_run()["attempts"]) == ("done", 2)


def test_c20_a_live_clone_leaves_the_source_serving_and_its_copy_works(site):
    source = site.launch("alive")
    result = site.answer("clone", source, "--yes", "--live", *SITE)["result"]
    assert result["time_off"] is None
    assert site.state(source) == "running"
    image = site.cloud.client("ec2").describe_images(ImageIds=[result["image_id"]])["Images"][0]
    assert {"Key": "nospof:consistency", "Value": "crash"} in image["Tags"]
    eventually(lambda: get(result["twin"]["private_ip"]) == 200, "the copy serves")


def test_a_run_that_only_waits_is_stopped_at_once(site):
    source = site.launch("waiting")
    site.cloud.admin("POST", "snapshots", {"seconds": 60})
    try:
        with site.start("clone", source, "--yes", *SITE) as waiting:
            step = "wait until the image is available"
            run_id = eventually(lambda: (site.answer("runs", "list") or [{"id": ""}])[-1]["id"])
            before = "release the promise"
            eventually(
                lambda: before in {one["name"] for one in site.answer("runs", "show", run_id)["steps"]}
            )
            stopped = site.nospof("runs", "stop", run_id)
            (image,) = site.cloud.client("ec2").describe_images(
                Filters=[{"Name": "name", "Values": [f"nospof-{run_id}"]}]
            )["Images"]
            told = waiting.communicate(timeout=60)[1]
    finally:
        site.cloud.admin("POST", "snapshots", {"seconds": 0})
    assert image["State"] == "pending"
    assert f"{run_id} has stopped; resume it" in stopped.stdout, stopped.stderr
    assert "stopped as asked, while it only waited" in told
    assert step not in {one["name"] for one in site.answer("runs", "show", run_id)["steps"]}
