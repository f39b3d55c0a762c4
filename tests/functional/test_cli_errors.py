"""What the command line says to a request that cannot be carried out: one clear line, the right code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.local_cloud import RunningCloud, running_cloud
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

USAGE, REFUSED, CLOUD_REFUSED = 2, 3, 5


@pytest.fixture(scope="module")
def cloud() -> Iterator[RunningCloud]:
    with running_cloud() as running:
        yield running


def nospof(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": str(home / "no"), "AWS_SHARED_CREDENTIALS_FILE": str(home / "no")}
    nowhere["AWS_EC2_METADATA_DISABLED"] = "true"
    return subprocess.run(
        [sys.executable, "-m", "nospof", *arguments],
        env={**kept, **nowhere, "NOSPOF_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    lines = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert len(lines) == 1, done.stderr
    for part in parts:
        assert part in lines[0]


def instance(cloud: RunningCloud, subnet: str = "") -> str:
    asked = {"SubnetId": subnet} if subnet else {}
    launched = cloud.client("ec2").run_instances(
        ImageId=cloud.image_named("nospof-demo-site"),
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
        **asked,
    )
    return str(launched["Instances"][0]["InstanceId"])


def state(cloud: RunningCloud, instance_id: str) -> str:
    found = cloud.client("ec2").describe_instances(InstanceIds=[instance_id])
    return str(found["Reservations"][0]["Instances"][0]["State"]["Name"])


def everything(cloud: RunningCloud) -> tuple[object, ...]:
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    instances = [
        (one["InstanceId"], one["State"]["Name"], one.get("Tags"))
        for reservation in ec2.describe_instances()["Reservations"]
        for one in reservation["Instances"]
    ]
    images = [one["ImageId"] for one in ec2.describe_images(Owners=["self"])["Images"]]
    groups = [one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"]]
    return instances, images, groups, elb.describe_load_balancers()["LoadBalancers"]


COMMANDS = (
    ("clone", "--yes"),
    ("clone", "--plan"),
    ("pair", "--yes", "--stateless"),
    ("maintain", "take", "--yes"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_instance_is_named_and_nothing_is_changed(cloud, tmp_path, command):
    before = everything(cloud)
    done = nospof(tmp_path, *command, "i-0123456789abcdef0", **cloud.environment)
    assert_refused(done, CLOUD_REFUSED, "i-0123456789abcdef0", "does not exist")
    assert everything(cloud) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminated_instance_is_refused(cloud, tmp_path, command):
    gone = instance(cloud)
    cloud.client("ec2").terminate_instances(InstanceIds=[gone])
    eventually(lambda: state(cloud, gone) == "terminated")
    before = everything(cloud)
    done = nospof(tmp_path, *command, gone, **cloud.environment)
    assert_refused(done, REFUSED, gone, "terminated", "Nothing was changed")
    assert everything(cloud) == before


def test_another_region_does_not_know_the_instance(cloud, tmp_path):
    here = instance(cloud)
    done = nospof(tmp_path, "clone", here, "--yes", "--region", "eu-west-1", **cloud.environment)
    assert_refused(done, CLOUD_REFUSED, here, "region")


def test_a_region_that_cannot_be_one_is_a_usage_error(cloud, tmp_path):
    done = nospof(tmp_path, "audit", "--region", "eu_west_1", **cloud.environment)
    assert_refused(done, USAGE, "eu_west_1")


def test_no_region_says_how_to_give_one(tmp_path):
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    done = nospof(tmp_path, "audit", **keys)
    assert_refused(done, USAGE, "--region")


def test_no_credentials_says_where_they_come_from(tmp_path):
    assert_refused(nospof(tmp_path, "audit", "--region", "eu-central-1"), USAGE, "credentials")


def test_an_unknown_profile_is_named(tmp_path):
    done = nospof(tmp_path, "audit", "--profile", "nobody", "--region", "eu-central-1")
    assert_refused(done, USAGE, "nobody")


def test_an_endpoint_that_is_down_is_named(cloud, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = nospof(tmp_path, "clone", "i-1", "--yes", **{**cloud.environment, "AWS_ENDPOINT_URL": url})
    assert_refused(done, CLOUD_REFUSED, url)


def test_a_vpc_with_one_zone_is_refused_with_both_ways_out(cloud, tmp_path):
    ec2 = cloud.client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    keep = min(subnets, key=lambda subnet: subnet["AvailabilityZone"])
    with running_cloud() as own:
        other = own.client("ec2")
        for subnet in other.describe_subnets()["Subnets"]:
            if subnet["AvailabilityZone"] != keep["AvailabilityZone"]:
                other.delete_subnet(SubnetId=subnet["SubnetId"])
        alone = instance(own)
        eventually(lambda: state(own, alone) == "running")
        before = everything(own)
        done = nospof(tmp_path, "clone", alone, "--yes", "--port", "8080", **own.environment)
        assert_refused(done, REFUSED, "--same-zone", "create-subnet", "Nothing was changed")
        asked = ["pair", alone, "--yes", "--stateless", "--port", "8080", "--listener-port", "8080"]
        assert_refused(nospof(tmp_path, *asked, **own.environment), REFUSED, "two zones")
        assert everything(own) == before

        done = nospof(tmp_path, "clone", alone, "--yes", "--port", "8080", "--same-zone", **own.environment)
        assert done.returncode == 0, done.stderr
        groups = {
            one["Placement"].get("GroupName")
            for reservation in other.describe_instances()["Reservations"]
            for one in reservation["Instances"]
        }
        assert groups == {f"nospof-{alone}"}


def test_pair_without_a_word_about_state_is_refused(cloud, tmp_path):
    here = instance(cloud)
    eventually(lambda: state(cloud, here) == "running")
    done = nospof(tmp_path, "pair", here, "--yes", "--port", "8080", **cloud.environment)
    assert_refused(done, REFUSED, "--stateless", "Nothing was changed")


def test_without_yes_and_without_a_person_nothing_is_done(cloud, tmp_path):
    here = instance(cloud)
    before = everything(cloud)
    done = nospof(tmp_path, "clone", here, "--port", "8080", **cloud.environment)
    assert_refused(done, USAGE, "--yes")
    assert [row[0] for row in everything(cloud)[0]] == [row[0] for row in before[0]]


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = nospof(tmp_path, "cloud", "start", "--port", port)
    assert_refused(done, REFUSED, port)
    assert not list(tmp_path.glob("clouds/*/machines/*"))


@pytest.mark.parametrize("command", ["status", "stop", "env"])
def test_a_cloud_that_is_not_there_says_how_to_start_one(tmp_path, command):
    assert_refused(nospof(tmp_path, "cloud", command, "--name", "nowhere"), REFUSED, "nowhere")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("a disk without space can be mounted by root only")
    place = tmp_path / "full"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_no_space_for_the_journal_is_refused_before_anything(cloud, full_disk):
    here = instance(cloud)
    eventually(lambda: state(cloud, here) == "running")
    before = everything(cloud)
    done = nospof(full_disk, "clone", here, "--yes", "--port", "8080", **cloud.environment)
    assert_refused(done, REFUSED, str(full_disk), "NOSPOF_HOME", "Nothing was changed")
    assert everything(cloud) == before


@pytest.mark.parametrize("command", [["cloud", "start"], ["demo", "--exit"]])
def test_no_space_for_a_local_cloud_is_refused(full_disk, command):
    done = nospof(full_disk, *command)
    assert done.returncode == REFUSED, done.stderr
    assert "space" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [["clone"], ["cloen", "i-1"], ["clone", "i-1", "--port", "http"], ["runs", "show", "clone-9"], ["drill"]],
)
def test_a_typo_is_a_usage_error(tmp_path, arguments):
    done = nospof(tmp_path, *arguments)
    assert done.returncode == USAGE
    assert "Traceback" not in done.stderr


def test_an_error_is_json_when_that_was_asked_for(cloud, tmp_path):
    done = nospof(tmp_path, "clone", "i-0123456789abcdef0", "--yes", "--format", "json", **cloud.environment)
    error = json.loads(done.stdout)["error"]
    assert done.returncode == CLOUD_REFUSED
    assert (error["kind"], error["code"], error["exit_code"]) == ("NotFound", "InvalidInstanceID.NotFound", 5)
