"""Decide whether the cloud can be asked to start an instance by itself, later, and with which calls.

The schedule has no tags (only groups of them have), so its name carries the run, and the guarantee on the
instance says that there is one: whoever releases the guarantee deletes it. A group for each run would be a
second thing to make and to take away, and AWS takes its time to delete one.
"""

from __future__ import annotations

from nospof.errors import UsageError
from nospof.model.plans import PlannedCall
from nospof.model.starts import SCHEDULER, DeadMan
from nospof.planning.concerns import Concern, SourceFacts

LEAST_SECONDS, MOST_SECONDS = 300, 86_400
"""Less than five minutes and AWS would start what is only slow to stop; AWS keeps the time to a minute."""
ROLE = "nospof-dead-man"
"""The role that is looked for where none is named."""
TRUST = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",'
    f'"Principal":{{"Service":"{SCHEDULER}"}}}}}}'
)


def start_name(run_id: str) -> str:
    """Return the name, and so the identity, of the start that a run asks the cloud for."""
    return f"nospof-{run_id}"


def refuse_a_time_that_makes_no_sense(seconds: int) -> None:
    """Refuse a start that would come into the run's own way, or so late that nobody expects it."""
    if seconds and not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise UsageError(
            f"--dead-man {seconds}s is not from {LEAST_SECONDS // 60}m to {MOST_SECONDS // 3600}h: "
            "sooner the cloud would start what is still being stopped for its image"
        )


def dead_man_of(facts: SourceFacts, seconds: int) -> DeadMan | None:
    """Return what the run asks the cloud for; None where it turns nothing off, or nobody asked for it."""
    if not seconds or facts.source.state != "running" or facts.starter is None:
        return None
    return DeadMan(seconds, facts.starter.arn)


def starter(facts: SourceFacts) -> Concern | None:
    """The role as which the cloud starts it must be there, and the scheduler must be let take it."""
    role = facts.starter
    if role is None:
        return None
    name = role.arn.rpartition("/")[2]
    if role.unread:
        return Concern("not checked", f"whether {role.arn} can start it ({role.unread})")
    if not role.is_there:
        return Concern(
            "refused",
            f"there is no role {name} as which AWS could start {facts.source.id}. Make it: aws iam "
            f"create-role --role-name {name} --assume-role-policy-document '{TRUST}' && aws iam "
            f"put-role-policy --role-name {name} --policy-name start --policy-document "
            '"$(nospof permissions dead-man-role --format json)"',
        )
    if SCHEDULER not in role.trusts:
        return Concern(
            "refused",
            f"the role {name} does not let {SCHEDULER} take it, so AWS could not start {facts.source.id}. "
            f"Let it: aws iam update-assume-role-policy --role-name {name} --policy-document '{TRUST}'",
        )
    return None


def with_dead_man(
    calls: tuple[PlannedCall, ...], dead_man: DeadMan | None, instance_id: str, token: str
) -> tuple[PlannedCall, ...]:
    """Return the writes of a plan with those that have the cloud start the instance, should nobody else."""
    if dead_man is None:
        return calls
    promised = next(at for at, call in enumerate(calls) if call.operation == "CreateTags") + 1
    released = next(at for at, call in enumerate(calls) if call.operation == "DeleteTags")
    name, role = start_name(token), dead_man.role_arn
    later = f"{dead_man.seconds / 60:g} min"

    def schedule(operation: str, says: str) -> PlannedCall:
        return PlannedCall("scheduler", operation, {"Name": name}, says, on=(f"schedule/default/{name}",))

    given = {"RoleArn": role, "PassedToService": SCHEDULER}
    return (
        *calls[:promised],
        PlannedCall("iam", "PassRole", given, f"let AWS start it as {role}"),
        schedule(
            "CreateSchedule", f"have AWS itself start {instance_id} {later} later, whatever became of nospof"
        ),
        schedule("UpdateSchedule", f"move that start ahead while nospof works, {later} at most"),
        *calls[promised:released],
        schedule("DeleteSchedule", "take that start back"),
        *calls[released:],
    )


def dead_man_looks(dead_man: DeadMan | None, instance_id: str) -> tuple[PlannedCall, ...]:
    """Return what the role must be allowed, for IAM to be asked about it."""
    if dead_man is None:
        return ()
    says = f"AWS starts {instance_id} as {dead_man.role_arn}"
    start = {"InstanceIds": [instance_id]}
    on = (f"instance/{instance_id}",)
    return (PlannedCall("ec2", "StartInstances", start, says, on=on, by=dead_man.role_arn),)
