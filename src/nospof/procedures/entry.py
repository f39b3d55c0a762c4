"""The way in: a balancer behind its own security group, its target group and its listener."""

from __future__ import annotations

import json
import shlex

from nospof.errors import ProcedureFailed
from nospof.model.cloud import (
    IngressRule,
    Listener,
    LoadBalancer,
    LoadBalancerRequest,
    SecurityGroupRequest,
    TargetGroup,
    TargetGroupRequest,
)
from nospof.planning.certificates import SecureListener
from nospof.planning.pair import PairPlan
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.waiting import wait_for

BALANCER_SECONDS = 900.0


def build_entry(steps: Steps, world: World, plan: PairPlan) -> tuple[TargetGroup, LoadBalancer]:
    """Build the way in: security group, target group, balancer, listener."""
    guard = steps.do("create the balancer's security group", create_guard, world, plan.security_group)
    steps.do("let clients reach the balancer", allow_all, world, guard, plan.clients)
    for instances in plan.opens:
        rule = IngressRule(plan.target_group.port, from_group=guard)
        steps.do("let the balancer reach the instances", allow, world, instances, rule)
    group = steps.do("create the target group", create_group, world, plan.target_group)
    balancer = steps.do("create the load balancer", create_balancer, world, plan.balancer, guard)
    balancer = steps.do("wait until the balancer is active", wait_active, world, balancer.name)
    if plan.secure is None:
        steps.do("create the listener", listen, world, balancer.arn, plan.listener_port, group.arn)
        return group, balancer
    steps.do("create the listener that ends TLS", end_tls, world, balancer.arn, plan.secure, group.arn)
    if plan.secure.redirects:
        ports = (plan.listener_port, plan.secure.port)
        steps.do("create the listener that sends clients to HTTPS", redirect, world, balancer.arn, *ports)
    else:
        steps.do("create the listener", listen, world, balancer.arn, plan.listener_port, group.arn)
    return group, balancer


def create_guard(world: World, request: SecurityGroupRequest) -> str:
    """Make the balancer's security group; return its id."""
    return world.cloud.create_security_group(request)


def allow_all(world: World, group_id: str, rules: tuple[IngressRule, ...]) -> str:
    """Open a security group for several rules; return the group's id."""
    for rule in rules:
        world.cloud.allow(group_id, rule)
    return group_id


def allow(world: World, group_id: str, rule: IngressRule) -> str:
    """Open a security group for a rule; return the group's id."""
    world.cloud.allow(group_id, rule)
    return group_id


def create_group(world: World, request: TargetGroupRequest) -> TargetGroup:
    """Make the target group."""
    return world.cloud.create_target_group(request)


def create_balancer(world: World, request: LoadBalancerRequest, guard: str) -> LoadBalancer:
    """Make the balancer behind its security group."""
    guarded = LoadBalancerRequest(
        request.name, request.subnet_ids, (guard,), request.is_internal, request.tags
    )
    return world.cloud.create_load_balancer(guarded)


def wait_active(world: World, name: str) -> LoadBalancer:
    """Wait until the balancer serves."""

    def is_active(balancer: LoadBalancer | None) -> bool:
        if balancer and balancer.state == "failed":
            raise ProcedureFailed(f"the balancer {name} ended failed; delete it and resume")
        return balancer is not None and balancer.state == "active"

    balancer = wait_for(
        world,
        f"the balancer {name} to be active",
        lambda: world.cloud.load_balancer_named(name),
        is_active,
        within_seconds=BALANCER_SECONDS,
        says=lambda found: found.state if found else "not listed yet",
    )
    if balancer is None:
        raise ProcedureFailed(f"the balancer {name} is gone: somebody deleted it during the run")
    return balancer


def listen(world: World, balancer_arn: str, port: int, group_arn: str) -> Listener:
    """Make the listener.

    Raises:
        ProcedureFailed: the port is taken by a listener that leads elsewhere.
    """
    listener = world.cloud.create_listener(balancer_arn, port, group_arn)
    if group_arn not in dict(listener.forwards_to):
        raise ProcedureFailed(
            f"port {port} of the balancer already leads elsewhere ({listener.arn}); nothing was changed "
            "there. Choose another --listener-port"
        )
    return listener


def end_tls(world: World, balancer_arn: str, secure: SecureListener, group_arn: str) -> Listener:
    """Make the listener that ends TLS.

    Raises:
        ProcedureFailed: the port is taken by a listener that does something else.
    """
    listener = world.cloud.create_listener(balancer_arn, secure.port, group_arn, secure.certificate_arn)
    if group_arn not in dict(listener.forwards_to) or listener.protocol != "HTTPS":
        raise ProcedureFailed(
            f"port {secure.port} of the balancer already does something else ({listener.arn}); nothing was "
            "changed there. Choose another --https-port"
        )
    return listener


def redirect(world: World, balancer_arn: str, port: int, to_port: int) -> Listener:
    """Make the listener that sends clients to HTTPS; one that forwards already stays, and that is told."""
    listener = world.cloud.create_redirect(balancer_arn, port, to_port)
    if listener.redirects_to != f"https:{to_port}":
        world.reporter.warn(
            f"port {port} of the balancer serves plain HTTP as before; once HTTPS works for your clients, "
            f"send them there: {redirect_command(listener, to_port)}"
        )
    return listener


def redirect_command(listener: Listener, to_port: int) -> str:
    """Return the command that makes a listener send clients to HTTPS."""
    to = {"Protocol": "HTTPS", "Port": f"{to_port}", "StatusCode": "HTTP_301"}
    actions = json.dumps([{"Type": "redirect", "RedirectConfig": to}])
    return f"aws elbv2 modify-listener --listener-arn {listener.arn} --default-actions {shlex.quote(actions)}"
