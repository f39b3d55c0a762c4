"""What is known of the inside of a service's machines, and what follows for its data."""

from __future__ import annotations

from dataclasses import replace

from nospof.audit.builder import Service
from nospof.audit.parts.inside import (
    diverging,
    is_inside_known,
    keeps_nothing,
    look_of,
    vanishing,
)
from nospof.audit.parts.surroundings import boot_traps
from nospof.audit.parts.votes import is_marked_in_step
from nospof.model.cloud import TAG_STATE
from nospof.model.estate import Estate, Item
from nospof.model.findings import Fact, Finding
from nospof.model.layout import TAG_DATA


def state_inside(service: Service) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is taken for true of the members' insides, and what was not read of the others."""
    estate = service.watched.whole
    items = {one: service.item_of[one] for one in service.members if one in service.item_of}
    looked = [one for one, item in items.items() if is_inside_known(estate, item.id)]
    rest = [one for one in service.members if one not in looked]
    declared = [one for one in rest if one in items and items[one].tags.get(TAG_STATE) == "none"]
    marked = [one for one in rest if one in items and is_marked_in_step(estate, items[one])]
    in_step = [one for one in marked if one not in declared]
    # What an alarm recovers keeps its disks; what goes by a group's name and not by its own is made anew.
    anonymous = [one for one in rest if one not in items or items[one].id != one]
    replaceable = [one for one in anonymous if one in service.heals and one not in declared]
    others = [one for one in rest if one not in (*declared, *replaceable, *in_step)]
    says = []
    if empty := [one for one in looked if keeps_nothing(estate, items[one].id)]:
        where = ", ".join(keeps_nothing(estate, items[empty[0]].id))
        says.append(f"{', '.join(empty)} keep nothing that changes: a look inside found none ({where})")
    if declared:
        who = ", ".join(declared)
        says.append(f"{who} keep nothing that changes: declared by the tag {TAG_STATE}=none, not read")
    if in_step:
        who = ", ".join(in_step)
        says.append(
            f"{who} keep nothing that changes beside a database in step: as marked ({TAG_DATA}), not read"
        )
    if replaceable:
        who = ", ".join(replaceable)
        says.append(f"{who} keep nothing that changes: they are replaced from their image")
    not_read = []
    if others:
        inside = f"inside the instances of {service.entry.service} (databases, sessions, uploads)"
        not_read.append(f"{inside}: {', '.join(others)}; nospof audit --probe looks there")
    return tuple(says), tuple(not_read)


def content_checks(_estate: Estate, service: Service) -> list[Finding]:
    """Return the findings about what stands inside machines that are no cuts."""
    return [*drifting(service), *from_looks(service)]


def drifting(service: Service) -> list[Finding]:
    """Return a finding for each engine that several members run alone: their data drifts apart."""
    found = []
    for engine, members in diverging(service):
        title = f"{' and '.join(members)} each run a {engine} of their own: what one writes the others lack"
        if len(members) == 1:
            title = f"{members[0]} runs a {engine} of its own: what it writes those in step lack"
        looks = [look for one in members if (look := look_in(service, one)) is not None]
        facts = tuple(seen(look, "engines.found.engine", engine) for look in looks)
        name = service.entry.service
        found.append(
            Finding(
                "NSP301",
                name,
                title,
                f"diverges:{engine}",
                "critical",
                members=members,
                view="data",
                facts=facts,
            )
        )
    return found


def from_looks(service: Service) -> list[Finding]:
    """Return a finding for data on disks that a stop empties, and for what keeps a machine from booting."""
    found = []
    for member in service.members:
        look = look_in(service, member)
        if look is None:
            continue
        about = Finding("", service.entry.service, "", "", "high", members=(member,))
        for says, disk in vanishing(look):
            event = f"vanishes:{says} of {member}"
            title = f"The {says} of {member} can be lost with a stop: {disk} is an instance store"
            fact = seen(look, "devices.found.instance_store", disk)
            found.append(replace(about, rule="NSP304", event=event, title=title, view="data", facts=(fact,)))
        for point, why in boot_traps(look):
            title = f"{member} does not boot again: fstab wants {point} without nofail, and {why}"
            fact = seen(look, "fstab.found.point", point)
            trap = replace(about, rule="NSP509", event=f"boot:{member}:{point}", title=title, facts=(fact,))
            found.append(replace(trap, severity="medium", view="recovery"))
    return found


def look_in(service: Service, member: str) -> Item | None:
    """Return what a look inside a member found, if there was one."""
    item = service.item_of.get(member)
    return look_of(service.watched.whole, item.id) if item is not None else None


def seen(look: Item, field: str, value: str) -> Fact:
    """Return what a look found as evidence."""
    return Fact(look.call, look.id, field, value)
