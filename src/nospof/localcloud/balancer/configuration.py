"""The text of an HAProxy configuration for a balancer.

Rule: only the balancer's own address is bound, every value from outside is quoted, and a target
never changes the structure, so that only a change of structure needs a reload.
"""

from __future__ import annotations

import ipaddress
import re
import resource
from collections.abc import Iterable, Iterator

from nospof.localcloud.balancer import tls
from nospof.localcloud.balancer.spec import (
    Balancer,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    Redirect,
    Rule,
    Target,
    TargetGroup,
)

RUNTIME_SOCKET = "runtime.sock"
STATE_FILE = "servers.state"
OPEN_SUFFIX = ".open"
"""The twin of a group's backend with every target unchecked: used when no target is healthy (fail-open)."""

_FAST_CHECK = "inter 500ms fastinter 100ms downinter 500ms rise 2 fall 2"
_FAST_CHECK_TIMEOUT_SECONDS = 1
_MOST_CONNECTIONS = 4000
_RETRY_ON = "conn-failure empty-response junk-response response-timeout 0rtt-rejected 502 503 504"


def thresholds(group: TargetGroup, profile: str) -> tuple[int, int]:
    """Say how many checks in a row make a target healthy, and how many make it unhealthy."""
    if profile == "retry":
        return 2, 2
    return max(2, group.check.healthy_threshold), max(2, group.check.unhealthy_threshold)


def check_interval_seconds(group: TargetGroup, profile: str) -> float:
    """Say how long it is from one check to the next."""
    return 0.5 if profile == "retry" else float(group.check.interval_seconds)


def server_options(group: TargetGroup, profile: str) -> str:
    """Write what follows a server's address: its checks, and TLS when the targets speak it."""
    options = ["check"]
    if profile == "retry":
        options.append(_FAST_CHECK)
        if _is_http(group.protocol):
            # Not what a target answers: 503 to a write is a database that fails over, and pages go on.
            options.append("observe layer4 error-limit 3 on-error mark-down")
    else:
        rise, fall = thresholds(group, profile)
        options.append(f"inter {group.check.interval_seconds}s rise {rise} fall {fall}")
    if group.check.port:
        options.append(f"port {group.check.port}")
    # A balancer inside one network does not verify its targets' certificates: neither does AWS's.
    if group.protocol in ("HTTPS", "TLS"):
        options.append("ssl verify none")
    elif group.check.protocol == "HTTPS":
        options.append("check-ssl verify none")
    return " ".join(options)


def structure(balancer: Balancer) -> str:
    """Write the configuration without any server: what only a reload can change."""
    return render(balancer, {})


def render(balancer: Balancer, servers: dict[str, list[Target]]) -> str:
    """Write the whole configuration.

    Args:
        servers: the targets each backend starts with, by backend name; the others are added at run time.
    """
    if not ipaddress.ip_address(balancer.address).is_loopback:
        raise ValueError(f"{balancer.address} is not a loopback address")
    lines = [*_global(balancer), *_defaults(balancer)]
    for listener in balancer.listeners:
        lines += _frontend(balancer, listener)
    for group in balancer.groups:
        lines += _backend(balancer, group, servers)
    return "\n".join(lines) + "\n"


def _global(balancer: Balancer) -> Iterator[str]:
    yield "global"
    yield "    nbthread 1"
    # Without an explicit number HAProxy sizes its tables by the descriptor limit, which is
    # a billion in some containers and 1,024 in some shells.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    descriptors = 1_000_000 if hard == resource.RLIM_INFINITY else hard
    yield f"    maxconn {max(100, min(_MOST_CONNECTIONS, (descriptors - 200) // 2))}"
    yield f"    stats socket unix@{RUNTIME_SOCKET} mode 600 level admin"
    yield f"    server-state-file {STATE_FILE}"
    yield f"    hard-stop-after {balancer.idle_timeout_seconds + 5}s"
    yield "    mworker-max-reloads 8"
    yield "    max-spread-checks 1"


def _defaults(balancer: Balancer) -> Iterator[str]:
    idle = f"{balancer.idle_timeout_seconds}s"
    yield "defaults"
    yield "    load-server-state-from-file global"
    # Never shorter for clients than for servers: that cuts idle connections that did nothing wrong.
    yield f"    timeout client {idle}"
    yield f"    timeout http-keep-alive {idle}"
    yield f"    timeout server {idle}"
    yield "    timeout http-request 60s"
    yield "    option idle-close-on-response"
    if balancer.profile == "retry":
        yield "    timeout connect 250ms"
        yield "    retries 3"
        yield "    option redispatch 1"
    else:
        yield "    timeout connect 10s"
        yield "    retries 0"


