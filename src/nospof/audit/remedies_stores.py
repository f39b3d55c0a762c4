"""Remedies for warehouses, brokers, search, Windows files and keys.

Some of these cannot be changed in place: AWS makes another one, and clients move to it.
"""

from __future__ import annotations

from collections.abc import Callable

from nospof.audit.builder import Service
from nospof.audit.changes import zone_of_row
from nospof.audit.parts.files import has_type
from nospof.audit.parts.trust import UNUSABLE
from nospof.audit.proposal import Proposal
from nospof.model.estate import Estate, Item

FROM_BACKUP = {"Windows": "MULTI_AZ_1", "OpenZFS": "MULTI_AZ_1"}
"""What a backup can be restored as, by type (FSx user guides, file system deployment types)."""


def two_zones(estate: Estate, item: Item) -> Proposal:
    """Propose that a warehouse spans two zones."""
    command = f"aws redshift modify-cluster --cluster-identifier {item.id} --multi-az"
    return Proposal(
        f"let {item.label} span two zones (it needs RA3 nodes and a subnet group of three zones)",
        (command,) if estate.is_whole else (),
        lambda old: old.changed("warehouse", item.id, MultiAZ="enabled", MultiAZSecondary=None),
    )


def broker_with_standby(estate: Estate, item: Item) -> Proposal:
    """Propose another broker: the mode of one cannot be changed (Amazon MQ API, UpdateBroker)."""
    engine = item.text("EngineType").upper()
    mode = "CLUSTER_MULTI_AZ" if engine == "RABBITMQ" else "ACTIVE_STANDBY_MULTI_AZ"
    command = (
        f"aws mq create-broker --broker-name <a new name> --deployment-mode {mode} "
        f"--engine-type {engine or f'<as {item.label}>'} --host-instance-type <as {item.label}, or larger> "
        f"--no-publicly-accessible --subnet-ids {'<one in each zone>'}"
    )
    zones = list(dict.fromkeys(one.text("AvailabilityZone") for one in estate.of("subnet")))
    subnets = [next(s.id for s in estate.of("subnet") if s.text("AvailabilityZone") == z) for z in zones]
    return Proposal(
        f"replace {item.label} with a broker of the mode {mode}, and move its clients",
        (command,) if estate.is_whole else (),
        lambda old: old.changed("broker", item.id, DeploymentMode=mode, SubnetIds=subnets),
    )


def search_in_three_zones(estate: Estate, item: Item) -> Proposal:
    """Propose three zones and masters apart; whether each index has a replica, no description tells."""
    nodes = max(3, int(item.number("ClusterConfig.InstanceCount", 1) or 1))
    nodes += -nodes % 3
    config = (
        f"InstanceCount={nodes},ZoneAwarenessEnabled=true,ZoneAwarenessConfig={{AvailabilityZoneCount=3}},"
        "DedicatedMasterEnabled=true,DedicatedMasterCount=3,DedicatedMasterType=<its type>"
    )
    command = f"aws opensearch update-domain-config --domain-name {item.id} --cluster-config {config}"
    if item.texts("VPCOptions.SubnetIds"):
        command += " --vpc-options SubnetIds=<one in each of three zones, with a comma between>"
    return Proposal(
        f"let {item.label} stand in three zones with three masters, and give every index a replica",
        (command,) if estate.is_whole else (),
    )


def files_in_two_zones(estate: Estate, item: Item) -> Proposal:
    """Propose a file system in two zones, made from a backup where its type allows that."""
    name = next((one for one in FROM_BACKUP if has_type(item, one)), "")
    says = f"replace {item.label} with a file system in two zones"
    if not name:
        return Proposal(f"{says}, or keep a copy of its files elsewhere: its type cannot be restored as one")
    used = item.texts("SubnetIds")
    free = [
        one.id for one in estate.of("subnet") if one.text("AvailabilityZone") not in zones_of(estate, used)
    ]
    subnets = [used[0] if used else "<the present one>", "<one in another zone>"]
    option = "windows-configuration" if name == "Windows" else "open-zfs-configuration"
    config = (
        f"DeploymentType={FROM_BACKUP[name]},ThroughputCapacity=<as before>,PreferredSubnetId={subnets[0]}"
    )
    commands = (
        f"aws fsx create-backup --file-system-id {item.id}",
        f"aws fsx create-file-system-from-backup --backup-id <the new one> --subnet-ids {' '.join(subnets)} "
        f"--{option} {config}",
    )
    fields = {
        f"{name}Configuration": {"DeploymentType": FROM_BACKUP[name]},
        "SubnetIds": [*used[:1], *free[:1]],
    }
    return Proposal(
        f"{says}, made from a backup, and mount that instead",
        commands if estate.is_whole else (),
        lambda old: old.changed("FSx file system", item.id, **fields),
    )


def zones_of(estate: Estate, subnets: tuple[str, ...]) -> set[str]:
    """Return the zones of subnets."""
    return {zone_of_row(estate, one) for one in subnets}


def usable_key(service: Service) -> Proposal | None:
    """Propose to take a key into use again."""
    items = [one for one in service.item_of.values() if one.kind.name == "key"]
    off = {one.id: one for one in items if one.text("KeyState") in UNUSABLE}
    commands: list[str] = []
    for item in off.values():
        state = item.text("KeyState")
        if state == "PendingDeletion":
            # A deletion that was called off leaves the key disabled.
            commands.append(f"aws kms cancel-key-deletion --key-id {item.id}")
        if state in ("PendingDeletion", "Disabled"):
            commands.append(f"aws kms enable-key --key-id {item.id}")
    if not off:
        return None

    def changes(old: Estate) -> Estate:
        for item in off.values():
            old = old.changed("key", item.id, KeyState="Enabled", DeletionDate=None)
        return old

    names = " and ".join(one.label for one in off.values())
    says = f"take key {names} into use again, or encrypt with another one first"
    return Proposal(says, tuple(commands), changes)


APART: dict[str, Callable[[Estate, Item], Proposal]] = {
    "warehouse": two_zones,
    "broker": broker_with_standby,
    "search domain": search_in_three_zones,
    "FSx file system": files_in_two_zones,
}
"""What gives a store a second copy, by kind."""
