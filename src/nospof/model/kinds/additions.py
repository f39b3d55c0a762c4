"""Calls that tell a field which the call that lists a kind leaves out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Addition:
    """A call that adds a field to items that another call has answered, which needs no parent itself.

    Args:
        what: what it tells, as people say it.
        kind: whose items it adds to.
        call: boto3's service and operation.
        argument: takes a list of ids.
        batch: how many ids one call takes.
        rows: where its records stand in the answer.
        key: the field of a record with the item's id.
        field: the field that is added.
        action: the IAM action.
    """

    what: str
    kind: str
    call: str
    argument: str
    batch: int
    rows: str
    key: str
    field: str
    action: str


ADDITIONS = (
    Addition(
        "tags of load balancers",
        "load balancer",
        "elbv2:DescribeTags",
        "ResourceArns",
        20,
        "TagDescriptions",
        "ResourceArn",
        "Tags",
        "elasticloadbalancing:DescribeTags",
    ),
    Addition(
        "tags of classic load balancers",
        "classic load balancer",
        "elb:DescribeTags",
        "LoadBalancerNames",
        20,
        "TagDescriptions",
        "LoadBalancerName",
        "Tags",
        "elasticloadbalancing:DescribeTags",
    ),
)
