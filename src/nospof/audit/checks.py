"""How well failures are noticed: findings that are no cuts, read from the groups' settings."""

from __future__ import annotations

import re

from nospof.audit.account import AccountFacts
from nospof.audit.evidence import about_check, about_instance, ordered
from nospof.audit.service import Service
from nospof.model.cloud import TargetGroup
from nospof.model.findings import Finding

SLOW_SECONDS = 60
"""A dead target that stays in service longer is worth a word."""


def check_findings(facts: AccountFacts, service: Service) -> list[Finding]:
    """Return the findings about health checks and about targets that get no traffic."""
    balancer = facts.balancers.get(service.entry.id)
    if balancer is None:
        return []
    found: list[Finding] = []
    for arn in facts.groups_of(balancer):
        if arn in facts.groups:
            found += about_group(service, facts.groups[arn])
    for group, target in service.outside:
        instance = facts.instance_at(target.instance_id)
        zone = instance.zone if instance else ""
        found.append(
            Finding(
                rule="NSP409",
                service=service.entry.service,
                title=f"Target {target.instance_id} of {group} is in zone {zone}, which is not enabled on "
                f"{balancer.name}: it gets no traffic and is no spare",
                event=f"outside:{group}/{target.instance_id}:{target.port}",
                severity="medium",
                members=(target.instance_id,),
                view="failover",
                facts=ordered(about_instance(facts, instance)) if instance else (),
            )
        )
    return found


def about_group(service: Service, group: TargetGroup) -> list[Finding]:
    """Return the findings about one group's health check."""
    found = []
    seconds = group.health_check.detection_seconds
    if seconds > SLOW_SECONDS:
        found.append(
            Finding(
                rule="NSP402",
                service=service.entry.service,
                title=f"A dead target of {group.name} stays in service for up to {seconds} s: "
                "the health check is slow",
                event=f"slow:{group.name}",
                severity="low",
                members=(group.name,),
                view="failover",
                facts=about_check(group),
            )
        )
    if accepts_redirects(group.health_check.matcher):
        found.append(
            Finding(
                rule="NSP403",
                service=service.entry.service,
                title=f"The health check of {group.name} takes a redirect for health "
                f"({group.health_check.matcher}): a site sent to its installer or to a login passes",
                event=f"matcher:{group.name}",
                severity="medium",
                members=(group.name,),
                view="failover",
                facts=about_check(group),
            )
        )
    return found


def accepts_redirects(matcher: str) -> bool:
    """Return whether a matcher such as "200,301" or "200-399" accepts any of 300 to 399."""
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", matcher):
        if int(first) <= 399 and int(last or first) >= 300:
            return True
    return False
