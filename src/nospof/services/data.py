"""How the data of a service is kept: asked, compared."""

from __future__ import annotations

from dataclasses import replace

from nospof.model.cloud import TAG_SERVICE, Instance
from nospof.model.layout import TAG_DATA, Layout
from nospof.model.mounting import MountsState
from nospof.model.results import DataStatus
from nospof.model.sharing import TAG_FILES, Sharing
from nospof.planning.data import out_of_step
from nospof.planning.files import conflicts_told, files_out_of_step
from nospof.planning.mounting import not_mounted
from nospof.ports.world import World
from nospof.procedures.data import states_of
from nospof.procedures.files import sharing_carried
from nospof.procedures.files import states_of as files_states_of
from nospof.procedures.mounting import mounting_members, mounts_now
from nospof.procedures.rejoin import keepers_of, layout_carried


def data_status(world: World, service: str) -> DataStatus:
    """Return how the data of a service is kept now. Changes nothing.

    Raises:
        UsageError: nospof keeps no data of it.
        PreconditionFailed: they say differently who belongs to them.
    """
    sharers, mounting = sharers_of(world, service), mounting_members(world, service)
    layout = layout_of(world, service, (*sharers, *mounting), or_marked=True)
    found = status_of(world, service, layout, sharing_carried(world, sharers) if sharers else None)
    return with_mounts(found, mounts_now(world, mounting)) if mounting else found


def with_mounts(found: DataStatus, mounted: tuple[tuple[str, MountsState], ...]) -> DataStatus:
    """Return how data is kept with what members have mounted, whose files are on EFS."""
    unread = tuple(f"{one}: {state.problem}" for one, state in mounted if state.problem)
    return replace(
        found,
        wrong=(*found.wrong, *not_mounted(mounted)),
        unread=(*found.unread, *unread),
        mounted=mounted,
    )


def sharers_of(world: World, service: str) -> tuple[Instance, ...]:
    """Return the instances whose files nospof keeps in step; none where it keeps none."""
    return tuple(one for one in world.cloud.instances(TAG_SERVICE, service) if TAG_FILES in one.tags)


def layout_of(
    world: World, service: str, with_files: tuple[Instance, ...], *, or_marked: bool = False
) -> Layout | None:
    """Return who keeps the database of a service; None where only its files are kept. Raises UsageError."""
    if with_files and not any(TAG_DATA in one.tags for one in with_files):
        return None
    return layout_carried(world, keepers_of(world, service), or_marked=or_marked)


def status_of(world: World, service: str, layout: Layout | None, sharing: Sharing | None) -> DataStatus:
    """Return how data is kept now by those of a layout, and files by those of a sharing."""
    states = states_of(world, layout) if layout else ()
    files = files_states_of(world, sharing) if sharing else ()
    problems = [(seat.instance_id, state.problem) for seat, state in states]
    problems += [(f"the files of {one.instance_id}", state.problem) for one, state in files]
    wrong = (out_of_step(layout, states) if layout else ()) + tuple(
        f"files: {one}" for one in (*files_out_of_step(files), *conflicts_told(files))
    )
    return DataStatus(
        service=service,
        layout=layout,
        members=states,
        wrong=wrong,
        unread=tuple(f"{who}: {problem}" for who, problem in problems if problem),
        directories=sharing.directories if sharing else (),
        files=files,
    )
