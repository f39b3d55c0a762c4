"""The last part of the run program: it has a machine do an owner's command, once, whoever dies meanwhile.

`ACT BASE64-OF-JSON` answers in one line, as the data program does; `supervise TOKEN SECONDS` runs beside the
command until it ends. What there is of a command is in a directory by its token:

    command   what the shell is given          lock      held as long as somebody watches the command
    run.py    this program                     started   in which boot; there once it may have begun
    output    what it said                     ended     its exit code

`started` is made by one process and never twice, so a command is never begun a second time. It runs by any
Python from 3.6 on.
"""

import contextlib
import fcntl
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import uuid
from typing import Any

from nospof.adapters.machine.data_answer import answer_acts, source_text
from nospof.adapters.machine.data_machine import Host, found_program
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

RUN_SCHEMA = "nospof.run/1"
RUNS = "var/lib/nospof/runs"
LOCAL_BOOT = "run/nospof/boot"
BEGIN_SECONDS = 20.0
POLL_SECONDS = 0.2
END_SECONDS = 10.0
SHUTDOWN_SECONDS = 2.0
OUTPUT_BYTES = 8 << 20
"""Of each of two files: what a command says must not fill the disk, and its end matters most."""
TAIL_BYTES = 65536
TAIL_LINES = 40
LINE_CHARACTERS = 300
TIMED_OUT = 124
"""As of timeout(1)."""


