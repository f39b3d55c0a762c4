"""What stands inside a machine, joined to the picture: arrays, data, clusters, dated files, boot.

Only a machine that was looked into is spoken of. What its look could not read stays open: it is
named, and never taken for absent.
"""

from __future__ import annotations

from nospof.audit.builder import Builder, Service
from nospof.audit.parts.files import uses_of
from nospof.audit.parts.surroundings import (
    ask_jobs,
    ask_names,
    date,
    note_boot,
    regard_hardware,
    store_under,
)
from nospof.audit.parts.votes import is_among_members, is_in_step, is_laid_out, join_clusters
from nospof.audit.uses import ports_of
from nospof.audit.windows import day
from nospof.model.estate import CERTAIN, Estate, Use
from nospof.model.item import Item, Record
from nospof.model.topology import AllOf, AnyOf, AtLeast, On, Requirement, Unknown, names_in

DATA_PORTS = {
    1433: "SQL Server",
    1521: "Oracle",
    2379: "etcd",
    3306: "MySQL",
    5432: "PostgreSQL",
    5672: "RabbitMQ",
    6379: "Redis",
    9092: "Kafka",
    9200: "Elasticsearch",
    11211: "memcached",
    27017: "MongoDB",
}
KEEPS = ("engines", "sessions", "written", "files")
"""Sections that tell of data on the machine itself."""
FORGETS = ("memcached",)
REMOTE = ("nfs", "nfs4")
LOOPBACK = ("127.", "::1", "localhost")
FILES_SHOWN = 3
OWN_FILES = "/var/lib/nospof"
"""Where a machine with a layout has what its votes are counted by: the others have it too."""


def look_of(estate: Estate, instance_id: str) -> Item | None:
    """Return what a look inside a machine found, if there was one."""
    return estate.find("machine", instance_id)


def is_inside_known(estate: Estate, instance_id: str) -> bool:
    """Whether a look inside a machine read everything that would tell of its data."""
    look = look_of(estate, instance_id)
    return look is not None and all(look.text(f"{one}.status") in ("found", "none") for one in KEEPS)


def keeps_nothing(estate: Estate, instance_id: str) -> tuple[str, ...]:
    """Return where a look found no data, when it read everything and found none; else nothing."""
    look = look_of(estate, instance_id)
    if look is None or any(look.text(f"{one}.status") != "none" for one in KEEPS):
        return ()
    since = look.number("written.since") or 0.0
    when = f" since {day(since)}" if 0 < since <= estate.read_at else ""
    return ("database engines", "session files", f"files changed below document roots{when}", "open files")


def left_open(estate: Estate, instance_id: str) -> tuple[str, ...]:
    """Return a line for each section of a look that could not be read."""
    look = look_of(estate, instance_id)
    if look is None:
        return ()
    names = sorted(one.partition(".")[0] for one in look.kind.paths if one.endswith(".status"))
    return tuple(
        f"{name} of {instance_id}: {look.text(f'{name}.reason')}"
        for name in names
        if look.text(f"{name}.status") == "unreadable"
    )


def uses_from_probes(estate: Estate) -> tuple[Use, ...]:
    """Return what machines were seen to need: by connections that stood, and by mounts."""
    found = []
    for look in estate.of("machine"):
        for one in look.rows("connections.found"):
            address, port = one.text("address"), int(one.number("port") or 0)
            used = holder_of(estate, address, port) if port in DATA_PORTS else None
            if used is not None and used.id != look.id and not is_among_members(estate, look, used, one):
                why = f"{one.text('process') or 'a process'} of {look.id} is connected to {address}:{port}"
                found.append(Use(look.id, used.kind.name, used.id, "serving", "observed", why))
        for one in look.rows("mounts.found"):
            if one.text("type") in REMOTE and (used := server_of(estate, one.text("server"))):
                why = f"{look.id} has mounted {one.text('server')} at {one.text('point')}"
                # A health check rarely touches the mount: the balancer keeps sending.
                found.append(Use(look.id, used.kind.name, used.id, "blind", "observed", why))
    return tuple(dict.fromkeys(found))


def holder_of(estate: Estate, address: str, port: int) -> Item | None:
    """Return the machine or the store that answers at a private address."""
    if machine := estate.find("instance", address):
        return machine
    interface = next(
        iter(estate.where("network interface", "PrivateIpAddresses.PrivateIpAddress", address)), None
    )
    if interface is None:
        return None
    if attached := interface.text("Attachment.InstanceId"):
        return estate.find("instance", attached)
    # AWS writes there whose interface it is: "ElastiCache shop-001"; RDS gives no name.
    service, _, name = interface.text("Description").partition(" ")
    if service == "RDSNetworkInterface":
        return only_database(estate, port)
    return estate.find("cache cluster", name) if service == "ElastiCache" else None


