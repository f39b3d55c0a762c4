"""An Auto Scaling group as its API tells of it: who is in it, what it watches, what it does not do now.

Names of states and processes are AWS's own words.
"""

from __future__ import annotations

from dataclasses import dataclass

IN_SERVICE = "InService"
STANDBY = "Standby"
HEALTHY = "Healthy"


@dataclass(frozen=True)
class GroupMember:
    """An instance of a group: where it is in its life there, and how the group has it marked."""

    instance_id: str
    lifecycle: str = IN_SERVICE
    health: str = HEALTHY


@dataclass(frozen=True)
class AutoScalingGroup:
    """A group.

    `suspended` are the processes it does not run now. `checks` is what it asks for health beside EC2
    ("ELB", "EBS", "VPC_LATTICE"); of balancers it asks those of `target_group_arns`, and the classic ones.
    """

    name: str
    arn: str
    members: tuple[GroupMember, ...] = ()
    suspended: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    target_group_arns: tuple[str, ...] = ()
    classic_balancers: tuple[str, ...] = ()

    def member(self, instance_id: str) -> GroupMember | None:
        """Return an instance as a member; None where it is none."""
        return next((one for one in self.members if one.instance_id == instance_id), None)
