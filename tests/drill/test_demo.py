"""The demonstration as a newcomer runs it, and what is left when it is ended in every way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.nobody import as_nobody, home_of_nobody, python_of_nobody
from support.site import environment_of
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


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


def assert_whole_story(home: Path) -> None:
    text = told(home)
    before, _, rest = text.partition("Clone: off, image, on again")
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


def test_two_demos_side_by_side_tell_the_whole_story_and_leave_nothing(tmp_path):
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        home.mkdir()
    demos = [start(home, "--exit", "--rate", "150") for home in homes]
    codes = [demo.wait(timeout=240) for demo in demos]
    assert codes == [0, 0], [(home / "err").read_text()[-2000:] for home in homes]
    for home in homes:
        assert_whole_story(home)
        assert_nothing_left(home)


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, "One instance, one site"),
        (signal.SIGINT, "Clone: off"),
        (signal.SIGTERM, "AWS announces a reboot"),
        (signal.SIGHUP, "Pair: both"),
        (signal.SIGKILL, "One instance, one site"),
        (signal.SIGKILL, "Clone: off"),
        (signal.SIGKILL, "Kill one member"),
    ],
)
def test_a_demo_ended_at_any_moment_leaves_nothing(tmp_path, number, moment):
    demo = start(tmp_path, "--exit", "--rate", "100")
    eventually(lambda: moment in told(tmp_path) or demo.poll() is not None, timeout_seconds=120)
    assert demo.poll() is None, (tmp_path / "err").read_text()
    demo.send_signal(number)
    assert demo.wait(timeout=60) == (-9 if number == signal.SIGKILL else 3)
    assert_nothing_left(tmp_path)


def test_what_a_demo_killed_together_with_its_cloud_leaves_is_swept_by_the_next_one(tmp_path):
    demo = start(tmp_path, "--exit", "--rate", "100")
    eventually(lambda: "Pair: both" in told(tmp_path) or demo.poll() is not None, timeout_seconds=120)
    endpoint = next((tmp_path / "clouds").glob("*/endpoint.json"))
    os.kill(json.loads(endpoint.read_text())["pid"], signal.SIGKILL)
    demo.kill()
    assert demo.wait(timeout=60) == -9
    assert processes_of(tmp_path), "the instances should have outlived both"

    assert start(tmp_path, "--exit", "--rate", "100").wait(timeout=240) == 0, (tmp_path / "err").read_text()
    assert_whole_story(tmp_path)
    assert_nothing_left(tmp_path)


def test_after_the_story_the_site_stays_until_ctrl_c(tmp_path):
    demo = start(tmp_path, "--rate", "100")
    eventually(lambda: "until Ctrl-C" in told(tmp_path) or demo.poll() is not None, timeout_seconds=200)
    assert demo.poll() is None, (tmp_path / "err").read_text()
    demo.send_signal(signal.SIGINT)
    assert demo.wait(timeout=60) == 0
    assert_nothing_left(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="not root already: every other test here shows it")
def test_the_demo_needs_no_root():
    with home_of_nobody() as home:
        python = python_of_nobody(home)
        asked = ("-m", "nospof", "demo", "--exit", "--rate", "100")
        done = as_nobody(python, *asked, home=home, NOSPOF_HOME=str(home))
        assert done.returncode == 0, done.stderr[-3000:]
        (home / "out").write_text(done.stdout)
        assert_whole_story(home)
