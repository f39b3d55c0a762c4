"""The service asked by its names: at the source as a balancer would, and through the balancer (C66)."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import SplitResult, urlsplit

from nospof.errors import ProcedureFailed
from nospof.model.answers import Answer
from nospof.model.cloud import Instance
from nospof.model.requests import PairRequest
from nospof.model.trails import Trail
from nospof.planning.certificates import SecureListener
from nospof.planning.https_rules import HTTPS_PORT, endless, mixed
from nospof.ports.world import World
from nospof.procedures.clone import url_of
from nospof.procedures.following import follow, plain

ASKED_NAMES = 3
"""Of a service with many names; each takes a few requests."""
BETWEEN_SECONDS = 0.1


def ask_on_443(world: World, source: Instance, names: tuple[str, ...]) -> Answer:
    """Return what a source serves over TLS today; some servers answer to their names only."""
    answer = Answer("", 0, 0.0)
    for host in (source.private_ip, *names[:1]):
        answer = world.probe.get(
            url_of(source, HTTPS_PORT, "/"), host=host, verify=False, timeout_seconds=2.0
        )
        if answer.status:
            break
    return replace(answer, body="", cookies="")


def ask_as_behind_tls(
    world: World, source: Instance, names: tuple[str, ...], request: PairRequest
) -> tuple[Trail, ...]:
    """Follow the pages of each name at the source, with the headers a balancer that ends TLS will send."""
    secure = f"{request.https_port}"

    def ask(url: str, cookies: str) -> Answer:
        parts = urlsplit(url)
        if parts.scheme == "http" and not request.no_redirect:
            return Answer(url, 301, 0.0, location=parts._replace(scheme="https").geturl())
        sent = {
            "X-Forwarded-Proto": parts.scheme,
            "X-Forwarded-Port": secure if parts.scheme == "https" else f"{request.listener_port}",
            **({"Cookie": cookies} if cookies else {}),
        }
        at = url_of(source, request.port, path_of(parts))
        return world.probe.get(at, host=parts.netloc, headers=sent, verify=False)

    return tuple(
        follow(ask, plain(f"https://{name}{path}"), names)
        for name in names[:ASKED_NAMES]
        for path in pages_of(request)
    )


def walk_in(
    world: World,
    dns_name: str,
    secure: SecureListener,
    request: PairRequest,
    cidrs: tuple[str, ...],
    is_internal: bool,
) -> str:
    """Walk in as clients will, by the balancer, and follow where they are sent: start page, check, an asset.

    Nobody is pointed there yet, so that who would go in circles does so here.

    Raises:
        ProcedureFailed: a page is never reached, or fails.
    """

    def ask(url: str, cookies: str) -> Answer:
        parts = urlsplit(url)
        port = parts.port or (secure.port if parts.scheme == "https" else request.listener_port)
        at = f"{parts.scheme}://{dns_name}:{port}{path_of(parts)}"
        world.clock.sleep(BETWEEN_SECONDS)
        sent = {"Cookie": cookies} if cookies else {}
        return world.probe.get(at, host=parts.netloc, headers=sent, timeout_seconds=10.0)

    if is_internal and not world.probe.get(f"https://{dns_name}:{secure.port}/", verify=False).status:
        return "not asked: the internal balancer cannot be reached from here"
    begins = "http" if secure.redirects else "https"
    trails = [
        follow(ask, f"{begins}://{name}{path}", secure.names)
        for name in secure.names[:ASKED_NAMES]
        for path in pages_of(request)
    ]
    assets = list(dict.fromkeys(one for trail in trails for one in trail.assets))[:1]
    trails += [follow(ask, asset, secure.names) for asset in assets]
    for trail in trails:
        if trail.is_endless:
            raise ProcedureFailed(
                f"{endless(trail, cidrs)} Nobody was pointed at the balancer. Mend it on source and twin, "
                "then resume"
            )
        if not trail.answer.status or trail.answer.status >= 500:
            raise ProcedureFailed(
                f"through the balancer a client gets {trail.says}. Nobody was pointed at it. Mend it and "
                "resume"
            )
        if trail.insecure:
            world.reporter.warn(mixed(trail, cidrs))
    return "; ".join(trail.says for trail in trails)


def pages_of(request: PairRequest) -> tuple[str, ...]:
    """Return the pages that are tried: the start page, and the one of the check."""
    return tuple(dict.fromkeys(("/", request.health_path)))


def path_of(parts: SplitResult) -> str:
    """Return what stands behind the host in a URL."""
    return f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
