"""Units of systemd on a machine: what `systemctl` answers there, and what comes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nospof.localcloud.machines.agent import CommandResult
from nospof.localcloud.machines.hypervisor import Hypervisor
from support.machines import Bench
from support.waiting import eventually

IDLE = "ExecStart=sleep 600"
ESCAPING = "ExecStart=/bin/sh -c '(setsid sh -c \"setsid sleep 611 &\") & exec sleep 612'"
NOTIFY = """\
import os, signal, socket, sys, time
def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(text, os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1))
open("notified", "a").write("begun\\n")
while not os.path.exists("go"):
    time.sleep(0.01)
say(b"STATUS=taking requests\\nREADY=1")
signal.pause()
"""


class Units:
    """A running machine, and its units."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.disk = bench.machine()

    def write(self, name: str, text: str, section: str = "Service", *, drop_in: str = "") -> None:
        """Write a unit, or a drop-in of one; a machine that runs is told of it."""
        path = self.disk / "etc/systemd/system" / f"{name}.service"
        if drop_in:
            path = path.with_name(f"{path.name}.d") / f"{drop_in}.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[{section}]\n{text}\n")
        if self.bench.hypervisor.state("i-1") == "on":
            assert self.run("daemon-reload").exit_code == 0

    def run(self, words: str, machine_id: str = "i-1") -> CommandResult:
        return self.bench.run(f"systemctl {words}", machine_id)

    def shown(self, name: str, unit: str = "one", machine_id: str = "i-1") -> str:
        return self.run(f"show -p {name} --value {unit}", machine_id).stdout.strip()

    def pid(self) -> int:
        return int(self.shown("MainPID"))

    def log(self, name: str = "one") -> str:
        path = self.disk / f"var/log/{name}.service.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def fresh(bench: Bench) -> Units:
    """A machine of a test's own, for those that end it."""
    found = Units(bench)
    bench.boot()
    return found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Units]:
    bench = Bench(tmp_path_factory.mktemp("units") / "machines", None)
    found = Units(bench)
    bench.boot()
    yield found
    bench.close()


@pytest.fixture
def units(shared: Units) -> Iterator[Units]:
    """A machine that has no unit, and nothing that another test has left."""
    yield shared
    names = " ".join(path.stem for path in shared.disk.glob("*/systemd/system/*.service"))
    cleared = shared.bench.run(
        f"systemctl stop --quiet {names} one@15-main; rm -rf etc/systemd lib var/log/*.service.log\n"
        "find . -maxdepth 1 -type f -delete; systemctl daemon-reload; systemctl reset-failed\n"
        "systemctl unset-environment WORDS POSITION"
    )
    assert cleared.exit_code == 0, cleared.stderr


def test_a_unit_is_started_stopped_and_started_anew(units: Units) -> None:
    units.write("one", IDLE)
    assert (units.run("is-active one").exit_code, units.run("is-active one").stdout) == (3, "inactive\n")
    assert units.run("start one").exit_code == 0
    assert (units.run("is-active one").exit_code, units.run("is-active one").stdout) == (0, "active\n")
    first = units.pid()
    assert first
    assert units.run("start one").exit_code == 0
    assert units.pid() == first
    assert units.run("restart one.service").exit_code == 0
    assert units.pid() not in (0, first)
    assert units.run("stop one").exit_code == 0
    assert [units.shown(name) for name in ("ActiveState", "SubState", "MainPID", "Result")] == [
        *("inactive", "dead", "0", "success"),
    ]
    assert not [command for command in commands(units) if b"sleep" in command]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("start none", 5, "Unit none.service not found."),
        ("stop none", 5, "Unit none.service not loaded."),
        ("restart none", 5, "not found."),
        ("status none", 4, "could not be found"),
        ("is-active none", 3, ""),
        ("is-enabled none", 1, "No such file or directory"),
        ("enable none", 1, "does not exist"),
        ("reload one", 1, "is not active, cannot reload"),
        ("status one", 3, ""),
        ("frobnicate one", 1, "Unknown command verb"),
        ("start --frob one", 1, "--frob is not known"),
    ],
)
def test_exit_codes_are_those_of_systemd(units: Units, words: str, code: int, says: str) -> None:
    units.write("one", IDLE)
    result = units.run(words)
    assert result.exit_code == code
    assert says in result.stderr


