"""The web server of the demonstration site: static files from srv/www over HTTP/1.1.

It runs inside a machine, in the machine's disk directory, on the standard library only. What it
answers is what the disk holds now. On SIGTERM it accepts nothing new, finishes every request that has
begun, tells clients to come back on another connection, and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
import urllib.parse
from dataclasses import dataclass
from http import HTTPStatus

HEAD_BYTES = 16 * 1024
IDLE_SECONDS = 75.0  # longer than a balancer's 60 s, so that the balancer closes first
REQUEST_SECONDS = 20.0  # to send a request that has begun
SWEEP_SECONDS = 5.0
LINGER_SECONDS = 0.3  # after SIGTERM: a request may be on its way on a connection that looks idle
FINISH_SECONDS = 6.0  # after SIGTERM: for requests that have begun; less than init's patience
CACHED_BYTES = 256 * 1024
CACHED_FILES = 256
SETTLED_SECONDS = 1.0  # a file changed just now may change again without a new time stamp
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
}
TEXT = TYPES[".txt"]


@dataclass(frozen=True)
class File:
    """A file as it was read, and how to see whether it still is the same."""

    path: str
    mark: tuple[int, ...]
    kind: str
    content: bytes


def mark_of(found: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file does."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class DocumentRoot:
    """The files below a directory; nothing outside of it, by whatever name."""

    def __init__(self, directory: str) -> None:
        self.directory = os.path.realpath(directory)
        self._cache: dict[str, File] = {}

    def find(self, target: str) -> File | None:
        """Return the file a request's path means, as the disk has it now, or None."""
        cached = self._cache.get(target)
        if cached:
            with contextlib.suppress(OSError):
                if mark_of(os.stat(cached.path)) == cached.mark:
                    return cached
            del self._cache[target]
        for path in self._candidates(target):
            if file := self._read(path):
                old_enough = time.time_ns() - max(file.mark[3:]) > SETTLED_SECONDS * 1e9
                if old_enough and len(file.content) <= CACHED_BYTES and len(self._cache) < CACHED_FILES:
                    self._cache[target] = file
                return file
        return None

    def is_readable(self) -> bool:
        """Return whether the disk gives us the site at all."""
        try:
            with os.scandir(self.directory) as entries:
                return next(entries, None) is not None
        except OSError:
            return False

    def _candidates(self, target: str) -> list[str]:
        name = urllib.parse.unquote(target.partition("?")[0])
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not name.startswith("/") or "\0" in name or any(p.startswith(".") for p in parts):
            return []
        path = os.path.join(self.directory, *parts)
        return [path, f"{path}.html"] if parts and not name.endswith("/") else [f"{path}/index.html"]

    def _read(self, path: str) -> File | None:
        path = os.path.realpath(path)
        if not path.startswith(f"{self.directory}/"):  # a link that leads out
            return None
        try:
            with open(path, "rb") as file:
                mark = mark_of(os.fstat(file.fileno()))
                content = file.read()
        except OSError:
            return None
        kind = TYPES.get(os.path.splitext(path)[1].lower(), "application/octet-stream")
        return File(path, mark, kind, content)


class Site:
    """What all connections share."""

    def __init__(self, root: DocumentRoot, instance_id: str) -> None:
        self.root = root
        self.connections: set[Connection] = set()
        self.is_stopping = False
        self._instance = instance_id
        self._second = 0
        self._common = ""

    def answer(self, method: str, target: str, *, keep: bool) -> bytes:
        """Return the whole answer to a request."""
        if method not in ("GET", "HEAD"):
            return self.plain(HTTPStatus.METHOD_NOT_ALLOWED, keep=keep, extra="Allow: GET, HEAD\r\n")
        has_body = method == "GET"
        if target.partition("?")[0] == "/health":
            if self.root.is_readable():
                return self._message(HTTPStatus.OK, TEXT, b"ok\n", keep=keep, has_body=has_body)
            text = b"the document root cannot be read\n"
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return self._message(status, TEXT, text, keep=keep, has_body=has_body)
        file = self.root.find(target)
        if not file:
            return self.plain(HTTPStatus.NOT_FOUND, keep=keep, has_body=has_body)
        return self._message(HTTPStatus.OK, file.kind, file.content, keep=keep, has_body=has_body)

    def plain(self, status: HTTPStatus, *, keep: bool, has_body: bool = True, extra: str = "") -> bytes:
        """Return an answer that says no more than its status."""
        text = f"{status.value} {status.phrase}\n".encode()
        return self._message(status, TEXT, text, keep=keep, has_body=has_body, extra=extra)

    def _message(
        self, status: HTTPStatus, kind: str, body: bytes, *, keep: bool, has_body: bool, extra: str = ""
    ) -> bytes:
        now = int(time.time())
        if now != self._second:
            date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))
            self._second, self._common = now, f"Date: {date}\r\nX-Instance: {self._instance}\r\n"
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n{self._common}{extra}Content-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        )
        return head.encode("latin-1") + (body if has_body else b"")


