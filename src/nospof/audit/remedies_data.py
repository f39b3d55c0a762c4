"""What mends a finding about a store: the command, and the estate as it would be."""

from __future__ import annotations

from nospof.audit.builder import Service
from nospof.audit.proposal import Proposal
from nospof.model.estate import Estate, Item, item_of
from nospof.model.findings import Finding
from nospof.model.kinds import KINDS


def remedy_for(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Return what would mend a finding about a store, or None where it is about something else."""
    items = [service.item_of[one] for one in finding.members if one in service.item_of]
    items += [
        one for one in service.item_of.values() if one.id in finding.members and one.kind.name in SETTINGS
    ]
    if finding.rule in ("NSP302", "NSP306") and items:
        return setting(items[0], finding.rule)
    kind = service.topology.event(finding.event).kind
    store = next((one for one in items if one.kind.name in STORES), None)
    if store is None or finding.view != "serving":
        return None
    if kind == "zone":
        if set(service.members) <= set(finding.members):
            return None  # The machines come first: they all stand there.
        kind = store.kind.name
    if kind == "database" and store.kind.name == "database":
        return second_database(estate, store)
    if kind == "cache" and store.kind.name == "cache":
        return takes_over(store)
    if kind == "mount target" and store.kind.name == "mount target":
        return second_way(estate, service, store)
    return None


STORES = ("database", "cache", "mount target")
SETTINGS = {
    "database": ("modify-db-instance --db-instance-identifier", "--apply-immediately"),
    "database cluster": ("modify-db-cluster --db-cluster-identifier", "--apply-immediately"),
}
"""The command that changes a store."""


def setting(item: Item, rule: str) -> Proposal | None:
    """Propose to keep backups, or to refuse deletion."""
    if item.kind.name not in SETTINGS:
        return None
    verb, suffix = SETTINGS[item.kind.name]
    command = f"aws rds {verb} {item.id}"
    if rule == "NSP302":
        return Proposal(
            f"keep the backups of {item.label} for seven days",
            (f"{command} --backup-retention-period 7 {suffix}",),
            lambda old: old.changed(item.kind.name, item.id, BackupRetentionPeriod=7),
        )
    return Proposal(
        f"refuse to delete {item.label} until somebody switches that off",
        (f"{command} --deletion-protection {suffix}",),
        lambda old: old.changed(item.kind.name, item.id, DeletionProtection=True),
    )


def second_database(estate: Estate, item: Item) -> Proposal:
    """Propose a standby, or another member of the cluster."""
    cluster = item.text("DBClusterIdentifier")
    if not cluster:
        command = f"aws rds modify-db-instance --db-instance-identifier {item.id} --multi-az"
        return Proposal(
            f"give {item.label} a standby in another zone",
            (f"{command} --apply-immediately",),
            lambda old: old.changed("database", item.id, MultiAZ=True, SecondaryAvailabilityZone=None),
        )
    zone = other_zone(estate, item.text("AvailabilityZone"))
    fields = {
        **item.fields,
        "DBInstanceIdentifier": f"{item.id}-2",
        "AvailabilityZone": zone,
        "DBInstanceArn": None,
        "DbiResourceId": None,
        "Endpoint": None,
    }
    command = (
        f"aws rds create-db-instance --db-instance-identifier {item.id}-2 "
        f"--db-cluster-identifier {cluster} --engine {item.text('Engine')} "
        f"--db-instance-class <as {item.id}> --availability-zone {zone}"
    )
    return Proposal(
        f"add a member to {cluster} in {zone or 'another zone'}, and connect to the cluster's endpoint",
        (command,),
        lambda old: old.plus(item_of(KINDS["database"], fields)),
    )


def takes_over(item: Item) -> Proposal:
    """Propose that a replica takes over by itself."""
    command = (
        f"aws elasticache modify-replication-group --replication-group-id {item.id} "
        "--automatic-failover-enabled --multi-az-enabled --apply-immediately"
    )
    return Proposal(
        f"let a replica of {item.label} take over by itself (it needs one in another zone)",
        (command,),
        lambda old: old.changed("cache", item.id, AutomaticFailover="enabled", MultiAZ="enabled"),
    )


def second_way(estate: Estate, service: Service, item: Item) -> Proposal:
    """Propose a mount target in each zone that has machines and none."""
    system = item.text("FileSystemId")
    have = {one.text("AvailabilityZoneName") for one in estate.where("mount target", "FileSystemId", system)}
    zones = sorted({service.zone_of.get(one, "") for one in service.members} - have - {""})
    if not zones:
        return Proposal(f"mount {system} by its name, so that each zone has a way of its own")
    commands = tuple(
        f"aws efs create-mount-target --file-system-id {system} --subnet-id <one in {zone}>" for zone in zones
    )
    added = [
        item_of(
            KINDS["mount target"],
            {"MountTargetId": f"{item.id}-{zone}", "FileSystemId": system, "AvailabilityZoneName": zone},
        )
        for zone in zones
    ]
    return Proposal(
        f"add a mount target of {system} in {' and '.join(zones)}", commands, lambda old: old.plus(*added)
    )


def other_zone(estate: Estate, zone: str) -> str:
    """Return a zone that is another one."""
    return next((one.id for one in estate.of("zone") if one.id != zone), "")
