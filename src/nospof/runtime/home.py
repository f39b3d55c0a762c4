"""Where nospof keeps its state on this machine, and how it knows whether a run's process lives.

A run holds a lock on its own file for as long as its process lives. The kernel lets go of the lock
when the process dies, however it dies, so nobody has to guess from heartbeats.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from nospof.errors import PreconditionFailed, UsageError

ROOM_NEEDED_BYTES = 32 * 2**20
LOCK_SECONDS = 0.1
KEEPER = "keeper"
RUN_ID = re.compile(r"[a-z0-9-]{1,100}")
"""Ids also come from tags, which anybody may write."""


def home_directory() -> Path:
    """Return `$NOSPOF_HOME`, else `$XDG_STATE_HOME/nospof`, else `~/.local/state/nospof`."""
    own = os.environ.get("NOSPOF_HOME")
    if own:
        return Path(own).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser().absolute() / "nospof"


def prepare_home(home: Path) -> Path:
    """Make the directory and see that it can take a journal.

    Raises:
        PreconditionFailed: it cannot be written, or the disk has no room.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (home / "runs").mkdir(exist_ok=True, mode=0o700)
        probe = home / "runs" / f".write-test-{os.getpid()}"
        probe.write_bytes(b"x")
        probe.unlink()
        free = shutil.disk_usage(home).free
    except OSError as error:
        raise PreconditionFailed(
            f"the journal in {home} cannot be written ({error.strerror}); make room or name another place "
            "with NOSPOF_HOME. Nothing was changed."
        ) from error
    if free < ROOM_NEEDED_BYTES:
        raise PreconditionFailed(
            f"the disk of {home} has {free // 2**20} MiB left and the journal may need "
            f"{ROOM_NEEDED_BYTES // 2**20}; make room or name another place with NOSPOF_HOME. "
            "Nothing was changed."
        )
    return home


def lock_path(home: Path, run_id: str) -> Path:
    """Return the file whose lock says that the run's process lives."""
    return home / "runs" / f"{run_id}.lock"


@contextmanager
def alive(home: Path, run_id: str, patience_seconds: float = 0.0) -> Iterator[None]:
    """Be the living process of a run for as long as this lasts.

    Args:
        home: the state directory.
        run_id: the run.
        patience_seconds: how long to wait for another process to let go of it.

    Raises:
        PreconditionFailed: another process is, and stays so.
    """
    ends = time.monotonic() + patience_seconds
    with lock_path(home, run_id).open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= ends:
                    raise PreconditionFailed(
                        f"the run {run_id} is being worked on by another process of this machine. Wait for "
                        "it, or stop it there (Ctrl-C). Nothing was changed."
                    ) from error
                time.sleep(LOCK_SECONDS)
            else:
                break
        file.truncate(0)
        stop_path(home, run_id).unlink(missing_ok=True)  # meant for a process before this one
        yield


@contextmanager
def claim(home: Path, run_id: str) -> Iterator[bool | None]:
    """Try to be the one process that acts for a run: see `procedures.guarantee.Claim`."""
    if not RUN_ID.fullmatch(run_id) or not lock_path(home, run_id).exists():
        yield None
        return
    with ExitStack() as held:
        try:
            held.enter_context(alive(home, run_id))
        except PreconditionFailed:
            yield False
        else:
            lock_path(home, run_id).write_text(KEEPER)
            yield True


def stop_path(home: Path, run_id: str) -> Path:
    """Return the file whose being there asks the run's process to stop after its step."""
    return home / "runs" / f"{run_id}.stop"


def ask_to_stop(home: Path, run_id: str) -> None:
    """Ask the run's process to stop after the step under way. A repeat asks for the same."""
    stop_path(home, run_id).touch()


def is_asked_to_stop(home: Path, run_id: str) -> bool:
    """Whether somebody has asked the run's process to stop since it began."""
    return stop_path(home, run_id).exists()


def is_alive(home: Path, run_id: str) -> bool | None:
    """Whether a run's process lives; None where this machine has never seen the run.

    A keeper that mends what a dead run left holds its lock for a moment, and is not its process.
    """
    try:
        with lock_path(home, run_id).open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read() != KEEPER
    except FileNotFoundError:
        return None
    return False


def wait_until_dead(home: Path, run_id: str) -> None:
    """Return once no process holds the run. Sleeps in the kernel meanwhile.

    Raises:
        UsageError: there was no such run on this machine.
    """
    try:
        with lock_path(home, run_id).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        raise UsageError(f"this machine has never seen a run {run_id}; see: nospof runs list") from None