class Connection(asyncio.Protocol):
    """One client; its requests are answered one after the other."""

    transport: asyncio.Transport

    def __init__(self, site: Site) -> None:
        self._site = site
        self._buffer = b""
        self._is_full = False
        self.since = time.monotonic()

    @property
    def has_begun(self) -> bool:
        """Whether a request has begun to arrive, or an answer has not left yet."""
        return bool(self._buffer) or self.transport.get_write_buffer_size() > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the client."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a TCP server makes
        self.transport = transport
        self._site.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the client."""
        self._site.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        if not self._buffer:
            self.since = time.monotonic()
        self._buffer += data
        self._answer_all()

    def pause_writing(self) -> None:
        """Read no more from a client that does not read its answers."""
        self._is_full = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on once the answers have left."""
        self._is_full = False
        self.transport.resume_reading()
        self._answer_all()

    def _answer_all(self) -> None:
        while self._buffer and not self._is_full and not self.transport.is_closing():
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if len(head) > HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
            if not end:
                return
            self._buffer = rest
            self._answer(head.decode("latin-1"))
        if not self._buffer:
            self.since = time.monotonic()

    def _answer(self, head: str) -> None:
        first, *lines = head.lstrip("\r\n").split("\r\n")
        words = first.split(" ")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                return self._refuse(HTTPStatus.BAD_REQUEST)
            headers[name.lower()] = value.strip().lower()
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            return self._refuse(HTTPStatus.BAD_REQUEST)
        method, target, version = words
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            return self._refuse(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        if version == "HTTP/1.1" and "host" not in headers:
            return self._refuse(HTTPStatus.BAD_REQUEST)
        wish = headers.get("connection", "")
        keep = "close" not in wish if version == "HTTP/1.1" else "keep-alive" in wish
        # Bodies are of no use here; a connection that carries one ends with the answer.
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        keep = keep and not has_body and not self._site.is_stopping
        self.transport.write(self._site.answer(method, target, keep=keep))
        if not keep:
            self._buffer = b""
            self.transport.close()
        return None

    def _refuse(self, status: HTTPStatus) -> None:
        self._buffer = b""
        self.transport.write(self._site.plain(status, keep=False))
        self.transport.close()


async def sweep(site: Site) -> None:
    """Close connections that have been idle, or slow to send a request, for too long."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = time.monotonic()
        for connection in list(site.connections):
            patience = REQUEST_SECONDS if connection.has_begun else IDLE_SECONDS
            if now - connection.since > patience:
                connection.transport.close()


async def finish(site: Site) -> None:
    """Let what has begun come to its end, then close every connection."""
    started = time.monotonic()
    while site.connections:
        waited = time.monotonic() - started
        for connection in list(site.connections):
            if waited > FINISH_SECONDS:
                connection.transport.abort()
            elif waited > LINGER_SECONDS and not connection.has_begun:
                connection.transport.close()
        await asyncio.sleep(0.02)


async def serve(address: str, port: int, site: Site) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: Connection(site), address, port, backlog=1024)
    print(f"serving {site.root.directory} on {address}:{port}", flush=True)  # noqa: T201
    sweeper = asyncio.create_task(sweep(site))
    await stop.wait()
    site.is_stopping = True
    # Clients the kernel has let in already are taken over before the door is closed.
    await asyncio.sleep(0)
    server.close()
    await finish(site)
    sweeper.cancel()
    print("stopped in order", flush=True)  # noqa: T201


def port_of(path: str) -> int:
    """Return the port a file names, 8080 when there is none. Raises ValueError."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        return 8080


def main() -> int:
    """Serve the site of the machine this runs in."""
    site = Site(DocumentRoot("srv/www"), os.environ["NOSPOF_INSTANCE_ID"])
    asyncio.run(serve(os.environ["NOSPOF_ADDRESS"], port_of("etc/web.port"), site))
    return 0


if __name__ == "__main__":
    sys.exit(main())
