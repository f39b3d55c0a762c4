"""The second part of the script that holds writes: databases, each asked in its own words to stand still.

It runs alone, after the first half of the script that looks inside, by any Python from 3.6 on.
"""

import contextlib
import os
import pwd
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from nospof.adapters.machine.probe_machine import Machine, disk_of

# The sender cuts here: what stands above is in the parts before.

LOCK_SECONDS = 5.0
"""Whoever waits for the lock makes everybody else wait behind it."""
CHECKPOINT_SECONDS = 20.0
SAID_CHARACTERS = 200
SLOW = (
    "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND IN ('Query', 'Execute') "
    "AND TIME >= 5 AND USER <> 'system user' AND ID <> CONNECTION_ID()"
)
PLACES = (
    "SELECT @@datadir UNION SELECT @@innodb_data_home_dir UNION SELECT @@innodb_log_group_home_dir "
    "UNION SELECT @@innodb_undo_directory"
)
MYSQL = {"mysqld": "MySQL", "mariadbd": "MariaDB"}


class Refused(Exception):
    """Something cannot be held, and why."""


def mount_table(m: Machine) -> "list[list[str]]":
    """Return device, place, kind and options of what is mounted, in the order it was."""
    rows = [line.split()[:4] for line in m.read("/proc/mounts").splitlines()]
    return [[one.replace("\\040", " ") for one in row] for row in rows if len(row) == 4]


def device_of(m: Machine, path: str) -> str:
    """Return what is mounted where a path is."""
    found = ""
    longest = 0
    for device, point, _kind, _options in mount_table(m):
        inside = point.rstrip("/") + "/"
        if (path.rstrip("/") + "/").startswith(inside) and len(inside) >= longest:
            found, longest = device, len(inside)
    return found


def refuse_several_moments(m: Machine, called: str, parts: "list[str]", frozen: "set[str]") -> None:
    """Refuse an engine whose files go on changing on several volumes: their snapshots differ in time."""
    on = {device_of(m, os.path.realpath(one)) for one in parts if os.path.exists(one)}
    moving = on - frozen
    if moving and (len(on) > 1 or any(volume_count(m, one) > 1 for one in moving)):
        raise Refused(called + ": its files are on several disks that cannot all be frozen")


def volume_count(m: Machine, device: str) -> int:
    """Return of how many disks a device is made."""
    parts = m.names("/sys/block/" + disk_of(m, device) + "/slaves")
    return sum(volume_count(m, "/dev/" + one) for one in parts) or 1


class Session:
    """A session of the server's own client; what it locks is free once it ends, however it ends.

    Args:
        command: how to start the client.
        called: the server, for people.
        ends: when nothing may be held any more, by time.monotonic().
    """

    def __init__(self, command: "list[str]", called: str, ends: float) -> None:
        self.called, self.ends = called, ends
        self.client = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def ask(self, statement: str, within_seconds: float = LOCK_SECONDS) -> "list[str]":
        """Return the lines that a statement gives. Raises Refused: an error, no answer, no session."""
        stdin, stdout = self.client.stdin, self.client.stdout
        assert stdin is not None and stdout is not None  # noqa: PT018, S101 - for the types
        ends, said, end = min(self.ends, time.monotonic() + within_seconds), b"", b"nospof-answered\n"
        with contextlib.suppress(OSError):
            stdin.write((statement + "; SELECT 'nospof-answered';\n").encode())
            stdin.flush()
        while not said.endswith(end):
            if not select.select([stdout], [], [], max(0.0, ends - time.monotonic()))[0]:
                raise Refused(self.called + " does not answer")
            some = os.read(stdout.fileno(), 65536)
            if not some:
                why = " ".join(said.decode("utf-8", "replace").rpartition("ERROR")[2].split())
                raise Refused("{}: {}".format(self.called, why[:SAID_CHARACTERS] or "the session is gone"))
            said += some
        return said[: -len(end)].decode("utf-8", "replace").splitlines()

    def close(self) -> None:
        """End the session."""
        self.client.kill()
        self.client.wait()
        for pipe in (self.client.stdin, self.client.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def socket_of(process: Any) -> str:
    """Return the local socket that a server listens on."""
    at, inodes = process["at"], set()
    with contextlib.suppress(OSError):
        for handle in os.listdir(at + "/fd"):
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(at + "/fd/" + handle))
    with contextlib.suppress(OSError):
        for line in Path(at + "/net/unix").read_text(errors="replace").splitlines()[1:]:
            words = line.split(None, 7)
            if len(words) == 8 and f"socket:[{words[6]}]" in inodes and words[3] == "00010000":
                # A long name is no name of a socket; this one is short wherever the server's place is.
                return words[7] if words[7].startswith("/") else at + "/cwd/" + words[7]
    return ""


