"""What it means that a machine is on, off, frozen or gone, and that nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nospof.localcloud.machines.agent import AgentUnreachable
from nospof.localcloud.machines.hypervisor import Hypervisor, MachineNotFound
from nospof.localcloud.machines.processes import Process, Stat, stat_of
from nospof.localcloud.machines.tree import Isolation
from support.machines import Bench, isolation_or_skip
from support.nobody import as_nobody, home_of_nobody, python_of_nobody
from support.waiting import eventually

IDLE = "exec sleep 600"
# A daemon as the books have it: forked twice, in a session of its own, of the parent nothing is left.
DAEMON = "setsid sh -c 'sleep 601 & echo $! >daemon.pid' & wait; exec sleep 602"


@pytest.fixture(params=["namespace", "session"])
def isolation(request: pytest.FixtureRequest) -> Isolation:
    wanted: Isolation = request.param
    return isolation_or_skip(wanted)


@pytest.fixture
def bench(tmp_path: Path, isolation: Isolation) -> Iterator[Bench]:
    bench = Bench(tmp_path / "machines", isolation)
    yield bench
    bench.close()


def test_a_new_machine_is_off_and_has_never_booted(bench: Bench) -> None:
    bench.machine()
    assert bench.hypervisor.machines() == ["i-1"]
    assert bench.hypervisor.state("i-1") == "off"
    assert bench.hypervisor.boot_count("i-1") == 0
    assert bench.hypervisor.exit_reason("i-1") == ""


def test_a_machine_nobody_made_is_absent_and_cannot_be_booted(bench: Bench) -> None:
    assert bench.hypervisor.state("i-none") == "absent"
    with pytest.raises(MachineNotFound):
        bench.hypervisor.boot("i-none")


def test_booting_twice_starts_one_machine(bench: Bench) -> None:
    bench.machine(idle=IDLE)
    bench.boot()
    bench.hypervisor.boot("i-1")
    assert bench.hypervisor.state("i-1") == "on"
    assert bench.hypervisor.boot_count("i-1") == 1


def test_booting_at_once_from_two_processes_starts_one_machine(bench: Bench) -> None:
    bench.machine(idle=IDLE)
    program = (
        "import sys; from pathlib import Path; from nospof.localcloud.machines.hypervisor import Hypervisor\n"
        "Hypervisor(Path(sys.argv[1])).boot('i-1')"
    )
    both = [subprocess.Popen([sys.executable, "-c", program, str(bench.root)]) for _ in range(2)]
    assert [each.wait(60) for each in both] == [0, 0]
    eventually(bench.answers, "the machine answers")
    assert bench.hypervisor.boot_count("i-1") == 1


def test_the_boot_count_goes_up_with_every_boot(bench: Bench) -> None:
    bench.machine()
    for count in (1, 2, 3):
        bench.boot()
        assert bench.hypervisor.boot_count("i-1") == count
        bench.shut_down()


def test_an_orderly_stop_lets_a_slow_service_finish(bench: Bench) -> None:
    disk = bench.machine(
        slow="trap 'sleep 1; echo finished >finished; exit 0' TERM\ntouch ready\nwhile :; do sleep 0.05; done"
    )
    bench.boot()
    eventually(lambda: (disk / "ready").exists(), "the service is ready")
    bench.shut_down()
    assert (disk / "finished").read_text() == "finished\n"
    assert bench.hypervisor.exit_reason("i-1") == "powered-off"
    assert bench.processes() == []


def test_an_orderly_stop_kills_a_service_that_does_not_listen(tmp_path: Path, isolation: Isolation) -> None:
    bench = Bench(tmp_path / "machines", isolation, stop_grace_seconds=0.3)
    disk = bench.machine(deaf="trap '' TERM\ntouch ready\nwhile :; do sleep 0.05; done")
    try:
        bench.boot()
        eventually(lambda: (disk / "ready").exists(), "the service is ready")
        bench.shut_down()
        assert bench.hypervisor.exit_reason("i-1") == "powered-off"
        assert bench.processes() == []
    finally:
        bench.close()


def test_a_machine_asked_to_stop_while_it_starts_stops(bench: Bench) -> None:
    bench.machine(idle=IDLE)
    bench.hypervisor.boot("i-1")
    bench.shut_down()
    assert bench.processes() == []


@pytest.mark.parametrize("orderly", [True, False])
def test_nothing_is_left_of_a_machine_not_even_daemons(bench: Bench, orderly: bool) -> None:
    disk = bench.machine(daemon=DAEMON)
    bench.boot()
    eventually(lambda: (disk / "daemon.pid").exists() and len(bench.processes()) >= 3, "the daemon runs")
    if orderly:
        bench.shut_down()
    else:
        bench.hypervisor.power_off("i-1")
    assert bench.hypervisor.state("i-1") == "off"
    assert bench.processes() == []
    assert bench.hypervisor.exit_reason("i-1") == ("powered-off" if orderly else "killed")


def test_nothing_is_left_when_the_first_process_was_killed_behind_our_back(bench: Bench) -> None:
    disk = bench.machine(daemon=DAEMON)
    bench.boot()
    eventually(lambda: (disk / "daemon.pid").exists() and len(bench.processes()) >= 3, "the daemon runs")
    os.kill(int((bench.root / "i-1/run/pid").read_text().split()[2]), signal.SIGKILL)
    eventually(bench.is_off, "the machine is off")
    assert bench.hypervisor.exit_reason("i-1") == "killed"
    bench.hypervisor.power_off("i-1")
    eventually(lambda: bench.processes() == [], "its processes are gone")
    bench.boot()
    assert bench.hypervisor.boot_count("i-1") == 2


def test_a_frozen_machine_holds_still_and_its_agent_is_unreachable(bench: Bench) -> None:
    disk = bench.machine(beat="while :; do echo beat >>beats; sleep 0.01; done")
    bench.boot()
    eventually(lambda: (disk / "beats").exists(), "the service runs")
    bench.hypervisor.freeze("i-1")
    assert bench.hypervisor.state("i-1") == "frozen"
    size = (disk / "beats").stat().st_size
    with pytest.raises(AgentUnreachable):
        bench.hypervisor.execute("i-1", "true", 30, patience_seconds=0.5)
    assert (disk / "beats").stat().st_size == size
    bench.hypervisor.thaw("i-1")
    assert bench.hypervisor.state("i-1") == "on"
    eventually(lambda: (disk / "beats").stat().st_size > size, "the service goes on")
    assert bench.answers()


def test_the_plug_of_a_frozen_machine_can_be_pulled(bench: Bench) -> None:
    bench.machine(idle=IDLE)
    bench.boot()
    bench.hypervisor.freeze("i-1")
    bench.hypervisor.shutdown("i-1")
    assert bench.hypervisor.state("i-1") == "frozen"
    bench.hypervisor.power_off("i-1")
    assert bench.hypervisor.state("i-1") == "off"
    assert bench.processes() == []


def test_a_machine_that_is_off_has_no_agent(bench: Bench) -> None:
    bench.machine()
    with pytest.raises(AgentUnreachable):
        bench.run("true")
    bench.boot()
    bench.hypervisor.power_off("i-1")
    with pytest.raises(AgentUnreachable):
        bench.run("true")


def test_a_command_whose_machine_dies_has_no_result(bench: Bench) -> None:
    disk = bench.machine()
    bench.boot()
    with ThreadPoolExecutor() as threads:
        running = threads.submit(bench.run, "touch running; sleep 600")
        eventually(lambda: (disk / "running").exists(), "the command runs")
        bench.hypervisor.power_off("i-1")
        with pytest.raises(AgentUnreachable):
            running.result(30)


def test_a_guest_can_power_itself_off(bench: Bench) -> None:
    bench.machine(idle=IDLE)
    bench.boot()
    bench.run('(sleep 0.2; kill -TERM "$NOSPOF_INIT_PID") >/dev/null 2>&1 &')
    eventually(bench.is_off, "the machine is off")
    assert bench.hypervisor.exit_reason("i-1") == "powered-off"


def test_a_guest_that_reboots_comes_back_by_itself_with_its_services(bench: Bench) -> None:
    disk = bench.machine(once="echo started >>starts; exec sleep 600")
    bench.boot()
    eventually(lambda: (disk / "starts").exists(), "the service has started")
    bench.run("(sleep 0.2; reboot) >/dev/null 2>&1 &")
    eventually(lambda: bench.hypervisor.boot_count("i-1") == 2, "the second boot")
    eventually(lambda: (disk / "starts").read_text() == "started\n" * 2, "the service starts again")
    eventually(bench.answers, "the agent answers")
    assert bench.hypervisor.state("i-1") == "on"
    assert bench.hypervisor.exit_reason("i-1") == ""


def test_a_service_that_dies_is_started_again(bench: Bench) -> None:
    disk = bench.machine(mortal="echo started >>starts; exit 1")
    bench.boot()
    eventually(lambda: (disk / "starts").read_text().count("started") >= 3, "three starts")
    assert "service mortal ended with 1" in bench.hypervisor.console_output("i-1")


def test_a_service_that_cannot_be_executed_does_not_keep_the_others_from_starting(bench: Bench) -> None:
    disk = bench.machine(good="touch good; exec sleep 600", bad="")
    (disk / "etc/services/bad").write_text("#!/no/such/interpreter\n")
    bench.boot()
    eventually(lambda: (disk / "good").exists(), "the good one starts")
    eventually(lambda: "bad cannot be started" in bench.hypervisor.console_output("i-1"), "it is said")


def test_another_hypervisor_finds_the_same_machines_in_the_same_states(
    bench: Bench, isolation: Isolation
) -> None:
    for machine_id in ("i-on", "i-frozen", "i-off"):
        bench.machine(machine_id, idle=IDLE)
    bench.boot("i-on")
    bench.boot("i-frozen")
    bench.hypervisor.freeze("i-frozen")
    other = Hypervisor(bench.root, isolation=isolation)
    assert {m: other.state(m) for m in other.machines()} == {
        "i-frozen": "frozen",
        "i-off": "off",
        "i-on": "on",
    }
    assert other.execute("i-on", "echo $NOSPOF_INSTANCE_ID", 30).stdout == "i-on\n"
    other.power_off("i-on")
    assert bench.hypervisor.state("i-on") == "off"


def test_a_machine_outlives_whoever_started_it(bench: Bench, isolation: Isolation) -> None:
    bench.machine(idle=IDLE)
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from nospof.localcloud.machines.hypervisor import Hypervisor\n"
        "Hypervisor(Path(sys.argv[1]), isolation=sys.argv[2]).boot('i-1')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    died = subprocess.run([sys.executable, "-c", program, str(bench.root), isolation], check=False)
    assert died.returncode == -signal.SIGKILL
    assert bench.hypervisor.state("i-1") == "on"
    eventually(bench.answers, "the machine answers")


def test_a_number_used_again_by_another_process_is_not_the_machine(bench: Bench) -> None:
    bench.machine()
    bench.boot()
    bench.hypervisor.power_off("i-1")
    record = bench.root / "i-1/run/pid"
    isolation, boot, line = record.read_text().split(" ", 2)
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            found = stat_of(stranger.pid)
            assert found
            fields = line.split()
            fields[0] = str(stranger.pid)
            record.write_text(" ".join([isolation, boot, *fields]) + "\n")
            assert Stat.parse(" ".join(fields)).started != found.started
            assert bench.hypervisor.state("i-1") == "off"
            bench.hypervisor.power_off("i-1")
            bench.hypervisor.shutdown("i-1")
            assert Process(stranger.pid, found.started).stat()
        finally:
            stranger.kill()


def test_numbers_from_before_the_computer_was_restarted_are_not_the_machine(bench: Bench) -> None:
    bench.machine()
    bench.boot()
    record = bench.root / "i-1/run/pid"
    true_record = record.read_text()
    isolation, _, line = true_record.split(" ", 2)
    record.write_text(f"{isolation} 00000000-0000-0000-0000-000000000000 {line}")
    assert bench.hypervisor.state("i-1") == "off"
    record.write_text(true_record)
    assert bench.hypervisor.state("i-1") == "on"


def test_a_very_long_directory_is_no_trouble(tmp_path: Path, isolation: Isolation) -> None:
    root = tmp_path / ("long" * 30) / ("longer" * 20)
    bench = Bench(root, isolation)
    try:
        bench.machine(idle=IDLE)
        bench.boot()
        assert bench.run("echo here").stdout == "here\n"
        bench.hypervisor.power_off("i-1")
        assert bench.processes() == []
    finally:
        bench.close()


def test_destroying_a_running_machine_leaves_neither_process_nor_file(bench: Bench) -> None:
    bench.machine(idle=IDLE)
    bench.boot()
    bench.hypervisor.destroy("i-1")
    bench.hypervisor.destroy("i-1")
    assert bench.hypervisor.state("i-1") == "absent"
    assert bench.processes() == []
    assert list(bench.root.iterdir()) == []


def test_a_user_without_rights_has_whole_machines_too() -> None:
    program = Path(__file__).parents[1] / "support" / "unprivileged_machine.py"
    with home_of_nobody() as home:
        done = as_nobody(python_of_nobody(home), str(program), str(home / "machines"), home=home)
    assert (done.returncode, done.stdout.split()) == (0, ["on", "off", "0"]), done.stderr
