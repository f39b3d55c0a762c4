"""Clone: the source off for a moment, its image taken, the source on again, a twin elsewhere."""

from __future__ import annotations

from dataclasses import replace

from nospof.errors import ProcedureFailed
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_CONSISTENCY,
    TAG_RUN,
    TAG_TWIN_OF,
    Image,
    Instance,
    InstanceStatus,
)
from nospof.model.requests import CloneRequest
from nospof.model.results import CloneResult, OffSection, TimeOff
from nospof.planning.clone import ClonePlan, plan_clone
from nospof.planning.https_rules import protocol_of
from nospof.planning.other_types import other_types, start_types
from nospof.planning.twin import CloneFacts
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.dead_man import starter_asked_for
from nospof.procedures.guarantee import promise, release
from nospof.procedures.identities import compare
from nospof.procedures.launching import launch_where_there_is_room
from nospof.procedures.live import image_live
from nospof.procedures.looking import source_facts
from nospof.procedures.off_section import image_while_off
from nospof.procedures.power import ROOM_SECONDS, NoRoom, bring_back
from nospof.procedures.rehearse import ask_first
from nospof.procedures.waiting import wait_for

AGAIN_SECONDS = 60.0
ANSWER_SECONDS = 600.0
IMAGE_SECONDS = 6 * 3600.0
REMOVE_IMAGE = "remove the image (aws ec2 deregister-image --image-id {})"
CLONE_AGAIN = f"The source is running; {REMOVE_IMAGE} and clone again"
"""The first snapshot of a large volume takes more than an hour (C16)."""
STATUS_SECONDS = 900.0


def clone(steps: Steps, world: World, request: CloneRequest) -> CloneResult:
    """Clone an instance. Guarantee: the source is as it was, running or stopped, when this ends."""
    made = copy(steps, world, request, prepare(steps, world, request))
    if not made.no_room:
        return made
    return on_at_last(steps, world, made, request, f"its twin {made.twin.id} in {made.twin.zone} runs")


def prepare(steps: Steps, world: World, request: CloneRequest) -> tuple[CloneFacts, ClonePlan]:
    """Look, decide, and ask the cloud: all that comes before the first change."""
    facts = steps.read("look at the instance and what surrounds it", clone_facts, world, request)
    plan = plan_clone(facts, request, steps.token)
    ask_first(steps, world, plan.plan, plan.plan.warnings)
    return facts, plan


def copy(
    steps: Steps, world: World, request: CloneRequest, prepared: tuple[CloneFacts, ClonePlan]
) -> CloneResult:
    """Clone an instance; where there is no room for the source it may still be off, and promised."""
    facts, plan = prepared
    source = facts.source
    is_live = request.live and source.state == "running"
    must_run = source.state == "running" and not is_live
    if plan.placement_group:
        steps.do("create the spread placement group", create_group, world, plan.placement_group, steps.token)
    off = take_image(steps, world, request, facts, plan)
    time_off = off.time_off
    is_on = must_run and not off.no_room
    if is_on and facts.answer.is_good:
        time_off = steps.do("wait until the source answers again", wait_for_answer, world, request, off)
    if is_on:
        steps.do("wait until the source passes its status checks", wait_until_ok, world, source.id)
        steps.do("release the promise", release, world, source.id, steps.token)
    image = steps.do("wait until the image is available", wait_for_image, world, off.image.id)
    twin = launch_where_there_is_room(steps, world, plan.places, image.id)
    told: tuple[str, ...] = ()
    if facts.inside.marks and not off.no_room:
        told = steps.do("compare what the two are known by", compare, world, facts, twin)
    return CloneResult(
        source=source,
        image_id=image.id,
        twin=twin,
        time_off=time_off,
        port=request.port,
        path=request.path,
        is_live=is_live,
        identities=told,
        consistency=off.consistency or ("crash" if is_live else "stopped"),
        consistency_says=off.says,
        runs_as=off.runs_as,
        no_room=off.no_room,
    )


def take_image(
    steps: Steps, world: World, request: CloneRequest, facts: CloneFacts, plan: ClonePlan
) -> OffSection:
    """Take the image as was asked for; of a source that is turned off for it, promised to come back."""
    source = facts.source
    tags = {TAG_RUN: steps.token, TAG_TWIN_OF: source.id, TAG_CONSISTENCY: "stopped"}
    if request.live and source.state == "running":
        return steps.do(
            "take the image while the source runs",
            image_live,
            world,
            source.id,
            plan.image_name,
            {**tags, TAG_CONSISTENCY: "crash"},
            request,
            facts.inside.no_hold,
        )
    types = start_types(request, source)
    if source.state == "running":
        steps.do(
            "promise that the source comes back",
            promise,
            world,
            source.id,
            steps.token,
            suspends=request.suspend_auto_scaling,
            dead_man=plan.dead_man,
            types=types,
        )
    return steps.do(
        "take the image with the source off",
        image_while_off,
        world,
        source.id,
        plan.image_name,
        tags,
        steps.token,
        must_run=source.state == "running",
        placement_group=plan.placement_group,
        request=request,
        dead_man=plan.dead_man,
        types=types,
    )


