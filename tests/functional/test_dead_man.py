"""AWS itself starts the source: every nospof dead, a real schedule, the printed policies and no more."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from nospof.model.cloud import TAG_GUARANTEE
from nospof.model.permissions import actions_of
from nospof.model.requests import CloneRequest
from nospof.services import procedures as service
from support.dead_man import make_role, with_dead_man
from support.least_privilege import failure, is_clean, somebody, whole
from support.local_cloud import RunningCloud
from support.site import SITE, Site
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

CLONE = ("--yes", "--dead-man", "5m", "--jobs-may-run-twice", *SITE)
NO_IMAGE = {
    "service": "ec2",
    "action": "CreateImage",
    "code": "RequestLimitExceeded",
    "status": 503,
    "match": "^(?!.*DryRun)",
}
"""Refused where it is meant, and not where it is rehearsed."""


@pytest.fixture(scope="module")
def role(local_cloud: RunningCloud) -> str:
    return make_role(local_cloud.client("iam"))


@pytest.fixture
def stays_off(local_cloud: RunningCloud) -> Iterator[None]:
    """No image can be taken, so that a run stays in the minute off for as long as it tries."""
    local_cloud.admin("POST", "inject", {**NO_IMAGE, "count": 0})
    yield
    local_cloud.admin("DELETE", "inject")


def keepers(home: Path) -> list[int]:
    """Return the keepers of the runs of a home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"keep" in words and f"NOSPOF_HOME={home}".encode() in variables:
            found.append(int(process.name))
    return found


@pytest.mark.usefixtures("stays_off")
def test_with_nospof_and_its_keeper_killed_the_source_is_on_at_the_due_time(site: Site, role: str):
    source, schedules = site.launch("lost"), site.cloud.client("scheduler").list_schedules
    user = somebody(site.cloud, with_dead_man("clone"))
    with site.start("clone", source, *CLONE, **user.environment) as asked:
        try:
            eventually(lambda: site.state(source) == "stopped")
            for keeper in eventually(lambda: keepers(site.home)):
                os.kill(keeper, signal.SIGKILL)
        finally:
            asked.kill()
            asked.communicate()
    (due,) = schedules()["Schedules"]
    assert due["Name"].startswith("nospof-clone-")
    site.cloud.admin("POST", "scheduler", {"ahead_seconds": 200})
    assert site.state(source) == "stopped"

    site.cloud.admin("POST", "scheduler", {"ahead_seconds": 301})
    eventually(lambda: site.state(source) == "running")
    assert schedules()["Schedules"] == []

    site.cloud.admin("POST", "scheduler", {"ahead_seconds": 0})
    site.cloud.admin("DELETE", "inject")
    run_id = site.the_run()["id"]
    resumed = site.nospof("runs", "resume", run_id, **user.environment)
    assert resumed.returncode == 0, resumed.stderr
    assert (site.state(source), TAG_GUARANTEE in site.tags(source)) == ("running", False)
    assert schedules()["Schedules"] == []


@pytest.mark.parametrize("action", [one for one in actions_of("dead-man") if one != "iam:GetRole"])
def test_c29_without_an_action_nothing_is_begun_and_the_action_is_named(site: Site, role: str, action: str):
    user = somebody(site.cloud, with_dead_man("clone", action))
    asked = request(site)
    before = whole(site.cloud)
    error = failure(lambda: service.plan(user.world(), "clone", asked))
    assert is_clean(error, action), error
    assert whole(site.cloud) == before


def test_a_role_that_may_not_be_looked_at_is_named_as_not_checked(site: Site, role: str):
    user = somebody(site.cloud, with_dead_man("clone", "iam:GetRole"))
    warnings = service.plan(user.world(), "clone", request(site)).warnings
    (said,) = [one for one in warnings if "iam:GetRole" in one]
    assert said.startswith("not checked: whether")
    assert role in said


def test_a_role_that_may_start_nothing_is_refused(site: Site):
    iam = site.cloud.client("iam")
    make_role(iam, "powerless")
    iam.delete_role_policy(RoleName="powerless", PolicyName="start")
    asked = request(site, dead_man_role="powerless")
    error = failure(lambda: service.plan(somebody(site.cloud).world(), "clone", asked))
    assert is_clean(error, "ec2:StartInstances (AWS starts"), error


def request(site: Site, **more: str) -> CloneRequest:
    """Return a clone of a new site."""
    asked = {"port": 8080, "path": "/health", "allow_address_change": True, "jobs_may_run_twice": True}
    return CloneRequest(site.launch("asked"), dead_man_seconds=300, **{**asked, **more})
