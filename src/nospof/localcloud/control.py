"""Starting, finding, stopping and deleting local clouds by name.

Imports neither moto nor boto3, so that a command line that only asks for the status stays fast.
A cloud is a directory; what is said about it is read from the process table and from its own
answers, never assumed.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from nospof.localcloud.addresses import release_blocks
from nospof.localcloud.errors import LocalCloudError
from nospof.localcloud.locks import locked
from nospof.localcloud.machines.processes import Process

START_SECONDS = 60.0
STOP_SECONDS = 40.0
ANSWER_SECONDS = 5.0
FREE_BYTES_NEEDED = 64 * 1024 * 1024
REGION = "us-east-1"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Endpoint:
    """A running local cloud.

    Args:
        name: its name.
        url: where AWS clients reach it.
        dir: where everything of it is kept.
        pid: the gateway's process.
    """

    name: str
    url: str
    dir: Path
    pid: int


@dataclass(frozen=True)
class _Record:
    """What a gateway wrote down when it began to serve."""

    url: str
    process: Process
    lifeline: str


def home() -> Path:
    """Return the directory that holds all clouds of this user."""
    chosen = os.environ.get("NOSPOF_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute() / "clouds"
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path.home() / ".local" / "state"
    return base.absolute() / "nospof" / "clouds"


def start(name: str = "default", port: int = 0, lifeline: Path | None = None) -> Endpoint:
    """Start a cloud, or return the one of that name that runs.

    Args:
        name: lower-case letters, digits, - and _.
        port: the port of 127.0.0.1; 0 for the one it had before, else the first free one from 4566.
        lifeline: a file the caller holds locked with flock: when the lock is gone, the cloud powers
            everything off and deletes itself.

    Raises:
        LocalCloudError: a wrong name, a port in use, no space, a missing package; says which.
    """
    directory = _directory(name)
    with _starting(directory):
        running = _running(name, directory)
        if running:
            if port and not running.url.endswith(f":{port}"):
                raise LocalCloudError(
                    f"the local cloud '{name}' already runs at {running.url}; stop it first"
                )
            return running
        if shutil.disk_usage(directory).free < FREE_BYTES_NEEDED:
            raise LocalCloudError(f"there is no space left for a local cloud in {directory}")
        return _spawn(name, directory, port, lifeline)


def status(name: str = "default") -> dict[str, Any]:
    """Return what a running cloud says of itself.

    Raises:
        LocalCloudError: it does not run, or does not answer.
    """
    endpoint = find(name)
    try:
        return _ask(endpoint.url)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise LocalCloudError(
            f"the local cloud '{name}' (process {endpoint.pid}) does not answer at {endpoint.url}: {error}"
        ) from error


def find(name: str = "default") -> Endpoint:
    """Return the running cloud of that name.

    Raises:
        LocalCloudError: it does not exist, or does not run.
    """
    directory = _directory(name)
    if not directory.is_dir():
        raise LocalCloudError(f"there is no local cloud '{name}'; start it: nospof cloud start --name {name}")
    running = _running(name, directory)
    if running is None:
        raise LocalCloudError(
            f"the local cloud '{name}' does not run; start it: nospof cloud start --name {name}"
        )
    return running


def stop(name: str = "default") -> None:
    """Stop a cloud: gateway, machines and balancers; the next start boots again what was running.

    A gateway that was killed has left machines running: those are powered off. Stopping a cloud
    that does not run is no error.

    Raises:
        LocalCloudError: there is no such cloud.
    """
    directory = _directory(name)
    if not directory.is_dir():
        raise LocalCloudError(f"there is no local cloud '{name}'")
    with _starting(directory):
        _end_gateway(directory)
        _end_leftovers(directory)


def reset(name: str = "default") -> None:
    """Stop a cloud and delete everything of it; its addresses are free again. A repeat is no error."""
    directory = _directory(name)
    if not directory.is_dir():
        return
    with _starting(directory):
        _end_gateway(directory, patience_seconds=0.0)
        _delete(directory)


def names() -> tuple[str, ...]:
    """Return the names of all clouds there are, running or not."""
    if not home().is_dir():
        return ()
    return tuple(sorted(entry.name for entry in home().iterdir() if entry.is_dir()))


def environment(name: str = "default") -> dict[str, str]:
    """Return the environment variables that point AWS clients at a running cloud.

    Raises:
        LocalCloudError: it does not run.
    """
    return {
        "AWS_ENDPOINT_URL": find(name).url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def sweep_abandoned() -> tuple[str, ...]:
    """Delete clouds whose lifeline's owner and whose gateway were both killed; return their names."""
    swept = []
    for name in names():
        directory = _directory(name)
        lifeline = directory / "lifeline"
        if not lifeline.is_file() or _running(name, directory):
            continue
        if _is_held(Path(lifeline.read_text(encoding="utf-8"))):
            continue
        with _starting(directory):
            if not _running(name, directory):
                _delete(directory)
                swept.append(name)
    return tuple(swept)


