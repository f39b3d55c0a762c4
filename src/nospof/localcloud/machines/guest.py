"""What everything inside a machine stands on: its places, its environment, its processes.

It runs in the machine's first process, on the standard library only. "The machine" is the one whose
directory that process was given; nothing of the computer's own environment comes in. A hundred machines
may start at once: what is costly to import (dataclasses, typing, shutil, subprocess) stays out until
it is needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from nospof.localcloud.machines import mounting

KILL_PATIENCE_SECONDS = 5.0
DEFAULT_SIGNALS = [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE]
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OWN_PATHS = ("/bin", "/usr/local/sbin", "/usr/local/bin")
_HERE = Path(__file__).parent
INSTALLERS = ("apt", "apt-get", "dpkg")
MOUNTERS = ("mount", "mount.nfs4", "umount")
# Programs that would reach the computer itself, were they not found here first.
GUEST_COMMANDS = {
    "poweroff": 'exec kill -TERM "$NOSPOF_INIT_PID"',
    "halt": 'exec kill -TERM "$NOSPOF_INIT_PID"',
    "reboot": 'exec kill -INT "$NOSPOF_INIT_PID"',
    "shutdown": 'case " $* " in *" -r "*) exec reboot ;; *) exec poweroff ;; esac',
    "systemctl": 'case "$1" in reboot|poweroff|halt) exec "$1" ;; esac\n'
    f'exec "$NOSPOF_PYTHON" -I -S {_HERE / "systemctl.py"} "$@"',
    "fsfreeze": f'exec "$NOSPOF_PYTHON" -I -S {_HERE / "fsfreeze.py"} "$@"',
    **dict.fromkeys(
        INSTALLERS,
        'echo "$0: a machine here runs the programs of its computer; install them there" >&2; exit 100',
    ),
    **{name: f'exec "$NOSPOF_PYTHON" -I -S {_HERE / "mounting.py"} {name} "$@"' for name in MOUNTERS},
    "sync": "exit 0",  # what is written is on the disk that an image is a copy of
}


def say(text: str) -> None:
    """Write a line to the console; a full disk is no reason to go down."""
    with contextlib.suppress(OSError):
        line = f"[{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}] init: {text}\n"
        os.write(1, line.encode(errors="replace"))


def replace(path: Path, text: str) -> None:
    """Write a file so that readers see the old text or the new, never a part."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


PACKAGED = ("patroni", "patroni_raft_controller")


class Guest:
    """The machine as its first process sees it.

    Args:
        machine: its directory on the computer.
        root: where its files are: its disk, or "/" where the disk is laid over the computer's root.
        grace_seconds: how long an orderly end may take.
        haproxy: a HAProxy to be found on the PATH of a computer that has none; "" for none.
        scripts: a directory with programs of Python packages to be found likewise; "" for none.
    """

    def __init__(
        self, machine: Path, root: Path, grace_seconds: float, haproxy: str = "", scripts: str = ""
    ) -> None:
        self.machine = machine
        self.root = root
        self.disk = machine / "disk"
        self.is_overlay = root != self.disk
        self.grace_seconds = grace_seconds
        self.run = machine / "run"
        self.log = self.root / "var/log"
        self.identity = json.loads((machine / "meta.json").read_text(encoding="utf-8"))
        # An abstract name: no directory's length or permissions stand between it and whoever asks.
        self.systemd = f"nospof-systemd-{os.urandom(12).hex()}"
        self._programs = {"python3": sys.executable, "haproxy": haproxy}
        if scripts:
            self._programs |= {name: f"{scripts}/{name}" for name in PACKAGED}

    def environment(self) -> dict[str, str]:
        """Return the environment of every process of the machine: nothing of the computer's own."""
        metadata = self.identity["metadata"]
        names = {"".join(c if c.isalnum() else "_" for c in key).upper(): key for key in metadata}
        own = [] if self.is_overlay else [f"{self.root}{one}" for one in OWN_PATHS]
        return {
            **{f"NOSPOF_{name}": metadata[key] for name, key in names.items()},
            "NOSPOF_INSTANCE_ID": self.identity["id"],
            "NOSPOF_ADDRESS": self.identity["address"],
            "NOSPOF_MACHINE": str(self.machine),
            "NOSPOF_DISK": str(self.root),
            "NOSPOF_PYTHON": sys.executable,
            "NOSPOF_INIT_PID": str(os.getpid()),
            "NOSPOF_SYSTEMD": self.systemd,
            "PATH": ":".join([f"{self.run / 'bin'}", *own, SYSTEM_PATH]),
            "HOME": "/root" if self.is_overlay else str(self.root),
            "LANG": "C.UTF-8",
        }

    def path(self, name: str) -> Path:
        """Return where a file of the machine is, by its name there."""
        return self.root / name.lstrip("/")

    def prepare(self) -> None:
        """Count the boot and make the places every machine has."""
        os.chdir(self.root)
        os.umask(0o022)
        if not self.is_overlay and os.getpid() == 1:
            mounting.leave_none(self.root)  # before anything is emptied: it would be what is mounted
        _empty(self.root / "run")  # as a memory file system is after a boot
        if self.is_overlay:
            _empty(self.root / "tmp")
            self._be_like_debian()
        for directory in (self.run / "commands", self.run / "bin", self.log, self.root / "var/lib/cloud"):
            directory.mkdir(parents=True, exist_ok=True)
        for left in (*self.run.glob("nospof-hold-*/*"), *self.run.glob("frozen/*")):
            left.unlink(missing_ok=True)
        self._write_commands()
        self._mount()
        with contextlib.suppress(FileNotFoundError):
            (self.run / "agent.sock").unlink()
        counter = self.machine / "boot-count"
        count = int(counter.read_text()) + 1 if counter.exists() else 1
        replace(counter, str(count))
        say(f"boot {count} of {self.identity['id']} at {self.identity['address']}")

    def _be_like_debian(self) -> None:
        """Give the machine its name, and make what packages expect in /run after a boot."""
        import socket
        import subprocess

        with contextlib.suppress(OSError):
            socket.sethostname(self.path("etc/hostname").read_text(encoding="utf-8").strip())
        self.path("run/lock").mkdir(exist_ok=True)
        self.path("run/lock").chmod(0o1777)
        if program := found_on(SYSTEM_PATH, "systemd-tmpfiles"):
            command = [program, "--create", "--prefix=/run"]
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(command, capture_output=True, check=False, timeout=10)

    def _mount(self) -> None:
        """Forget what an image says was mounted, and mount what its fstab wants."""
        (self.run / "nfs-mounts").unlink(missing_ok=True)
        if not self.is_overlay and "nfs4" in mounting.text_of(self.root / "proc/mounts"):
            mounting.keep([], self.machine, self.root)
        if not self.is_overlay and (wrong := mounting.at_boot(self.root, self.environment())):
            say("; ".join(wrong))

    def _write_commands(self) -> None:
        for name, text in GUEST_COMMANDS.items():
            if self.is_overlay and name in (*INSTALLERS, *MOUNTERS):
                continue  # what they install goes onto the machine's own disk
            replace(self.run / "bin" / name, f"#!/bin/sh\n{text}\n")
            (self.run / "bin" / name).chmod(0o755)
        for name, program in self._programs.items():
            link = self.run / "bin" / name
            link.unlink(missing_ok=True)
            is_own = name in PACKAGED  # the computer's may be too old for the server of the package
            if program and (is_own or not found_on(SYSTEM_PATH, name)):
                link.symlink_to(program)

    def spawn(self, command: list[str], output: int, errors: int) -> int:
        """Start a program in a session of its own and return its number. Raises OSError."""
        with Path(os.devnull).open("rb") as null:
            return os.posix_spawn(
                command[0],
                command,
                self.environment(),
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, null.fileno(), 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, errors, 2),
                ],
                setsid=True,
                setsigdef=DEFAULT_SIGNALS,
            )


