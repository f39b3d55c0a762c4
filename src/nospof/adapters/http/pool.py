"""Keep-alive connections of a load: as many as its timeout can need, each with one request at a time.

A connection the service closes while idle costs no request. A request that was written is never
sent again: whatever happens to it then is its outcome.
"""

from __future__ import annotations

import asyncio
import select
import ssl
import time
from collections import deque
from typing import cast
from urllib.parse import urlsplit

from nospof.adapters.http.ledger import Ledger, Request
from nospof.adapters.http.reader import AnswerReader, NotHttpError
from nospof.model.drill import LoadSpec, Outcome
from nospof.model.writes import ID

ENDED: int = getattr(select, "POLLRDHUP", select.POLLIN)
"""The peer will send no more. Where the kernel has no word for that, anything unasked for means it."""


class Pool:
    """Sends requests over the fewest connections that can carry them."""

    def __init__(self, spec: LoadSpec, ledger: Ledger, max_connections: int) -> None:
        self._spec = spec
        self._ledger = ledger
        self._max = max_connections
        self._open: set[_Connection] = set()
        self._idle: list[_Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[Request] = deque()
        self._unsettled: deque[Request] = deque()
        parts = urlsplit(spec.url)
        self._hostname = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=spec.ca_file or None)
        self._bytes = None if spec.writes else request_bytes(spec)

    def send(self, request: Request) -> None:
        """Send a request now, or as soon as there is a connection for it."""
        self._unsettled.append(request)
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable():
                connection.send(request, self._bytes_of(request))
                return
            connection.drop()
        self._waiting.append(request)
        self._open_more()

    def expire(self, now: float) -> None:
        """Fail what was due too long ago. All have one timeout, so they expire in order."""
        limit = now - self._spec.timeout_seconds
        while self._unsettled and (self._unsettled[0].is_settled or self._unsettled[0].due <= limit):
            request = self._unsettled.popleft()
            if request.is_settled:
                continue
            carrier = cast("_Connection | None", request.carrier)
            self._ledger.settle(request, now, Outcome.TIMED_OUT if carrier else Outcome.NOT_SENT)
            if carrier:
                carrier.drop()
        while self._waiting and self._waiting[0].is_settled:
            self._waiting.popleft()

    async def close(self) -> None:
        """Close every connection."""
        for task in self._opening:
            task.cancel()
        for connection in tuple(self._open):
            connection.drop()
        await asyncio.gather(*self._opening, return_exceptions=True)
        await asyncio.sleep(0)

    def _bytes_of(self, request: Request) -> bytes:
        return self._bytes or request_bytes(self._spec, request.row)

    def _open_more(self) -> None:
        while len(self._opening) < len(self._waiting) and len(self._open) + len(self._opening) < self._max:
            task = asyncio.get_running_loop().create_task(self._open_one())
            self._opening.add(task)
            task.add_done_callback(self._opened)

    async def _open_one(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._spec.timeout_seconds):
                await loop.create_connection(
                    lambda: _Connection(self, self._ledger, self._spec),
                    self._hostname,
                    self._port,
                    ssl=self._tls,
                    server_hostname=(self._spec.host.partition(":")[0] or None) if self._tls else None,
                )
        except TimeoutError:
            return  # the requests that waited for it expire on their own
        except (OSError, UnicodeError):
            request = self._next_waiting()
            if request:
                self._ledger.settle(request, time.monotonic(), Outcome.NOT_CONNECTED)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled():
            self._open_more()

    def _next_waiting(self) -> Request | None:
        while self._waiting:
            request = self._waiting.popleft()
            if not request.is_settled:
                return request
        return None

    def is_ready(self, connection: _Connection) -> None:
        """Take back a connection that can carry the next request."""
        self._open.add(connection)
        while self._waiting and self._waiting[0].is_settled:
            self._waiting.popleft()
        if not self._waiting:
            self._idle.append(connection)
        elif connection.is_usable():
            request = self._waiting.popleft()
            connection.send(request, self._bytes_of(request))
        else:
            connection.drop()

    def is_gone(self, connection: _Connection, *, was_idle: bool) -> None:
        """Forget a connection; one closed by the service while idle is counted."""
        self._open.discard(connection)
        if was_idle:
            self._ledger.reopened += 1
        self._open_more()


class _Connection(asyncio.Protocol):
    """One connection; carries at most one request at a time."""

    def __init__(self, pool: Pool, ledger: Ledger, spec: LoadSpec) -> None:
        self._pool = pool
        self._ledger = ledger
        self._reader = AnswerReader(spec.instance_header, is_head=spec.method == "HEAD")
        self._request: Request | None = None
        self._is_dropped = False
        self._news = select.poll()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._news.register(transport.get_extra_info("socket").fileno(), ENDED)
        self._pool.is_ready(self)

    def is_usable(self) -> bool:
        """Whether an idle connection is still open.

        An end that has arrived but was not read yet is asked of the kernel: the event loop may
        know of it only after a request was written into the void.
        """
        return not self._transport.is_closing() and not self._news.poll(0)

    def send(self, request: Request, data: bytes) -> None:
        """Write a request."""
        self._request = request
        request.carrier = self
        self._reader.begin()
        self._transport.write(data)

    def drop(self) -> None:
        """Close it at once, with whatever it carries."""
        was_idle = self._request is None and not self._is_dropped
        self._leave(was_idle=was_idle and not self._ledger.is_over)

    def data_received(self, data: bytes) -> None:
        request = self._request
        if request is None:
            self.drop()  # nobody asked: what it says next could be taken for an answer
            return
        try:
            is_whole = self._reader.feed(data)
        except NotHttpError:
            self._settle(Outcome.NOT_HTTP)
            self._leave()
            return
        if not is_whole:
            return
        self._settle_whole()
        if self._reader.is_keep_alive:
            self._pool.is_ready(self)
        else:
            self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._request is None:
            self._leave(was_idle=True)
            return
        if exc is None and self._reader.close():
            self._settle_whole()
        else:
            self._settle(Outcome.CUT_HALFWAY if self._reader.has_begun else Outcome.CUT_UNANSWERED)
        self._leave()

    def _settle_whole(self) -> None:
        status = self._reader.status
        self._settle(Outcome.SERVED if status < 400 else Outcome.BAD_STATUS)

    def _settle(self, outcome: Outcome) -> None:
        request, self._request = self._request, None
        if request is not None:
            request.carrier = None
            reader = self._reader
            self._ledger.settle(request, time.monotonic(), outcome, reader.status, reader.instance)

    def _leave(self, *, was_idle: bool = False) -> None:
        """Leave the pool, once."""
        if self._is_dropped:
            return
        self._is_dropped = True
        self._request = None
        self._transport.abort()
        self._pool.is_gone(self, was_idle=was_idle)


def request_bytes(spec: LoadSpec, row: int = 0) -> bytes:
    """Return a request as it goes over the wire: a read is the same each time, a write has its own id."""
    parts = urlsplit(spec.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = spec.host or parts.netloc.rpartition("@")[2]
    lines = [f"{spec.method} {target} HTTP/1.1", f"Host: {host}", "User-Agent: nospof-load", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in spec.headers]
    if spec.writes is None:
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", errors="replace")
    id_ = spec.writes.id_of(row)
    body = spec.writes.body_of(id_)
    lines += [f"Content-Type: {spec.writes.content_type}", f"Content-Length: {len(body)}"]
    head = "\r\n".join(lines).replace(ID, id_) + "\r\n\r\n"
    return head.encode("latin-1", errors="replace") + body
