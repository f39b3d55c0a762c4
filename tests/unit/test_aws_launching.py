"""A launch as AWS is asked for it: disks that hold something, and a script that is nobody's to read."""

from __future__ import annotations

import base64
from typing import Any

from nospof.model.cloud import Instance, LaunchRequest
from nospof.model.traits import DiskTraits, Traits
from support.aws_endpoint import answering, done

LAUNCHED = done(
    "RunInstances",
    "<instancesSet><item><instanceId>i-new</instanceId><instanceType>t3.micro</instanceType>"
    "<instanceState><name>pending</name></instanceState></item></instancesSet>",
)


def image(root: str, *devices: str) -> Any:
    mappings = "".join(
        f"<item><deviceName>{one}</deviceName><ebs><snapshotId>snap-of-{one[-1]}</snapshotId></ebs></item>"
        for one in devices
    )
    return done(
        "DescribeImages",
        f"<imagesSet><item><imageId>ami-1</imageId><imageState>available</imageState><rootDeviceName>{root}"
        f"</rootDeviceName><blockDeviceMapping>{mappings}</blockDeviceMapping></item></imagesSet>",
    )


def asked(request: LaunchRequest, *answers: Any) -> Any:
    """Return RunInstances' parameters as they were sent."""
    with answering(*answers, LAUNCHED) as endpoint:
        launched = endpoint.cloud().launch(request)
    assert isinstance(launched, Instance)
    assert endpoint.actions[-1] == "RunInstances"
    return endpoint.asked[-1]


def request(**changes: Any) -> LaunchRequest:
    return LaunchRequest("token-1", "ami-1", "t3.micro", "subnet-1", **changes)


def test_a_further_disk_comes_from_the_images_snapshot_and_one_the_image_has_not_is_left_out() -> None:
    disks = tuple(DiskTraits(device, "gp3", 8, 4000) for device in ("/dev/xvda", "/dev/sdf", "/dev/sdg"))
    sent = asked(request(traits=Traits(disks=disks)), image("/dev/xvda", "/dev/xvda", "/dev/sdf"))
    assert sent["BlockDeviceMapping.1.DeviceName"] == "/dev/xvda"
    assert "BlockDeviceMapping.1.Ebs.SnapshotId" not in sent
    assert sent["BlockDeviceMapping.2.DeviceName"] == "/dev/sdf"
    assert sent["BlockDeviceMapping.2.Ebs.SnapshotId"] == "snap-of-f"
    assert sent["BlockDeviceMapping.2.Ebs.Iops"] == "4000"
    assert "BlockDeviceMapping.3.DeviceName" not in sent


def test_a_script_is_sent_as_aws_takes_it() -> None:
    sent = asked(request(user_data="#!/bin/sh\n"))
    assert base64.b64decode(sent["UserData"]) == b"#!/bin/sh\n"


def test_c51_user_data_of_any_bytes_is_handed_on_as_it_is() -> None:
    script = b"\x1f\x8b\x00\xff"
    told = base64.b64encode(script).decode()
    answer = done("DescribeInstanceAttribute", f"<userData><value>{told}</value></userData>")
    sent = asked(request(user_data_of="i-source"), answer)
    assert base64.b64decode(sent["UserData"]) == script