# Directories and records ------------------------------------------------------------------------------------


def _directory(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise LocalCloudError(
            f"'{name}' cannot name a local cloud: use lower-case letters, digits, - and _, at most 40"
        )
    return home() / name


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LocalCloudError(f"{directory} cannot be made: {error.strerror}") from error


@contextlib.contextmanager
def _starting(directory: Path) -> Iterator[None]:
    """Let one process at a time start, stop or delete a cloud, which exists while this lasts."""
    while True:
        _make(directory)
        with locked(directory) as descriptor:
            if _is_still(directory, descriptor):
                yield
                return


def _is_still(directory: Path, descriptor: int) -> bool:
    """Whether a path leads to what was opened: it may have been deleted while we waited for it."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(directory.stat(), os.fstat(descriptor))
    return False


def _record(directory: Path) -> _Record | None:
    try:
        content = json.loads((directory / "endpoint.json").read_text(encoding="utf-8"))
        process = Process(int(content["pid"]), int(content["started"]))
        return _Record(str(content["url"]), process, str(content["lifeline"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LocalCloudError(f"{directory}/endpoint.json cannot be read: {error}") from error


def _running(name: str, directory: Path) -> Endpoint | None:
    record = _record(directory)
    if record is None or record.process.stat() is None:
        return None
    return Endpoint(name, record.url, directory, record.process.pid)


def _is_held(lifeline: Path) -> bool:
    try:
        with lifeline.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


# Starting ------------------------------------------------------------------------------------------------


def _spawn(name: str, directory: Path, port: int, lifeline: Path | None) -> Endpoint:
    (directory / "endpoint.json").unlink(missing_ok=True)
    arguments = ["serve", "--dir", str(directory), "--port", str(port), "--name", name]
    if lifeline:
        (directory / "lifeline").write_text(str(lifeline.absolute()), encoding="utf-8")
        arguments += ["--lifeline", str(lifeline.absolute())]
    else:
        (directory / "lifeline").unlink(missing_ok=True)
    with (directory / "gateway.log").open("ab") as log:
        began = log.tell()
        child = subprocess.Popen(
            [sys.executable, "-m", "nospof.localcloud", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=directory,
            start_new_session=True,
        )
        return _wait_until_it_answers(name, directory, child, log, began)


def _wait_until_it_answers(
    name: str, directory: Path, child: subprocess.Popen[bytes], log: IO[bytes], began: int
) -> Endpoint:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise LocalCloudError(f"the local cloud '{name}' did not start: {_last_words(log, began)}")
        running = _running(name, directory)
        if running:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                _ask(running.url)
                child.returncode = 0  # it lives on without us: Popen is not to warn about it
                return running
        time.sleep(0.02)
    child.kill()
    child.wait()
    raise LocalCloudError(
        f"the local cloud '{name}' did not answer within {START_SECONDS:.0f} s; see {directory}/gateway.log"
    )


def _last_words(log: IO[bytes], began: int) -> str:
    with Path(log.name).open("rb") as file:
        file.seek(began)
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("error: ") if lines else "it said nothing"


def _ask(url: str) -> dict[str, Any]:
    host, _, port = url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/_nospof/status")
        with connection.getresponse() as answer:
            content = json.loads(answer.read())
    finally:
        connection.close()
    if not isinstance(content, dict) or "dir" not in content:
        raise ValueError("something else answers there")
    return content


# Ending --------------------------------------------------------------------------------------------------


def _end_gateway(directory: Path, patience_seconds: float = STOP_SECONDS) -> None:
    """Ask the gateway to end, and kill it when it has not in time."""
    record = _record(directory)
    if record is None:
        return
    deadline = time.monotonic() + patience_seconds
    if patience_seconds:
        record.process.send(signal.SIGTERM)
    while record.process.stat():
        if time.monotonic() >= deadline:
            record.process.send(signal.SIGKILL)
        time.sleep(0.02)


def _end_leftovers(directory: Path) -> None:
    """Power off machines and balancers a killed gateway left behind."""
    from nospof.localcloud.balancer import stop_all_in
    from nospof.localcloud.machines.hypervisor import Hypervisor

    if (directory / "machines").is_dir():
        hypervisor = Hypervisor(directory / "machines")
        for machine in hypervisor.machines():
            hypervisor.power_off(machine)
    for kind in ("balancers", "classic"):
        stop_all_in(directory / kind)


def _delete(directory: Path) -> None:
    _end_leftovers(directory)
    release_blocks(directory)
    try:
        shutil.rmtree(directory)
    except OSError as error:
        raise LocalCloudError(f"{directory} cannot be deleted: {error}") from error
