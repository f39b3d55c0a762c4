"""Short words for tests that drive instances through boto3."""

from __future__ import annotations

import http.client
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.local_cloud import REGION, RunningCloud
from support.waiting import eventually


def instance(ec2: Any, instance_id: str) -> dict[str, Any]:
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]  # type: ignore[no-any-return]


def state(ec2: Any, instance_id: str) -> str:
    return str(instance(ec2, instance_id)["State"]["Name"])


def states_until(ec2: Any, instance_id: str, last: str) -> list[str]:
    """Return the different states seen, in order, up to the last one."""
    seen: list[str] = []

    def reached() -> bool:
        now = state(ec2, instance_id)
        if not seen or seen[-1] != now:
            seen.append(now)
        return now == last

    eventually(reached, every_seconds=0.02)
    return seen


def running(ec2: Any, launched: dict[str, Any]) -> str:
    """Wait until a launched instance runs; return its id."""
    states_until(ec2, launched["InstanceId"], "running")
    return str(launched["InstanceId"])


def stopped(ec2: Any, instance_id: str) -> None:
    """Stop an instance and wait until it is stopped."""
    ec2.stop_instances(InstanceIds=[instance_id])
    states_until(ec2, instance_id, "stopped")


def status(ec2: Any, instance_id: str) -> dict[str, Any]:
    answer = ec2.describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)
    return answer["InstanceStatuses"][0]  # type: ignore[no-any-return]


def healthy(ec2: Any, instance_id: str) -> None:
    """Wait until the instance's status check passes."""
    eventually(lambda: status(ec2, instance_id)["InstanceStatus"]["Status"] == "ok")


def get(address: str, path: str = "/health", port: int = 8080) -> int:
    """Return the status of a page of the demo site, 0 when nothing answers."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", path)
        with connection.getresponse() as answer:
            return answer.status
    except OSError:
        return 0
    finally:
        connection.close()


def machine(cloud: RunningCloud, instance_id: str) -> dict[str, Any]:
    """Return what the local cloud says of an instance's machine."""
    _, answer = cloud.admin("GET", "status")
    return next(entry for entry in answer["machines"] if entry["instance"] == instance_id)  # type: ignore[no-any-return]


def launch(
    cloud: RunningCloud, image: str = "nospof-demo-site", region: str = REGION, **changes: Any
) -> dict[str, Any]:
    """Launch one instance."""
    request = {
        "ImageId": cloud.image_named(image, region) if "ImageId" not in changes else "",
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
        **changes,
    }
    return cloud.client("ec2", region).run_instances(**request)["Instances"][0]  # type: ignore[no-any-return]


def refused(call: Any, **request: Any) -> str:
    """Return the code a call is refused with; fail when it is not."""
    with pytest.raises(ClientError) as failure:
        call(**request)
    return str(failure.value.response["Error"]["Code"])


def tagged(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]
