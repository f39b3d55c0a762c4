"""What keeping an Auto Scaling group from acting on a member that is off asks AWS for."""

from __future__ import annotations

from dataclasses import replace

from nospof.model.grants import Grant

SCALING_GROUPS = ("arn:*:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*",)
LET_GROUPS_ACT = Grant(
    "LetGroupsActAgain",
    "take back what an Auto Scaling group noted while its member was off, and let it act again",
    ("autoscaling:ResumeProcesses", "autoscaling:SetInstanceHealth"),
    SCALING_GROUPS,
)
HOLD_GROUPS = replace(
    LET_GROUPS_ACT,
    sid="KeepGroupsFromActing",
    why="keep an Auto Scaling group from replacing its member that is off (--suspend-auto-scaling), and let "
    "it act again; leave this out where no source is in a group",
    actions=(*LET_GROUPS_ACT.actions, "autoscaling:SuspendProcesses"),
)
SEES_GROUPS = ("autoscaling:DescribeAutoScalingGroups", "elasticloadbalancing:DescribeTargetHealth")
