"""From moto's load balancers, listeners, rules and target groups to what a balancer is to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nospof.localcloud.balancer import (
    Action,
    Balancer,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    MachineView,
    Profile,
    Redirect,
    Rule,
    Target,
    TargetGroup,
)
from nospof.localcloud.elbv2 import certificates

PROFILE_KEY = "nospof:balancer-profile"
"""A load balancer attribute or tag: `alb` behaves as a real ALB does, `retry` (the default) repeats
requests that may be repeated when their target fails, which a real ALB never does."""

GONE_STATES = frozenset({"stopped", "terminated"})
_NOT_ASKED_STATES = GONE_STATES | {"pending"}
_CONFIG_OF_FIELD = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}

Machines = Callable[[str], MachineView | None]


def balancer_of(backend: Any, load_balancer: Any, machine: Machines) -> Balancer:
    """Translate one load balancer with its listeners and the target groups they use.

    Raises:
        ValueError: it holds something the balancer cannot do.
    """
    listeners = tuple(listener_of(backend, listener) for listener in list(load_balancer.listeners.values()))
    used = {name for listener in listeners for name in _names(listener)}
    groups = tuple(
        group_of(group, load_balancer, machine)
        for group in list(backend.target_groups.values())
        if group_name(group.arn) in used
    )
    return Balancer(
        address=load_balancer.dns_name,
        listeners=listeners,
        groups=groups,
        profile=profile_of(backend, load_balancer),
        idle_timeout_seconds=int(load_balancer.attrs.get("idle_timeout.timeout_seconds", 60)),
    )


def profile_of(backend: Any, load_balancer: Any) -> Profile:
    """Return the profile asked for by attribute or tag."""
    tags = backend.tagging_service.get_tag_dict_for_resource(load_balancer.arn)
    wish = load_balancer.attrs.get(PROFILE_KEY) or tags.get(PROFILE_KEY)
    return "alb" if wish == "alb" else "retry"


def group_name(arn: str) -> str:
    """Name a target group for the balancer: its name and id, unique in its account and region."""
    return arn.rpartition("targetgroup/")[2].replace("/", ".")


def target_name(registration: dict[str, Any]) -> str:
    """Name one registration of a target: registering it again gives another name."""
    return f"{registration['Id']}_{registration['Port']}_{registration['Number']}"


def forwards_to(load_balancer: Any) -> set[str]:
    """Return the ARNs of the target groups a load balancer's listeners and rules use."""
    return {
        arn
        for listener in list(load_balancer.listeners.values())
        for rule in list(listener.rules.values())
        for action in rule.actions
        for arn, _ in weights_of(action.data)
    }


def users_of(backend: Any, group_arn: str) -> list[Any]:
    """Return the load balancers that use a target group."""
    return [
        balancer for balancer in list(backend.load_balancers.values()) if group_arn in forwards_to(balancer)
    ]


def zone_is_enabled(load_balancer: Any, registration: dict[str, Any]) -> bool:
    """Say whether a target is in a zone its load balancer serves; a target without a zone is."""
    zones = {subnet.availability_zone for subnet in load_balancer.subnets}
    return not registration["Zone"] or registration["Zone"] in zones


def machine_of(registration: dict[str, Any], machine: Machines) -> MachineView | None:
    """Return the machine behind a target; an address is always taken to run."""
    if str(registration["Id"]).startswith("i-"):
        return machine(registration["Id"])
    return MachineView(registration["Id"], "running")


def group_of(group: Any, load_balancer: Any, machine: Machines) -> TargetGroup:
    """Translate a target group with the targets that can be asked now."""
    return TargetGroup(
        name=group_name(group.arn),
        check=check_of(group),
        targets=tuple(_targets(group, load_balancer, machine)),
        protocol=group.protocol or "HTTP",
        algorithm=group.attributes.get("load_balancing.algorithm.type", "round_robin"),
        sticky_seconds=_sticky_seconds(group),
    )


def _targets(group: Any, load_balancer: Any, machine: Machines) -> Iterator[Target]:
    for draining, registrations in ((False, group.targets), (True, group.draining)):
        for registration in list(registrations.values()):
            view = machine_of(registration, machine)
            if (
                view is None
                or view.state in _NOT_ASKED_STATES
                or not zone_is_enabled(load_balancer, registration)
            ):
                continue
            yield Target(target_name(registration), view.address, int(registration["Port"]), draining)


