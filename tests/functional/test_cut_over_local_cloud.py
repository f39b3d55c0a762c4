"""A cut-over on the local cloud under load: real pages, a real HAProxy, names chosen by weight.

Time runs faster than on the wall, for the procedure and for what clients remember alike: Route 53's minutes
are what a cut-over is made of.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from nospof.model.cutting_over import CutOverResult, Ending
from nospof.model.permissions import policy
from nospof.model.requests import CutOverRequest, PairRequest
from nospof.ports.world import World
from nospof.procedures.cut_over import cut_over
from nospof.procedures.pair import pair
from nospof.runtime.memory import MemorySteps
from support.ec2_words import launch, running, tagged
from support.hosted_zones import Resolver, zone_of
from support.least_privilege import somebody
from support.local_cloud import RunningCloud

pytestmark = pytest.mark.local_cloud

SPEED = 20.0
PORT = 8080
CLIENTS = 4
WWW = "www.example.org"


class FastClock:
    """A clock on which a minute takes three seconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> float:
        return 1.8e9 + (time.monotonic() - self._began) * SPEED

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / SPEED)


@dataclass(frozen=True)
class Scene:
    """A pair with a name that leads to its source. `mover` may do what the printed policy says."""

    cloud: RunningCloud
    world: World
    mover: World
    zone_id: str
    members: tuple[str, ...]

    def records(self) -> list[dict[str, Any]]:
        """Return what stands at the name, as Route 53 gives it out."""
        asked = self.cloud.client("route53").list_resource_record_sets(
            HostedZoneId=self.zone_id, StartRecordName=WWW
        )
        return [one for one in asked["ResourceRecordSets"] if one["Name"] == f"{WWW}."]

    def cut_over(self) -> CutOverResult:
        request = CutOverRequest("www", steps=(50, 100), watch_seconds=20)
        return MemorySteps("cut-over-1").tell(cut_over, self.mover, request)


@pytest.fixture
def scene(local_cloud: RunningCloud) -> Scene:
    fast = {"clock": FastClock(), "poll_seconds": 2.0}
    world = somebody(local_cloud).world(**fast)
    mover = somebody(local_cloud, policy("cut-over")).world(**fast)
    source = running(
        local_cloud.client("ec2"), launch(local_cloud, TagSpecifications=tagged("instance", "www"))
    )
    asked = PairRequest(
        source,
        service="www",
        port=PORT,
        listener_port=PORT,
        health_path="/health",
        stateless=True,
        live=True,
        jobs_may_run_twice=True,
    )
    members = MemorySteps("pair-1").tell(pair, world, asked).members
    zone_id = zone_of(local_cloud.client("route53"), "example.org")
    record = {
        "Name": WWW,
        "Type": "A",
        "TTL": 120,
        "ResourceRecords": [{"Value": world.cloud.instance(source).public_ip}],
    }
    local_cloud.client("route53").change_resource_record_sets(
        HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )
    return Scene(local_cloud, world, mover, zone_id, members)


def get(host: str) -> str:
    """Ask for the page; return the status, or what went wrong."""
    connection = http.client.HTTPConnection(host, PORT, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": f"{WWW}:{PORT}"})
        with connection.getresponse() as response:
            response.read()
            return str(response.status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


@contextmanager
def clients(scene: Scene) -> Iterator[Counter[tuple[str, str]]]:
    """Have clients ask all the time, each where it was told to; count where they asked and what they got."""
    resolver = Resolver(scene.cloud.client("route53"), scene.zone_id, scene.world.clock.now)
    counts: Counter[tuple[str, str]] = Counter()
    lock, is_over = threading.Lock(), threading.Event()

    def ask(number: int) -> None:
        while not is_over.wait(0.05):
            with lock:
                host = resolver.host(number, WWW)
            answer = get(host)
            with lock:
                counts[host, answer] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


@contextmanager
def once(holds: Callable[[], bool], act: Callable[[], object]) -> Iterator[None]:
    """Act as soon as something holds, beside what is done here."""
    is_over = threading.Event()

    def wait() -> None:
        while not is_over.wait(0.1):
            if holds():
                act()
                return

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_clients_move_to_the_pair_without_a_failed_request_and_back_when_it_is_no_longer_whole(scene):
    address = scene.world.cloud.instance(scene.members[0]).public_ip
    (balancer,) = (one for one in scene.world.cloud.load_balancers() if one.name == "nospof-www")
    before = scene.records()

    def kill_the_twin() -> None:
        scene.cloud.admin("POST", "fault", {"instance": scene.members[1], "fault": "kill"})

    with clients(scene) as counts:
        moved = scene.cut_over()
        assert moved.outcome is Ending.MOVED, moved
        (now,) = scene.records()
        assert now["AliasTarget"]["DNSName"] == f"{balancer.dns_name.lower()}."
        half = dict(counts)
        scene.world.cloud.replace_records(scene.zone_id, moved.names[0].after, moved.names[0].before)
        with once(lambda: len(scene.records()) == 2, kill_the_twin):
            returned = scene.cut_over()
    assert {answer for _, answer in half} == {"200"}, half
    assert {host for host, _ in half} == {address, balancer.dns_name.lower()}
    assert returned.outcome is Ending.RETURNED, returned
    assert scene.members[1] in returned.watched[-1].measured.not_whole
    assert scene.records() == before
    # A balancer asks again elsewhere where nobody answers; what was half answered is lost.
    lost = sum(count for (_, answer), count in counts.items() if answer != "200")
    assert lost <= CLIENTS, counts
