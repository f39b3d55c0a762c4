"""The script that holds writes in a machine while its snapshots begin, and lets go whatever happens.

`hold ID SECONDS` leaves a process behind that holds, and answers once it does; `release ID` ends that and
tells whether it had lasted until then. Nothing lasts longer than SECONDS, and three things see to it: the
process itself, a shell beside it for each frozen file system, and the server's own limit of its session.

Only file systems that hold nothing but data are frozen: whoever has to thaw them runs on the others.
It runs alone, after the first half of the script that looks inside, by any Python from 3.6 on.
"""

import base64
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

from nospof.adapters.machine.hold_databases import (
    MYSQL,
    Refused,
    Session,
    checkpoint,
    device_of,
    finished,
    lock_mysql,
    mount_table,
)
from nospof.adapters.machine.probe_machine import Machine

# The sender cuts here: what stands above is in the first half.

SCHEMA = "nospof.hold/1"
FLUSH_SECONDS = 20.0
LEFT_SECONDS = 2
"""What the server's limit and the shell's leave to the process itself."""
ANSWER_SECONDS = 20.0
POLL_SECONDS = 0.05
FREEZABLE = ("ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "reiserfs")
SYSTEM = (
    "/",
    "/boot",
    "/etc",
    "/home",
    "/opt",
    "/root",
    "/run",
    "/snap",
    "/tmp",  # noqa: S108 - where it is mounted from is asked, nothing is put there
    "/usr",
    "/var",
    "/var/lib",
    "/var/lib/amazon",
    "/var/log",
    "/var/snap",
    "/var/tmp",  # noqa: S108
)
"""What the machine itself and the agent that reaches it write to."""
UNKNOWN = {
    "redis-server": "Redis",
    "valkey-server": "Valkey",
    "mongod": "MongoDB",
    "etcd": "etcd",
    "beam.smp": "RabbitMQ",
}
THAW = (
    "trap '' HUP INT TERM; sleep \"$1\"; n=0; "
    'until "$2" -u "$3"; do n=$((n+1)); [ $n -gt 300 ] && exit 1; sleep 0.2; done'
)


# File systems ----------------------------------------------------------------------------------------


def data_mounts(m: Machine) -> "dict[str, str]":
    """Return what can be frozen, by device: file systems with nothing on them that the machine needs."""
    needed = {device_of(m, one) for one in SYSTEM}
    found: dict[str, str] = {}
    for device, point, kind, options in mount_table(m):
        is_disk = device.startswith("/dev/") and not device.startswith("/dev/loop")
        if is_disk and kind in FREEZABLE and "ro" not in options.split(",") and device not in needed:
            found.setdefault(device, point)
    return found


def freezer(m: Machine) -> str:
    """Return the program that freezes: of a machine that is a directory its own, and no other."""
    found = shutil.which("fsfreeze") or ""
    own = os.path.realpath(os.environ.get("NOSPOF_MACHINE") or "/")
    if not found or (m.mark and not os.path.realpath(found).startswith(own + "/")):
        raise Refused("there is no fsfreeze")
    return found


class Frozen:
    """A file system that is being frozen; a shell of its own thaws it should this process be killed."""

    def __init__(self, program: str, point: str, seconds: int) -> None:
        self.program, self.point = program, point
        nothing = subprocess.DEVNULL
        self.guard = subprocess.Popen(
            ["/bin/sh", "-c", THAW, "sh", str(seconds), program, point],
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )
        self.freezing = subprocess.Popen(
            [program, "-f", point], stdin=nothing, stdout=nothing, stderr=nothing
        )

    def wait(self, within_seconds: float) -> None:
        """Return once it is frozen. Raises Refused: it is not, or not in time."""
        try:
            code = self.freezing.wait(timeout=max(0.0, within_seconds))
        except subprocess.TimeoutExpired:
            raise Refused(self.point + " was not frozen in time")  # noqa: B904 - the cause says no more
        if code:
            raise Refused(self.point + " cannot be frozen")

    def thaw(self) -> bool:
        """Thaw it; return whether it was frozen until now."""
        was_refused = self.freezing.wait() != 0  # the kernel ends it; a kill does not
        was_frozen = not was_refused and subprocess.call([self.program, "-u", self.point]) == 0
        if was_refused or was_frozen:
            with contextlib.suppress(OSError):
                os.killpg(self.guard.pid, signal.SIGKILL)
            self.guard.wait()
        return was_frozen


# The hold --------------------------------------------------------------------------------------------


class Hold:
    """All that is held in a machine."""

    def __init__(self, m: Machine, seconds: int) -> None:
        self.m, self.seconds = m, seconds
        self.began = self.ends = 0.0
        self.what: list[str] = []
        self.sessions: list[Session] = []
        self.frozen: list[Frozen] = []

    def begin(self) -> None:
        """Hold all there is to hold. Raises Refused: something cannot be."""
        unknown = sorted({UNKNOWN[str(one["name"])] for one in self.m.processes if one["name"] in UNKNOWN})
        if unknown:
            raise Refused(" and ".join(unknown) + " cannot be held")
        mounts = data_mounts(self.m)
        program = freezer(self.m) if mounts else ""
        self.flush(FLUSH_SECONDS)  # most of it while everybody may still write
        for process in (one for one in self.m.processes if one["name"] == "postgres"):
            if self.asked(process, set(mounts)):
                self.what.append("PostgreSQL (by a checkpoint)")
        self.began = time.monotonic()
        self.ends, idle = self.began + self.seconds, self.seconds + LEFT_SECONDS
        for process in (one for one in self.m.processes if one["name"] in MYSQL):
            self.sessions.append(lock_mysql(self.m, process, set(mounts), self.ends, idle))
            self.what.append(self.sessions[-1].called)
        self.flush(self.left())
        for point in reversed(list(mounts.values())):
            self.frozen.append(Frozen(program, point, self.seconds + LEFT_SECONDS))
            self.frozen[-1].wait(self.left())
            self.what.append(point)
        if not self.what:
            raise Refused(
                "there is nothing to hold: no database that is known, and no file system but those of the "
                "machine itself"
            )
        if not self.left():
            raise Refused(f"it took longer than {self.seconds} s")

    def asked(self, process: Any, frozen: "set[str]") -> bool:
        """Ask one PostgreSQL for a checkpoint; False where the process is not its first."""
        try:
            return checkpoint(self.m, process, frozen)
        except (OSError, IndexError, KeyError) as error:
            raise Refused("PostgreSQL: " + type(error).__name__)  # noqa: B904 - the cause says no more

    def flush(self, within_seconds: float) -> None:
        """Have the kernel write what it has."""
        if finished(["sync"], within_seconds):
            raise Refused("the disks take too long to write what is waiting")

    def left(self) -> float:
        """Return the seconds until all of it ends."""
        return max(0.0, self.ends - time.monotonic())

    def end(self) -> str:
        """Let go of everything; return why it had not lasted until now, or nothing."""
        is_late = not self.left()
        thawed = [(one.point, one.thaw()) for one in reversed(self.frozen)]
        why = [f"{point} was thawed by somebody" for point, was_frozen in thawed if not was_frozen]
        why += [f"the {self.seconds} s were over"] if is_late else []
        for session in reversed(self.sessions):
            try:
                why += [] if is_late else session.ask("DO 1")
            except Refused as error:
                why.append(str(error))
            session.close()
        return "; ".join(why)


# The process and its answers -------------------------------------------------------------------------


def place() -> str:
    """Return where a machine keeps what is gone when it is off."""
    return (os.environ["NOSPOF_MACHINE"] if os.environ.get("NOSPOF_DISK") else "") + "/run"


def guarded(hold_id: str, seconds: int, answers: int) -> None:
    """Hold, answer, and let go when told to, when the time is over or when asked to end."""
    told, claim = place() + "/nospof-hold-" + hold_id, claimed()
    if claim is None:
        os.write(answers, packed({"problem": "writes are held for somebody else"}).encode())
        return
    os.mkdir(told, 0o700)
    asked_to_end: list[int] = []
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, _frame: asked_to_end.append(which))
    hold = Hold(this_machine(), seconds)
    problem = problem_of(hold)
    if not problem:
        os.write(answers, packed({"what": hold.what, "problem": ""}).encode())
        os.close(answers)
        while hold.left() and not asked_to_end and not os.path.exists(told + "/release"):
            time.sleep(POLL_SECONDS)
    lost = hold.end() or ("its process was asked to end" if asked_to_end else "")
    if problem:
        os.write(answers, packed({"problem": problem}).encode())
    lasted = round(time.monotonic() - hold.began, 3) if hold.began else 0.0
    with open(told + "/ended.partial", "w") as file:
        file.write(packed({"what": hold.what, "seconds": lasted, "problem": problem or lost}))
    os.rename(told + "/ended.partial", told + "/ended")