def lock_mysql(m: Machine, process: Any, frozen: "set[str]", ends: float, idle_seconds: int) -> Session:
    """Lock all tables of a server, flushed and closed, for as long as the session lasts.

    Args:
        frozen: the devices that will be frozen.
        ends: when it may not last any more, by time.monotonic().
        idle_seconds: after which the server ends the session, whatever became of this process.
    """
    called, socket = MYSQL[str(process["name"])], socket_of(process)
    client = shutil.which("mariadb") or shutil.which("mysql")
    if not client or not os.path.exists(socket):
        raise Refused("{} has no {}".format(called, "local socket" if client else "client here"))
    debian = m.path("/etc/mysql/debian.cnf")
    options = [[], ["--defaults-file=" + debian]] if os.path.isfile(debian) else [[]]
    why = Refused(called)
    for one in options:
        command = [client, *one, "--socket=" + socket, "--batch", "--skip-column-names", "--unbuffered"]
        session = Session([*command, "--skip-reconnect", "--connect-timeout=5"], called, ends)
        try:
            session.ask("SELECT 1")
        except Refused as error:
            session.close()
            why = error
            continue
        try:
            places = session.ask(PLACES)
            parts = [os.path.join(places[0], one) for one in places]
            refuse_several_moments(m, called, parts, frozen)
            lock(session, idle_seconds)
        except Refused:
            session.close()
            raise
        return session
    raise why


def lock(session: Session, idle_seconds: int) -> None:
    """Take the lock unless it would have to wait: everybody's writes would wait behind it.

    All tables are closed then, none of them in the middle of a statement. What InnoDB does by itself goes on;
    from its log, which is flushed here, it comes to what was committed.
    """
    session.ask(f"SET SESSION lock_wait_timeout={LOCK_SECONDS:.0f}, SESSION wait_timeout={idle_seconds}")
    slow = session.ask(SLOW)
    if slow != ["0"]:
        raise Refused(f"{session.called}: a statement runs that a lock would have to wait for")
    session.ask("FLUSH TABLES WITH READ LOCK", LOCK_SECONDS + 1)
    session.ask("FLUSH ENGINE LOGS")


def checkpoint(m: Machine, process: Any, frozen: "set[str]") -> bool:
    """Have PostgreSQL write all it has; False for a process that is not the first of its server.

    It recovers by itself from a copy that is of one moment: one file system, or several that are frozen.
    """
    directory = os.readlink(process["at"] + "/cwd")
    lines = Path(directory + "/postmaster.pid").read_text(errors="replace").splitlines()
    if lines[0].strip() != str(process["pid"]):
        return False
    parts = [directory, *(directory + "/" + one for one in ("pg_wal", "pg_xlog"))]
    parts += [directory + "/pg_tblspc/" + one for one in os.listdir(directory + "/pg_tblspc")]
    refuse_several_moments(m, "PostgreSQL", parts, frozen)
    owner = pwd.getpwuid(os.stat(directory).st_uid)
    client = shutil.which("psql")
    if not client:
        raise Refused("PostgreSQL has no client here")
    command = [client, "-X", "-q", "-w", "-U", owner.pw_name, "-d", "postgres", "-p", lines[3].strip()]

    def become() -> None:
        if os.geteuid() == 0:
            os.initgroups(owner.pw_name, owner.pw_gid)
            os.setgid(owner.pw_gid)
            os.setuid(owner.pw_uid)

    done = finished(
        [*command, "-h", lines[4].strip(), "-c", "CHECKPOINT"], CHECKPOINT_SECONDS, cwd="/", preexec_fn=become
    )
    if done:
        raise Refused("PostgreSQL: " + done)
    return True


def finished(command: "list[str]", within_seconds: float, **options: Any) -> str:
    """Run a program; return what went wrong, or nothing."""
    program = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )
    try:
        said = program.communicate(timeout=max(0.0, within_seconds))[0]
    except subprocess.TimeoutExpired:
        program.kill()  # not waited for: what the kernel holds on to is not gone by that
        return os.path.basename(command[0]) + " took too long"
    text = " ".join(said.decode("utf-8", "replace").split())[-SAID_CHARACTERS:]
    return (text or f"ended with {program.returncode}") if program.returncode else ""
