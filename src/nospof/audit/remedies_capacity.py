"""Remedies for what stands under machines: hosts, racks, reserved capacity."""

from __future__ import annotations

from nospof.audit.builder import Service
from nospof.audit.checks_capacity import AUTO_RECOVERY, BURST_CREDIT, HOST_RECOVERY, LOCAL_DISKS
from nospof.audit.proposal import Proposal
from nospof.model.cloud import TAG_STATE
from nospof.model.estate import Estate
from nospof.model.findings import Finding


def remedy_for(_estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Return what would mend a finding about a host, a network node or a reservation; None for others."""
    if finding.event.startswith(HOST_RECOVERY):
        return recovering_host(finding.members[0])
    if finding.event.startswith(AUTO_RECOVERY):
        return recovering_machine(finding.members[0])
    if finding.event.startswith(LOCAL_DISKS):
        says = f"look what is on them, or tag {finding.members[0]} with {TAG_STATE}=none where nothing is"
        return Proposal(says, (f"nospof audit --service {finding.service} --probe",))
    if finding.event.startswith(BURST_CREDIT):
        return elastic_files(finding.members[0])
    if finding.event.startswith("rack:nn-"):
        return Proposal("place the members in a spread group, whose members never share a rack")
    items = [service.item_of[one] for one in finding.members if one in service.item_of]
    reserved = [one.id for one in items if one.kind.name == "capacity reservation"]
    return lasting_reservation(reserved[0], finding) if reserved and finding.rule == "NSP506" else None


def recovering_host(host: str) -> Proposal:
    """Propose that AWS starts a host's machines on another one."""
    return Proposal(
        f"let AWS start the machines of {host} on another host when it fails",
        (f"aws ec2 modify-hosts --host-ids {host} --host-recovery on",),
        lambda old: old.changed("dedicated host", host, HostRecovery="on"),
    )


def recovering_machine(key: str) -> Proposal:
    """Propose that AWS starts a machine on other hardware when its own fails."""
    return Proposal(
        f"let AWS start {key} on other hardware when its own fails",
        (f"aws ec2 modify-instance-maintenance-options --instance-id {key} --auto-recovery default",),
        lambda old: old.changed("instance", key, MaintenanceOptions={"AutoRecovery": "default"}),
    )


def elastic_files(key: str) -> Proposal:
    """Propose throughput that is paid for as it is used."""
    return Proposal(
        f"let {key} be as fast as it is asked to be, or watch its BurstCreditBalance",
        (f"aws efs update-file-system --file-system-id {key} --throughput-mode elastic",),
        lambda old: old.changed("file system", key, ThroughputMode="elastic"),
    )


def lasting_reservation(key: str, finding: Finding) -> Proposal:
    """Propose a reservation without an end, or none at all."""
    if not finding.order:
        return Proposal(f"take {key} out of the launch template, or name a reservation that is active")
    return Proposal(
        f"let {key} last until somebody cancels it",
        (f"aws ec2 modify-capacity-reservation --capacity-reservation-id {key} --end-date-type unlimited",),
        lambda old: old.changed("capacity reservation", key, EndDateType="unlimited"),
    )
