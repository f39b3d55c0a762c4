"""What a machine's own processes see and do: environment, first boot, services, commands."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nospof.localcloud.machines.hypervisor import Hypervisor
from support.addresses import new_address
from support.machines import Bench
from support.waiting import eventually


@pytest.fixture
def running(bench: Bench) -> Bench:
    bench.machine()
    bench.boot()
    return bench


def test_a_command_reports_exit_code_output_and_errors(running: Bench) -> None:
    result = running.run("echo out; echo err >&2; exit 7")
    assert (result.exit_code, result.stdout, result.stderr) == (7, "out\n", "err\n")
    assert not result.timed_out


def test_a_command_runs_on_the_disk_with_the_interpreter_its_first_line_names(running: Bench) -> None:
    assert running.run("pwd").stdout == f"{running.hypervisor.disk('i-1')}\n"
    assert running.run("#!/usr/bin/env -S sh -x\necho traced").stderr == "+ echo traced\n"
    assert running.run("#!/no/such/interpreter").exit_code == 127


def test_commands_run_side_by_side(running: Bench) -> None:
    # Each waits for the other one: run one after the other they would never end.
    scripts = [f"touch here{a}; until [ -e here{b} ]; do sleep 0.01; done; echo {a}" for a, b in ("12", "21")]
    with ThreadPoolExecutor() as threads:
        assert [r.stdout for r in threads.map(running.run, scripts)] == ["1\n", "2\n"]


def test_many_commands_at_once_each_get_their_own_answer(running: Bench) -> None:
    with ThreadPoolExecutor(16) as threads:
        answers = threads.map(lambda n: running.run(f"echo {n}; exit {n}"), range(60))
    assert [(r.stdout, r.exit_code) for r in answers] == [(f"{n}\n", n) for n in range(60)]


def test_a_command_that_takes_too_long_is_killed_with_what_it_started(running: Bench) -> None:
    before = running.processes()
    result = running.run("echo begun; sleep 600 & sleep 600", timeout_seconds=0.5)
    assert result.timed_out
    assert result.exit_code == 137
    assert result.stdout == "begun\n"
    eventually(lambda: running.processes() == before, "both sleeps are gone")


def test_output_is_cut_at_what_systems_manager_keeps(running: Bench) -> None:
    result = running.run("head -c 300000 /dev/zero | tr '\\0' x; printf '\\303\\251' >&2")
    assert result.stdout == "x" * 24_000
    assert result.stderr == "é"


def test_a_command_that_never_stops_talking_does_not_silence_the_agent(running: Bench) -> None:
    with ThreadPoolExecutor() as threads:
        talking = threads.submit(running.run, "touch talking; exec yes", "i-1", 2.0)
        eventually(lambda: (running.hypervisor.disk("i-1") / "talking").exists(), "it talks")
        assert running.run("echo still here").stdout == "still here\n"
        assert talking.result(60).timed_out


def test_a_daemon_left_by_a_command_does_not_hold_up_its_answer(running: Bench) -> None:
    result = running.run("sleep 600 & echo started $!")
    assert result.exit_code == 0
    assert result.stdout.startswith("started ")


def test_what_is_no_request_harms_nobody(running: Bench) -> None:
    path = running.root / "i-1/run"
    requests = [b"", b"nonsense\n", b"{}\n", b"[1]\n", b"\xff\xfe\n", b"half"]
    requests += [b'{"script": "sleep 9", "timeout_seconds": %s}\n' % n for n in (b"Infinity", b"NaN", b"-1")]
    program = (
        "import os, socket\n"
        f"os.chdir({str(path)!r})\n"
        f"for text in {requests!r}:\n"
        "    s = socket.socket(socket.AF_UNIX); s.connect('agent.sock')\n"
        "    s.recv(16); s.sendall(text); s.close()\n"
    )
    assert running.run(f"exec $NOSPOF_PYTHON - <<'END'\n{program}END").exit_code == 0
    assert running.run("echo fine").stdout == "fine\n"
    assert running.hypervisor.boot_count("i-1") == 1


def test_the_environment_is_the_machines_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the computer")
    monkeypatch.setenv("VIRTUAL_ENV", "/of/the/computer")
    bench.machine(envy="env >service-environment; exec sleep 600")
    bench.boot()
    found = dict(line.split("=", 1) for line in bench.run("env").stdout.splitlines())
    assert found["NOSPOF_INSTANCE_ID"] == "i-1"
    assert found["NOSPOF_ADDRESS"] == bench.hypervisor.address("i-1")
    assert found["NOSPOF_ZONE"] == "us-east-1a"
    assert not [name for name in found if name.startswith(("AWS_", "VIRTUAL_ENV", "PYTHON"))]
    eventually(lambda: bench.run("test -s service-environment").exit_code == 0, "the service ran")
    assert "of the computer" not in (bench.hypervisor.disk("i-1") / "service-environment").read_text()
    assert (
        bench.run('"$NOSPOF_PYTHON" -c "import sys; print(sys.prefix == sys.base_prefix)"').stdout == "True\n"
    )


def test_metadata_is_in_the_environment_and_in_a_file(bench: Bench) -> None:
    metadata = {"zone": "us-east-1b", "instance-type": "t3.large"}
    bench.hypervisor.create("i-1", new_address(), None, metadata)
    bench.boot()
    assert bench.run("echo $NOSPOF_ZONE $NOSPOF_INSTANCE_TYPE").stdout == "us-east-1b t3.large\n"
    assert json.loads(bench.run("cat ../run/metadata.json").stdout) == metadata


def test_guest_commands_for_power_never_reach_the_computers_own_init(running: Bench) -> None:
    names = ("poweroff", "halt", "reboot", "shutdown", "systemctl")
    found = running.run(f"for name in {' '.join(names)}; do command -v $name; done").stdout.split()
    assert found == [str(running.root / "i-1/run/bin" / name) for name in names]
    assert running.run("systemctl restart systemd-journald").exit_code == 5


def test_the_agent_answers_while_user_data_still_runs(bench: Bench) -> None:
    disk = bench.machine()
    _user_data(disk, "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.01; done; touch done\n")
    bench.boot()
    assert not (disk / "done").exists()
    bench.run("touch go")
    eventually(lambda: (disk / "done").exists(), "user data goes on")


def test_user_data_runs_once_per_instance_id(bench: Bench, tmp_path: Path) -> None:
    disk = bench.machine("i-1")
    _user_data(disk, "#!/bin/sh\necho $NOSPOF_INSTANCE_ID >>runs\n")
    for _ in range(2):
        bench.boot("i-1")
        eventually(lambda: (disk / "runs").exists(), "user data has run")
        bench.shut_down("i-1")
    assert (disk / "runs").read_text() == "i-1\n"
    bench.hypervisor.snapshot("i-1", tmp_path / "image")
    copy = bench.machine("i-2", tmp_path / "image")
    bench.boot("i-2")
    eventually(lambda: (copy / "runs").read_text() == "i-1\ni-2\n", "user data runs for the new id")


def test_a_service_that_a_command_installs_is_started(running: Bench) -> None:
    disk = running.hypervisor.disk("i-1")
    running.run(
        "mkdir -p etc/services; printf '#!/bin/sh\\ntouch installed; exec sleep 600\\n' >etc/services/new;"
        "chmod +x etc/services/new"
    )
    eventually(lambda: (disk / "installed").exists(), "the new service is started")


def test_what_a_service_says_is_in_its_log(bench: Bench) -> None:
    disk = bench.machine(talker="echo hello; echo trouble >&2; exec sleep 600")
    bench.boot()
    log = disk / "var/log/talker.log"
    eventually(lambda: log.exists() and log.read_text() == "hello\ntrouble\n", "both lines are logged")


def test_a_machine_stays_up_when_its_log_directory_is_taken_away(bench: Bench) -> None:
    disk = bench.machine(steady="echo started >>starts; sleep 0.1")
    bench.boot()
    eventually(lambda: (disk / "starts").exists(), "the service runs")
    shutil.rmtree(disk / "var")
    (disk / "var").write_text("in the way")
    eventually(lambda: "steady cannot be started" in bench.hypervisor.console_output("i-1"), "it is said")
    assert bench.run("rm var; mkdir -p var/log").exit_code == 0
    before = (disk / "starts").read_text()
    eventually(lambda: (disk / "starts").read_text() != before, "the service runs again")


def test_the_console_tells_of_every_boot(running: Bench) -> None:
    running.shut_down()
    running.boot()
    text = running.hypervisor.console_output("i-1")
    assert [n for n in (1, 2, 3) if f"boot {n} of i-1" in text] == [1, 2]


def test_the_hypervisor_lists_its_machines_and_nothing_else(bench: Bench) -> None:
    for machine_id in ("i-b", "i-a"):
        bench.machine(machine_id)
    (bench.root / ".i-c.partial").mkdir()
    assert Hypervisor(bench.root).machines() == ["i-a", "i-b"]
    shutil.rmtree(bench.root / ".i-c.partial")


def _user_data(disk: Path, script: str) -> None:
    path = disk / "var/lib/cloud/user-data"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
