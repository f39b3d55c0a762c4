"""The load generator counts what a client would have seen, against a real server that misbehaves."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from nospof.adapters.http.process import HttpLoadGenerator
from nospof.errors import NospofError
from nospof.model.drill import LoadSpec, Objective, Outcome
from nospof.planning.verdict import is_steady, judge
from support.page_server import page_server
from support.waiting import eventually

DEADLINE_SECONDS = 30.0


@pytest.fixture
def server():
    with page_server("127.0.81.1") as server:
        yield server


def run(url, *, rate=200.0, seconds=0.5, **more):
    with HttpLoadGenerator().start(LoadSpec(url, rate, seconds, **more)) as run:
        return run.finish()


def outcomes(result):
    return {Outcome(code): count for code, count in Counter(result.outcomes).items()}


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_every_request_is_sent_once_and_accounted_for(server):
    result = run(server.url, rate=500.0, seconds=1.0)
    assert result.total == len(server.requests) == 500
    assert outcomes(result) == {Outcome.SERVED: 500}
    assert list(result.due) == pytest.approx([number / 500 for number in range(500)])
    assert set(result.statuses) == {200}
    assert judge(result, [], Objective(max_gap_seconds=None)).before.served_by == {"i-1": 500}


@pytest.mark.parametrize(
    ("mode", "outcome", "status"),
    [
        ("ok", Outcome.SERVED, 200),
        ("redirect", Outcome.SERVED, 302),
        ("chunked", Outcome.SERVED, 200),
        ("connection close", Outcome.SERVED, 200),
        ("no length", Outcome.SERVED, 200),
        ("long", Outcome.SERVED, 200),
        ("error", Outcome.BAD_STATUS, 500),
        ("cut", Outcome.CUT_UNANSWERED, 0),
        ("halfway", Outcome.CUT_HALFWAY, 200),
        ("junk", Outcome.NOT_HTTP, 0),
        ("silent", Outcome.TIMED_OUT, 0),
    ],
)
def test_each_misbehaviour_has_its_own_name(server, mode, outcome, status):
    server.mode = mode
    result = run(server.url, rate=100.0, timeout_seconds=0.5 if mode == "silent" else DEADLINE_SECONDS)
    assert outcomes(result) == {outcome: 50}
    assert set(result.statuses) == {status}


def test_a_head_answer_without_a_body_is_whole(server):
    result = run(server.url, method="HEAD")
    assert outcomes(result) == {Outcome.SERVED: 100}
    assert server.requests[0].startswith(b"HEAD / HTTP/1.1\r\n")
    assert result.reopened == 0


def test_a_refused_connection_is_a_failed_request(server):
    server.die()
    assert outcomes(run(server.url)) == {Outcome.NOT_CONNECTED: 100}


def test_connections_are_kept(server):
    result = run(server.url)
    assert result.total == 100
    assert server.connections < 50


def test_connections_closed_while_idle_cost_no_request(server):
    """Asked every 100 ms, closed 20 ms after each answer: every request needs a new connection."""
    server.mode, server.idle_seconds = "close idle", 0.02
    result = run(server.url, rate=10.0, seconds=2.0)
    assert outcomes(result) == {Outcome.SERVED: 20}
    assert result.reopened >= 15
    assert len(server.requests) == 20


def test_a_frozen_service_does_not_slow_its_own_test(server):
    spec = LoadSpec(server.url, 1000.0, 3.0, timeout_seconds=DEADLINE_SECONDS)
    with HttpLoadGenerator().start(spec) as load:
        eventually(lambda: load.snapshot().served >= 500, "500 answers")
        server.freeze(1.0)
        result = load.finish()
    assert outcomes(result) == {Outcome.SERVED: 3000}
    verdict = judge(result, [], Objective())
    assert verdict.longest_gap_seconds >= 0.9
    assert sum(1 for latency in result.latencies if latency > 0.1) >= 600
    assert verdict.before.p99_seconds > 0.5


def test_a_generator_that_was_itself_held_up_leaves_nothing_out_and_says_so(server):
    with HttpLoadGenerator().start(
        LoadSpec(server.url, 200.0, 2.0, timeout_seconds=DEADLINE_SECONDS)
    ) as load:
        os.kill(load.pid, signal.SIGSTOP)
        time.sleep(0.6)
        os.kill(load.pid, signal.SIGCONT)
        result = load.finish()
    assert outcomes(result) == {Outcome.SERVED: 400}
    assert max(result.lateness) > 0.4
    assert max(result.latencies) > 0.4
    assert judge(result, [], Objective(max_gap_seconds=None)).warnings


def test_a_service_that_dies_and_comes_back_is_seen_to_do_so():
    with page_server("127.0.81.2") as server:
        spec = LoadSpec(server.url, 200.0, 60.0)
        with HttpLoadGenerator().start(spec) as load:
            eventually(lambda: load.snapshot().served >= 50, "50 answers")
            assert is_steady(load.snapshot(), ["i-1"]).is_steady
            server.die()
            eventually(lambda: load.snapshot().failed >= 20, "20 failures")
            load.stop()
            result = load.finish()
    seen = outcomes(result)
    assert result.total < 12_000
    assert seen[Outcome.NOT_CONNECTED] >= 15
    assert sum(seen.values()) == result.total
    assert not judge(result, [], Objective()).passed


def test_a_request_that_finds_no_connection_fails_when_its_time_is_over():
    """A full backlog lets further connections hang: nothing can be sent, and everything is due."""
    with socket.create_server(("127.0.81.3", 0), backlog=0) as listener, ExitStack() as stack:
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        result = run(f"http://127.0.81.3:{listener.getsockname()[1]}/", timeout_seconds=0.4)
    assert outcomes(result) == {Outcome.NOT_SENT: 100}
    assert min(result.latencies) >= 0.4


def test_stop_ends_a_long_load_and_keeps_what_was_due(server):
    with HttpLoadGenerator().start(LoadSpec(server.url, 1.0, 3600.0)) as load:
        eventually(lambda: load.snapshot().served >= 1, "an answer")
        load.stop()
        load.stop()
        result = load.finish()
        assert load.finish() is result
        assert load.snapshot().due <= result.total < 10
    assert not is_alive(load.pid)


def test_a_generator_that_is_killed_has_no_result(server):
    with HttpLoadGenerator().start(LoadSpec(server.url, 100.0, 600.0)) as load:
        eventually(lambda: load.snapshot().served >= 10, "10 answers")
        os.kill(load.pid, signal.SIGKILL)
        with pytest.raises(NospofError, match=r"killed by signal 9 after \d+ of 60000 requests"):
            load.finish()
        with pytest.raises(NospofError, match="no result"):
            load.snapshot()


def test_leaving_the_block_ends_the_load(server):
    with HttpLoadGenerator().start(LoadSpec(server.url, 100.0, 600.0)) as load:
        pass
    assert not is_alive(load.pid)
    with pytest.raises(NospofError, match="closed before its end"):
        load.finish()


def test_a_generator_that_cannot_start_says_why(server):
    with pytest.raises(NospofError, match="No such file"):
        HttpLoadGenerator().start(LoadSpec("https://127.0.81.1/", 1.0, 1.0, ca_file="/nonexistent.pem"))


CALLER = """
import sys, time
from nospof.adapters.http.process import HttpLoadGenerator
from nospof.model.drill import LoadSpec
load = HttpLoadGenerator().start(LoadSpec(sys.argv[1], 100.0, 600.0))
print(load.pid, flush=True)
time.sleep(600)
"""


def test_the_generator_dies_with_its_caller(server):
    with subprocess.Popen([sys.executable, "-c", CALLER, server.url], stdout=subprocess.PIPE) as caller:
        pid = int(caller.stdout.readline())
        assert is_alive(pid)
        caller.kill()
    eventually(lambda: not is_alive(pid), "the end of the generator")
