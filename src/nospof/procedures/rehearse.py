"""Ask the cloud about every write of a plan before the first one is made (C29)."""

from __future__ import annotations

from nospof.errors import CloudError, PreconditionFailed
from nospof.model.plans import Plan, PlannedCall
from nospof.ports.steps import Steps
from nospof.ports.world import World

THERE_ALREADY = frozenset(
    {"InvalidGroup.Duplicate", "InvalidPermission.Duplicate", "InvalidPlacementGroup.Duplicate"}
)
"""What an earlier run for the same service made; it is adopted."""

IN_USE = frozenset(
    {"DependencyViolation", "InvalidPlacementGroup.InUse", "InvalidSnapshot.InUse", "ResourceInUse"}
)
"""What is needed by something that goes before it."""

PROTECTED = "OperationNotPermitted"
"""What a stop is refused with, once it is permitted, while the protection against it is still on."""


ONLY_WHILE_OFF = "IncorrectInstanceState"
"""What another type is refused with, once it is permitted, while the instance still runs."""


def ask_first(
    steps: Steps, world: World, plan: Plan, warnings: tuple[str, ...] = (), *, of: str = ""
) -> None:
    """Have the cloud asked about each call of a plan, and say what the operator should know.

    Args:
        warnings: what is known already, and is said first.
        of: whose calls they are, where a run asks twice.

    Raises:
        PreconditionFailed, CloudError: as `rehearse` does.
    """
    name = f"ask the cloud whether it would allow each call{of}"
    for warning in (*warnings, *steps.read(name, rehearse, world, plan)):
        world.reporter.warn(warning)


def rehearse(world: World, plan: Plan) -> tuple[str, ...]:
    """Ask about each call of a plan; return what could not be checked, a sentence each.

    Raises:
        PreconditionFailed: calls would be refused; all of them are named at once.
        CloudError: no answer, or none to a rehearsal: an endpoint that carries one out is asked no more.
    """
    calls = [call for call in (*plan.calls, *plan.looks) if not call.is_allowed]
    passes = THERE_ALREADY | IN_USE
    if any(call.operation == "ModifyInstanceAttribute" for call in plan.calls):
        passes |= {PROTECTED}
    refused = [why for call in calls if call.can_rehearse for why in rehearsed(world, call, passes)]
    denied, unchecked = simulated(world, [call for call in calls if not call.can_rehearse])
    if refused or denied:
        raise PreconditionFailed(
            "the cloud would refuse "
            + "; ".join(dict.fromkeys(refused + denied))
            + ". Grant these to whoever runs nospof, or mend what the code names. Nothing was changed."
        )
    return unchecked


def rehearsed(world: World, call: PlannedCall, passes: frozenset[str]) -> list[str]:
    """Return why a call would be refused, or nothing; some codes say only that it is too early for it."""
    try:
        world.cloud.rehearse(call)
    except CloudError as error:
        if error.retryable or not error.code:
            raise
        is_early = call.operation == "ModifyInstanceAttribute" and error.code == ONLY_WHILE_OFF
        if error.code not in passes and not is_early:
            action = error.missing_permission or call.permission
            return [f"{action} ({call.says}): {error.code or error}"]
    return []


def simulated(world: World, calls: list[PlannedCall]) -> tuple[list[str], tuple[str, ...]]:
    """Return what IAM would refuse of calls that have no rehearsal, and what it cannot tell."""
    denied: list[str] = []
    unknown: dict[str, None] = {}
    for number, call in enumerate(calls):
        try:
            told = world.cloud.simulate(call)
        except CloudError as error:
            left = dict.fromkeys(action for one in calls[number:] for action in one.permissions)
            why = f"iam:SimulatePrincipalPolicy does not say ({error.code or error})"
            says = f"not checked, for they have no rehearsal, and {why}: {', '.join(unknown | left)}"
            return denied, (says,)
        denied += [f"{action} ({call.says}): denied" for action, may in told.items() if may is False]
        unknown |= {action: None for action, may in told.items() if may is None}
    if not unknown:
        return denied, ()
    return denied, (f"not checked, for your policies have conditions on them: {', '.join(unknown)}",)
