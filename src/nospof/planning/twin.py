"""Decide what a twin is and where it may be launched: as its source is, where it fails apart from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from nospof.errors import PreconditionFailed
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_DRAINED,
    TAG_GUARANTEE,
    TAG_RUN,
    TAG_SUSPENDED,
    TAG_TWIN_OF,
    Instance,
    LaunchRequest,
    Subnet,
    Tags,
)
from nospof.model.launching import run_parameters, tag_pairs
from nospof.model.plans import PlannedCall
from nospof.model.requests import CloneRequest
from nospof.model.traits import DiskTraits, TypeTraits
from nospof.planning.concerns import SourceFacts
from nospof.planning.identity import identity_script

NOT_YET = "i-00000000000000000"
VOLUME_NOT_YET = "vol-00000000000000000"
"""Stand for a twin and its volume that do not exist yet."""
OUR_MARKS = frozenset({TAG_DRAINED, TAG_GUARANTEE, TAG_RUN, TAG_SUSPENDED, TAG_TWIN_OF})


@dataclass(frozen=True, kw_only=True)
class CloneFacts(SourceFacts):
    """Everything the decision rests on, read before it.

    `offers` are the other types that would do, each with the zones that offer it; `types` is what they and
    the source's own are, read where the source may be started as one of them.
    """

    subnets: tuple[Subnet, ...]
    zones_offering: tuple[str, ...]
    twins: tuple[Instance, ...]
    answer: Answer
    offers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    types: tuple[TypeTraits, ...] = ()


@dataclass(frozen=True)
class Place:
    """A zone, and the twin as it would be launched there."""

    zone: str
    twin: LaunchRequest


def places_for(facts: CloneFacts, request: CloneRequest, token: str) -> tuple[Place, ...]:
    """Return where the twin is launched, best first: its own type in every zone, then each other type.

    Each place has a token of its own, made of what is asked for there (C32).

    Raises:
        PreconditionFailed: there is no such place.
    """
    source = facts.source
    offers = ((source.type, facts.zones_offering), *facts.offers)
    refuse_what_nobody_offers(facts)
    found = [
        (kind, subnet) for kind, zones in offers for subnet in usable_subnets(source, facts, zones, request)
    ]
    elsewhere = [(kind, subnet) for kind, subnet in found if subnet.zone != source.zone]
    chosen = elsewhere or (found if request.same_zone else [])
    if not chosen:
        refuse_every_place(facts, request)
    twin = twin_of(facts, request, token)
    return tuple(
        Place(subnet.zone, placed(twin, source, kind, subnet, is_first=number == 0))
        for number, (kind, subnet) in enumerate(chosen)
    )


def refuse_what_nobody_offers(facts: CloneFacts) -> None:
    """Refuse another type that cannot be launched anywhere: it is mistyped."""
    unknown = [kind for kind, zones in facts.offers if not zones]
    if unknown:
        raise PreconditionFailed(
            f"no zone offers {', '.join(unknown)}, which --or-type names. Nothing was changed."
        )


def usable_subnets(
    source: Instance, facts: CloneFacts, zones: Iterable[str], request: CloneRequest
) -> tuple[Subnet, ...]:
    """Return a subnet for each zone that would do, best first: in one that offers the type (C36).

    Subnets like the source's own (public or not) come first, then by zone.
    """
    own = next((subnet for subnet in facts.subnets if subnet.id == source.subnet_id), None)
    is_public = own.is_public if own else False
    wanted = set(request.zone.split(",")) if request.zone else set(zones)
    usable = [one for one in facts.subnets if one.zone in wanted & set(zones) and one.free_addresses > 0]
    best: dict[str, Subnet] = {}
    for subnet in sorted(usable, key=lambda one: (one.is_public != is_public, one.zone, one.id)):
        best.setdefault(subnet.zone, subnet)
    return tuple(best.values())


def refuse_every_place(facts: CloneFacts, request: CloneRequest) -> None:
    """Refuse, with the reason why no place would do.

    Raises:
        PreconditionFailed: always.
    """
    source = facts.source
    if request.zone == source.zone and not request.same_zone:
        raise PreconditionFailed(
            f"{request.zone} is the zone of {source.id} itself: one zone's failure would still take both. "
            "Choose another zone, or accept this one on other hardware with --same-zone. "
            "Nothing was changed."
        )
    if request.zone and "," not in request.zone:
        raise PreconditionFailed(
            f"zone {request.zone} has no subnet of {source.vpc_id} with free addresses that offers "
            f"{source.type}; zones that would do: {_zones(facts) or 'none'}. Nothing was changed."
        )
    raise PreconditionFailed(
        f"{source.vpc_id} has no other zone than {source.zone} where a {source.type} could run, so "
        "one zone's failure would still take both. Add a subnet in a second zone (aws ec2 "
        f"create-subnet --vpc-id {source.vpc_id} --availability-zone ...), or accept the same zone "
        "on other hardware with --same-zone. Nothing was changed."
    )


def _zones(facts: CloneFacts) -> str:
    offering = facts.zones_offering
    return ", ".join(sorted({s.zone for s in facts.subnets if s.zone in offering and s.free_addresses > 0}))


def twin_of(facts: CloneFacts, request: CloneRequest, token: str) -> LaunchRequest:
    """Return the twin as its source is, in no place yet."""
    source, around = facts.source, facts.around
    return LaunchRequest(
        token=f"{token}-twin",
        image_id=source.image_id,
        type=source.type,
        subnet_id="",
        security_groups=source.security_groups,
        profile_arn=source.profile_arn,
        key_name=source.key_name,
        tenancy=around.tenancy if around.tenancy != "default" else "",
        tags=own_tags(source.tags, source, token),
        volume_tags=common_tags(around.traits.disks, source, token),
        user_data=""
        if request.copy_user_data or around.traits.is_windows
        else identity_script(source, token),
        user_data_of=source.id if request.copy_user_data else "",
        traits=around.traits,
    )


def placed(
    twin: LaunchRequest, source: Instance, kind: str, subnet: Subnet, *, is_first: bool
) -> LaunchRequest:
    """Return the twin in a place.

    In its source's zone it goes into the spread group, but for one on a dedicated host, which takes none.
    """
    digest = hashlib.sha256(f"{kind} {subnet.id}".encode()).hexdigest()[:8]
    is_near = subnet.zone == source.zone and twin.tenancy != "host"
    is_burstable = kind.startswith("t")
    return replace(
        twin,
        token=twin.token if is_first else f"{twin.token}-{digest}",
        type=kind,
        subnet_id=subnet.id,
        placement_group=f"nospof-{source.id}" if is_near else "",
        traits=twin.traits if is_burstable else replace(twin.traits, cpu_credits=""),
    )


def own_tags(tags: Tags, source: Instance, token: str) -> Tags:
    """Return the twin's tags: the source's, without AWS's reserved ones and our own marks (C24)."""
    return {**kept_tags(tags), "Name": f"{source.name}-twin", TAG_RUN: token, TAG_TWIN_OF: source.id}