def on_at_last(
    steps: Steps, world: World, made: CloneResult, request: CloneRequest, serving: str
) -> CloneResult:
    """Have the source on again, now that its twin is there: where there is still no room, the run ends here.

    It fails so that it can be resumed, and so that its keeper goes on trying meanwhile.

    Args:
        serving: what is there instead, in words.
    """
    types = start_types(request, made.source)
    runs_as = steps.do(
        "start the source where there is room by now", start_at_last, world, made.source.id, types, serving
    )
    steps.do("wait until the source passes its status checks", wait_until_ok, world, made.source.id)
    steps.do("release the promise", release, world, made.source.id, steps.token)
    return replace(made, runs_as=runs_as)


def start_at_last(world: World, source_id: str, types: tuple[str, ...], serving: str) -> str:
    """Start the source once more; return the type it runs as.

    Raises:
        ProcedureFailed: there is still no room; says what serves meanwhile.
    """
    try:
        return bring_back(world, source_id, AGAIN_SECONDS + ROOM_SECONDS * len(types), types).type
    except NoRoom as error:
        raise ProcedureFailed(
            f"DEGRADED: {source_id} is off, for there is no room for it in its zone, and {serving}. nospof's "
            f"keeper goes on trying to start it; resume when it runs. {error}"
        ) from error


def clone_facts(world: World, request: CloneRequest) -> CloneFacts:
    """Read everything the decision rests on."""
    cloud = world.cloud
    source = cloud.instance(request.instance_id)
    twins = cloud.instances(tag=TAG_TWIN_OF, value=source.id)
    others = other_types(request, source.type)
    about = replace(
        source_facts(world, source),
        copies_user_data=request.copy_user_data,
        starter=starter_asked_for(world, request.dead_man_seconds, request.dead_man_role),
    )
    return CloneFacts(
        **vars(about),
        subnets=cloud.subnets(source.vpc_id),
        zones_offering=cloud.zones_offering(source.type),
        twins=twins,
        answer=replace(world.probe.get(where(source, request), verify=bool(request.url)), body=""),
        offers=tuple((kind, cloud.zones_offering(kind)) for kind in others),
        types=tuple(cloud.type_traits(kind) for kind in start_types(request, source)),
    )


def where(source: Instance, request: CloneRequest) -> str:
    """Return where the service is asked: as the request says, else at the instance itself."""
    return request.url or url_of(source, request.port, request.path)


def url_of(instance: Instance, port: int, path: str) -> str:
    """Return where an instance can be asked from here: its public address, else its private one."""
    return f"{protocol_of(port).lower()}://{instance.public_ip or instance.private_ip}:{port}{path}"


def create_group(world: World, name: str, run_id: str) -> str:
    """Make the placement group that keeps twin and source off the same rack."""
    world.cloud.create_placement_group(name, {TAG_RUN: run_id})
    return name


def wait_for_answer(world: World, request: CloneRequest, off: OffSection) -> TimeOff | None:
    """Wait until the service answers again; return the time off, now complete.

    Its public address may be another one than before, so the instance is asked where it is now.
    """

    def look() -> Answer:
        source = world.cloud.instance(request.instance_id)
        return world.probe.get(where(source, request), verify=bool(request.url), timeout_seconds=2.0)

    wait_for(
        world,
        "the source to answer",
        look,
        lambda answer: answer.is_good,
        within_seconds=ANSWER_SECONDS,
        says=lambda answer: f"{answer.url} says {answer.says}",
        is_off=True,
    )
    if off.time_off is None:
        return None
    return replace(off.time_off, first_good_answer=world.clock.now() - off.running_since)


def wait_for_image(world: World, image_id: str, advice: str = CLONE_AGAIN) -> Image:
    """Wait until the image can be launched from.

    Args:
        advice: what stands and what to do where it never can be; {} in it is the image.

    Raises:
        ProcedureFailed: it never can be.
    """

    def is_available(image: Image) -> bool:
        if image.is_lost:
            raise ProcedureFailed(
                f"the image {image_id} ended {image.state}: "
                f"{image.state_reason or 'the cloud gives no reason'}. {advice.format(image_id)}"
            )
        return image.state == "available"

    return wait_for(
        world,
        f"{image_id} to be available",
        lambda: world.cloud.image(image_id),
        is_available,
        within_seconds=IMAGE_SECONDS,
        says=lambda image: image.state,
    )


def wait_until_ok(world: World, instance_id: str) -> InstanceStatus:
    """Wait until the cloud's own checks of an instance pass: "running" is not "working"."""

    def says(statuses: tuple[InstanceStatus, ...]) -> str:
        return "; ".join(f"instance {one.instance_check}, system {one.system_check}" for one in statuses)

    # A new instance may not be listed yet, which is no status at all.
    (status,) = wait_for(
        world,
        f"{instance_id} to pass its status checks",
        lambda: world.cloud.instance_status((instance_id,)),
        lambda statuses: any(status.is_ok for status in statuses),
        within_seconds=STATUS_SECONDS,
        says=lambda statuses: says(statuses) or "not listed yet",
    )
    return status
