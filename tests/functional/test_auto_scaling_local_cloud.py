"""A member of an Auto Scaling group that acts, cloned by somebody who may do what the page says."""

from __future__ import annotations

import pytest

from nospof.model.permissions import policy
from support import ec2_words
from support.iam_keys import new_key
from support.scaling import group, group_of_one
from support.site import SITE, Site

pytestmark = pytest.mark.local_cloud


def test_c01_a_member_is_cloned_and_its_group_acts_again_afterwards(site: Site) -> None:
    source, scaling, ec2 = site.launch("grouped"), site.cloud.client("autoscaling"), site.cloud.client("ec2")
    group_of_one(site.cloud, source, "grouped")
    scaling.suspend_processes(AutoScalingGroupName="grouped", ScalingProcesses=["AZRebalance"])
    key = {name.upper(): value for name, value in new_key(site.cloud, *policy("clone")["Statement"]).items()}
    refused = site.nospof("clone", source, *SITE, "--yes", **key)
    assert refused.returncode == 3
    assert "--suspend-auto-scaling" in refused.stderr

    done = site.nospof("clone", source, *SITE, "--yes", "--suspend-auto-scaling", **key)

    assert done.returncode == 0, done.stderr
    assert site.state(source) == "running"
    told = group(site.cloud, "grouped")
    assert [(one["InstanceId"], one["HealthStatus"]) for one in told["Instances"]] == [(source, "Healthy")]
    assert [one["ProcessName"] for one in told["SuspendedProcesses"]] == ["AZRebalance"]
    assert not {"nospof:guarantee", "nospof:suspended"} & set(site.tags(source))
    ec2.stop_instances(InstanceIds=[source])
    ec2_words.states_until(ec2, source, "terminated")
    scaling.delete_auto_scaling_group(AutoScalingGroupName="grouped", ForceDelete=True)
