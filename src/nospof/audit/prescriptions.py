"""Which remedy fits a finding."""

from __future__ import annotations

from dataclasses import replace

from nospof.audit.account import AccountFacts
from nospof.audit.remedies import (
    CHECK,
    Proposal,
    all_in_service,
    second_machine,
    with_check,
    with_zone,
    without_events,
    zone_command,
)
from nospof.audit.service import Service
from nospof.model.findings import Finding


def propose(facts: AccountFacts, service: Service, finding: Finding) -> Proposal:
    """Return what would mend a finding."""
    if finding.rule == "NSP100" or finding.time == "now":
        return bring_back(facts, service)
    if finding.rule == "NSP407":
        return Proposal("give each of the groups a spare of its own, or serve both from one group", (), None)
    if finding.rule in ("NSP402", "NSP403"):
        return better_check(facts, finding)
    if finding.rule == "NSP409":
        return enable_zone(facts, service, finding)
    if finding.confidence == "possible":
        return read_more(facts, finding)
    if finding.rule == "NSP204":
        return take_early(facts, service, finding)
    if finding.rule == "NSP201" and missing_zones(facts, service):
        return enable_zone(facts, service, finding)
    return second_machine(facts, service)


def bring_back(facts: AccountFacts, service: Service) -> Proposal:
    """Propose to mend what has failed already."""
    commands = []
    for member in service.members:
        state = service.state_of.get(member, "")
        if state in ("stopped", "stopping"):
            commands.append(f"aws ec2 start-instances --instance-ids {member}")
        elif state == "impaired":
            commands.append(f"aws ec2 describe-instance-status --instance-ids {member}")
    balancer = facts.balancers.get(service.entry.id)
    if balancer:
        commands += [
            f"aws elbv2 describe-target-health --target-group-arn {arn}" for arn in facts.groups_of(balancer)
        ]
    off = ", ".join(f"{node} ({state})" for node, state in sorted(service.state_of.items()))
    says = f"bring back what is out of service: {off}" if off else "register a machine that can serve"
    return Proposal(says, tuple(commands), lambda old: all_in_service(old, service))


def better_check(facts: AccountFacts, finding: Finding) -> Proposal:
    """Propose a health check that notices a failure soon, or does not take a redirect for health."""
    arn, group = next((arn, one) for arn, one in facts.groups.items() if one.name in finding.members)
    command = f"aws elbv2 modify-target-group --target-group-arn {arn}"
    if finding.rule == "NSP403":
        check = replace(group.health_check, matcher=CHECK.matcher)
        says = f"accept {CHECK.matcher} only, of a page that answers so when the site works"
        return Proposal(
            says, (f"{command} --matcher HttpCode={CHECK.matcher}",), lambda old: with_check(old, arn, check)
        )
    check = replace(
        group.health_check,
        interval_seconds=CHECK.interval_seconds,
        timeout_seconds=CHECK.timeout_seconds,
        unhealthy_threshold=CHECK.unhealthy_threshold,
    )
    command += (
        f" --health-check-interval-seconds {check.interval_seconds} --health-check-timeout-seconds "
        f"{check.timeout_seconds} --unhealthy-threshold-count {check.unhealthy_threshold}"
    )
    says = f"check every {check.interval_seconds} s: a dead target is out after {check.detection_seconds} s"
    return Proposal(says, (command,), lambda old: with_check(old, arn, check))


def missing_zones(facts: AccountFacts, service: Service) -> list[str]:
    """Return zones that have targets but are not enabled on the balancer."""
    zones = {one.zone for _, target in service.outside if (one := facts.instance_at(target.instance_id))}
    return sorted(zones)


def enable_zone(facts: AccountFacts, service: Service, finding: Finding) -> Proposal:
    """Propose to enable a zone in which there is a target already."""
    balancer = facts.balancers[service.entry.id]
    own = facts.instance_at(finding.members[0]) if finding.rule == "NSP409" else None
    zone = own.zone if own else missing_zones(facts, service)[0]
    says = f"enable zone {zone} on {balancer.name}: a target is there already"
    return Proposal(says, (zone_command(balancer, zone),), lambda old: with_zone(old, balancer, zone))


def take_early(facts: AccountFacts, service: Service, finding: Finding) -> Proposal:
    """Propose to take one member's maintenance before the window, while another serves."""
    hit = [one for one in service.members if one in finding.members]
    if len(hit) > 1:
        # One that is out of service anyway costs nothing to take first.
        first, other = sorted(hit, key=lambda one: (one not in service.state_of, one))[:2]
        says = f"take the maintenance of {first} early, at a quiet hour, while {other} serves"
        return Proposal(says, (f"nospof maintain take {first}",), lambda old: without_events(old, first))
    twin = second_machine(facts, service)
    commands = (*twin.commands, *(f"nospof maintain take {one}" for one in hit))
    return Proposal(
        f"{twin.says}; then take the maintenance early, while the twin serves", commands, twin.changes
    )


def read_more(facts: AccountFacts, finding: Finding) -> Proposal:
    """Propose to find out."""
    if finding.rule == "NSP203":
        return Proposal(
            "find out the group's strategy; members of a spread group never share a rack",
            ("aws ec2 describe-placement-groups --query 'PlacementGroups[].[GroupName,Strategy]'",),
            None,
        )
    needed = ", ".join(sorted({one.operation for one in facts.unread}))
    return Proposal(f"let the audit read it ({needed}), then ask again", (), None)
