"""Calls that tell a field which the call that lists a kind leaves out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Index:
    """A paged call that tells the same of all items at once; what has nothing to tell is not in it.

    Args:
        call: boto3's service and operation.
        fixed: its arguments, as pairs.
        rows: where its records stand in the answer.
        key: the field of a record with the item's id.
        action: the IAM action.
    """

    call: str
    fixed: tuple[tuple[str, object], ...]
    rows: str
    key: str
    action: str


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
        index: what is asked instead where one call cannot take all ids; refused, the ids are asked for.
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
    index: Index | None = None


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
        Index(
            "resourcegroupstaggingapi:GetResources",
            (("ResourceTypeFilters", ("elasticloadbalancing:loadbalancer",)),),
            "ResourceTagMappingList",
            "ResourceARN",
            "tag:GetResources",
        ),
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