def _is_http(protocol: str) -> bool:
    return protocol in ("HTTP", "HTTPS")


def _frontend(balancer: Balancer, listener: Listener) -> Iterator[str]:
    yield f"frontend port-{listener.port}"
    yield f"    bind {balancer.address}:{listener.port} {tls.bind_options(listener)}".rstrip()
    if not _is_http(listener.protocol):
        yield "    mode tcp"
        action = listener.rules[-1].action
        if isinstance(action, Forward):
            yield from _forward(action, "", "")
        return
    yield "    mode http"
    yield "    option forwardfor"
    yield f"    http-request set-header X-Forwarded-Proto {listener.protocol.lower()}"
    yield f"    http-request set-header X-Forwarded-Port {listener.port}"
    traced = "{ req.hdr(X-Amzn-Trace-Id) -m found }"
    yield f'    http-request set-header X-Amzn-Trace-Id "Root=%[uuid]" unless {traced}'
    yield from _choice(listener.rules)
    for index, rule in enumerate(listener.rules):
        yield from _answer(listener, index, rule)
    for index, rule in enumerate(listener.rules):
        if isinstance(rule.action, Forward):
            yield from _forward(rule.action, f"{{ var(txn.rule) -m int {index} }}", "var(txn.draw)")


def _choice(rules: tuple[Rule, ...]) -> Iterator[str]:
    """Number the rule that decides: the first one whose conditions hold."""
    for index, rule in enumerate(rules):
        terms = " ".join(_condition(condition) for condition in rule.conditions)
        undecided = "!{ var(txn.rule) -m found }"
        yield f"    http-request set-var(txn.rule) int({index}) if {undecided} {terms}".rstrip()


def _answer(listener: Listener, index: int, rule: Rule) -> Iterator[str]:
    """Write what the frontend itself does for a rule before any backend is asked."""
    chosen = f"{{ var(txn.rule) -m int {index} }}"
    action = rule.action
    if isinstance(action, Forward):
        total = sum(weight for _, weight in action.groups)
        if total:
            yield f"    http-request set-var(txn.draw) rand({total}) if {chosen}"
        else:
            yield f"    http-request return status 503 if {chosen}"
    elif isinstance(action, Redirect):
        base, query = _location(listener, action)
        if query:
            full = f"{quoted(f'{base}?{query}')} code {action.code}"
            yield f"    http-request redirect location {full} if {chosen} {{ query -m found }}"
        yield f"    http-request redirect location {quoted(base)} code {action.code} if {chosen}"
    elif isinstance(action, FixedResponse):
        content = ""
        if action.body:
            text = quoted(action.body.replace("%", "%%"))
            content = f"content-type {quoted(action.content_type)} lf-string {text} "
        yield f"    http-request return status {action.code} {content}if {chosen}"


def _forward(action: Forward, chosen: str, draw: str) -> Iterator[str]:
    reached = 0
    for name, weight in action.groups:
        reached += weight
        if not weight:
            continue
        drawn = f"{{ {draw} -m int lt {reached} }}" if draw else ""
        terms = " ".join(term for term in (chosen, drawn) if term)
        yield " ".join(f"    use_backend {name} if {terms} {{ nbsrv({name}) gt 0 }}".split(" ")).rstrip()
        yield f"    use_backend {name}{OPEN_SUFFIX}" + (f" if {terms}" if terms else "")


def _location(listener: Listener, action: Redirect) -> tuple[str, str]:
    """Write a redirect's address and query as HAProxy log formats."""
    known = {
        "#{protocol}": listener.protocol.lower(),
        "#{host}": "%[req.hdr(host),field(1,:)]",
        "#{port}": str(listener.port),
        "#{path}": "%[path,regsub(^/,)]",
        "#{query}": "%[query]",
    }

    def expand(text: str) -> str:
        text = text.replace("%", "%%")
        for word, fetch in known.items():
            text = text.replace(word, fetch)
        return text

    protocol = expand(action.protocol).lower()
    port = expand(action.port)
    suffix = "" if (protocol, port) in (("http", "80"), ("https", "443")) else f":{port}"
    return f"{protocol}://{expand(action.host)}{suffix}{expand(action.path)}", expand(action.query)


