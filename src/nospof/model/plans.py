"""A plan: every call a procedure would make, before it makes any."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nospof.model.cloud import Tags

WITHOUT_DRY_RUN = frozenset({"ModifyInstancePlacement"})
"""The EC2 writes that have no DryRun; asked to rehearse, they would be made in earnest."""


@dataclass(frozen=True)
class PlannedCall:
    """One write: "ec2", "StopInstances", its parameters, and the sentence a person reads.

    Parameters that are known only later (the id of an image not yet taken) hold a stand-in and
    are named in `placeholders`, so that nobody takes the stand-in for the real value.

    `on` is what a call is about and names by no ARN: ends of ARNs, "targetgroup/nospof-shop/0". `tags`
    are those that what it is about will carry. A policy can depend on both. `by` is the role that makes it,
    where that is not whoever runs nospof. `is_allowed` is for a call that was just made for something else:
    nobody needs to be asked about it.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    says: str
    placeholders: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    tags: Tags = field(default_factory=dict)
    by: str = ""
    is_allowed: bool = False

    @property
    def prefix(self) -> str:
        """IAM's name of the service."""
        return "elasticloadbalancing" if self.service in ("elb", "elbv2") else self.service

    @property
    def permission(self) -> str:
        """The IAM action the call is named after."""
        return f"{self.prefix}:{self.operation}"

    @property
    def permissions(self) -> tuple[str, ...]:
        """Every IAM action the call needs: its own, then those that AWS or the adapter adds to it."""
        beside = {
            "ec2:CreateTags": "TagSpecifications" in self.parameters,
            "iam:PassRole": "IamInstanceProfile" in self.parameters,
            "elasticloadbalancing:AddTags": self.service == "elbv2" and "Tags" in self.parameters,
            "elasticloadbalancing:ModifyTargetGroupAttributes": self.operation == "CreateTargetGroup",
        }
        return (self.permission, *(action for action, is_needed in beside.items() if is_needed))

    @property
    def can_rehearse(self) -> bool:
        """Most EC2 writes answer DryRun, to whoever makes them; Elastic Load Balancing has no such thing."""
        return self.service == "ec2" and self.operation not in WITHOUT_DRY_RUN and not self.by


@dataclass(frozen=True)
class Plan:
    """What a procedure will do, in order, and what it promises.

    `looks` are reads that come only after the first write: whether they will be allowed is asked before it.
    """

    procedure: str
    says: str
    guarantee: str
    calls: tuple[PlannedCall, ...]
    warnings: tuple[str, ...] = ()
    expected_seconds_off: tuple[int, int] | None = None
    details: dict[str, str] = field(default_factory=dict)
    looks: tuple[PlannedCall, ...] = ()

    @property
    def permissions(self) -> tuple[str, ...]:
        """The IAM actions the plan's writes need, each once, in order."""
        return tuple(dict.fromkeys(action for call in self.calls for action in call.permissions))
