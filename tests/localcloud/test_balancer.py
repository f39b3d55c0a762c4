"""The balancer with real HAProxy processes and real web servers that are really killed."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection

import pytest

from nospof.localcloud.balancer import (
    Balancer,
    FixedResponse,
    Forward,
    Listener,
    Rule,
    TargetGroup,
)
from support.backends import LISTENER_PORT, get, stream
from support.balanced_site import CHECK, BalancedSite, target_of
from support.waiting import eventually


def test_both_targets_serve_and_a_check_carries_the_targets_own_address(site: BalancedSite) -> None:
    one, two = site.backend("one"), site.backend("two")
    site.serve(target_of(one), target_of(two))
    assert {get(site.url)[1] for _ in range(8)} == {"one", "two"}
    status, seen, _ = get(f"{site.url}/headers", host="shop.test")
    assert status == 200
    assert "shop.test" in seen
    assert "x-forwarded-for" in seen.lower()


def test_killing_one_of_two_servers_fails_no_get(site: BalancedSite) -> None:
    one, two = site.backend("one"), site.backend("two")
    site.serve(target_of(one), target_of(two))
    site.keep()
    outcome = asyncio.run(
        stream(site.address, LISTENER_PORT, seconds=6, per_second=500, events={2.0: lambda: one.end()})
    )
    assert outcome.asked == 3000
    assert outcome.failures == []
    assert outcome.answered_by["two"] > outcome.answered_by["one"] > 0
    assert not site.in_service("one")


@pytest.mark.parametrize("backlog", [1024, 1], ids=["frozen", "vanished"])
def test_a_server_that_falls_silent_fails_no_get(site: BalancedSite, backlog: int) -> None:
    one, two = site.backend("one", backlog), site.backend("two")
    site.serve(target_of(one), target_of(two))
    site.keep()
    outcome = asyncio.run(
        stream(
            site.address,
            LISTENER_PORT,
            seconds=6,
            per_second=300,
            events={1.0: lambda: one.send(signal.SIGSTOP)},
        )
    )
    assert outcome.failures == []
    assert outcome.answered_by["one"] > 0
    assert not site.in_service("one")


def test_profile_alb_does_not_repeat_a_request_elsewhere(site: BalancedSite) -> None:
    one, two = site.backend("one"), site.backend("two")
    site.serve(target_of(one), target_of(two), profile="alb")
    one.end()
    codes = {get(site.url)[0] for _ in range(6)}
    assert codes == {200, 503} or codes == {200, 502}


def test_draining_a_server_and_ending_it_fails_nothing_and_it_comes_back(site: BalancedSite) -> None:
    one, two = site.backend("one"), site.backend("two")
    site.serve(target_of(one), target_of(two))
    site.keep()

    def drain() -> None:
        site.serve(target_of(one, draining=True), target_of(two))

    def reboot() -> None:
        one.end(signal.SIGTERM)
        one.start()
        site.serve(replace(target_of(one), name="one-again"), target_of(two))

    for method in ("GET", "POST"):
        site.serve(target_of(one), target_of(two))
        eventually(lambda: site.in_service("one"))
        outcome = asyncio.run(
            stream(
                site.address,
                LISTENER_PORT,
                seconds=5,
                per_second=300,
                method=method,
                events={1.0: drain, 2.0: reboot},
            )
        )
        assert outcome.failures == []
        assert site.in_service("one-again")


def test_target_changes_and_reloads_under_load_fail_nothing(site: BalancedSite) -> None:
    one, two, three = (site.backend(name) for name in ("one", "two", "three"))
    site.serve(target_of(one), target_of(two))

    def change_targets() -> None:
        for number in range(10):
            name = f"three-{number}"
            site.serve(target_of(one), target_of(two), replace(target_of(three), name=name))
            eventually(lambda: site.balancer.apply(site.wanted) and get(site.url)[1] == "three")
            site.serve(target_of(one), target_of(two))

    def change_structure() -> None:
        for number in range(5):
            extra = Listener(LISTENER_PORT + 1 + number, (Rule((), FixedResponse(200)),))
            site.wanted = replace(site.wanted, listeners=(site.wanted.listeners[0], extra))
            assert site.balancer.apply(site.wanted), site.balancer.error

    def change() -> None:
        change_targets()
        change_structure()

    outcome = asyncio.run(
        stream(site.address, LISTENER_PORT, seconds=6, per_second=300, events={0.5: change})
    )
    assert outcome.failures == []
    assert outcome.answered_by["three"] > 0
    assert site.in_service("one")
    assert site.in_service("two")


def test_a_request_in_flight_ends_although_its_target_drains(site: BalancedSite) -> None:
    one = site.backend("one")
    site.serve(target_of(one))
    answers: list[int] = []
    slow = threading.Thread(target=lambda: answers.append(get(f"{site.url}/slow?1.5")[0]))
    slow.start()
    eventually(lambda: _sessions(site, "one") == 1)
    site.serve(target_of(one, draining=True))
    assert get(site.url)[0] == 503
    slow.join()
    assert answers == [200]


def test_a_request_in_flight_is_cut_when_the_target_is_gone(site: BalancedSite) -> None:
    one = site.backend("one")
    site.serve(target_of(one), profile="alb")
    answers: list[int] = []
    slow = threading.Thread(target=lambda: answers.append(get(f"{site.url}/slow?60")[0]))
    slow.start()
    eventually(lambda: _sessions(site, "one") == 1)
    site.serve(profile="alb")
    slow.join(20)
    assert answers in ([502], [503])
    eventually(lambda: site.balancer.apply(site.wanted) and site.view("one") is None)


def _sessions(site: BalancedSite, name: str) -> int:
    view = site.view(name)
    return view.sessions if view else 0


def test_what_an_application_cannot_do_now_takes_no_server_out_of_service(site: BalancedSite) -> None:
    one = site.backend("one")
    site.serve(target_of(one))
    eventually(lambda: site.in_service("one"))
    client = HTTPConnection(site.address, LISTENER_PORT, timeout=10)
    with closing(client):
        for _ in range(10):
            client.request("POST", "/broken", b"")
            with client.getresponse() as answer:
                assert answer.status == 503
                answer.read()
            assert site.in_service("one")


def test_a_new_target_gets_nothing_before_it_passed_a_check(site: BalancedSite) -> None:
    one, two = site.backend("one"), site.backend("two")
    two.answer_health("503")
    site.serve(target_of(one), target_of(two), profile="alb")
    assert {get(site.url)[1] for _ in range(10)} == {"one"}
    assert not site.in_service("two")
    two.answer_health("200")
    eventually(lambda: site.balancer.apply(site.wanted) and site.in_service("two"))
    assert {get(site.url)[1] for _ in range(10)} == {"one", "two"}


def test_when_no_target_is_healthy_all_of_them_serve(site: BalancedSite) -> None:
    one, two = site.backend("one"), site.backend("two")
    site.serve(target_of(one), target_of(two))
    site.keep()
    for backend in (one, two):
        backend.answer_health("503")
    eventually(lambda: not site.in_service("one") and not site.in_service("two"))
    answers = [get(site.url) for _ in range(20)]
    assert {status for status, _, _ in answers} == {200}
    assert {body for _, body, _ in answers} == {"one", "two"}


def test_weights_share_the_requests(site: BalancedSite) -> None:
    one, two = site.backend("one"), site.backend("two")
    rule = Rule((), Forward((("a.1", 90), ("b.1", 10))))
    groups = (
        TargetGroup("a.1", CHECK, (target_of(one),)),
        TargetGroup("b.1", CHECK, (target_of(two),)),
    )
    wanted = Balancer(site.address, (Listener(LISTENER_PORT, (rule,)),), groups)
    assert site.balancer.apply(wanted), site.balancer.error
    outcome = asyncio.run(stream(site.address, LISTENER_PORT, seconds=2, per_second=300))
    assert outcome.failures == []
    # 600 draws at 10 %: 60 expected, standard deviation 7.3; these bounds are 5 of them away.
    assert 23 < outcome.answered_by["two"] < 97
