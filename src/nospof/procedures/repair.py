"""Repair: find what runs left wrong by looking at the world, and mend what is safe to mend.

No journal is needed: what a run did stands on what it did it to. Safe is to bring an instance back and
to put a member back where it belongs. Nothing is taken away here; the command that would is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from nospof.errors import CloudError
from nospof.model.backups import TAG_TAKEN
from nospof.model.cloud import (
    TAG_DRAINED,
    TAG_GUARANTEE,
    TAG_RUN,
    TAG_SERVICE,
    Instance,
    Tags,
    Target,
    TargetGroup,
)
from nospof.model.maintaining import TAG_BACK
from nospof.model.results import Trouble
from nospof.model.runs import RunState
from nospof.ports.cloud import Cloud
from nospof.ports.world import World
from nospof.procedures.guarantee import Claim, keep_one, parse_guarantee
from nospof.procedures.membership import register
from nospof.procedures.names_left import names_left

REPAIR = "nospof runs repair --yes"
TAKES_AWAY = {
    "load balancer": "aws elbv2 delete-load-balancer --load-balancer-arn {}",
    "target group": "aws elbv2 delete-target-group --target-group-arn {}",
    "instance": "aws ec2 terminate-instances --instance-ids {}",
    "image": "aws ec2 deregister-image --image-id {}",
    "snapshot": "aws ec2 delete-snapshot --snapshot-id {}",
    "placement group": "aws ec2 delete-placement-group --group-name {}",
    "security group": "aws ec2 delete-security-group --group-id {}",
}
"""What a run makes, in the order in which it can be taken away, and how."""


def find_troubles(
    world: World,
    states: Mapping[str, RunState],
    claim: Claim,
    *,
    mends: bool,
    undoing: Mapping[str, str] | None = None,
) -> tuple[Trouble, ...]:
    """Return what is wrong, and what was done about it.

    Args:
        states: of the runs that a journal knows; runs it does not know may be another machine's.
        claim: tells whether a run lives.
        mends: whether what is safe is mended.
        undoing: the undo that has begun to take a run apart and has not ended, by that run.
    """
    members, half = Members(world), undoing or {}
    # What is half taken apart does not agree with itself yet, as what is half made.
    known: dict[str, RunState] = {**states, **dict.fromkeys(half, "interrupted")}
    disagree = disagreements(world, members, known, claim, half)
    seen = (*disagree, *leftovers(world.cloud, known, claim, half))
    return (
        *unkept(world, claim, mends=mends),
        *taken_out(world, members, claim, mends=mends),
        *seen,
        *names_left(world, states, partial(lives, claim)),
    )


def lives(claim: Claim, run_id: str) -> bool:
    """Whether a process of this machine works on a run now."""
    with claim(run_id) as is_ours:
        return is_ours is False


def may_live(world: World, instance: Instance, claim: Claim) -> bool:
    """Whether the run that has promised something of an instance lives, or may live on another machine."""
    if TAG_GUARANTEE not in instance.tags:
        return False
    guarantee = parse_guarantee(instance.tags[TAG_GUARANTEE])
    with claim(guarantee.run_id) as is_ours:
        return is_ours is False or (is_ours is None and world.clock.now() < guarantee.deadline)


# Instances that should be on ---------------------------------------------------------------------


def unkept(world: World, claim: Claim, *, mends: bool) -> Iterator[Trouble]:
    """Yield the guarantees that nobody alive will keep."""
    for instance in world.cloud.instances(tag=TAG_GUARANTEE):
        if may_live(world, instance, claim):
            continue
        guarantee = parse_guarantee(instance.tags[TAG_GUARANTEE])
        yield Trouble(
            f"{instance.id} is {instance.state}, and {guarantee.run_id or 'a run'}, which is not alive, "
            "promised that it runs",
            "nospof runs keep",
            keep_one(world, instance, claim) if mends else "",
        )


# Members of services -----------------------------------------------------------------------------


class Members:
    """Who is in which target group, each group read once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._targets: dict[str, tuple[Target, ...]] = {}
        self.groups = world.cloud.target_groups()

    def of(self, group: TargetGroup) -> tuple[Target, ...]:
        """Return who is in a group and not on the way out of it."""
        if group.arn not in self._targets:
            self._targets[group.arn] = self._world.cloud.targets(group.arn)
        return tuple(one for one in self._targets[group.arn] if one.state != "draining")

    def has(self, group: TargetGroup, instance: Instance, port: int) -> bool:
        """Whether an instance has a seat in a group."""
        seat = (group.target_id(instance), port)
        return any((one.instance_id, one.port) == seat for one in self.of(group))


def taken_out(world: World, members: Members, claim: Claim, *, mends: bool) -> Iterator[Trouble]:
    """Yield the members that a run took out of service and did not put back."""
    groups = {group.name: group for group in members.groups}
    for instance in world.cloud.instances(tag=TAG_DRAINED):
        if may_live(world, instance, claim):
            continue
        seats = [seat.rpartition(":") for seat in instance.tags[TAG_DRAINED].split()]
        missing = [
            (groups[name], int(port))
            for name, _, port in seats
            if name in groups and port.isdigit() and not members.has(groups[name], instance, int(port))
        ]
        found = [take_back(world, instance, group, port, mends=mends) for group, port in missing]
        yield from found
        if mends and all(one.done for one in found):
            world.cloud.untag(instance.id, (TAG_DRAINED,))


