"""The balancer as a process: started, adopted, killed, stopped, and refused what is wrong."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nospof.localcloud.balancer import (
    FixedResponse,
    HaproxyBalancer,
    Listener,
    Rule,
)
from nospof.localcloud.balancer.configuration import structure
from nospof.localcloud.balancer.runtime import ask
from nospof.localcloud.machines.processes import stat_of
from support.addresses import new_address
from support.backends import LISTENER_PORT, get
from support.balanced_site import BalancedSite, target_of
from support.nobody import as_nobody, home_of_nobody, python_of_nobody
from support.waiting import eventually


def test_a_killed_haproxy_comes_back(site: BalancedSite) -> None:
    one = site.backend("one")
    site.serve(target_of(one))
    for victim in (site.balancer.process.pid, site.balancer.process.worker_pid):
        pid = victim()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: stat_of(pid) is None)  # type: ignore[misc]
        eventually(lambda: site.balancer.apply(site.wanted))
        assert get(site.url)[:2] == (200, "one")


def test_another_process_adopts_a_running_haproxy(site: BalancedSite) -> None:
    one = site.backend("one")
    site.serve(target_of(one))
    pid, worker = site.balancer.process.pid(), site.balancer.process.worker_pid()
    heir = HaproxyBalancer(site.balancer.directory)
    assert heir.apply(site.wanted)
    assert (heir.process.pid(), heir.process.worker_pid()) == (pid, worker)
    assert get(site.url)[0] == 200


def test_a_haproxy_whose_starter_died_too_early_is_adopted(site: BalancedSite) -> None:
    site.serve(target_of(site.backend("one")))
    pid = site.balancer.process.pid()
    (site.balancer.directory / "haproxy.identity").unlink()
    heir = HaproxyBalancer(site.balancer.directory)
    assert heir.apply(site.wanted)
    assert heir.process.pid() == pid


def test_a_reused_process_id_is_not_taken_for_haproxy(site: BalancedSite) -> None:
    site.serve()
    identity = site.balancer.directory / "haproxy.identity"
    true_identity = identity.read_text()
    here = stat_of(os.getpid())
    assert here
    identity.write_text(f"{here.pid} {here.started - 1}\n")
    assert site.balancer.process.pid() == 0
    identity.write_text(true_identity)


def test_stopping_leaves_no_process(site: BalancedSite) -> None:
    site.serve()
    pids = [site.balancer.process.pid(), site.balancer.process.worker_pid()]
    site.balancer.stop()
    assert [stat_of(pid) for pid in pids] == [None, None]


def test_only_the_balancers_own_loopback_address_is_bound(site: BalancedSite) -> None:
    site.serve(target_of(site.backend("one")))
    text = (site.balancer.directory / "haproxy.cfg").read_text()
    assert re.findall(r"^\s*bind (\S+)", text, re.M) == [f"{site.address}:{LISTENER_PORT}"]
    with pytest.raises(ValueError, match="not a loopback address"):
        structure(replace(site.wanted, address="0.0.0.0"))  # noqa: S104 - must be refused
    assert not site.balancer.apply(replace(site.wanted, address="10.0.0.1"))


def test_a_directory_longer_than_a_socket_path_works(site: BalancedSite) -> None:
    one = site.backend("one")
    site.balancer = HaproxyBalancer(site.directory / ("d" * 120) / ("e" * 120))
    site.serve(target_of(one))
    assert get(site.url)[0] == 200


def test_a_refused_change_leaves_the_old_balancer_in_force(site: BalancedSite) -> None:
    one = site.backend("one")
    site.serve(target_of(one))
    with _taken(site.address, LISTENER_PORT + 9):
        broken = replace(
            site.wanted,
            listeners=(
                *site.wanted.listeners,
                Listener(LISTENER_PORT + 9, (Rule((), FixedResponse(200)),)),
            ),
        )
        assert not site.balancer.apply(broken)
        assert "bind" in site.balancer.error
        assert get(site.url)[0] == 200
    assert site.balancer.apply(broken), site.balancer.error


@contextlib.contextmanager
def _taken(address: str, port: int) -> Iterator[None]:
    with socket.socket() as other:
        other.bind((address, port))
        other.listen(1)
        yield


def test_two_balancers_do_not_disturb_each_other(tmp_path: Path) -> None:
    sites = [BalancedSite(tmp_path / "a"), BalancedSite(tmp_path / "b")]
    try:
        for site, name in zip(sites, ("one", "two"), strict=True):
            site.directory.mkdir()
            site.serve(target_of(site.backend(name)))
        assert [get(site.url)[1] for site in sites] == ["one", "two"]
        sites[0].balancer.stop()
        assert get(sites[1].url)[1] == "two"
    finally:
        for site in sites:
            site.end()


def test_applying_twice_asks_haproxy_nothing_new(site: BalancedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.serve(target_of(site.backend("one")))
    eventually(lambda: site.balancer.apply(site.wanted) and site.in_service("one"))
    asked: list[tuple[str, ...]] = []
    real: Callable[..., str] = ask
    monkeypatch.setattr(
        "nospof.localcloud.balancer.haproxy.ask",
        lambda *words: asked.append(words[2:]) or real(*words),
    )
    deadline = time.monotonic() + 1.2
    while time.monotonic() < deadline:
        assert site.balancer.apply(site.wanted)
        time.sleep(0.05)
    assert asked
    assert {commands[0] for commands in asked} == {"show servers state"}


def test_a_user_without_rights_has_balancers_too_but_no_low_port() -> None:
    program = Path(__file__).parents[1] / "support" / "unprivileged_balancer.py"
    with home_of_nobody() as home:
        done = as_nobody(python_of_nobody(home), str(program), str(home), new_address(), home=home)
    assert done.returncode == 0, done.stderr
    low, body, pid = done.stdout.splitlines()
    first_free = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    assert ("use a higher port" in low) == (first_free > 80)
    assert (body, pid) == ("served", "0")
