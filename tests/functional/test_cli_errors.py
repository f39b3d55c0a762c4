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

from support.ec2_words import launch, running, states_until
from support.local_cloud import running_cloud
from support.site import environment_of, everything, nospof

pytestmark = pytest.mark.local_cloud

USAGE, REFUSED, CLOUD_REFUSED = 2, 3, 5


def assert_refused(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    lines = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert len(lines) == 1, done.stderr
    for part in parts:
        assert part in lines[0]


COMMANDS = (
    ("clone", "--yes"),
    ("clone", "--plan"),
    ("pair", "--yes", "--stateless"),
    ("maintain", "take", "--yes"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_instance_is_named_and_nothing_is_changed(local_cloud, tmp_path, command):
    before = everything(local_cloud)
    done = nospof(tmp_path, *command, "i-0123456789abcdef0", **local_cloud.environment)
    assert_refused(done, CLOUD_REFUSED, "i-0123456789abcdef0", "does not exist")
    assert everything(local_cloud) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminated_instance_is_refused(local_cloud, tmp_path, command):
    ec2 = local_cloud.client("ec2")
    gone = launch(local_cloud)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[gone])
    states_until(ec2, gone, "terminated")
    before = everything(local_cloud)
    done = nospof(tmp_path, *command, gone, **local_cloud.environment)
    assert_refused(done, REFUSED, gone, "terminated", "Nothing was changed")
    assert everything(local_cloud) == before


def test_another_region_does_not_know_the_instance(local_cloud, tmp_path):
    here = launch(local_cloud)["InstanceId"]
    done = nospof(tmp_path, "clone", here, "--yes", "--region", "eu-west-1", **local_cloud.environment)
    assert_refused(done, CLOUD_REFUSED, here, "region")


def test_a_region_that_cannot_be_one_is_a_usage_error(local_cloud, tmp_path):
    done = nospof(tmp_path, "audit", "--region", "eu_west_1", **local_cloud.environment)
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


def test_an_endpoint_that_is_down_is_named(local_cloud, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = nospof(
            tmp_path, "clone", "i-1", "--yes", **{**local_cloud.environment, "AWS_ENDPOINT_URL": url}
        )
    assert_refused(done, CLOUD_REFUSED, url)


def test_a_vpc_with_one_zone_is_refused_with_both_ways_out(local_cloud, tmp_path):
    ec2 = local_cloud.client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    keep = min(subnets, key=lambda subnet: subnet["AvailabilityZone"])
    with running_cloud() as own:
        other = own.client("ec2")
        for subnet in other.describe_subnets()["Subnets"]:
            if subnet["AvailabilityZone"] != keep["AvailabilityZone"]:
                other.delete_subnet(SubnetId=subnet["SubnetId"])
        alone = running(other, launch(own))
        before = everything(own)
        done = nospof(
            tmp_path, "clone", alone, "--yes", "--allow-address-change", "--port", "8080", **own.environment
        )
        assert_refused(done, REFUSED, "--same-zone", "create-subnet", "Nothing was changed")
        asked = [
            "pair",
            alone,
            "--yes",
            "--stateless",
            "--allow-address-change",
            "--port",
            "8080",
            "--listener-port",
            "8080",
        ]
        assert_refused(nospof(tmp_path, *asked, **own.environment), REFUSED, "two zones")
        assert everything(own) == before

        done = nospof(
            tmp_path,
            "clone",
            alone,
            "--yes",
            "--allow-address-change",
            "--port",
            "8080",
            "--same-zone",
            **own.environment,
        )
        assert done.returncode == 0, done.stderr
        groups = {
            one["Placement"].get("GroupName")
            for reservation in other.describe_instances()["Reservations"]
            for one in reservation["Instances"]
        }
        assert groups == {f"nospof-{alone}"}


def test_without_yes_and_without_a_person_nothing_is_done(local_cloud, tmp_path):
    here = launch(local_cloud)["InstanceId"]
    before = everything(local_cloud)
    done = nospof(
        tmp_path, "clone", here, "--allow-address-change", "--port", "8080", **local_cloud.environment
    )
    assert_refused(done, USAGE, "--yes")
    assert [row[0] for row in everything(local_cloud)["instances"]] == [row[0] for row in before["instances"]]


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


def test_no_space_for_the_journal_is_refused_before_anything(local_cloud, full_disk):
    here = running(local_cloud.client("ec2"), launch(local_cloud))
    before = everything(local_cloud)
    done = nospof(
        full_disk,
        "clone",
        here,
        "--yes",
        "--allow-address-change",
        "--port",
        "8080",
        **local_cloud.environment,
    )
    assert_refused(done, REFUSED, str(full_disk), "NOSPOF_HOME", "Nothing was changed")
    assert everything(local_cloud) == before


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


def test_an_error_is_json_when_that_was_asked_for(local_cloud, tmp_path):
    done = nospof(
        tmp_path, "clone", "i-0123456789abcdef0", "--yes", "--format", "json", **local_cloud.environment
    )
    error = json.loads(done.stdout)["error"]
    assert done.returncode == CLOUD_REFUSED
    assert (error["kind"], error["code"], error["exit_code"]) == ("NotFound", "InvalidInstanceID.NotFound", 5)


def test_the_variables_of_a_local_cloud_can_be_evaluated_by_a_shell(local_cloud):
    shown = "$AWS_ENDPOINT_URL ${AWS_PROFILE-none} $AWS_REGION"
    script = f'eval $("$0" -m nospof cloud env --name test); echo "{shown}"'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable],
        env=environment_of(local_cloud.home, AWS_PROFILE="production"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == f"{local_cloud.url} none us-east-1\n"


def test_c26_a_name_that_holds_the_address_is_told_before_the_address_is_lost(local_cloud, tmp_path):
    ec2, names = local_cloud.client("ec2"), local_cloud.client("route53")
    here = running(ec2, launch(local_cloud))
    (shown,) = ec2.describe_instances(InstanceIds=[here])["Reservations"][0]["Instances"]
    zone = names.create_hosted_zone(Name="example.org", CallerReference="test")["HostedZone"]["Id"]
    record = {
        "Name": "www.example.org",
        "Type": "A",
        "TTL": 300,
        "ResourceRecords": [{"Value": shown["PublicIpAddress"]}],
    }
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    names.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    done = nospof(tmp_path, "clone", here, "--yes", "--port", "8080", **local_cloud.environment)
    assert_refused(done, REFUSED, "www.example.org", "--allow-address-change", "Nothing was changed")


def test_c15_a_source_whose_key_is_disabled_is_not_stopped(local_cloud, tmp_path):
    ec2, kms = local_cloud.client("ec2"), local_cloud.client("kms")
    made = kms.create_key()["KeyMetadata"]
    key = made["Arn"]
    disk = {"VolumeSize": 1, "Encrypted": True, "KmsKeyId": key}
    here = running(ec2, launch(local_cloud, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": disk}]))
    asked = ["clone", here, "--plan", "--allow-address-change", "--port", "8080"]
    usable = nospof(tmp_path, *asked, **local_cloud.environment)
    assert usable.returncode == 0, usable.stderr
    assert f"kms:CreateGrant on {key}" in usable.stdout
    kms.disable_key(KeyId=made["KeyId"])
    refused = nospof(tmp_path, *asked, **local_cloud.environment)
    assert_refused(refused, REFUSED, "would not come back", key, "Disabled")
