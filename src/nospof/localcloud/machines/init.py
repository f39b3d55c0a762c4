"""The first process of a machine: `python -I -S init.py <machine directory> <stop grace, seconds>`.

It starts the services, answers commands, reaps orphans and ends in order. One thread, one loop and
the standard library only, so that it is up in milliseconds and a hundred of them are no burden.
SIGTERM powers the machine off, SIGINT reboots it (as the kernel's Ctrl-Alt-Del does), SIGHUP looks
for new services.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

BACKOFF_FIRST_SECONDS = 0.1
BACKOFF_LAST_SECONDS = 10.0
SETTLED_SECONDS = 10.0  # a service that ran this long starts its backoff anew
OUTPUT_CHARACTERS = 24_000  # what Systems Manager keeps of a command's output
REQUEST_BYTES = 1 << 20
COMMAND_SECONDS = 172_800.0  # the longest executionTimeout of Systems Manager
PIPE_BYTES = 1 << 16  # all a pipe can hold, so one read at the end misses nothing
KILL_PATIENCE_SECONDS = 5.0

MACHINE = Path(sys.argv[1])
GRACE_SECONDS = float(sys.argv[2])
RUN = MACHINE / "run"
DISK = MACHINE / "disk"
IDENTITY = json.loads((MACHINE / "meta.json").read_text(encoding="utf-8"))
DEFAULT_SIGNALS = [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE]
# Programs that would reach the computer itself, were they not found here first.
GUEST_COMMANDS = {
    "poweroff": 'exec kill -TERM "$NOSPOF_INIT_PID"',
    "halt": 'exec kill -TERM "$NOSPOF_INIT_PID"',
    "reboot": 'exec kill -INT "$NOSPOF_INIT_PID"',
    "shutdown": 'case " $* " in *" -r "*) exec reboot ;; *) exec poweroff ;; esac',
    "systemctl": 'case "$1" in reboot|poweroff|halt) exec "$1" ;; esac\n'
    'echo "systemctl: this machine is not run by systemd" >&2; exit 1',
    "fsfreeze": f'exec "$NOSPOF_PYTHON" -I -S {Path(__file__).with_name("fsfreeze.py")} "$@"',
    "sync": "exit 0",  # what is written is on the disk that an image is a copy of
}


def say(text: str) -> None:
    """Write a line to the console; a full disk is no reason to go down."""
    with contextlib.suppress(OSError):
        line = f"[{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}] init: {text}\n"
        os.write(1, line.encode(errors="replace"))


def environment() -> dict[str, str]:
    """Return the environment of every process of the machine: nothing of the computer's own."""
    names = {"".join(c if c.isalnum() else "_" for c in key).upper(): key for key in IDENTITY["metadata"]}
    return {
        **{f"NOSPOF_{name}": IDENTITY["metadata"][key] for name, key in names.items()},
        "NOSPOF_INSTANCE_ID": IDENTITY["id"],
        "NOSPOF_ADDRESS": IDENTITY["address"],
        "NOSPOF_MACHINE": str(MACHINE),
        "NOSPOF_DISK": str(DISK),
        "NOSPOF_PYTHON": sys.executable,
        "NOSPOF_INIT_PID": str(os.getpid()),
        "PATH": f"{RUN / 'bin'}:{DISK / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(DISK),
        "LANG": "C.UTF-8",
    }


def spawn(command: list[str], output: int, errors: int) -> int:
    """Start a program in a session of its own and return its number. Raises OSError."""
    with Path(os.devnull).open("rb") as null:
        return os.posix_spawn(
            command[0],
            command,
            environment(),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, errors, 2),
            ],
            setsid=True,
            setsigdef=DEFAULT_SIGNALS,
        )


def script_command(script: Path) -> list[str]:
    """Return how to run a script: as its first line says, or with sh when it says nothing."""
    with script.open("rb") as file:
        return [str(script)] if file.read(2) == b"#!" else ["/bin/sh", str(script)]


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal a session this init has started; one that has ended is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def descendants() -> list[int]:
    """Return every process of the machine but this one."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(name))
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        for child in children.pop(waiting.pop(), []):
            found.append(child)
            waiting.append(child)
    return found


class Service:
    """One executable of etc/services: started again, a little later each time, whenever it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.pid = 0
        self.started = 0.0
        self.start_at = 0.0
        self.backoff = BACKOFF_FIRST_SECONDS

    def start(self) -> None:
        """Start it; what cannot be started is tried again as if it had died."""
        self.started = time.monotonic()
        try:
            with (DISK / "var/log" / f"{self.name}.log").open("ab") as log:
                self.pid = spawn([str(self.path)], log.fileno(), log.fileno())
        except OSError as error:
            say(f"service {self.name} cannot be started: {error}")
            self.ended()

    def ended(self, how: str = "") -> None:
        """Note its end and decide when it is started again."""
        self.pid = 0
        if time.monotonic() - self.started > SETTLED_SECONDS:
            self.backoff = BACKOFF_FIRST_SECONDS
        self.start_at = time.monotonic() + self.backoff
        if how:
            say(f"service {self.name} {how}; starting it again in {self.backoff:g} s")
        self.backoff = min(self.backoff * 2, BACKOFF_LAST_SECONDS)


