"""What stands behind a pair of machines: a store that both need, and what the audit says of it."""

from __future__ import annotations

from typing import Any

from nospof.model.estate import Estate, Use
from nospof.model.findings import AuditReport
from nospof.model.item import Item
from nospof.services.audit import audit_estate
from support.estates import A, B, C, account, balancer, described, group, instance, item, target

PAIR = (balancer(), group(), target("i-1"), target("i-2"), instance("i-1", A), instance("i-2", B))
SUBNETS = tuple(item("subnet", SubnetId=f"s-{one[-1]}", AvailabilityZone=one, VpcId="v") for one in (A, B, C))


def using(store: Item, *items: Item, is_whole: bool = True, **about: Any) -> Estate:
    """A pair of machines that both need a store."""
    uses = tuple(Use(who, store.kind.name, store.id) for who in ("i-1", "i-2"))
    return (account if is_whole else described)(*PAIR, *SUBNETS, store, *items, uses=uses, **about)


def audited(store: Item, *items: Item, is_whole: bool = True, **about: Any) -> AuditReport:
    """Return the report on a pair of machines that both need a store."""
    return audit_estate(using(store, *items, is_whole=is_whole, **about))


def verdict(report: AuditReport) -> set[tuple[str, str, str]]:
    """Return the findings: rule, event and confidence."""
    return {(one.rule, one.event, one.confidence) for one in report.findings}


def titles(report: AuditReport) -> str:
    """Return all titles in one line."""
    return "; ".join(one.title for one in report.findings)


def files(*zones: Any) -> list[Item]:
    """A file system with a mount target in each zone."""
    ways = [
        item("mount target", MountTargetId=f"m{place}", FileSystemId="fs", AvailabilityZoneName=zone)
        for place, zone in enumerate(zones, 1)
    ]
    return [item("file system", FileSystemId="fs", FileSystemArn="arn:fs"), *ways]
