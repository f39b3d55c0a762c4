"""Decide whether the members of a service can be worked on in turn, and what that will write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nospof.errors import UsageError
from nospof.model.cloud import TAG_RUN, TAG_SERVICE, Seat, Tags
from nospof.model.maintaining import TAG_BACK, BackRequest, RunRequest
from nospof.model.plans import Plan, PlannedCall
from nospof.planning.clone import image_call, image_name_of, tag_specifications
from nospof.planning.concerns import Rule
from nospof.planning.members import AFTERWARDS, member_call, power_calls
from nospof.planning.preflight import TAKE_RULES, company, key_grants, keys, root_kind, state

MOST_SECONDS = 172_800
"""What Systems Manager lets a command take at most."""
ONE_AT_A_TIME = "one member at a time, and each serves again when this ends, or is named"
IMAGE_LOOKS = (
    PlannedCall("ec2", "DescribeImages", {}, "see whether the image is available"),
    PlannedCall("ec2", "DescribeSnapshots", {}, "see whether its snapshots have begun"),
)
ROOT_LOOK = PlannedCall(
    "ec2", "DescribeReplaceRootVolumeTasks", {}, "see whether the root volume was replaced"
)
BACK_RULES: tuple[Rule, ...] = (state, company, root_kind, keys, key_grants)
"""What is looked at of a member whose root volume is replaced."""
STAYS_ON_RULES: tuple[Rule, ...] = (state, company)
"""What is looked at of a member that is neither stopped nor rebooted."""


def back_image_name(run_id: str, instance_id: str) -> str:
    """Return the name, and so the identity, of the image of a member that a run works on."""
    return f"{image_name_of(run_id)}-{instance_id}"


def back_tags(run_id: str, instance_id: str, service: str) -> Tags:
    """Return what such an image carries."""
    return {TAG_RUN: run_id, TAG_BACK: instance_id, TAG_SERVICE: service}


def refuse_what_makes_no_sense(request: RunRequest) -> None:
    """Refuse a command that is none, and a time that is none."""
    if not request.command.strip():
        raise UsageError(
            "no command was given; write it after two dashes: nospof maintain run shop -- apt-get -y upgrade"
        )
    if not 1 <= request.timeout_seconds <= MOST_SECONDS:
        raise UsageError(f"--timeout {request.timeout_seconds}s is not from 1s to {MOST_SECONDS // 3600}h")


def rules_of(request: RunRequest) -> Sequence[Rule]:
    """Return what has to be looked at of each member."""
    return STAYS_ON_RULES if request.no_image and not request.reboot else TAKE_RULES


def plan_run(
    request: RunRequest, members: Sequence[tuple[str, Sequence[tuple[Seat, Tags]]]], token: str
) -> Plan:
    """Return what the turns will write.

    Args:
        members: in their order, with where each serves.
    """
    ids = [one for one, _ in members]
    calls = tuple(call for one, seats in members for call in turn_calls(request, one, seats, token))
    warnings = () if not request.no_image else (f"no image is taken: {' and '.join(ids)} cannot go back",)
    return Plan(
        "maintain-run",
        f"have {' and then '.join(ids)} do: {request.command}",
        ONE_AT_A_TIME,
        calls,
        warnings,
        details={"service": request.service, "command": request.command},
        looks=AFTERWARDS if request.no_image else (*AFTERWARDS, *IMAGE_LOOKS),
    )


def turn_calls(
    request: RunRequest, instance_id: str, seats: Sequence[tuple[Seat, Tags]], token: str
) -> tuple[PlannedCall, ...]:
    """Return the writes of one member's turn, in order."""
    promise, stop, start, release = power_calls(instance_id, token)
    image = image_call(instance_id, back_image_name(token, instance_id), token)
    tags = tag_specifications(back_tags(token, instance_id, request.service), "image", "snapshot")
    image.parameters["TagSpecifications"] = tags
    reboot = PlannedCall(
        "ec2", "RebootInstances", {"InstanceIds": [instance_id]}, f"reboot {instance_id} afterwards"
    )
    # The look inside was the same call to the same instance: it is allowed.
    sent = {"DocumentName": "AWS-RunShellScript", "InstanceIds": [instance_id]}
    command = PlannedCall("ssm", "SendCommand", sent, f"have {instance_id} do it, as root", is_allowed=True)
    return (
        promise,
        *(
            member_call(seat, f"drain {instance_id} out of {seat.group_name}", joins=False, tags=tags)
            for seat, tags in seats
        ),
        *(() if request.no_image else (stop, image, start)),
        command,
        *((reboot,) if request.reboot else ()),
        *(
            member_call(seat, f"put {instance_id} back into {seat.group_name}", joins=True, tags=tags)
            for seat, tags in seats
        ),
        release,
    )


def plan_back(
    request: BackRequest, members: Sequence[tuple[str, str, str, Sequence[tuple[Seat, Tags]]]], token: str
) -> Plan:
    """Return what going back will write.

    Args:
        members: in their order, with image, root volume now, and where each serves or belongs.
    """
    calls = tuple(call for one in members for call in return_calls(one, token))
    return Plan(
        "maintain-back",
        f"have {' and then '.join(one[0] for one in members)} go back to what {request.run_id} found",
        ONE_AT_A_TIME,
        calls,
        warnings=tuple(
            f"what {one} has written to its root volume since then is on {volume} afterwards, which is kept, "
            "and nowhere else unless others have it too"
            for one, _, volume, _ in members
        ),
        details={"run": request.run_id},
        looks=(*AFTERWARDS, ROOT_LOOK),
    )


def return_calls(
    member: tuple[str, str, str, Sequence[tuple[Seat, Tags]]], token: str
) -> tuple[PlannedCall, ...]:
    """Return the writes with which one member goes back, in order."""
    instance_id, image_id, _, seats = member
    promise, _, start, release = power_calls(instance_id, token)
    root = PlannedCall(
        "ec2",
        "CreateReplaceRootVolumeTask",
        {"InstanceId": instance_id, "ImageId": image_id, "DeleteReplacedRootVolume": False},
        f"give {instance_id} the root volume of {image_id}; it reboots",
    )
    return (
        promise,
        *(
            member_call(seat, f"drain {instance_id} out of {seat.group_name}", joins=False, tags=tags)
            for seat, tags in seats
        ),
        replace(start, says=f"start {instance_id}, should it be off"),
        root,
        *(
            member_call(seat, f"put {instance_id} back into {seat.group_name}", joins=True, tags=tags)
            for seat, tags in seats
        ),
        release,
    )
