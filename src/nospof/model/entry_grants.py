"""What the way into a service asks AWS for: balancers, target groups, listeners, certificates."""

from __future__ import annotations

from nospof.model.cloud import TAG_RUN
from nospof.model.grants import Grant, ec2

GROUPS = "arn:*:elasticloadbalancing:*:*:targetgroup/nospof-*/*"
BALANCERS = "arn:*:elasticloadbalancing:*:*:loadbalancer/app/nospof-*/*"
ANY_GROUP = "arn:*:elasticloadbalancing:*:*:targetgroup/*/*"
ANY_CLASSIC = "arn:*:elasticloadbalancing:*:*:loadbalancer/*"
OF_A_RUN = {"StringLike": {f"aws:RequestTag/{TAG_RUN}": "*"}}

ENTRY_LOOKS = (
    "ec2:DescribeSecurityGroups",
    "elasticloadbalancing:DescribeInstanceHealth",
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
        "make target group, balancer and listener",
        (
            "elasticloadbalancing:CreateListener",
            "elasticloadbalancing:CreateLoadBalancer",
            "elasticloadbalancing:CreateTargetGroup",
            "elasticloadbalancing:ModifyTargetGroupAttributes",
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

IN_AND_OUT = Grant(
    "PutInAndTakeOut",
    "put a member into a target group or a classic balancer, whoever made it, and take it out",
    (
        "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
        "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
        "elasticloadbalancing:RegisterTargets",
    ),
    (ANY_GROUP, ANY_CLASSIC),
)
CERTIFICATES = Grant(
    "LookAtCertificates",
    "find the certificate for the names (--certificate); leave this out where the balancer ends no TLS",
    ("acm:DescribeCertificate", "acm:ListCertificates"),
)
