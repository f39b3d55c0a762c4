"""The services nobody drew: where clients enter, and what everything else is.

A front is something that clients can reach by themselves: a balancer, a machine with an address of
its own. A front behind another front is not an entry: its service is the outer one's. What no entry
reaches is named, not judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from nospof.audit.builder import Builder, Entry, Service
from nospof.audit.crew import Crew
from nospof.audit.parts import FINISHERS, INTERPRETERS
from nospof.errors import UsageError
from nospof.model.cloud import TAG_SERVICE, TAG_TWIN_OF
from nospof.model.estate import Estate, Item
from nospof.model.layout import TAG_ARBITRATOR

ROLE_KINDS = ("load balancer", "listener", "target group", "target")
"""Without these nobody knows whether an instance stands alone."""


@dataclass(frozen=True)
class Front:
    """A kind that clients may enter by.

    Args:
        kind: its name.
        is_entry: whether this item serves clients at all.
        name: what its service is called, from the item and what stands behind it.
    """

    kind: str
    is_entry: Callable[[Estate, Item], bool]
    name: Callable[[Estate, Item, Service], str]


def read_service(estate: Estate, entry: Entry) -> Service:
    """Return the service that is entered here."""
    return Builder(estate, entry, INTERPRETERS, FINISHERS).build()


@dataclass(frozen=True)
class Found:
    """A service as the others see it.

    Args:
        entry: where clients enter, with the service's name.
        label: what people call the entry.
        reached: the kind and id of all that belongs to the service.
    """

    entry: Entry
    label: str
    reached: frozenset[tuple[str, str]]

    @property
    def key(self) -> str:
        """See `Entry.key`."""
        return self.entry.key

    @property
    def at(self) -> tuple[str, str]:
        """The kind and id of the entry."""
        return self.entry.kind, self.entry.id

    def by_name(self, name: str) -> Found:
        """Return the service by another name."""
        return replace(self, entry=replace(self.entry, service=name))


@dataclass(frozen=True)
class Services:
    """The services of an estate, by name, and a line for each machine that serves nobody."""

    found: tuple[Found, ...]
    not_serving: tuple[str, ...]


class Reader:
    """Reads the services of an estate, and keeps them. A crew calls it."""

    def __init__(self, estate: Estate, fronts: tuple[Front, ...]) -> None:
        self.estate = estate
        self._fronts = {one.kind: one for one in fronts}
        self._kept: dict[str, Service] = {}

    def read(self, entry: Entry) -> Found:
        """Return the service that is entered here, by the name that the entry has."""
        service = self._kept[entry.key] = read_service(self.estate, entry)
        return Found(entry, entry_label(service), frozenset(reached_by(self.estate, service)))

    def read_front(self, entry: Entry) -> Found:
        """Return the service that is entered here, by the name that its front gives it."""
        found = self.read(entry)
        item = self.estate.find(entry.kind, entry.id)
        front = self._fronts[entry.kind]
        return found.by_name(front.name(self.estate, item, self._kept[entry.key])) if item else found

    def service(self, found: Found) -> Service:
        """Return a service whole, as it was read."""
        kept = self._kept.get(found.key) or read_service(self.estate, found.entry)
        return renamed(kept, found.entry.service)


def find_services(
    estate: Estate,
    fronts: tuple[Front, ...],
    crew: Crew,
    wanted: str = "",
    roots: tuple[Entry, ...] = (),
) -> Services:
    """Return the services; where two have the same name, each gets its entry's behind it.

    Args:
        estate: what was read.
        fronts: the kinds that clients may enter by, outermost first.
        crew: has a `Reader` read the services.
        wanted: a service's name, or the name or id of its entry; empty for all.
        roots: entries that people name themselves; what belongs to them is no other service.

    Raises:
        UsageError: no service goes by that name.
    """
    told: list[Found] = crew.map("read", roots)
    reached = set[tuple[str, str]]().union(*(one.reached for one in told))
    found: list[Found] = []
    for front in fronts:
        entries = [
            Entry(item.label, front.kind, item.id)
            for item in estate.of(front.kind)
            if (front.kind, item.id) not in reached and front.is_entry(estate, item)
        ]
        for one in crew.map("read_front", entries):
            if one.at not in reached:
                found.append(one)
                reached |= one.reached - {one.at}
    found = [one for one in found if one.at not in reached]
    found += told
    lone, idle = lone_machines(estate, reached, is_only=not found)
    found += crew.map("read", lone)
    belong = reached.union(*(one.reached for one in found))
    idle += unused_stores(estate, belong)
    unique = told_apart(found)
    chosen = [one for one in unique if not wanted or wanted in names_of(estate, one)]
    if wanted and not chosen:
        known = ", ".join(sorted({one.entry.service for one in unique})[:10]) or "none"
        where = estate.region or estate.source
        raise UsageError(f"no service goes by {wanted!r} in {where}; found: {known}")
    ordered = sorted(chosen, key=lambda one: (one.entry.service, one.entry.id))
    return Services(tuple(ordered), tuple(sorted(idle)))


STORES = ("database", "database cluster", "cache", "cache cluster", "memory database", "file system")
"""Kinds that a service may need without anything that was read saying so."""


def unused_stores(estate: Estate, belong: set[tuple[str, str]]) -> list[str]:
    """Return a line for each store that no service is known to need, so that an omission can be seen."""
    return [
        f"{item.says}: nothing that was read says who needs it; if a service does, say so in nospof.yaml"
        for kind in STORES
        for item in estate.of(kind)
        if (kind, item.id) not in belong and not is_member(item)
    ]


def is_member(item: Item) -> bool:
    """Whether a store is a part of another one, which stands for it."""
    paths = ("DBClusterIdentifier", "ReplicationGroupId")
    return any(path in item.kind.paths and item.text(path) for path in paths)


def reached_by(estate: Estate, service: Service) -> set[tuple[str, str]]:
    """Return what belongs to a service: its nodes, and the machines its balancer knows and cannot use."""
    found = {(one.kind.name, one.id) for one in service.item_of.values()}
    for _, target in service.outside:
        if instance := estate.find("instance", target.text("Target.Id")):
            found.add(("instance", instance.id))
    return found


def lone_machines(
    estate: Estate, reached: set[tuple[str, str]], *, is_only: bool
) -> tuple[list[Entry], list[str]]:
    """Return the instances that are a service by themselves, and a line for each that serves nobody.

    Args:
        estate: what was read.
        reached: what stands in a service that was found.
        is_only: nothing else serves here; then a machine without any public way in is taken for one.
    """
    lone, idle = [], []
    is_doubtful = estate.is_unread(*ROLE_KINDS)
    for item in estate.of("instance"):
        if ("instance", item.id) in reached:
            continue
        reason = why_not_serving(item, is_only=is_only or is_doubtful)
        if not reason and not is_only and TAG_SERVICE not in item.tags and is_way_out(estate, item):
            reason = f"{called(item)}: a way out for other machines, and behind no balancer"
        if reason:
            idle.append(reason)
            continue
        name = item.tags.get(TAG_SERVICE) or item.label
        lone.append(Entry(name, "instance", item.id, is_doubtful))
    return lone, idle


def called(item: Item) -> str:
    """Return a machine's label and id, as people call it."""
    return f"{item.label} ({item.id})" if item.label != item.id else item.id


