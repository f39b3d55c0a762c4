"""A shop with a MariaDB of its own on instances of a local cloud, written to while commands are run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support import ec2_words
from support.local_cloud import RunningCloud
from support.shop import Ledger, Shop, writing, written_more
from support.site import Site, allowed
from support.waiting import eventually

ASKED = ("--port", "8080", "--health-path", "/health", "--service", "shop", "--allow-address-change")
MADE = ("--listener-port", "8080", "--drain-seconds", "1", "--yes")


class Story(Shop):
    """The shop on instances of a local cloud, and what its application was told so far."""

    def __init__(self, cloud: RunningCloud, root: Path) -> None:
        self.site, self.root = Site(cloud, root / "home"), root
        self.ledgers, self.links = [], set()
        self.cloud = cloud
        image = cloud.image_named("nospof-demo-shop")
        launched = ec2_words.launch(
            cloud, ImageId=image, TagSpecifications=ec2_words.tagged("instance", "shop-1")
        )
        self.source = ec2_words.running(cloud.client("ec2"), launched)
        eventually(lambda: self.answers(self.source), "the plain server answers")

    ledgers: list[Ledger]

    def close(self) -> None:
        """Leave the instances to their cloud."""
        for link in self.links:
            link.unlink(missing_ok=True)

    def disk(self, name: str) -> Path:
        """Return an instance's disk."""
        return self.cloud.home / "clouds" / self.cloud.endpoint.name / "machines" / name / "disk"

    @property
    def twin(self) -> str:
        """The instance beside the source."""
        return next(one for one in self.tagged("nospof:data", "galera") if one != self.source)

    def tagged(self, key: str, value: str) -> list[str]:
        """Return the instances that are marked so and not gone."""
        wanted = [
            {"Name": f"tag:{key}", "Values": [value]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        found = self.cloud.client("ec2").describe_instances(Filters=wanted)["Reservations"]
        return [one["InstanceId"] for each in found for one in each["Instances"]]

    def allowed(self, procedures: str, *command: str) -> Any:
        """Run a command as somebody who may do what the policies of these procedures say."""
        return allowed(self.site, procedures, *command)

    def written(self, *doors: str) -> Any:
        """Write by these doors while something happens."""
        context = writing(self, [one for one in doors for _ in range(2)], f"w{len(self.ledgers)}")
        ledger = context.__enter__()
        self.ledgers.append(ledger)
        return context, ledger

    def lost(self, name: str) -> set[str]:
        """Return what was ever acknowledged and is not found by an application of an instance."""
        return {order for ledger in self.ledgers for order in ledger.acknowledged} - self.orders(name)


def while_writing(story: Story, doors: tuple[str, ...], *command: str) -> Any:
    """Run a command under writes that go on before, meanwhile and afterwards."""
    context, ledger = story.written(*doors)
    try:
        eventually(written_more(ledger), "writes are acknowledged before")
        answer = story.allowed(*command)
        eventually(written_more(ledger), "writes are acknowledged afterwards")
    finally:
        context.__exit__(None, None, None)
    return answer