def test_a_unit_that_crashes_is_started_again_and_one_that_was_stopped_is_not(units: Units) -> None:
    units.write("one", f"{IDLE}\nRestart=always\nRestartSec=10ms")
    units.run("start one")
    first = units.pid()
    units.bench.run(f"kill -9 {first}")
    eventually(lambda: units.pid() not in (0, first), "it runs again")
    assert units.shown("NRestarts") == "1"
    assert units.run("stop one").exit_code == 0
    time.sleep(0.1)
    assert units.shown("ActiveState") == "inactive"


@pytest.mark.parametrize(
    ("restart", "end", "again"),
    [
        ("no", "kill -9 $$$$", False),
        ("on-failure", "exit 1", True),
        ("on-failure", "exit 0", False),
        ("on-failure", "kill -TERM $$$$", False),
        ("on-abnormal", "exit 1", False),
        ("on-abnormal", "kill -9 $$$$", True),
        ("on-abort", "kill -ABRT $$$$", True),
        ("always", "exit 0", True),
    ],
)
def test_whether_it_starts_again_depends_on_how_it_ended(
    units: Units, restart: str, end: str, again: bool
) -> None:
    units.write(
        "one",
        f"Restart={restart}\nRestartSec=10ms\n"
        f"ExecStart=/bin/sh -c 'echo run >>runs; [ $$(wc -l <runs) -gt 1 ] && exec sleep 600; {end}'",
    )
    units.run("start one")
    eventually(
        lambda: (
            units.shown("ActiveState") == "active" and units.shown("NRestarts") == "1"
            if again
            else units.shown("ActiveState") in ("inactive", "failed")
        ),
        "it has ended, or runs again",
    )
    assert (units.disk / "runs").read_text() == "run\n" * (2 if again else 1)


def test_a_unit_that_crashes_at_once_again_and_again_is_given_up(units: Units) -> None:
    units.write("one", "ExecStart=/bin/sh -c 'echo run >>runs; exit 1'\nRestart=always\nRestartSec=1ms")
    units.run("start one")
    eventually(lambda: units.shown("Result") == "start-limit-hit", "it is given up")
    assert (units.disk / "runs").read_text() == "run\n" * 5
    refused = units.run("start one")
    assert (refused.exit_code, "attempted too often" in refused.stderr) == (1, True)
    units.run("reset-failed one")
    assert units.shown("ActiveState") == "inactive"
    assert units.run("start one").exit_code == 0


def test_a_failing_exec_start_pre_keeps_it_from_starting_and_says_why(units: Units) -> None:
    units.write("one", f"ExecStartPre=/bin/sh -c 'echo no address; exit 3'\n{IDLE}")
    result = units.run("start one")
    assert result.exit_code == 1
    assert "the control process exited with error code" in result.stderr
    assert "exited with 3" in result.stderr
    assert units.shown("ActiveState") == "failed"
    assert units.pid() == 0
    status = units.run("status one")
    assert status.exit_code == 3
    assert "no address" in status.stdout
    assert units.run("is-failed one").exit_code == 0


def test_a_prefix_makes_a_failing_command_none(units: Units) -> None:
    units.write("one", f"ExecStartPre=-/bin/false\nExecStartPre=-/no/such/program\n{IDLE}")
    assert units.run("start one").exit_code == 0


