"""Whether requests are in flight at a machine, as its kernel tells; and that a drain waits for them (C75)."""

from __future__ import annotations

import ast
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from nospof.adapters.machine import traffic_script
from nospof.adapters.machine.probe_machine import Machine
from nospof.adapters.machine.ssm import TRAFFIC_PARTS, TRAFFIC_SCHEMA, part_of, script
from nospof.adapters.machine.traffic_script import in_flight
from nospof.model.machine import InFlight
from nospof.model.requests import PairRequest, TakeRequest
from nospof.procedures.maintain import take
from nospof.procedures.membership import QUIET_SECONDS
from nospof.procedures.pair import pair
from nospof.runtime.memory import MemorySteps
from support.memory_world import Silent, memory_world, one_instance
from support.waiting import eventually


class Talk:
    """A server of this computer and a client of it that came from elsewhere."""

    def __init__(self, server: socket.socket) -> None:
        self.port = int(server.getsockname()[1])
        self.client = socket.create_connection(("127.0.0.1", self.port), source_address=("127.0.0.2", 0))
        self.server, _ = server.accept()

    def seen(self) -> tuple[int, int]:
        found = in_flight(Machine("/", "/proc", b""), self.port)
        assert found["problem"] == ""
        return found["requests"], found["idle"]


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")], ids=["IPv4", "both"])
def talk(request: pytest.FixtureRequest) -> Iterator[Talk]:
    family, address = request.param
    is_both = family == socket.AF_INET6
    if is_both and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with socket.create_server((address, 0), family=family, dualstack_ipv6=is_both) as server:
        told = Talk(server)
        with told.client, told.server:
            yield told


def test_c75_a_connection_counts_from_its_request_until_its_answer_is_read(talk: Talk) -> None:
    assert talk.seen() == (0, 1)
    talk.client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    eventually(lambda: talk.seen() == (1, 0), "a request that nobody has read")
    talk.server.recv(100)
    eventually(lambda: talk.seen() == (1, 0), "a request that is worked on")
    talk.server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    eventually(lambda: talk.seen() == (0, 1), "an answer that has arrived")
    talk.client.close()
    talk.server.close()
    eventually(lambda: talk.seen() == (0, 0), "nobody is there")


def test_an_answer_that_its_client_does_not_read_is_in_flight(talk: Talk) -> None:
    talk.client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    talk.server.recv(100)
    talk.server.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            talk.server.send(bytes(1 << 20))
    eventually(lambda: talk.seen() == (1, 0), "an answer on its way")


def test_what_a_machine_has_open_to_itself_is_not_in_flight() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as own:
            own.sendall(b"x")
            found = in_flight(Machine("/", "/proc", b""), port)
    assert (found["requests"], found["idle"], found["problem"]) == (0, 0, "")


def test_a_port_that_nobody_listens_on_or_that_leads_into_a_container_is_not_called_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    m = Machine("/", "/proc", b"")
    assert "nobody there listens on port 1" in in_flight(m, 1)["problem"]
    led_on = [("00000000:0050", "00000000:0000", "docker-proxy")]
    monkeypatch.setattr(traffic_script, "sockets", lambda *_: led_on)
    assert "into a container" in in_flight(m, 80)["problem"]


def test_it_is_of_python_3_6_and_its_parts_are_sent_whole() -> None:
    source = Path(traffic_script.__file__).read_text()
    ast.parse(source, feature_version=(3, 6))
    assert "from __future__" not in source
    whole = "".join(part_of(name) for name in TRAFFIC_PARTS)
    assert "import nospof" not in whole
    assert "from nospof" not in whole
    assert len(script(TRAFFIC_PARTS, TRAFFIC_SCHEMA, "80")) < 12_000


class Seen:
    """A machine at which so many requests are in flight, one look after the other; the last for ever."""

    def __init__(self, *seen: InFlight) -> None:
        self._seen, self.asked = list(seen), []

    def in_flight(self, instance_id: str, port: int) -> InFlight:
        self.asked.append((instance_id, port))
        return self._seen.pop(0) if len(self._seen) > 1 else self._seen[0]


class Warned(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, says: str) -> None:
        self.warnings.append(says)


def taken(traffic: Seen) -> tuple[float, str, list[tuple[str, int]], list[str]]:
    """Take a member at which this is in flight; return how long after it was drained it was stopped."""
    cloud = one_instance()
    member = cloud.the_instance.id
    MemorySteps("0").tell(pair, memory_world(cloud), PairRequest(member, service="www", stateless=True))
    cloud.announce(member)
    reporter = Warned()
    world = replace(memory_world(cloud), traffic=traffic, reporter=reporter)
    began = cloud.clock.now()
    result = MemorySteps("run-1").tell(take, world, TakeRequest(member))
    assert result.events_cleared
    return cloud.clock.now() - began, member, traffic.asked, reporter.warnings


def test_c75_a_member_is_stopped_when_its_last_request_is_answered() -> None:
    busy, quiet = InFlight(requests=2, idle=1), InFlight(idle=3)
    at_once, member, asked, warnings = taken(Seen(quiet))
    assert asked == [(member, 80)]
    later, member, asked, more = taken(Seen(*[busy] * 7, quiet))
    assert asked == [(member, 80)] * 8
    assert later - at_once == pytest.approx(7)
    assert more == warnings


def test_requests_that_do_not_end_are_waited_for_no_longer_than_a_minute_and_told() -> None:
    at_once, *_ = taken(Seen(InFlight()))
    later, _, _, warnings = taken(Seen(InFlight(requests=1)))
    assert later - at_once == pytest.approx(QUIET_SECONDS, abs=2)
    assert any("1 of 1 connections wait for it" in one for one in warnings)


def test_that_nobody_can_tell_what_is_in_flight_is_told() -> None:
    *_, warnings = taken(Seen(InFlight(problem="not managed by SSM")))
    assert any(one.startswith("not checked") and "not managed by SSM" in one for one in warnings)
