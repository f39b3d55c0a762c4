"""Auto Scaling groups, and keeping one from acting on its members for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nospof.adapters.aws.connection import Connection
from nospof.errors import CloudError
from nospof.model.auto_scaling import HEALTHY, AutoScalingGroup, GroupMember

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

UNKNOWN = "ValidationError"
"""What Auto Scaling says of a group or a member it does not know, as of any other wrong parameter."""


class Scaling(Connection):
    """The part of the port that speaks of Auto Scaling groups."""

    def auto_scaling_group_of(self, instance_id: str) -> str:
        """See the port."""
        with self.reading("autoscaling:DescribeAutoScalingInstances", instance_id):
            pages = self.autoscaling.get_paginator("describe_auto_scaling_instances").paginate(
                InstanceIds=[instance_id]
            )
            names = [one["AutoScalingGroupName"] for page in pages for one in page["AutoScalingInstances"]]
        return names[0] if names else ""

    def auto_scaling_group(self, name: str) -> AutoScalingGroup | None:
        """See the port."""
        with self.reading("autoscaling:DescribeAutoScalingGroups", name):
            pages = self.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
                AutoScalingGroupNames=[name]
            )
            found = [one for page in pages for one in page["AutoScalingGroups"]]
        return as_group(found[0]) if found else None

    def suspend_processes(self, group_name: str, processes: tuple[str, ...]) -> None:
        """See the port."""
        # No processes would mean all of them to AWS.
        if not processes:
            return
        with self.writing("autoscaling:SuspendProcesses", group_name):
            self.autoscaling.suspend_processes(
                AutoScalingGroupName=group_name, ScalingProcesses=list(processes)
            )

    def resume_processes(self, group_name: str, processes: tuple[str, ...]) -> None:
        """See the port."""
        if not processes:
            return
        with gone_is_fine(), self.writing("autoscaling:ResumeProcesses", group_name):
            self.autoscaling.resume_processes(
                AutoScalingGroupName=group_name, ScalingProcesses=list(processes)
            )

    def mark_healthy(self, instance_id: str) -> None:
        """See the port."""
        with gone_is_fine(), self.writing("autoscaling:SetInstanceHealth", instance_id):
            self.autoscaling.set_instance_health(
                InstanceId=instance_id, HealthStatus=HEALTHY, ShouldRespectGracePeriod=False
            )


@contextmanager
def gone_is_fine() -> Iterator[None]:
    """Let it pass that a group or a member is not there any more."""
    try:
        yield
    except CloudError as error:
        if error.code != UNKNOWN or "not found" not in str(error):
            raise


def as_group(one: AutoScalingGroupTypeDef) -> AutoScalingGroup:
    """Return boto3's group as ours."""
    checks = [each.strip() for each in one.get("HealthCheckType", "").split(",")]
    return AutoScalingGroup(
        name=one["AutoScalingGroupName"],
        arn=one.get("AutoScalingGroupARN", ""),
        members=tuple(
            GroupMember(each["InstanceId"], each["LifecycleState"], each["HealthStatus"].capitalize())
            for each in one.get("Instances", [])
        ),
        suspended=tuple(each.get("ProcessName", "") for each in one.get("SuspendedProcesses", [])),
        checks=tuple(each for each in checks if each not in ("", "EC2")),
        target_group_arns=tuple(one.get("TargetGroupARNs", [])),
        classic_balancers=tuple(one.get("LoadBalancerNames", [])),
    )
