"""How the members of a service are at this moment."""

from dataclasses import replace

import pytest

from nospof.errors import NospofError
from nospof.model.machine import InFlight
from nospof.model.members import MemberSeen, SeatSeen
from nospof.model.requests import PairRequest
from nospof.procedures.pair import pair
from nospof.runtime.memory import MemorySteps
from nospof.services.members import members_seen
from support.memory_world import memory_world, one_instance


class Traffic:
    """One that looks at open connections, and notes where."""

    def __init__(self):
        self.asked = []

    def in_flight(self, instance_id, port):
        self.asked.append((instance_id, port))
        return InFlight(requests=3, idle=1)


@pytest.fixture
def paired():
    cloud = one_instance()
    request = PairRequest(cloud.the_instance.id, service="www", stateless=True)
    made = MemorySteps("before").tell(pair, memory_world(cloud), request)
    return cloud, made.members


def test_both_members_of_a_pair_serve_and_what_is_open_there_is_told(paired):
    cloud, members = paired
    traffic = Traffic()
    seen = members_seen(replace(memory_world(cloud), traffic=traffic), "www", members)
    assert [one.instance_id for one in seen] == [*members]
    assert len({one.zone for one in seen}) == 2
    assert all(one.serves and one.traffic == InFlight(3, 1) for one in seen)
    assert sorted(traffic.asked) == sorted((one, 80) for one in members)


def test_one_that_is_off_does_not_serve_and_nobody_looks_into_it(paired):
    cloud, members = paired
    cloud.stop_instance(members[0])
    traffic = Traffic()
    first, second = members_seen(replace(memory_world(cloud), traffic=traffic), "www", members)
    assert (first.serves, first.traffic, second.serves) == (False, None, True)
    assert [one for one, _ in traffic.asked] == [members[1]]


def test_of_an_instance_alone_nobody_knows_whether_it_serves():
    cloud = one_instance()
    (seen,) = members_seen(memory_world(cloud), "alone", (cloud.the_instance.id,))
    assert (seen.seats, seen.serves, seen.state) == ((), None, "running")


def test_one_that_the_cloud_knows_no_more_is_an_error_and_no_state():
    with pytest.raises(NospofError):
        members_seen(memory_world(one_instance()), "www", ("i-gone",))


@pytest.mark.parametrize(
    ("changed", "serves"),
    [
        ({}, True),
        ({"seats": ()}, None),
        ({"state": "stopping", "seats": ()}, False),
        ({"state": "stopping"}, False),
        ({"checks": "impaired"}, False),
        ({"checks": "not told"}, False),
        ({"seats": (SeatSeen("a", 80, "healthy"), SeatSeen("b", 80, "draining"))}, False),
    ],
)
def test_running_is_not_serving(changed, serves):
    one = MemberSeen("i-a", "us-east-1a", "running", "ok", (SeatSeen("a", 80, "healthy"),))
    assert replace(one, **changed).serves is serves