class Command:
    """One connection to the agent: a script to run, its output as it comes, its end."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.request = b""
        self.pid = 0
        self.script = RUN / "commands" / str(id(self))
        self.pipes: dict[str, int] = {}
        self.output = {"stdout": b"", "stderr": b""}
        self.deadline = float("inf")
        self.timed_out = False

    def run(self) -> None:
        """Start the script that was asked for. Raises OSError, or what a malformed request raises."""
        request = json.loads(self.request)
        # In this order, so that what is no number at all is the longest time too.
        self.deadline = time.monotonic() + min(COMMAND_SECONDS, float(request["timeout_seconds"]))
        self.script.write_text(request["script"], encoding="utf-8")
        self.script.chmod(stat.S_IRWXU)
        writers = {}
        for name in self.output:
            self.pipes[name], writers[name] = os.pipe()
            os.set_blocking(self.pipes[name], False)
        try:
            self.pid = spawn(script_command(self.script), writers["stdout"], writers["stderr"])
        finally:
            for writer in writers.values():
                os.close(writer)

    def read(self, name: str) -> bool:
        """Take what a pipe holds, keeping only as much as is reported. Return False at its end."""
        try:
            data = os.read(self.pipes[name], PIPE_BYTES)
        except BlockingIOError:
            return True
        room = 4 * OUTPUT_CHARACTERS - len(self.output[name])  # a character has up to 4 bytes
        self.output[name] += data[:room] if room > 0 else b""
        return bool(data)

    def answer(self, exit_code: int) -> None:
        """Report how the script ended. Nobody left to hear it is no error."""
        text = {k: v.decode(errors="replace")[:OUTPUT_CHARACTERS] for k, v in self.output.items()}
        line = json.dumps({"exit_code": exit_code, "timed_out": self.timed_out, **text}) + "\n"
        with contextlib.suppress(OSError):
            self.connection.settimeout(1.0)
            self.connection.sendall(line.encode())


class Init:
    """The loop: signals, ends of children, commands, and what is due."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.services: dict[str, Service] = {}
        self.commands: dict[int, Command] = {}
        self.user_data_pid = 0
        self.ending = ""  # "", "power off", "reboot"
        self.ending_deadline = float("inf")

    def main(self) -> str:
        """Run the machine until it is told to end; return how: "power off" or "reboot"."""
        wakeup, self.signals = os.pipe()
        for end in (wakeup, self.signals):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self.signals, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self.selector.register(wakeup, selectors.EVENT_READ, lambda: self._signalled(wakeup))
        self._listen()
        self._first_boot()
        self._find_services()
        # The first process of a namespace does not hear signals before it has handlers.
        if (RUN / "shutdown").exists():
            self._end("power off")
        while not self._is_over():
            for key, _ in self.selector.select(self._next_deadline()):
                # One that was closed by what was done for another of the same moment is passed over.
                if self.selector.get_map().get(key.fd) is key:
                    key.data()
            self._do_what_is_due()
        return self.ending

    # Services and the first boot ----------------------------------------------------------------

    def _find_services(self) -> None:
        directory = DISK / "etc/services"
        for path in sorted(directory.iterdir()) if directory.is_dir() else ():
            if path.name not in self.services and os.access(path, os.X_OK):
                self.services[path.name] = Service(path)

    def _first_boot(self) -> None:
        script = DISK / "var/lib/cloud/user-data"
        done = DISK / "var/lib/cloud/instances" / IDENTITY["id"] / "user-data-has-run"
        if done.exists() or not script.is_file():
            return
        try:
            # Marked before it runs, as cloud-init does: half a script is not run a second time.
            done.parent.mkdir(parents=True, exist_ok=True)
            done.touch()
            script.chmod(stat.S_IMODE(script.stat().st_mode) | stat.S_IXUSR)
            with (DISK / "var/log/user-data.log").open("ab") as log:
                self.user_data_pid = spawn(script_command(script), log.fileno(), log.fileno())
        except OSError as error:
            say(f"user data cannot be run: {error}")

    # The agent ----------------------------------------------------------------------------------

    def _listen(self) -> None:
        # A relative name, because a socket's name has no room for a long directory.
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("../run/agent.sock")
        listener.listen(64)
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            command = Command(connection)
            connection.sendall(b"ready\n")
            self.selector.register(connection, selectors.EVENT_READ, lambda: self._requested(command))

    def _requested(self, command: Command) -> None:
        try:
            data = command.connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        command.request += data
        if data and not command.request.endswith(b"\n") and len(command.request) < REQUEST_BYTES:
            return
        self.selector.unregister(command.connection)
        if not data or self.ending:
            command.connection.close()
            return
        try:
            command.run()
        except (OSError, ValueError, KeyError, TypeError) as error:
            command.output["stderr"] = f"the agent cannot run this: {error}\n".encode()
            self._finish(command, 127)
            return
        self.commands[command.pid] = command
        for name in command.pipes:
            self._watch(command, name)

    def _watch(self, command: Command, name: str) -> None:
        def readable() -> None:
            if not command.read(name):
                self.selector.unregister(command.pipes[name])

        self.selector.register(command.pipes[name], selectors.EVENT_READ, readable)

    def _finish(self, command: Command, exit_code: int) -> None:
        for name, pipe in command.pipes.items():
            # What a daemon left behind by the script may still write is nobody's any more.
            command.read(name)
            with contextlib.suppress(KeyError):
                self.selector.unregister(pipe)
            os.close(pipe)
        command.script.unlink(missing_ok=True)
        command.answer(exit_code)
        command.connection.close()

    # Signals and the ends of children -----------------------------------------------------------

    def _signalled(self, wakeup: int) -> None:
        for number in os.read(wakeup, 4096):
            if number == signal.SIGTERM:
                self._end("power off")
            elif number == signal.SIGINT:
                self._end("reboot")
            elif number == signal.SIGHUP:
                self._find_services()
        for pid, status in ended_children():
            self._reaped(pid, os.waitstatus_to_exitcode(status))

    def _reaped(self, pid: int, code: int) -> None:
        if command := self.commands.pop(pid, None):
            self._finish(command, code if code >= 0 else 128 - code)
            self._find_services()
        elif pid == self.user_data_pid:
            say(f"user data ended with {code}")
            self.user_data_pid = 0
            self._find_services()
        for service in self.services.values():
            if service.pid == pid:
                service.ended(f"ended with {code}" if not self.ending else "")

    # Time ---------------------------------------------------------------------------------------

    def _next_deadline(self) -> float | None:
        moments = [command.deadline for command in self.commands.values() if not command.timed_out]
        if self.ending:
            # Children of children are not ours to be told of, so look now and then.
            moments.append(min(self.ending_deadline, time.monotonic() + 0.02))
        else:
            moments += [s.start_at for s in self.services.values() if not s.pid]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        for command in self.commands.values():
            if now >= command.deadline:
                command.timed_out, command.deadline = True, float("inf")
                signal_group(command.pid, signal.SIGKILL)
        if self.ending:
            return
        for service in self.services.values():
            if not service.pid and now >= service.start_at:
                service.start()

    # The end ------------------------------------------------------------------------------------

    def _end(self, how: str) -> None:
        if self.ending:
            return
        say(f"{how}: asking everything to end, for up to {GRACE_SECONDS:g} s")
        self.ending = how
        self.ending_deadline = time.monotonic() + GRACE_SECONDS
        for pid in descendants():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)

    def _is_over(self) -> bool:
        if not self.ending:
            return False
        if not descendants():
            return True
        if time.monotonic() < self.ending_deadline:
            return False
        kill_all()
        return True


