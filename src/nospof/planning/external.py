"""Say where the data of a source is kept that it does not keep itself, and what that means for a pair.

Pure. Nothing is refused for it: two members lose together what both use elsewhere, as one does today. Only
what was seen is told: a connection that did not stand while the machine was looked at is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from nospof.audit.parts.inside import DATA_PORTS, LOOPBACK
from nospof.model.external import (
    CACHE_INTERFACE,
    EFS_INTERFACE,
    RDS_INTERFACE,
    Database,
    FileSystem,
    Holder,
    MountTarget,
    Used,
)
from nospof.model.plans import Plan
from nospof.planning.pair_rules import PairFacts

NFS_PORT = 2049
EFS = re.compile(r"(?:([a-z0-9-]+)\.)?(fs-[0-9a-f]+)(?:\.efs\..+)?")
"""A file system's id, or its name, or its name in one zone, as they are mounted."""
OTHERS = {"docdb": "DocumentDB", "neptune": "Neptune"}
"""Engines that RDS lists beside its own."""
GATEWAY_OF_CONTAINERS = "docker-proxy"
"""It passes on what comes for containers of the same machine."""


@dataclass(frozen=True)
class Kept:
    """One thing that is kept elsewhere: how the plan names it, and what should be known of it."""

    says: str
    warnings: tuple[str, ...] = ()


# What is used elsewhere ---------------------------------------------------------------------------


def uses_elsewhere(facts: PairFacts) -> tuple[Used, ...]:
    """Return what the source uses of others: neither of itself, nor of those who keep its data with it.

    What is mounted comes first, and is not told again for the connection by which it is mounted.
    """
    own = own_addresses(facts)
    seen = tuple(one for one in facts.inside.uses if one.server not in own and not is_loopback(one.server))
    mounted = tuple(one for one in seen if one.point)
    servers = {one.server for one in mounted}
    connected = dict.fromkeys(
        replace(one, process="")
        for one in seen
        if not one.point
        and (one.port in DATA_PORTS or (one.port == NFS_PORT and one.server not in servers))
        and one.process != GATEWAY_OF_CONTAINERS
    )
    return (*mounted, *connected)


def own_addresses(facts: PairFacts) -> set[str]:
    """Return the addresses of those whose data is the pair's own, those of further interfaces once known."""
    layout = facts.data.examined.layout if facts.data else None
    members = [one for one in (facts.source, facts.twin) if one]
    ids = {one.id for one in members}
    return {
        *(address for one in members for address in (one.private_ip, one.public_ip)),
        *(seat.address for seat in (layout.voters if layout else ())),
        *(one.address for one in facts.stores.holders if one.instance_id in ids),
    }


def is_loopback(server: str) -> bool:
    """Whether it is the machine itself that is asked; a tunnel's other end is found by its connection."""
    return server.startswith(LOOPBACK)