def test_a_unit_that_notifies_is_started_when_it_says_that_it_is_ready(units: Units) -> None:
    (units.disk / "notify.py").write_text(NOTIFY)
    units.write("one", "Type=notify\nExecStart=python3 notify.py")
    units.run("start --no-block one")
    eventually(lambda: (units.disk / "notified").exists(), "it has begun")
    assert units.shown("ActiveState") == "activating"
    assert units.run("is-active one").exit_code == 3
    (units.disk / "go").touch()
    assert units.run("start one").exit_code == 0
    assert units.shown("ActiveState") == "active"
    assert units.shown("StatusText") == "taking requests"


@pytest.mark.parametrize(
    ("start", "timeout", "says"),
    [
        ("/bin/sh -c 'exit 7'", "9", "exited with 7 before it said that it is ready"),
        ("/bin/true", "9", "did not take the steps"),
        ("sleep 600", "200ms", "a timeout was exceeded"),
        # Only the main process is heard: a child that says so is not the service.
        ("/bin/sh -c 'touch go; python3 notify.py & wait'", "900ms", "a timeout was exceeded"),
    ],
)
def test_a_unit_that_never_says_that_it_is_ready_fails(
    units: Units, start: str, timeout: str, says: str
) -> None:
    (units.disk / "notify.py").write_text(NOTIFY)
    units.write("one", f"Type=notify\nTimeoutStartSec={timeout}\nExecStart={start}")
    result = units.run("start one")
    assert result.exit_code == 1
    assert says in result.stderr
    assert units.shown("ActiveState") == "failed"
    assert units.shown("MainPID") == "0"


def test_a_drop_in_appends_and_an_empty_value_resets(units: Units) -> None:
    units.write("one", "Environment=A=1\nExecStartPre=/bin/sh -c 'echo first'\nExecStart=/bin/false")
    units.write("one", "Environment=B=2\nExecStartPre=/bin/sh -c 'echo second'", drop_in="10-more")
    units.write(
        "one", "ExecStart=\nExecStart=/bin/sh -c 'echo ${A}${B}; exec sleep 600'", drop_in="20-nospof"
    )
    assert units.run("start one").exit_code == 0
    eventually(lambda: units.log() == "first\nsecond\n12\n", "all of it counts")
    assert units.shown("DropInPaths").split() == [
        f"/etc/systemd/system/one.service.d/{name}.conf" for name in ("10-more", "20-nospof")
    ]


def test_a_changed_file_counts_from_the_next_daemon_reload_on(units: Units) -> None:
    units.write("one", IDLE)
    units.run("start one")
    path = units.disk / "etc/systemd/system/one.service"
    path.write_text("[Service]\nExecStart=sleep 700\n")
    units.run("restart one")
    assert b"600" in Path(f"/proc/{_outside(units)}/cmdline").read_bytes()
    units.run("daemon-reload")
    units.run("restart one")
    assert b"700" in Path(f"/proc/{_outside(units)}/cmdline").read_bytes()


def _outside(units: Units) -> int:
    """Return the number that the main process has on the computer."""
    mark = f"INVOCATION_ID={units.shown('InvocationID')}".encode()
    return next(
        pid
        for pid in units.bench.processes()
        if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    )


def test_what_is_enabled_starts_at_boot_and_in_a_copy_and_what_was_stopped_starts_too(
    fresh: Units, tmp_path: Path
) -> None:
    units = fresh
    units.write("one", f"{IDLE}\n[Install]\nWantedBy=multi-user.target\nAlias=uno.service")
    assert units.run("is-enabled one").stdout == "disabled\n"
    assert units.run("enable --now one").exit_code == 0
    assert units.run("is-enabled one").stdout == "enabled\n"
    assert units.run("is-active uno").stdout == "active\n"
    assert units.run("stop one").exit_code == 0
    units.bench.shut_down()
    units.bench.hypervisor.snapshot("i-1", tmp_path / "image")
    units.bench.machine("i-2", tmp_path / "image")
    for machine_id in ("i-1", "i-2"):
        units.bench.boot(machine_id)
        eventually(lambda: units.shown("ActiveState", "one", machine_id) == "active", machine_id)  # noqa: B023
    assert units.run("disable --now one").exit_code == 0
    assert units.shown("ActiveState") == "inactive"
    units.bench.shut_down()
    units.bench.boot()
    assert units.shown("ActiveState") == "inactive"


