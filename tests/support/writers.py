"""Writers that speak to a database directly, and keep the ledger of what it acknowledged.

Each writer is a closed loop: it writes, waits for the answer, and writes again. That hides nothing
here: what is counted is acknowledged writes, and the longest time without one.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import psycopg
import pymysql

from nospof.model.writes import WriteLedger, WriteOutcome

PAUSE_SECONDS = 0.02
CONFLICTS = {"40001", "40P01"}
"""SQLSTATE of a serialisation failure and of a deadlock: https://www.postgresql.org/docs/current/errcodes-appendix.html"""
DEADLOCK = 1213
"""What MariaDB calls a deadlock, and Galera a write that another member's has beaten."""
TABLE = "create table if not exists writes (number {serial} primary key, id varchar(100) not null)"


class Writes(Protocol):
    """A place to write to, for one writer at a time. It connects anew after any error."""

    def write(self, id_: str) -> tuple[WriteOutcome, str]:
        """Write once; return what became of it, and why it failed, in words. Never raises."""

    def read(self) -> list[str]:
        """Return every id, each as often as it is there. Raises: an error is no empty table."""

    def close(self) -> None:
        """Close the connection."""


class Rows:
    """Rows of the table `writes`, whatever the driver: what both kinds of database have in common."""

    def __init__(self, connect: Callable[[], Any], conflict_in: Callable[[Exception], bool]) -> None:
        self._connect = connect
        self._conflict_in = conflict_in
        self._connection: Any = None

    def write(self, id_: str) -> tuple[WriteOutcome, str]:
        try:
            with self._connected().cursor() as cursor:
                # The driver has no transaction open by itself: when this returns, so has COMMIT.
                cursor.execute("insert into writes (id) values (%s)", (id_,))
        except Exception as error:  # noqa: BLE001 - whatever it is, it was not acknowledged
            self.close()
            is_conflict = self._conflict_in(error)
            return WriteOutcome.CONFLICT if is_conflict else WriteOutcome.FAILED, type(error).__name__
        return WriteOutcome.ACKNOWLEDGED, ""

    def read(self) -> list[str]:
        try:
            with self._connected().cursor() as cursor:
                cursor.execute("select id from writes order by number")
                return [id_ for (id_,) in cursor.fetchall()]
        finally:
            self.close()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection


def in_postgresql(conninfo: str) -> Rows:
    """Return a writer into PostgreSQL."""

    def connect() -> Any:
        return psycopg.connect(conninfo, autocommit=True, connect_timeout=5)

    def is_conflict(error: Exception) -> bool:
        return isinstance(error, psycopg.Error) and error.sqlstate in CONFLICTS

    return Rows(connect, is_conflict)


def in_mariadb(unix_socket: str, **where: Any) -> Rows:
    """Return a writer into MariaDB or MySQL; other arguments go to pymysql.connect."""

    def connect() -> Any:
        waits = {"read_timeout": 5, "write_timeout": 5}
        connection = pymysql.connect(**{**waits, "autocommit": True, "defer_connect": True, **where})
        # A socket of ours, because the driver leaves its own open where nobody listens.
        opened = socket.socket(socket.AF_UNIX)
        try:
            opened.settimeout(5)
            opened.connect(unix_socket)
            connection.connect(opened)
        except BaseException:
            opened.close()
            raise
        return connection

    def is_conflict(error: Exception) -> bool:
        return isinstance(error, pymysql.MySQLError) and error.args[:1] == (DEADLOCK,)

    return Rows(connect, is_conflict)


class Writers:
    """Some writers at work at once."""

    def __init__(self, open_one: Callable[[], Writes], count: int, prefix: str) -> None:
        self._open_one = open_one
        self._prefix = prefix
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._rows: list[tuple[str, float, WriteOutcome]] = []
        self._failures: Counter[str] = Counter()
        self._began = time.monotonic()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(count)]
        for thread in self._threads:
            thread.start()

    @property
    def acknowledged(self) -> int:
        """How many writes were acknowledged so far."""
        with self._lock:
            return sum(1 for _, _, outcome in self._rows if outcome is WriteOutcome.ACKNOWLEDGED)

    def stop(self) -> WriteLedger:
        """Let every writer end; return what became of all they wrote."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()
        ids, ended, outcomes = zip(*self._rows, strict=True) if self._rows else ((), (), ())
        return WriteLedger(time.monotonic() - self._began, ids, ended, outcomes, dict(self._failures))

    def _write(self, writer: int) -> None:
        place = self._open_one()
        number = 0
        while not self._is_over.is_set():
            number += 1
            id_ = f"{self._prefix}-{writer}-{number}"
            outcome, why = place.write(id_)
            with self._lock:
                self._rows.append((id_, time.monotonic() - self._began, outcome))
                if why:
                    self._failures[why] += 1
            if outcome is not WriteOutcome.ACKNOWLEDGED:
                time.sleep(PAUSE_SECONDS)
        place.close()


@contextmanager
def writers(open_one: Callable[[], Writes], count: int = 4, prefix: str = "w") -> Iterator[Writers]:
    """Have writers at work while the block runs."""
    at_work = Writers(open_one, count, prefix)
    try:
        yield at_work
    finally:
        at_work.stop()
