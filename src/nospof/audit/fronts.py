"""Everything that clients may enter by, outermost first: names, edges, addresses, balancers."""

from __future__ import annotations

from nospof.audit.builder import Service
from nospof.audit.entries import FRONTS, ROLE_KINDS, Front, is_way_out, why_not_serving
from nospof.audit.parts.edges import machine_of_address, title_of
from nospof.audit.parts.entry import (
    ADDRESS_TYPES,
    DUALSTACK,
    find_named,
    host_of,
    records_of_name,
    targets_of,
)
from nospof.model.cloud import TAG_SERVICE
from nospof.model.estate import Estate, Item


def is_service_name(estate: Estate, item: Item) -> bool:
    """Whether a record is what clients know a service by.

    That is a public name for something that was read: a mail server elsewhere or a proof of ownership
    is none. Of several names for the same thing the shortest stands for all.
    """
    if item.text("Type") not in ADDRESS_TYPES or not is_public(estate, item):
        return False
    records = records_of_name(estate, item)
    if records[0].id != item.id:
        return False
    if not any(find_named(estate, target) for one in records for target in targets_of(one)):
        return False
    return len(records) > 1 or not is_other_name(estate, item)


def is_public(estate: Estate, item: Item) -> bool:
    """Whether the whole world can ask for a record."""
    zone = estate.find("hosted zone", item.text("HostedZoneId"))
    return zone is None or zone.flag("Config.PrivateZone") is not True


def is_other_name(estate: Estate, item: Item) -> bool:
    """Whether a shorter name leads to exactly the same."""
    targets = targets_of(item)
    spelled = [
        text for one in targets for text in (one, f"{one}.", f"{DUALSTACK}{one}", f"{DUALSTACK}{one}.")
    ]
    same = (
        *estate.where("record set", "AliasTarget.DNSName", *spelled),
        *estate.where("record set", "ResourceRecords.Value", *spelled),
    )
    mine = rank(item)
    return any(
        rank(one) < mine
        and set(targets_of(one)) == set(targets)
        and is_public(estate, one)
        and len(records_of_name(estate, one)) == 1
        for one in same
        if one.text("Type") in ADDRESS_TYPES
    )


def rank(item: Item) -> tuple[bool, int, str]:
    """Return what orders the names of one thing: no wildcard, then the fewest labels."""
    host = host_of(item)
    return "*" in host, host.count("."), host


def is_used_accelerator(_estate: Estate, item: Item) -> bool:
    """Whether an accelerator or a distribution is switched on."""
    return item.flag("Enabled", True) is not False


def is_machines_own(estate: Estate, item: Item) -> bool:
    """Whether clients reach a machine by an Elastic IP: it is behind no balancer and no way out."""
    machine = machine_of_address(estate, item)
    if machine is None or estate.is_unread(*ROLE_KINDS) or why_not_serving(machine, is_only=True):
        return False
    keys = (machine.id, machine.text("PrivateIpAddress") or machine.id)
    return not (
        estate.where("target", "Target.Id", *keys)
        or estate.where("classic load balancer", "Instances.InstanceId", machine.id)
        or is_way_out(estate, machine)
    )


def host_name(_estate: Estate, item: Item, _service: Service) -> str:
    """Return the name that clients know."""
    return host_of(item)


def distribution_name(_estate: Estate, item: Item, _service: Service) -> str:
    """Return the first name of a distribution."""
    return item.tags.get(TAG_SERVICE) or title_of(item)


def label_of(_estate: Estate, item: Item, _service: Service) -> str:
    """Return what the account calls it."""
    return item.tags.get(TAG_SERVICE) or item.label


def machine_name(estate: Estate, item: Item, _service: Service) -> str:
    """Return the name of the machine that an Elastic IP leads to."""
    machine = machine_of_address(estate, item)
    return (machine.tags.get(TAG_SERVICE) or machine.label) if machine else item.label


def always(_estate: Estate, _item: Item) -> bool:
    """Whether an API serves clients: it has no other use."""
    return True


ENTRY_FRONTS: tuple[Front, ...] = (
    Front("record set", is_service_name, host_name),
    Front("distribution", is_used_accelerator, distribution_name),
    Front("accelerator", is_used_accelerator, label_of),
    Front("HTTP API", always, label_of),
    Front("REST API", always, label_of),
    Front("address", is_machines_own, machine_name),
)
ALL_FRONTS: tuple[Front, ...] = (*ENTRY_FRONTS, *FRONTS)
