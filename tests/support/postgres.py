"""A PostgreSQL server for a test: Debian's, in a directory of its own, gone afterwards."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from support.waiting import eventually

USER = "tester"


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"journal{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name}".encode())
        return self.url(name)

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def programs() -> Path:
    """Return where the newest server's programs are; without one, skip here and fail in CI."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    if not found:
        message = "needs a PostgreSQL server: sudo apt-get install postgresql"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return found[-1].parent


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a server on 127.0.0.1; it refuses to run as root, so root runs it as nobody."""
    bin_directory = programs()
    directory = Path(tempfile.mkdtemp(prefix="nospof-pg-", dir="/tmp"))
    become: list[str] = []
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        become = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    data = directory / "data"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        initdb = [str(bin_directory / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "--no-sync"]
        subprocess.run([*become, *initdb], check=True, capture_output=True, cwd=directory)
        settings = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={directory}"]
        settings += ["-c", "fsync=off", "-c", "max_connections=50"]
        with (directory / "log").open("w") as log:
            server = subprocess.Popen(
                [*become, str(bin_directory / "postgres"), "-D", str(data), "-p", str(port), *settings],
                stdout=log,
                stderr=log,
                cwd=directory,
            )
        try:
            postgres = Postgres(port)
            eventually(postgres.answers)
            yield postgres
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=60)
    finally:
        shutil.rmtree(directory)
