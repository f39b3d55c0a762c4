"""A command inside a machine is done once, whoever dies, and told apart from one that was cut off."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine.answers import Unfit, applied_of, read
from nospof.adapters.machine.running import PROGRAM, SCHEMA, state_of
from nospof.adapters.machine.ssm import RUN_PARTS, answer_of, script
from nospof.model.layout import Applied
from nospof.model.machine import Looked
from nospof.model.maintaining import CommandState
from support.machines import Bench
from support.waiting import eventually

MARK = "var/mark"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("machines"), None, stop_grace_seconds=3.0)
    (made.machine() / "var").mkdir()
    made.boot()
    yield made
    made.close()


def asked(bench: Bench, act: str, before: str = "", **what: Any) -> dict[str, Any]:
    argument = base64.b64encode(json.dumps(what).encode()).decode()
    done = bench.run(before + script(RUN_PARTS, SCHEMA, act, argument))
    document, problem = answer_of(done.stdout, SCHEMA)
    assert document is not None, (problem, done.stderr)
    return document


def began(bench: Bench, token: str, command: str, seconds: int = 60, before: str = "") -> Applied:
    return applied_of(asked(bench, "begin", before, token=token, command=command, seconds=seconds))


def state(bench: Bench, token: str) -> CommandState:
    return state_of(asked(bench, "state", token=token))


def ended(bench: Bench, token: str) -> CommandState:
    return eventually(lambda: (found := state(bench, token)).is_over and found, f"{token} is over")


def marks(bench: Bench) -> list[str]:
    return (bench.hypervisor.disk("i-1") / MARK).read_text().split()


def test_a_command_is_done_once_however_often_it_is_begun(bench: Bench) -> None:
    command = f"echo once >>$NOSPOF_DISK/{MARK}; echo said; echo wrong >&2; exit 3"
    assert began(bench, "once", command).did == ("began once",)
    assert began(bench, "once", command) == Applied()
    found = ended(bench, "once")
    assert (found.state, found.exit_code, found.lines) == ("ended", 3, ("said", "wrong"))
    assert not found.is_good
    assert found.how == "ended with 3; it said last:\n  | said\n  | wrong"
    assert began(bench, "once", command) == Applied()
    assert marks(bench).count("once") == 1


def test_what_was_never_begun_is_no_state_of_a_command(bench: Bench) -> None:
    assert state(bench, "never").state == "none"


def test_a_command_outlives_whoever_asked_for_it(bench: Bench) -> None:
    # The program that begins it is killed as soon as it has.
    command = f"sleep 1; echo alone >>$NOSPOF_DISK/{MARK}"
    assert "was killed" in began(bench, "alone", command, before=KILLED).problem
    assert ended(bench, "alone").is_good
    assert marks(bench).count("alone") == 1


KILLED = "NOSPOF_DATA_FAILPOINT='began alone'; export NOSPOF_DATA_FAILPOINT\n"


def test_a_reboot_in_the_middle_is_told_apart_and_begins_nothing_anew(bench: Bench) -> None:
    before = state(bench, "cut").boot
    command = f"echo cut >>$NOSPOF_DISK/{MARK}; sleep 600"
    began(bench, "cut", command)
    assert state(bench, "cut").boot == before
    eventually(lambda: "cut" in marks(bench), "it has begun")
    bench.shut_down()
    bench.boot()
    found = state(bench, "cut")
    assert (found.state, found.says) == ("cut off", "by a reboot")
    assert found.how == "was cut off by a reboot and said nothing"
    assert found.boot != before
    assert began(bench, "cut", command) == Applied()
    assert marks(bench).count("cut") == 1


def test_a_command_that_takes_too_long_is_killed_with_all_it_started(bench: Bench) -> None:
    began(bench, "long", "echo begins; sleep 601 & sleep 602", seconds=1)
    found = ended(bench, "long")
    assert (found.exit_code, found.lines) == (124, ("begins",))
    assert found.says == "it took longer than 1 s and was killed"
    assert bench.run("pgrep -f '^sleep 60[12]'").stdout == ""


def test_a_daemon_that_is_left_behind_holds_nobody_up(bench: Bench) -> None:
    began(bench, "daemon", "sleep 300 & echo left")
    assert ended(bench, "daemon").lines == ("left",)


def test_of_much_output_the_end_is_kept(bench: Bench) -> None:
    began(bench, "much", "yes 'much of it' | head -c 20000000; echo; echo the end")
    found = ended(bench, "much")
    assert (found.lines[-1], len(found.lines)) == ("the end", 40)
    place = bench.hypervisor.disk("i-1") / "var/lib/nospof/runs/much"
    assert sum(one.stat().st_size for one in place.glob("output*")) < 17 << 20
    assert place.joinpath("output").stat().st_mode & 0o077 == 0


def test_who_kills_command_and_watcher_is_not_taken_for_a_reboot(bench: Bench) -> None:
    began(bench, "killed", "sleep 603")
    bench.run("pkill -KILL -f 'supervise killed '; pkill -KILL -f '^sleep 603'")
    found = ended(bench, "killed")
    assert (found.state, found.says) == ("cut off", "by whoever killed it and the process beside it")


def test_a_token_names_no_other_directory(bench: Bench) -> None:
    assert "is no token" in began(bench, "../../etc", "true").problem


def test_an_answer_of_another_shape_is_none() -> None:
    with pytest.raises(Unfit):
        state_of({"state": "well"})
    looked = Looked("i-1", operation="ssm:SendCommand", problem="timed out")
    assert not read(looked, state_of, CommandState, "run").is_reached


def test_the_program_needs_no_newer_python_and_knows_no_package() -> None:
    source = Path(PROGRAM_FILE).read_text(encoding="utf-8")
    assert not re.search(r"^\s*(match|type) ", source, re.MULTILINE)
    assert len(script(PROGRAM.parts, SCHEMA, "state", "e30=")) < 40_000


PROGRAM_FILE = os.path.join(os.path.dirname(__file__), "../../src/nospof/adapters/machine/run_script.py")
