"""What stands under machines: findings that are no cuts, from their types and hosts."""

from __future__ import annotations

from typing import cast

from nospof.audit.builder import Service
from nospof.audit.parts.inside import is_inside_known
from nospof.audit.parts.recovery import recovers
from nospof.model.cloud import TAG_STATE
from nospof.model.estate import Estate, Item
from nospof.model.findings import Finding

HOST_RECOVERY = "host recovery:"
AUTO_RECOVERY = "auto recovery:"
"""Begin the events of findings about hosts and machines that AWS does not bring back."""
LOCAL_DISKS = "local disks:"
"""Begins the event of a finding about disks that a stop empties."""
BURST_CREDIT = "burst credit:"
"""Begins the event of a finding about a file system that is fast on credit only."""
GIB = 1 << 30
ENOUGH_GIB = 100.0
"""What gives 5 MiB/s without a credit, at 50 KiB/s for each GiB stored (EFS user guide, Performance)."""


def capacity_checks(_estate: Estate, service: Service) -> list[Finding]:
    """Return the findings about local disks and about hosts that nothing brings back.

    The service's own estate is asked, as it remembers what a remedy is tried with.
    """
    estate = cast(Estate, service.watched)
    machines = [service.item_of[one] for one in service.members if one in service.item_of]
    # What an Auto Scaling group keeps is made anew from its image, on whatever host there is.
    lasting = [
        one
        for one in machines
        if one.kind.name == "instance"
        and not estate.where("auto scaling group", "Instances.InstanceId", one.id)
    ]
    return [
        *local_disks(estate, service, lasting),
        *lasting_outages(estate, service, lasting),
        *fast_on_credit(service),
    ]


def local_disks(estate: Estate, service: Service, machines: list[Item]) -> list[Finding]:
    """Return a finding for each machine with disks that a stop empties, of which nobody saw the content."""
    found = []
    for item in machines:
        sold = estate.find("instance type", item.text("InstanceType"))
        if sold is None or sold.flag("InstanceStorageSupported") is not True:
            continue
        if item.tags.get(TAG_STATE) == "none" or is_inside_known(estate, item.id):
            continue
        size = sold.number("InstanceStorageInfo.TotalSizeInGB")
        disks = f"{size:.0f} GB of local disks" if size else "local disks"
        found.append(
            Finding(
                rule="NSP304",
                service=service.entry.service,
                title=f"{item.id} has {disks} that a stop empties; nobody looked whether data is there",
                event=f"{LOCAL_DISKS}{item.id}",
                severity="medium",
                confidence="possible",
                members=(item.id,),
                view="data",
                facts=(*item.facts("InstanceType"), *sold.facts("InstanceStorageSupported")),
                location=item.location,
                would_settle=f"is anything on the local disks of {item.id} that must not be lost?",
            )
        )
    return found


def lasting_outages(estate: Estate, service: Service, machines: list[Item]) -> list[Finding]:
    """Return a finding for each host and machine that AWS would bring back, had nobody switched that off."""
    found = []
    hosts = [estate.find("dedicated host", item.text("Placement.HostId")) for item in machines]
    for key, host in sorted({host.id: host for host in hosts if host}.items()):
        if host.text("HostRecovery") == "off":
            who = ", ".join(sorted(one.id for one in machines if one.text("Placement.HostId") == key))
            title = f"Host recovery of {host.says} is off: when it fails, its machines ({who}) stay off"
            found.append(switched_off(service, host, title, HOST_RECOVERY, "HostRecovery", "HostMaintenance"))
    for item in machines:
        path = "MaintenanceOptions.AutoRecovery"
        if item.text(path) == "disabled" and not item.text("Placement.HostId") and not recovers(estate, item):
            title = f"Automatic recovery of {item.says} is off: when its hardware fails, it stays off"
            found.append(switched_off(service, item, title, AUTO_RECOVERY, path))
    return found


def fast_on_credit(service: Service) -> list[Finding]:
    """Return a finding for each file system that slows all members down once its credit is used up (C72)."""
    used = {item.id: item for item in service.item_of.values() if item.kind.name == "file system"}
    found = []
    for item in (used[one] for one in sorted(used)):
        stored = item.number("SizeInBytes.Value")
        if item.text("ThroughputMode") != "bursting" or stored is None or stored >= ENOUGH_GIB * GIB:
            continue
        found.append(
            Finding(
                rule="NSP803",
                service=service.entry.service,
                title=f"{item.says} stores {stored / GIB:.1f} GiB in bursting mode: once its credit is used "
                "up it is slow for all members at once",
                event=f"{BURST_CREDIT}{item.id}",
                severity="low",
                confidence="possible",
                members=(item.id,),
                facts=item.facts("ThroughputMode", "SizeInBytes.Value"),
                location=item.location,
                would_settle=f"has BurstCreditBalance of {item.id} ever come near zero?",
            )
        )
    return found


def switched_off(service: Service, item: Item, title: str, event: str, *paths: str) -> Finding:
    """Return the finding that something which AWS brings back by itself is not brought back."""
    return Finding(
        rule="NSP508",
        service=service.entry.service,
        title=title,
        event=f"{event}{item.id}",
        severity="low",
        members=(item.id,),
        view="recovery",
        facts=item.facts(*paths),
        location=item.location,
    )
