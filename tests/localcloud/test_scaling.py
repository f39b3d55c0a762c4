"""Auto Scaling groups of the local cloud: they look at their members and act, as AWS's processes do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.ec2_words import launch, refused, running, state, states_until, stopped
from support.local_cloud import RunningCloud
from support.scaling import group, group_of_one
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud
GROUP = "web"


@pytest.fixture
def member(local_cloud: RunningCloud) -> Iterator[str]:
    """The one member of a group of one."""
    ec2, scaling = local_cloud.client("ec2"), local_cloud.client("autoscaling")
    instance_id = running(ec2, launch(local_cloud, "nospof-base"))
    group_of_one(local_cloud, instance_id, GROUP)
    yield instance_id
    scaling.delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)
    ec2.delete_launch_template(LaunchTemplateName=GROUP)


def members(cloud: RunningCloud) -> dict[str, Any]:
    """Return the members of the group by id."""
    return {one["InstanceId"]: one for one in group(cloud, GROUP)["Instances"]}


def test_a_member_that_is_stopped_is_terminated_and_another_one_launched(
    local_cloud: RunningCloud, member: str
) -> None:
    ec2 = local_cloud.client("ec2")
    ec2.stop_instances(InstanceIds=[member])
    states_until(ec2, member, "terminated")
    ((new, told),) = members(local_cloud).items()
    assert new != member
    assert told["HealthStatus"] == "Healthy"
    states_until(ec2, new, "running")


def test_a_member_in_standby_is_left_alone_and_the_groups_sizes_are_kept(
    local_cloud: RunningCloud, member: str
) -> None:
    ec2, scaling = local_cloud.client("ec2"), local_cloud.client("autoscaling")
    leave: dict[str, Any] = {"AutoScalingGroupName": GROUP, "InstanceIds": [member]}
    assert refused(scaling.enter_standby, **leave, ShouldDecrementDesiredCapacity=True) == "ValidationError"
    scaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=0)
    scaling.enter_standby(**leave, ShouldDecrementDesiredCapacity=True)
    assert members(local_cloud)[member]["LifecycleState"] == "Standby"
    stopped(ec2, member)
    scaling.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["HealthCheck"])
    scaling.exit_standby(**leave)
    assert members(local_cloud)[member]["LifecycleState"] == "InService"
    assert state(ec2, member) == "stopped"
    scaling.resume_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["HealthCheck"])
    eventually(lambda: state(ec2, member) == "terminated")


def test_one_group_does_not_take_the_member_of_another(local_cloud: RunningCloud, member: str) -> None:
    with pytest.raises(ClientError, match="already part of"):
        local_cloud.client("autoscaling").attach_instances(AutoScalingGroupName=GROUP, InstanceIds=[member])
