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

from nospof.model.applying_grants import APPLY_MORE
from nospof.model.auto_scaling_grants import HOLD_GROUPS, SEES_GROUPS
from nospof.model.backup_grants import BACKUP, DISCARD, TEST_BACKUP
from nospof.model.dead_man_grants import DEAD_MAN, START_ONLY
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
from nospof.model.grants import FORESEE, Grant, ec2, look
from nospof.model.kinds import ASKED
from nospof.model.kinds.additions import ADDITIONS
from nospof.model.maintaining_grants import MAINTAIN_BACK, MAINTAIN_RUN
from nospof.model.name_grants import CUT_OVER, ROLLBACK
from nospof.model.shared_grants import (
    AROUND,
    COPY_DISKS,
    COPY_ENCRYPTED,
    HAVE_LEAD,
    INSIDE,
    KEEP,
    KEEPS,
    LAUNCH_OWN,
    LIFT,
    MADE_BY_A_RUN,
    MARK_IMAGES,
    MAY_STOP,
    PASS_THE_ROLE,
    POWER,
    PROMISE,
    RUN_INSIDE,
    START_ENCRYPTED,
    TAKE_AWAY_OWN,
    tag_what_is_made,
)
from nospof.model.watch_grants import PUBLISH, joined

LONGEST_POLICY = 6144
"""Characters of a managed policy, white space not counted (IAM, "IAM and AWS STS quotas")."""

VERSION = "2012-10-17"

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
    *COPY_DISKS,
    *LAUNCH_OWN,
    MARK_IMAGES,
    # Not by the tag of a run: this is rehearsed before there is a disk that could carry it.
    Grant("TagDisks", "tag single disks of the twin", ("ec2:CreateTags",), ec2("volume")),
    PASS_THE_ROLE,
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
    TAKE_AWAY_OWN,
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
    "maintain-run": MAINTAIN_RUN,
    "maintain-back": MAINTAIN_BACK,
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
    "backup": BACKUP,
    "test-backup": TEST_BACKUP,
    "discard": DISCARD,
    "external": EXTERNAL,
    "dead-man": DEAD_MAN,
    "dead-man-role": (START_ONLY, START_ENCRYPTED),
}
GRANTS["apply"] = (*GRANTS["take"], *APPLY_MORE)
"""By procedure, as the command line names them; `keep` is what `runs keep` and every run begin with.

`dead-man` is what `--dead-man` adds to a procedure, `dead-man-role` what the role needs as which AWS starts;
`data` is what `data status` and `data check` need, and a drill or an undo too where data is kept in step;
`watch` is what `data watch` needs, `maintain-watch` what `maintain watch` and all that it begins does;
`discard` is what `runs undo` does for a backup or its test;
`external` is what a pair asks besides, where its source uses data that is kept elsewhere.
"""
GRANTS["maintain-watch"] = joined(GRANTS["events"], GRANTS["take"], GRANTS["keep"], (PUBLISH,))


def policy(procedure: str) -> dict[str, Any]:
    """Return the policy that grants a procedure what it needs, and no more."""
    statements = sorted((grant.statement for grant in GRANTS[procedure]), key=lambda one: one["Sid"])
    return {"Version": VERSION, "Statement": statements}


def actions_of(procedure: str) -> tuple[str, ...]:
    """Return the IAM actions of a procedure, each once, sorted."""
    return tuple(sorted({action for grant in GRANTS[procedure] for action in grant.actions}))
