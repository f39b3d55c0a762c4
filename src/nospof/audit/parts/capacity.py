"""What a machine stands on beside its zone: a dedicated host, an Outpost, a rack, a spot pool."""

from __future__ import annotations

from nospof.audit.builder import Builder
from nospof.model.estate import Item
from nospof.model.findings import Fact

LOST_HOST = ("permanent-failure", "released-permanent-failure")
TAKEN_BACK = "marked-for-"
"""Spot capacity whose two minutes run (EC2 user guide, "Spot request status codes")."""


def host_of(b: Builder, item: Item) -> Item | None:
    """Return the dedicated host of a machine, if it was read."""
    key = item.text("Placement.HostId")
    return b.estate.find("dedicated host", key) if key else None


def certainly_shared(b: Builder, item: Item) -> tuple[str, ...]:
    """Return the events of a machine's dedicated host, its Outpost, and its pool of spot capacity."""
    found = []
    if key := item.text("Placement.HostId"):
        host = host_of(b, item)
        found.append(b.event(f"host:{key}", "host", host.says if host else f"dedicated host {key}"))
        if host and host.text("HostRecovery") == "on":
            b.heals(found[-1], f"AWS starts the machines of {host.says} on another host")
    if outpost := item.text("OutpostArn").rpartition("/")[2]:
        found.append(b.event(f"rack:{outpost}", "rack", f"Outpost {outpost}"))
    pool = pool_of(b, item)
    if is_spot(item) and "" not in pool:
        label = "spot capacity of {} in {}".format(*pool)
        found.append(b.event("spot:{}:{}".format(*pool), "spot pool", label))
    return tuple(found)


def perhaps_one_pool(b: Builder, item: Item) -> tuple[str, ...]:
    """Return the event of spot capacity of which nobody could tell the type or the zone."""
    if not is_spot(item) or "" not in pool_of(b, item):
        return ()
    return (b.event("spot", "spot pool", "spot capacity that may be from one pool"),)


def perhaps_one_rack(b: Builder, item: Item) -> tuple[str, ...]:
    """Return the event of what hangs on a machine's lowest network node: likely one rack, nobody says so."""
    position = b.estate.find("rack position", item.id)
    nodes = position.texts("NetworkNodes") if position else ()
    if not nodes:
        return ()
    label = f"a rack that machines below network node {nodes[-1]} may share"
    return (b.event(f"rack:{nodes[-1]}", "rack", label),)


def is_spot(item: Item) -> bool:
    """Whether a machine runs on capacity that AWS may take back."""
    return item.text("InstanceLifecycle") == "spot"


def pool_of(b: Builder, item: Item) -> tuple[str, str]:
    """Return the type and the zone that spot capacity is sold by; empty where nobody could tell."""
    zone = item.text("Placement.AvailabilityZone") or b.zone_of_subnet(item.text("SubnetId"))
    return item.text("InstanceType"), zone


def facts_of_ground(b: Builder, item: Item) -> tuple[Fact, ...]:
    """Return what was read about what a machine stands on."""
    found = list(item.facts("InstanceType", "InstanceLifecycle")) if is_spot(item) else []
    if host := host_of(b, item):
        found += host.facts("State", "HostRecovery", "HostMaintenance")
    if position := b.estate.find("rack position", item.id):
        found += position.facts("NetworkNodes")
    return tuple(found)


def judge_ground(b: Builder, name: str, item: Item) -> None:
    """Note what is wrong now with what a machine stands on."""
    host = host_of(b, item)
    request = b.estate.find("spot request", item.id) if is_spot(item) else None
    code = request.text("Status.Code") if request else ""
    state = host.text("State") if host else ""
    if state in LOST_HOST or state == "under-assessment":
        b.is_off(name, f"on a host in the state {state}", certain=state in LOST_HOST)
    elif code.startswith(TAKEN_BACK):
        b.is_off(name, f"about to be taken back by AWS ({code})", certain=False)
