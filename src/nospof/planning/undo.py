"""Decide how what a run made is taken apart, or why it must not be.

Pure: facts in, a plan or `PreconditionFailed` out. Only what carries the run's tag is taken away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nospof.errors import PreconditionFailed
from nospof.model.cloud import (
    TAG_GUARANTEE,
    TAG_SERVICE,
    TAG_STATE,
    Image,
    Seat,
    Snapshot,
    Tags,
    TargetGroup,
)
from nospof.model.layout import TAG_DATA
from nospof.model.mounting import TAG_EFS
from nospof.model.plans import Plan, PlannedCall
from nospof.model.requests import UndoRequest
from nospof.model.sharing import TAG_FILES
from nospof.planning.clone import refuse_what_another_run_holds
from nospof.planning.data import told_call
from nospof.planning.members import member_call
from nospof.planning.undo_rules import (
    Opening,
    UndoFacts,
    left_alone,
    refuse_a_source_that_does_not_serve,
    refuse_to_lose_data,
    refuse_to_lose_files,
    refuse_to_lose_mounted_files,
    refuse_what_others_rely_on,
    refuse_where_nothing_is_left,
)


@dataclass(frozen=True)
class UndoPlan:
    """What goes, in the order of the calls, and what stays.

    `serving` are the groups through which clients may come now, `leaving` the seats of everybody but the
    source in them. `needs_consent` means that clients may still come in through the balancer.
    """

    serving: tuple[TargetGroup, ...]
    leaving: tuple[Seat, ...]
    images: tuple[Image, ...]
    snapshots: tuple[Snapshot, ...]
    placement_groups: tuple[str, ...]
    left_alone: tuple[str, ...]
    needs_consent: bool
    plan: Plan


def plan_undo(facts: UndoFacts, request: UndoRequest, token: str) -> UndoPlan:
    """Return the plan.

    Raises:
        PreconditionFailed: it must not be undone like this, or nothing of it is left.
    """
    refuse_where_nothing_is_left(facts, request)
    refuse_what_another_run_holds(facts.source, token)
    refuse_a_source_that_does_not_serve(facts, request)
    refuse_to_lose_data(facts)
    refuse_to_lose_files(facts)
    refuse_to_lose_mounted_files(facts)
    refuse_what_others_rely_on(facts, request)
    serving = tuple(group for group in facts.groups if group.balancer_arns)
    names = {group.arn for group in serving}
    ours = (one for one in facts.members if one.group_arn in names and one.target_id != facts.source.id)
    leaving = (*facts.seats, *ours)
    is_kept = bool(facts.image_users)
    images, snapshots = ((), ()) if is_kept else (facts.images, facts.snapshots)
    empty = tuple(
        group.name for group in facts.placement_groups if group.name != facts.source.placement_group
    )
    left = left_alone(facts)
    needs_consent = bool(facts.listeners)
    calls = (
        *entry_calls(facts, serving, leaving, token),
        *mark_calls(facts, request),
        *copy_calls(facts, images, snapshots, empty),
        untag_call(facts.source.id, (TAG_GUARANTEE,), "release the promise"),
    )
    return UndoPlan(
        serving=serving,
        leaving=leaving,
        images=images,
        snapshots=snapshots,
        placement_groups=empty,
        left_alone=left,
        needs_consent=needs_consent,
        plan=Plan(
            procedure="undo",
            says=f"take apart what {request.run_id} made, back to {facts.source.id} alone",
            guarantee=f"{facts.source.id} serves throughout; only what carries the run's tag goes",
            calls=calls,
            warnings=(*warnings_of(facts, request, needs_consent), *(f"stays: {one}" for one in left)),
            details={"run": request.run_id, "source": facts.source.id},
        ),
    )


def refuse_without_consent(plan: UndoPlan, facts: UndoFacts, request: UndoRequest) -> None:
    """Refuse to take away a way in that clients may still use, whatever anybody says of it."""
    if facts.names:
        how = f" (nospof runs undo {request.moved_by})" if request.moved_by else ""
        raise PreconditionFailed(
            f"{', '.join(facts.names)} in Route 53 lead to the load balancer, which goes. Point them back at "
            f"{facts.source.id} first{how}, and wait until the old answers have expired. Nothing was changed."
        )
    if plan.needs_consent and not request.clients_are_back:
        ways = ", ".join(dict.fromkeys(balancer.dns_name for balancer in facts.balancers))
        raise PreconditionFailed(
            f"clients may come in through {ways}, which goes. Point their names back at {facts.source.id}, "
            "wait until the old answers have expired everywhere, and say so with --clients-are-back. "
            "Nothing was changed."
        )


def warnings_of(facts: UndoFacts, request: UndoRequest, needs_consent: bool) -> tuple[str, ...]:
    """Return what the operator should know before saying yes."""
    warnings = []
    if needs_consent and not request.clients_are_back:
        ways = ", ".join(balancer.dns_name for balancer in facts.balancers)
        warnings.append(
            f"clients that still come in through {ways} will reach nobody; it is done only with your word "
            "that they are back at the source: --clients-are-back"
        )
    if facts.names:
        warnings.append(
            f"{', '.join(facts.names)} in Route 53 lead to the load balancer; it is not done while they do"
        )
    if facts.names_unread:
        warnings.append(f"not checked: which names lead to the load balancer ({facts.names_unread})")
    if facts.twins:
        lost = ", ".join(twin.id for twin in facts.twins)
        warnings.append(f"what is on the disks of {lost} and nowhere else is lost")
        warnings.append(f"an Elastic IP or a name that leads to {lost} leads nowhere afterwards")
    if facts.images and not facts.image_users:
        warnings.append(
            f"a launch template that names {', '.join(image.id for image in facts.images)} launches nothing "
            "afterwards"
        )
    if not facts.answer.is_good:
        warnings.append(f"not checked: {facts.answer.url} could not be asked from here ({facts.answer.says})")
    return tuple(warnings)


def entry_calls(
    facts: UndoFacts, serving: tuple[TargetGroup, ...], leaving: tuple[Seat, ...], token: str
) -> tuple[PlannedCall, ...]:
    """Return the writes that leave the source serving and take the way in apart, in order."""
    source = facts.source.id
    calls = [
        PlannedCall(
            "ec2",
            "CreateTags",
            {"Resources": [source], "Tags": [{"Key": TAG_GUARANTEE, "Value": token}]},
            f"promise on {source} itself that it stays on",
        )
    ]
    calls += [
        member_call(
            Seat(group.arn, group.name, group.port, source),
            f"have {source} serve in {group.name}, and wait until it is healthy there",
            joins=True,
            tags={},
        )
        for group in serving
    ]
    calls += [
        member_call(one, f"drain {one.target_id} out of {one.group_name}", joins=False, tags={})
        for one in leaving
    ]
    calls += [
        member_call(
            one,
            f"put {one.target_id} back into {one.group_name}, should nobody else be healthy there by then",
            joins=True,
            tags={},
        )
        for one in facts.seats
    ]
    calls += [
        balancing_call(
            "DeleteLoadBalancer",
            {"LoadBalancerArn": balancer.arn},
            f"delete the load balancer {balancer.name} with its listeners",
            balancer.tags,
        )
        for balancer in facts.balancers
    ]
    calls += [
        balancing_call(
            "DeleteTargetGroup",
            {"TargetGroupArn": group.arn},
            f"delete the target group {group.name}",
            group.tags,
        )
        for group in facts.groups
    ]
    calls += files_calls(facts)
    calls += mounts_calls(facts)
    calls += data_calls(facts)
    calls += [revoke_call(opening) for opening in facts.openings]
    return tuple(calls)


def data_calls(facts: UndoFacts) -> tuple[PlannedCall, ...]:
    """Return the writes that give the source its plain database back."""
    if facts.data is None:
        return ()
    source = facts.source.id
    return (
        told_call(source, f"give {source} its plain database back, with all that was written since"),
        untag_call(source, (TAG_DATA,), "take off the mark of what kept its data"),
    )


def files_calls(facts: UndoFacts) -> tuple[PlannedCall, ...]:
    """Return the writes that leave the files to the source."""
    if facts.files is None:
        return ()
    source, known = facts.source.id, facts.sharing.members if facts.sharing else ()
    others = [one.instance_id for one in known if one.instance_id not in (source, *facts.files_gone)]
    return (
        *(told_call(one, f"bring what {one} was given to {source}") for one in others),
        *(told_call(one, f"have {one} share nothing any more") for one in (*others, source)),
        *(
            untag_call(one, (TAG_FILES,), "take off the mark of what kept its files")
            for one in (*others, source)
        ),
    )


def mounts_calls(facts: UndoFacts) -> tuple[PlannedCall, ...]:
    """Return the writes that bring files home from EFS; what is there stays there."""
    if facts.mounts is None:
        return ()
    homes = (*facts.mounts_staying, facts.source.id)
    return (
        *(told_call(one, f"have {one} write to EFS no more") for one in facts.mounts_leaving),
        *(
            call
            for one in homes
            for call in (
                told_call(one, f"copy what is on EFS to the disk of {one}, while it serves"),
                told_call(one, "refuse writes there, copy the rest, compare, and put it in its place"),
                untag_call(one, (TAG_EFS,), "take off the mark of where its files are"),
            )
        ),
    )


def balancing_call(
    operation: str, parameters: dict[str, object], says: str, tags: Tags | None = None
) -> PlannedCall:
    """Return a write of Elastic Load Balancing, on what carries these tags."""
    return PlannedCall("elbv2", operation, parameters, says, tags=tags or {})


def revoke_call(opening: Opening) -> PlannedCall:
    """Return the write that takes a rule away."""
    rule = opening.rule
    permission = {
        "IpProtocol": "tcp",
        "FromPort": rule.port,
        "ToPort": rule.port,
        "UserIdGroupPairs": [{"GroupId": rule.from_group}],
    }
    return PlannedCall(
        "ec2",
        "RevokeSecurityGroupIngress",
        {"GroupId": opening.group_id, "IpPermissions": [permission]},
        f"no longer let members of {opening.group_id} reach each other's port {rule.port}"
        if opening.is_among_members
        else f"no longer let the balancer reach port {rule.port} of {opening.group_id}",
    )


def mark_calls(facts: UndoFacts, request: UndoRequest) -> tuple[PlannedCall, ...]:
    """Return the writes that give the members the marks they had before."""
    kept, dropped = marks_before(request)
    pairs = [{"Key": key, "Value": value} for key, value in kept.items()]
    calls: list[PlannedCall] = []
    for member in facts.marked:
        if dropped:
            calls.append(untag_call(member, dropped, f"take the marks of {request.service} off {member}"))
        if kept:
            says = f"give {member} back the marks it had"
            calls.append(PlannedCall("ec2", "CreateTags", {"Resources": [member], "Tags": pairs}, says))
    return tuple(calls)


def marks_before(request: UndoRequest) -> tuple[Tags, tuple[str, ...]]:
    """Return the marks the members had before the run, and those they had not."""
    before = {TAG_SERVICE: request.service_before, TAG_STATE: request.state_before}
    return {key: value for key, value in before.items() if value}, tuple(
        k for k, v in before.items() if not v
    )


def untag_call(instance_id: str, keys: tuple[str, ...], says: str) -> PlannedCall:
    """Return the write that takes tags off."""
    tags = [{"Key": key} for key in keys]
    return PlannedCall("ec2", "DeleteTags", {"Resources": [instance_id], "Tags": tags}, says)


def copy_calls(
    facts: UndoFacts,
    images: tuple[Image, ...],
    snapshots: tuple[Snapshot, ...],
    placement_groups: tuple[str, ...],
) -> tuple[PlannedCall, ...]:
    """Return the writes that take the copies of the source away, in order.

    The balancer's security group comes last: the balancer's interfaces outlive it by minutes.
    """
    let_go = (
        (
            "ModifyInstanceAttribute",
            {"InstanceId": twin_id, "DisableApiTermination": {"Value": False}},
            f"let {twin_id} be terminated: it has its protection from {facts.source.id}, which keeps its own",
        )
        for twin_id in facts.protected
    )
    terminated = (
        ("TerminateInstances", {"InstanceIds": [twin.id]}, f"terminate {twin.id} with its disks")
        for twin in facts.twins
    )
    deregistered = (
        ("DeregisterImage", {"ImageId": image.id}, f"deregister the image {image.id}") for image in images
    )
    deleted = (
        ("DeleteSnapshot", {"SnapshotId": one.id}, f"delete the snapshot {one.id}") for one in snapshots
    )
    emptied = (
        ("DeletePlacementGroup", {"GroupName": name}, f"delete the placement group {name}")
        for name in placement_groups
    )
    guards = (
        ("DeleteSecurityGroup", {"GroupId": guard.id}, f"delete the security group {guard.name} ({guard.id})")
        for guard in facts.guards
    )
    asked: tuple[tuple[str, dict[str, Any], str], ...] = (
        *let_go,
        *terminated,
        *deregistered,
        *deleted,
        *emptied,
        *guards,
    )
    return tuple(PlannedCall("ec2", operation, parameters, says) for operation, parameters, says in asked)
