"""Decide how an instance is cloned, or why it must not be.

Pure: facts in, a plan or `PreconditionFailed` out. The rules name the public cases behind them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import (
    TAG_GUARANTEE,
    TAG_RUN,
    Instance,
    LaunchRequest,
    Tags,
)
from nospof.model.launching import tag_pairs
from nospof.model.plans import Plan, PlannedCall
from nospof.model.requests import CloneRequest
from nospof.model.starts import DeadMan
from nospof.planning.auto_scaling import to_suspend, with_auto_scaling
from nospof.planning.dead_man import (
    dead_man_looks,
    dead_man_of,
    refuse_a_time_that_makes_no_sense,
    with_dead_man,
)
from nospof.planning.live import live_calls, live_warning, refuse_bad_hold
from nospof.planning.other_types import refuse_what_cannot_start, start_types, type_calls
from nospof.planning.preflight import LIVE_RULES, RULES, heed
from nospof.planning.twin import CloneFacts, Place, launch_calls, places_for

SECONDS_OFF_EXPECTED = (30, 180)
"""Stop and start of an EBS instance each take some 15 to 90 s; the image call takes about 2 s."""

CLONE_LOOKS = tuple(
    PlannedCall("ec2", f"Describe{what}", {}, f"see {says}")
    for what, says in (
        ("Images", "whether the image is there"),
        ("InstanceStatus", "whether the status checks pass"),
        ("Snapshots", "whether the snapshots have begun"),
    )
)
GROUP_LOOK = PlannedCall("ec2", "DescribePlacementGroups", {}, "see whether the placement group is there")


@dataclass(frozen=True)
class ClonePlan:
    """Where the twin goes, what it is, and the calls that make it.

    `places` are where it is launched, best first: the next one where there is no room. `dead_man` is what the
    cloud is asked to do where nobody comes back to start the source.
    """

    image_name: str
    places: tuple[Place, ...]
    placement_group: str
    plan: Plan
    dead_man: DeadMan | None = None

    @property
    def twin(self) -> LaunchRequest:
        """The twin in the best place."""
        return self.places[0].twin

    @property
    def twin_zone(self) -> str:
        """The zone of the best place."""
        return self.places[0].zone


def image_name_of(run_id: str) -> str:
    """Return the name, and so the identity, of the image a run takes."""
    return f"nospof-{run_id}"


def plan_clone(facts: CloneFacts, request: CloneRequest, token: str) -> ClonePlan:
    """Return the plan.

    Args:
        facts: as read just now.
        request: what was asked for.
        token: the run's id; every name the run makes carries it.

    Raises:
        PreconditionFailed: the instance must not be cloned like this.
    """
    source = facts.source
    refuse_what_makes_no_sense(request)
    refuse_bad_hold(request)
    refuse_what_another_run_holds(source, token)
    refuse_what_cannot_start(source, request, facts.types)
    is_live = request.live and source.state == "running"
    heard = heed(facts, request, LIVE_RULES if is_live else RULES)
    places = places_for(facts, request, token)
    first = places[0]
    image_name = image_name_of(token)
    goes_off = source.state == "running" and not is_live
    dead_man = dead_man_of(facts, request.dead_man_seconds)
    calls = clone_calls(
        source, image_name, places, token, goes_off=goes_off, lifts_protection=facts.is_stop_protected
    )
    calls = with_dead_man(calls, dead_man, source.id, token)
    if goes_off and facts.scaling and (processes := to_suspend(facts.scaling, source.id)):
        calls = with_auto_scaling(calls, facts.scaling, source.id, processes)
    if is_live:
        calls = (*live_calls(facts, request, calls[0]), *calls[1:])
    live = (live_warning(facts, request),) if is_live else ()
    if goes_off:
        calls = (*calls, *type_calls(source, start_types(request, source)))
    return ClonePlan(
        image_name=image_name,
        places=places,
        placement_group=first.twin.placement_group,
        dead_man=dead_man,
        plan=Plan(
            procedure="clone",
            says=f"clone {source.name} ({source.id}, {source.zone}) into {first.zone}",
            guarantee=f"{source.id} runs throughout"
            if is_live
            else f"{source.id} is {source.state} when this ends, whatever happens to nospof",
            calls=calls,
            warnings=(*warnings_of(facts, first.zone), *live, *heard),
            expected_seconds_off=SECONDS_OFF_EXPECTED if goes_off else None,
            looks=looks_of(first.twin, dead_man, source.id),
            details={
                "source": source.id,
                "twin zone": first.zone,
                "twin type": first.twin.type,
                **({"where there is no room": told_places(places[1:])} if places[1:] else {}),
                "first boot": first_boot(facts, request),
                "image name": image_name,
            },
        ),
    )


def looks_of(twin: LaunchRequest, dead_man: DeadMan | None, source_id: str) -> tuple[PlannedCall, ...]:
    """Return what is looked at after the first write, and what the dead man must be allowed."""
    group = (GROUP_LOOK,) if twin.placement_group else ()
    return (*CLONE_LOOKS, *group, *dead_man_looks(dead_man, source_id))


def refuse_what_makes_no_sense(request: CloneRequest) -> None:
    """Refuse a request that cannot be understood, whatever the world looks like."""
    if not 1 <= request.port <= 65535:
        raise UsageError(f"--port {request.port} is no port; use one from 1 to 65535")
    if not request.path.startswith("/"):
        raise UsageError(f"--path {request.path!r} must begin with /")
    refuse_a_time_that_makes_no_sense(request.dead_man_seconds)
    if request.live and request.dead_man_seconds:
        raise UsageError(
            "--live and --dead-man exclude each other: an instance that runs on is not started again"
        )
    if request.live and request.same_zone:
        raise UsageError(
            "--live and --same-zone exclude each other: an instance that runs cannot be moved to hardware "
            "of its own"
        )
    if request.url:
        parts = urlsplit(request.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UsageError(
                f"--url {request.url!r} must be http://HOST/PAGE or https://HOST/PAGE, without a user name"
            )


def refuse_what_another_run_holds(instance: Instance, token: str) -> None:
    """Refuse an instance that carries another run's guarantee: two would undo each other's work.

    Whoever runs nospof keeps dead runs' guarantees first, so one that is still there is alive.
    """
    guarantee = instance.tags.get(TAG_GUARANTEE, "")
    if guarantee and f"run={token} " not in guarantee:
        raise PreconditionFailed(
            f"another run works on {instance.id} now ({guarantee}). Wait for it, or see nospof runs list. "
            "Nothing was changed."
        )


def clone_calls(
    source: Instance,
    image_name: str,
    places: tuple[Place, ...],
    token: str,
    *,
    goes_off: bool,
    lifts_protection: bool,
) -> tuple[PlannedCall, ...]:
    """Return the writes of a clone, in order; those of stop protection only where it was on."""
    twin = places[0].twin
    calls = [
        placement_call(twin.placement_group, token),
        PlannedCall(
            "ec2",
            "CreateTags",
            {"Resources": [source.id], "Tags": [{"Key": TAG_GUARANTEE, "Value": token}]},
            f"promise on {source.id} itself that it comes back on",
        ),
        protection_call(source.id, on=False),
        PlannedCall("ec2", "StopInstances", {"InstanceIds": [source.id]}, f"stop {source.id}"),
        PlannedCall(
            "ec2",
            "ModifyInstancePlacement",
            {"InstanceId": source.id, "GroupName": twin.placement_group},
            f"move {source.id} into it, so that it never shares a rack with its twin",
            on=(f"instance/{source.id}", f"placement-group/{twin.placement_group}"),
            tags=source.tags,
        ),
        image_call(source.id, image_name, token),
        PlannedCall("ec2", "StartInstances", {"InstanceIds": [source.id]}, f"start {source.id} again"),
        protection_call(source.id, on=True),
        PlannedCall(
            "ec2",
            "DeleteTags",
            {"Resources": [source.id], "Tags": [{"Key": TAG_GUARANTEE}]},
            "release the promise once it answers",
        ),
    ]
    left_out: set[str] = set()
    if not goes_off:
        left_out |= {"CreateTags", "StopInstances", "StartInstances", "DeleteTags"}
    if not goes_off or not lifts_protection:
        left_out.add("ModifyInstanceAttribute")
    if not twin.placement_group:
        left_out |= {"CreatePlacementGroup", "ModifyInstancePlacement"}
    kept = (call for call in calls if call.operation not in left_out)
    return (*kept, *launch_calls(places))


def placement_call(name: str, token: str) -> PlannedCall:
    """Return the write that makes a spread placement group."""
    tags = tag_specifications({TAG_RUN: token}, "placement-group")
    return PlannedCall(
        "ec2",
        "CreatePlacementGroup",
        {"GroupName": name, "Strategy": "spread", "TagSpecifications": tags},
        f"make the spread placement group {name}",
    )


def image_call(instance_id: str, name: str, token: str) -> PlannedCall:
    """Return the write that takes the image."""
    tags = tag_specifications({TAG_RUN: token}, "image", "snapshot")
    return PlannedCall(
        "ec2",
        "CreateImage",
        {"InstanceId": instance_id, "Name": name, "NoReboot": True, "TagSpecifications": tags},
        f"take the image {name} of its disks",
    )


def protection_call(instance_id: str, *, on: bool) -> PlannedCall:
    """Return the write that sets or lifts an instance's protection against being stopped."""
    return PlannedCall(
        "ec2",
        "ModifyInstanceAttribute",
        {"InstanceId": instance_id, "DisableApiStop": {"Value": on}},
        f"{'protect' if on else 'let'} {instance_id} {'from being' if on else 'be'} stopped"
        + (" again" if on else " for a moment"),
    )


