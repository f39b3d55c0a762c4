"""Which processes of an Auto Scaling group must not act while one of its members is off, and the calls.

Suspended, and not moved into Standby: EnterStandby that lowers the desired capacity is refused at the
group's minimum, which is where a service on one instance is, and one that does not lower it has the group
launch a stranger from its template into the same balancer. Suspended processes do for a group of any size;
the price is that no other member is replaced meanwhile, which is why it takes a consent. A member that its
owner has put into Standby needs nothing: no process acts on it.
"""

from __future__ import annotations

from nospof.model.auto_scaling import HEALTHY, IN_SERVICE, STANDBY, AutoScalingGroup
from nospof.model.cloud import Target
from nospof.model.plans import PlannedCall
from nospof.planning.concerns import CONSENTS, Concern, SourceFacts, some

CHECK, REPLACE = "HealthCheck", "ReplaceUnhealthy"
PROCESSES = (CHECK, "AZRebalance", "Terminate", REPLACE)
"""HealthCheck marks what is off, ReplaceUnhealthy ends what is marked. Terminate carries out what would
choose it for another reason: scaling in, an instance refresh, the longest life. AZRebalance goes with it:
without Terminate it only launches (Auto Scaling user guide, "How suspended processes affect others").

In the order in which they are resumed: what replaces comes last, once the mark is known to be good."""


def to_suspend(group: AutoScalingGroup, instance_id: str) -> tuple[str, ...]:
    """Return the processes that would act on this member once it is off: those that are not suspended yet."""
    member = group.member(instance_id)
    if member is None or member.lifecycle == STANDBY:
        return ()
    return tuple(one for one in PROCESSES if one not in group.suspended)


def is_left_alone(group: AutoScalingGroup, instance_id: str) -> bool:
    """Whether no process acts on a member, for its owner has seen to that."""
    member = group.member(instance_id)
    return member is not None and (
        member.lifecycle == STANDBY or (member.lifecycle == IN_SERVICE and not to_suspend(group, instance_id))
    )


def auto_scaling(facts: SourceFacts) -> Concern | None:
    """An Auto Scaling group terminates a member that is off (C01)."""
    name, source, group = facts.auto_scaling_group, facts.source, facts.scaling
    if not name or (group and is_left_alone(group, source.id)):
        return None
    says = (
        f"{source.id} belongs to the Auto Scaling group {name}, which would terminate it once it is stopped"
    )
    instead = (
        f"Put it in standby first: aws autoscaling enter-standby --instance-ids {source.id} "
        f"--auto-scaling-group-name {name} --should-decrement-desired-capacity"
    )
    if group is None or source.state != "running":
        return Concern("refused", f"{says}. {instead}")
    if why := cannot_be_kept(group, source.id, facts.seats):
        return Concern("refused", f"{source.id} belongs to the Auto Scaling group {name}, and {why}")
    return Concern(
        "consent",
        f"{says}; for that time its processes {some(to_suspend(group, source.id))} are suspended, so that it "
        "replaces no other member either",
        instead,
        CONSENTS["suspend_auto_scaling"],
    )


def cannot_be_kept(group: AutoScalingGroup, instance_id: str, seats: tuple[Target, ...]) -> str:
    """Return why suspending would not keep a member, for its group already acts on it or would afterwards."""
    member = group.member(instance_id)
    if member is None or member.lifecycle != IN_SERVICE:
        return f"is {member.lifecycle if member else 'on its way out'} there: wait until it is {IN_SERVICE}"
    if REPLACE in group.suspended:
        return ""
    if member.health != HEALTHY:
        return f"is marked {member.health} there: it is about to be replaced"
    if CHECK in group.suspended:
        return ""
    unseen = [*group.classic_balancers] if "ELB" in group.checks else []
    unseen += [one for one in group.checks if one == "VPC_LATTICE"]
    if unseen:
        return (
            f"its health there rests on {some(unseen)}, which nospof cannot ask: nobody would know when the "
            "group may act again. Suspend its HealthCheck yourself first"
        )
    sick = [one for one in seats if "ELB" in group.checks and not is_well(one)]
    if sick:
        return (
            f"its balancer finds it {sick[0].state} ({sick[0].reason or 'no reason is given'}): the group is "
            "about to replace it"
        )
    return ""


def is_well(seat: Target) -> bool:
    """Whether a balancer has nothing against a member: one that no balancer asks for has not either."""
    return seat.is_healthy or seat.reason == "Target.NotInUse"


def suspend_call(group: AutoScalingGroup, processes: tuple[str, ...]) -> PlannedCall:
    """Return the write that keeps a group from acting."""
    return PlannedCall(
        "autoscaling",
        "SuspendProcesses",
        {"AutoScalingGroupName": group.name, "ScalingProcesses": list(processes)},
        f"have {group.name} neither check nor replace nor end members for that time",
        on=(resource(group),),
    )


def resume_calls(
    group: AutoScalingGroup, instance_id: str, processes: tuple[str, ...]
) -> tuple[PlannedCall, ...]:
    """Return the writes that let a group act again, once the member is healthy."""
    return (
        PlannedCall(
            "autoscaling",
            "SetInstanceHealth",
            {"InstanceId": instance_id, "HealthStatus": HEALTHY, "ShouldRespectGracePeriod": False},
            f"take back what {group.name} may have noted while {instance_id} was off",
            on=(resource(group),),
        ),
        PlannedCall(
            "autoscaling",
            "ResumeProcesses",
            {"AutoScalingGroupName": group.name, "ScalingProcesses": list(processes)},
            f"let {group.name} act again, {REPLACE} last",
            on=(resource(group),),
        ),
    )


def with_auto_scaling(
    calls: tuple[PlannedCall, ...], group: AutoScalingGroup, instance_id: str, processes: tuple[str, ...]
) -> tuple[PlannedCall, ...]:
    """Return the writes of a plan with those that keep a group from acting around the minute off."""
    stop, released = (
        next(at for at, call in enumerate(calls) if call.operation == name)
        for name in ("StopInstances", "DeleteTags")
    )
    return (
        *calls[:stop],
        suspend_call(group, processes),
        *calls[stop:released],
        *resume_calls(group, instance_id, processes),
        *calls[released:],
    )


def resource(group: AutoScalingGroup) -> str:
    """Return the end of a group's ARN, by which a policy may hold a caller to it."""
    return group.arn.split(":", 5)[-1]
