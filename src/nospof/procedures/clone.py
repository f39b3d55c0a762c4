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
from nospof.procedures.rehearse import rehearse
from nospof.procedures.waiting import wait_for

ANSWER_SECONDS = 600.0
IMAGE_SECONDS = 6 * 3600.0
"""The first snapshot of a large volume takes more than an hour (C16)."""
STATUS_SECONDS = 900.0


def clone(steps: Steps, world: World, request: CloneRequest) -> CloneResult:
    """Clone an instance. Guarantee: the source is as it was, running or stopped, when this ends."""
    facts = steps.read("look at the instance and what surrounds it", clone_facts, world, request)
    plan = plan_clone(facts, request, steps.token)
    unchecked = steps.read("ask the cloud whether it would allow each call", rehearse, world, plan.plan)
    for warning in (*plan.plan.warnings, *unchecked):
        world.reporter.warn(warning)
    source = facts.source
    is_live = request.live and source.state == "running"
    must_run = source.state == "running" and not is_live
    if plan.placement_group:
        steps.do("create the spread placement group", create_group, world, plan.placement_group, steps.token)
    if must_run:
        steps.do(
            "promise that the source comes back",
            promise,
            world,
            source.id,
            steps.token,
            suspends=request.suspend_auto_scaling,
            dead_man=plan.dead_man,
        )
    off = take_image(steps, world, request, facts, plan)
    time_off = off.time_off
    if must_run and facts.answer.is_good:
        time_off = steps.do("wait until the source answers again", wait_for_answer, world, request, off)
    if must_run:
        steps.do("wait until the source passes its status checks", wait_until_ok, world, source.id)
        steps.do("release the promise", release, world, source.id, steps.token)
    image = steps.do("wait until the image is available", wait_for_image, world, off.image.id)
    twin = launch_where_there_is_room(steps, world, plan.places, image.id)
    told: tuple[str, ...] = ()
    if facts.inside.marks:
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
    )


def take_image(
    steps: Steps, world: World, request: CloneRequest, facts: CloneFacts, plan: ClonePlan
) -> OffSection:
    """Take the image, of a source that is off or, where that was asked for, of one that runs."""
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
    )


def clone_facts(world: World, request: CloneRequest) -> CloneFacts:
    """Read everything the decision rests on."""
    cloud = world.cloud
    source = cloud.instance(request.instance_id)
    twins = cloud.instances(tag=TAG_TWIN_OF, value=source.id)
    other_types = dict.fromkeys(kind.strip() for kind in request.or_types.split(",") if kind.strip())
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
        offers=tuple((kind, cloud.zones_offering(kind)) for kind in other_types if kind != source.type),
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


def wait_for_image(world: World, image_id: str) -> Image:
    """Wait until the image can be launched from."""

    def is_available(image: Image) -> bool:
        if image.is_lost:
            raise ProcedureFailed(
                f"the image {image_id} ended {image.state}: "
                f"{image.state_reason or 'the cloud gives no reason'}. The source is running; remove the "
                f"image (aws ec2 deregister-image --image-id {image_id}) and clone again"
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
