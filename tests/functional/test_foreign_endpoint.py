"""nospof as a program against plain moto: plans are made, and a source comes back on that cannot be imaged.

moto's CreateImage answers 500 when snapshots are to be tagged, so no twin can come of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.addresses import prefix
from support.ec2_words import state
from support.local_cloud import client
from support.moto_server import running_moto
from support.page_server import page_server
from support.site import nospof

REGION = "eu-west-3"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with running_moto() as url:
        yield url


@pytest.fixture(scope="module")
def ec2(moto: str) -> Any:
    return client(moto, "ec2", REGION)


@pytest.fixture
def source(ec2: Any) -> Iterator[tuple[str, str]]:
    """The only machine, in the first of two zones, whose address answers on a port of this computer."""
    vpc = ec2.create_vpc(CidrBlock=f"{prefix()}.96/27")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"{prefix()}.{first}/28", AvailabilityZone=f"{REGION}{zone}")
        for first, zone in ((96, "a"), (112, "b"))
    ]
    image = ec2.register_image(Name="base", RootDeviceName="/dev/sda1")["ImageId"]
    asked = {"ImageId": image, "InstanceType": "t3.micro", "SubnetId": subnets[0]["Subnet"]["SubnetId"]}
    instance = ec2.run_instances(MinCount=1, MaxCount=1, **asked)["Instances"][0]
    with page_server(instance["PrivateIpAddress"]) as server:
        yield instance["InstanceId"], str(server.port)
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])


def run(moto: str, home: Path, *arguments: str) -> Any:
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
    return nospof(home, *arguments, **keys, AWS_ENDPOINT_URL=moto)


@pytest.mark.parametrize("asked", [["clone"], ["clone", "--live"], ["pair", "--stateless"]])
def test_a_plan_is_made_and_changes_nothing(
    moto: str, ec2: Any, source: tuple[str, str], tmp_path: Path, asked: list[str]
) -> None:
    instance_id, port = source
    before = ec2.describe_instances()["Reservations"]
    done = run(moto, tmp_path, asked[0], instance_id, *asked[1:], "--port", port, "--plan")
    assert done.returncode == 0, done.stderr
    assert "ec2:CreateImage" in done.stdout
    assert f"{REGION}b" in done.stdout
    assert ec2.describe_instances()["Reservations"] == before


def test_a_source_that_cannot_be_imaged_runs_again(
    moto: str, ec2: Any, source: tuple[str, str], tmp_path: Path
) -> None:
    instance_id, port = source
    done = run(moto, tmp_path, "clone", instance_id, "--port", port, "--yes")
    assert done.returncode == 4, done.stderr
    assert "No answer came to ec2:CreateImage" in done.stderr
    assert "nospof runs resume" in done.stderr
    assert state(ec2, instance_id) == "running"
    alive = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    assert len(ec2.describe_instances(Filters=alive)["Reservations"]) == 1
