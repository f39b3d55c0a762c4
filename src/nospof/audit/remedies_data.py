"""What mends a finding about a store: the command, and the estate as it would be."""

from __future__ import annotations

from typing import Any

from nospof.audit.builder import Service
from nospof.audit.checks_data import BACKUP
from nospof.audit.proposal import Proposal
from nospof.audit.remedies_stores import APART, usable_key
from nospof.model.estate import Estate, Item, item_of
from nospof.model.findings import Finding
from nospof.model.kinds import KINDS


def remedy_for(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Return what would mend a finding about a store, or None where it is about something else."""
    items = [service.item_of[one] for one in finding.members if one in service.item_of]
    items += [
        one for one in service.item_of.values() if one.id in finding.members and one.kind.name in SETTINGS
    ]
    if finding.rule in ("NSP302", "NSP306"):
        return setting(items[0], finding.rule) if items else None
    if finding.rule in ("NSP505", "NSP703"):
        return usable_key(service)
    if finding.rule == "NSP501" and any("secret " in one for one in finding.members):
        return restored(estate, [one for one in items if one.kind.name == "secret"])
    if finding.view not in ("serving", "data"):
        return None
    if finding.rule == "NSP301":
        lost = [one for one in items if one.kind.name in ("database", "file system", *APART)]
        return another_copy(estate, service, lost[0]) if lost else None
    kind = service.topology.event(finding.event).kind
    # What the event takes whole comes before what has a copy elsewhere.
    items.sort(key=lambda one: f"{one.kind.name} {one.id}" not in finding.stops)
    store = next((one for one in items if one.kind.name in (*STORES, *ELSEWHERE)), None)
    if store is None or (kind == "zone" and set(service.members) <= set(finding.members)):
        return None  # Where all machines stand in the zone, they come first.
    if finding.rule == "NSP406":
        return Proposal(f"let the health check read a file, so that who lost {store.label} gets no clients")
    return another_copy(estate, service, store) if kind in KINDS_OF_EVENTS else None


def another_copy(estate: Estate, service: Service, store: Item) -> Proposal | None:
    """Propose a second copy of a store, in another zone."""
    if store.kind.name in ELSEWHERE:
        return Proposal(ELSEWHERE[store.kind.name].format(store.label))
    if store.kind.name == "database":
        return second_database(estate, store)
    if store.kind.name == "cache":
        return takes_over(estate, store)
    if store.kind.name == "mount target":
        return second_way(estate, service, store)
    return APART[store.kind.name](estate, store)


STORES = ("database", "cache", "mount target", *APART)
ELSEWHERE = {
    "file system": "replicate {} to a file system of the whole region, and mount that instead",
    "cache cluster": "replace {} with a replication group of two zones, whose replica takes over by itself",
    "memory database": "give each shard of {} a replica in another zone",
    "DAX cluster": "give {} a node in another zone",
    "directory": "replace {} with a directory that has controllers in two zones",
    "database proxy": "give {} subnets in two zones",
}
"""What gives other stores a second place; none of it was tried."""
KINDS_OF_EVENTS = (
    "zone",
    "database",
    "cache",
    "mount target",
    "warehouse",
    "broker",
    "search",
    "file system",
    "directory",
    "database proxy",
)
SETTINGS = {
    "database": ("rds modify-db-instance --db-instance-identifier", " --apply-immediately"),
    "database cluster": ("rds modify-db-cluster --db-cluster-identifier", " --apply-immediately"),
    "warehouse": ("redshift modify-cluster --cluster-identifier", ""),
}
"""The command that changes a store."""


OPTION_OF = {
    "BackupRetentionPeriod": "backup-retention-period",
    "AutomatedSnapshotRetentionPeriod": "automated-snapshot-retention-period",
}


def setting(item: Item, rule: str) -> Proposal | None:
    """Propose to keep backups, or to refuse deletion."""
    if item.kind.name not in SETTINGS:
        return None
    verb, suffix = SETTINGS[item.kind.name]
    command = f"aws {verb} {item.id}"
    if rule == "NSP302":
        path = BACKUP[item.kind.name]
        return Proposal(
            f"keep the backups of {item.label} for seven days",
            (f"{command} --{OPTION_OF[path]} 7{suffix}",),
            lambda old: old.changed(item.kind.name, item.id, **{path: 7}),
        )
    return Proposal(
        f"refuse to delete {item.label} until somebody switches that off",
        (f"{command} --deletion-protection{suffix}",),
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
        f"--db-cluster-identifier {cluster} --engine {item.text('Engine') or f'<as {item.id}>'} "
        f"--db-instance-class <as {item.id}> --availability-zone {zone or '<another one>'}"
    )
    return Proposal(
        f"add a member to {cluster} in {zone or 'another zone'}, and connect to the cluster's endpoint",
        (command,),
        lambda old: old.plus(item_of(KINDS["database"], fields)),
    )


def takes_over(estate: Estate, item: Item) -> Proposal:
    """Propose that a replica takes over by itself, with a replica first where a shard has none."""
    command = (
        f"aws elasticache modify-replication-group --replication-group-id {item.id} "
        "--automatic-failover-enabled --multi-az-enabled --apply-immediately"
    )
    fields: dict[str, Any] = {"AutomaticFailover": "enabled", "MultiAZ": "enabled"}
    shards = item.rows("NodeGroups")
    if all(len(row.rows("NodeGroupMembers")) > 1 for row in shards):
        return Proposal(
            f"let a replica of {item.label} take over by itself (it needs one in another zone)",
            (command,),
            lambda old: old.changed("cache", item.id, **fields),
        )
    more = (
        f"aws elasticache increase-replica-count --replication-group-id {item.id} "
        "--new-replica-count 1 --apply-immediately"
    )
    groups = []
    for row in shards:
        nodes = [dict(one.fields) for one in row.rows("NodeGroupMembers")]
        for one in nodes if len(nodes) == 1 else ():
            zone = other_zone(estate, str(one.get("PreferredAvailabilityZone") or ""))
            fresh = {"CacheClusterId": f"{one.get('CacheClusterId')}-2", "CurrentRole": "replica"}
            nodes.append({**fresh, "PreferredAvailabilityZone": zone})
            break
        groups.append({**row.fields, "NodeGroupMembers": nodes})
    return Proposal(
        f"give each shard of {item.label} a replica in another zone, and let it take over by itself",
        (more, command),
        lambda old: old.changed("cache", item.id, NodeGroups=groups, **fields),
    )


def second_way(estate: Estate, service: Service, item: Item) -> Proposal:
    """Propose a mount target in each zone that has machines and none."""
    system = item.text("FileSystemId")
    known = estate.find("file system", system)
    if known is not None and known.text("AvailabilityZoneName"):
        # Of such a file system AWS makes no mount target in another zone (EFS user guide, One Zone).
        return Proposal(ELSEWHERE["file system"].format(known.label))
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


def restored(estate: Estate, secrets: list[Item]) -> Proposal:
    """Propose to have secrets again that what starts asks for."""
    if not secrets:
        return Proposal("make the secrets again that are missing, or let the task definition name others")

    def changes(old: Estate) -> Estate:
        for item in secrets:
            old = old.changed("secret", item.id, DeletedDate=None)
        return old

    commands = tuple(f"aws secretsmanager restore-secret --secret-id {one.id}" for one in secrets)
    says = f"call off the deletion of {' and '.join(one.label for one in secrets)}"
    return Proposal(says, commands if estate.is_whole else (), changes)


def other_zone(estate: Estate, zone: str) -> str:
    """Return a zone that is another one."""
    return next((one.id for one in estate.of("zone") if one.id != zone), "")