def take_back(world: World, instance: Instance, group: TargetGroup, port: int, *, mends: bool) -> Trouble:
    """Return that a member is missing, put back if asked; it gets no request before it is healthy there."""
    says, done = f"{instance.id} was taken out of {group.name} and not put back", ""
    try:
        if mends:
            register(world, group.arn, group.target_id(instance), port)
            done = f"{instance.id} is in {group.name} again, and gets requests once it is healthy there"
    except CloudError as error:
        says += f", and cannot be now: {error}"
    return Trouble(says, REPAIR, done)


def disagreements(
    world: World,
    members: Members,
    states: Mapping[str, RunState],
    claim: Claim,
    undoing: Mapping[str, str],
) -> Iterator[Trouble]:
    """Yield where the marks of a service and its target groups name different members (C77).

    A pair that is being made, or was left half-made, has members without marks: that is told elsewhere.
    """
    marked = {one.id: one for one in world.cloud.instances(tag=TAG_SERVICE)}
    served: dict[str, set[str]] = {}
    for group in members.groups:
        service, run = group.tags.get(TAG_SERVICE, ""), group.tags.get(TAG_RUN, "")
        if not service:
            continue
        inside = {one.instance_id for one in members.of(group)}
        served.setdefault(service, set()).update(inside)
        if states.get(run, "done") != "done" or lives(claim, run):
            continue
        for instance_id in sorted(inside):
            if instance_id not in marked or marked[instance_id].tags[TAG_SERVICE] != service:
                yield Trouble(
                    f"{instance_id} serves in {group.name} and is not marked as a member of {service}",
                    f"aws ec2 create-tags --resources {instance_id} --tags Key={TAG_SERVICE},Value={service}",
                )
    for instance in marked.values():
        service = instance.tags[TAG_SERVICE]
        is_out = service in served and instance.id not in served[service]
        is_half = TAG_DRAINED in instance.tags or instance.tags.get(TAG_RUN) in undoing
        if is_out and not is_half:
            yield Trouble(
                f"{instance.id} is marked as a member of {service} and serves in none of its target groups",
                f"aws ec2 delete-tags --resources {instance.id} --tags Key={TAG_SERVICE}",
            )


# What was made -----------------------------------------------------------------------------------


def made(cloud: Cloud) -> dict[str, dict[str, list[str]]]:
    """Return all that runs made: by run, by kind, the ids."""
    found: dict[str, dict[str, list[str]]] = {}
    tagged: tuple[tuple[str, list[tuple[str, Tags]]], ...] = (
        ("load balancer", [(one.arn, one.tags) for one in cloud.load_balancers()]),
        ("target group", [(one.arn, one.tags) for one in cloud.target_groups()]),
        ("instance", [(one.id, one.tags) for one in cloud.instances(TAG_RUN)]),
        # A backup is not what is left of its run: it is what that was for.
        ("image", [(one.id, one.tags) for one in cloud.images(TAG_RUN) if TAG_TAKEN not in one.tags]),
        ("snapshot", [(one.id, one.tags) for one in cloud.snapshots(TAG_RUN) if TAG_TAKEN not in one.tags]),
        ("placement group", [(one.name, one.tags) for one in cloud.placement_groups()]),
        ("security group", [(one.id, one.tags) for one in cloud.security_groups(TAG_RUN)]),
    )
    for kind, things in tagged:
        for thing, tags in things:
            if TAG_RUN in tags:
                found.setdefault(tags[TAG_RUN], {}).setdefault(kind, []).append(thing)
    return found


def leftovers(
    cloud: Cloud, states: Mapping[str, RunState], claim: Claim, undoing: Mapping[str, str]
) -> Iterator[Trouble]:
    """Yield what runs made and nobody goes on with, run by run (C108), and what is half taken apart."""
    found, kept = made(cloud), {one.tags.get(TAG_RUN) for one in cloud.images(TAG_BACK)}
    for run_id in sorted({*found, *undoing}):
        things, state = found.get(run_id, {}), states.get(run_id)
        if state == "running" or lives(claim, run_id):
            continue
        listed = "; ".join(f"{kind} {', '.join(ids)}" for kind, ids in things.items())
        undo = undoing.get(run_id)
        if undo:
            yield Trouble(
                f"{undo} has begun to take {run_id} apart and is {states[undo]}; of what that made is left: "
                f"{listed or 'nothing'}",
                f"nospof runs resume {undo}",
            )
        elif state in ("failed", "interrupted", "elsewhere"):
            back = "maintain back" if run_id in kept else "runs undo"
            yield Trouble(
                f"{run_id} is {state} and has made: {listed}",
                f"nospof runs resume {run_id}, or nospof {back} {run_id}",
            )
        elif state is None:
            commands = " && ".join(
                template.format(thing)
                for kind, template in TAKES_AWAY.items()
                for thing in things.get(kind, ())
            )
            back = (
                f"nospof maintain back {run_id}"
                if run_id in kept
                else f"nospof runs undo {run_id} on the machine that began it"
            )
            yield Trouble(
                f"{run_id}, which this machine does not know, has made: {listed}",
                f"{back}, or when nobody uses it: {commands}",
            )
        # Images to go back to are kept on purpose.
        elif run_id not in kept and not {"instance", "load balancer", "target group"} & set(things):
            yield Trouble(
                f"{run_id} is {state}, and of what it made is left: {listed}", f"nospof runs undo {run_id}"
            )
