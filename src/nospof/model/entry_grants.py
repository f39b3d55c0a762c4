"""What the way into a service asks AWS for: balancers, target groups, listeners, certificates."""

from __future__ import annotations

from nospof.model.cloud import TAG_RUN
from nospof.model.grants import Grant, ec2

GROUPS = "arn:*:elasticloadbalancing:*:*:targetgroup/nospof-*/*"
BALANCERS = "arn:*:elasticloadbalancing:*:*:loadbalancer/app/nospof-*/*"
ANY_GROUP = "arn:*:elasticloadbalancing:*:*:targetgroup/*/*"
OF_A_RUN = {"StringLike": {f"aws:RequestTag/{TAG_RUN}": "*"}}

ENTRY_LOOKS = (
    "ec2:DescribeSecurityGroups",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
)
ENTRY = (
    Grant(
        "MakeSecurityGroup",
        "make the balancer's security group under the tag of the run",
        ("ec2:CreateSecurityGroup",),
        ec2("security-group"),
        OF_A_RUN,
    ),
    Grant("MakeItInTheNetwork", "make it in the VPC", ("ec2:CreateSecurityGroup",), ec2("vpc")),
    Grant(
        "OpenPorts",
        "let clients reach the balancer, and the balancer the instances",
        ("ec2:AuthorizeSecurityGroupIngress",),
        ec2("security-group"),
    ),
    Grant(
        "BuildEntry",
        "make target group, balancer and listener, and put members in",
        (
            "elasticloadbalancing:CreateListener",
            "elasticloadbalancing:CreateLoadBalancer",
            "elasticloadbalancing:CreateTargetGroup",
            "elasticloadbalancing:ModifyTargetGroupAttributes",
            "elasticloadbalancing:RegisterTargets",
        ),
        (BALANCERS, GROUPS),
    ),
    Grant(
        "TagEntry",
        "put the tags of run and service on them while they are made",
        ("elasticloadbalancing:AddTags",),
        (BALANCERS, GROUPS),
        {"StringEquals": {"elasticloadbalancing:CreateAction": ["CreateLoadBalancer", "CreateTargetGroup"]}},
    ),
)

JOIN = Grant(
    "JoinEntry",
    "put the twin beside its source in the target groups of others, and take it out should it not serve",
    ("elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"),
    (ANY_GROUP,),
)
CERTIFICATES = Grant(
    "LookAtCertificates",
    "find the certificate for the names (--certificate); leave this out where the balancer ends no TLS",
    ("acm:DescribeCertificate", "acm:ListCertificates"),
)
