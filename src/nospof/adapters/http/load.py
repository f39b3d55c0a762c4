"""The load generator: a process of its own, so that nobody's threads delay its schedule.

`python -m nospof.adapters.http.load` reads a LoadSpec as one JSON line from standard input, sends
each request when it is due (open loop) and writes its ledger to standard output. A further line
means: let no more fall due. The end of the input means that the caller is gone, and so must this be.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from nospof.adapters.http.ledger import Ledger, progress_line
from nospof.adapters.http.pool import Pool
from nospof.model.drill import LoadSpec
from nospof.model.writes import WriteSpec

MAX_CONNECTIONS = 8_192
LEAD_SECONDS = 0.05
"""From the end of the preparations to the first request."""
POLL_ABOVE_PER_SECOND = 300
POLL_SECONDS = 0.0012
"""Timers of the event loop are a millisecond coarse: above that rate the last bit is polled, which
keeps one core busy; below, a millisecond is little against the time between two requests."""
MAX_BURST = 64
"""Requests sent in a row when late, before the loop may read answers again."""
EXPIRE_SECONDS = 0.01
PROGRESS_SECONDS = 0.2
MAX_SLEEP_SECONDS = 0.1


class Load:
    """One load, from its first request to its last outcome."""

    def __init__(self, spec: LoadSpec, say: Callable[[bytes], object]) -> None:
        self._spec = spec
        self._say = say
        self.ledger = Ledger(spec)
        self._is_stopped = False

    def stop(self) -> None:
        """Let no more requests fall due."""
        self._is_stopped = True

    async def run(self) -> Ledger:
        """Run the load to its end."""
        pool = Pool(self._spec, self.ledger, max_connections(self._spec))
        gc.freeze()
        begun = time.monotonic() + LEAD_SECONDS
        self.ledger.begin(begun, time.time() + LEAD_SECONDS)
        upkeep = asyncio.get_running_loop().create_task(self._keep_up(pool))
        try:
            await self._pace(pool, begun)
            while not self.ledger.is_settled:
                if upkeep.done():
                    upkeep.result()  # raises: without upkeep nothing would ever time out
                await asyncio.sleep(EXPIRE_SECONDS)
        finally:
            upkeep.cancel()
            self.ledger.is_over = True
            await pool.close()
        return self.ledger

    async def _pace(self, pool: Pool, begun: float) -> None:
        interval = 1 / self._spec.rate_per_second
        is_polled = self._spec.rate_per_second > POLL_ABOVE_PER_SECOND
        in_a_row = 0
        for number in range(self._spec.count):
            due = begun + number * interval
            now = time.monotonic()
            if now < due:
                now = await self._wait_until(due, is_polled=is_polled)
                in_a_row = 0
            elif (in_a_row := in_a_row + 1) >= MAX_BURST:
                await asyncio.sleep(0)
                now = time.monotonic()
                in_a_row = 0
            if self._is_stopped:
                return
            pool.send(self.ledger.add(due, now))

    async def _wait_until(self, due: float, *, is_polled: bool) -> float:
        """Wait until a request is due or the load is stopped; return the time."""
        early = POLL_SECONDS if is_polled else 0.0
        while (left := due - time.monotonic()) > early and not self._is_stopped:
            await asyncio.sleep(min(left - early, MAX_SLEEP_SECONDS))
        while (now := time.monotonic()) < due and not self._is_stopped:
            await asyncio.sleep(0)
        return now

    async def _keep_up(self, pool: Pool) -> None:
        next_progress = 0.0
        while True:
            now = time.monotonic()
            pool.expire(now)
            if now >= max(next_progress, self.ledger.begun):
                self._say(progress_line(self.ledger.progress(now)))
                next_progress = now + PROGRESS_SECONDS
            await asyncio.sleep(EXPIRE_SECONDS)


def max_connections(spec: LoadSpec) -> int:
    """Return how many connections the load may need: everything due within one timeout.

    Files the process may open bound it; what finds no connection then counts from when it was due.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(int(spec.rate_per_second * spec.timeout_seconds) + 64, MAX_CONNECTIONS)
    if soft < wanted + 64:
        soft = min(wanted + 64, hard) if hard != resource.RLIM_INFINITY else wanted + 64
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - 64))


async def serve(spec: LoadSpec, parent: int, output: IO[bytes]) -> None:
    """Run the load for a caller at the other end of standard input and `output`."""

    def say(line: bytes) -> None:
        output.write(line)
        output.flush()

    load = Load(spec, say)

    def hear() -> None:
        if os.read(0, 64):
            load.stop()
        else:
            os._exit(1)  # the caller is gone: nobody is left to tell, and the load must end

    async def watch_parent() -> None:
        # A stray copy of the pipe in some other child of the caller would hide the end of input.
        while os.getppid() == parent:
            await asyncio.sleep(PROGRESS_SECONDS)
        os._exit(1)

    loop = asyncio.get_running_loop()
    loop.add_reader(0, hear)
    watch = loop.create_task(watch_parent())
    ledger = await load.run()
    watch.cancel()
    ledger.write(output)


def main() -> None:
    """Run one load for the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what Ctrl-C means
    order = json.loads(_read_line(0))
    order["spec"]["headers"] = tuple(tuple(pair) for pair in order["spec"]["headers"])
    if writes := order["spec"]["writes"]:
        order["spec"]["writes"] = WriteSpec(**writes)
    spec = LoadSpec(**order["spec"])
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        from uvloop import new_event_loop as factory
    with asyncio.Runner(loop_factory=factory) as runner, suppress(BrokenPipeError):
        runner.run(serve(spec, order["parent"], sys.stdout.buffer))


def _read_line(descriptor: int) -> bytes:
    """Read one line and not a byte more: what follows is for the event loop."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            sys.exit("the order ended before its line did")
        line += byte
    return line


if __name__ == "__main__":
    main()