def test_a_masked_unit_cannot_be_started(units: Units) -> None:
    units.write("one", f"{IDLE}\n[Install]\nWantedBy=multi-user.target")
    vendor = units.disk / "lib/systemd/system/one.service"
    vendor.parent.mkdir(parents=True)
    (units.disk / "etc/systemd/system/one.service").rename(vendor)
    units.run("enable --now one")
    assert units.run("mask --now one").exit_code == 0
    assert units.run("is-enabled one").stdout == "masked\n"
    assert units.run("start one").exit_code == 1
    assert units.shown("ActiveState") == "inactive"
    units.run("unmask one")
    assert units.run("start one").exit_code == 0


def test_units_outlive_who_looks_after_the_machines(bench: Bench, tmp_path: Path) -> None:
    units = Units(bench)
    units.write("one", IDLE)
    program = (
        "import sys, time; from pathlib import Path\n"
        "from nospof.localcloud.machines.hypervisor import Hypervisor\n"
        "Hypervisor(Path(sys.argv[1])).boot('i-1'); print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(bench.root)], stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout
        keeper.stdout.readline()
        eventually(bench.answers, "the machine answers")
        units.run("start one")
        keeper.kill()
    first = units.pid()
    other = Hypervisor(bench.root)
    assert other.state("i-1") == "on"
    found = other.execute("i-1", "systemctl show -p MainPID --value one; systemctl restart one", 30)
    assert (found.exit_code, found.stdout) == (0, f"{first}\n")
    assert units.pid() not in (0, first)


def test_an_orderly_end_uses_the_kill_signal_and_the_stop_commands(fresh: Units) -> None:
    units = fresh
    units.write(
        "one",
        "KillSignal=SIGQUIT\nExecStop=/bin/sh -c 'echo stopping ${MAINPID} >>told'\n"
        'ExecStart=/bin/sh -c \'trap "echo quit >>told; exit 0" QUIT; trap "echo term >>told" TERM; '
        "touch ready; while :; do sleep 0.02; done'",
    )
    units.run("start one")
    eventually(lambda: (units.disk / "ready").exists(), "it has set its traps")
    pid = units.pid()
    units.bench.shut_down()
    assert (units.disk / "told").read_text() == f"stopping {pid}\nquit\n"
    assert units.bench.hypervisor.exit_reason("i-1") == "powered-off"


def test_a_stop_ends_what_the_main_process_left_behind(units: Units) -> None:
    units.write("one", ESCAPING)
    units.run("start one")
    eventually(lambda: sum(b"sleep" in command for command in commands(units)) == 2, "both run")
    assert units.run("stop one").exit_code == 0
    assert not [command for command in commands(units) if b"sleep" in command]


def commands(units: Units) -> list[bytes]:
    """Return the command lines of all processes of the machine."""
    return [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in units.bench.processes()]


def test_a_machine_without_a_namespace_has_units_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "machines", "session")
    try:
        units = Units(bench)
        bench.boot()
        units.write("one", f"{ESCAPING}\nRestart=always\nRestartSec=10ms")
        units.run("start one")
        first = units.pid()
        eventually(lambda: sum(b"sleep" in command for command in commands(units)) == 2, "both run")
        os.kill(first, signal.SIGKILL)
        eventually(lambda: units.pid() not in (0, first), "it runs again")
        assert units.run("stop one").exit_code == 0
        assert not [command for command in commands(units) if b"sleep" in command]
    finally:
        bench.close()


