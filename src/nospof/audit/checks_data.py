"""Findings about stores that are no cuts: backups, deletion by mistake, replicas that wait for a person."""

from __future__ import annotations

from dataclasses import replace

from nospof.audit.builder import Service, surely_needed
from nospof.model.estate import Estate, Item
from nospof.model.findings import Finding, Severity


def data_checks(estate: Estate, service: Service) -> list[Finding]:
    """Return the findings about the stores of a service."""
    found: list[Finding] = []
    stores = {(one.kind.name, one.id): one for one in service.item_of.values() if one.kind.name in BACKUP}
    needed = surely_needed(service.topology) if stores else set()
    for item in stores.values():
        if item.kind.name == "database" and item.text("DBClusterIdentifier"):
            told = bypassed(estate, service, item)  # The rest its cluster says for all members.
        else:
            told = [one for check in CHECKS if (one := check(estate, service, item))]
        if f"{item.kind.name} {item.id}" not in needed:
            told = [replace(one, confidence="possible") for one in told]
        found += told
    return found


BACKUP = {
    "database": "BackupRetentionPeriod",
    "database cluster": "BackupRetentionPeriod",
    "warehouse": "AutomatedSnapshotRetentionPeriod",
}
"""The field with the days that backups are kept."""


def no_backup(estate: Estate, service: Service, item: Item) -> Finding | None:
    """Return the finding that a store keeps no backup."""
    path = BACKUP[item.kind.name]
    is_replica = item.kind.name == "database" and item.text("ReadReplicaSourceDBInstanceIdentifier")
    if is_replica or item.at(path) is None or item.number(path) != 0 or is_backed_up(estate, item):
        return None
    says = f"{item.says} keeps no backup: what is deleted by mistake is gone"
    return finding(service, item, "NSP302", says, "medium", path)


def is_backed_up(estate: Estate, item: Item) -> bool:
    """Whether AWS Backup has a copy, which keeps its own without the store's days."""
    if any(estate.find("protected resource", one) for one in item.keys):
        return True
    # A warehouse tells the name of its namespace only, AWS Backup that of the cluster.
    ending = f":cluster:{item.id}"
    return any(
        one.id.endswith(ending) and one.text("ResourceType") == "Redshift"
        for one in (estate.of("protected resource") if item.kind.name == "warehouse" else ())
    )


def unprotected(_estate: Estate, service: Service, item: Item) -> Finding | None:
    """Return the finding that one call deletes a store."""
    if "DeletionProtection" not in item.kind.paths or item.at("DeletionProtection") is None:
        return None
    if item.flag("DeletionProtection") is not False:
        return None
    says = f"{item.says} is not protected against deletion"
    return finding(service, item, "NSP306", says, "low", "DeletionProtection")


def replica_only(estate: Estate, service: Service, item: Item) -> Finding | None:
    """Return the finding that a database's only other copy lags and takes over only by hand."""
    if item.kind.name != "database" or item.flag("MultiAZ") is not False:
        return None
    replicas = estate.where("database", "ReadReplicaSourceDBInstanceIdentifier", *item.keys)
    names = [one.id for one in replicas] or list(item.texts("ReadReplicaDBInstanceIdentifiers"))
    if not names:
        return None
    says = f"{item.says} has read replicas only ({', '.join(names)}): they lag, and a person must promote one"
    return finding(service, item, "NSP305", says, "low", "MultiAZ", "ReadReplicaDBInstanceIdentifiers")


def bypassed(estate: Estate, service: Service, item: Item) -> list[Finding]:
    """Return the finding that clients name one member of a cluster in which others could take over."""
    cluster = item.text("DBClusterIdentifier")
    is_known = any(
        one.kind.name == "database cluster" and cluster in one.keys for one in service.item_of.values()
    )
    others = [one for one in estate.where("database", "DBClusterIdentifier", cluster) if one.id != item.id]
    if is_known or not others:
        return []
    says = f"clients connect to {item.says} itself, so that no other member of {cluster} takes over for them"
    return [finding(service, item, "NSP408", says, "medium", "DBClusterIdentifier")]


def finding(service: Service, item: Item, rule: str, title: str, severity: Severity, *paths: str) -> Finding:
    """Return a finding about one store."""
    return Finding(
        rule=rule,
        service=service.entry.service,
        title=title[:1].upper() + title[1:],
        event=f"{rule}:{item.id}",
        severity=severity,
        members=(item.id,),
        view="data",
        facts=item.facts(*paths),
        location=item.location,
    )


CHECKS = (no_backup, unprotected, replica_only)
