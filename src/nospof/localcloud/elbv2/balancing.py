"""Keeps one HAProxy for each of moto's load balancers, and tells a target's health in ELBv2's words.

Rule: level-triggered and without memory. What is wanted is read from moto's objects, what is true is
asked from HAProxy; no live object hangs on a moto object, so moto's objects can be pickled.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto import backends as moto_backends

from nospof.localcloud.balancer import (
    HaproxyBalancer,
    HaproxyUnreachable,
    MachineView,
    ServerView,
    stop_all_in,
)
from nospof.localcloud.elbv2 import translation

PROVISIONING_SECONDS = 0.3
"""A new load balancer is `provisioning` at least this long, so that whoever waits for it sees it."""


@dataclass(frozen=True)
class TargetHealth:
    """A target's health as DescribeTargetHealth words it; reason and description are empty when healthy."""

    state: str
    reason: str | None = None
    description: str | None = None


NOT_REGISTERED = TargetHealth(
    "unused", "Target.NotRegistered", "Target is not registered to the target group"
)
NOT_IN_USE = TargetHealth(
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
ZONE_NOT_ENABLED = TargetHealth(
    "unused",
    "Target.NotInUse",
    "Target is in an Availability Zone that is not enabled for the load balancer",
)
REGISTERING = TargetHealth("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = TargetHealth("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
HEALTHY = TargetHealth("healthy")
DRAINING = TargetHealth("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")


class Balancing:
    """The data plane of all load balancers of a cloud.

    Args:
        directory: one directory for each load balancer is made in it.
        machine: says where an instance answers and in which state it is; None when it does not exist.
        allocate_address: gives a free loopback address for a new load balancer in a region.
    """

    def __init__(
        self,
        directory: Path,
        machine: Callable[[str], MachineView | None],
        allocate_address: Callable[[str], str],
    ) -> None:
        self.directory = directory
        self.machine = machine
        self.allocate_address = allocate_address
        self._balancers: dict[str, HaproxyBalancer] = {}
        self._lock = threading.RLock()

    def reconcile(self, backends: Any) -> None:
        """Make the HAProxies what moto's load balancers say. Idempotent, cheap when nothing changed.

        Args:
            backends: moto's `BackendDict` of elbv2.
        """
        with self._lock:
            wanted: set[str] = set()
            for _, _, backend in list(backends.iter_backends()):
                _end_draining(backend)
                for load_balancer in list(backend.load_balancers.values()):
                    wanted.add(_directory_name(load_balancer.arn))
                    self._keep(backend, load_balancer)
            self.remove_others(wanted)

    def remove_others(self, wanted: set[str]) -> None:
        """Remove the HAProxies whose directories are not wanted any more."""
        for name in self._names() - wanted:
            self._balancer(name).remove()
            self._balancers.pop(name, None)

    def stop_all(self) -> None:
        """Stop every HAProxy; the next `reconcile` starts them again."""
        with self._lock:
            stop_all_in(self.directory)

    def health(self, target_group_arn: str, instance_id: str, port: int) -> TargetHealth:
        """Return the health of one target, asked from HAProxy now."""
        _, _, _, region, account, _ = target_group_arn.split(":", 5)
        backend = moto_backends.get_backend("elbv2")[account][region]
        group = backend.target_groups.get(target_group_arn)
        if group is None:
            return NOT_REGISTERED
        for registration, health in self.healths(backend, group):
            if (registration["Id"], int(registration["Port"])) == (instance_id, port):
                return health
        return NOT_REGISTERED

    def healths(self, backend: Any, group: Any) -> list[tuple[dict[str, Any], TargetHealth]]:
        """Return every target of a group, draining ones included, with its health."""
        users = translation.users_of(backend, group.arn)
        views = self._views(users[0].arn, translation.group_name(group.arn)) if users else {}
        answer = []
        for registration in list(group.targets.values()):
            health = self._idle(registration, users[0] if users else None)
            answer.append((registration, health or _words(views.get(translation.target_name(registration)))))
        answer += [
            (registration, DRAINING)
            for registration in list(group.draining.values())
            if (registration["Id"], int(registration["Port"])) not in group.targets
        ]
        return answer

    def _idle(self, registration: dict[str, Any], load_balancer: Any | None) -> TargetHealth | None:
        """Say why a registered target is not even asked, if it is not."""
        if load_balancer is None:
            return NOT_IN_USE
        view = translation.machine_of(registration, self.machine)
        state = view.state if view else "terminated"
        if state in translation.GONE_STATES:
            return TargetHealth("unused", "Target.InvalidState", f"Target is in the {state} state")
        return None if translation.zone_is_enabled(load_balancer, registration) else ZONE_NOT_ENABLED

    def _views(self, load_balancer_arn: str, backend_name: str) -> dict[str, ServerView]:
        try:
            servers = self._balancer(_directory_name(load_balancer_arn)).servers()
        except HaproxyUnreachable:
            return {}
        return {view.name: view for view in servers if view.backend == backend_name}

    def _keep(self, backend: Any, load_balancer: Any) -> None:
        balancer = self._balancer(_directory_name(load_balancer.arn))
        try:
            wanted = translation.balancer_of(backend, load_balancer, self.machine)
        except ValueError as error:
            balancer.error = str(error)
            return
        if balancer.apply(wanted) and time.time() >= load_balancer.provisioned_at:
            load_balancer.state = "active"

    def _balancer(self, name: str) -> HaproxyBalancer:
        with self._lock:
            if name not in self._balancers:
                self._balancers[name] = HaproxyBalancer(self.directory / name)
            return self._balancers[name]

    def _names(self) -> set[str]:
        on_disk = {entry.name for entry in self.directory.iterdir()} if self.directory.is_dir() else set()
        return on_disk | set(self._balancers)


_current: Balancing | None = None


def set_current(balancing: Balancing | None) -> None:
    """Make the balancing of this process known to moto's patched classes."""
    global _current
    _current = balancing


def current() -> Balancing:
    """Return the balancing of this process.

    Raises:
        RuntimeError: none was set.
    """
    if _current is None:
        raise RuntimeError("no Balancing: call nospof.localcloud.elbv2.set_current first")
    return _current


def _directory_name(load_balancer_arn: str) -> str:
    """Name a load balancer's directory by account, region and its unique tail."""
    _, _, _, region, account, tail = load_balancer_arn.split(":", 5)
    return ".".join([account, region, *tail.split("/")[1:]])


def _end_draining(backend: Any) -> None:
    now = time.time()
    for group in list(backend.target_groups.values()):
        for key, registration in list(group.draining.items()):
            if now >= registration["Until"]:
                del group.draining[key]


def _words(view: ServerView | None) -> TargetHealth:
    """Put what HAProxy says of a target into ELBv2's words."""
    if view is None or view.maintenance:
        return REGISTERING
    if view.drain:
        return CHECKING
    if view.up:
        return HEALTHY
    if view.check_status == "L7STS":
        return TargetHealth(
            "unhealthy",
            "Target.ResponseCodeMismatch",
            f"Health checks failed with these codes: [{view.check_code}]",
        )
    if view.check_status.endswith("TOUT"):
        return TargetHealth("unhealthy", "Target.Timeout", "Request timed out")
    return TargetHealth("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
