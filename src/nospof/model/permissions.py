"""What each procedure asks AWS for: the one register of it, and the policy that grants exactly this.

A new call goes into the grant it belongs to, or into a new one; the page of permissions is written
from here, and the tests run every procedure with its own policy, and without each of its actions.

Writes are narrowed where AWS has a way: by the name of what nospof makes, which begins with `nospof-`,
by the tag of the run, by the keys of tags, by who gets a role. An instance that is stopped and
started is whichever one is named on the command line, so these are for every instance.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nospof.model.auto_scaling_grants import HOLD_GROUPS, LET_GROUPS_ACT, SEES_GROUPS
from nospof.model.cloud import TAG_RUN
from nospof.model.dead_man_grants import DEAD_MAN, START_ONLY, TAKE_START_BACK
from nospof.model.entry_grants import (
    BALANCERS,
    CERTIFICATES,
    ENTRY,
    ENTRY_LOOKS,
    GROUPS,
    IN_AND_OUT,
    OF_A_RUN,
)
from nospof.model.external_grants import EXTERNAL
from nospof.model.grants import EC2, FORESEE, Grant, ec2, look
from nospof.model.kinds import ASKED
from nospof.model.kinds.additions import ADDITIONS
from nospof.model.name_grants import CUT_OVER, ROLLBACK

LONGEST_POLICY = 6144
"""Characters of a managed policy, white space not counted (IAM, "IAM and AWS STS quotas")."""

VERSION = "2012-10-17"
MADE_BY_A_RUN = {"StringLike": {f"aws:ResourceTag/{TAG_RUN}": "*"}}
OWN_KEYS = {"ForAllValues:StringLike": {"aws:TagKeys": "nospof:*"}, "Null": {"aws:TagKeys": "false"}}
"""With no keys at all, "all of them" would hold, and DeleteTags would take every tag off."""


# What several procedures do ------------------------------------------------------------------------

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

# Clone -----------------------------------------------------------------------------------------------

CLONE_LOOKS = (
    *MAY_STOP,
    *KEEPS,
    *SEES_GROUPS,
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribePlacementGroups",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSubnets",
)
COPY = (
    AROUND,
    INSIDE,
    RUN_INSIDE,
    LIFT,
    HOLD_GROUPS,
    POWER,
    START_ENCRYPTED,
    COPY_ENCRYPTED,
    PROMISE,
    FORESEE,
    Grant("CopyDisks", "take the image", ("ec2:CreateImage",), ec2("instance")),
    Grant(
        "CopyDisksIntoOwn", "under the run's tag", ("ec2:CreateImage",), ec2("image", "snapshot"), OF_A_RUN
    ),
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
    Grant(
        "MarkImages",
        "mark an image of a running instance with what it is worth (--live)",
        ("ec2:CreateTags",),
        ec2("image", "snapshot"),
        OWN_KEYS,
    ),
    # Not by the tag of a run: this is rehearsed before there is a disk that could carry it.
    Grant("TagDisks", "tag single disks of the twin", ("ec2:CreateTags",), ec2("volume")),
    Grant(
        "PassTheRole",
        "give the twin the instance profile of the source, if it has one; name its role here to narrow it",
        ("iam:PassRole",),
        condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    ),
    Grant(
        "MakePlacementGroup",
        "keep twin and source off one rack (--same-zone)",
        ("ec2:CreatePlacementGroup",),
        ec2("placement-group"),
        OF_A_RUN,
    ),
    Grant(
        "UsePlacementGroup",
        "move the source into it while it is off (--same-zone)",
        ("ec2:ModifyInstancePlacement",),
        ec2("instance", "placement-group"),
    ),
)


def tag_what_is_made(*operations: str) -> Grant:
    """Return the grant to tag what these operations make, while they make it."""
    return Grant(
        "TagWhatIsMade",
        "put the tags of the run, and the twin's own, on what is being made",
        ("ec2:CreateTags",),
        condition={"StringEquals": {"ec2:CreateAction": list(operations)}},
    )


COPY_MAKES = ("CreateImage", "CreatePlacementGroup", "RunInstances")

# Undo ------------------------------------------------------------------------------------------------

LEFT_LOOKS = (
    *KEEPS,
    *ENTRY_LOOKS,
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribePlacementGroups",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
)
LEADING_NAMES = Grant(
    "LookAtNames",
    "see which names lead to a balancer; where it is denied, that is named as not checked",
    ("route53:ListHostedZones", "route53:ListResourceRecordSets"),
)
TAKE_APART = (
    Grant(
        "LetTwinGo",
        "lift the protection against termination that a twin has from its source",
        ("ec2:ModifyInstanceAttribute",),
        ec2("instance"),
        MADE_BY_A_RUN,
    ),
    Grant(
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
    ),
    Grant(
        "TakeAwayEntry",
        "take balancer and target group away, which carry it too",
        ("elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteTargetGroup"),
        (BALANCERS, GROUPS),
        MADE_BY_A_RUN,
    ),
    Grant(
        "ClosePorts",
        "no longer let the balancer reach the instances",
        ("ec2:RevokeSecurityGroupIngress",),
        ec2("security-group"),
    ),
    IN_AND_OUT,
)

# The procedures --------------------------------------------------------------------------------------


def audit_tells() -> dict[str, str]:
    """Return what each permission of the audit tells, by permission."""
    told: dict[str, dict[str, None]] = {}
    for kind in ASKED.values():
        told.setdefault(kind.action or kind.call, {})[kind.plural] = None
    for addition in ADDITIONS:
        told.setdefault(addition.action, {})[addition.what] = None
        if addition.index is not None:
            told.setdefault(addition.index.action, {})[addition.what] = None
    return {action: ", ".join(told[action]) for action in sorted(told)}


GRANTS: dict[str, tuple[Grant, ...]] = {
    "audit": (replace(look(*audit_tells()), sid="NospofAuditReads"),),
    "clone": (look(*CLONE_LOOKS), *COPY, tag_what_is_made(*COPY_MAKES)),
    "pair": (
        look(*CLONE_LOOKS, *ENTRY_LOOKS, "elasticloadbalancing:DescribeLoadBalancerAttributes"),
        *COPY,
        tag_what_is_made(*COPY_MAKES, "CreateSecurityGroup"),
        *ENTRY,
        IN_AND_OUT,
        CERTIFICATES,
    ),
    "events": (
        look(
            "ec2:DescribeInstanceStatus",
            "ec2:DescribeInstances",
            "elasticloadbalancing:DescribeInstanceHealth",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeTags",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth",
        ),
    ),
    "take": (
        look(
            *MAY_STOP,
            "ec2:DescribeInstanceTypes",
            "elasticloadbalancing:DescribeInstanceHealth",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeTags",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth",
        ),
        AROUND,
        INSIDE,
        RUN_INSIDE,
        POWER,
        START_ENCRYPTED,
        PROMISE,
        FORESEE,
        IN_AND_OUT,
    ),
    "cut-over": CUT_OVER,
    "rollback": ROLLBACK,
    "drill": (
        look(
            *MAY_STOP,
            "elasticloadbalancing:DescribeInstanceHealth",
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeLoadBalancerAttributes",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeTags",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth",
        ),
        POWER,
        START_ENCRYPTED,
        PROMISE,
    ),
    "undo": (
        look(*LEFT_LOOKS, "autoscaling:DescribeAutoScalingInstances"),
        LEADING_NAMES,
        FORESEE,
        POWER,
        START_ENCRYPTED,
        PROMISE,
        *TAKE_APART,
    ),
    "repair": (
        look(*LEFT_LOOKS, *SEES_GROUPS),
        LEADING_NAMES,
        *KEEP,
        replace(
            IN_AND_OUT,
            sid="PutBack",
            why="put a member back into a target group or a classic balancer, whoever made it (--yes)",
            actions=tuple(one for one in IN_AND_OUT.actions if ":Register" in one),
        ),
    ),
    "keep": (look(*KEEPS, *SEES_GROUPS, "ec2:DescribeInstanceAttribute"), *KEEP),
    "data": (look("ec2:DescribeInstances"), INSIDE, RUN_INSIDE),
    "watch": (look("ec2:DescribeInstances"), INSIDE, HAVE_LEAD),
    "rejoin": (
        look("ec2:DescribeInstanceStatus", "ec2:DescribeInstances"),
        INSIDE,
        RUN_INSIDE,
        POWER,
        START_ENCRYPTED,
        FORESEE,
    ),
    "external": EXTERNAL,
    "dead-man": DEAD_MAN,
    "dead-man-role": (START_ONLY, START_ENCRYPTED),
}
"""By procedure, as the command line names them; `keep` is what `runs keep` and every run begin with.

`dead-man` is what `--dead-man` adds to a procedure, `dead-man-role` what the role needs as which AWS starts;
`data` is what `data status` and `data check` need, and a drill or an undo too where data is kept in step;
`watch` is what `data watch` needs;
`external` is what a pair asks besides, where its source uses data that is kept elsewhere.
"""


def policy(procedure: str) -> dict[str, Any]:
    """Return the policy that grants a procedure what it needs, and no more."""
    statements = sorted((grant.statement for grant in GRANTS[procedure]), key=lambda one: one["Sid"])
    return {"Version": VERSION, "Statement": statements}


def actions_of(procedure: str) -> tuple[str, ...]:
    """Return the IAM actions of a procedure, each once, sorted."""
    return tuple(sorted({action for grant in GRANTS[procedure] for action in grant.actions}))
