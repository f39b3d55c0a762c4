"""Decide how an instance is copied while it runs, and say what its image can be worth."""

from __future__ import annotations

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import TAG_CONSISTENCY
from nospof.model.launching import tag_pairs
from nospof.model.plans import PlannedCall
from nospof.model.requests import CloneRequest
from nospof.planning.concerns import SourceFacts

LEAST_HOLD_SECONDS, MOST_HOLD_SECONDS = 5, 60
"""The image call and the first look at its snapshots take some seconds; clients give up after a minute."""
IMAGE_NOT_YET = "ami-00000000000000000"
TORN = (
    "the copy is then what a power cut would have left: files written at that moment may be torn, and disks "
    "of several volumes are not of one moment. Check its data before it serves"
)


def refuse_bad_hold(request: CloneRequest) -> None:
    """Refuse a hold that is too short to be of use or too long to be borne."""
    if not LEAST_HOLD_SECONDS <= request.hold_seconds <= MOST_HOLD_SECONDS:
        raise UsageError(
            f"--hold-seconds {request.hold_seconds} must be from {LEAST_HOLD_SECONDS} to {MOST_HOLD_SECONDS}"
        )


def live_warning(facts: SourceFacts, request: CloneRequest) -> str:
    """Say what a copy of a running instance does to it, and what it is worth.

    Raises:
        PreconditionFailed: only a consistent image will do, and it is known already that there will be none.
    """
    source, no_hold = facts.source, facts.inside.no_hold
    if not no_hold:
        return (
            f"writes of {source.id} stall for up to {request.hold_seconds} s while the image's snapshots "
            "begin: its databases are locked, and file systems with nothing but data frozen. Where that does "
            "not last "
            + ("there is no image" if request.require_consistent else f"the image says so; {TORN}")
        )
    if request.require_consistent:
        raise PreconditionFailed(
            f"writes of {source.id} cannot be held ({no_hold}), and only a consistent image will do "
            "(--require-consistent). Nothing was changed."
        )
    return f"writes of {source.id} cannot be held ({no_hold}): {TORN}"


def live_calls(facts: SourceFacts, request: CloneRequest, image: PlannedCall) -> tuple[PlannedCall, ...]:
    """Return the writes that make the image of a running instance, and hold its writes where that can be."""
    if facts.inside.no_hold:
        return (image,)
    source_id = facts.source.id
    # The look inside was the same call to the same instance: it is allowed.
    sent = {"DocumentName": "AWS-RunShellScript", "InstanceIds": [source_id]}
    hold = f"hold what {source_id} writes, for {request.hold_seconds} s at most"
    go_on = "let it write again once the snapshots have begun"
    return (
        PlannedCall("ssm", "SendCommand", sent, hold, is_allowed=True),
        image,
        PlannedCall("ssm", "SendCommand", sent, go_on, is_allowed=True),
        PlannedCall(
            "ec2",
            "CreateTags",
            {"Resources": [IMAGE_NOT_YET], "Tags": tag_pairs({TAG_CONSISTENCY: "application"})},
            "mark the image as application-consistent, if that had lasted until then",
            ("Resources",),
        ),
    )