def only_database(estate: Estate, port: int) -> Item | None:
    """Return the one database or cluster that listens on a port, where all were read and it is alone."""
    if estate.is_unread("database", "database cluster"):
        return None
    alone = [one for one in estate.of("database") if not one.text("DBClusterIdentifier")]
    found = [one for one in (*alone, *estate.of("database cluster")) if port in ports_of(one)]
    return found[0] if len(found) == 1 else None


def server_of(estate: Estate, server: str) -> Item | None:
    """Return the file system, mount target or machine that a mount names by address, name or id."""
    if server.startswith("fs-"):
        return estate.find("file system", server.partition(".")[0])
    return estate.find("mount target", server) or estate.find("instance", server)


def inside(b: Builder) -> None:
    """Join what was found inside the service's machines."""
    looks: dict[str, Item] = {}
    for name in b.machines:
        item = b.service.item_of.get(name)
        look = look_of(b.estate, item.id) if item is not None and item.kind.name == "instance" else None
        if look is None:
            continue
        looks[name] = look
        arrays = {one.text("point"): requirement_of(look, one.text("device")) for one in mounted(look)}
        regard_strangers(b, name, look)
        regard_arrays(b, name, arrays)
        keep(b, name, look, arrays)
        ask_names(b, name, look)
        regard_hardware(b, name, look)
        note_boot(b, look)
        date(b, name, look)
        for says in left_open(b.estate, look.id):
            b.not_read(says)
    join_clusters(b, looks)
    ask_jobs(b, looks)


def regard_strangers(b: Builder, name: str, look: Item) -> None:
    """Let a machine perhaps need the stores that it is connected to and of which nothing was read.

    What somebody said that it uses on such a port is taken for what answers there.
    """
    said = [
        used
        for use in uses_of(b, name)
        if use.provenance in CERTAIN and (used := b.estate.find(use.used_kind, use.used))
    ]
    known = {port for used in said for port in ports_of(used)}
    for one in look.rows("connections.found"):
        address, port = one.text("address"), int(one.number("port") or 0)
        is_own = address.startswith(LOOPBACK) or b.estate.find("instance", address) is not None
        if port in DATA_PORTS and port not in known and not is_own and not holder_of(b.estate, address, port):
            b.also_needs(name, "serving", b.unread(f"{DATA_PORTS[port]} at {address}:{port}"))
    for one in look.rows("mounts.found"):
        if one.text("type") in REMOTE and server_of(b.estate, one.text("server")) is None:
            b.also_needs(name, "blind", b.unread(f"files of {one.text('server')}"))


def mounted(look: Item) -> list[Record]:
    """Return the mounts of a machine's own disks, the longest paths first."""
    own = [one for one in look.rows("mounts.found") if one.text("device")]
    return sorted(own, key=lambda one: -len(one.text("point")))


# Arrays ----------------------------------------------------------------------------------------------------


def requirement_of(look: Item, device: str, above: tuple[str, ...] = ()) -> Requirement | None:
    """Return what of the machine's volumes a device needs; None when nobody could tell.

    Args:
        look: what was found inside.
        device: its name.
        above: the devices that are made of it, so that a false answer cannot lead round in a circle.
    """
    found = next((one for one in look.rows("devices.found") if one.text("name") == device), None)
    if found is None or device in above:
        return None
    if not found.texts("parts"):
        return On(found.text("volume")) if found.text("volume") else None
    failed = found.texts("failed")
    parts = [requirement_of(look, one, (*above, device)) for one in found.texts("parts") if one not in failed]
    known = [one for one in parts if one is not None]
    if len(known) < len(parts):
        return None
    return array(found.text("level"), known, max(int(found.number("disks") or 0), len(known)))


def array(level: str, parts: list[Requirement], disks: int) -> Requirement:
    """Return what an array of a level needs of the parts that it still has, of so many that it should."""
    each = tuple((1, one) for one in parts)
    if level == "raid1":
        return AnyOf(tuple(parts))
    if level in ("raid4", "raid5"):
        return AtLeast(disks - 1, each)
    if level == "raid6":
        return AtLeast(disks - 2, each)
    if level == "raid10" and len(parts) == disks and disks % 2 == 0:
        # The kernel's default, two near copies: neighbours hold the same.
        return AllOf(tuple(AnyOf(tuple(parts[at : at + 2])) for at in range(0, disks, 2)))
    if level in ("raid10", "unknown"):
        return Unknown(AllOf(tuple(parts)), AnyOf(tuple(parts)))
    return AllOf(tuple(parts))


def volumes_in(requirement: Requirement) -> set[str]:
    """Return the volumes that a requirement of an array speaks of."""
    return set(names_in(requirement))


def regard_arrays(b: Builder, name: str, arrays: dict[str, Requirement | None]) -> None:
    """Let a machine need its arrays in place of every volume in them."""
    known = [one for one in arrays.values() if one is not None and not isinstance(one, On)]
    known = [one for one in known if volumes_in(one) <= b.nodes.keys()]
    covered = {volume for one in known for volume in volumes_in(one)}
    if covered:
        rest = without(b.nodes[name].requirement, covered)
        b.change(name, requirement=AllOf((rest, *dict.fromkeys(known))))


