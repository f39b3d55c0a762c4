"""The durable engine under kill -9, on a story without a cloud, against what the journal then says."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nospof.errors import PreconditionFailed, UsageError
from nospof.runtime.home import is_alive, prepare_home
from nospof.runtime.journal import Journal

STORY = Path(__file__).parents[1] / "support" / "counting_story.py"
NAMES = ["look at the numbers", "write 1", "write 2", "write 3"]
PLACES = [f"{side} {name}" for name in NAMES for side in ("before", "after", "recorded")]
RUN = "count-1"


def tell(home: Path, verb: str = "run", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(STORY), str(home), verb, RUN],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def lines(home: Path) -> list[str]:
    path = home / "lines"
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize("place", PLACES)
def test_a_run_killed_anywhere_is_resumed_and_recorded_steps_are_not_done_again(tmp_path, place):
    killed = tell(tmp_path, NOSPOF_FAILPOINT=place)
    assert killed.returncode == -9
    run = Journal(tmp_path).run(RUN)
    assert run.state == "interrupted"
    recorded = [step.name for step in run.steps]

    resumed = tell(tmp_path, "resume")

    assert json.loads(resumed.stdout) == ["line 1", "line 2", "line 3"]
    assert Journal(tmp_path).run(RUN).state == "done"
    side, _, name = place.partition(" ")
    done_twice = [name.removeprefix("write ")] if side == "after" and name.startswith("write") else []
    assert sorted(lines(tmp_path)) == sorted(["1", "2", "3", *done_twice])
    log = (tmp_path / "log").read_text().splitlines()
    assert [line for line in log if line.startswith("replayed")] == [f"replayed {name}" for name in recorded]


def test_a_failed_run_is_told_again_from_the_step_that_failed(tmp_path):
    failed = tell(tmp_path, FAIL_AT_TWO="1")
    assert failed.returncode == 4
    assert json.loads(failed.stdout) == {"error": "ProcedureFailed", "message": "two cannot be written"}
    run = Journal(tmp_path).run(RUN)
    assert (run.state, run.error) == ("failed", "two cannot be written")
    assert [step.name for step in run.steps if step.error] == ["write 2"]

    failed_again = tell(tmp_path, "resume", FAIL_AT_TWO="1")
    assert failed_again.returncode == 4
    assert Journal(tmp_path).run(RUN).attempts == 2

    resumed = tell(tmp_path, "resume")
    assert json.loads(resumed.stdout) == ["line 1", "line 2", "line 3"]
    run = Journal(tmp_path).run(RUN)
    assert (run.state, run.attempts, run.id) == ("done", 3, RUN)
    assert lines(tmp_path) == ["1", "2", "3"]


def test_a_refused_run_says_that_nothing_was_changed(tmp_path):
    refused = tell(tmp_path, REFUSE="1")
    assert refused.returncode == 3
    assert json.loads(refused.stdout)["error"] == "PreconditionFailed"
    assert Journal(tmp_path).run(RUN).state == "refused"
    assert lines(tmp_path) == []


def test_resuming_a_done_run_answers_what_it_answered_and_does_nothing(tmp_path):
    tell(tmp_path)
    again = tell(tmp_path, "resume")
    assert json.loads(again.stdout) == ["line 1", "line 2", "line 3"]
    assert lines(tmp_path) == ["1", "2", "3"]


def test_a_run_of_another_schema_is_refused_untouched(tmp_path):
    tell(tmp_path, NOSPOF_FAILPOINT="before write 2")
    refused = tell(tmp_path, "resume", SCHEMA="2")
    assert refused.returncode == 3
    assert "resume it with the nospof that began it" in json.loads(refused.stdout)["message"]
    assert lines(tmp_path) == ["1"]


def test_two_processes_cannot_work_on_one_run(tmp_path):
    tell(tmp_path, NOSPOF_FAILPOINT="before write 2")
    with (tmp_path / "runs" / f"{RUN}.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert Journal(tmp_path).run(RUN).state == "running"
        refused = tell(tmp_path, "resume")
    assert refused.returncode == 3
    assert "another process" in json.loads(refused.stdout)["message"]
    assert is_alive(tmp_path, RUN) is False


def test_the_journal_is_plain_json_that_anybody_can_read(tmp_path):
    tell(tmp_path)
    run = Journal(tmp_path).run(RUN)
    assert run.request == {"upto": 3, "refuse": False}
    assert run.steps[1].result == {"number": 1, "text": "line 1"}
    assert run.result == [{"number": n, "text": f"line {n}"} for n in (1, 2, 3)]


def test_the_engine_says_nothing_of_its_own(tmp_path):
    assert tell(tmp_path).stderr == ""
    assert tell(tmp_path, "resume").stderr == ""


def test_a_run_nobody_knows_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="there is no run count-9"):
        Journal(tmp_path).run("count-9")
    assert Journal(tmp_path).runs() == ()
    assert is_alive(tmp_path, "count-9") is None


def test_a_home_that_cannot_be_written_is_refused_before_anything(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PreconditionFailed, match="NOSPOF_HOME"):
        prepare_home(tmp_path / "file" / "home")
