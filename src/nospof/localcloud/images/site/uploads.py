"""The files visitors upload: pictures and plain documents, kept below the document root.

A file counts as kept only once it and its name are on the disk. What is kept is never changed: under
one name there is one content.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress

MAX_BYTES = 8 << 20
# Nothing a browser would run in the site's name.
SUFFIXES = (".gif", ".jpeg", ".jpg", ".pdf", ".png", ".txt", ".webp")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\.[a-z]{3,4})")


class Uploads:
    """The files in one directory, made when the first one comes."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def takes(self, name: str) -> bool:
        """Whether a file may have this name."""
        return bool(NAME.fullmatch(name)) and name.endswith(SUFFIXES)

    def names(self) -> list[str]:
        """Return the names of all files, sorted. Raises OSError."""
        try:
            return sorted(name for name in os.listdir(self._directory) if self.takes(name))
        except FileNotFoundError:
            return []

    def add(self, name: str, content: bytes) -> bool:
        """Keep a file. A repeat changes nothing.

        Returns:
            False when there is another file of that name.

        Raises:
            OSError: it may be there or not.
        """
        if not os.path.isdir(self._directory):
            os.makedirs(self._directory, exist_ok=True)
            sync(os.path.dirname(self._directory))
        path = os.path.join(self._directory, name)
        partial = os.path.join(self._directory, f".{name}.{secrets.token_hex(4)}.partial")
        try:
            with open(partial, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(partial, path)  # a rename would replace what is there
        finally:
            with suppress(FileNotFoundError):
                os.unlink(partial)
        sync(self._directory)
        with open(path, "rb") as file:
            return file.read() == content


def sync(directory: str) -> None:
    """Bring the names in a directory to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