def check_of(group: Any) -> HealthCheck:
    """Translate a target group's health check."""
    port = str(group.health_check_port or "traffic-port")
    matcher = getattr(group, "matcher", None) or {}
    return HealthCheck(
        protocol=group.health_check_protocol or "HTTP",
        path=group.health_check_path or "/",
        port=0 if port == "traffic-port" else int(port),
        matcher=matcher.get("HttpCode", "200"),
        interval_seconds=int(group.health_check_interval_seconds),
        timeout_seconds=int(group.health_check_timeout_seconds),
        healthy_threshold=int(group.healthy_threshold_count),
        unhealthy_threshold=int(group.unhealthy_threshold_count),
    )


def _sticky_seconds(group: Any) -> int:
    attributes = group.attributes
    if attributes.get("stickiness.enabled") != "true" or attributes.get("stickiness.type") != "lb_cookie":
        return 0
    return int(attributes.get("stickiness.lb_cookie.duration_seconds", 86400))


def listener_of(backend: Any, listener: Any) -> Listener:
    """Translate a listener with its rules in their order.

    Raises:
        ValueError: its certificate is gone.
    """
    is_tls = listener.protocol == "HTTPS"
    policy = listener.ssl_policy if is_tls and listener.ssl_policy else certificates.DEFAULT_POLICY
    oldest_tls, newest_tls = certificates.tls_versions(policy)
    rules = sorted(
        (rule for rule in list(listener.rules.values()) if not rule.is_default),
        key=lambda rule: int(rule.priority),
    )
    return Listener(
        port=int(listener.port),
        protocol=listener.protocol,
        rules=(
            *(rule_of(rule.conditions, [action.data for action in rule.actions]) for rule in rules),
            rule_of([], [action.data for action in listener.default_actions]),
        ),
        certificates=tuple(certificates.pem_of(backend, arn) for arn in listener.certificates if is_tls),
        oldest_tls=oldest_tls,
        newest_tls=newest_tls,
    )


def rule_of(conditions: Iterable[dict[str, Any]], actions: Iterable[dict[str, Any]]) -> Rule:
    """Translate a rule.

    Raises:
        ValueError: it has an action or a condition the balancer cannot do.
    """
    last = sorted(actions, key=lambda action: int(action.get("Order", 1)))[-1:]
    if not last:
        raise ValueError("an action must be specified")
    return Rule(tuple(_condition(condition) for condition in conditions), _action(last[0]))


def _condition(condition: dict[str, Any]) -> Condition:
    field = condition["Field"]
    config = condition.get(_CONFIG_OF_FIELD.get(field, ""), {})
    values = config.get("Values") or condition.get("Values") or []
    if field == "query-string":
        values = [f"{pair['Key']}={pair['Value']}" if pair.get("Key") else pair["Value"] for pair in values]
    return Condition(field, tuple(values), config.get("HttpHeaderName", ""))


def weights_of(action: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the target group ARNs an action forwards to, with their weights."""
    if action.get("Type") != "forward":
        return []
    groups = action.get("ForwardConfig", {}).get("TargetGroups")
    if groups:
        return [(group["TargetGroupArn"], int(group.get("Weight", 1))) for group in groups]
    return [(action["TargetGroupArn"], 1)] if "TargetGroupArn" in action else []


def _action(action: dict[str, Any]) -> Action:
    kind = action["Type"]
    if kind == "forward":
        return Forward(tuple((group_name(arn), weight) for arn, weight in weights_of(action)))
    if kind == "redirect":
        config = action["RedirectConfig"]
        return Redirect(
            code=int(config["StatusCode"].removeprefix("HTTP_")),
            protocol=config.get("Protocol") or "#{protocol}",
            host=config.get("Host") or "#{host}",
            port=config.get("Port") or "#{port}",
            path=config.get("Path") or "/#{path}",
            query=config.get("Query", "#{query}"),
        )
    if kind == "fixed-response":
        config = action["FixedResponseConfig"]
        return FixedResponse(
            int(config["StatusCode"]),
            config.get("ContentType") or "text/plain",
            config.get("MessageBody") or "",
        )
    raise ValueError(
        f"the local cloud cannot do the action '{kind}'; use forward, redirect or fixed-response"
    )


def _names(listener: Listener) -> Iterator[str]:
    for rule in listener.rules:
        if isinstance(rule.action, Forward):
            yield from (name for name, _ in rule.action.groups)
