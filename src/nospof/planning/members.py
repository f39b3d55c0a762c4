"""The writes of procedures that turn a member off and on, for the cloud to be asked about them."""

from __future__ import annotations

from collections.abc import Sequence

from nospof.model.cloud import TAG_GUARANTEE, TAG_SERVICE, TAG_STATE, Seat, Tags, classic_name
from nospof.model.plans import Plan, PlannedCall
from nospof.model.starts import DeadMan
from nospof.planning.dead_man import dead_man_looks, with_dead_man

AFTERWARDS = (PlannedCall("ec2", "DescribeInstanceStatus", {}, "see whether the status checks pass"),)
COMES_BACK = "the member runs and serves again when this ends"


def marks_of(service: str, *, is_kept: bool) -> Tags:
    """Return the marks of a service's members; `is_kept`: they keep data, and keep it in step."""
    return {TAG_SERVICE: service} if is_kept else {TAG_SERVICE: service, TAG_STATE: "none"}


def power_calls(instance_id: str, token: str) -> tuple[PlannedCall, ...]:
    """Return the writes around an instance that is turned off and on: promise, stop, start, release."""
    one = {"InstanceIds": [instance_id]}
    mark = {"Resources": [instance_id]}
    return (
        PlannedCall(
            "ec2",
            "CreateTags",
            {**mark, "Tags": [{"Key": TAG_GUARANTEE, "Value": token}]},
            f"promise on {instance_id} itself that it comes back on",
        ),
        PlannedCall("ec2", "StopInstances", one, f"stop {instance_id}"),
        PlannedCall("ec2", "StartInstances", one, f"start {instance_id} again"),
        PlannedCall(
            "ec2", "DeleteTags", {**mark, "Tags": [{"Key": TAG_GUARANTEE}]}, "release the promise at the end"
        ),
    )


def member_call(
    seat: Seat, says: str, placeholders: tuple[str, ...] = (), *, joins: bool, tags: Tags
) -> PlannedCall:
    """Return the write that puts a member into a group, or drains it out of it.

    Args:
        placeholders: "Targets" where the member is not there yet.
        tags: the group's.
    """
    name = classic_name(seat.group_arn)
    if name:
        return PlannedCall(
            "elb",
            "RegisterInstancesWithLoadBalancer" if joins else "DeregisterInstancesFromLoadBalancer",
            {"LoadBalancerName": name, "Instances": [{"InstanceId": seat.target_id}]},
            says,
            tuple("Instances" if one == "Targets" else one for one in placeholders),
            on=(f"loadbalancer/{name}",),
            tags=tags,
        )
    return PlannedCall(
        "elbv2",
        "RegisterTargets" if joins else "DeregisterTargets",
        {"TargetGroupArn": seat.group_arn, "Targets": [{"Id": seat.target_id, "Port": seat.port}]},
        says,
        placeholders,
        tags=tags,
    )


def plan_take(
    instance_id: str, groups: Sequence[tuple[Seat, Tags]], token: str, dead_man: DeadMan | None = None
) -> Plan:
    """Return what a member's maintenance will write.

    Args:
        instance_id: the member.
        groups: where it serves, with the tags of each group.
        token: the run's id.
        dead_man: what the cloud is asked to do where nobody comes back; None for nothing.
    """
    promise, stop, start, release = power_calls(instance_id, token)
    calls = (
        promise,
        *(
            member_call(seat, f"drain {instance_id} out of {seat.group_name}", joins=False, tags=tags)
            for seat, tags in groups
        ),
        stop,
        start,
        *(
            member_call(seat, f"put {instance_id} back into {seat.group_name}", joins=True, tags=tags)
            for seat, tags in groups
        ),
        release,
    )
    calls = with_dead_man(calls, dead_man, instance_id, token)
    looks = (*AFTERWARDS, *dead_man_looks(dead_man, instance_id))
    return Plan("take", f"take the maintenance of {instance_id}", COMES_BACK, calls, looks=looks)


def plan_drill(instance_id: str, token: str) -> Plan:
    """Return what a drill of a member will write."""
    says = f"break {instance_id} on purpose"
    return Plan("drill", says, COMES_BACK, power_calls(instance_id, token), looks=AFTERWARDS)
