"""The same commands, asked of a server from a machine that knows nothing of AWS."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.balanced import announced
from support.local_cloud import RunningCloud
from support.served import Served, served
from support.site import SITE, Site, environment_of, nospof
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

DONE, USAGE, CLOUD_REFUSED, FAILED_HALF_WAY = 0, 2, 5, 4
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?|\b\d+(\.\d+)? (s|seconds|minutes)\b|\d{10}\.\d+")
WRONG = "wrong" * 9


def at(server: Served, role: str = "operator") -> dict[str, str]:
    return {"NOSPOF_SERVER": f"http://127.0.0.1:{server.port}", "NOSPOF_TOKEN": server.tokens[role]}


def laptop(server: Served, *command: str, role: str = "operator") -> subprocess.CompletedProcess[str]:
    """Run a command where there are no credentials and no runs, to its end."""
    return nospof(server.site.home.parent / "laptop", *command, **at(server, role))


def begun(server: Served, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nospof", *command],
        env=environment_of(server.site.home.parent / "laptop", **at(server)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def timeless(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    """Return an answer without moments and times."""
    return done.returncode, MOMENT.sub("TIME", done.stdout), MOMENT.sub("TIME", done.stderr)


def shape(value: Any) -> Any:
    """Return what a document is made of."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else type(value).__name__


@pytest.fixture(scope="module")
def shop(local_cloud: RunningCloud) -> list[str]:
    return announced(local_cloud, "shop")


@pytest.fixture
def server(site: Site) -> Iterator[Served]:
    with served(site) as one:
        yield one


def test_questions_are_answered_as_here_to_the_letter(
    server: Served, shop: list[str], tmp_path: Path
) -> None:
    for command in (
        ("audit", "--service", "shop", "--order", "2", "--slo", "99.9"),
        ("audit", "--what-if", "fail zone:us-east-1a", "--fail-on", "critical", "--format", "json"),
        ("maintain", "events"),
        ("clone", shop[0], "--plan", *SITE),
        ("clone", "i-0123456789abcdef0", "--yes", "--format", "json"),
        ("data", "status", "nobody"),
        ("runs", "show", "clone-1"),
    ):
        here, there = server.site.nospof(*command), laptop(server, *command)
        assert timeless(there) == timeless(here), command
    written = tmp_path / "report.html"
    assert laptop(server, "audit", "--format", "html", "--output", str(written)).returncode == 10
    assert written.read_text().startswith("<!doctype html>")
    assert json.loads(laptop(server, "runs", "list", "--format", "json").stdout)[0]["state"] == "refused"


def test_a_clone_there_is_a_clone_and_is_taken_apart_from_here(server: Served, site: Site) -> None:
    near = site.answer("clone", site.launch("near"), "--yes", *SITE)
    source = site.launch("far")
    done = laptop(server, "clone", source, "--yes", *SITE, "--format", "json")
    assert done.returncode == DONE, done.stderr
    far = json.loads(done.stdout)
    assert shape(far) == shape(near)
    run_id = far["run_id"]
    assert timeless(laptop(server, "runs", "show", run_id)) == timeless(site.nospof("runs", "show", run_id))
    assert timeless(laptop(server, "runs", "list")) == timeless(site.nospof("runs", "list"))
    undone = laptop(server, "runs", "undo", run_id, "--yes")
    assert undone.returncode == DONE, undone.stderr
    assert undone.stdout.startswith(f"{source} serves alone again")
    assert re.search(r"✓ terminate the twin.* \d+\.\d s\n", undone.stderr), undone.stderr


def test_a_run_is_followed_whoever_dies_stopped_by_ctrl_c_and_resumed(site: Site) -> None:
    source = site.launch("followed")
    site.cloud.admin("POST", "snapshots", {"seconds": 30})
    try:
        with served(site) as first:
            follower = begun(first, "clone", source, "--yes", *SITE)
            run_id = eventually(
                lambda: (first.api("runs")["runs"] or [{"id": ""}])[0]["id"], "it is accepted"
            )
            before = "release the promise"
            eventually(
                lambda: before in {one["name"] for one in first.api(f"runs/{run_id}")["steps"]},
                "it waits for its image",
                timeout_seconds=60,
            )
            first.kill()
            with served(site, "--port", str(first.port)) as second:
                assert follower.stderr
                said = []
                for line in follower.stderr:
                    said.append(line)
                    if "answers again" in line:
                        break
                follower.send_signal(signal.SIGINT)
                said.append(follower.communicate(timeout=60)[1])
                told = "".join(said)
                assert follower.returncode == FAILED_HALF_WAY, told
                assert f"asked {run_id} to stop" in told
                assert "stopped as asked, while it only waited" in told
                assert "done: take the image with the source off" in told
                assert f"resume it: nospof runs resume {run_id}" in told

                site.cloud.admin("POST", "snapshots", {"seconds": 0})
                resumed = laptop(second, "runs", "resume", run_id)
                assert resumed.returncode == DONE, resumed.stderr
                assert f"is the twin of {source}" in resumed.stdout
                assert "take the image" not in resumed.stderr, "what was done before is not done now"
    finally:
        site.cloud.admin("POST", "snapshots", {"seconds": 0})


def test_what_cannot_be_asked_is_told_in_a_line(server: Served, shop: list[str]) -> None:
    def told(code: int, *command: str, **variables: str) -> str:
        done = nospof(server.site.home.parent / "laptop", *command, **{**at(server), **variables})
        assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), done.stderr
        assert not any(one in done.stderr for one in (*server.tokens.values(), WRONG))
        return done.stderr

    assert "refuses: the token is not one" in told(USAGE, "runs", "list", NOSPOF_TOKEN=WRONG)
    assert "no token for it" in told(USAGE, "runs", "list", NOSPOF_TOKEN="")
    assert "a viewer neither plans nor changes anything" in told(
        USAGE, "clone", shop[0], "--yes", NOSPOF_TOKEN=server.tokens["viewer"]
    )
    assert "in the clear" in told(USAGE, "audit", NOSPOF_SERVER="http://ops.example.com")
    assert "cannot be reached" in told(CLOUD_REFUSED, "audit", NOSPOF_SERVER="http://127.0.0.1:1")
    cloud = server.site.cloud.url
    assert "does not answer as nospof serve does" in told(USAGE, "runs", "list", NOSPOF_SERVER=cloud)
    assert "nospof runs keep works on this machine" in told(USAGE, "runs", "keep")
    assert "--region cannot be asked" in told(USAGE, "audit", "--region", "eu-west-1")
