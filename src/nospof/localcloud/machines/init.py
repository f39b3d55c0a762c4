"""The first process of a machine: `python -I -S init.py DIRECTORY ROOT GRACE [HAPROXY [SCRIPTS]]`.

It starts services and units, answers commands, reaps orphans and ends in order. One thread, one loop
and the standard library only, so that it is up in milliseconds and a hundred of them are no burden.
SIGTERM powers the machine off, SIGINT reboots it (as the kernel's Ctrl-Alt-Del does), SIGHUP looks
for new services.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Run by a Python that knows no packages: behind its own library, for these modules alone.
sys.path.append(str(Path(__file__).parents[3]))
from nospof.localcloud.machines.guest import (
    Guest,
    adopt_orphans,
    descendants,
    ended_children,
    kill_all,
    replace,
    say,
    script_command,
    send,
    signal_group,
)
from nospof.localcloud.machines.services import Command, Service
from nospof.localcloud.machines.systemd import Systemd

REQUEST_BYTES = 1 << 20
LOOK_SECONDS = 0.02  # how often for the end of what is nobody's child here


class Init:
    """The loop: signals, ends of children, commands, and what is due."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self.selector = selectors.DefaultSelector()
        self.systemd = Systemd(guest, self.selector)
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
        # Ignored by the shell that started us; every unit would inherit that.
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self.selector.register(wakeup, selectors.EVENT_READ, lambda: self._signalled(wakeup))
        self._listen()
        self.systemd.listen()
        self._first_boot()
        self._find_services()
        self.systemd.boot()
        # The first process of a namespace does not hear signals before it has handlers.
        if (self._guest.run / "shutdown").exists():
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
        directory = self._guest.disk / "etc/services"  # never those of the computer below
        for path in sorted(directory.iterdir()) if directory.is_dir() else ():
            if path.name not in self.services and os.access(path, os.X_OK):
                self.services[path.name] = Service(self._guest, path)

    def _first_boot(self) -> None:
        script = self._guest.root / "var/lib/cloud/user-data"
        done = self._guest.root / "var/lib/cloud/instances" / self._guest.identity["id"] / "user-data-has-run"
        if done.exists() or not script.is_file():
            return
        try:
            # Marked before it runs, as cloud-init does: half a script is not run a second time.
            done.parent.mkdir(parents=True, exist_ok=True)
            done.touch()
            script.chmod(stat.S_IMODE(script.stat().st_mode) | stat.S_IXUSR)
            with (self._guest.log / "user-data.log").open("ab") as log:
                self.user_data_pid = self._guest.spawn(script_command(script), log.fileno(), log.fileno())
        except OSError as error:
            say(f"user data cannot be run: {error}")

    # The agent ----------------------------------------------------------------------------------

    def _listen(self) -> None:
        # A relative name, because a socket's name has no room for a long directory.
        listener = socket.socket(socket.AF_UNIX)
        os.chdir(self._guest.run)
        listener.bind("agent.sock")
        os.chdir(self._guest.root)
        listener.listen(64)
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            command = Command(self._guest, connection)
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
        self.systemd.reaped(pid, code)
        for service in self.services.values():
            if service.pid == pid:
                service.ended(f"ended with {code}" if not self.ending else "")

    # Time ---------------------------------------------------------------------------------------

    def _next_deadline(self) -> float | None:
        moments = [command.deadline for command in self.commands.values() if not command.timed_out]
        moments.append(self.systemd.next_moment())
        if self.ending:
            # Children of children are not ours to be told of, so look now and then.
            moments.append(min(self.ending_deadline, time.monotonic() + LOOK_SECONDS))
        else:
            moments += [s.start_at for s in self.services.values() if not s.pid]
        first = min(moments)
        return max(0.0, first - time.monotonic()) if first < float("inf") else None

    def _do_what_is_due(self) -> None:
        self.systemd.step()
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
        say(f"{how}: asking everything to end, for up to {self._guest.grace_seconds:g} s")
        self.ending = how
        self.ending_deadline = time.monotonic() + self._guest.grace_seconds
        there = descendants()  # before units begin to end: what they start for that is left alone
        theirs = self.systemd.end()
        for process in there:
            if process.pid not in theirs:
                send(process.pid, signal.SIGTERM)

    def _is_over(self) -> bool:
        if not self.ending:
            return False
        if self.systemd.is_quiet() and not descendants():
            return True
        if time.monotonic() < self.ending_deadline:
            return False
        kill_all()
        return True


def run_machine(guest: Guest, again: Callable[[], None]) -> None:
    """Run until power off; a reboot starts this program anew in the same process."""
    guest.prepare()
    adopt_orphans()
    how = Init(guest).main()
    say(f"{how}: everything has ended")
    if how == "reboot":
        again()
    replace(guest.run / "exit", "powered-off")


if __name__ == "__main__":
    run_machine(
        Guest(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:6]),
        lambda: os.execv(sys.executable, [sys.executable, "-I", "-S", *sys.argv]),  # noqa: S606
    )
