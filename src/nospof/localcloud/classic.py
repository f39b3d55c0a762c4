"""Classic load balancers made real: moto keeps the API's objects, an HAProxy does what each one says.

A classic balancer knows instances, not targets: each of its listeners leads to one port of all of them,
and one check decides for all ports.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import moto.elb.urls
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.elb import models as moto_models
from moto.elb import responses as moto_responses

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.balancer import (
    Balancer,
    Forward,
    HaproxyUnreachable,
    HealthCheck,
    Listener,
    MachineView,
    Rule,
    ServerView,
    Target,
    TargetGroup,
    why_it_cannot_listen,
)
from nospof.localcloud.elbv2.balancing import Balancing
from nospof.localcloud.elbv2.translation import GONE_STATES, PROFILE_KEY

PROTOCOLS = ("HTTP", "TCP")
DRAINING_SECONDS = 300
"""Where draining is on and no time was given (API reference, ConnectionDraining)."""
IDLE_SECONDS = 60
UNUSED_STATES = GONE_STATES | {"pending"}

Words = tuple[str, str, str]
"""State, reason code and description, as DescribeInstanceHealth tells them."""
IN_SERVICE: Words = ("InService", "N/A", "N/A")
REGISTERING: Words = ("OutOfService", "ELB", "Instance registration is still in progress.")
NOT_YET: Words = (
    "OutOfService",
    "Instance",
    "Instance has not passed the configured HealthyThreshold number of health checks consecutively.",
)
FAILING: Words = (
    "OutOfService",
    "Instance",
    "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
)
LEAVING: Words = ("InService", "N/A", "Instance deregistration currently in progress.")
NO_ZONE: Words = (
    "OutOfService",
    "ELB",
    "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.",
)
UNKNOWN: Words = ("Unknown", "ELB", "Instance is not currently registered with the LoadBalancer.")


class LoadBalancer(moto_models.LoadBalancer):
    """A classic balancer whose members are registered by number, and drain when they leave."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.registrations = 0
        self.numbers: dict[str, int] = {}
        self.leaving: dict[tuple[str, int], float] = {}

    def draining_seconds(self) -> int:
        """Return how long a member that leaves may finish its requests."""
        told = self.attributes["connection_draining"]
        is_on = str(told.get("Enabled", told.get("enabled", False))).lower() == "true"
        # moto puts its own default beside the time that was given, under the name in small letters.
        return int(told.get("Timeout") or told.get("timeout") or DRAINING_SECONDS) if is_on else 0


class Classic(Balancing):
    """The data plane of all classic balancers of a cloud."""

    def reconcile(self, backends: Any) -> None:
        """Make the HAProxies what moto's classic balancers say. Idempotent, cheap when nothing changed."""
        with self._lock:
            wanted: set[str] = set()
            for account, region, backend in list(backends.iter_backends()):
                for one in list(backend.load_balancers.values()):
                    self._end_leaving(one)
                    name = f"{account}.{region}.{one.name}"
                    wanted.add(name)
                    self._balancer(name).apply(self._wanted(backend, one))
            self.remove_others(wanted)

    def words(self, backend: Any, balancer: Any) -> dict[str, Words]:
        """Return the health of every member, those that leave included, by id."""
        views = self._servers(f"{backend.account_id}.{backend.region_name}.{balancer.name}")
        first = min(balancer.listeners, key=lambda one: int(one.load_balancer_port), default=None)
        group = _group_name(balancer, first.instance_port) if first else ""
        told = {instance_id: LEAVING for instance_id, _ in balancer.leaving}
        for instance_id, number in balancer.numbers.items():
            idle = self._idle_words(backend, balancer, instance_id)
            told[instance_id] = idle or _words(views.get((group, f"{instance_id}_{number}")))
        return told

    def _idle_words(self, backend: Any, balancer: Any, instance_id: str) -> Words | None:
        view = self.machine(instance_id)
        state = view.state if view else "terminated"
        if state in UNUSED_STATES:
            return "OutOfService", "Instance", f"Instance is in {state} state."
        return None if _zone_of(backend, instance_id) in balancer.availability_zones else NO_ZONE

    def _servers(self, name: str) -> dict[tuple[str, str], ServerView]:
        try:
            return {(view.backend, view.name): view for view in self._balancer(name).servers()}
        except HaproxyUnreachable:
            return {}

    def _wanted(self, backend: Any, balancer: Any) -> Balancer:
        check = check_of(balancer.health_check)
        ports = dict.fromkeys(int(one.instance_port) for one in balancer.listeners)
        protocols = {int(one.instance_port): one.protocol for one in balancer.listeners}
        members = list(self._members(backend, balancer))
        return Balancer(
            address=balancer.dns_name,
            listeners=tuple(
                Listener(
                    int(one.load_balancer_port),
                    (Rule((), Forward(((_group_name(balancer, one.instance_port), 1),))),),
                    one.protocol,
                )
                for one in balancer.listeners
            ),
            groups=tuple(
                TargetGroup(
                    _group_name(balancer, port),
                    check,
                    tuple(Target(name, address, port, is_leaving) for name, address, is_leaving in members),
                    protocols[port],
                )
                for port in ports
            ),
            profile="alb" if balancer.tags.get(PROFILE_KEY) == "alb" else "retry",
            idle_timeout_seconds=int(_idle_timeout(balancer)),
        )

    def _members(self, backend: Any, balancer: Any) -> Iterator[tuple[str, str, bool]]:
        """Yield the members that can be asked: a name for each registration, address, whether it leaves."""
        there = [(key, False) for key in balancer.numbers.items()] + [(key, True) for key in balancer.leaving]
        for (instance_id, number), is_leaving in there:
            view = self.machine(instance_id)
            is_enabled = _zone_of(backend, instance_id) in balancer.availability_zones
            if view and view.state not in UNUSED_STATES and is_enabled:
                yield f"{instance_id}_{number}", view.address, is_leaving

    def _end_leaving(self, balancer: Any) -> None:
        for key, until in list(balancer.leaving.items()):
            if time.time() >= until:
                del balancer.leaving[key]
        for instance_id in list(balancer.numbers):
            view = self.machine(instance_id)
            if view is None or view.state == "terminated":
                _forget(balancer, instance_id)