def tag_specifications(tags: Tags, *kinds: str) -> list[dict[str, object]]:
    """Return the tags of what is made, as EC2 takes them: who may make it can depend on them."""
    return [{"ResourceType": kind, "Tags": tag_pairs(tags)} for kind in kinds]


def warnings_of(facts: CloneFacts, zone: str) -> tuple[str, ...]:
    """Return what the operator should know before saying yes."""
    source = facts.source
    warnings = []
    if not facts.answer.is_good:
        warnings.append(
            f"not checked: {facts.answer.url} said {facts.answer.says} before anything was done, so the "
            "first good answer after the start cannot be measured; say where the service answers with --url"
        )
    if zone == source.zone:
        warnings.append(
            f"the twin shares the zone {zone} with the source: other hardware, but one zone's "
            "failure takes both"
        )
    if facts.starter and source.state != "running":
        warnings.append(f"--dead-man does nothing: {source.id} is {source.state}, and is not started")
    if len(facts.around.traits.disks) > 1:
        warnings.append(
            "not checked: ec2:RunInstances on the snapshots of further disks, which do not exist yet"
        )
    if facts.twins:
        known = ", ".join(twin.id for twin in facts.twins)
        warnings.append(f"{source.id} already has a twin ({known}); this makes another one")
    return tuple(warnings)


def first_boot(facts: CloneFacts, request: CloneRequest) -> str:
    """Return what the twin runs first, in words."""
    if request.copy_user_data:
        return f"the user data of {facts.source.id}"
    if facts.around.traits.is_windows:
        return "nothing of nospof's"
    return "a script of nospof's: its own machine id, SSH host keys and host name"


def told_places(places: tuple[Place, ...]) -> str:
    """Return places as people read them."""
    return ", then ".join(f"{one.twin.type} in {one.zone}" for one in places)


def with_image(plan: ClonePlan, image_id: str) -> LaunchRequest:
    """Return the twin's launch request in the best place, now that its image is known."""
    return replace(plan.twin, image_id=image_id)
