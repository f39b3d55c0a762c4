"""Auto Scaling groups in a local cloud."""

from __future__ import annotations

from typing import Any

from support.local_cloud import RunningCloud


def group_of_one(cloud: RunningCloud, instance_id: str, name: str, **settings: Any) -> None:
    """Make a running instance the member of a group that keeps one, and launches an empty machine for it."""
    ec2, scaling = cloud.client("ec2"), cloud.client("autoscaling")
    ec2.create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={"ImageId": cloud.image_named("nospof-base"), "InstanceType": "t3.micro"},
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name},
        AvailabilityZones=["us-east-1a"],
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=0,
        **settings,
    )
    scaling.attach_instances(AutoScalingGroupName=name, InstanceIds=[instance_id])
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1)


def group(cloud: RunningCloud, name: str) -> dict[str, Any]:
    """Return a group as it is described."""
    described = cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    (found,) = described["AutoScalingGroups"]
    return found  # type: ignore[no-any-return]
