"""What a pair asks for where its source's data is kept elsewhere: a policy of its own."""

from __future__ import annotations

from nospof.model.grants import Grant

EXTERNAL = (
    Grant(
        "LookElsewhere",
        "see who keeps the data that the instance uses over the network, and whether one zone's failure "
        "takes it; each can be denied, and what it would tell is then named as not checked",
        (
            "ec2:DescribeNetworkInterfaces",
            "elasticfilesystem:DescribeFileSystems",
            "elasticfilesystem:DescribeMountTargets",
            "rds:DescribeDBClusters",
            "rds:DescribeDBInstances",
        ),
    ),
)
