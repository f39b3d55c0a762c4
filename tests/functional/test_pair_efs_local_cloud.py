"""A site whose uploads move to EFS, from one instance to two and back, by commands, while it is uploaded to.

One story, told with the printed policies and no more: each part goes on where the one before ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import ec2_words
from support.local_cloud import RunningCloud
from support.moving import FILES, Uploader, need_mounts, page
from support.site import Site, allowed
from support.waiting import eventually

pytestmark = [pytest.mark.local_cloud, pytest.mark.timeout(600)]

ASKED = ("--port", "8080", "--health-path", "/health", "--service", "photos", "--allow-address-change")
MADE = ("--listener-port", "8080", "--drain-seconds", "1", "--yes")


class Story:
    """The site on instances of a local cloud, and what its visitors were told so far."""

    def __init__(self, cloud: RunningCloud, root: Path) -> None:
        self.cloud, self.site = cloud, Site(cloud, root / "home")
        self.ec2, self.efs = cloud.client("ec2"), cloud.client("efs")
        launched = ec2_words.launch(
            cloud,
            ImageId=cloud.image_named("nospof-demo-uploads"),
            TagSpecifications=ec2_words.tagged("instance", "photos-1"),
        )
        self.source = ec2_words.running(self.ec2, launched)
        self.writers: dict[str, Uploader] = {}
        eventually(lambda: page(self.address(self.source), "/health")[0] == 200, "the source serves")
        self.system = self.efs.create_file_system(CreationToken="photos", Encrypted=True)["FileSystemId"]

    def reach(self, many: int) -> None:
        """Have a mount target in so many of the zones, in the security group of the members."""
        group = ec2_words.instance(self.ec2, self.source)["SecurityGroups"][0]["GroupId"]
        if many > 1:
            may = {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049}
            peers = [{**may, "UserIdGroupPairs": [{"GroupId": group}]}]
            self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=peers)
        for subnet in self.ec2.describe_subnets()["Subnets"][:many]:
            asked = {"FileSystemId": self.system, "SubnetId": subnet["SubnetId"]}
            self.efs.create_mount_target(**asked, SecurityGroups=[group])

    def address(self, instance_id: str) -> str:
        """Return where an instance serves."""
        return str(ec2_words.instance(self.ec2, instance_id)["PrivateIpAddress"])

    @property
    def twin(self) -> str:
        """The instance beside the source."""
        wanted = [
            {"Name": "tag-key", "Values": ["nospof:efs"]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        found = self.ec2.describe_instances(Filters=wanted)["Reservations"]
        ids = [one["InstanceId"] for each in found for one in each["Instances"]]
        return next(one for one in ids if one != self.source)

    def allowed(self, procedures: str, *command: str) -> Any:
        """Run a command as somebody who may do what the policies of these procedures say."""
        return allowed(self.site, procedures, *command)

    @contextmanager
    def uploading(self, *instance_ids: str) -> Iterator[None]:
        """Upload by the pages of instances until the block ends."""
        with ExitStack() as writers:
            for one in instance_ids:
                number = len(self.writers)
                self.writers[f"{number}"] = Uploader(self.address(one), f"w{number}")
                writers.enter_context(self.writers[f"{number}"].always())
            yield

    def wait_for_more(self, many: int) -> None:
        """Wait until the newest writers have had more acknowledged."""
        for writer in list(self.writers.values())[-many:]:
            eventually(writer.more(), "uploads are acknowledged")

    def lost(self, instance_id: str) -> set[str]:
        """Return what was ever acknowledged and is not found by the pages of an instance."""
        status, text = page(self.address(instance_id), "/files.json")
        assert status == 200, text
        return {f for one in self.writers.values() for f in one.acknowledged if f'"{f}"' not in text}


@pytest.fixture
def story(local_cloud: RunningCloud, tmp_path: Path) -> Story:
    need_mounts()
    return Story(local_cloud, tmp_path)


def a_zone_that_does_not_reach_it_is_refused_before_anything_is_changed(story: Story) -> None:
    story.reach(1)
    done = story.site.nospof("pair", story.source, *ASKED, "--efs", f"{story.system}={FILES}", *MADE)
    assert done.returncode == 3, done.stderr
    assert "aws efs create-mount-target" in done.stderr
    assert "--port 2049 --source-group sg-" in done.stderr
    for target in story.efs.describe_mount_targets(FileSystemId=story.system)["MountTargets"]:
        story.efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    story.reach(9)


def one_becomes_two_that_have_the_same_uploads(story: Story) -> None:
    wish = ("--efs", f"{story.system}={FILES}")
    with story.uploading(story.source):
        story.wait_for_more(1)
        story.allowed("pair external", "pair", story.source, *ASKED, *wish, *MADE)
        with story.uploading(story.twin):
            story.wait_for_more(2)
    assert not story.lost(story.source)
    assert not story.lost(story.twin)
    twin = Uploader(story.address(story.twin), "at-once")
    assert twin.upload("at-once.txt")
    assert page(story.address(story.source), "/files/at-once.txt") == (200, "at-once.txt")
    assert story.allowed("data", "data", "status", "photos")["wrong"] == []


def back_to_one_with_all_that_was_ever_uploaded(story: Story) -> None:
    twin = story.twin
    with story.uploading(story.source):
        story.wait_for_more(1)
        story.allowed("undo data", "data", "undo", "photos", "--clients-are-back", "--yes")
        story.wait_for_more(1)
    assert not story.lost(story.source)
    assert ec2_words.state(story.ec2, twin) in ("shutting-down", "terminated")
    disk = story.cloud.home / "clouds" / story.cloud.endpoint.name / "machines" / story.source / "disk"
    assert (disk / FILES.strip("/") / "at-once.txt").exists()
    assert "nfs4" not in (disk / "etc/fstab").read_text()


def test_no_acknowledged_upload_is_lost_from_one_instance_to_two_on_efs_and_back(story: Story) -> None:
    a_zone_that_does_not_reach_it_is_refused_before_anything_is_changed(story)
    one_becomes_two_that_have_the_same_uploads(story)
    back_to_one_with_all_that_was_ever_uploaded(story)
