"""The part of the data program that changes a machine: files, units, what was before, and the layout.

The data program makes one machine what a layout says it is. A layout is the one thing that is written to
decide it: all else is made from it again at every start, so that a program killed at any instant leaves
nothing that the next one does not put right. It runs by any Python from 3.6 on.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from nospof.adapters.machine.hold_databases import SAID_CHARACTERS, Refused
from nospof.adapters.machine.probe_machine import Machine

# The sender cuts here: what stands above is in the parts before, but for the imports.

LAYOUT = "etc/nospof/layout.json"
UNDO = "etc/nospof/undo.json"
PROGRAM = "usr/local/lib/nospof/data.py"
LOCK = "run/nospof/data.lock"
UNIT_DIRECTORY = "etc/systemd/system/"
LOCK_WAIT_SECONDS = 120.0
COMMAND_SECONDS = 30.0
START_SECONDS = 300.0
"""A server that was killed may have to read much of its log again."""
FAILPOINT = "NOSPOF_DATA_FAILPOINT"


class Host(Machine):
    """The machine that this program runs in, and changes.

    Args:
        source: the text of this program.
    """

    def __init__(self, source: str) -> None:
        root = os.environ.get("NOSPOF_DISK", "")
        mark = "NOSPOF_MACHINE={}".format(os.environ.get("NOSPOF_MACHINE", "")).encode() if root else b""
        super().__init__(root or "/", "/proc", mark)
        self.source = source
        self.did: list[str] = []

    # The layout and the seats ------------------------------------------------------------------------

    def layout(self) -> "dict[str, Any] | None":
        """Return the layout that was applied last; None where there was none. Raises Refused."""
        return self._document(LAYOUT)

    def keep_layout(self, layout: "dict[str, Any]") -> None:
        """Be, from now on, what a layout says."""
        self.write(LAYOUT, json.dumps(layout, sort_keys=True, indent=1) + "\n")

    def undo(self) -> "dict[str, Any]":
        """Return what was before, by the names that it was kept by. Raises Refused."""
        return self._document(UNDO) or {}

    def keep(self, **was: Any) -> None:
        """Keep how something was, the first time it is said: later it is our own doing."""
        self.write(UNDO, json.dumps({**was, **self.undo()}, sort_keys=True, indent=1) + "\n", 0o600)

    def _document(self, name: str) -> "dict[str, Any] | None":
        try:
            with open(self.path(name), encoding="utf-8") as file:
                found = json.load(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise Refused(f"/{name} cannot be read: {error}")  # noqa: B904 - the cause says no more
        if not isinstance(found, dict):
            raise Refused(f"/{name} is not what it should be")
        return found

    def is_mine(self, address: str) -> bool:
        """Whether an address is this machine's own. Nothing is sent."""
        own = os.environ.get("NOSPOF_ADDRESS") if self.mark else ""
        if own:
            return own == address  # machines that are directories share all addresses of one computer
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as one:
            try:
                one.connect((address, 9))
            except OSError:
                return False
            return bool(one.getsockname()[0] == address)

    def member(self, layout: "dict[str, Any]") -> "dict[str, Any] | None":
        """Return the seat of this machine among those who keep the data; None where it has none."""
        return next((one for one in layout["members"] if self.is_mine(one["address"])), None)

    def is_arbitrator(self, layout: "dict[str, Any]") -> bool:
        """Whether this machine votes and keeps nothing."""
        return bool(layout.get("arbitrator")) and self.is_mine(layout["arbitrator"]["address"])

    # Files --------------------------------------------------------------------------------------------

    def place(self, name: str) -> str:
        """Return how a unit or a configuration names a file of the machine: its root is where they start."""
        return name if self.mark else "/" + name

    def write(self, name: str, text: str, mode: int = 0o644, owner: str = "") -> bool:
        """Write a file: the old one or the new one is there, whenever power goes. Return whether it changed.

        Args:
            owner: a path whose owner it gets; its directory's own where none is given.
        """
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            if file.read() == text and os.stat(path).st_mode & 0o777 == mode:
                return False
        partial = path + ".partial"
        with contextlib.suppress(OSError):
            os.unlink(partial)
        handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, mode)
            if owner and os.geteuid() == 0:
                whose = os.stat(owner)
                os.fchown(handle, whose.st_uid, whose.st_gid)
            file.write(text)
            file.flush()
            os.fsync(handle)
        os.rename(partial, path)
        settle(os.path.dirname(path))
        return True

    def remove(self, name: str) -> bool:
        """Remove a file; return whether there was one."""
        path = self.path(name)
        try:
            os.unlink(path)
        except FileNotFoundError:
            return False
        settle(os.path.dirname(path))
        return True

    def install(self) -> None:
        """Have this program on the machine: its units start it."""
        self.write(PROGRAM, self.source, 0o755)

    def program(self, *words: str) -> str:
        """Return how a unit starts this program."""
        return " ".join([sys.executable or "/usr/bin/python3", "-I", "-S", self.place(PROGRAM), *words])

    def command(self, name: str) -> str:
        """Return how a unit names a program: whole, but where copies differ in that. Raises Refused."""
        path = found_program(name)
        if not path:
            raise Refused(f"{name} is not on the machine")
        return name if self.mark else path

    # Units --------------------------------------------------------------------------------------------

    def unit(self, name: str, text: str) -> bool:
        """Write a unit, or a drop-in as `x.service.d/nospof.conf`; return whether it changed."""
        changed = self.write(UNIT_DIRECTORY + name, text)
        if changed:
            self.systemctl("daemon-reload")
        return changed

    def forget_unit(self, name: str) -> bool:
        """Stop and remove a unit of ours, or remove a drop-in; return whether there was one."""
        is_there = os.path.exists(self.path(UNIT_DIRECTORY + name))
        if is_there and name.endswith(".service"):
            self.systemctl("disable", "--now", name, seconds=START_SECONDS)
        if self.remove(UNIT_DIRECTORY + name):
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(self.path(UNIT_DIRECTORY + name)))
            self.systemctl("daemon-reload")
        return is_there

    def systemctl(self, *words: str, seconds: float = COMMAND_SECONDS) -> str:
        """Have systemd do something; return what it says. Raises Refused: it did not."""
        code, said = self.run(["systemctl", *words], seconds)
        if code:
            raise Refused("systemctl {}: {}".format(" ".join(words), said or f"ended with {code}"))
        return said

    def is_active(self, unit: str) -> bool:
        """Whether a unit runs."""
        return self.run(["systemctl", "is-active", unit])[0] == 0

    def run(
        self, command: "list[str]", seconds: float = COMMAND_SECONDS, **options: Any
    ) -> "tuple[int, str]":
        """Run a program in the machine's root; return its code and the end of what it said.

        Raises:
            Refused: it is not there, or took too long.
        """
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                cwd=self.root,
                check=False,
                **options,
            )
        except FileNotFoundError:
            raise Refused(f"there is no {command[0]} on the machine")  # noqa: B904
        except subprocess.TimeoutExpired:
            raise Refused(f"{os.path.basename(command[0])} took longer than {seconds:.0f} s")  # noqa: B904
        text = done.stdout.decode("utf-8", "replace")
        return done.returncode, " ".join(text.split())[-SAID_CHARACTERS:]

    # Acts ---------------------------------------------------------------------------------------------

    def done(self, sentence: str) -> None:
        """Note what was done, for whoever asked; with it done, the program may be killed by a test."""
        self.did.append(sentence)
        self.reached(sentence)

    def reached(self, where: str) -> None:
        """End here as if killed, where a test wants it so."""
        wanted = os.environ.get(FAILPOINT, "")
        if wanted and wanted in where:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextlib.contextmanager
    def alone(self) -> "Iterator[None]":
        """Be the only one who changes the machine. Raises Refused: somebody else does for too long."""
        os.makedirs(os.path.dirname(self.path(LOCK)), exist_ok=True)
        claim = os.open(self.path(LOCK), os.O_CREAT | os.O_RDWR, 0o600)
        ends = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > ends:
                    os.close(claim)
                    raise Refused("another change of this machine's data is under way")  # noqa: B904
                time.sleep(0.1)
        try:
            yield
        finally:
            os.close(claim)


