"""Discard: what a backup, or the test of one, made goes, and nothing else."""

from __future__ import annotations

from nospof.errors import PreconditionFailed
from nospof.model.backups import DiscardRequest, DiscardResult
from nospof.model.cloud import TAG_GUARANTEE
from nospof.model.plans import Plan, PlannedCall
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.rehearse import ask_first
from nospof.procedures.taking_away import MADE_BY, take_away

KINDS = ("instance", "security group", "image", "snapshot")
"""What these runs make, in the order in which it can go."""
CALLS = {
    "instance": ("TerminateInstances", "InstanceIds", "terminate"),
    "security group": ("DeleteSecurityGroup", "GroupId", "delete the security group"),
    "image": ("DeregisterImage", "ImageId", "deregister"),
    "snapshot": ("DeleteSnapshot", "SnapshotId", "delete the snapshot"),
}
Made = dict[str, tuple[str, ...]]


def discard(steps: Steps, world: World, request: DiscardRequest) -> DiscardResult:
    """Take away what a run made. Guarantee: nothing goes but what carries its tag, throughout."""
    run_id = request.run_id
    made = steps.read("look at what the run made", made_by, world, run_id)
    if not any(made.values()):
        raise PreconditionFailed(f"nothing of {run_id} is left. Nothing was changed.")
    ask_first(steps, world, plan_discard(made, run_id))
    removed: list[str] = []
    for kind in KINDS:
        if made[kind]:
            name = f"take away the {kind}s it made"
            removed += steps.do(name, take_away, world, kind, {one: one for one in made[kind]}, run_id)
    return DiscardResult(run_id, tuple(removed))


def made_by(world: World, run_id: str) -> Made:
    """Return the ids of what carries a run's tag, by kind.

    Raises:
        PreconditionFailed: the run still works on a member.
    """
    for one in world.cloud.instances(TAG_GUARANTEE):
        if f"run={run_id} " in one.tags[TAG_GUARANTEE]:
            raise PreconditionFailed(
                f"{run_id} has not given {one.id} back yet. Resume it (nospof runs resume {run_id}), or have "
                "that done for it first: nospof runs repair --yes. Nothing was changed."
            )
    return {kind: tuple(sorted(MADE_BY[kind](world.cloud, run_id))) for kind in KINDS}


def plan_discard(made: Made, run_id: str) -> Plan:
    """Return the calls that take these things away."""
    calls = [
        PlannedCall("ec2", operation, {name: [one] if name.endswith("s") else one}, f"{says} {one}")
        for kind in KINDS
        for operation, name, says in (CALLS[kind],)
        for one in made[kind]
    ]
    return Plan("discard", f"take away what {run_id} made", "nothing else goes", tuple(calls))
