"""Spares that nothing brings in by itself: findings that are no cuts, from caches and failover records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from nospof.audit.builder import Service
from nospof.audit.parts.entry import host_of, is_checked, records_of_name
from nospof.model.estate import Estate, Item
from nospof.model.findings import Finding


def failover_checks(_estate: Estate, service: Service) -> list[Finding]:
    """Return the findings about spares that wait for a person.

    The service's own estate is asked, as it remembers what a remedy is tried with.
    """
    estate = cast(Estate, service.watched)
    items = {(one.kind.name, one.id): one for one in service.item_of.values()}
    return [finding for _, item in sorted(items.items()) for finding in manual(estate, service, item)]


def manual(estate: Estate, service: Service, item: Item) -> Iterator[Finding]:
    """Yield the finding about a cache or a name that has a spare and does not turn to it."""
    if item.kind.name == "cache" and item.text("AutomaticFailover") == "disabled":
        if any(len(row.rows("NodeGroupMembers")) > 1 for row in item.rows("NodeGroups")):
            title = f"{item.says} has replicas that do not take over: a person must promote one"
            yield finding(service, item, title, "AutomaticFailover")
    elif item.kind.name == "record set" and item.text("Failover") == "PRIMARY":
        spares = [one for one in records_of_name(estate, item) if one.text("Failover") == "SECONDARY"]
        if spares and not is_checked(estate, item):
            why = (
                "the check of its primary is disabled"
                if item.text("HealthCheckId")
                else "its primary has none"
            )
            title = f"name {host_of(item)} never turns to its secondary without a health check: {why}"
            yield finding(service, item, title, "Failover", "HealthCheckId")


def finding(service: Service, item: Item, title: str, *paths: str) -> Finding:
    """Return the finding that a person has to bring a spare in."""
    return Finding(
        rule="NSP401",
        service=service.entry.service,
        title=title[:1].upper() + title[1:],
        event=f"manual:{item.kind.name} {item.id}",
        severity="medium",
        members=(item.id,),
        view="failover",
        facts=item.facts(*paths),
        location=item.location,
    )
