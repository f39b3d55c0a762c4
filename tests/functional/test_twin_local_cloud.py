"""A twin on real disks: it is what its source is, but nobody takes it for its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nospof.model.permissions import policy
from support import ec2_words
from support.iam_keys import new_key
from support.site import SITE, Site
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

SCRIPT = "#!/bin/sh\necho ran >>ran-user-data\n"
SETTINGS = {
    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
    "CreditSpecification": {"CpuCredits": "standard"},
    "Monitoring": {"Enabled": True},
    "UserData": SCRIPT,
}


def disk(site: Site, instance_id: str) -> Path:
    return site.cloud.endpoint.dir / "machines" / instance_id / "disk"


def twin_of(site: Site, source: str) -> dict[str, Any]:
    tagged = [{"Name": "tag:nospof:twin-of", "Values": [source]}]
    found = site.cloud.client("ec2").describe_instances(Filters=tagged)["Reservations"]
    ((twin,),) = [each["Instances"] for each in found]
    return twin  # type: ignore[no-any-return]


def volumes_of(site: Site, instance_id: str) -> dict[str, str]:
    """Return an instance's volumes by device."""
    shown = ec2_words.instance(site.cloud.client("ec2"), instance_id)
    return {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in shown["BlockDeviceMappings"]}


def launched(site: Site, name: str) -> str:
    """Launch a site with settings of its own, whose first boot has ended."""
    ec2 = site.cloud.client("ec2")
    image = site.cloud.image_named("nospof-demo-site")
    (described,) = ec2.describe_images(ImageIds=[image])["Images"]
    bought = {"VolumeType": "gp3", "Iops": 4000, "Throughput": 250, "DeleteOnTermination": True}
    instance_id = ec2_words.running(
        ec2,
        ec2_words.launch(
            site.cloud,
            BlockDeviceMappings=[{"DeviceName": described["RootDeviceName"], "Ebs": bought}],
            TagSpecifications=[
                *ec2_words.tagged("instance", name),
                {"ResourceType": "volume", "Tags": [{"Key": "backup", "Value": "daily"}]},
            ],
            **SETTINGS,
        ),
    )
    eventually(lambda: (disk(site, instance_id) / "ran-user-data").exists(), "its first boot has ended")
    return instance_id


def test_c48_c49_c50_c51_a_twin_is_what_its_source_is_with_an_identity_of_its_own(site: Site) -> None:
    source = launched(site, "twinned")
    (disk(site, source) / "etc/ssh").mkdir()
    before = {name: (disk(site, source) / f"etc/{name}").read_text() for name in ("machine-id", "hostname")}
    # Where it is wanted first there is no room; a rehearsal has no token, so it finds nothing amiss.
    no_room = {"service": "ec2", "action": "RunInstances", "code": "InsufficientInstanceCapacity"}
    assert site.cloud.admin("POST", "inject", {**no_room, "match": "clone-[0-9a-f-]*-twin"})[0] == 200
    try:
        answer = site.answer("clone", source, *SITE, "--yes")
        run = answer["run_id"]
    finally:
        site.cloud.admin("DELETE", "inject")
    steps = [step["name"] for step in site.answer("runs", "show", run)["steps"]]
    assert len([name for name in steps if name.startswith("launch the twin")]) == 2
    ec2, twin = site.cloud.client("ec2"), twin_of(site, source)
    own, mine = disk(site, twin["InstanceId"]), ec2_words.instance(ec2, source)

    assert answer["result"]["identities"] == []
    assert (own / "var/lib/nospof-twin").read_text().strip() == run
    assert (own / "etc/machine-id").read_text() != before["machine-id"]
    assert (own / "etc/hostname").read_text().strip() == "twinned-twin"
    assert (own / "ran-user-data").read_text().splitlines() == ["ran"]  # by the source, before the copy
    for name, text in before.items():
        assert (disk(site, source) / f"etc/{name}").read_text() == text

    assert twin["MetadataOptions"] == mine["MetadataOptions"]
    assert twin["Monitoring"] == mine["Monitoring"]
    assert ec2_words.get(twin["PrivateIpAddress"]) == 200
    volumes = ec2.describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [source, twin["InstanceId"]]}]
    )["Volumes"]
    assert [(one["Iops"], one["Throughput"]) for one in volumes] == [(4000, 250)] * 2
    assert [{tag["Key"]: tag["Value"] for tag in one["Tags"]}["backup"] for one in volumes] == ["daily"] * 2


def test_c51_the_sources_user_data_runs_on_the_twin_where_that_is_asked_for(site: Site) -> None:
    source = launched(site, "copied")
    answer = site.answer("clone", source, *SITE, "--yes", "--copy-user-data")
    assert "machine id /etc/machine-id" in answer["result"]["identities"][0]
    twin = twin_of(site, source)
    ran = disk(site, twin["InstanceId"]) / "ran-user-data"
    eventually(lambda: ran.read_text().splitlines() == ["ran", "ran"], "it has run again")


def test_what_no_launch_gives_the_twin_is_given_it_with_the_printed_policy(site: Site) -> None:
    ec2 = site.cloud.client("ec2")
    disks = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "VolumeType": "gp3"}}]
    launch = ec2_words.launch(
        site.cloud, BlockDeviceMappings=disks, TagSpecifications=ec2_words.tagged("instance", "router")
    )
    source = ec2_words.running(ec2, launch)
    ec2.modify_instance_attribute(InstanceId=source, SourceDestCheck={"Value": False})
    volume = volumes_of(site, source)["/dev/sdf"]
    ec2.create_tags(Resources=[volume], Tags=[{"Key": "backup", "Value": "hourly"}])

    who = new_key(site.cloud, *policy("clone")["Statement"])
    done = site.nospof(
        "clone", source, *SITE, "--yes", **{name.upper(): value for name, value in who.items()}
    )
    assert done.returncode == 0, done.stderr
    twin = twin_of(site, source)
    assert twin["SourceDestCheck"] is False
    (told,) = ec2.describe_volumes(VolumeIds=[volumes_of(site, twin["InstanceId"])["/dev/sdf"]])["Volumes"]
    tags = {tag["Key"]: tag["Value"] for tag in told["Tags"]}
    assert (tags["backup"], tags["nospof:twin-of"]) == ("hourly", source)
