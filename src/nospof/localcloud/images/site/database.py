"""The database of the site, PostgreSQL. What is written counts as written only once its COMMIT has returned.

Every statement may be sent again: what is written has the name its writer gave it. So whatever error a
connection brings, that connection is given up and the statement is tried on a new one, for as long as
a visitor can be kept waiting. Errors are not told apart: what a server says while it stops, starts or
becomes a replica has many names.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any, LiteralString

import psycopg

Connection = psycopg.AsyncConnection[Any]

CONNECTIONS = 4
PATIENCE_SECONDS = 3.0  # less than the time the web server gives its requests to end
PAUSE_SECONDS = 0.1


class Unavailable(Exception):
    """The database did not answer in time. What was asked for may have been done or not."""


class Database:
    """A database, and the few connections everybody shares.

    Args:
        conninfo: a file that says where it is, as libpq writes it down; read for each connection.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._given_up: set[asyncio.Task[Any]] = set()

    async def rows(self, query: LiteralString, *values: object) -> list[Any]:
        """Run one statement, which is a transaction of its own: its COMMIT has returned when this does.

        Returns:
            Its rows. What is no text comes as it is kept: bytes are bytes.

        Raises:
            Unavailable: it may have been done or not.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            task = asyncio.create_task(self._once(query, values))
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

    async def _once(self, query: LiteralString, values: tuple[object, ...]) -> list[Any]:
        async with self._free:
            connection = self._idle.pop() if self._idle else await self._connect()
            try:
                cursor = await connection.execute(query, values, binary=True)
                rows = await cursor.fetchall()
            except BaseException:
                with suppress(psycopg.Error, OSError):
                    await connection.close()
                raise
            self._idle.append(connection)
            return rows

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