class Place:
    """The directory of one command.

    Args:
        m: the machine.
        token: whose command it is.

    Raises:
        Refused: it is no token.
    """

    def __init__(self, m: Host, token: str) -> None:
        if not re.match(r"[a-z0-9][a-z0-9.-]{0,99}\Z", token):
            raise Refused(f"{token!r} is no token")
        self.m, self.token, self.name = m, token, f"{RUNS}/{token}"

    def path(self, name: str) -> str:
        """Return where one of its files is."""
        return self.m.path(f"{self.name}/{name}")

    def document(self, name: str) -> "dict[str, Any] | None":
        """Return what was written down; None where nothing was. Raises Refused."""
        return self.m._document(f"{self.name}/{name}")

    def watch(self) -> "int | None":
        """Return the lock, held by us alone; None where somebody else holds it."""
        lock = os.open(self.path("lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        return lock

    def is_watched(self) -> bool:
        """Whether a process stands beside the command."""
        lock = self.watch()
        if lock is None:
            return True
        os.close(lock)
        return False

    def tail(self) -> "list[str]":
        """Return the last lines that the command said."""
        text = b""
        for name in ("output.before", "output"):
            with contextlib.suppress(OSError), open(self.path(name), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
                text += file.read(TAIL_BYTES)
        lines = text.decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
        return [" ".join(one.split())[:LINE_CHARACTERS] for one in lines]


def boot_of(m: Host) -> str:
    """Return an id that is another one after each boot."""
    if not m.mark:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    # Machines that are directories share one kernel; what is below /run is gone with a boot here too.
    path, own = m.path(LOCAL_BOOT), m.path(f"{LOCAL_BOOT}.{os.getpid()}")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(own, "w", encoding="ascii") as file:
        file.write(uuid.uuid4().hex)
    with contextlib.suppress(FileExistsError):
        os.link(own, path)
    os.unlink(own)
    with open(path, encoding="ascii") as file:
        return file.read()


def state(m: Host, asked: "dict[str, Any]") -> "dict[str, Any]":
    """Return how far a command is, and which boot this is. Changes nothing that stays."""
    place, boot = Place(m, asked["token"]), boot_of(m)
    found: dict[str, Any] = {"boot": boot, "state": "none", "exit_code": 0, "says": "", "lines": []}
    started = place.document("started")
    if started is None:
        return found
    # Whether somebody watches is asked first: its end is written down before the watch ends.
    is_watched, ended = place.is_watched(), place.document("ended")
    found["lines"] = place.tail()
    if ended is not None:
        found.update(state="ended", exit_code=ended["exit_code"], says=ended["says"])
    elif is_watched:
        found["state"] = "running"
    else:
        found["state"] = "cut off"
        found["says"] = (
            "by a reboot" if started["boot"] != boot else "by whoever killed it and the process beside it"
        )
    return found


def begin(m: Host, asked: "dict[str, Any]") -> None:
    """Begin a command, if it never was begun; return once it is. Raises Refused: it cannot be begun."""
    place = Place(m, asked["token"])
    if place.document("started") is not None:
        return
    m.write(f"{place.name}/command", asked["command"] + "\n", 0o700)
    m.write(f"{place.name}/run.py", m.source, 0o700)
    start(m, place, int(asked["seconds"]))
    ends = time.monotonic() + BEGIN_SECONDS
    while place.document("started") is None:
        if time.monotonic() > ends:
            raise Refused(f"the command did not begin within {BEGIN_SECONDS:.0f} s; look at /{place.name}")
        time.sleep(POLL_SECONDS)
    m.done(f"began {place.token}")


def start(m: Host, place: Place, seconds: int) -> None:
    """Start what stands beside the command, so that it outlives this program and the agent."""
    words = [sys.executable or "/usr/bin/python3", "-I", "-S", place.path("run.py")]
    words += ["supervise", place.token, str(seconds)]
    # A unit of its own: the agent's may be restarted by the very upgrade that is the command.
    if not m.mark and os.path.isdir("/run/systemd/system") and found_program("systemd-run"):
        code, said = m.run(["systemd-run", "--quiet", f"--unit=nospof-run-{place.token}", *words])
        if not code:
            return
        sys.stderr.write(f"systemd-run: {said}\n")
    with open(os.devnull, "r+b") as nothing:
        subprocess.Popen(
            words, cwd=m.root, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
        )


def supervise(m: Host, token: str, seconds: float) -> None:
    """Have the shell do the command, and write down how it ended."""
    place = Place(m, token)
    lock = place.watch()
    if lock is None or place.document("started") is not None:
        return  # somebody else began it
    m.write(f"{place.name}/started", json.dumps({"boot": boot_of(m), "at": time.time()}), 0o600)
    m.reached("started")
    with open(place.path("command"), encoding="utf-8") as file:
        command = file.read()
    paths = os.environ.get("PATH", "") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    child = subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=m.root,
        env={"HOME": "/root", **os.environ, "PATH": paths},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    says = listened(place, child, time.monotonic() + seconds)
    code = child.wait()
    if code < 0:
        # Of a machine that goes down this process is told as well, in a moment: then it was cut off.
        time.sleep(SHUTDOWN_SECONDS)
        says = says or f"it was killed by signal {-code}"
        code = 128 - code
    if says.startswith("took"):
        says, code = f"it took longer than {seconds:.0f} s and was killed", TIMED_OUT
    m.write(f"{place.name}/ended", json.dumps({"exit_code": code, "says": says}), 0o600)


def listened(place: Place, child: "subprocess.Popen[bytes]", ends: float) -> str:
    """Keep what a command says until it has ended; return why it was killed, or nothing."""
    assert child.stdout is not None  # noqa: S101 - it was asked for
    pipe, said, why = child.stdout.fileno(), Output(place), ""
    while True:
        has_ended = child.poll() is not None  # asked first: what it said last is read after it
        ready = select.select([pipe], [], [], 0 if has_ended else POLL_SECONDS)[0]
        some = os.read(pipe, 65536) if ready else b""
        if some:
            said.keep(some)
        elif has_ended:
            return why  # a daemon that it left behind may hold the pipe: nobody waits for that
        elif ready:
            time.sleep(POLL_SECONDS)  # it has closed its output and goes on
        if time.monotonic() > ends and not has_ended:
            kill_in_group(child, signal.SIGKILL if why else signal.SIGTERM)
            why, ends = "took too long", time.monotonic() + END_SECONDS


def kill_in_group(child: "subprocess.Popen[bytes]", number: int) -> None:
    """Send a signal to a command and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


class Output:
    """What a command said: the last of it, however much it is."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._handle = self._opened()

    def _opened(self) -> int:
        return os.open(self._place.path("output"), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def keep(self, some: bytes) -> None:
        """Add to it."""
        with contextlib.suppress(OSError):  # a full disk must not end the command
            os.write(self._handle, some)
            if os.fstat(self._handle).st_size > OUTPUT_BYTES:
                os.replace(self._place.path("output"), self._place.path("output.before"))
                os.close(self._handle)
                self._handle = self._opened()


def main() -> None:
    """Do what the command line says."""
    m = Host(source_text())
    if sys.argv[1] == "supervise":
        supervise(m, sys.argv[2], float(sys.argv[3]))
        return
    answer_acts(m, RUN_SCHEMA, {"state": state}, {"begin": begin})


if __name__ == "__main__":
    main()
