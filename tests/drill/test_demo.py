"""The demonstration as a newcomer runs it, and what is left when it is ended in every way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.nobody import as_nobody, environment_of_nobody, home_of_nobody
from support.site import environment_of
from support.waiting import eventually

pytestmark = [pytest.mark.local_cloud, pytest.mark.timeout(600)]

STORY_SECONDS = 400
"""Enough for two stories at once on a computer that has other things to do."""


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    with (home / "out").open("w") as out, (home / "err").open("w") as err:
        return subprocess.Popen(
            [sys.executable, "-m", "nospof", "demo", *arguments],
            env=environment_of(home),
            stdout=out,
            stderr=err,
            text=True,
            start_new_session=True,
        )


def processes_of(home: Path) -> list[str]:
    """Return every process that was started for this home: by its command line, or by its files."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = os.readlink(entry / "cwd")
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(home) in words or str(home) in place or str(home) in environment:
            found.append(f"{entry.name} {words}")
    return [one for one in found if not one.startswith(f"{os.getpid()} ")]


def assert_nothing_left(home: Path) -> None:
    eventually(lambda: not processes_of(home), timeout_seconds=60)
    eventually(lambda: not list((home / "clouds").glob("*")), timeout_seconds=20)
    left = {path.name for path in home.rglob("*") if not path.is_dir()}
    assert left == {"out", "err"}


def told(home: Path) -> str:
    return (home / "out").read_text()


def steps_of(home: Path) -> str:
    """Return the steps that were done so far."""
    return (home / "err").read_text()


def assert_whole_story(text: str) -> None:
    before, _, rest = text.partition("Pair: cloned")
    assert re.search(r"✗ zone us-east-1a", before)
    assert re.search(r"✗ drupal-1 i-[0-9a-f]+", before)
    assert re.search(r"✗ volume vol-[0-9a-f]+", before)
    assert re.search(r"s off: stop .*, image call .*, start .*, first good answer [0-9.]+", rest)
    after = rest.partition("Audit again")[2]
    assert "No single point of failure" in after.partition("AWS announces")[0]
    verdict = text.partition("\nVerdict")[2]
    for name in ("announced reboot", "killed member"):
        match = re.search(rf"{name}: (\d+) of (\d+) requests failed", verdict)
        assert match, verdict
        assert (int(match[1]), int(match[2]) > 1000) == (0, True)
        match = re.search(rf"{name}: (\d+) of (\d+) acknowledged writes lost", verdict)
        assert match, verdict
        assert (int(match[1]), int(match[2]) > 100) == (0, True)
    assert verdict.partition("\n\nThe site stays")[0].rstrip().endswith("acknowledged writes lost")


def test_two_demos_side_by_side_tell_the_whole_story_and_leave_nothing(tmp_path):
    """One is of a user without rights, and ends by itself; the site of the other stays until Ctrl-C."""
    with home_of_nobody() as home, ThreadPoolExecutor() as pool:
        python = environment_of_nobody(home)
        asked = ("-m", "nospof", "demo", "--exit", "--rate", "100")
        ends = pool.submit(as_nobody, python, *asked, home=home, NOSPOF_HOME=str(home))
        stays = start(tmp_path, "--rate", "100")
        done = ends.result()
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
        assert_whole_story(done.stdout)
        eventually(lambda: not processes_of(home), timeout_seconds=60)
        assert not list((home / "clouds").glob("*"))
        eventually(lambda: "until Ctrl-C" in told(tmp_path) or stays.poll() is not None, timeout_seconds=120)
        assert stays.poll() is None, steps_of(tmp_path)[-2000:] + told(tmp_path)[-3000:]
        stays.send_signal(signal.SIGINT)
        assert stays.wait(timeout=60) == 0
        assert_whole_story(told(tmp_path))
        assert_nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, "One instance, one site"),
        (signal.SIGINT, "the source's database be a cluster of one"),
        (signal.SIGTERM, "let the twin join"),
        (signal.SIGHUP, "Pair: "),
        (signal.SIGKILL, "One instance, one site"),
        (signal.SIGKILL, "promise that the member comes back"),
    ],
)
def test_a_demo_ended_at_any_moment_leaves_nothing(tmp_path, number, moment):
    """Before anything is changed, while a database is changed, while two serve, while a keeper waits."""
    demo = start(tmp_path, "--exit", "--rate", "100")
    eventually(
        lambda: moment in told(tmp_path) + steps_of(tmp_path) or demo.poll() is not None,
        timeout_seconds=STORY_SECONDS,
    )
    assert demo.poll() is None, (tmp_path / "err").read_text()
    demo.send_signal(number)
    assert demo.wait(timeout=60) == (-9 if number == signal.SIGKILL else 3)
    assert_nothing_left(tmp_path)


def test_what_a_demo_killed_together_with_its_cloud_leaves_is_swept_by_the_next_one(tmp_path):
    demo = start(tmp_path, "--exit", "--rate", "100")
    eventually(
        lambda: "launch the arbitrator" in steps_of(tmp_path) or demo.poll() is not None,
        timeout_seconds=STORY_SECONDS,
    )
    endpoint = next((tmp_path / "clouds").glob("*/endpoint.json"))
    os.kill(json.loads(endpoint.read_text())["pid"], signal.SIGKILL)
    demo.kill()
    assert demo.wait(timeout=60) == -9
    assert processes_of(tmp_path), "the instances should have outlived both"

    swept = start(tmp_path, "--exit", "--rate", "100")
    eventually(lambda: "One instance" in told(tmp_path) or swept.poll() is not None, timeout_seconds=60)
    swept.send_signal(signal.SIGINT)
    assert swept.wait(timeout=60) == 3, (tmp_path / "err").read_text()
    assert_nothing_left(tmp_path)
