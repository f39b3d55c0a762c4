"""The durable engine under kill -9, on a story without a cloud, against what the journal then says."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nospof.errors import PreconditionFailed, UsageError
from nospof.runtime.home import claim, is_alive, prepare_home
from nospof.runtime.journal import Journal
from support.postgres import Postgres, running_postgres

STORY = Path(__file__).parents[1] / "support" / "counting_story.py"
NAMES = ["look at the numbers", "write 1", "write 2", "write 3"]
PLACES = [f"{side} {name}" for name in NAMES for side in ("before", "after", "recorded")]
RUN = "count-1"


@dataclass(frozen=True)
class Store:
    """Where runs are recorded, and the machine they run on."""

    home: Path
    url: str = ""

    @property
    def journal(self) -> Journal:
        return Journal(self.home, self.url)

    def tell(self, verb: str = "run", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(STORY), str(self.home), verb, RUN],
            env={**os.environ, "NOSPOF_DATABASE_URL": self.url, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "sqlite":
        return Store(tmp_path)
    return Store(tmp_path, request.getfixturevalue("postgres").new_database())


def lines(home: Path) -> list[str]:
    path = home / "lines"
    return path.read_text().split() if path.exists() else []


def test_a_run_killed_at_every_place_in_turn_is_resumed_and_recorded_steps_are_not_done_again(store):
    """One run for all places: whoever resumes comes to the next one, with more recorded each time."""
    recorded: list[str] = []
    verb, told = "run", 0
    for place in PLACES:
        killed = store.tell(verb, NOSPOF_FAILPOINT=place)
        assert killed.returncode == -9, place
        log = (store.home / "log").read_text().splitlines()
        assert [line for line in log[told:] if line.startswith("replayed")] == replays(recorded), place
        run = store.journal.run(RUN)
        assert run.state == "interrupted", place
        recorded = [step.name for step in run.steps]
        side, _, name = place.partition(" ")
        assert recorded == NAMES[: NAMES.index(name) + (side == "recorded")], place
        verb, told = "resume", len(log)

    resumed = store.tell("resume")
    assert json.loads(resumed.stdout) == ["line 1", "line 2", "line 3"]
    assert store.journal.run(RUN).state == "done"
    log = (store.home / "log").read_text().splitlines()
    assert [line for line in log[told:] if line.startswith("replayed")] == replays(NAMES)
    # Twice what was done and not recorded before a kill, and nothing else.
    assert sorted(lines(store.home)) == ["1", "1", "2", "2", "3", "3"]


def replays(recorded: list[str]) -> list[str]:
    return [f"replayed {name}" for name in recorded]


def test_a_failed_run_is_told_again_from_the_step_that_failed(store):
    failed = store.tell(FAIL_AT_TWO="1")
    assert failed.returncode == 4
    assert json.loads(failed.stdout) == {"error": "ProcedureFailed", "message": "two cannot be written"}
    run = store.journal.run(RUN)
    assert (run.state, run.error) == ("failed", "two cannot be written")
    assert [step.name for step in run.steps if step.error] == ["write 2"]

    failed_again = store.tell("resume", FAIL_AT_TWO="1")
    assert failed_again.returncode == 4
    assert store.journal.run(RUN).attempts == 2

    resumed = store.tell("resume")
    assert json.loads(resumed.stdout) == ["line 1", "line 2", "line 3"]
    run = store.journal.run(RUN)
    assert (run.state, run.attempts, run.id) == ("done", 3, RUN)
    assert lines(store.home) == ["1", "2", "3"]


def test_a_refused_run_says_that_nothing_was_changed(store):
    refused = store.tell(REFUSE="1")
    assert refused.returncode == 3
    assert json.loads(refused.stdout)["error"] == "PreconditionFailed"
    assert store.journal.run(RUN).state == "refused"
    assert lines(store.home) == []

    again = store.tell("resume", REFUSE="1")
    assert json.loads(again.stdout)["error"] == "PreconditionFailed"
    looked_anew = store.tell("resume")
    assert json.loads(looked_anew.stdout) == ["line 1", "line 2", "line 3"]


def test_resuming_a_done_run_answers_what_it_answered_and_does_nothing(store):
    store.tell()
    again = store.tell("resume")
    assert json.loads(again.stdout) == ["line 1", "line 2", "line 3"]
    assert lines(store.home) == ["1", "2", "3"]


def test_a_run_of_another_schema_is_refused_untouched(store):
    store.tell(NOSPOF_FAILPOINT="before write 2")
    refused = store.tell("resume", SCHEMA="2")
    assert refused.returncode == 3
    assert "resume it with the nospof that began it" in json.loads(refused.stdout)["message"]
    assert lines(store.home) == ["1"]


def test_two_processes_cannot_work_on_one_run(store):
    store.tell(NOSPOF_FAILPOINT="before write 2")
    with (store.home / "runs" / f"{RUN}.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert store.journal.run(RUN).state == "running"
        refused = store.tell("resume")
    assert refused.returncode == 3
    assert "another process" in json.loads(refused.stdout)["message"]
    assert is_alive(store.home, RUN) is False


def test_the_journal_is_plain_json_that_anybody_can_read(store):
    store.tell()
    run = store.journal.run(RUN)
    assert run.request == {"upto": 3}
    assert run.steps[1].result == {"number": 1, "text": "line 1"}
    assert run.result == [{"number": n, "text": f"line {n}"} for n in (1, 2, 3)]


def test_the_engine_says_nothing_of_its_own(store):
    assert store.tell().stderr == ""
    assert store.tell("resume").stderr == ""


def test_a_keeper_at_work_is_not_taken_for_the_run_and_is_waited_for(store):
    store.tell(NOSPOF_FAILPOINT="before write 2")
    with claim(store.home, RUN) as is_ours:
        assert is_ours is True
        assert store.journal.run(RUN).state == "interrupted"
        assert store.tell("resume").returncode == 3
        with claim(store.home, RUN) as is_theirs:
            assert is_theirs is False
    assert json.loads(store.tell("resume").stdout) == ["line 1", "line 2", "line 3"]


def test_a_claim_of_a_run_this_machine_never_saw_says_so(tmp_path):
    prepare_home(tmp_path)
    for run_id in ("count-9", "x" * 252, "../../etc/passwd"):
        with claim(tmp_path, run_id) as is_ours:
            assert is_ours is None


def test_a_run_nobody_knows_is_a_usage_error(store):
    with pytest.raises(UsageError, match="there is no run count-9"):
        store.journal.run("count-9")
    assert store.journal.runs() == ()
    assert is_alive(store.home, "count-9") is None


def test_a_home_that_cannot_be_written_is_refused_before_anything(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PreconditionFailed, match="NOSPOF_HOME"):
        prepare_home(tmp_path / "file" / "home")


def test_a_run_of_another_machine_is_taken_over_only_with_a_persons_word(postgres, tmp_path):
    url = postgres.new_database()
    one, other = Store(tmp_path / "one", url), Store(tmp_path / "other", url)
    assert one.tell(NOSPOF_FAILPOINT="before write 2").returncode == -9
    assert one.journal.run(RUN).state == "interrupted"
    assert other.journal.run(RUN).state == "elsewhere"

    refused = other.tell("resume")
    assert refused.returncode == 3
    assert "--take-over" in json.loads(refused.stdout)["message"]
    assert lines(one.home) == ["1"]

    taken = other.tell("take-over")
    assert json.loads(taken.stdout) == ["line 1", "line 2", "line 3"]
    assert (lines(one.home), lines(other.home)) == (["1"], ["2", "3"])
    assert one.journal.run(RUN).state == "done"


def test_a_shared_journal_that_is_down_is_refused_with_its_reason(tmp_path):
    store = Store(tmp_path, "postgresql://nobody@127.0.0.1:1/none")
    refused = store.tell()
    assert refused.returncode == 3, refused.stderr
    assert "NOSPOF_DATABASE_URL" in json.loads(refused.stdout)["message"]
    with pytest.raises(PreconditionFailed, match="NOSPOF_DATABASE_URL"):
        store.journal.runs()
