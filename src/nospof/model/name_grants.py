"""What moving names asks of AWS: to read zones, to replace A records, and to see when that is answered."""

from __future__ import annotations

from typing import Any

from nospof.model.grants import FORESEE, Grant, look

ZONES = ("arn:*:route53:::hostedzone/*",)
A_RECORDS: dict[str, dict[str, Any]] = {
    "ForAllValues:StringEquals": {
        "route53:ChangeResourceRecordSetsActions": ["CREATE", "DELETE"],
        "route53:ChangeResourceRecordSetsRecordTypes": ["A"],
    },
    "Null": {"route53:ChangeResourceRecordSetsRecordTypes": "false"},
}
"""Without any type "all of them" would hold."""
LEAD = (
    Grant(
        "LeadNames",
        "lead names elsewhere and back: A records only, deleted as they are and created; narrow it to your "
        "zone, and to your names with route53:ChangeResourceRecordSetsNormalizedRecordNames",
        ("route53:ChangeResourceRecordSets",),
        ZONES,
        A_RECORDS,
    ),
    Grant(
        "SeeChanges",
        "see when a change is answered everywhere",
        ("route53:GetChange",),
        ("arn:*:route53:::change/*",),
    ),
)

CUT_OVER = (
    look(
        "ec2:DescribeInstances",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "route53:ListHostedZones",
        "route53:ListResourceRecordSets",
    ),
    FORESEE,
    *LEAD,
)
ROLLBACK = (look("ec2:DescribeInstances", "route53:ListResourceRecordSets"), FORESEE, *LEAD)
"""A run begins with a keeper's look, which asks for the instances."""
