"""Remedies for spares that wait for a person."""

from __future__ import annotations

from nospof.audit.builder import Service
from nospof.audit.parts.entry import targets_of
from nospof.audit.proposal import Proposal
from nospof.audit.remedies_data import takes_over
from nospof.audit.remedies_network import checked
from nospof.model.estate import Estate, Item
from nospof.model.findings import Finding


def remedy_for(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Return what would let a spare take over by itself; None for other findings."""
    if finding.rule != "NSP401":
        return None
    item = next(
        one for one in service.item_of.values() if finding.event == f"manual:{one.kind.name} {one.id}"
    )
    return takes_over(estate, item) if item.kind.name == "cache" else checked_primary(item)


def checked_primary(item: Item) -> Proposal:
    """Propose a health check on a primary, so that clients get the secondary when it fails."""
    if check := item.text("HealthCheckId"):
        return Proposal(
            f"enable health check {check} again",
            (f"aws route53 update-health-check --health-check-id {check} --no-disabled",),
            lambda old: old.changed("health check", check, HealthCheckConfig={"Disabled": False}),
        )
    zone = item.text("HostedZoneId")
    record = (
        f"aws route53 change-resource-record-sets --hosted-zone-id {zone} --change-batch "
        "<the primary, with its check>"
    )
    if item.text("AliasTarget.DNSName"):
        alias = {"DNSName": item.text("AliasTarget.DNSName"), "EvaluateTargetHealth": True}
        return Proposal(
            "let the primary's alias evaluate the health of its target",
            (record,),
            lambda old: old.changed("record set", item.id, AliasTarget=alias),
        )
    commands = [
        "aws route53 create-health-check --caller-reference <anything new> --health-check-config "
        f"Type=HTTP,{checked(one)},ResourcePath=/,RequestInterval=10,FailureThreshold=3"
        for one in targets_of(item)
    ]
    return Proposal(
        "check the primary, so that clients get the secondary when it fails",
        (*commands, record),
        lambda old: old.changed("record set", item.id, HealthCheckId=f"check-{item.id}"),
    )
