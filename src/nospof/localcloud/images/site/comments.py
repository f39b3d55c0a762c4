"""The comments of the site, in its database."""

from __future__ import annotations

from dataclasses import dataclass

from .database import Database

# The row is written even when it is there already. With synchronous replication a COMMIT that was
# given up while it waited for the replica shows its row all the same: only a write of one's own waits
# until the replica has that row too.
ADD = """
    INSERT INTO comments (id, name, text) VALUES (%s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING name, text
"""
ALL = "SELECT id, name, text, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM comments"


@dataclass(frozen=True)
class Comment:
    """A comment; `at` is when the database got it, ISO 8601, empty before."""

    id: str
    name: str
    text: str
    at: str = ""


class Comments:
    """The comments in a database. Everything here may raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, comment: Comment) -> bool:
        """Write a comment; return False when another has its id. A repeat changes nothing."""
        rows = await self._database.rows(ADD, comment.id, comment.name, comment.text)
        return rows == [(comment.name, comment.text)]

    async def all(self) -> list[Comment]:
        """Return every comment, the oldest first."""
        return [Comment(*row) for row in await self._database.rows(f"{ALL} ORDER BY comments.at, id")]

    async def latest(self, count: int) -> list[Comment]:
        """Return the latest comments, the newest first."""
        rows = await self._database.rows(f"{ALL} ORDER BY comments.at DESC, id LIMIT %s", count)
        return [Comment(*row) for row in rows]
