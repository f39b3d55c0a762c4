"""Ask the cloud about every write of a plan before the first one is made (C29)."""

from __future__ import annotations

from nospof.errors import CloudError, PreconditionFailed
from nospof.model.plans import Plan
from nospof.ports.world import World


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
            refused.append(f"{call.permission} ({call.says}): {error.code or error}")
    if refused:
        raise PreconditionFailed(
            "the cloud would refuse "
            + "; ".join(refused)
            + ". Grant these to whoever runs nospof, or mend what the code names. Nothing was changed."
        )
    unchecked = [call.permission for call in plan.calls if not call.can_rehearse]
    return tuple(f"{name} has no rehearsal and was not checked" for name in dict.fromkeys(unchecked))
