"""Decide which member is copied, which backups go, and what a backup is restored on.

Pure: facts in, a decision or `PreconditionFailed` out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.backups import MADE_BY, TAG_BACKUP, TAG_ENGINE, TAG_MEMBER, Backup
from nospof.model.cloud import (
    TAG_CONSISTENCY,
    TAG_GUARANTEE,
    TAG_RUN,
    Instance,
    LaunchRequest,
    Seat,
    SecurityGroupRequest,
    Tags,
)
from nospof.model.layout import MemberState
from nospof.model.layout import Seat as Voter
from nospof.model.plans import Plan, PlannedCall
from nospof.model.surroundings import Inside
from nospof.planning.clone import image_call, image_name_of, tag_specifications
from nospof.planning.concerns import some
from nospof.planning.members import AFTERWARDS, COMES_BACK, member_call
from nospof.planning.pair_calls import NOT_YET
from nospof.planning.twin import rehearsed

HTTPS = 443
"""All that a restored machine reaches of others: Systems Manager is there."""
ANYBODY = "0.0.0.0/0"

LOOKS = (
    PlannedCall("ec2", "DescribeSecurityGroups", {}, "see what a restored machine reaches"),
    PlannedCall("ec2", "DescribeSnapshots", {"OwnerIds": ["self"]}, "see whether the snapshots have begun"),
)


@dataclass(frozen=True)
class Setting:
    """A backup of a service, and the member that the machine it is restored on is like.

    `jobs` is what runs by itself on that member.
    """

    service: str
    backup: Backup
    member: Instance
    jobs: tuple[str, ...] = ()


def member_to_copy(
    members: Sequence[Instance], states: Sequence[tuple[Voter, MemberState]], wanted: str, service: str
) -> str:
    """Return the member that is copied: the one asked for, else one that is not written to.

    Args:
        states: of those who keep the data; empty where nobody does.

    Raises:
        UsageError: there is no such member.
    """
    ids = sorted(one.id for one in members)
    if wanted and wanted not in ids:
        raise UsageError(f"{wanted} is no member of {service}; members: {', '.join(ids) or 'none'}")
    resting = [
        seat.instance_id for seat, state in states if state.role == "replica" and seat.instance_id in ids
    ]
    return wanted or next(iter((*sorted(resting), *reversed(ids))))


def refuse_to_keep_none(keep: int) -> None:
    """Refuse to delete every backup there is."""
    if keep < 1:
        raise UsageError(f"--keep {keep} would keep no backup; keep one at least")


def refuse_jobs(inside: Sequence[str], *, is_accepted: bool) -> None:
    """Refuse to restore a machine on which things run by themselves, without their owner's word (C54)."""
    if inside and not is_accepted:
        raise PreconditionFailed(
            f"these run on the restored machine too, from its first boot and for the minutes of the test: "
            f"{some(tuple(inside))}. They find its own copy of the database, and reach others by HTTPS only. "
            "Accept that with --jobs-may-run-twice. Nothing was changed."
        )


def jobs_of(inside: Inside) -> tuple[str, ...]:
    """Return what runs by itself on a machine."""
    return inside.jobs


def backup_to_restore(backups: Sequence[Backup], wanted: str, service: str) -> Backup:
    """Return the backup that is restored: the one asked for, else the newest that can be.

    Raises:
        UsageError: there is no such backup.
        PreconditionFailed: it cannot be restored.
    """
    found = [one for one in backups if one.image_id == wanted] if wanted else newest_first(backups)
    if not found:
        there = ", ".join(one.image_id for one in newest_first(backups)) or "none; take one: nospof maintain "
        there += "" if backups else f"backup {service}"
        raise UsageError(
            f"{wanted or 'nothing'} is a backup of {service} that can be restored; there are: {there}"
        )
    if not found[0].is_complete:
        raise PreconditionFailed(
            f"{wanted} cannot be restored: the image is {found[0].state}, and its run "
            f"{'completed' if found[0].taken_at else 'did not complete'} it. See: nospof maintain backups "
            f"{service}. Nothing was changed."
        )
    return found[0]


def newest_first(backups: Sequence[Backup]) -> list[Backup]:
    """Return the backups that can be restored, newest first."""
    complete = [one for one in backups if one.is_complete]
    return sorted(complete, key=lambda one: (one.taken_at, one.image_id), reverse=True)


def too_old(backups: Sequence[Backup], keep: int) -> tuple[Backup, ...]:
    """Return the backups that go, oldest first: complete ones beyond the newest, made by `backup` itself.

    What is pending, failed, or was never completed counts for nothing, and does not go.
    """
    beyond = newest_first(backups)[keep:]
    return tuple(one for one in reversed(beyond) if one.run_id.startswith(MADE_BY))


# What will be asked ---------------------------------------------------------------------------------------


