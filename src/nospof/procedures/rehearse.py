"""Ask the cloud about every write of a plan before the first one is made (C29)."""

from __future__ import annotations

from nospof.errors import CloudError, PreconditionFailed
from nospof.model.plans import Plan
from nospof.ports.world import World

THERE_ALREADY = frozenset(
    {"InvalidGroup.Duplicate", "InvalidPermission.Duplicate", "InvalidPlacementGroup.Duplicate"}
)
"""What an earlier run for the same service made; it is adopted."""

IN_USE = frozenset(
    {"DependencyViolation", "InvalidPlacementGroup.InUse", "InvalidSnapshot.InUse", "ResourceInUse"}
)
"""What is needed by something that goes before it."""


def rehearse(world: World, plan: Plan) -> tuple[str, ...]:
    """Rehearse each call the cloud can rehearse; return what could not be checked, a sentence each.

    Raises:
        PreconditionFailed: calls would be refused; all of them are named at once.
    """
    refused = []
    for call in plan.calls:
        if not call.can_rehearse:
            continue
        try:
            world.cloud.rehearse(call)
        except CloudError as error:
            if error.retryable:
                raise
            if error.code in THERE_ALREADY | IN_USE:
                continue
            refused.append(f"{call.permission} ({call.says}): {error.code or error}")
    if refused:
        raise PreconditionFailed(
            "the cloud would refuse "
            + "; ".join(refused)
            + ". Grant these to whoever runs nospof, or mend what the code names. Nothing was changed."
        )
    unchecked = dict.fromkeys(call.permission for call in plan.calls if not call.can_rehearse)
    if not unchecked:
        return ()
    return (f"not checked, for the cloud has no rehearsal of it: {', '.join(unchecked)}",)