def _words(view: ServerView | None) -> Words:
    if view is None or view.maintenance:
        return REGISTERING
    if view.drain:
        return NOT_YET
    return IN_SERVICE if view.up else FAILING


def _group_name(balancer: Any, port: Any) -> str:
    return f"{balancer.name}.{int(port)}"


def _idle_timeout(balancer: Any) -> Any:
    told = balancer.attributes["connection_settings"]
    return told.get("IdleTimeout") or told.get("idle_timeout") or IDLE_SECONDS


def _zone_of(backend: Any, instance_id: str) -> str:
    instance = ec2_backends[backend.account_id][backend.region_name].get_instance_by_id(instance_id)
    return str(instance.placement.zone) if instance else ""


def check_of(told: Any) -> HealthCheck:
    """Translate a check such as "HTTP:8080/health" or "TCP:80"; any answer but 200 fails it."""
    protocol, _, rest = told.target.partition(":")
    port, slash, page = rest.partition("/")
    return HealthCheck(
        protocol={"SSL": "TCP"}.get(protocol, protocol),
        path=f"{slash}{page}" or "/",
        port=int(port),
        interval_seconds=int(told.interval),
        timeout_seconds=int(told.timeout),
        healthy_threshold=int(told.healthy_threshold),
        unhealthy_threshold=int(told.unhealthy_threshold),
    )


def _forget(balancer: Any, instance_id: str) -> int:
    """Take an instance off the lists; return the number it had, 0 where it was not there."""
    for ids in (balancer.instance_sparse_ids, balancer.instance_autoscaling_ids):
        ids[:] = [one for one in ids if one != instance_id]
    return int(balancer.numbers.pop(instance_id, 0))


# The calls ----------------------------------------------------------------------------------------------


def _known(backend: Any, name: str) -> Any:
    balancer = backend.load_balancers.get(name)
    if balancer is None:
        raise AwsError("LoadBalancerNotFound", f"There is no ACTIVE Load Balancer named '{name}'")
    return balancer


