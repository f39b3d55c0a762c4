"""A connection that ended before a request was written on it costs nothing, however late we notice."""

import asyncio
import time

from nospof.adapters.http.ledger import Ledger
from nospof.adapters.http.pool import Pool
from nospof.model.drill import LoadSpec, Outcome
from support.page_server import page_server

DEADLINE_SECONDS = 30.0


async def settled(ledger):
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not ledger.is_settled:
            await asyncio.sleep(0.001)


def test_an_end_the_event_loop_has_not_read_yet_is_noticed_before_writing():
    async def ask_twice(server):
        spec = LoadSpec(server.url, 10.0, 1.0)
        ledger = Ledger(spec)
        ledger.begin(time.monotonic(), time.time())
        pool = Pool(spec, ledger, max_connections=4)
        pool.send(ledger.add(time.monotonic(), time.monotonic()))
        await settled(ledger)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while server.is_busy:  # blocks our event loop on purpose: it must not see the end by itself
            assert time.monotonic() < deadline
            time.sleep(0.01)
        pool.send(ledger.add(time.monotonic(), time.monotonic()))
        await settled(ledger)
        ledger.is_over = True
        await pool.close()
        return ledger

    with page_server("127.0.84.1") as server:
        server.mode, server.idle_seconds = "close idle", 0.3
        ledger = asyncio.run(ask_twice(server))
    assert list(ledger.columns["outcomes"]) == [Outcome.SERVED, Outcome.SERVED]
    assert ledger.reopened == 1
    assert server.connections == 2


def test_no_more_connections_than_allowed_are_opened_and_the_rest_waits():
    async def ask(server):
        spec = LoadSpec(server.url, 10.0, 1.0)
        ledger = Ledger(spec)
        ledger.begin(time.monotonic(), time.time())
        pool = Pool(spec, ledger, max_connections=3)
        for _ in range(30):
            pool.send(ledger.add(time.monotonic(), time.monotonic()))
        await settled(ledger)
        ledger.is_over = True
        await pool.close()
        return ledger

    with page_server("127.0.84.2") as server:
        ledger = asyncio.run(ask(server))
        assert server.connections == 3
    assert (ledger.served, ledger.failed, ledger.reopened) == (30, 0, 0)


def test_a_connection_whose_request_timed_out_makes_room_for_the_next():
    async def ask(server):
        spec = LoadSpec(server.url, 10.0, 1.0)
        ledger = Ledger(spec)
        ledger.begin(time.monotonic(), time.time())
        pool = Pool(spec, ledger, max_connections=1)
        pool.send(ledger.add(time.monotonic(), time.monotonic()))
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not server.requests:
                await asyncio.sleep(0.001)
        pool.expire(time.monotonic() + spec.timeout_seconds)
        server.mode = "ok"
        pool.send(ledger.add(time.monotonic(), time.monotonic()))
        await settled(ledger)
        ledger.is_over = True
        await pool.close()
        return ledger

    with page_server("127.0.84.3") as server:
        server.mode = "silent"
        ledger = asyncio.run(ask(server))
    assert list(ledger.columns["outcomes"]) == [Outcome.TIMED_OUT, Outcome.SERVED]
