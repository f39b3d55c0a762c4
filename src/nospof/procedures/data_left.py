"""What is left of a run's keeping of data, for its undo: the source's database, and who may reach it."""

from __future__ import annotations

from nospof.model.cloud import Instance
from nospof.model.layout import TAG_DATA, Examined
from nospof.model.requests import UndoRequest
from nospof.planning.undo_rules import Opening
from nospof.ports.world import World
from nospof.procedures.data import examine


def data_of(
    world: World, source: Instance, request: UndoRequest, twin_ids: tuple[str, ...]
) -> tuple[Examined | None, tuple[str, ...]]:
    """Return the source's database where this run keeps it in step, else who else does, a sentence each."""
    if TAG_DATA not in source.tags or world.databases is None or not request.service:
        return None, ()
    found = examine(world, source.id)
    others = {one.instance_id for one in found.layout.voters} if found.layout else set()
    there = {one.id for one in world.cloud.instances()}
    strange = (others & there) - {source.id, request.twin_id, *twin_ids}
    if not strange:
        return found, ()
    return None, (f"the database of {source.id}: {', '.join(sorted(strange))} of another run keep it too",)


def doors_opened(world: World, source: Instance, request: UndoRequest) -> tuple[Opening, ...]:
    """Return the rules by which those who keep data reach each other, and that were not there before."""
    return tuple(
        Opening(group, rule)
        for group in source.security_groups[:1]
        for rule in world.cloud.ingress_rules(group)
        if rule.from_group == group and rule.port in request.ports_opened
    )
