"""The life of one unit: started, watched, started again when it dies, reloaded, stopped.

A job (a start, a stop) is a generator: it yields the moment at which it wants to look again at the latest,
and is gone on with after everything that happens. Nothing here blocks, for the machine's init runs it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Generator

from nospof.localcloud.machines.guest import belonging, descendants, say, send
from nospof.localcloud.machines.notify import Hear, Readiness
from nospof.localcloud.machines.surroundings import NO_PROGRAM, Failed, Surroundings
from nospof.localcloud.machines.unitfile import (
    Command,
    UnitFile,
    how_it_ended,
    signal_number,
    span_seconds,
)

Steps = Generator[float, None, None]
"""A job, or a part of one: yields the moment of `time.monotonic` to look again at the latest."""

START_SECONDS = STOP_SECONDS = 90.0  # DefaultTimeoutStartSec= and DefaultTimeoutStopSec=
RESTART_SECONDS = 0.1  # DefaultRestartSec=
LIMIT_SECONDS, LIMIT_STARTS = 10.0, 5  # DefaultStartLimitIntervalSec= and DefaultStartLimitBurst=
LOOK_SECONDS = 0.02  # how often for the end of processes that are nobody's child here
KILLED_SECONDS = 5.0
JOINS = {"start": ("start",), "restart": ("start", "restart"), "stop": ("stop",), "reload": ("reload",)}
"""What may be asked while a job of that kind is under way, and is answered at its end."""
RESTARTS = {
    "no": (),
    "always": ("success", "exit-code", "signal", "timeout", "protocol", "resources"),
    "on-success": ("success",),
    "on-failure": ("exit-code", "signal", "timeout", "protocol", "resources"),
    "on-abnormal": ("signal", "timeout"),
    "on-abort": ("signal",),
}


class Unit:
    """One service.

    Args:
        file: what its files say; replaced by daemon-reload.
        surroundings: starts its programs.
        hear: told of a socket, and what to do when something arrives; with None, to hear it no longer.
    """

    def __init__(self, file: UnitFile, surroundings: Surroundings, hear: Hear) -> None:
        self.file, self._surroundings, self._hear = file, surroundings, hear
        self.active, self.sub, self.result = "inactive", "dead", "success"
        self.says, self.invocation = "", ""
        self.main = self.control = self.main_code = self.restarts = 0
        self.kind_of_job = ""
        self.wake_at = float("inf")
        self._job: Steps | None = None
        self._answers: list[Callable[[str], None]] = []
        self._sessions: set[int] = set()
        self._codes: dict[int, int] = {}
        self._readiness: Readiness | None = None
        self._watches_main = False
        self._deadline = float("inf")
        self._starts: list[float] = []

    # What is asked of it --------------------------------------------------------------------------

    def ask(self, what: str, answer: Callable[[str], None]) -> None:
        """Begin a start, stop, restart or reload, or join the one under way.

        `answer` is told its end once: "" when it went well, else a word of systemd's (exit-code, timeout,
        canceled, start-limit-hit, ...) or, before anything was done, a sentence with a space in it.
        """
        idle = self.active in ("inactive", "failed")
        if (what == "start" and self.active == "active") or (what == "stop" and idle and not self._job):
            answer("")
        elif what in JOINS.get(self.kind_of_job, ()):
            self._answers.append(answer)
        elif what == "reload" and self.active != "active":
            answer(f"{self.file.name} is not active, cannot reload.")
        elif what == "reload" and not self.file.all("ExecReload"):
            answer(f"Job type reload is not applicable for unit {self.file.name}.")
        elif what == "stop":
            self._begin(what, self._stopped(), answer)
        elif what == "reload":
            self._begin(what, self._reloaded(), answer)
        else:  # what still ends is let end first
            self._begin("restart" if what == "restart" or not idle else "start", self._restarted(), answer)

    @property
    def status(self) -> str:
        """What it says of itself."""
        return self._readiness.status if self._readiness else ""

    @property
    def is_idle(self) -> bool:
        """Whether no job is under way."""
        return self._job is None

    def step(self) -> None:
        """Go on with what is under way."""
        if not self._job and self._watches_main and not self.main:
            self._begin("end", self._main_ended(), None)
        if self._job:
            try:
                self.wake_at = next(self._job)
            except StopIteration:
                self._job, self.kind_of_job, self.wake_at = None, "", float("inf")
            except (
                OSError,
                ValueError,
            ) as error:  # of one unit's making: no reason for the machine to go down
                self.signal(signal.SIGKILL)
                self._job, self.kind_of_job, self.wake_at, self._watches_main = None, "", float("inf"), False
                self.active, self.sub, self.result, self.says = "failed", "failed", "resources", str(error)
                say(f"{self.file.name}: {error}")
                self._answer(self.result)

    def reaped(self, pid: int, code: int) -> None:
        """Note the end of a process, if it is one of this unit's own."""
        if pid == self.main:
            self.main, self.main_code = 0, code
        elif pid in self._sessions:
            self._codes[pid] = code
            self.control = 0 if pid == self.control else self.control

    def signal(self, number: int) -> None:
        """Signal all of its processes."""
        for pid in self.processes():
            send(pid, number)

    def reset(self) -> None:
        """Forget a failure, and how often it was started."""
        self._starts.clear()
        if self.active == "failed":
            self.active, self.sub = "inactive", "dead"
        self.result = "success"

    def processes(self) -> list[int]:
        """Return every living process of it: what it has started, and what says that it belongs to it."""
        return belonging(self.invocation, self._sessions, self.main) if self.invocation else []

    # Jobs -----------------------------------------------------------------------------------------

    def _begin(self, kind: str, job: Steps, answer: Callable[[str], None] | None) -> None:
        if self._job:
            self._job.close()
            self._answer("canceled")
        self._job, self.kind_of_job, self.wake_at = job, kind, 0.0
        if answer:
            self._answers.append(answer)

    def _answer(self, problem: str) -> None:
        waiting, self._answers = self._answers, []
        for answer in waiting:
            answer(problem)

    def _started(self) -> Steps:
        self.kind_of_job = self.kind_of_job if self.kind_of_job == "restart" else "start"
        try:
            self._count_start()
            yield from self._start()
        except Failed as failure:
            self._note(failure)
            yield from self._end()
        else:
            self._answer("")
            self.kind_of_job = "end"
            if self.active != "active":
                yield from self._end()

    def _restarted(self) -> Steps:
        if self.active not in ("inactive", "failed"):
            yield from self._stop()
        yield from self._started()

    def _stopped(self) -> Steps:
        yield from self._stop()
        self._answer("")

    def _reloaded(self) -> Steps:
        self.active, self.sub = "reloading", "reload"
        problem = ""
        try:
            yield from self._run("ExecReload", self._start_deadline())
        except Failed as failure:
            problem, self.says = failure.result, str(failure)
        self.active, self.sub = "active", "running"
        self._answer(problem)

    def _main_ended(self) -> Steps:
        self._watches_main = False
        self.result = self.file.result_of(self.main_code)
        if self.result != "success":
            self.says = self.says or f"the main process {how_it_ended(self.main_code)}"
            say(f"{self.file.name}: {self.says}")
        yield from self._end()

    # Starting -------------------------------------------------------------------------------------

    def _start(self) -> Steps:
        self.invocation, self.result, self.says = os.urandom(16).hex(), "success", ""
        self._sessions.clear()
        self._codes.clear()
        self.active, self.sub = "activating", "start-pre"
        try:
            self.file.check()
            self._surroundings.make_directories(self.file)
            access = self.file.last("NotifyAccess", "main" if self.file.kind() == "notify" else "none")
            if access != "none":
                self._readiness = Readiness(self.file.name, self.invocation, access == "all", self._hear)
        except (OSError, ValueError) as error:
            raise Failed("resources", str(error)) from error
        self._deadline = self._start_deadline()
        yield from self._run("ExecStartPre", self._deadline)
        self.active, self.sub = "activating", "start"
        yield from {"oneshot": self._once, "forking": self._forked}.get(self.file.kind(), self._serving)()
        self.active, self.sub = "activating", "start-post"
        yield from self._run("ExecStartPost", self._deadline)
        if self._watches_main:
            self.active, self.sub = "active", "running"
        elif self.file.yes("RemainAfterExit"):
            self.active, self.sub = "active", "exited"

    def _serving(self) -> Steps:
        kind = self.file.kind()
        try:
            self.main = self._spawn(self.file.commands("ExecStart")[0])
        except Failed as failure:
            if kind != "simple":
                raise
            # systemd calls a simple service started once it has forked, and only then sees this.
            self.main, self.main_code, self.says = 0, NO_PROGRAM, str(failure)
        self._watches_main = True
        while kind == "notify" and (said := self._readiness) and not said.is_ready:
            said.main = self.main
            deadline = max(self._deadline, said.extended_until)
            if not self.main:
                result = self.file.result_of(self.main_code)
                raise Failed(
                    "protocol" if result == "success" else result,
                    f"the main process {how_it_ended(self.main_code)} before it said that it is ready",
                )
            if time.monotonic() >= deadline:
                raise Failed("timeout", "it has not said in time that it is ready")
            yield deadline

    def _once(self) -> Steps:
        yield from self._run("ExecStart", self._deadline)

    def _forked(self) -> Steps:
        yield from self._run("ExecStart", self._deadline)
        named = self.file.last("PIDFile")
        while not self.main:
            with contextlib.suppress(OSError, ValueError):
                self.main = (
                    int(self._surroundings.guest.path(named).read_text()) if named else self._own_child()
                )
            if time.monotonic() >= self._deadline or not (named or self.main):
                raise Failed("protocol", f"there is no main process{f' in {named}' if named else ''}")
            if not self.main:
                yield time.monotonic() + LOOK_SECONDS
        self._watches_main = True

    def _own_child(self) -> int:
        mine = set(self.processes())
        return next((one.pid for one in descendants() if one.pid in mine and one.parent == os.getpid()), 0)

    def _start_deadline(self) -> float:
        default = float("inf") if self.file.kind() == "oneshot" else START_SECONDS
        return time.monotonic() + (
            self.file.seconds(("TimeoutStartSec", "TimeoutSec"), default) or float("inf")
        )

    def _count_start(self) -> None:
        interval = self.file.seconds(("StartLimitIntervalSec", "StartLimitInterval"), LIMIT_SECONDS)
        burst = int(span_seconds(self.file.last("StartLimitBurst"), LIMIT_STARTS))
        now = time.monotonic()
        self._starts = [moment for moment in self._starts if now - moment < interval]
        if interval and burst and len(self._starts) >= burst:
            raise Failed("start-limit-hit", f"started {burst} times within {interval:g} s, and not again")
        self._starts.append(now)

    # Ending ---------------------------------------------------------------------------------------

    def _stop(self) -> Steps:
        was, self._watches_main = self.active, False
        self.active, self.sub = "deactivating", "stop"
        deadline = self._stop_deadline()
        self.result = "success"
        if was in ("active", "reloading"):
            with contextlib.suppress(Failed):
                yield from self._run("ExecStop", deadline)
        was_running = bool(self.main)
        yield from self._kill(deadline)
        if was_running and not self.main and self.result == "success":
            self.result = self.file.result_of(self.main_code)
        yield from self._clean()
        self.active, self.sub = ("inactive" if self.result == "success" else "failed"), "dead"

    def _end(self) -> Steps:
        """End what is left after a failure or the end of the main process; start again if it says so."""
        self._watches_main = False
        result = self.result
        self.active, self.sub = "deactivating", "stop-sigterm"
        yield from self._kill(self._stop_deadline())
        yield from self._clean()
        self.result = result
        self.active, self.sub = ("inactive", "dead") if result == "success" else ("failed", "failed")
        self._answer("" if result == "success" else result)
        self.kind_of_job = "end"
        if self.result in RESTARTS.get(self.file.last("Restart", "no"), ()):
            self.active, self.sub = "activating", "auto-restart"
            at = time.monotonic() + self.file.seconds(("RestartSec",), RESTART_SECONDS)
            while time.monotonic() < at:
                yield at
            self.restarts += 1
            say(f"{self.file.name}: starting it again ({self.restarts})")
            yield from self._started()

    def _kill(self, deadline: float) -> Steps:
        how = self.file.last("KillMode", "control-group")
        number = signal_number(self.file.last("KillSignal", "SIGTERM"))

        def left() -> list[int]:
            own = [pid for pid in (self.main, self.control) if pid]
            return self.processes() if how == "control-group" else own

        if how == "none":
            return
        told: set[int] = set()
        while (there := left()) and time.monotonic() < deadline:
            for pid in set(there) - told:  # one that was just being started hears it in the next round
                send(pid, number)
                send(pid, signal.SIGCONT)
            told.update(there)
            yield min(deadline, time.monotonic() + LOOK_SECONDS)
        if left():
            self.result, self.says = "timeout", "it did not end in time"
        if left() and not self.file.yes("SendSIGKILL", True):
            return
        patience = time.monotonic() + KILLED_SECONDS
        while (doomed := left() if how == "process" else self.processes()) and time.monotonic() < patience:
            for pid in doomed:
                send(pid, signal.SIGKILL)
            yield time.monotonic() + LOOK_SECONDS

    def _clean(self) -> Steps:
        with contextlib.suppress(Failed):
            yield from self._run("ExecStopPost", self._stop_deadline())
        self.main = self.control = 0
        if self._readiness:
            self._readiness.close()
            self._readiness = None
        self._surroundings.remove_directories(self.file)

    def _stop_deadline(self) -> float:
        return time.monotonic() + (
            self.file.seconds(("TimeoutStopSec", "TimeoutSec"), STOP_SECONDS) or float("inf")
        )

    def _note(self, failure: Failed) -> None:
        self.result, self.says = failure.result, str(failure)
        say(f"{self.file.name}: {failure}")

    # Processes ------------------------------------------------------------------------------------

    def _run(self, key: str, deadline: float) -> Steps:
        """Run the commands of a key one after the other. Raises Failed."""
        for command in self.file.commands(key):
            says = f"{key}={' '.join(command.words)}"
            try:
                pid = self.control = self._spawn(command)
            except Failed:
                if command.may_fail:
                    continue
                raise
            while pid not in self._codes:
                if time.monotonic() >= deadline:
                    raise Failed("timeout", f"{says} has not ended in time")
                yield deadline
            code = self._codes.pop(pid)
            if self.file.result_of(code) != "success" and not command.may_fail:
                raise Failed(self.file.result_of(code), f"{says} {how_it_ended(code)}")

    def _spawn(self, command: Command) -> int:
        own = {"INVOCATION_ID": self.invocation}
        if self.main:
            own["MAINPID"] = str(self.main)
        if self._readiness:
            own["NOTIFY_SOCKET"] = f"@{self._readiness.name}"
        pid = self._surroundings.spawn(self.file, command, own)
        self._sessions.add(pid)
        return pid
