"""What is announced for a service is taken on machines that run, in each way, while clients read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.balanced import balanced, least_healthy, wait_for_health
from support.ec2_words import launch, running
from support.site import Site, allowed, clients_of

pytestmark = pytest.mark.local_cloud

DAY = 86_400


class Pair:
    """A service of two members, and what AWS has announced for them."""

    def __init__(self, site: Site, name: str) -> None:
        self.site, self.name = site, name
        launched = [launch(site.cloud) for _ in range(2)]
        self.members = [running(site.cloud.client("ec2"), one) for one in launched]
        self.host, self.group = balanced(site.cloud, self.members, name)
        wait_for_health(site.cloud, self.group, 2)

    def announce(self, member: str, code: str, seconds: float) -> None:
        asked = {"instance": member, "code": code, "seconds": seconds}
        assert self.site.cloud.admin("POST", "event", asked)[0] == 200

    def events(self) -> dict[str, list[datetime]]:
        """Return when what is ahead begins, by member."""
        found = self.site.cloud.client("ec2").describe_instance_status(InstanceIds=self.members)
        return {
            one["InstanceId"]: [
                event["NotBefore"] for event in one.get("Events", ()) if event["Description"][0] != "["
            ]
            for one in found["InstanceStatuses"]
        }

    def apply(self, *more: str) -> list[dict[str, Any]]:
        """Take what is announced, as somebody who may do just that, while nobody notices and one serves."""
        command = ("maintain", "apply", self.name, "--yes", *more)
        with clients_of(self.host) as answers, least_healthy(self.site.cloud, [self.group]) as healthy:
            taken = allowed(self.site, "apply", *command)["result"]["members"]
        assert (set(answers), min(healthy) >= 1) == ({200}, True)
        wait_for_health(self.site.cloud, self.group, 2)
        return list(taken)


def test_c46_both_members_are_taken_in_one_night_the_nearer_event_first(site: Site) -> None:
    pair = Pair(site, "both")
    first, second = pair.members
    pair.announce(first, "system-reboot", 2 * DAY)
    pair.announce(second, "instance-retirement", DAY)
    taken = pair.apply()
    assert [(one["instance_id"], one["way"], one["left"]) for one in taken] == [
        (second, "stop-start", []),
        (first, "stop-start", []),
    ]
    assert pair.events() == {first: [], second: []}


def test_a_member_is_out_of_its_service_while_aws_reboots_it(site: Site) -> None:
    pair = Pair(site, "theirs")
    pair.announce(pair.members[0], "system-reboot", 20)
    (taken,) = pair.apply("--by", "aws")
    assert (taken["instance_id"], taken["way"], taken["left"]) == (pair.members[0], "aws", [])
    assert pair.events() == {one: [] for one in pair.members}


def test_events_are_moved_into_the_owners_window_one_after_the_other(site: Site, tmp_path: Path) -> None:
    pair = Pair(site, "moved")
    for one in pair.members:
        pair.announce(one, "system-reboot", 2 * DAY)
    begins = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=6)
    settings = tmp_path / "nospof.yaml"
    window = f"daily {begins:%H:%M}-{begins + timedelta(hours=3):%H:%M}"
    settings.write_text(f'services: {{moved: {{maintenance: "{window}"}}}}\n')
    moved = pair.apply("--by", "move", "--settings", str(settings))
    assert [one["seconds_out_of_service"] for one in moved] == [0.0, 0.0]
    first, second = sorted(when for times in pair.events().values() for when in times)
    assert begins <= first < second
    assert any(second < begins + timedelta(days=day, hours=3) for day in range(3))