def _condition(condition: Condition) -> str:
    if condition.field == "source-ip":
        networks = " ".join(str(ipaddress.ip_network(value, strict=False)) for value in condition.values)
        return f"{{ src {networks} }}"
    if condition.field == "http-request-method":
        return f"{{ method {' '.join(quoted(value) for value in condition.values)} }}"
    patterns = " ".join(quoted(_pattern(value)) for value in condition.values)
    if condition.field == "query-string":
        patterns = " ".join(quoted(_pattern(value, "(^|.*&)", "(&.*|$)")) for value in condition.values)
        return f"{{ query -m reg -i -- {patterns} }}"
    if condition.field == "path-pattern":
        return f"{{ path -m reg -- {patterns} }}"
    if condition.field == "host-header":
        return f"{{ req.hdr(host),field(1,:) -m reg -i -- {patterns} }}"
    if condition.field == "http-header" and re.fullmatch(r"[A-Za-z0-9_-]+", condition.header):
        return f"{{ req.fhdr({condition.header}) -m reg -i -- {patterns} }}"
    raise ValueError(f"a rule cannot ask for {condition.field} {condition.header}".rstrip())


def _pattern(value: str, before: str = "^", after: str = "$") -> str:
    """Turn a pattern with * and ? into a regular expression."""
    body = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in value)
    return before + body + after


def quoted(text: str) -> str:
    """Quote a value so that HAProxy takes it literally, whatever it holds."""
    if any((ord(letter) < 32 and letter not in "\n\t\r") or ord(letter) == 127 for letter in text):
        raise ValueError("control characters cannot stand in a configuration")
    for letter in '\\"$':
        text = text.replace(letter, "\\" + letter)
    # A line ends where the configuration's line ends, quoted or not: write the escapes outside of the quotes.
    for letter, escape in (("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        text = text.replace(letter, f'"{escape}"')
    return f'"{text}"'


def _backend(balancer: Balancer, group: TargetGroup, servers: dict[str, list[Target]]) -> Iterator[str]:
    options = server_options(group, balancer.profile)
    yield f"backend {group.name}"
    yield from _backend_common(balancer, group)
    yield f"    timeout check {_check_timeout_seconds(balancer, group.check)}s"
    yield from _check(group.check)
    if group.sticky_seconds and _is_http(group.protocol):
        yield f"    cookie AWSALB insert indirect nocache dynamic maxlife {group.sticky_seconds}s"
        yield f"    dynamic-cookie-key {group.name}"
    yield f"    # every server: {options}"
    yield from _servers(servers.get(group.name, ()), options)
    name = group.name + OPEN_SUFFIX
    yield f"backend {name}"
    yield from _backend_common(balancer, group)
    yield from _servers(servers.get(name, ()), open_options(group))


def open_options(group: TargetGroup) -> str:
    """Write what follows the address of a server that is used unchecked."""
    return "ssl verify none" if group.protocol in ("HTTPS", "TLS") else ""


def _servers(targets: Iterable[Target], options: str) -> Iterator[str]:
    for target in targets:
        yield f"    server {target.name} {target.address}:{target.port} {options}".rstrip()


def _backend_common(balancer: Balancer, group: TargetGroup) -> Iterator[str]:
    yield "    mode http" if _is_http(group.protocol) else "    mode tcp"
    yield (
        "    balance leastconn"
        if group.algorithm == "least_outstanding_requests"
        else "    balance roundrobin"
    )
    if balancer.profile == "retry" and _is_http(group.protocol):
        yield f"    retry-on {_RETRY_ON}"
        # What may have had an effect is repeated only when it never reached a target.
        yield "    http-request disable-l7-retry unless METH_GET or METH_HEAD or METH_OPTIONS"


def _check_timeout_seconds(balancer: Balancer, check: HealthCheck) -> int:
    if balancer.profile == "retry":
        return min(check.timeout_seconds, _FAST_CHECK_TIMEOUT_SECONDS)
    return check.timeout_seconds


def _check(check: HealthCheck) -> Iterator[str]:
    if not _is_http(check.protocol):
        return
    yield "    option httpchk"
    yield (
        f"    http-check send meth GET uri {quoted(check.path)} ver HTTP/1.1"
        ' hdr Host "%[bc_dst]:%[bc_dst_port]" hdr User-Agent "ELB-HealthChecker/2.0"'
        ' hdr Connection "close"'
    )
    if not re.fullmatch(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*", check.matcher):
        raise ValueError(f"{check.matcher} is not a list of HTTP codes")
    yield f"    http-check expect status {check.matcher}"