def without(requirement: Requirement, covered: set[str]) -> Requirement:
    """Return a requirement without the plain need of some volumes."""
    if not isinstance(requirement, AllOf):
        return requirement
    parts = (one for one in requirement.parts if not (isinstance(one, On) and one.node in covered))
    return AllOf(tuple(without(one, covered) for one in parts))


# Data ------------------------------------------------------------------------------------------------------


def kept(look: Item) -> tuple[tuple[str, str], ...]:
    """Return the data that lives on one machine only, and the directory: what others have in step is not.

    What lies in a directory of another machine is that machine's.
    """
    found = [
        (f"{one.text('engine')} data", one.text("directory"))
        for one in look.rows("engines.found")
        if one.text("engine") not in FORGETS and not is_in_step(look, one)
    ]
    own = [("sessions", one) for one in look.rows("sessions.found")]
    own += [("files", one) for one in look.rows("written.found") if not one.flag("in_step")]
    found += [(f"{says} in {one.text('directory')}", one.text("directory")) for says, one in own]
    return tuple(one for one in found if not is_elsewhere(look, one[1]))


def vanishing(look: Item) -> tuple[tuple[str, str], ...]:
    """Return the data that is on an instance store, and the disk: a stop empties it."""
    found = []
    for says, path in kept(look):
        mount = mount_of(look, path)
        if mount is not None and (store := store_under(look, mount.text("device"))):
            found.append((says, store))
    return tuple(found)


def mount_of(look: Item, path: str) -> Record | None:
    """Return the mount that a path is in: the one with the longest point."""
    below = [one for one in look.rows("mounts.found") if is_below(path, one.text("point"))]
    return max(below, key=lambda one: len(one.text("point")), default=None)


def is_below(path: str, point: str) -> bool:
    """Whether a path is a directory or something in it."""
    return bool(point) and (path == point or path.startswith(point.rstrip("/") + "/"))


def is_elsewhere(look: Item, path: str) -> bool:
    """Whether a path is in a directory that another machine lends."""
    mount = mount_of(look, path)
    return mount is not None and bool(mount.text("server"))


def keep(b: Builder, name: str, look: Item, arrays: dict[str, Requirement | None]) -> None:
    """Note the data that lives on one machine only."""
    gone = dict(vanishing(look))
    for says, path in kept(look):
        # An instance store goes with its machine.
        copies = On(name) if says in gone else copies_of(b, name, path, look, arrays)
        b.state(f"{says} of {name}", copies)
    for one in (one.text("directory") for one in look.rows("written.found") if one.flag("in_step")):
        b.assume(f"files in {one} of {look.id} are on another member too, but for those of the last second")
    in_step = [one.text("directory") for one in look.rows("engines.found") if is_in_step(look, one)]
    in_step += [OWN_FILES] if look.rows("votes.found") else []
    rows = [
        one for one in look.rows("files.found") if not any(is_below(one.text("path"), at) for at in in_step)
    ]
    if rows and not kept(look):
        shown = ", ".join(f"{one.text('path')} ({one.text('process')})" for one in rows[:FILES_SHOWN])
        more = f" and {len(rows) - FILES_SHOWN} more" if len(rows) > FILES_SHOWN else ""
        b.ask(f"must anything in these open files of {name} not be lost: {shown}{more}?")


def copies_of(
    b: Builder, name: str, path: str, look: Item, arrays: dict[str, Requirement | None]
) -> Requirement:
    """Return the copies of what is kept at a path: the disks below it, or the whole machine."""
    mount = mount_of(look, path)
    requirement = arrays.get(mount.text("point")) if mount is not None else None
    if requirement is not None and volumes_in(requirement) <= b.nodes.keys():
        return requirement
    volumes = tuple(
        On(one.text("Ebs.VolumeId")) for one in b.service.item_of[name].rows("BlockDeviceMappings")
    )
    own = tuple(one for one in volumes if one.node in b.nodes)
    return AllOf(own) if own else On(name)


def diverging(service: Service) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return engines that members run alone while other members have one too: their data drifts apart.

    A single one is told where the others' are in step by a layout that has no seat for it.
    """
    found: dict[str, list[str]] = {}
    in_step: set[str] = set()
    for name in service.members:
        item = service.item_of.get(name)
        look = look_of(service.watched.whole, item.id) if item is not None else None
        if look is None:
            continue
        for one in look.rows("engines.found"):
            if is_laid_out(look, one):
                in_step.add(one.text("engine"))
            elif one.text("engine") not in FORGETS and not (one.text("group") or one.texts("peers")):
                found.setdefault(one.text("engine"), []).append(name)
    return tuple((one, tuple(found[one])) for one in sorted(found) if len(found[one]) > 1 or one in in_step)
