"""How well failures are noticed: findings that are no cuts, read from the groups' settings."""

from __future__ import annotations

import re
from dataclasses import replace

from nospof.audit.builder import Service
from nospof.model.estate import Estate, Item
from nospof.model.findings import Finding

SLOW_SECONDS = 60
"""A dead target that stays in service longer is worth a word."""
CHECK_FIELDS = (
    "HealthCheckIntervalSeconds",
    "UnhealthyThresholdCount",
    "HealthCheckTimeoutSeconds",
    "Matcher.HttpCode",
)


def quality_checks(estate: Estate, service: Service) -> list[Finding]:
    """Return the findings about health checks and about targets that get no traffic."""
    found: list[Finding] = []
    for item in groups_of(service):
        found += about_group(service, item)
    for group, target in service.outside:
        who = target.text("Target.Id")
        instance = estate.find("instance", who)
        zone = instance.text("Placement.AvailabilityZone") if instance else ""
        found.append(
            Finding(
                rule="NSP409",
                service=service.entry.service,
                title=f"Target {who} of {group} is in zone {zone}, which is not enabled on its balancer: "
                "it gets no traffic and is no spare",
                event=f"outside:{group}/{who}:{target.text('Target.Port')}",
                severity="medium",
                members=(who,),
                view="failover",
                facts=instance.facts("Placement.AvailabilityZone") if instance else (),
            )
        )
    return found


def groups_of(service: Service) -> list[Item]:
    """Return the target groups of a service."""
    return [one for one in service.item_of.values() if one.kind.name == "target group"]


def detection_seconds(item: Item) -> int | None:
    """Return how long a dead target stays in service at most, or None where nobody could tell."""
    interval = item.number("HealthCheckIntervalSeconds", 30)
    threshold = item.number("UnhealthyThresholdCount", 2)
    timeout = item.number("HealthCheckTimeoutSeconds", 5)
    if interval is None or threshold is None or timeout is None:
        return None
    return int(interval * threshold + timeout)


def about_group(service: Service, item: Item) -> list[Finding]:
    """Return the findings about one group's health check."""
    about = Finding(
        "",
        service.entry.service,
        "",
        "",
        "low",
        members=(item.label,),
        view="failover",
        facts=item.facts(*CHECK_FIELDS),
        location=item.location,
    )
    found = []
    seconds = detection_seconds(item)
    if seconds is not None and seconds > SLOW_SECONDS:
        title = (
            f"A dead target of {item.label} stays in service for up to {seconds} s: the health check is slow"
        )
        found.append(replace(about, rule="NSP402", title=title, event=f"slow:{item.label}"))
    matcher = item.text("Matcher.HttpCode")
    if accepts_redirects(matcher):
        title = (
            f"The health check of {item.label} takes a redirect for health ({matcher}): "
            "a site sent to its installer or to a login passes"
        )
        event = f"matcher:{item.label}"
        found.append(replace(about, rule="NSP403", title=title, event=event, severity="medium"))
    return found


def accepts_redirects(matcher: str) -> bool:
    """Return whether a matcher such as "200,301" or "200-399" accepts any of 300 to 399."""
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", matcher):
        if int(first) <= 399 and int(last or first) >= 300:
            return True
    return False
