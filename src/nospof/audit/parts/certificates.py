"""What ends on a known day: certificates that nothing renews, and the registration of names.

A certificate of ACM renews itself while it is in use and validated by DNS. An imported one, one
validated by mail and one kept in IAM do not. The day is a fact, so its event has a date and no
probability.
"""

from __future__ import annotations

from collections.abc import Iterable

from nospof.audit.builder import Builder
from nospof.audit.parts.entry import host_of
from nospof.model.estate import Estate, Item
from nospof.model.topology import UP, Node, On

SOON_SECONDS = 30 * 86_400
"""ACM renews 60 days ahead (its user guide, "Managed certificate renewal"): so late, something is wrong."""
DEAD = frozenset({"EXPIRED", "REVOKED", "FAILED", "VALIDATION_TIMED_OUT"})
CERTIFICATE_KINDS = ("certificate", "edge certificate", "server certificate", "listed certificate")


def dated(b: Builder) -> None:
    """Let every entry need the certificates that it shows and the registration of its name."""
    for name, item in list(b.service.item_of.items()):
        if name not in b.nodes:
            continue
        for key in dict.fromkeys(certificates_of(b.estate, item)):
            use_certificate(b, name, key)
        if item.kind.name == "record set":
            use_domain(b, name, host_of(item))


def certificates_of(estate: Estate, item: Item) -> Iterable[str]:
    """Yield the ids of the certificates that something shows its clients."""
    match item.kind.name:
        case "load balancer":
            for listener in estate.where("listener", "LoadBalancerArn", *item.keys):
                yield from (row.text("CertificateArn") for row in listener.rows("Certificates"))
        case "classic load balancer":
            for row in item.rows("ListenerDescriptions"):
                yield row.text("Listener.SSLCertificateId")
        case "distribution":
            yield item.text("ViewerCertificate.ACMCertificateArn")
            yield item.text("ViewerCertificate.IAMCertificateId")
        case "API domain":
            yield from (row.text("CertificateArn") for row in item.rows("DomainNameConfigurations"))


def use_certificate(b: Builder, user: str, key: str) -> None:
    """Let a node need a certificate, where the certificate will not last by itself."""
    item = find_certificate(b.estate, key) if key else None
    if item is None:
        return
    reason = why_it_ends(item, b.estate.read_at)
    if not reason:
        return
    name = f"certificate {item.id}"
    ends = end_of(item)
    is_dead = is_over(item, b.estate.read_at)
    if name not in b.nodes:
        label = f"certificate {item.label}" if is_dead else f"certificate {item.label} ({reason})"
        event = b.event(f"certificate:{item.id}", "certificate", label, ends or 0.0)
        paths = ["Expiration"] if item.kind.name == "server certificate" else ["NotAfter", "Type", "Status"]
        node = Node(name, UP, (event,), kind="certificate", label=label)
        b.add(node, item=item, facts=item.facts(*paths))
        if is_dead:
            b.is_off(name, "not valid any more")
    # Without a day nobody knows whether it ends before it is replaced.
    b.also_needs(user, "serving", On(name), certain=ends is not None or is_dead)


def find_certificate(estate: Estate, key: str) -> Item | None:
    """Return a certificate by its ARN, or by its id in IAM."""
    return next((found for kind in CERTIFICATE_KINDS if (found := estate.find(kind, key))), None)


def end_of(item: Item) -> float | None:
    """Return the moment a certificate ends."""
    return item.moment("Expiration" if item.kind.name == "server certificate" else "NotAfter")


def why_it_ends(item: Item, now: float) -> str:
    """Return why a certificate ends with nothing to renew it, or an empty string when it renews itself."""
    if item.kind.name == "server certificate":
        return "kept in IAM, which renews nothing"
    if is_over(item, now):
        return "not valid any more"
    if item.text("Type") == "IMPORTED":
        return "imported, so nothing renews it"
    if item.kind.name != "listed certificate":
        if item.text("RenewalSummary.RenewalStatus") == "FAILED":
            return "its renewal has failed"
        if any(row.text("ValidationMethod") == "EMAIL" for row in item.rows("DomainValidationOptions")):
            return "validated by mail, so somebody must answer"
    ends = end_of(item)
    if now and ends is not None and ends - now <= SOON_SECONDS:
        return "not renewed although it ends soon"
    return ""


def is_over(item: Item, now: float) -> bool:
    """Whether a certificate is refused already."""
    ends = end_of(item)
    if now and ends is not None and ends <= now:
        return True
    return item.kind.name != "server certificate" and item.text("Status") in DEAD


def use_domain(b: Builder, user: str, host: str) -> None:
    """Let a record need the registration of its name, where nothing renews that."""
    labels = host.split(".")
    parents = (".".join(labels[start:]) for start in range(len(labels) - 1))
    item = next((found for one in parents if (found := b.estate.find("registered domain", one))), None)
    ends = item.moment("Expiry") if item else None
    if item is None or ends is None or item.flag("AutoRenew", None) is not False:
        return
    name = b.name(item)
    if name not in b.nodes:
        label = f"the registration of {item.id} (automatic renewal is off)"
        event = b.event(f"domain:{item.id}", "domain", label, ends)
        node = Node(name, UP, (event,), kind="domain", label=label)
        b.add(node, item=item, facts=item.facts("Expiry", "AutoRenew"))
        if b.estate.read_at and ends <= b.estate.read_at:
            b.is_off(name, "over")
    b.also_needs(user, "serving", On(name))
