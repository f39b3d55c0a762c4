"""Launch a twin where there is room for it, once, and have it be what its source is."""

from __future__ import annotations

from dataclasses import replace

from nospof.errors import CloudError, ProcedureFailed, UnknownOutcome
from nospof.model.cloud import Instance, LaunchRequest
from nospof.model.results import LaunchTry
from nospof.planning.twin import Place, further_tags
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.power import GONE, NO_ROOM, bring_back

LAUNCH = "launch the twin"
"""What each step that may launch it begins with."""
LAUNCHES = 3


def launch_where_there_is_room(
    steps: Steps, world: World, places: tuple[Place, ...], image_id: str
) -> Instance:
    """Launch the twin in the first place that has room, and return it running.

    Each place is a step of its own: whether it had room is remembered, so that a run which is taken up
    again goes on where it was, and never launches a second twin where there is room by now.

    Raises:
        ProcedureFailed: no place had room; all of them are named.
    """
    tried: list[str] = []
    for place in places:
        request = replace(place.twin, image_id=image_id)
        name = f"{LAUNCH} in {place.zone} as {request.type}" if tried else LAUNCH
        is_last = place == places[-1]
        result = steps.do(name, try_place, world, request, place.zone, tuple(tried), is_last=is_last)
        if result.instance:
            return result.instance
        tried.append(result.refusal)
        world.reporter.warn(f"no room for the twin: {result.refusal}; trying the next place")
    raise AssertionError("the last place returns or raises")


def try_place(
    world: World, request: LaunchRequest, zone: str, tried: tuple[str, ...], *, is_last: bool
) -> LaunchTry:
    """Launch the twin in one place, or say that there is no room. Safe to repeat: its token is its own."""
    try:
        twin = launch(world, request)
    except CloudError as error:
        if error.code not in NO_ROOM or isinstance(error, UnknownOutcome):
            raise
        refusal = f"{request.type} in {zone} ({error.code})"
        if not is_last:
            return LaunchTry(None, refusal)
        raise ProcedureFailed(
            f"there is no room for the twin: {', '.join((*tried, refusal))}. The image {request.image_id} "
            "stays; resume later, which tries the last place again, or clone again with --or-type TYPE"
        ) from error
    dress(world, twin, request)
    return LaunchTry(twin)


def launch(world: World, request: LaunchRequest) -> Instance:
    """Launch the twin and return it running.

    The token makes a repeat, even after a lost answer, return the same instance. One that EC2 gave up
    on at once (a key, a quota: C15) stays the answer to its token, so the next try has another.
    """
    for attempt in range(1, LAUNCHES + 1):
        tried = request if attempt == 1 else replace(request, token=f"{request.token}-{attempt}")
        try:
            twin = world.cloud.launch(tried)
        except UnknownOutcome:
            twin = world.cloud.launch(tried)
        try:
            return bring_back(world, twin.id)
        except ProcedureFailed:
            if attempt == LAUNCHES or world.cloud.instance(twin.id).state not in GONE:
                raise
    raise AssertionError("the last attempt returns or raises")


def dress(world: World, twin: Instance, request: LaunchRequest) -> None:
    """Give the twin what no launch can: whether it passes traffic on, and tags of single disks."""
    if not request.traits.checks_source_and_destination:
        world.cloud.check_source_and_destination(twin.id, on=False)
    volumes = {at.device: at.volume_id for at in twin.attachments}
    for device, tags in sorted(further_tags(request).items()):
        if device in volumes:
            world.cloud.tag(volumes[device], tags)
