"""An application that keeps what visitors upload as files of its disk, as many that were never meant for two.

    /files.json    the list
    /files/NAME    PUT keeps a file; it is read like any page

Nothing is acknowledged (201) before it and its name are on the disk. What could not be done is answered 503.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
from contextlib import suppress
from http import HTTPStatus

from . import server
from .server import TYPES, Answer, Request, plain

MAX_BYTES = 8 << 20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.(?:jpg|pdf|png|txt)")


class Directory:
    """Implements `server.Application` on one directory."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def accepts(self, request: Request) -> int:
        """Return how many bytes of a body it takes with this request, -1 when the request is not for it."""
        if request.path.startswith("/files/") and request.method == "PUT":
            return MAX_BYTES
        return 0 if request.path == "/files.json" else -1

    async def answer(self, request: Request) -> Answer:
        """Answer a whole request. Never raises."""
        try:
            if request.method != "PUT":
                names = sorted(one for one in os.listdir(self._directory) if NAME.fullmatch(one))
                return Answer(HTTPStatus.OK, TYPES[".json"], json.dumps({"files": names}).encode() + b"\n")
            name = request.path.removeprefix("/files/")
            if not NAME.fullmatch(name):
                return plain(HTTPStatus.BAD_REQUEST)
            is_kept = await asyncio.to_thread(self._keep, name, request.body)
            return plain(HTTPStatus.CREATED if is_kept else HTTPStatus.CONFLICT)
        except OSError as error:
            print(f"{request.method} {request.path}: {error}", flush=True)  # noqa: T201
            return plain(HTTPStatus.SERVICE_UNAVAILABLE)

    def _keep(self, name: str, content: bytes) -> bool:
        """Keep a file; return False when there is another of that name. Raises OSError."""
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
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with open(path, "rb") as file:
            return file.read() == content


def main() -> int:
    """Serve the site of the machine this runs in."""
    return server.main(Directory("srv/www/files"))
