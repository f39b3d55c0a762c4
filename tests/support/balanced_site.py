"""The balancer without a cloud around it: its servers are processes that a test commands."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from nospof.localcloud.balancer import (
    Balancer,
    Forward,
    HaproxyBalancer,
    HealthCheck,
    Listener,
    Rule,
    ServerView,
    Target,
    TargetGroup,
)
from support.addresses import new_address
from support.backends import BACKEND_PORT, LISTENER_PORT, Backend

CHECK = HealthCheck(path="/health", interval_seconds=1, timeout_seconds=1, healthy_threshold=2)
GROUP = "site.1"


class BalancedSite:
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
