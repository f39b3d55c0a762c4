"""The comments of the site, in PostgreSQL. A comment counts as written only once its COMMIT has returned.

Every statement may be sent again: a comment has the id its writer gave it. So whatever error a
connection brings, that connection is given up and the statement is tried on a new one, for as long as
a visitor can be kept waiting. Errors are not told apart: what a server says while it stops, starts or
becomes a replica has many names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, LiteralString, TypeVar

import psycopg

T = TypeVar("T")
Connection = psycopg.AsyncConnection[Any]

CONNECTIONS = 4
PATIENCE_SECONDS = 3.0  # less than the time the web server gives its requests to end
PAUSE_SECONDS = 0.1

# The row is written even when it is there already. With synchronous replication a COMMIT that was
# given up while it waited for the replica shows its row all the same: only a write of one's own waits
# until the replica has that row too.
ADD = """
    INSERT INTO comments (id, name, text) VALUES (%s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING name, text
"""
ALL = "SELECT id, name, text, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM comments"


class Unavailable(Exception):
    """The database did not answer in time. What was asked for may have been done or not."""


@dataclass(frozen=True)
class Comment:
    """A comment; `at` is when the database got it, ISO 8601, empty before."""

    id: str
    name: str
    text: str
    at: str = ""


class Comments:
    """The comments in a database.

    Args:
        conninfo: a file that says where it is, as libpq writes it down; read for each connection.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._given_up: set[asyncio.Task[Any]] = set()

    async def add(self, comment: Comment) -> bool:
        """Write a comment. A repeat changes nothing.

        Returns:
            False when another comment has its id.

        Raises:
            Unavailable: it may have been written or not.
        """

        async def write(connection: Connection) -> bool:
            cursor = await connection.execute(ADD, (comment.id, comment.name, comment.text))
            return await cursor.fetchone() == (comment.name, comment.text)

        return await self._run(write)

    async def all(self) -> list[Comment]:
        """Return every comment, the oldest first. Raises Unavailable."""
        return await self._read(f"{ALL} ORDER BY comments.at, id")

    async def latest(self, count: int) -> list[Comment]:
        """Return the latest comments, the newest first. Raises Unavailable."""
        return await self._read(f"{ALL} ORDER BY comments.at DESC, id LIMIT %s", count)

    async def _read(self, query: LiteralString, *values: int) -> list[Comment]:
        async def read(connection: Connection) -> list[Comment]:
            cursor = await connection.execute(query, values)
            return [Comment(*row) for row in await cursor.fetchall()]

        return await self._run(read)

    async def _run(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            task = asyncio.create_task(self._once(act))
            await asyncio.wait({task}, timeout=max(0.0, deadline - time.monotonic()))
            if not task.done():
                self._give_up(task)
                raise Unavailable(f"the database did not answer within {PATIENCE_SECONDS:g} s")
            try:
                return task.result()
            except (psycopg.Error, OSError) as error:
                if time.monotonic() + PAUSE_SECONDS >= deadline:
                    raise Unavailable(f"the database cannot be used: {error}") from error
            await asyncio.sleep(PAUSE_SECONDS)

    async def _once(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._free:
            # Every statement is a transaction of its own: when it returns, its COMMIT has.
            connection = self._idle.pop() if self._idle else await self._connect()
            try:
                value = await act(connection)
            except BaseException:
                with suppress(psycopg.Error, OSError):
                    await connection.close()
                raise
            self._idle.append(connection)
            return value

    async def _connect(self) -> Connection:
        with open(self._conninfo, encoding="utf-8") as file:
            conninfo = file.read().strip()
        # No statement_timeout: it would end a COMMIT that waits for a replica as if all were well.
        return await psycopg.AsyncConnection.connect(conninfo, autocommit=True, connect_timeout=2)

    def _give_up(self, task: asyncio.Task[Any]) -> None:
        """Let a statement end on its own time; nobody waits for it any more."""

        def ended(task: asyncio.Task[Any]) -> None:
            self._given_up.discard(task)
            if not task.cancelled():
                task.exception()  # seen, so that nobody complains that it was not

        self._given_up.add(task)
        task.add_done_callback(ended)
        task.cancel()