def test_a_unit_that_does_not_end_in_time_is_killed(units: Units) -> None:
    units.write(
        "one",
        "TimeoutStopSec=100ms\n"
        "ExecStart=/bin/sh -c 'trap \"\" TERM; touch ready; while :; do sleep 0.02; done'",
    )
    units.run("start one")
    eventually(lambda: (units.disk / "ready").exists(), "it is deaf")
    assert units.run("stop one").exit_code == 0
    assert (units.shown("ActiveState"), units.shown("Result")) == ("failed", "timeout")


def test_the_environment_of_a_unit(units: Units) -> None:
    units.write("one", IDLE)
    (units.disk / "etc/one.env").write_text('# a comment\nFILE="from a file"\nA=overridden\n')
    units.write(
        "one",
        "Environment=A=1 'B=two words'\nEnvironmentFile=/etc/one.env\nEnvironmentFile=-/etc/none.env\n"
        "RuntimeDirectory=one\nStateDirectory=one/deep\nWorkingDirectory=/srv\n"
        'ExecStart=/bin/sh -c \'pwd; printf "<%%s>" "$@"; echo; env | sort; exec sleep 600\' '
        "sh $WORDS ${WORDS} $NONE ${NONE} $$HOME",
    )
    (units.disk / "srv").mkdir()
    units.run("set-environment 'WORDS=a b'")
    assert units.run("show-environment").stdout == "WORDS=a b\n"
    units.run("start one")
    eventually(lambda: "WORDS=" in units.log(), "it has said it all")
    lines = units.log().splitlines()
    assert lines[:2] == [str(units.disk / "srv"), "<a><b><a b><><$HOME>"]
    assert {"A=overridden", "B=two words", "FILE=from a file", "RUNTIME_DIRECTORY=/run/one"} <= set(lines)
    assert (units.disk / "run/one").is_dir()
    assert (units.disk / "var/lib/one/deep").is_dir()
    units.run("stop one")
    assert not (units.disk / "run/one").exists()
    units.run("unset-environment WORDS")
    assert units.run("show-environment").stdout == ""


def test_a_command_of_a_unit_may_itself_use_systemctl(units: Units) -> None:
    # As the unit of MariaDB finds the position it recovers from.
    units.write(
        "one",
        "ExecStartPre=/bin/sh -c 'systemctl set-environment POSITION=--at=7'\n"
        "ExecStart=/bin/sh -c 'echo \"$@\"; exec sleep 600' sh $POSITION",
    )
    assert units.run("start one").exit_code == 0
    eventually(lambda: units.log() == "--at=7\n", "it has the position")


def test_reload_runs_the_reload_command_with_the_main_process_in_its_environment(units: Units) -> None:
    units.write("one", f"{IDLE}\nExecReload=/bin/sh -c 'echo reload $MAINPID ${{MAINPID}}'")
    units.run("start one")
    pid = units.pid()
    assert units.run("reload one").exit_code == 0
    assert units.log() == f"reload {pid} {pid}\n"
    assert units.pid() == pid


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Type=oneshot\nExecStart=/bin/sh -c 'echo a'\nExecStart=/bin/sh -c 'echo b'", "inactive"),
        ("Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo a; echo b'", "active"),
    ],
)
def test_a_oneshot_has_ended_when_its_start_returns(units: Units, text: str, state: str) -> None:
    units.write("one", text)
    assert units.run("start one").exit_code == 0
    assert units.log() == "a\nb\n"
    eventually(lambda: units.shown("ActiveState") == state, state)


def test_a_service_that_forks_is_followed_by_its_pid_file(units: Units) -> None:
    units.write(
        "one",
        "Type=forking\nPIDFile=/run/one.pid\nRestart=always\nRestartSec=10ms\n"
        "ExecStart=/bin/sh -c 'setsid sleep 600 & echo $! >run/one.pid'",
    )
    (units.disk / "run").mkdir(exist_ok=True)
    assert units.run("start one").exit_code == 0
    pid = units.pid()
    assert pid == int((units.disk / "run/one.pid").read_text())
    units.bench.run(f"kill -9 {pid}")
    eventually(lambda: units.pid() not in (0, pid), "it was started again")


