"""How the data of a service is kept: asked, compared."""

from __future__ import annotations

from dataclasses import replace

from nospof.errors import PreconditionFailed
from nospof.model.layout import TAG_DATA, Checked, Layout
from nospof.model.results import DataCheck, DataStatus
from nospof.planning.data import out_of_step
from nospof.planning.mounting import not_mounted
from nospof.ports.world import World
from nospof.procedures.data import databases_of, states_of
from nospof.procedures.mounting import mounting_members, mounts_now
from nospof.procedures.rejoin import keepers_of, layout_carried

READS = 3
"""Members that are written to are compared again, so often, until both were read at one position."""


def data_status(world: World, service: str) -> DataStatus:
    """Return how the data of a service is kept now. Changes nothing.

    Raises:
        UsageError: nospof keeps no data of it.
        PreconditionFailed: they say differently who belongs to them.
    """
    mounting = mounting_members(world, service)
    if not mounting:
        return status_of(world, service, layout_carried(world, keepers_of(world, service), or_marked=True))
    mounted = mounts_now(world, mounting)
    unread = tuple(f"{one}: {state.problem}" for one, state in mounted if state.problem)
    found = DataStatus(service, None, (), not_mounted(mounted), unread, mounted)
    if not any(TAG_DATA in one.tags for one in mounting):
        return found
    kept = status_of(world, service, layout_carried(world, keepers_of(world, service), or_marked=True))
    wrong, silent = (*kept.wrong, *found.wrong), (*kept.unread, *found.unread)
    return replace(kept, wrong=wrong, unread=silent, mounted=mounted)


def status_of(world: World, service: str, layout: Layout) -> DataStatus:
    """Return how data is kept now by those of a layout."""
    states = states_of(world, layout)
    unread = tuple(f"{seat.instance_id}: {state.problem}" for seat, state in states if state.problem)
    return DataStatus(service, layout, states, out_of_step(layout, states), unread)


def data_check(world: World, service: str) -> DataCheck:
    """Return whether all members have the same rows. Reads all tables, and changes nothing.

    Raises:
        UsageError: nospof keeps no data of it.
        PreconditionFailed: a member could not be read, or has not its files on EFS.
    """
    mounting = mounting_members(world, service)
    if mounting and (away := not_mounted(mounts_now(world, mounting))):
        return DataCheck(service, tuple(one.id for one in mounting), 0, 0, away)
    if mounting and not any(TAG_DATA in one.tags for one in mounting):
        return DataCheck(service, tuple(one.id for one in mounting), 0, 0)
    layout = layout_carried(world, keepers_of(world, service))
    databases = databases_of(world)
    members = tuple(seat.instance_id for seat in layout.members)
    for _ in range(READS):
        found = {one: databases.check(one) for one in members}
        if wrong := [f"{one}: {checked.problem}" for one, checked in found.items() if checked.problem]:
            raise PreconditionFailed(
                f"the tables could not be read: {'; '.join(wrong)}. Nothing was changed."
            )
        different = differences(found)
        if not different or len({checked.position for checked in found.values()}) == 1:
            break
    else:
        why = f"the members were written to while they were read, {READS} times"
        return judged(service, found, (), f"{why}: {'; '.join(different)}")
    return judged(service, found, different, "")


def judged(
    service: str, found: dict[str, Checked], different: tuple[str, ...], not_compared: str
) -> DataCheck:
    """Return what was found as a result."""
    first = next(iter(found.values()))
    rows = sum(one.rows for one in first.tables)
    return DataCheck(service, tuple(found), len(first.tables), rows, different, not_compared)


def differences(found: dict[str, Checked]) -> tuple[str, ...]:
    """Return the tables that members have differently, a sentence each."""
    by_table: dict[str, dict[str, str]] = {}
    for member, checked in found.items():
        for one in checked.tables:
            by_table.setdefault(one.name, {})[member] = f"{one.rows} rows ({one.sum})"
    return tuple(
        f"{table}: " + ", ".join(f"{member} has {has.get(member, 'no such table')}" for member in found)
        for table, has in sorted(by_table.items())
        if len(has) < len(found) or len(set(has.values())) > 1
    )
