"""Real web servers on loopback addresses, and a steady stream of requests, for tests of balancers."""

from __future__ import annotations

import asyncio
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

from support.addresses import new_address
from support.waiting import eventually

BACKEND_PORT = 18080
LISTENER_PORT = 18081
_SERVER = Path(__file__).with_name("backend_server.py")


def get(
    url: str, host: str = "", cookie: str = "", trust: ssl.SSLContext | None = None
) -> tuple[int, str, dict[str, str]]:
    """Ask once, on a connection of its own, following no redirect. Header names come in lower case."""
    headers = {name: value for name, value in (("Host", host), ("Cookie", cookie)) if value}
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(_NoRedirect(), urllib.request.HTTPSHandler(context=trust))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), _lower(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), _lower(error.headers)


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class Backend:
    """One web server process.

    Args:
        backlog: how many connections the kernel accepts for it; a frozen server with a backlog of 1
            looks like a machine that vanished: who connects gets no answer, not even a refusal.
    """

    def __init__(self, directory: Path, name: str, backlog: int = 1024) -> None:
        self.name = name
        self.address = new_address()
        self._backlog = backlog
        self._control = directory / f"{name}.health"
        self.answer_health("200")
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                str(_SERVER),
                self.address,
                str(BACKEND_PORT),
                self.name,
                str(self._control),
                str(self._backlog),
            ]
        )
        eventually(self._answers)

    def answer_health(self, how: str) -> None:
        """Say how /health answers: a code, or "hang"."""
        partial = self._control.with_suffix(".new")
        partial.write_text(how)
        partial.replace(self._control)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it and wait until it is gone."""
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(number)
        self._process.wait(10)

    def _answers(self) -> bool:
        try:
            return get(f"http://{self.address}:{BACKEND_PORT}/")[0] == 200
        except OSError:
            return False


@dataclass
class Outcome:
    """What a stream of requests saw."""

    asked: int = 0
    failures: list[str] = field(default_factory=list)
    answered_by: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0


async def _one(
    pool: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]], url: tuple[str, int, str], to: Outcome
) -> None:
    address, port, request = url
    started = time.monotonic()
    writer = None
    try:
        async with asyncio.timeout(15):
            reader, writer = pool.pop() if pool else await asyncio.open_connection(address, port)
            writer.write(request.encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
            await reader.readexactly(int(headers.get("content-length", 0)))
            if " 200 " not in head.splitlines()[0]:
                to.failures.append(head.splitlines()[0])
            to.answered_by[headers.get("x-instance", "")] += 1
            if headers.get("connection") == "close":
                writer.close()
            else:
                pool.append((reader, writer))
    except (OSError, EOFError, TimeoutError) as error:
        to.failures.append(repr(error))
        if writer is not None:
            writer.close()
    to.slowest_seconds = max(to.slowest_seconds, time.monotonic() - started)


async def stream(
    address: str,
    port: int,
    *,
    seconds: float,
    per_second: int,
    events: dict[float, Callable[[], None]] | None = None,
    method: str = "GET",
    path: str = "/",
) -> Outcome:
    """Ask steadily over kept connections, whatever the answers do, and run events at their times.

    Args:
        events: functions by the second they are run at; each in a thread of its own.
    """
    outcome = Outcome()
    pool: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    url = (address, port, f"{method} {path} HTTP/1.1\r\nHost: site.test\r\n{length}\r\n")
    waiting = sorted((events or {}).items())
    tasks: list[asyncio.Task[object]] = []
    started = time.monotonic()
    for number in range(int(seconds * per_second)):
        due = started + number / per_second
        if (pause := due - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        while waiting and waiting[0][0] <= time.monotonic() - started:
            tasks.append(asyncio.create_task(asyncio.to_thread(waiting.pop(0)[1])))
        outcome.asked += 1
        tasks.append(asyncio.create_task(_one(pool, url, outcome)))
    await asyncio.gather(*tasks)
    for _, writer in pool:
        writer.close()
    await asyncio.sleep(0.05)  # closed connections are only gone after a turn of the loop
    return outcome