@pytest.mark.parametrize(
    "text",
    [
        "ExecStart=opt/run",
        "ExecStart=/bin/true\nExecStart=/bin/true",
        "Description=nothing",
        "ExecStart=/a 'b",
    ],
)
def test_what_systemd_would_not_load_is_not_started(units: Units, text: str) -> None:
    units.write("one", text)
    result = units.run("start one")
    assert result.exit_code == 1
    assert "bad unit file setting" in result.stderr


def test_a_template_makes_instances(units: Units) -> None:
    units.write("one@", "ExecStart=/bin/sh -c 'echo %i of %p; exec sleep 600'")
    assert units.run("start one@15-main").exit_code == 0
    eventually(lambda: units.log("one@15-main") == "15-main of one\n", "it knows its name")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_unit_runs_as_its_user_and_is_prepared_as_root(units: Units) -> None:
    units.write(
        "one",
        "User=nobody\nRuntimeDirectory=one\nExecStartPre=+/bin/sh -c 'id -un'\nExecStartPre=id -un\n"
        "ExecStart=/bin/sh -c 'touch run/one/mine; systemctl stop one; exec sleep 600'",
    )
    assert units.run("start one").exit_code == 0
    eventually(lambda: (units.disk / "run/one/mine").exists(), "it may write to its directory")
    assert units.log().split()[:2] == ["root", "nobody"]
    assert (units.disk / "run/one/mine").owner() == "nobody"
    assert units.shown("ActiveState") == "active"  # what nobody asked of systemd was refused
    units.write("two", f"User=no-such-user\nType=exec\n{IDLE}")
    assert "no user no-such-user" in units.run("start two").stderr


def test_haproxy_and_python_are_found_on_every_machine(units: Units) -> None:
    assert "HAProxy version" in units.bench.run("haproxy -v").stdout
    assert units.bench.run("python3 -c 'print(6 * 7)'").stdout == "42\n"


def test_run_is_empty_after_a_boot(fresh: Units) -> None:
    units = fresh
    units.bench.run("mkdir -p run/old; touch run/old/pid")
    units.bench.shut_down()
    units.bench.boot()
    assert not (units.disk / "run/old").exists()


def test_what_is_no_request_harms_nobody(units: Units) -> None:
    requests = [
        b"",
        b"nonsense\n",
        b"[]\n",
        b'{"verb": 7, "units": [3]}\n',
        b'{"verb": "start"}\n',
        b"\xff\n",
    ]
    program = (
        "import os, socket\n"
        f"for text in {requests!r}:\n"
        "    s = socket.socket(socket.AF_UNIX); s.connect('\\0' + os.environ['NOSPOF_SYSTEMD'])\n"
        "    s.sendall(text); s.close()\n"
    )
    assert units.bench.run(f"exec $NOSPOF_PYTHON - <<'END'\n{program}END").exit_code == 0
    units.write("one", IDLE)
    assert units.run("start one").exit_code == 0
    assert units.bench.hypervisor.boot_count("i-1") == 1


def test_the_loss_of_the_first_process_takes_the_units_with_it(fresh: Units) -> None:
    units = fresh
    units.write("one", IDLE)
    units.run("start one")
    os.kill(int((units.bench.root / "i-1/run/pid").read_text().split()[2]), signal.SIGKILL)
    eventually(units.bench.is_off, "the machine is off")
    units.bench.hypervisor.power_off("i-1")
    assert units.bench.processes() == []


@pytest.mark.parametrize(
    "text", ["Environment='A=1", "RuntimeDirectory=a\nRuntimeDirectoryMode=x", "UMask=9"]
)
def test_a_unit_that_cannot_be_understood_fails_alone(units: Units, text: str) -> None:
    units.write("one", f"Type=exec\n{text}\n{IDLE}")
    assert units.run("start one").exit_code == 1
    assert units.shown("ActiveState") == "failed"
    assert units.bench.hypervisor.boot_count("i-1") == 1
