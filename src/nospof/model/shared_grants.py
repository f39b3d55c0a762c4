"""What several procedures ask AWS for."""

from __future__ import annotations

from dataclasses import replace

from nospof.model.auto_scaling_grants import LET_GROUPS_ACT
from nospof.model.cloud import TAG_RUN
from nospof.model.dead_man_grants import TAKE_START_BACK
from nospof.model.entry_grants import OF_A_RUN
from nospof.model.grants import EC2, Grant, ec2

MADE_BY_A_RUN = {"StringLike": {f"aws:ResourceTag/{TAG_RUN}": "*"}}
OWN_KEYS = {"ForAllValues:StringLike": {"aws:TagKeys": "nospof:*"}, "Null": {"aws:TagKeys": "false"}}
"""With no keys at all, "all of them" would hold, and DeleteTags would take every tag off."""


POWER = Grant(
    "TurnOffAndOn",
    "stop the instance, and start it whatever happens",
    ("ec2:StartInstances", "ec2:StopInstances"),
    ec2("instance"),
)
KEYS = ("arn:*:kms:*:*:key/*",)
START_ENCRYPTED = Grant(
    "StartEncrypted",
    "start an instance whose disks are encrypted with a key of your own: EC2 asks for this in your name; the "
    "key's policy must allow it too",
    ("kms:CreateGrant",),
    KEYS,
    {"Bool": {"kms:GrantIsForAWSResource": "true"}},
)
COPY_ENCRYPTED = Grant(
    "CopyEncrypted",
    "copy such disks",
    ("kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
    KEYS,
    {"StringLike": {"kms:ViaService": "ec2.*.amazonaws.*"}},
)
PROMISE = Grant(
    "MarkInstances",
    "write on an instance what was promised and what it is, under own keys, and take that off again",
    ("ec2:CreateTags", "ec2:DeleteTags"),
    ec2("instance"),
    OWN_KEYS,
)
MAY_STOP = (
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstances",
)
AROUND = Grant(
    "LookAround",
    "see what would keep the instance from coming back, or break when it moves; each can be denied, and what "
    "it would tell is then named as not checked",
    (
        "ec2:DescribeAddresses",
        "ec2:DescribeInstanceCreditSpecifications",
        "ec2:DescribeSpotInstanceRequests",
        "ec2:DescribeVolumes",
        "kms:DescribeKey",
        "route53:ListHostedZones",
        "route53:ListResourceRecordSets",
        "servicequotas:GetServiceQuota",
    ),
)
INSIDE = Grant(
    "LookInside",
    "look inside the instance through Systems Manager; where it is denied, that is named as not checked",
    ("ssm:DescribeInstanceInformation", "ssm:GetCommandInvocation"),
)
RUN_INSIDE = Grant(
    "RunInside",
    "run the look there, a script that changes nothing; with --live also one that holds writes for a moment",
    ("ssm:SendCommand",),
    (f"{EC2}instance/*", "arn:*:ssm:*:*:document/AWS-RunShellScript"),
)
HAVE_LEAD = replace(
    RUN_INSIDE,
    sid="AskMembers",
    why="ask members what they are, and one that is left to lead instead of one that is off",
)
LIFT = Grant(
    "LiftStopProtection",
    "lift it for the moment and set it again (--override-stop-protection), let a twin pass traffic on as its "
    "source does, and start the source as another type (--or-type-for-source); leave this out where nobody "
    "needs any of it, for IAM cannot hold it to single attributes",
    ("ec2:ModifyInstanceAttribute",),
    ec2("instance"),
)
KEEPS = ("ec2:DescribeImages", "ec2:DescribeInstanceStatus", "ec2:DescribeInstances", "ec2:DescribeSnapshots")
KEEP = (
    POWER,
    START_ENCRYPTED,
    LIFT,
    LET_GROUPS_ACT,
    replace(PROMISE, actions=("ec2:DeleteTags",), sid="TakeThePromiseOff"),
    TAKE_START_BACK,
)
COPY_DISKS = (
    Grant("CopyDisks", "take the image", ("ec2:CreateImage",), ec2("instance")),
    Grant(
        "CopyDisksIntoOwn", "under the run's tag", ("ec2:CreateImage",), ec2("image", "snapshot"), OF_A_RUN
    ),
)
LAUNCH_OWN = (
    Grant(
        "LaunchFrom",
        "launch the twin with what the source has",
        ("ec2:RunInstances",),
        ec2(
            "image",
            "key-pair",
            "network-interface",
            "placement-group",
            "security-group",
            "snapshot",
            "subnet",
        ),
    ),
    Grant(
        "LaunchOwn",
        "launch it under the tag of the run",
        ("ec2:RunInstances",),
        ec2("instance", "volume"),
        OF_A_RUN,
    ),
)
MARK_IMAGES = Grant(
    "MarkImages",
    "mark an image of a running instance with what it is worth (--live)",
    ("ec2:CreateTags",),
    ec2("image", "snapshot"),
    OWN_KEYS,
)
PASS_THE_ROLE = Grant(
    "PassTheRole",
    "give the twin the instance profile of the source, if it has one; name its role here to narrow it",
    ("iam:PassRole",),
    condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
)
TAKE_AWAY_OWN = Grant(
    "TakeAwayOwn",
    "take away what carries the tag of a run",
    (
        "ec2:DeletePlacementGroup",
        "ec2:DeleteSecurityGroup",
        "ec2:DeleteSnapshot",
        "ec2:DeregisterImage",
        "ec2:TerminateInstances",
    ),
    ec2("image", "instance", "placement-group", "security-group", "snapshot"),
    MADE_BY_A_RUN,
)


def tag_what_is_made(*operations: str) -> Grant:
    """Return the grant to tag what these operations make, while they make it."""
    return Grant(
        "TagWhatIsMade",
        "put the tags of the run, and the twin's own, on what is being made",
        ("ec2:CreateTags",),
        condition={"StringEquals": {"ec2:CreateAction": list(operations)}},
    )
