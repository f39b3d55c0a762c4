"""What backups, and their restoration, ask AWS for."""

from __future__ import annotations

from dataclasses import replace

from nospof.model.entry_grants import ENTRY, IN_AND_OUT
from nospof.model.grants import FORESEE, Grant, ec2, look
from nospof.model.shared_grants import (
    AROUND,
    COPY_DISKS,
    COPY_ENCRYPTED,
    INSIDE,
    KEEPS,
    LAUNCH_OWN,
    MADE_BY_A_RUN,
    MARK_IMAGES,
    MAY_STOP,
    PASS_THE_ROLE,
    PROMISE,
    RUN_INSIDE,
    START_ENCRYPTED,
    TAKE_AWAY_OWN,
    tag_what_is_made,
)

REST_INSIDE = replace(
    RUN_INSIDE,
    sid="RestInside",
    why="have a member's database rest and run again, and a restored one be looked into",
)
BACKUPS = ("ec2:DescribeImages", "ec2:DescribeInstances", "ec2:DescribeSnapshots")
SERVES = (
    "elasticloadbalancing:DescribeInstanceHealth",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
)
MARK_BACKUPS = replace(
    MARK_IMAGES, why="mark an image as the backup that it is, and as one that was restored"
)
RESTORE = (
    *(one for one in ENTRY if "ec2:CreateSecurityGroup" in one.actions),
    Grant(
        "ShutSecurityGroup",
        "let the restored machine reach others by HTTPS only",
        ("ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupEgress"),
        ec2("security-group"),
    ),
    *LAUNCH_OWN,
    PASS_THE_ROLE,
    Grant(
        "StartOwn",
        "start it where the cloud gave up on it at once",
        ("ec2:StartInstances",),
        ec2("instance"),
        MADE_BY_A_RUN,
    ),
    START_ENCRYPTED,
)
ENDS = ("ec2:DeleteSecurityGroup", "ec2:TerminateInstances")
DELETES = ("ec2:DeleteSnapshot", "ec2:DeregisterImage")
BACKUP = (
    look(*MAY_STOP, *KEEPS, *SERVES, "ec2:DescribeInstanceTypes", "ec2:DescribeSecurityGroups"),
    AROUND,
    INSIDE,
    REST_INSIDE,
    PROMISE,
    FORESEE,
    IN_AND_OUT,
    COPY_ENCRYPTED,
    *COPY_DISKS,
    MARK_BACKUPS,
    *RESTORE,
    replace(TAKE_AWAY_OWN, actions=(*ENDS, *DELETES)),
    tag_what_is_made("CreateImage", "CreateSecurityGroup", "RunInstances"),
)
TEST_BACKUP = (
    look(*BACKUPS, "ec2:DescribeInstanceStatus", "ec2:DescribeSecurityGroups"),
    INSIDE,
    REST_INSIDE,
    MARK_BACKUPS,
    *RESTORE,
    COPY_ENCRYPTED,
    replace(TAKE_AWAY_OWN, actions=ENDS),
    tag_what_is_made("CreateSecurityGroup", "RunInstances"),
)
DISCARD = (
    look(*BACKUPS, "ec2:DescribeSecurityGroups"),
    replace(TAKE_AWAY_OWN, actions=(*ENDS, *DELETES)),
)