def found_on(path: str, name: str) -> str:
    """Return where a program is found on a PATH; "" when it is not."""
    places = (os.path.join(directory, name) for directory in path.split(":"))
    return next((place for place in places if os.path.isfile(place) and os.access(place, os.X_OK)), "")


def _empty(directory: Path) -> None:
    """Delete what is in a directory, but nothing that is mounted in it."""
    if not directory.is_dir() or directory.is_symlink():
        return
    device = directory.stat().st_dev
    for entry in directory.iterdir():
        with contextlib.suppress(OSError):
            found = entry.lstat()
            if found.st_dev != device:
                continue
            if stat.S_ISDIR(found.st_mode):
                _empty(entry)
                entry.rmdir()
            else:
                entry.unlink()


def remove_tree(directory: Path) -> None:
    """Delete a directory with all that can be deleted in it."""
    import shutil

    shutil.rmtree(directory, ignore_errors=True)


def script_command(script: Path) -> list[str]:
    """Return how to run a script: as its first line says, or with sh when it says nothing."""
    with script.open("rb") as file:
        return [str(script)] if file.read(2) == b"#!" else ["/bin/sh", str(script)]


# Processes -------------------------------------------------------------------------------------------


class Living:
    """A process of the machine."""

    def __init__(self, pid: int, parent: int, session: int) -> None:
        self.pid, self.parent, self.session = pid, parent, session


def descendants() -> list[Living]:
    """Return every process of the machine but this one."""
    children: dict[int, list[Living]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2].split()
                found = Living(int(name), int(fields[1]), int(fields[3]))
                children.setdefault(found.parent, []).append(found)
    everything: list[Living] = []
    waiting = [os.getpid()]
    while waiting:
        for child in children.pop(waiting.pop(), []):
            everything.append(child)
            waiting.append(child.pid)
    return everything


def belonging(invocation: str, sessions: set[int], main: int) -> list[int]:
    """Return the living processes of one start of a unit.

    Args:
        invocation: what its programs have as INVOCATION_ID in their environment.
        sessions: the sessions it was started in.
        main: its main process, wherever that came from; 0 for none.
    """
    mark = f"INVOCATION_ID={invocation}".encode()
    found: set[int] = set()
    for process in descendants():  # parents come before their children
        if process.parent in found or process.session in sessions or process.pid == main:
            found.add(process.pid)
            continue
        with contextlib.suppress(OSError):
            if mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.add(process.pid)
    return sorted(found)


def send(pid: int, number: int) -> None:
    """Signal a process; one that has ended is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal a session that was started here; one that has ended is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


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
        for process in left:
            send(process.pid, signal.SIGKILL)
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
