"""The web server of the demonstration site: static files from srv/www over HTTP/1.1.

It runs inside a machine, in the machine's disk directory, on the standard library only. What it
answers is what the disk holds now; an application beside it may take some of the requests. On SIGTERM
it accepts nothing new, finishes every request that has begun, tells clients to come back on another
connection, and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
import urllib.parse
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Protocol

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


@dataclass(frozen=True)
class Request:
    """A request; names of headers are in lower case; `keep`: the client goes on with this connection."""

    method: str
    target: str
    headers: dict[str, str]
    keep: bool
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Answer:
    """What is answered, but for what every answer has. `extra` are whole header lines."""

    status: HTTPStatus
    kind: str = TEXT
    body: bytes = b""
    extra: str = ""


class Application(Protocol):
    """What takes the requests that are more than a file."""

    def accepts(self, request: Request) -> int:
        """Return how many bytes of a body it takes with this request, -1 when the request is not for it."""

    async def answer(self, request: Request) -> Answer:
        """Answer a whole request. Never raises, and ends within FINISH_SECONDS."""


class Site:
    """What all connections share."""

    def __init__(self, root: DocumentRoot, instance_id: str, application: Application | None = None) -> None:
        self.root = root
        self.application = application
        self.connections: set[Connection] = set()
        self.is_stopping = False
        self._instance = instance_id
        self._second = 0
        self._common = ""

    def answer(self, method: str, target: str, *, keep: bool) -> bytes:
        """Return the whole answer to a request for a file."""
        if method not in ("GET", "HEAD"):
            return self.plain(HTTPStatus.METHOD_NOT_ALLOWED, keep=keep, extra="Allow: GET, HEAD\r\n")
        return self.message(self._file(target), keep=keep, has_body=method == "GET")

    def _file(self, target: str) -> Answer:
        if target.partition("?")[0] == "/health":
            if self.root.is_readable():
                return Answer(HTTPStatus.OK, body=b"ok\n")
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, body=b"the document root cannot be read\n")
        file = self.root.find(target)
        return Answer(HTTPStatus.OK, file.kind, file.content) if file else plain(HTTPStatus.NOT_FOUND)

    def plain(self, status: HTTPStatus, *, keep: bool, extra: str = "") -> bytes:
        """Return an answer that says no more than its status."""
        return self.message(replace(plain(status), extra=extra), keep=keep, has_body=True)

    def message(self, answer: Answer, *, keep: bool, has_body: bool) -> bytes:
        """Return an answer as it goes over the wire; "not modified" tells no length of what is not sent."""
        now = int(time.time())
        if now != self._second:
            date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))
            self._second, self._common = now, f"Date: {date}\r\nX-Instance: {self._instance}\r\n"
        length = f"Content-Length: {len(answer.body)}\r\n" * (answer.status is not HTTPStatus.NOT_MODIFIED)
        head = (
            f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n{self._common}{answer.extra}{length}"
            f"Content-Type: {answer.kind}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        )
        return head.encode("latin-1") + (answer.body if has_body else b"")


def plain(status: HTTPStatus) -> Answer:
    """Return an answer that says no more than its status."""
    return Answer(status, body=f"{status.value} {status.phrase}\n".encode())


class Connection(asyncio.Protocol):
    """One client; its requests are answered one after the other."""

    transport: asyncio.Transport

    def __init__(self, site: Site) -> None:
        self._site = site
        self._buffer = b""
        self._awaited: Request | None = None
        self._missing = 0
        self._task: asyncio.Task[Answer] | None = None
        self._is_full = False
        self.since = time.monotonic()

    @property
    def has_begun(self) -> bool:
        """Whether a request has begun to arrive, or an answer has not left yet."""
        is_under_way = self._awaited is not None or self._task is not None
        return bool(self._buffer) or is_under_way or self.transport.get_write_buffer_size() > 0

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
        while not (self._is_full or self._task or self.transport.is_closing()):
            if not (self._read_body() if self._awaited else self._read_head()):
                break
        if not (self._buffer or self._awaited or self._task):
            self.since = time.monotonic()

    def _read_head(self) -> bool:
        """Take the next request's head, when it is there whole."""
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if len(head) > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif end:
            self._buffer = rest
            self._answer(head.decode("latin-1"))
            return True
        return False

    def _answer(self, head: str) -> None:
        request = parse(head)
        if isinstance(request, HTTPStatus):
            return self._refuse(request)
        application = self._site.application
        accepted = application.accepts(request) if application else -1
        if accepted >= 0:
            return self._await_body(request, accepted)
        # Bodies are of no use to a file; a connection that carries one ends with the answer.
        has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
        keep = request.keep and not has_body and not self._site.is_stopping
        return self._say(self._site.answer(request.method, request.target, keep=keep), keep=keep)

    def _await_body(self, request: Request, limit: int) -> None:
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not length.isdecimal():
            return self._refuse(HTTPStatus.LENGTH_REQUIRED)
        if int(length) > limit:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self._awaited, self._missing = request, int(length)
        if request.headers.get("expect", "").lower() == "100-continue" and len(self._buffer) < self._missing:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None

    def _read_body(self) -> bool:
        """Take the body of the awaited request, when it is there whole, and have it answered."""
        application = self._site.application
        if len(self._buffer) < self._missing or self._awaited is None or application is None:
            return False
        body, self._buffer = self._buffer[: self._missing], self._buffer[self._missing :]
        request, self._awaited = replace(self._awaited, body=body), None
        self.transport.pause_reading()  # what a client sends meanwhile is not kept here without bound
        self._task = asyncio.create_task(application.answer(request))
        self._task.add_done_callback(lambda task: self._answered(request, task.result()))
        return True

    def _answered(self, request: Request, answer: Answer) -> None:
        self._task = None
        if self.transport.is_closing():  # nobody hears it; what was written stays written
            return
        keep = request.keep and not self._site.is_stopping
        self._say(self._site.message(answer, keep=keep, has_body=request.method != "HEAD"), keep=keep)
        if not self._is_full and not self.transport.is_closing():
            self.transport.resume_reading()
        self._answer_all()

    def _say(self, data: bytes, *, keep: bool) -> None:
        self.transport.write(data)
        if not keep:
            self._buffer = b""
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        self._say(self._site.plain(status, keep=False), keep=False)


def parse(head: str) -> Request | HTTPStatus:
    """Return the request that a head asks for, or what is wrong with it."""
    first, *lines = head.lstrip("\r\n").split("\r\n")
    words = first.split(" ")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            return HTTPStatus.BAD_REQUEST
        headers[name.lower()] = value.strip()
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        return HTTPStatus.BAD_REQUEST
    method, target, version = words
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    if version == "HTTP/1.1" and "host" not in headers:
        return HTTPStatus.BAD_REQUEST
    wish = headers.get("connection", "").lower()
    keep = "close" not in wish if version == "HTTP/1.1" else "keep-alive" in wish
    return Request(method, target, headers, keep)


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


def main(application: Application | None = None) -> int:
    """Serve the site of the machine this runs in."""
    site = Site(DocumentRoot("srv/www"), os.environ["NOSPOF_INSTANCE_ID"], application)
    asyncio.run(serve(os.environ["NOSPOF_ADDRESS"], port_of("etc/web.port"), site))
    return 0


if __name__ == "__main__":
    sys.exit(main())
