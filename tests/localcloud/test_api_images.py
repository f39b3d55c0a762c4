"""Images of the local cloud: copies of a disk as it was at one moment."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.ec2_words import get, launch, machine, refused, running, state, states_until, stopped, tagged
from support.local_cloud import RunningCloud
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


def disk(cloud: RunningCloud, instance_id: str) -> Path:
    return cloud.endpoint.dir / "machines" / instance_id / "disk"


def image(ec2: Any, image_id: str) -> dict[str, Any]:
    return ec2.describe_images(ImageIds=[image_id])["Images"][0]  # type: ignore[no-any-return]


def available(ec2: Any, image_id: str) -> dict[str, Any]:
    eventually(lambda: image(ec2, image_id)["State"] == "available")
    return image(ec2, image_id)


def test_a_twin_of_an_image_serves_what_the_source_had(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    (disk(local_cloud, source) / "srv" / "www" / "mark.html").write_text("from the source")
    stopped(ec2, source)
    image_id = ec2.create_image(InstanceId=source, Name="twin-source", NoReboot=True)["ImageId"]
    available(ec2, image_id)
    twin = launch(local_cloud, ImageId=image_id)
    running(ec2, twin)
    eventually(lambda: get(twin["PrivateIpAddress"], "/mark.html") == 200)
    ec2.terminate_instances(InstanceIds=[twin["InstanceId"]])


def test_nothing_written_after_the_call_is_in_the_image(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    stopped(ec2, source)
    image_id = ec2.create_image(InstanceId=source, Name="point-in-time", NoReboot=True)["ImageId"]
    (disk(local_cloud, source) / "later").write_text("written after the answer")
    mapping = available(ec2, image_id)["BlockDeviceMappings"][0]["Ebs"]
    copy = local_cloud.endpoint.dir / "images" / mapping["SnapshotId"]
    assert (copy / "etc" / "hostname").exists()
    assert not (copy / "later").exists()


def test_an_image_and_its_snapshots_are_pending_first_and_carry_their_tags(ec2: Any, source: str) -> None:
    stopped(ec2, source)
    tags = [*tagged("image", "tagged-image"), *tagged("snapshot", "tagged-snapshot")]
    image_id = ec2.create_image(InstanceId=source, Name="tagged", NoReboot=True, TagSpecifications=tags)[
        "ImageId"
    ]
    first = image(ec2, image_id)
    assert first["State"] == "pending"
    assert first["Tags"] == [{"Key": "Name", "Value": "tagged-image"}]
    snapshots = ec2.describe_snapshots(Filters=[{"Name": "tag:Name", "Values": ["tagged-snapshot"]}])
    [snapshot] = snapshots["Snapshots"]
    assert snapshot["State"] == "pending"
    assert int(snapshot["Progress"].rstrip("%")) < 100
    last = available(ec2, image_id)
    ebs = last["BlockDeviceMappings"][0]["Ebs"]
    assert (ebs["SnapshotId"], ebs["VolumeSize"]) == (snapshot["SnapshotId"], 8)
    done = ec2.describe_snapshots(SnapshotIds=[snapshot["SnapshotId"]])["Snapshots"][0]
    assert (done["State"], done["Progress"]) == ("completed", "100%")


def test_a_pending_image_cannot_be_launched(local_cloud: RunningCloud, ec2: Any) -> None:
    large = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 100}}]  # its snapshot takes seconds
    source = running(ec2, launch(local_cloud, BlockDeviceMappings=large))
    image_id = ec2.create_image(InstanceId=source, Name="too-early", NoReboot=True)["ImageId"]
    with pytest.raises(ClientError, match=r"InvalidAMIID\.Unavailable"):
        launch(local_cloud, ImageId=image_id)
    ec2.terminate_instances(InstanceIds=[source])


def test_a_snapshot_takes_as_long_as_it_is_told_to_and_the_source_starts_meanwhile(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    stopped(ec2, source)
    assert local_cloud.admin("POST", "snapshots", {"seconds": 10})[0] == 200
    began = time.monotonic()
    image_id = ec2.create_image(InstanceId=source, Name="slow", NoReboot=True)["ImageId"]
    assert local_cloud.admin("POST", "snapshots", {"seconds": 0})[0] == 200
    ec2.start_instances(InstanceIds=[source])
    states_until(ec2, source, "running")
    assert image(ec2, image_id)["State"] == "pending"
    available(ec2, image_id)
    assert time.monotonic() - began >= 10

    quick = ec2.create_image(InstanceId=source, Name="quick", NoReboot=True)["ImageId"]
    began = time.monotonic()
    available(ec2, quick)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("document", [{}, {"seconds": -1}, {"seconds": "1"}, {"seconds": 1e9}])
def test_a_time_no_snapshot_takes_is_refused(local_cloud: RunningCloud, document: dict[str, Any]) -> None:
    assert local_cloud.admin("POST", "snapshots", document)[0] == 400


def test_no_reboot_leaves_the_source_running(local_cloud: RunningCloud, ec2: Any, source: str) -> None:
    image_id = ec2.create_image(InstanceId=source, Name="live", NoReboot=True)["ImageId"]
    available(ec2, image_id)
    assert machine(local_cloud, source)["boots"] == 1


def test_without_no_reboot_the_source_is_powered_down_copied_and_booted(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    image_id = ec2.create_image(InstanceId=source, Name="rebooting")["ImageId"]
    eventually(lambda: machine(local_cloud, source)["machine"] == "off", every_seconds=0.005)
    assert state(ec2, source) == "running"
    available(ec2, image_id)
    eventually(lambda: machine(local_cloud, source)["boots"] == 2)


def test_many_images_at_once_all_become_available(ec2: Any, source: str) -> None:
    def copy(number: int) -> str:
        name = f"at-once-{number}"
        return str(ec2.create_image(InstanceId=source, Name=name, NoReboot=True)["ImageId"])

    with ThreadPoolExecutor(8) as pool:
        for image_id in list(pool.map(copy, range(16))):
            eventually(lambda image_id=image_id: image(ec2, image_id)["State"] != "pending")
            assert image(ec2, image_id)["State"] == "available"


def test_an_image_name_is_taken_once(ec2: Any, source: str) -> None:
    ec2.create_image(InstanceId=source, Name="only-once", NoReboot=True)
    again = {"InstanceId": source, "Name": "only-once", "NoReboot": True}
    assert refused(ec2.create_image, **again) == "InvalidAMIName.Duplicate"


def test_an_image_needs_an_instance_that_runs_or_is_stopped(ec2: Any, source: str) -> None:
    ec2.stop_instances(InstanceIds=[source])
    assert (
        refused(ec2.create_image, InstanceId=source, Name="while-stopping", NoReboot=True) == "IncorrectState"
    )
    states_until(ec2, source, "stopped")
    unknown = {"InstanceId": "i-0123456789abcdef0", "Name": "of-nothing"}
    assert refused(ec2.create_image, **unknown) == "InvalidInstanceID.NotFound"


def test_deleting_the_snapshot_of_a_deregistered_image_deletes_the_copy(
    local_cloud: RunningCloud, ec2: Any, source: str
) -> None:
    image_id = ec2.create_image(InstanceId=source, Name="to-delete", NoReboot=True)["ImageId"]
    snapshot_id = available(ec2, image_id)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    copy = local_cloud.endpoint.dir / "images" / snapshot_id
    assert copy.is_dir()
    assert refused(ec2.delete_snapshot, SnapshotId=snapshot_id) == "InvalidSnapshot.InUse"
    assert copy.is_dir()
    ec2.deregister_image(ImageId=image_id)
    ec2.delete_snapshot(SnapshotId=snapshot_id)
    assert not copy.exists()


def test_a_root_volume_may_grow_but_not_shrink(local_cloud: RunningCloud, ec2: Any) -> None:
    def sized(size: int) -> list[dict[str, Any]]:
        return [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": size}}]

    with pytest.raises(ClientError, match="InvalidBlockDeviceMapping"):
        launch(local_cloud, BlockDeviceMappings=sized(4))
    grown = launch(local_cloud, BlockDeviceMappings=sized(20))
    volume_id = grown["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]["Size"] == 20
    ec2.terminate_instances(InstanceIds=[grown["InstanceId"]])


def test_the_newest_debian_is_found_by_its_owner_and_name_and_boots(
    local_cloud: RunningCloud, ec2: Any
) -> None:
    named = [{"Name": "name", "Values": ["debian-12-amd64-*"]}, {"Name": "state", "Values": ["available"]}]
    found = ec2.describe_images(Owners=["136693071363"], Filters=named)["Images"]
    newest = max(found, key=lambda one: one["CreationDate"])
    assert len(found) > 1
    assert newest["Name"] == "debian-12-amd64-20260108-2351"
    assert (newest["OwnerId"], newest["Public"], newest["Architecture"]) == ("136693071363", True, "x86_64")
    own = ec2.describe_images(Owners=["self"])["Images"]
    assert not [one for one in own if one["Name"].startswith("debian")]
    for kind in ("t3.nano", "t3.micro"):
        instance_id = running(ec2, launch(local_cloud, ImageId=newest["ImageId"], InstanceType=kind))
        assert (disk(local_cloud, instance_id) / "etc/machine-id").exists()
        ec2.terminate_instances(InstanceIds=[instance_id])