def claimed() -> "int | None":
    """Be the one process that holds in this machine, for as long as it lives; None where there is another."""
    claim = os.open(place() + "/nospof-hold.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(claim)
        return None
    for one in os.listdir(place()):
        if one.startswith("nospof-hold-"):
            shutil.rmtree(place() + "/" + one, ignore_errors=True)
    return claim


def this_machine() -> Machine:
    """Return the machine this runs on; one that is a directory says so in its environment."""
    root = os.environ.get("NOSPOF_DISK", "")
    mark = "NOSPOF_MACHINE={}".format(os.environ.get("NOSPOF_MACHINE", "")).encode() if root else b""
    return Machine(root or "/", "/proc", mark)


def problem_of(hold: Hold) -> str:
    """Begin to hold; return what is in the way of it, or nothing."""
    try:
        hold.begin()
    except Refused as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a machine may hold anything, and nothing may stay held
        return type(error).__name__
    return ""


def begin(hold_id: str, seconds: int) -> str:
    """Leave a process behind that holds; return its answer."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        said = b""
        while True:
            some = os.read(reading, 65536)
            if not some:
                break
            said += some
        return said.decode() or packed({"problem": "the process that was to hold ended"})
    os.close(reading)
    os.setsid()
    if os.fork():
        os._exit(0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(nothing, handle)
    os.chdir("/")
    try:
        guarded(hold_id, seconds, writing)
    finally:
        os._exit(0)


def release(hold_id: str) -> str:
    """Have a hold end; return what came of it."""
    told = place() + "/nospof-hold-" + hold_id
    if not os.path.isdir(told):
        return packed({"problem": "there is no such hold any more"})
    Path(told + "/release").touch()
    ends = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < ends and not os.path.exists(told + "/ended"):
        time.sleep(POLL_SECONDS)
    if not os.path.exists(told + "/ended"):
        return packed({"problem": "the process that held did not tell its end"})
    answer = Path(told + "/ended").read_text()
    shutil.rmtree(told, ignore_errors=True)
    return answer


def packed(answer: "dict[str, Any]") -> str:
    """Return an answer in one line."""
    text = json.dumps({"schema": SCHEMA, **answer}, sort_keys=True)
    return SCHEMA + " " + base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def main() -> None:
    """Do what the command line says."""
    how, hold_id = sys.argv[1], sys.argv[2]
    if not re.match(r"[0-9a-f]{8,64}$", hold_id):
        raise SystemExit("no such id")
    sys.stdout.write((begin(hold_id, int(sys.argv[3])) if how == "hold" else release(hold_id)) + "\n")


if __name__ == "__main__":
    main()