def ended_children() -> Iterator[tuple[int, int]]:
    """Yield the number and wait status of every child that has ended, orphans included."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            yield pid, status


def kill_all() -> None:
    """Kill every process of the machine but this one and wait until they are gone."""
    deadline = time.monotonic() + KILL_PATIENCE_SECONDS
    while (left := descendants()) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
        for pid, _ in ended_children():
            say(f"process {pid} did not end in time and was killed")


def adopt_orphans() -> None:
    """Become the parent of daemons whose own parent ends, as the first process of a namespace is."""
    if os.getpid() == 1:
        return
    import ctypes  # only without a namespace: it costs a third of the start

    set_child_subreaper = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
    if ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0):
        say("orphans cannot be adopted; daemons may outlive this machine")


def prepare() -> None:
    """Count the boot and make the places every machine has."""
    os.chdir(DISK)
    os.umask(0o022)
    for directory in (RUN / "commands", RUN / "bin", DISK / "var/log", DISK / "var/lib/cloud"):
        directory.mkdir(parents=True, exist_ok=True)
    for left in (*RUN.glob("nospof-hold-*/*"), *RUN.glob("frozen/*")):
        left.unlink(missing_ok=True)
    for name, text in GUEST_COMMANDS.items():
        replace(RUN / "bin" / name, f"#!/bin/sh\n{text}\n")
        (RUN / "bin" / name).chmod(0o755)
    with contextlib.suppress(FileNotFoundError):
        os.unlink("../run/agent.sock")
    counter = MACHINE / "boot-count"
    count = int(counter.read_text()) + 1 if counter.exists() else 1
    replace(counter, str(count))
    say(f"boot {count} of {IDENTITY['id']} at {IDENTITY['address']}")


def replace(path: Path, text: str) -> None:
    """Write a file so that readers see the old text or the new, never a part."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def run_machine(again: Callable[[], None]) -> None:
    """Run until power off; a reboot starts this program anew in the same process."""
    prepare()
    adopt_orphans()
    how = Init().main()
    say(f"{how}: everything has ended")
    if how == "reboot":
        again()
    replace(RUN / "exit", "powered-off")


if __name__ == "__main__":
    run_machine(lambda: os.execv(sys.executable, [sys.executable, "-I", "-S", *sys.argv]))  # noqa: S606
