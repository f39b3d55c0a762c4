"""Which certificate a balancer ends TLS with, or why none will do.

Pure: certificates and names in, one certificate or `PreconditionFailed` out.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from nospof.errors import PreconditionFailed
from nospof.model.certificates import Certificate
from nospof.model.requests import PairRequest
from nospof.model.surroundings import Surroundings
from nospof.planning.concerns import some

AUTO = "auto"
DAYS_LEFT = 14
"""Certificate Manager renews its own 60 days before their end: one this near to it is not being renewed."""
DAY = 86_400
TOO_WEAK = frozenset({"RSA_1024"})
"""No browser takes such a key (CA/Browser Forum, Baseline Requirements 6.1.5)."""
CERTIFICATES = "acm"


@dataclass(frozen=True)
class SecureListener:
    """The listener that ends TLS.

    Args:
        port: it listens on.
        certificate_arn: what it shows.
        names: what clients call the service, the first of which it is tried out with.
        redirects: whether the plain listener sends clients here.
    """

    port: int
    certificate_arn: str
    names: tuple[str, ...]
    redirects: bool


def names_for(
    request: PairRequest, around: Surroundings, certificates: Iterable[Certificate]
) -> tuple[str, ...]:
    """Return what clients call the service: as said, as Route 53 has it, as the certificate has it."""
    if request.names:
        return tuple(filter(None, (name.strip().lower().rstrip(".") for name in request.names.split(","))))
    # Route 53 writes the asterisk of a wildcard as its octal code.
    known = [record.name.lower().replace("\\052", "*") for record in around.records]
    if known or request.certificate in ("", AUTO):
        return tuple(dict.fromkeys(known))
    asked = [one for one in certificates if one.arn == request.certificate]
    return tuple(name for one in asked for name in one.names if not name.startswith("*."))


def secure_listener(
    request: PairRequest, names: tuple[str, ...], certificates: tuple[Certificate, ...], now: float
) -> SecureListener | None:
    """Return the listener asked for; None where none was.

    Raises:
        PreconditionFailed: no certificate will do, or nobody knows for which name.
    """
    if not request.certificate:
        return None
    named = tuple(name for name in names if not name.startswith("*."))
    if not named:
        raise PreconditionFailed(
            "which name do clients use? No record of this account's Route 53 leads to "
            f"{request.instance_id}, and the certificate names none. Say it: --name www.example.org. "
            "Nothing was changed."
        )
    chosen = (
        best_of(names, certificates, now)
        if request.certificate == AUTO
        else the_one(request.certificate, names, certificates, now)
    )
    return SecureListener(request.https_port, chosen.arn, named, not request.no_redirect)


def covers(certificate: Certificate, name: str) -> bool:
    """Whether a certificate is for a name: exactly, or by a wildcard, which stands for one label."""
    return name in certificate.names or f"*.{name.partition('.')[2]}" in certificate.names


def why_not(certificate: Certificate, names: Iterable[str], now: float) -> str:
    """Return why a certificate will not do; empty when it will."""
    uncovered = [name for name in names if not covers(certificate, name)]
    days = (certificate.expires_at - now) / DAY
    if certificate.status != "ISSUED":
        return f"is {certificate.status}{how_to_validate(certificate)}"
    if uncovered:
        return f"is for {some(certificate.names)}, not for {some(uncovered)}"
    if days < 0:
        return "has expired"
    if days < DAYS_LEFT:
        return f"expires in {days:.0f} days; renew it first (imported ones: aws acm import-certificate)"
    if certificate.key_type in TOO_WEAK:
        return f"has a key of the type {certificate.key_type}, which no browser takes"
    return ""


def the_one(arn: str, names: Iterable[str], certificates: Iterable[Certificate], now: float) -> Certificate:
    """Return the certificate asked for by its ARN, if it will do."""
    found = next((one for one in certificates if one.arn == arn), None)
    if found is None:
        service, region = [*arn.split(":"), "", "", "", ""][2:4]
        why = (
            "only certificates of Certificate Manager can be looked at; import it there: aws acm "
            "import-certificate"
            if service != CERTIFICATES
            else f"a balancer takes those of its own region, and this one is of {region}"
        )
        raise PreconditionFailed(
            f"Certificate Manager does not list {arn} here: {why}. See: aws acm list-certificates. "
            "Nothing was changed."
        )
    if why := why_not(found, names, now):
        raise PreconditionFailed(f"the certificate {arn} {why}. Nothing was changed.")
    return found


def best_of(names: tuple[str, ...], certificates: Iterable[Certificate], now: float) -> Certificate:
    """Return, of all that will do, one made for exactly these names, then the one that lasts longest."""
    fitting = [one for one in certificates if not why_not(one, names, now)]
    if fitting:
        return max(fitting, key=lambda one: (set(names) <= set(one.names), one.expires_at, one.arn))
    near = [one for one in certificates if all(covers(one, name) for name in names)]
    seen = "; ".join(f"{one.arn} {why_not(one, names, now)}" for one in near)
    raise PreconditionFailed(
        f"no certificate of this region will do for {' and '.join(names)}"
        f"{f': {seen}' if seen else ''}. Ask for one: {how_to_request(names)}. Nothing was changed."
    )


def how_to_request(names: tuple[str, ...]) -> str:
    """Return the commands that ask for a certificate and prove the names by records."""
    more = f" --subject-alternative-names {' '.join(map(shlex.quote, names[1:]))}" if names[1:] else ""
    return (
        f"aws acm request-certificate --domain-name {shlex.quote(names[0])}{more} --validation-method DNS; "
        "then put the records it wants into DNS (aws acm describe-certificate --certificate-arn ARN --query "
        "'Certificate.DomainValidationOptions[].ResourceRecord') and wait (aws acm wait "
        "certificate-validated --certificate-arn ARN)"
    )


def how_to_validate(certificate: Certificate) -> str:
    """Return what a certificate waits for, where it waits."""
    if certificate.status != "PENDING_VALIDATION":
        return ""
    return (
        ": the records it wants are not in DNS yet (aws acm describe-certificate --certificate-arn "
        f"{certificate.arn} --query 'Certificate.DomainValidationOptions[].ResourceRecord')"
    )