def asked_of(uses: Sequence[Used]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the addresses, and the file systems, that the cloud may know more about."""
    addresses = {one.server for one in uses if address_of(one.server)}
    systems = {found[2] for one in uses if one.point and (found := EFS.fullmatch(one.server))}
    return tuple(sorted(addresses)), tuple(sorted(systems))


def address_of(server: str) -> IPv4Address | None:
    """Return a server's address, None for a name; interfaces are asked for by their IPv4 addresses."""
    try:
        return IPv4Address(server)
    except AddressValueError:
        return None


# Who keeps it -------------------------------------------------------------------------------------


def kept_elsewhere(facts: PairFacts) -> tuple[Kept, ...]:
    """Return what the source has elsewhere, each once."""
    uses = uses_elsewhere(facts)
    points = [one.server for one in uses if one.point]
    mounted = {found[2] for one in points if (found := EFS.fullmatch(one))}
    mounted |= {system for one in points if (system := system_at(facts, one))}
    is_named = any(address_of(one) is None for one in points)
    kept = []
    for use in uses:
        holder = holder_of(facts, use.server)
        is_told = system_at(facts, use.server) in mounted or (holder is None and is_named)
        if use.port != NFS_PORT or not is_told:
            kept.append(files_of(facts, use, holder) if use.point else kept_at(facts, use, holder))
    return tuple(dict.fromkeys(kept))


def holder_of(facts: PairFacts, address: str) -> Holder | None:
    """Return whose interface an address is."""
    return next((one for one in facts.stores.holders if one.address == address), None)


def system_at(facts: PairFacts, address: str) -> str:
    """Return the file system whose mount target has an address, or nothing."""
    holder = holder_of(facts, address)
    found = EFS_INTERFACE.match(holder.description) if holder else None
    return found[1] if found else ""


def files_of(facts: PairFacts, use: Used, holder: Holder | None) -> Kept:
    """Return what is known of files that are mounted."""
    if found := EFS.fullmatch(use.server):
        return efs(facts, use, found[2], found[1] or "")
    if system := system_at(facts, use.server):
        return efs(facts, use, system, holder.zone if holder else "")
    if holder and holder.instance_id:
        return of_instance(use, holder, f"files of {holder.instance_id} ({use.server}) at {use.point}")
    return Kept(f"files of {place_of(facts, use, holder)} at {use.point}")


def kept_at(facts: PairFacts, use: Used, holder: Holder | None) -> Kept:
    """Return what is known of the other end of a connection."""
    what = DATA_PORTS.get(use.port, "NFS")
    if system := system_at(facts, use.server):
        return efs(facts, use, system, "")
    if holder and holder.instance_id:
        return of_instance(use, holder, f"{what} on {holder.instance_id} ({use.server}:{use.port})")
    if holder and holder.description == RDS_INTERFACE:
        return managed(facts, use, holder)
    if holder and (cache := CACHE_INTERFACE.match(holder.description)):
        name = f"ElastiCache {cache[1]}"
        unread = f"not checked: whether {name} goes on when its zone {holder.zone} fails"
        return Kept(f"{name} ({what})", (unread,))
    return Kept(f"{what} at {place_of(facts, use, holder)}")


def place_of(facts: PairFacts, use: Used, holder: Holder | None) -> str:
    """Return a place as it was seen, with what little is known of it."""
    at = f"{use.server}:{use.port}" if use.port else use.server
    address = address_of(use.server)
    cidrs = [one.cidr for one in facts.subnets if one.cidr]
    if holder:
        return f"{at} ({holder.description})" if holder.description else at
    if address and address.is_private and cidrs and not any(address in IPv4Network(one) for one in cidrs):
        return f"{at} (in no subnet of {facts.source.vpc_id}: another network, or a container of its own)"
    return at


def of_instance(use: Used, holder: Holder, says: str) -> Kept:
    """Return what is kept by another instance: one machine that both members need."""
    what = "the files at " + use.point if use.point else DATA_PORTS.get(use.port, "NFS")
    return Kept(
        says,
        (
            f"{what} of both members: {holder.instance_id} alone keeps it, and its loss takes both. Have "
            "that kept by two as well, or move it to a service that goes on in another zone",
        ),
    )


# Databases ----------------------------------------------------------------------------------------


def managed(facts: PairFacts, use: Used, holder: Holder) -> Kept:
    """Return what is known of a database of RDS, whose address does not say which one it is."""
    found = databases_at(facts.stores.databases, use, holder)
    if not found:
        return Kept(f"RDS at {use.server}:{use.port}")
    if len(found) > 1:
        several = " or ".join(service_of(one) for one in found)
        alone = [one for one in found if not one.is_multi_zone]
        warning = f"not checked: which one {use.server}:{use.port} is, {several}"
        return Kept(f"{several} ({use.server}:{use.port})", (warning,) if alone else ())
    (one,) = found
    name = service_of(one)
    if one.is_multi_zone is None:
        return Kept(f"{name} ({one.engine})", (f"not checked: whether {name} goes on in another zone",))
    if one.is_multi_zone:
        return Kept(f"{name} ({one.engine}, Multi-AZ)")
    mend = (
        "Add a reader to it in another zone"
        if one.is_cluster
        else f"aws rds modify-db-instance --db-instance-identifier {one.id} --multi-az --apply-immediately"
    )
    at = f" ({one.zone})" if one.zone else ""
    warning = (
        f"{name} is in one zone only{at}, and its loss takes both members: it stays a single point of "
        f"failure. {mend}"
    )
    return Kept(f"{name} ({one.engine}, one zone)", (warning,))


def databases_at(databases: Sequence[Database], use: Used, holder: Holder) -> tuple[Database, ...]:
    """Return the databases that may be behind an interface: on its port, in its groups, best in its zone.

    A cluster counts as one whichever of its members it is; the zone tells less than the rest, for a failover
    that has just been may not be told yet.
    """
    found = [one for one in databases if one.port == use.port and one.groups == holder.groups]
    near = [one for one in found if one.zone == holder.zone] or found
    by_id = {one.id: one for one in near}
    return tuple(by_id[one] for one in sorted(by_id))


def service_of(one: Database) -> str:
    """Return a database by its name and what it is of."""
    kind = OTHERS.get(one.engine) or ("Aurora" if one.engine.startswith("aurora") else "RDS")
    return f"{kind} {one.id}"


# Files of EFS -------------------------------------------------------------------------------------


def efs(facts: PairFacts, use: Used, system_id: str, zone_used: str) -> Kept:
    """Return what is known of a file system of EFS, mounted by its name, or by the way in one zone."""
    at = f" at {use.point}" if use.point else ""
    says = f"EFS {system_id}"
    system = next((one for one in facts.stores.file_systems if one.id == system_id), None)
    if system is None or system.zone is None:
        return Kept(f"{says}{at}")
    if system.zone:
        return Kept(f"{says} (One Zone, {system.zone}){at}", one_zone(facts, system, zone_used))
    if not use.point:
        return Kept(says)
    return Kept(f"{says}{at}", the_way_there(facts, use, system, zone_used))


def one_zone(facts: PairFacts, system: FileSystem, zone_used: str) -> tuple[str, ...]:
    """Return what to know of files that one zone keeps."""
    told = (
        f"EFS {system.id} keeps its files in {system.zone} only: that zone's failure takes them from both "
        "members. Have them in one of the whole region: aws efs create-file-system --encrypted, a mount "
        "target in each zone, and copy them there"
    )
    if facts.twin_zone in ("", system.zone) or zone_used:
        return (told,)
    # EFS User Guide, "Mounting One Zone file systems": from another zone only by the zone's own name.
    return (
        told,
        f"the twin in {facts.twin_zone} can mount EFS {system.id} only by the name of its zone: mount -t efs "
        f"-o az={system.zone},tls {system.id} ...",
    )


def the_way_there(facts: PairFacts, use: Used, system: FileSystem, zone_used: str) -> tuple[str, ...]:
    """Return what keeps the twin from files that the whole region keeps, or makes it need another zone."""
    zone = facts.twin_zone
    if not zone or system.targets is None:
        return ()
    there = [one for one in system.targets if one.zone == zone and one.is_available]
    adding = "" if there else f" {add_target(facts, system, zone)}"
    if zone_used and zone_used != zone:
        return (
            f"{use.point} is mounted by the way to EFS {system.id} in {zone_used}: the twin in {zone} would "
            f"lose it with that zone. Mount it by the file system's own name, not by {use.server}.{adding}",
        )
    if there:
        return ()
    # EFS User Guide, "Mounting on Amazon EC2 with a DNS name": it needs a target in the client's own zone.
    return (
        f"EFS {system.id} has no mount target in {zone}, where its name then leads nowhere: the twin would "
        f"come up without {use.point}.{adding}",
    )


def add_target(facts: PairFacts, system: FileSystem, zone: str) -> str:
    """Return how a mount target is added in a member's zone, in the groups of one that is there."""
    inside = [one.id for one in facts.subnets if one.zone == zone]
    own = (one.subnet_id for one in (facts.twin, facts.source) if one and one.zone == zone)
    subnet = next(iter((*own, *sorted(inside), "...")))
    first: MountTarget | None = next(iter(system.targets or ()), None)
    groups = (
        " --security-groups $(aws efs describe-mount-target-security-groups --mount-target-id "
        f"{first.id} --query SecurityGroups --output text)"
        if first
        else ""
    )
    command = f"aws efs create-mount-target --file-system-id {system.id} --subnet-id {subnet}{groups}"
    return f"Add one first: {command}"


# The plan -----------------------------------------------------------------------------------------


def with_external(plan: Plan, facts: PairFacts) -> Plan:
    """Return a pair's plan with where data is kept that neither member keeps."""
    kept = kept_elsewhere(facts)
    unread = [f"not checked: {one}" for one in facts.stores.unread]
    if facts.inside.uses_unread:
        unread.append(f"not checked: what it uses elsewhere ({facts.inside.uses_unread})")
    details = dict(plan.details)
    if kept:
        external = f"external: {', '.join(dict.fromkeys(one.says for one in kept))}"
        details["data"] = f"{details['data']}; {external}" if details.get("data") else external
    warnings = dict.fromkeys(warning for one in kept for warning in one.warnings)
    return replace(plan, warnings=(*plan.warnings, *warnings, *unread), details=details)
