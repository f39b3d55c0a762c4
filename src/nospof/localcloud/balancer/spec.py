"""What a load balancer is to be: plain frozen data, knowing neither HAProxy nor any cloud API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Profile = Literal["alb", "retry"]


@dataclass(frozen=True)
class MachineView:
    """What a balancer must know of a machine: where it answers and its instance state."""

    address: str
    state: str


@dataclass(frozen=True)
class HealthCheck:
    """How a target is asked whether it can serve.

    Args:
        protocol: "HTTP", "HTTPS" or "TCP".
        port: the port asked; 0 asks the port that serves.
        matcher: the codes that pass, as "200", "200,302" or "200-399".
    """

    protocol: str = "HTTP"
    path: str = "/"
    port: int = 0
    matcher: str = "200"
    interval_seconds: int = 30
    timeout_seconds: int = 5
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2


@dataclass(frozen=True)
class Target:
    """One registration of a machine's port.

    Args:
        name: unique for this registration: registering anew gives a new name.
        draining: gets no new request; what is in flight may end.
    """

    name: str
    address: str
    port: int
    draining: bool = False


@dataclass(frozen=True)
class TargetGroup:
    """Targets that can stand in for each other."""

    name: str
    check: HealthCheck
    targets: tuple[Target, ...] = ()
    protocol: str = "HTTP"
    algorithm: str = "round_robin"
    sticky_seconds: int = 0


@dataclass(frozen=True)
class Forward:
    """Send to one of these (target group name, weight)."""

    groups: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Redirect:
    """Send the client elsewhere; the fields may hold #{protocol}, #{host}, #{port}, #{path}, #{query}."""

    code: int = 302
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


@dataclass(frozen=True)
class FixedResponse:
    """Answer without asking any target."""

    code: int
    content_type: str = "text/plain"
    body: str = ""


Action = Forward | Redirect | FixedResponse


@dataclass(frozen=True)
class Condition:
    """A rule's condition; any of the values satisfies it.

    Args:
        field: path-pattern, host-header, http-header, http-request-method, query-string or source-ip.
        values: patterns with * and ?; for a query string "key=value" or "value".
        header: the header's name, for "http-header".
    """

    field: str
    values: tuple[str, ...]
    header: str = ""


@dataclass(frozen=True)
class Rule:
    """The first rule whose conditions all hold decides; the default rule has none."""

    conditions: tuple[Condition, ...]
    action: Action


@dataclass(frozen=True)
class Listener:
    """A port clients connect to. The last rule is the default one.

    Args:
        certificates: for HTTPS, PEM texts of key, certificate and chain; the first answers unknown names.
        oldest_tls: the oldest version of TLS it speaks, in OpenSSL's words, and `newest_tls` the newest.
    """

    port: int
    rules: tuple[Rule, ...]
    protocol: str = "HTTP"
    certificates: tuple[str, ...] = field(default=(), repr=False)
    oldest_tls: str = "TLSv1.2"
    newest_tls: str = "TLSv1.3"


@dataclass(frozen=True)
class Balancer:
    """A whole load balancer.

    Args:
        address: the loopback address it listens on, and the only one.
        profile: "alb" fails a request whose target fails; "retry" repeats what may be repeated elsewhere.
        idle_timeout_seconds: how long a silent connection is kept, on both sides.
    """

    address: str
    listeners: tuple[Listener, ...] = ()
    groups: tuple[TargetGroup, ...] = ()
    profile: Profile = "retry"
    idle_timeout_seconds: int = 60