def why_not_serving(item: Item, *, is_only: bool) -> str:
    """Return why an instance behind no front is no service of its own, or an empty string."""
    who = called(item)
    if item.tags.get(TAG_TWIN_OF):
        return f"{who}: a twin of {item.tags[TAG_TWIN_OF]}, not serving yet"
    if item.tags.get(TAG_ARBITRATOR):
        return f"{who}: the third vote of {item.tags[TAG_ARBITRATOR]}, and serves nobody"
    if TAG_SERVICE in item.tags:
        return ""
    state = item.text("State.Name", "running")
    if state != "running":
        return f"{who}: {state}"
    if is_only or has_public_way(item):
        return ""
    return f"{who}: stands alone, with no public address and behind no balancer"


def is_way_out(estate: Estate, machine: Item) -> bool:
    """Whether other machines leave by this one: a NAT instance."""
    interfaces = [
        row.text("NetworkInterfaceId")
        for row in machine.rows("NetworkInterfaces")
        if row.text("NetworkInterfaceId")
    ]
    return bool(
        estate.where("route table", "Routes.InstanceId", machine.id)
        or estate.where("route table", "Routes.NetworkInterfaceId", *interfaces)
    )


def has_public_way(item: Item) -> bool:
    """Whether clients can reach an instance by an address of its own."""
    return bool(item.text("PublicIpAddress") or item.text("PublicDnsName"))


def renamed(service: Service, name: str) -> Service:
    """Return the service by another name; its nodes keep theirs."""
    if name == service.entry.service:
        return service
    service.entry = replace(service.entry, service=name)
    root = service.topology.by_name[service.topology.root]
    called = replace(root, label=f"service {name}")
    nodes = tuple(called if one is root else one for one in service.topology.nodes)
    service.topology = replace(service.topology, nodes=nodes)
    return service


def told_apart(services: list[Found]) -> list[Found]:
    """Return the services, each with a name of its own."""
    names = Counter(one.entry.service for one in services)
    return [
        one if names[one.entry.service] == 1 else one.by_name(f"{one.entry.service} ({one.label})")
        for one in services
    ]


def entry_label(service: Service) -> str:
    """Return what people call the entry of a service."""
    item = next((one for one in service.item_of.values() if one.id == service.entry.id), None)
    return item.label if item and service.entry.kind != "instance" else service.entry.id


def names_of(estate: Estate, service: Found) -> set[str]:
    """Return everything a service goes by."""
    item = estate.find(service.entry.kind, service.entry.id)
    return {service.entry.service, service.entry.id, *(item.keys if item else ()), item.label if item else ""}


# The fronts that balancers are ----------------------------------------------------------------------------


def has_listener(estate: Estate, item: Item) -> bool:
    """Whether a balancer listens; one that nobody could tell of may."""
    if estate.where("listener", "LoadBalancerArn", *item.keys):
        return True
    if estate.where("target group", "LoadBalancerArns", *item.keys):
        return True
    return estate.is_unread("listener", "target group") or not estate.is_whole


def balancer_name(_estate: Estate, item: Item, service: Service) -> str:
    """Return a balancer's service: its own tag, else the one tag its members agree on, else its name."""
    if TAG_SERVICE in item.tags:
        return item.tags[TAG_SERVICE]
    members = [service.item_of[name] for name in service.members if name in service.item_of]
    tags = {one.tags.get(TAG_SERVICE, "") for one in members}
    if len(tags) == 1 and "" not in tags:
        return tags.pop()
    return item.tags.get("Name") or (
        item.text("LoadBalancerName") if item.text("LoadBalancerName") else item.label
    )


FRONTS = (
    Front("load balancer", has_listener, balancer_name),
    Front("classic load balancer", lambda _estate, _item: True, balancer_name),
)