def restored_on(setting: Setting, token: str) -> LaunchRequest:
    """Return the machine that a backup is restored on, in no security group yet: as the member is."""
    member = setting.member
    return LaunchRequest(
        token=f"{token}-restored",
        image_id=setting.backup.image_id,
        type=member.type,
        subnet_id=member.subnet_id,
        profile_arn=member.profile_arn,
        tags={"Name": f"restore test of {setting.backup.image_id}", TAG_RUN: token},
        volume_tags={TAG_RUN: token},
    )


def shut_group(member: Instance, token: str) -> SecurityGroupRequest:
    """Return the security group of the machine that a backup is restored on."""
    says = "nobody reaches this machine; it is gone once a backup was tested"
    return SecurityGroupRequest(f"nospof-{token}", says, member.vpc_id, {TAG_RUN: token})


def restore_calls(setting: Setting, token: str) -> tuple[PlannedCall, ...]:
    """Return the writes of a restore test."""
    group = shut_group(setting.member, token)
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYBODY}]}
    https = {"IpProtocol": "tcp", "FromPort": HTTPS, "ToPort": HTTPS, "IpRanges": [{"CidrIp": ANYBODY}]}
    made = PlannedCall(
        "ec2",
        "CreateSecurityGroup",
        {
            "GroupName": group.name,
            "Description": group.description,
            "VpcId": group.vpc_id,
            "TagSpecifications": tag_specifications(group.tags, "security-group"),
        },
        f"make the security group {group.name}, which lets nobody in",
    )
    shut = [
        PlannedCall(
            "ec2",
            operation,
            {"GroupId": NOT_YET, "IpPermissions": [rule]},
            says,
            ("GroupId",),
            tags=group.tags,
        )
        for operation, rule, says in (
            ("AuthorizeSecurityGroupEgress", https, "let its machine reach others by HTTPS"),
            ("RevokeSecurityGroupEgress", everything, "and by nothing else"),
        )
    ]
    launch = PlannedCall(
        "ec2",
        "RunInstances",
        rehearsed(restored_on(setting, token)),
        "launch a machine from the backup",
        ("ImageId",),
    )
    # Who may do these depends on the tag of the run, which nothing carries that could be asked about yet.
    ends = [
        PlannedCall("ec2", operation, {name: value}, says, (name,), is_allowed=True)
        for operation, name, value, says in (
            ("TerminateInstances", "InstanceIds", ["i-00000000000000000"], "terminate it"),
            ("DeleteSecurityGroup", "GroupId", NOT_YET, "delete its security group"),
        )
    ]
    return (made, *shut, launch, *ends)


def deletion_calls(backups: Sequence[Backup]) -> tuple[PlannedCall, ...]:
    """Return the writes that take backups away."""
    return tuple(
        call
        for one in backups
        for call in (
            PlannedCall(
                "ec2", "DeregisterImage", {"ImageId": one.image_id}, f"take away the backup {one.image_id}"
            ),
            *(
                PlannedCall("ec2", "DeleteSnapshot", {"SnapshotId": snapshot}, f"and its snapshot {snapshot}")
                for snapshot in one.snapshot_ids
            ),
        )
    )


def plan_backup(
    instance_id: str,
    groups: Sequence[tuple[Seat, Tags]],
    token: str,
    more: Sequence[PlannedCall] = (),
) -> Plan:
    """Return what a backup of a member will write.

    Args:
        groups: where it serves, with the tags of each group.
        more: the calls of the test, and of what goes.
    """
    mark = {"Resources": [instance_id]}
    promise = {**mark, "Tags": [{"Key": TAG_GUARANTEE, "Value": token}]}
    calls = (
        PlannedCall("ec2", "CreateTags", promise, f"promise on {instance_id} itself that it comes back"),
        *(
            member_call(seat, f"drain {instance_id} out of {seat.group_name}", joins=False, tags=tags)
            for seat, tags in groups
        ),
        image_call(instance_id, image_name_of(token), token),
        *(
            member_call(seat, f"put {instance_id} back into {seat.group_name}", joins=True, tags=tags)
            for seat, tags in groups
        ),
        PlannedCall("ec2", "DeleteTags", {**mark, "Tags": [{"Key": TAG_GUARANTEE}]}, "release the promise"),
        *more,
    )
    says = f"back {instance_id} up while others serve"
    return Plan("backup", says, COMES_BACK, calls, looks=(*AFTERWARDS, *LOOKS))


def plan_restore(setting: Setting, token: str) -> Plan:
    """Return what a restore test will write."""
    return Plan(
        "test-backup",
        f"restore {setting.backup.image_id} on a machine that nobody reaches",
        "nothing of the test is left when this ends",
        restore_calls(setting, token),
        looks=(*AFTERWARDS, *LOOKS),
    )


def marks(service: str, instance_id: str, engine: str, token: str) -> Tags:
    """Return what an image of a member carries from its first moment, to be a backup once it is marked so."""
    return {
        TAG_RUN: token,
        TAG_BACKUP: service,
        TAG_MEMBER: instance_id,
        TAG_ENGINE: engine,
        TAG_CONSISTENCY: "crash",
    }
