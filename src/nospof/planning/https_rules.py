"""What HTTPS asks of a pair: that nobody loses it, and that nobody is sent in circles (C66).

Pure: facts in, `PreconditionFailed` or sentences out.
"""

from __future__ import annotations

from nospof.errors import PreconditionFailed
from nospof.model.answers import Answer
from nospof.model.requests import PairRequest
from nospof.model.trails import Trail
from nospof.planning.certificates import SecureListener
from nospof.planning.concerns import some

HTTPS_PORT = 443


def protocol_of(port: int) -> str:
    """Return what the members are spoken to in: HTTPS on its own port, else HTTP."""
    return "HTTPS" if port == HTTPS_PORT else "HTTP"


def refuse_lost_https(source_id: str, on_443: Answer | None, request: PairRequest) -> None:
    """Refuse a balancer without TLS for a source that serves HTTPS: bookmarks and links lead there."""
    if request.certificate or request.http_only or on_443 is None or not on_443.status:
        return
    raise PreconditionFailed(
        f"{source_id} answers HTTPS on port {HTTPS_PORT} today, and the balancer would speak HTTP only: "
        "clients that come with https:// would find nobody. Let the balancer end TLS with --certificate auto "
        "(or the ARN of one), or accept that with --http-only. Nothing was changed."
    )


def refuse_tls_of_others(request: PairRequest) -> None:
    """Refuse to end TLS at a balancer that is only joined: its listeners are somebody else's."""
    if request.certificate:
        raise PreconditionFailed(
            f"{request.instance_id} is behind a balancer whose listeners stay as they are. Leave "
            "--certificate out, or make a balancer of its own with --new-balancer. Nothing was changed."
        )


def refuse_endless_redirects(trails: tuple[Trail, ...], cidrs: tuple[str, ...]) -> None:
    """Refuse an application that sends clients to HTTPS although that is where they come from (C66)."""
    for trail in trails:
        if trail.is_endless:
            raise PreconditionFailed(
                f"{endless(trail, cidrs)} Asked at the instance itself, with X-Forwarded-Proto as the "
                "balancer will send it. Nothing was changed."
            )


def endless(trail: Trail, cidrs: tuple[str, ...]) -> str:
    """Return what is wrong with a page that nobody arrives at, and the setting that mends it."""
    return (
        f"{trail.urls[0]} redirects {trail.ends}: {' -> '.join(trail.urls)}. TLS ends at the balancer and "
        f"the application sees plain HTTP. {setting_for(trail.made_by, cidrs)}."
    )


def setting_for(made_by: str, cidrs: tuple[str, ...]) -> str:
    """Return which setting makes an application believe its balancer about what clients speak."""
    if made_by == "WordPress":
        return (
            "In wp-config.php, above the line that requires wp-settings.php: if "
            "(($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') { $_SERVER['HTTPS'] = 'on'; }"
        )
    if made_by == "Drupal":
        ranges = ", ".join(f"'{cidr}'" for cidr in cidrs) or "'the subnets of the balancer'"
        return (
            f"In settings.php: $settings['reverse_proxy'] = TRUE; $settings['reverse_proxy_addresses'] = "
            f"[{ranges}]; and leave X-Forwarded-Proto among $settings['reverse_proxy_trusted_headers']"
        )
    return (
        f"Let it trust X-Forwarded-Proto of {some(cidrs) or 'the subnets of the balancer'} (Apache: SetEnvIf "
        "X-Forwarded-Proto https HTTPS=on; Django: SECURE_PROXY_SSL_HEADER; Rails: config.assume_ssl)"
    )


def warnings_of(
    secure: SecureListener | None,
    on_443: Answer | None,
    trails: tuple[Trail, ...],
    request: PairRequest,
    cidrs: tuple[str, ...],
) -> tuple[str, ...]:
    """Return what the operator should know about HTTPS before saying yes."""
    warnings = []
    serves_tls = on_443 is not None and bool(on_443.status)
    if secure is None:
        if serves_tls:
            warnings.append(
                f"clients that come with https:// will find nobody at the balancer: {request.instance_id} "
                "serves it today, and by your word they may lose it"
            )
        return tuple(warnings)
    if request.port != HTTPS_PORT:
        inside = ", although they serve HTTPS too (--port 443 keeps it encrypted all the way)"
        warnings.append(
            f"TLS ends at the balancer; the members are spoken to in HTTP on port {request.port}"
            f"{inside if serves_tls else ''}"
        )
    if secure.redirects and not serves_tls:
        warnings.append(
            f"browsers remember for good that {secure.names[0]} is on HTTPS (301), and {request.instance_id} "
            "itself serves none: after an undo they would not find it. Until you are sure of the pair: "
            "--no-redirect"
        )
    unasked = [trail for trail in trails if not trail.answer.status]
    warnings += [
        f"not checked: where a client of {one.urls[0]} is sent ({one.answer.says})" for one in unasked
    ]
    warnings += [
        f"{one.urls[0]} sends clients to {one.urls[-1]}, which was not asked"
        for one in trails
        if one.ends == "elsewhere"
    ]
    for one in trails:
        if one.insecure:
            warnings.append(mixed(one, cidrs))
    return tuple(warnings)


def mixed(trail: Trail, cidrs: tuple[str, ...]) -> str:
    """Return what is wrong with a page that links its own parts over plain HTTP."""
    return (
        f"the page {trail.urls[-1]} links {some(trail.insecure)} over plain HTTP, which browsers block on a "
        f"page of HTTPS. {setting_for(trail.made_by, cidrs)}"
    )