def settle(directory: str) -> None:
    """Have the kernel keep which names are in a directory."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def found_program(*names: str) -> str:
    """Return where the first of some programs is; empty where none is."""
    more = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
    return next((path for path in (shutil.which(one, path=more) for one in names) if path), "")


class Database:
    """What one engine can do here; each engine's file has one of its own.

    Args:
        m: the machine.
    """

    engine = ""
    """As a layout calls it."""

    def __init__(self, m: Host) -> None:
        self.m = m

    def is_here(self) -> bool:
        """Whether a server of this engine is on the machine, on or off."""
        raise NotImplementedError

    def examine(self) -> "dict[str, Any]":
        """Return engine, version, directory, bytes, port, socket, obstacles and problem; change nothing."""
        raise NotImplementedError

    def state(self, layout: "dict[str, Any]") -> "dict[str, Any]":
        """Return role, ready, says, votes, position, lag_bytes, writer; change nothing."""
        raise NotImplementedError

    def apply(self, layout: "dict[str, Any]") -> None:
        """Make the machine what a layout says, whatever it was; what is done goes to `m.done`.

        `m.layout()` is still the one before: it is this that says when the new one holds (`m.keep_layout`).
        """
        raise NotImplementedError

    def mend(self, undo: bool) -> None:
        """Take away the obstacles that can be, or bring back what was."""
        raise NotImplementedError

    def handover(self, layout: "dict[str, Any]") -> None:
        """Have writes leave this member."""
        raise NotImplementedError

    def failover(self, _layout: "dict[str, Any]", _gone: str, _is_off: bool) -> None:
        """Have nobody wait for a member that is known to be gone; some engines wait for nobody anyway."""

    def position(self, _layout: "dict[str, Any]") -> str:
        """Return how far the data of a member that is down is."""
        raise NotImplementedError

    def bootstrap(self, layout: "dict[str, Any]") -> None:
        """Begin as the first."""
        raise NotImplementedError

    def check(self, wanted: "list[str]") -> "dict[str, Any]":
        """Return tables and position: all in one snapshot, or the wanted ones again and again."""
        raise NotImplementedError

    def boot(self, unit: str) -> None:
        """Do what comes before a unit's start: own configuration. Raises Refused: it may not start."""
        raise NotImplementedError

    def serve(self) -> None:
        """Answer the doors' checks until the end, where the engine does not by itself."""
        raise NotImplementedError
