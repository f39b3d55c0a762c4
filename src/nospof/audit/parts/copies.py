"""What all stores have in common: copies that stand in zones, each with a fault of its own.

A managed store that keeps several copies puts them into different zones. Where nobody could tell
which, each copy stands in a zone of its own and shares it with no other copy; what stands beside it
may share it all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nospof.audit.builder import Builder
from nospof.model.estate import UNKNOWN, Item
from nospof.model.findings import Fact
from nospof.model.topology import UP, AnyOf, Node, On, Requirement, Unknown

STATE_OF = {
    "database": "DBInstanceStatus",
    "database cluster": "Status",
    "database proxy": "Status",
    "warehouse": "ClusterStatus",
    "cache": "Status",
    "cache cluster": "CacheClusterStatus",
    "memory database": "Status",
    "DAX cluster": "Status",
    "broker": "BrokerState",
    "Kafka cluster": "State",
    "directory": "Stage",
    "file system": "LifeCycleState",
    "FSx file system": "Lifecycle",
    "container service": "status",
}
"""Where each kind says in which state it is."""
OFF = frozenset(
    [
        "stopped",
        "stopping",
        "paused",
        "failed",
        "error",
        "inoperable",
        "inactive",
        "suspended",
        "storage-full",
        "deleting",
        "deleted",
        "deletion_in_progress",
        "create-failed",
        "creation_failed",
        "restore-error",
        "restore-failed",
        "restorefailed",
        "incompatible-network",
        "incompatible-parameters",
        "incompatible-restore",
        "incompatible-create",
        "misconfigured_unavailable",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
    ]
)
"""The states in which nobody is served, in small letters."""
PERHAPS_OFF = frozenset(
    [
        "creating",
        "creation_in_progress",
        "requested",
        "created",
        "starting",
        "rebooting",
        "reboot_in_progress",
        "critical_action_required",
        "impaired",
        "restoring",
        "upgrading",
        "renaming",
        "moving-to-vpc",
        "insufficient-capacity",
        "insufficient-resource-limits",
        "incompatible-option-group",
        "suspending",
        "reactivating",
        "draining",
    ]
)
"""The states in which perhaps nobody is."""


@dataclass(frozen=True)
class Copy:
    """One copy of a store.

    Args:
        name: its node and its event.
        label: what people call it.
        zone: where it stands; empty when nobody could tell.
        is_apart: it shares no zone with the other copies of its store.
        not_in: the zones of the others, as far as they are known.
        beside: what shares its zone with it, in a few words, where nobody could tell which zone that is.
    """

    name: str
    label: str
    zone: str = ""
    is_apart: bool = False
    not_in: tuple[str, ...] = ()
    beside: str = ""


def add_copy(b: Builder, item: Item, kind: str, copy: Copy, facts: Iterable[Fact] = ()) -> On:
    """Add a copy of a store: it fails by itself and with its zone."""
    fault = b.event(copy.name, kind, copy.label)
    certain, possible = b.domains(copy.zone, copy.beside or copy.label)
    if not copy.zone and copy.is_apart:
        # Which zone it is, nobody could tell; only that no other copy is there.
        others = {b.zone(one) for one in copy.not_in}
        possible = tuple(one for one in possible[1:] if one not in others) if others else ()
    node = Node(
        copy.name, faults=(fault,), domains=certain, possible_domains=possible, kind=kind, label=copy.label
    )
    return b.add(node, item=item, facts=facts, zone=copy.zone)


def pair(b: Builder, item: Item, kind: str, zones: Sequence[str], facts: Iterable[Fact] = ()) -> list[On]:
    """Add a primary and a standby in two zones; return both, the primary first."""
    name, what = b.name(item), f"{kind} {item.label}"
    first = zones[0] if zones else ""
    second = next((one for one in zones[1:] if one != first), "")
    known = tuple(one for one in (first, second) if one)
    primary = Copy(f"{name} copy 1", f"{what} (primary)", first, True, known)
    standby = Copy(f"{name} copy 2", f"{what} (standby)", second, True, known)
    return [add_copy(b, item, kind, one, facts) for one in (primary, standby)]


def zones_at(b: Builder, item: Item, path: str) -> list[str]:
    """Return the zones of the subnets at a path, each once; empty where nobody could tell one of them."""
    said = item.at(path)
    if said is UNKNOWN or any(one is UNKNOWN for one in said or ()):
        return []
    zones = [b.zone_of_subnet(one) for one in item.texts(path)]
    return list(dict.fromkeys(zones)) if "" not in zones else []


def ways_in(b: Builder, item: Item, kind: str, zones: Iterable[str]) -> Requirement:
    """Return a need of one of the zones that a store is reached in: AWS replaces its part there by itself."""
    what = f"{kind} {item.label}"
    copies = [Copy(f"{b.name(item)} in {one}", f"{what} in {one}", one) for one in zones]
    legs = tuple(add_copy(b, item, kind, one) for one in copies)
    for leg in legs:
        b.change(leg.node, faults=())
    return AnyOf(legs) if legs else UP


def spread(
    b: Builder, item: Item, kind: str, zones: Sequence[str], number: int, *, is_apart: bool = False
) -> list[On]:
    """Add copies that a service spreads evenly over its zones; apart where no two of them share one."""
    found = []
    for place in range(number):
        zone = zones[place % len(zones)] if zones else ""
        label = f"node {place + 1} of {item.kind.singular} {item.label}"
        copy = Copy(f"{b.name(item)} copy {place + 1}", label, zone, is_apart)
        found.append(add_copy(b, item, kind, copy))
    return found


def umbrella(b: Builder, item: Item, needs: Requirement, facts: Iterable[Fact] = ()) -> On:
    """Add what clients know of a store: no fault of its own beside those of its copies, and its state now."""
    name, label = b.name(item), f"{item.kind.singular} {item.label}"
    path = STATE_OF.get(item.kind.name, "")
    state = item.text(path) if path else ""
    if state.lower() in OFF or state.lower() in PERHAPS_OFF:
        b.is_off(name, f"in the state {state}", certain=state.lower() in OFF)
        facts = (*facts, item.fact(path))
    return b.add(Node(name, needs, kind=item.kind.name, label=label), item=item, facts=facts)


def single_or_pair(
    b: Builder,
    item: Item,
    kind: str,
    zones: Sequence[str],
    has_pair: bool | None,
    facts: Iterable[Fact] = (),
) -> tuple[Requirement, On]:
    """Return what a store needs that has one copy, two, or nobody could tell; and its first copy.

    Args:
        b: the builder.
        item: the store.
        kind: its kind of event.
        zones: of the first copy and of the second, as far as they are known.
        has_pair: whether there is a second copy that takes over by itself; None when nobody could tell.
        facts: what was read about it.
    """
    if has_pair is False:
        zone = zones[0] if zones else ""
        only = Copy(f"{b.name(item)} copy 1", f"{kind} {item.label} (one copy)", zone)
        first = add_copy(b, item, kind, only, facts)
        return first, first
    first, second = pair(b, item, kind, zones, facts)
    both: Requirement = AnyOf((first, second))
    if has_pair is None:
        b.ask(f"does {kind} {item.label} have a standby in another zone?")
        return Unknown(first, both), first
    return both, first
