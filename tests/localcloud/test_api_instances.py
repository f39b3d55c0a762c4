"""Instances of the local cloud through boto3: true states, true refusals, real machines."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support import ec2_words
from support.ec2_words import (
    get,
    healthy,
    instance,
    machine,
    refused,
    running,
    state,
    states_until,
    status,
    tagged,
)
from support.local_cloud import RunningCloud
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def launch(local_cloud: RunningCloud, ec2: Any) -> Iterator[Any]:
    """Launch instances that are terminated after the test."""
    made: list[str] = []

    def run(**changes: Any) -> dict[str, Any]:
        launched = ec2_words.launch(local_cloud, **changes)
        made.append(launched["InstanceId"])
        return launched

    yield run
    for instance_id in made:
        for attribute in ("DisableApiStop", "DisableApiTermination"):
            if state(ec2, instance_id) not in ("terminated", "shutting-down"):
                ec2.modify_instance_attribute(InstanceId=instance_id, **{attribute: {"Value": False}})
    if made:
        ec2.terminate_instances(InstanceIds=made)


def test_a_launched_instance_answers_at_its_private_address(ec2: Any, launch: Any) -> None:
    launched = launch()
    assert launched["State"]["Name"] == "pending"
    assert states_until(ec2, launched["InstanceId"], "running") == ["pending", "running"]
    assert launched["PrivateIpAddress"].startswith("127.")
    eventually(lambda: get(launched["PrivateIpAddress"]) == 200)


def test_a_public_address_answers_too(ec2: Any, launch: Any) -> None:
    launched = launch()
    running(ec2, launched)
    eventually(lambda: get(instance(ec2, launched["InstanceId"])["PublicIpAddress"]) == 200)


def test_stop_and_start_pass_through_every_state_and_move_to_another_host(
    local_cloud: RunningCloud, ec2: Any, launch: Any
) -> None:
    instance_id = running(ec2, launch())
    eventually(lambda: machine(local_cloud, instance_id)["boots"] == 1, "its first boot has begun")
    before = machine(local_cloud, instance_id)
    changed = ec2.stop_instances(InstanceIds=[instance_id])["StoppingInstances"][0]
    assert (changed["PreviousState"]["Name"], changed["CurrentState"]["Name"]) == ("running", "stopping")
    assert states_until(ec2, instance_id, "stopped") == ["stopping", "stopped"]
    assert machine(local_cloud, instance_id)["machine"] == "off"
    stopped = instance(ec2, instance_id)
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert "PublicIpAddress" not in stopped
    ec2.start_instances(InstanceIds=[instance_id])
    assert states_until(ec2, instance_id, "running") == ["pending", "running"]
    eventually(lambda: machine(local_cloud, instance_id)["boots"] == 2, "its second boot has begun")
    after = machine(local_cloud, instance_id)
    assert after["host"] != before["host"]
    assert after["address"] == before["address"]


def test_a_stopping_instance_cannot_be_started_and_a_stopped_one_not_rebooted(ec2: Any, launch: Any) -> None:
    instance_id = running(ec2, launch())
    ec2.stop_instances(InstanceIds=[instance_id])
    assert refused(ec2.start_instances, InstanceIds=[instance_id]) == "IncorrectInstanceState"
    states_until(ec2, instance_id, "stopped")
    assert refused(ec2.reboot_instances, InstanceIds=[instance_id]) == "IncorrectInstanceState"
    again = ec2.stop_instances(InstanceIds=[instance_id])["StoppingInstances"][0]
    assert again["CurrentState"]["Name"] == "stopped"


def test_a_pending_instance_cannot_be_stopped(ec2: Any, launch: Any) -> None:
    launched = launch()
    assert refused(ec2.stop_instances, InstanceIds=[launched["InstanceId"]]) == "IncorrectInstanceState"


def test_a_stop_with_one_wrong_id_stops_none(ec2: Any, launch: Any) -> None:
    instance_id = running(ec2, launch())
    ids = [instance_id, "i-0123456789abcdef0"]
    assert refused(ec2.stop_instances, InstanceIds=ids) == "InvalidInstanceID.NotFound"
    assert state(ec2, instance_id) == "running"


def test_c02_a_one_time_spot_instance_cannot_be_stopped_and_a_persistent_one_can(
    ec2: Any, launch: Any
) -> None:
    once = running(ec2, launch(InstanceMarketOptions={"MarketType": "spot"}))
    options = {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"}
    lasting = running(ec2, launch(InstanceMarketOptions={"MarketType": "spot", "SpotOptions": options}))
    shown = {one: instance(ec2, one) for one in (once, lasting)}
    assert {one["InstanceLifecycle"] for one in shown.values()} == {"spot"}
    requests = {one: shown[one]["SpotInstanceRequestId"] for one in shown}
    for one, kind in ((once, "one-time"), (lasting, "persistent")):
        (request,) = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[requests[one]])[
            "SpotInstanceRequests"
        ]
        assert (request["InstanceId"], request["Type"], request["State"]) == (one, kind, "active")
    assert refused(ec2.stop_instances, InstanceIds=[once]) == "UnsupportedOperation"
    assert state(ec2, once) == "running"
    ec2.stop_instances(InstanceIds=[lasting])
    assert states_until(ec2, lasting, "stopped")[-1] == "stopped"


def test_c14_c15_a_start_whose_key_cannot_be_used_falls_back_to_stopped_and_says_nothing_of_the_key(
    local_cloud: RunningCloud, ec2: Any, launch: Any
) -> None:
    kms = local_cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]
    disk = {"VolumeSize": 1, "Encrypted": True, "KmsKeyId": key["Arn"]}
    made = running(ec2, launch(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": disk}]))
    ec2.stop_instances(InstanceIds=[made])
    states_until(ec2, made, "stopped")
    kms.disable_key(KeyId=key["KeyId"])
    ec2.start_instances(InstanceIds=[made])
    assert state(ec2, made) == "pending"
    assert "running" not in states_until(ec2, made, "stopped")
    assert instance(ec2, made)["StateReason"]["Message"] == "Client.InternalError: Client error on launch"
    kms.enable_key(KeyId=key["KeyId"])
    ec2.start_instances(InstanceIds=[made])
    assert states_until(ec2, made, "running")[-1] == "running"


def test_protection_from_stop_and_termination_is_kept(ec2: Any, launch: Any) -> None:
    instance_id = running(ec2, launch(DisableApiStop=True))
    ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": True})
    assert refused(ec2.stop_instances, InstanceIds=[instance_id]) == "OperationNotPermitted"
    assert refused(ec2.terminate_instances, InstanceIds=[instance_id]) == "OperationNotPermitted"
    assert state(ec2, instance_id) == "running"


def test_termination_deletes_the_machine_and_its_volume(
    local_cloud: RunningCloud, ec2: Any, launch: Any
) -> None:
    launched = launch()
    instance_id = running(ec2, launched)
    volume_id = instance(ec2, instance_id)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    ec2.terminate_instances(InstanceIds=[instance_id])
    assert states_until(ec2, instance_id, "terminated") == ["shutting-down", "terminated"]
    assert not (local_cloud.endpoint.dir / "machines" / instance_id).exists()
    assert refused(ec2.describe_volumes, VolumeIds=[volume_id]) == "InvalidVolume.NotFound"
    interfaces = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert launched["PrivateIpAddress"] not in [i["PrivateIpAddress"] for i in interfaces]
    assert refused(ec2.start_instances, InstanceIds=[instance_id]) == "IncorrectInstanceState"


def test_a_reboot_boots_once_more_and_stays_running(local_cloud: RunningCloud, ec2: Any, launch: Any) -> None:
    instance_id = running(ec2, launch())
    ec2.reboot_instances(InstanceIds=[instance_id])
    eventually(lambda: machine(local_cloud, instance_id)["boots"] == 2)
    healthy(ec2, instance_id)
    assert state(ec2, instance_id) == "running"


def test_a_killed_machine_stays_running_and_impaired_until_stop_and_start(
    local_cloud: RunningCloud, ec2: Any, launch: Any
) -> None:
    launched = launch()
    instance_id = running(ec2, launched)
    healthy(ec2, instance_id)
    assert local_cloud.admin("POST", "fault", {"instance": instance_id, "fault": "kill"})[0] == 200
    assert status(ec2, instance_id)["InstanceStatus"]["Status"] == "impaired"
    assert get(launched["PrivateIpAddress"]) == 0
    information = local_cloud.client("ssm").describe_instance_information(
        Filters=[{"Key": "InstanceIds", "Values": [instance_id]}]
    )["InstanceInformationList"]
    assert information[0]["PingStatus"] == "ConnectionLost"
    time.sleep(0.5)  # some rounds of reconciliation: it must not be brought back
    assert state(ec2, instance_id) == "running"
    ec2.stop_instances(InstanceIds=[instance_id])
    states_until(ec2, instance_id, "stopped")
    ec2.start_instances(InstanceIds=[instance_id])
    states_until(ec2, instance_id, "running")
    eventually(lambda: get(launched["PrivateIpAddress"]) == 200)


def test_a_frozen_machine_is_impaired_and_force_stop_pulls_the_plug(
    local_cloud: RunningCloud, ec2: Any, launch: Any
) -> None:
    instance_id = running(ec2, launch())
    healthy(ec2, instance_id)
    local_cloud.admin("POST", "fault", {"instance": instance_id, "fault": "freeze"})
    assert status(ec2, instance_id)["InstanceStatus"]["Status"] == "impaired"
    local_cloud.admin("POST", "fault", {"instance": instance_id, "fault": "thaw"})
    healthy(ec2, instance_id)
    local_cloud.admin("POST", "fault", {"instance": instance_id, "fault": "freeze"})
    ec2.stop_instances(InstanceIds=[instance_id], Force=True)
    states_until(ec2, instance_id, "stopped")


def test_a_power_off_from_inside_is_a_stop_with_its_reason(
    local_cloud: RunningCloud, ec2: Any, launch: Any
) -> None:
    instance_id = running(ec2, launch())
    local_cloud.client("ssm").send_command(
        InstanceIds=[instance_id],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": ["poweroff"]},
    )
    states_until(ec2, instance_id, "stopped")
    assert instance(ec2, instance_id)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_a_repeated_client_token_launches_once(ec2: Any, launch: Any) -> None:
    first = launch(ClientToken="one-token")
    second = launch(ClientToken="one-token")
    assert first["InstanceId"] == second["InstanceId"]
    found = ec2.describe_instances(Filters=[{"Name": "client-token", "Values": ["one-token"]}])
    assert [i["InstanceId"] for r in found["Reservations"] for i in r["Instances"]] == [first["InstanceId"]]


def test_a_client_token_with_other_parameters_is_refused(launch: Any) -> None:
    launch(ClientToken="mismatch")
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        launch(ClientToken="mismatch", InstanceType="t3.small")


def test_max_count_instances_are_launched(ec2: Any, launch: Any) -> None:
    launch(MinCount=1, MaxCount=3, TagSpecifications=tagged("instance", "trio"))
    found = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["trio"]}])
    assert sum(len(r["Instances"]) for r in found["Reservations"]) == 3


def test_tags_of_a_launch_go_to_instance_and_volume(ec2: Any, launch: Any) -> None:
    launched = launch(TagSpecifications=[*tagged("instance", "box"), *tagged("volume", "disk")])
    assert launched["Tags"] == [{"Key": "Name", "Value": "box"}]
    volume_id = launched["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    volume = ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    assert volume["Tags"] == [{"Key": "Name", "Value": "disk"}]
    assert volume["Size"] == 8
    assert volume["Attachments"][0]["InstanceId"] == launched["InstanceId"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"ImageId": "nonsense"}, "InvalidAMIID.Malformed"),
        ({"InstanceType": "t99.enormous"}, "InvalidParameterValue"),
        ({"MinCount": 3, "MaxCount": 2}, "InvalidParameterValue"),
        ({"SubnetId": "subnet-01234567"}, "InvalidSubnetID.NotFound"),
        ({"Placement": {"AvailabilityZone": "us-east-1z"}}, "InvalidParameterValue"),
        ({"Placement": {"GroupName": "unheard-of"}}, "InvalidPlacementGroup.Unknown"),
        ({"DryRun": True}, "DryRunOperation"),
    ],
)
def test_a_launch_aws_refuses_is_refused_and_launches_nothing(
    local_cloud: RunningCloud, launch: Any, changes: dict[str, Any], code: str
) -> None:
    before = {entry["instance"] for entry in local_cloud.admin("GET", "status")[1]["machines"]}
    with pytest.raises(ClientError) as failure:
        launch(**changes)
    assert failure.value.response["Error"]["Code"] == code
    assert {entry["instance"] for entry in local_cloud.admin("GET", "status")[1]["machines"]} <= before


def test_a_launch_in_a_zone_gets_the_zones_default_subnet(ec2: Any, launch: Any) -> None:
    launched = launch(Placement={"AvailabilityZone": "us-east-1b"})
    subnet = ec2.describe_subnets(SubnetIds=[launched["SubnetId"]])["Subnets"][0]
    assert subnet["AvailabilityZone"] == "us-east-1b"
    assert launched["Placement"]["AvailabilityZone"] == "us-east-1b"
    assert launched["SecurityGroups"][0]["GroupName"] == "default"


def test_members_of_a_spread_group_never_share_a_host(
    local_cloud: RunningCloud, ec2: Any, launch: Any
) -> None:
    ec2.create_placement_group(GroupName="apart", Strategy="spread")
    assert refused(ec2.create_placement_group, GroupName="apart", Strategy="spread") == (
        "InvalidPlacementGroup.Duplicate"
    )
    where = {"AvailabilityZone": "us-east-1c", "GroupName": "apart"}
    members = [launch(Placement=where)["InstanceId"] for _ in range(4)]
    hosts = {machine(local_cloud, member)["host"] for member in members}
    assert len(hosts) == 4
    with pytest.raises(ClientError, match="InsufficientInstanceCapacity") as failure:
        launch(Placement=where)
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    group = ec2.describe_placement_groups(GroupNames=["apart"])["PlacementGroups"][0]
    assert (group["Strategy"], group["State"]) == ("spread", "available")
    assert refused(ec2.delete_placement_group, GroupName="apart") == "InvalidPlacementGroup.InUse"


def test_the_type_changes_only_while_stopped(ec2: Any, launch: Any) -> None:
    instance_id = running(ec2, launch())
    change = {"InstanceId": instance_id, "InstanceType": {"Value": "t3.small"}}
    assert refused(ec2.modify_instance_attribute, **change) == "IncorrectInstanceState"
    ec2.stop_instances(InstanceIds=[instance_id])
    states_until(ec2, instance_id, "stopped")
    ec2.modify_instance_attribute(**change)
    assert instance(ec2, instance_id)["InstanceType"] == "t3.small"


def test_user_data_runs_and_the_console_tells_of_the_boot(
    local_cloud: RunningCloud, ec2: Any, launch: Any
) -> None:
    instance_id = running(ec2, launch(UserData="#!/bin/sh\necho seen > ran-user-data\n"))
    disk = local_cloud.endpoint.dir / "machines" / instance_id / "disk"
    eventually(lambda: (disk / "ran-user-data").exists())
    assert instance_id in ec2.get_console_output(InstanceId=instance_id)["Output"]


@pytest.mark.parametrize("operation", ["stop_instances", "reboot_instances", "terminate_instances"])
def test_a_dry_run_changes_nothing(ec2: Any, launch: Any, operation: str) -> None:
    instance_id = running(ec2, launch())
    assert refused(getattr(ec2, operation), InstanceIds=[instance_id], DryRun=True) == "DryRunOperation"
    assert state(ec2, instance_id) == "running"


def test_a_dry_run_of_other_writes_changes_nothing(ec2: Any, launch: Any) -> None:
    launched = launch()
    running(ec2, launched)
    tags = {"Resources": [launched["InstanceId"]], "Tags": [{"Key": "dry", "Value": "run"}]}
    assert refused(ec2.create_tags, DryRun=True, **tags) == "DryRunOperation"
    assert refused(ec2.create_image, DryRun=True, InstanceId=launched["InstanceId"], Name="dry-run") == (
        "DryRunOperation"
    )
    group = {"GroupName": "dry-run", "Description": "none"}
    assert refused(ec2.create_security_group, DryRun=True, **group) == "DryRunOperation"
    assert "Tags" not in instance(ec2, launched["InstanceId"])
    assert json.dumps(ec2.describe_images(Owners=["self"])["Images"], default=str).count("dry-run") == 0
