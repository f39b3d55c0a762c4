"""Files that several machines share: where they are stored, and the way to them in each zone.

Both are judged: storage in the whole region behind one mount target is reached through one zone, and
storage in one zone is lost to everybody whatever the ways to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nospof.audit.builder import Builder
from nospof.audit.parts.containers import service_of
from nospof.audit.parts.copies import Copy, add_copy, single_or_pair, umbrella, zones_at
from nospof.audit.parts.machines import group_of_instance
from nospof.model.estate import CERTAIN, UNKNOWN, Item, Use
from nospof.model.topology import UP, AllOf, AnyOf, Requirement, Unknown, names_in

ZONAL_BUCKET = re.compile(r"--([a-z0-9]+-az\d+)--x-s3$")
"""A directory bucket carries its zone's id in its name (S3 user guide, directory bucket naming rules)."""
FSX = ("Windows", "Lustre", "Ontap", "OpenZFS")


def file_system(b: Builder, item: Item) -> Requirement:
    """EFS: in the whole region, or in one zone."""
    zone, facts = item.at("AvailabilityZoneName"), item.facts("AvailabilityZoneName")
    if zone is None:
        return umbrella(b, item, UP, facts)
    label = f"file system {item.label} (one zone)"
    known = "" if zone is UNKNOWN else str(zone)
    only = add_copy(b, item, "file system", Copy(f"{b.name(item)} copy 1", label, known), facts)
    if zone is UNKNOWN:
        b.ask(f"does file system {item.label} keep its files in one zone only?")
        return umbrella(b, item, Unknown(only, UP), facts)
    b.state(f"files of {item.label}", only)
    return umbrella(b, item, only, facts)


def mount_target(b: Builder, item: Item) -> Requirement:
    """The way to a file system in one zone."""
    zone = zone_of_mount(b, item)
    label = f"mount target {item.id}{f' in {zone}' if zone else ''}"
    found = add_copy(b, item, "mount target", Copy(b.name(item), label, zone), item.facts("FileSystemId"))
    if item.text("LifeCycleState") in ("error", "deleting", "deleted"):
        b.is_off(found.node, f"in the state {item.text('LifeCycleState')}")
    return found


def zone_of_mount(b: Builder, item: Item) -> str:
    """Return the zone of a mount target."""
    return item.text("AvailabilityZoneName") or b.zone_of_subnet(item.text("SubnetId"))


def mounts(b: Builder) -> None:
    """Let whoever uses a file system need the mount target of its own zone.

    A health check seldom reads a file, so that a lost mount goes unnoticed until somebody says otherwise.
    """
    for name in list(b.nodes):
        for use in uses_of(b, name) if is_user(b, name) else ():
            system = b.estate.find("file system", use.used) if use.used_kind == "file system" else None
            if system is None or use.view not in ("serving", "blind"):
                continue
            way = way_to(b, system, b.service.zone_of.get(name, ""))
            is_seen = use.view == "serving" and use.provenance == "assumed"
            view = "serving" if is_seen else "blind"
            b.also_needs(name, view, way, certain=use.provenance in CERTAIN)


def is_user(b: Builder, name: str) -> bool:
    """Whether a node is what runs, not a relation between such."""
    kind = b.nodes[name].kind
    if kind == "function":
        # Where its zones are known, it mounts in each of them.
        return all(b.nodes[one].kind != "function zone" for one in names_in(b.nodes[name].requirement))
    return kind in ("instance", "task", "function zone")


def uses_of(b: Builder, name: str) -> Iterator[Use]:
    """Yield what a node uses: by itself, and by the service or the group that keeps it."""
    item = b.service.item_of.get(name)
    if item is None:
        return
    yield from b.estate.uses_of(item.id)
    keeper = None
    if item.kind.name == "task":
        keeper = service_of(b.estate, item)
    elif item.kind.name == "instance":
        keeper = group_of_instance(b, item.id)
    if keeper is not None:
        yield from b.estate.uses_of(keeper.id)


def way_to(b: Builder, system: Item, zone: str) -> Requirement:
    """Return the mount target by which something in a zone reaches a file system."""
    targets = b.estate.where("mount target", "FileSystemId", *system.keys)
    if not targets:
        return b.need("mount target", f"of {system.label}")
    near = [one for one in targets if zone and zone_of_mount(b, one) == zone]
    if near or len(targets) == 1:
        return b.of((near or list(targets))[0])
    # Which of them is mounted, nobody could tell.
    ways = tuple(b.of(one) for one in targets)
    return Unknown(AllOf(ways), AnyOf(ways))


def fsx_file_system(b: Builder, item: Item) -> Requirement:
    """FSx: a pair of file servers in two zones, or one zone."""
    path = next((f"{one}Configuration" for one in FSX if has_type(item, one)), "")
    said = item.at(f"{path}.DeploymentType") if path else UNKNOWN
    zones = zones_at(b, item, "SubnetIds")
    has_pair = None if said is UNKNOWN else str(said).startswith("MULTI_AZ")
    facts = item.facts(f"{path}.DeploymentType", "SubnetIds") if path else item.facts("SubnetIds")
    needs, first = single_or_pair(b, item, "file system", zones, has_pair, facts)
    if "_HA_" in str(said) or (path.startswith("Ontap") and has_pair is False):
        # Two servers in the same zone, as ONTAP always has: only their zone is shared.
        b.change(first.node, faults=())
    elif has_pair is False:
        b.state(f"files of {item.label}", first)
    return umbrella(b, item, needs, facts)


def has_type(item: Item, name: str) -> bool:
    """Whether a file system is of a type, though nobody could tell which deployment."""
    return item.at(f"{name}Configuration.DeploymentType") is not None


def bucket(b: Builder, item: Item) -> Requirement:
    """S3: in the whole region, unless the bucket's name says in which zone."""
    found = ZONAL_BUCKET.search(item.id)
    if not found:
        return umbrella(b, item, UP)
    known = b.estate.find("zone", found[1])
    copy = Copy(f"{b.name(item)} copy 1", f"bucket {item.label} (one zone)", known.id if known else found[1])
    return umbrella(b, item, add_copy(b, item, "file system", copy))
