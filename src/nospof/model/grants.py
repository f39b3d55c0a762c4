"""One statement of a policy: what it grants, on what, under which condition, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EC2 = "arn:*:ec2:*:*:"


@dataclass(frozen=True)
class Grant:
    """Permissions that are needed for one thing.

    Args:
        sid: the statement's name.
        why: what they are needed for.
        actions: as IAM spells them.
        resources: what they are for.
        condition: as a policy has it.
    """

    sid: str
    why: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    condition: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def statement(self) -> dict[str, Any]:
        """The grant as a statement of a policy."""
        made: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": sorted(self.actions),
            "Resource": sorted(self.resources),
        }
        return {**made, "Condition": dict(self.condition)} if self.condition else made


def look(*actions: str) -> Grant:
    """Return the grant of reads; AWS narrows none of them to a resource."""
    return Grant("Look", "look at what is there", tuple(sorted(set(actions))))


def ec2(*kinds: str) -> tuple[str, ...]:
    """Return all resources of some kinds of EC2; images and snapshots belong to no account."""
    return tuple(f"{EC2}{kind}/*" for kind in kinds)


FORESEE = Grant(
    "AskWhetherAllowed", "ask IAM about calls that have no DryRun", ("iam:SimulatePrincipalPolicy",)
)
