"""Least privilege, proved: each procedure passes with the policy nospof prints for it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from nospof.model.permissions import actions_of, policy
from support.ec2_words import instance
from support.iam_keys import new_key
from support.least_privilege import whole, without
from support.site import Site

pytestmark = pytest.mark.local_cloud

CONSENTS = ("--allow-address-change", "--jobs-may-run-twice")
CLONE = ("--port", "8080", "--path", "/health", *CONSENTS)
PAIR = ("--port", "8080", "--listener-port", "8080", "--health-path", "/health", "--stateless", *CONSENTS)
PLANS = {
    "clone": ("clone", *CLONE),
    "clone in its zone": ("clone", "--same-zone", *CLONE),
    "pair": ("pair", *PAIR),
}


def only(site: Site, *statements: dict[str, Any]) -> dict[str, str]:
    """Return the variables of somebody who may do just this."""
    return {name.upper(): value for name, value in new_key(site.cloud, *statements).items()}


def test_the_printed_policy_is_the_one_that_is_tried_here(site):
    assert site.answer("permissions", "clone") == policy("clone")


def allowed(site: Site, procedure: str, *command: str) -> dict[str, Any]:
    """Run a command as somebody who may do what the procedure's policy says; return what it answered."""
    who = only(site, *policy(procedure)["Statement"])
    done = site.nospof(*command, "--yes", "--format", "json", **who)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SimulatePrincipalPolicy" not in done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_protected_instance_is_cloned_in_its_own_zone_with_the_policy(site):
    ec2, source = site.cloud.client("ec2"), site.launch("cloned")
    ec2.modify_instance_attribute(InstanceId=source, DisableApiStop={"Value": True})
    zone = instance(ec2, source)["Placement"]["AvailabilityZone"]
    own_zone = ("--zone", zone, "--same-zone", "--override-stop-protection")
    allowed(site, "clone", "clone", source, *CLONE, *own_zone)
    kept = ec2.describe_instance_attribute(InstanceId=source, Attribute="disableApiStop")["DisableApiStop"]
    assert kept["Value"]


def test_the_story_is_told_to_its_end_with_the_policies_and_no_more(site):
    source = site.launch("story")
    run = allowed(site, "pair", "pair", source, *PAIR, "--drain-seconds", "1")["run_id"]
    event = {"instance": source, "code": "system-reboot", "seconds": 3600}
    assert site.cloud.admin("POST", "event", event)[0] == 200
    listed = site.nospof("maintain", "events", **only(site, *policy("events")["Statement"]))
    assert (listed.returncode, "of story" in listed.stdout) == (10, True), listed.stderr
    allowed(site, "take", "maintain", "take", source)
    allowed(site, "drill", "drill", "story", "--fault", "stop", "--seconds", "12", "--path", "/health")
    allowed(site, "undo", "runs", "undo", run, "--clients-are-back")
    assert site.state(source) == "running"


@pytest.mark.parametrize("which", PLANS)
def test_a_plan_is_allowed_whole_with_the_policy(site, which):
    instance_id = site.launch("planned")
    name, *options = PLANS[which]
    done = site.nospof(name, instance_id, *options, "--plan", **only(site, *policy(name)["Statement"]))
    assert done.returncode == 0, done.stderr


def audited(site: Site, **who: str) -> dict[str, Any]:
    """Return an audit's report, but for the moment it was made."""
    done = site.nospof("audit", "--format", "json", **who)
    assert done.returncode in (0, 10, 13), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return {key: value for key, value in report.items() if key not in ("read_at", "ended_at")}


def test_an_audit_with_its_policy_sees_what_the_all_powerful_sees(site):
    site.launch("audited")
    assert audited(site, **only(site, *policy("audit")["Statement"])) == audited(site)


def test_an_audit_that_may_nothing_is_incomplete_and_asks_for_nothing_but_its_policy(site):
    nothing = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    report = audited(site, **only(site, nothing))
    assert report["complete"] is False
    asked = set(re.findall(r"\b[a-z0-9-]+:[A-Z]\w+", json.dumps(report["unread"])))
    assert "ec2:DescribeInstances" in asked
    assert asked <= set(actions_of("audit"))


@pytest.mark.parametrize(
    ("command", "procedure", "action"),
    [
        (("clone", "--yes", *CLONE), "clone", "ec2:RunInstances"),
        (("pair", "--yes", *PAIR), "pair", "elasticloadbalancing:CreateListener"),
        (("pair", "--yes", *PAIR), "pair", "ec2:DescribeSubnets"),
    ],
)
def test_c29_the_command_line_refuses_before_any_write_and_names_what_is_missing(
    site, command, procedure, action
):
    source = site.launch("refused")
    before = whole(site.cloud)
    name, *options = command
    done = site.nospof(name, source, *options, **only(site, *without(procedure, action)["Statement"]))
    assert done.returncode in (3, 5), done.stderr
    assert action in done.stderr
    assert whole(site.cloud) == before