def kept_tags(tags: Tags) -> Tags:
    """Return the tags that a copy takes over."""
    return {
        key: value
        for key, value in tags.items()
        if not key.lower().startswith("aws:") and key not in OUR_MARKS
    }


def common_tags(disks: tuple[DiskTraits, ...], source: Instance, token: str) -> Tags:
    """Return what every new volume is tagged with while it is made; nothing where none could be read."""
    if not disks:
        return {}
    first, *others = (kept_tags(disk.tags) for disk in disks)
    common = {key: value for key, value in first.items() if all(one.get(key) == value for one in others)}
    return {**common, TAG_RUN: token, TAG_TWIN_OF: source.id}


def further_tags(twin: LaunchRequest) -> dict[str, Tags]:
    """Return, by device, the tags that one volume has and others have not: they are put on later."""
    found = {
        disk.device: {
            key: value for key, value in kept_tags(disk.tags).items() if key not in twin.volume_tags
        }
        for disk in twin.traits.disks
    }
    return {device: tags for device, tags in found.items() if tags}


def launch_calls(places: tuple[Place, ...]) -> tuple[PlannedCall, ...]:
    """Return the writes that make the twin; another type is rehearsed where it would be launched first."""
    twin = places[0].twin
    calls = [PlannedCall("ec2", "RunInstances", rehearsed(twin), "launch the twin", ("ImageId",))]
    seen = {twin.type}
    for place in places[1:]:
        if place.twin.type not in seen:
            seen.add(place.twin.type)
            says = f"or, where there is no room for it, launch it as a {place.twin.type}"
            calls.append(PlannedCall("ec2", "RunInstances", rehearsed(place.twin), says, ("ImageId",)))
    if not twin.traits.checks_source_and_destination:
        calls.append(
            PlannedCall(
                "ec2",
                "ModifyInstanceAttribute",
                {"InstanceId": NOT_YET, "SourceDestCheck": {"Value": False}},
                "let it pass on what is not for it, as its source does",
                ("InstanceId",),
            )
        )
    calls += [
        PlannedCall(
            "ec2",
            "CreateTags",
            {"Resources": [VOLUME_NOT_YET], "Tags": tag_pairs(tags)},
            f"put the tags of the source's disk {device} on the twin's",
            ("Resources",),
        )
        for device, tags in sorted(further_tags(twin).items())
    ]
    return tuple(calls)


def rehearsed(twin: LaunchRequest) -> dict[str, object]:
    """Return RunInstances' parameters, as far as they are known before image and group exist."""
    return run_parameters(replace(twin, placement_group=""))
