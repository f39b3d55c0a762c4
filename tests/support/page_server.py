"""A small real web server that misbehaves on request, in a thread of the test."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

BODY = b"HTTP/1.1 200 OK\r\nX-Instance: i-1\r\nContent-Length: 2\r\n\r\nok"

ANSWERS = {
    "ok": BODY,
    "error": BODY.replace(b"200 OK", b"500 Internal Server Error"),
    "redirect": BODY.replace(b"200 OK", b"302 Found\r\nLocation: /install"),
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "connection close": BODY.replace(b"X-Instance", b"Connection: close\r\nX-Instance"),
    "no length": b"HTTP/1.1 200 OK\r\n\r\nok",
    "cut": b"",
    "halfway": BODY[:-1],
    "junk": b"SSH-2.0-OpenSSH_9.6\r\n",
    "close idle": BODY,
    "long": b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000,
}
CLOSING = {"connection close", "no length", "cut", "halfway", "close idle"}


class PageServer:
    """Answers every request according to `mode`: a key of ANSWERS, "silent" or "trickle"."""

    def __init__(self, address: str, tls: ssl.SSLContext | None = None) -> None:
        self.mode = "ok"
        self.idle_seconds = 0.0
        self.requests: list[bytes] = []
        self.connections = 0
        self._address = address
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._address}:{self.port}/"

    @property
    def is_busy(self) -> bool:
        """Whether any connection is open on this side."""
        return bool(self._tasks)

    def start(self) -> None:
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, self._address, 0, backlog=4096, ssl=self._tls)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def freeze(self, seconds: float) -> None:
        """Do nothing at all for a while; the kernel still accepts connections."""
        self._loop.call_soon_threadsafe(time.sleep, seconds)

    def die(self) -> None:
        """Cut every connection and refuse new ones."""
        asyncio.run_coroutine_threadsafe(self._die(), self._loop).result(10)

    def stop(self) -> None:
        self.die()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _die(self) -> None:
        self._server.close()
        await asyncio.sleep(0.05)  # what was accepted a moment ago begins, or it could not be ended
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # closing a transport takes a round of the loop

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                    if not await self._answer(writer):
                        return
        except asyncio.CancelledError:
            pass  # the test ends this server
        finally:
            writer.transport.close()
            self._loop.call_soon(self._loop.call_soon, self._tasks.discard, task)  # once it is closed

    async def _answer(self, writer: asyncio.StreamWriter) -> bool:
        mode = self.mode
        if mode == "silent":
            await asyncio.sleep(3600)
        if mode == "trickle":
            for byte in BODY * 1000:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.05)
        answer = ANSWERS[mode]
        if self.requests[-1].startswith(b"HEAD"):
            answer = answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        writer.write(answer)
        if mode == "close idle":
            await asyncio.sleep(self.idle_seconds)
        return mode not in CLOSING


@contextmanager
def page_server(address: str, tls: ssl.SSLContext | None = None) -> Iterator[PageServer]:
    """Run a server on an address of 127.0.0.0/8 for the length of a block."""
    server = PageServer(address, tls)
    server.start()
    try:
        yield server
    finally:
        server.stop()