def creating(create: Any) -> Any:
    """Make a balancer in the zones of its subnets, with AWS's default check, at an address that answers."""

    def create_load_balancer(self: Any, name: str, zones: Any, ports: Any, *args: Any, **more: Any) -> Any:
        for port in ports:
            protocol = (port.get("Protocol") or port["protocol"]).upper()
            if protocol not in PROTOCOLS:
                says = (
                    f"Protocol {protocol} is not supported by the local cloud; use {' or '.join(PROTOCOLS)}"
                )
                raise AwsError("UnsupportedProtocol", says)
        made = create(self, name, zones, ports, *args, **more)
        ec2 = ec2_backends[self.account_id][self.region_name]
        made.availability_zones = sorted({ec2.get_subnet(one).availability_zone for one in made.subnets})
        made.dns_name = current().allocate_address(self.region_name)
        first = made.listeners[0]
        made.health_check = moto_models.FakeHealthCheck("5", "10", "2", "30", f"TCP:{first.instance_port}")
        for listener in made.listeners:
            if reason := why_it_cannot_listen(made.dns_name, int(listener.load_balancer_port)):
                del self.load_balancers[name]
                says = f"The port {listener.load_balancer_port} cannot be opened on this computer: {reason}"
                raise AwsError("ValidationError", says)
        return made

    return create_load_balancer


def register_instances(
    self: Any, load_balancer_name: str, instance_ids: Any, from_autoscaling: bool = False
) -> Any:
    """Register instances; registering one again changes nothing."""
    balancer = _known(self, load_balancer_name)
    for instance_id in instance_ids:
        if ec2_backends[self.account_id][self.region_name].get_instance_by_id(instance_id) is None:
            raise AwsError("InvalidInstance", f"Could not find EC2 instance {instance_id}.")
    ids = balancer.instance_autoscaling_ids if from_autoscaling else balancer.instance_sparse_ids
    for instance_id in instance_ids:
        if instance_id not in balancer.numbers:
            balancer.registrations += 1
            balancer.numbers[instance_id] = balancer.registrations
            ids.append(instance_id)
    return balancer


def deregister_instances(
    self: Any,
    load_balancer_name: str,
    instance_ids: Any,
    from_autoscaling: bool = False,  # noqa: ARG001 - part of moto's signature
) -> Any:
    """Take instances out of service; where draining is on they finish their requests."""
    balancer = _known(self, load_balancer_name)
    for instance_id in instance_ids:
        number, seconds = _forget(balancer, instance_id), balancer.draining_seconds()
        if number and seconds:
            balancer.leaving[instance_id, number] = time.time() + seconds
    return balancer


def attaching(attach: Any) -> Any:
    """Have a balancer stand in the zones of the subnets it was given or lost."""

    def change(self: Any, load_balancer_name: str, subnets: Any) -> Any:
        balancer = _known(self, load_balancer_name)
        answer = attach(self, load_balancer_name, subnets)
        ec2 = ec2_backends[self.account_id][self.region_name]
        zones = {ec2.get_subnet(one).availability_zone for one in balancer.subnets}
        balancer.availability_zones = sorted(zones)
        return answer

    return change


class ELBResponse(moto_responses.ELBResponse):
    """moto's classic calls, with health from the balancers."""

    def describe_instance_health(self) -> ActionResult:
        """Answer what the balancer itself says of each member."""
        balancer = _known(self.elb_backend, self._get_param("LoadBalancerName"))
        told = current().words(self.elb_backend, balancer)
        asked = [one["InstanceId"] for one in self._get_param("Instances", [])] or list(told)
        rows = [(one, *told.get(one, UNKNOWN)) for one in asked]
        fields = ("InstanceId", "State", "ReasonCode", "Description")
        return ActionResult({"InstanceStates": [dict(zip(fields, row, strict=True)) for row in rows]})


_current: Classic | None = None


def current() -> Classic:
    """Return the classic balancers of this process."""
    if _current is None:
        raise RuntimeError("no Classic: call nospof.localcloud.classic.install first")
    return _current


def install(
    directory: Path, machine: Callable[[str], MachineView | None], allocate_address: Callable[[str], str]
) -> Classic:
    """Put our classes and methods in the place of moto's. Called once, before the first request.

    Returns:
        the data plane of the classic balancers; the arguments are as of `Balancing`.
    """
    global _current
    _current = Classic(directory, machine, allocate_address)
    moto_models.LoadBalancer = LoadBalancer  # type: ignore[misc]
    backend = cast(Any, moto_models.ELBBackend)
    backend.create_load_balancer = creating(backend.create_load_balancer)
    backend.register_instances = register_instances
    backend.deregister_instances = deregister_instances
    for name in ("attach_load_balancer_to_subnets", "detach_load_balancer_from_subnets"):
        setattr(backend, name, attaching(getattr(backend, name)))
    vars(moto.elb.urls)["ELBResponse"] = ELBResponse
    return _current
