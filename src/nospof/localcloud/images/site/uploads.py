"""The files visitors upload: pictures and plain documents, in the site's database.

There, because what is in it is on every member that keeps it in step, before it is acknowledged. What is
kept is never changed: under one name there is one content.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from .database import Database

MAX_BYTES = 4 << 20
# Nothing a browser would run in the site's name; each begins with what shows that it is what it is called.
KINDS = {
    ".gif": ("image/gif", rb"GIF8[79]a"),
    ".jpeg": ("image/jpeg", rb"\xff\xd8\xff"),
    ".jpg": ("image/jpeg", rb"\xff\xd8\xff"),
    ".pdf": ("application/pdf", rb"%PDF-"),
    ".png": ("image/png", rb"\x89PNG\r\n\x1a\n"),
    ".txt": ("text/plain; charset=utf-8", rb"[^\x00]*\Z"),
    ".webp": ("image/webp", rb"RIFF....WEBP"),
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\.[a-z]{3,4})")

# The row is written even when it is there already, for the reason that comments have.
ADD = """
    INSERT INTO files (name, content) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING sha256
"""
ALL = "SELECT name, length(content), encode(sha256, 'hex') FROM files ORDER BY name"
LATEST = "SELECT name, length(content), encode(sha256, 'hex') FROM files ORDER BY at DESC, name LIMIT %s"


@dataclass(frozen=True)
class Upload:
    """What is known of a file without its content.

    Args:
        name: under which it is kept.
        bytes: how long it is.
        sha256: of its content, in hexadecimal digits.
    """

    name: str
    bytes: int
    sha256: str

    @property
    def is_picture(self) -> bool:
        """Whether a browser shows it in a page."""
        return kind_of(self.name).startswith("image/")


class Uploads:
    """The files in a database. What asks it may raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, name: str, content: bytes) -> bool:
        """Keep a file; return False when there is another of that name. A repeat changes nothing."""
        rows = await self._database.rows(ADD, name, content)
        return rows == [(hashlib.sha256(content).digest(),)]

    async def all(self) -> list[Upload]:
        """Return every file, by name."""
        return [Upload(*row) for row in await self._database.rows(ALL)]

    async def latest(self, count: int) -> list[Upload]:
        """Return the latest files, the newest first."""
        return [Upload(*row) for row in await self._database.rows(LATEST, count)]

    async def content(self, name: str) -> tuple[bytes, str] | None:
        """Return a file's content and its SHA-256 in hexadecimal digits, None when there is none."""
        query = "SELECT content, encode(sha256, 'hex') FROM files WHERE name = %s"
        rows = await self._database.rows(query, name)
        return rows[0] if rows else None


def is_name(name: str) -> bool:
    """Whether a file may have this name."""
    return bool(NAME.fullmatch(name)) and name.endswith(tuple(KINDS))


def kind_of(name: str) -> str:
    """Return what a browser is told that a file of this name is."""
    return KINDS["." + name.rpartition(".")[2]][0]


def is_what_it_is_called(name: str, content: bytes) -> bool:
    """Whether a content begins as what its name says."""
    return bool(re.match(KINDS["." + name.rpartition(".")[2]][1], content, re.DOTALL))
