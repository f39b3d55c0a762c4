"""Look at an instance, around it and inside it, before anything is decided about it."""

from __future__ import annotations

from dataclasses import replace

from nospof.audit.parts.surroundings import boot_traps
from nospof.model.cloud import TAG_GUARANTEE, TAG_SERVICE, TAG_TWIN_OF, Instance
from nospof.model.external import Used
from nospof.model.item import Item, item_of
from nospof.model.kinds.inside import INSIDE
from nospof.model.surroundings import Inside, Listening, Mark, WebSetting
from nospof.planning.concerns import SourceFacts
from nospof.ports.world import World
from nospof.procedures.auto_scaling import group_of, seats_of
from nospof.procedures.guarantee import parse_guarantee

MACHINE = INSIDE[0]
KEPT = {"engines": "engine", "sessions": "directory", "written": "directory", "files": "path"}
"""The sections of a look that tell of data, and the field that names it."""
HELD = frozenset({"mariadb", "memcached", "mysql", "postgresql"})
"""The engines that can be asked to stand still, and one that keeps nothing on a disk."""
DECISIVE = ("fstab", "mounts", "jobs", *KEPT)
"""The sections that a decision rests on: one that could not be read is named."""


def source_facts(world: World, source: Instance, run_id: str = "") -> SourceFacts:
    """Read what decides whether an instance may be turned off; `run_id` as in `worked_on_beside`."""
    cloud = world.cloud
    scaling = group_of(world, source.id)
    return SourceFacts(
        source=source,
        auto_scaling_group=scaling.name if scaling else "",
        is_stop_protected=cloud.is_stop_protected(source.id),
        has_local_disks=cloud.has_local_disks(source.type),
        around=cloud.surroundings(source),
        inside=look_inside(world, source),
        nospof=world.whereabouts(),
        worked_on=worked_on_beside(world, source, run_id),
        scaling=scaling,
        seats=seats_of(world, source.id, scaling),
    )


def worked_on_beside(world: World, instance: Instance, run_id: str = "") -> tuple[Instance, ...]:
    """Return who serves beside an instance, by nospof's own marks, and is promised to a run.

    Args:
        run_id: whose own marks do not count: of a member that it has put back, a read may be behind.
    """

    def are_together(other: Instance) -> bool:
        service = instance.tags.get(TAG_SERVICE, "")
        return (
            (bool(service) and other.tags.get(TAG_SERVICE) == service)
            or other.tags.get(TAG_TWIN_OF) == instance.id
            or instance.tags.get(TAG_TWIN_OF) == other.id
        )

    promised = world.cloud.instances(tag=TAG_GUARANTEE)
    return tuple(
        one
        for one in promised
        if one.id != instance.id
        and are_together(one)
        and (not run_id or parse_guarantee(one.tags[TAG_GUARANTEE]).run_id != run_id)
    )


def look_inside(world: World, source: Instance) -> Inside:
    """Look inside a machine that runs, where somebody can."""
    if source.state != "running":
        return not_inside(source, f"it is {source.state}")
    if world.machines is None:
        return not_inside(source, "nobody here can look")
    (looked,) = tuple(world.machines.look((source.id,)))
    if looked.document is None:
        return not_inside(source, f"{looked.operation}, {looked.problem}".removeprefix(", "))
    inside = inside_of(item_of(MACHINE, {**looked.document, MACHINE.id: source.id}))
    return inside if world.holds else replace(inside, no_hold="nobody here can reach into it")


def not_inside(source: Instance, why: str) -> Inside:
    """Return what is known of a machine that nobody could look into."""
    return Inside(unread=(f"what is inside {source.id}: {why}",), no_hold=why)


def inside_of(look: Item) -> Inside:
    """Return what a look's answer means for turning the machine off and for copying it."""
    engines = {one.text("engine") for one in look.rows("engines.found")} - HELD
    return Inside(
        no_hold=f"{' and '.join(sorted(engines))} cannot be held" if engines else "",
        boot_traps=tuple(f"fstab wants {point} without nofail, and {why}" for point, why in boot_traps(look)),
        jobs=tuple(f"{one.text('kind')} {one.text('name')}" for one in look.rows("jobs.found")),
        keeps=tuple(
            f"{section} {one.text(field)}"
            for section, field in KEPT.items()
            for one in look.rows(f"{section}.found")
        ),
        unread=tuple(
            f"{section} of {look.id}: {look.text(f'{section}.reason') or 'not told'}"
            for section in DECISIVE
            if look.text(f"{section}.status") not in ("found", "none", "not applicable")
        ),
        marks=tuple(
            Mark(one.text("kind"), one.text("name"), one.text("hash")) for one in look.rows("identity.found")
        ),
        web=tuple(
            WebSetting(one.text("server"), one.text("setting"), one.text("value"), one.text("path"))
            for one in look.rows("web.found")
        ),
        web_unread=f"web servers of {look.id}: {look.text('web.reason')}"
        if look.text("web.status") == "unreadable"
        else "",
        listening=tuple(
            Listening(int(one.text("port")), one.text("process"))
            for one in look.rows("listening.found")
            if one.text("port").isdigit()
        ),
        uses=uses_of(look),
        uses_unread=f"connections of {look.id}: {look.text('connections.reason')}"
        if look.text("connections.status") == "unreadable"
        else "",
    )


def uses_of(look: Item) -> tuple[Used, ...]:
    """Return what a machine mounts from others, and what it is connected to."""
    mounted = [
        Used(one.text("server"), point=one.text("point"))
        for one in look.rows("mounts.found")
        if one.text("server")
    ]
    connected = [
        Used(one.text("address"), int(one.text("port")), process=one.text("process"))
        for one in look.rows("connections.found")
        if one.text("port").isdigit()
    ]
    return (*mounted, *connected)
