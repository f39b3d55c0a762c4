"""A shop with a MariaDB of its own, from one instance to two and back, by commands, while it is written to.

One story, told with the printed policies and no more: each part goes on where the one before ended. Whoever
writes does so as an application does, by the socket it has always used.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import ec2_words
from support.local_cloud import RunningCloud
from support.shop import need_galera, written_more
from support.shop_story import ASKED, MADE, Story, while_writing
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def story(local_cloud: RunningCloud, tmp_path: Path) -> Iterator[Story]:
    need_galera()
    told = Story(local_cloud, tmp_path)
    yield told
    told.close()


def the_plan_says_how_its_data_is_kept_and_changes_nothing(story: Story) -> None:
    plan = story.allowed("pair", "pair", story.source, *ASKED, "--plan")
    assert "kept in step by Galera" in plan["says"]
    assert [one["says"] for one in plan["calls"]][1] == "restart its database as a cluster of one"
    assert story.tagged("nospof:data", "galera") == []


def one_becomes_two_that_have_everything_and_one_is_written_to(story: Story) -> None:
    while_writing(story, (story.source,), "pair", "pair", story.source, *ASKED, *MADE)
    assert not story.lost(story.source)
    assert not story.lost(story.twin)
    eventually(lambda: story.writer(story.source) == story.writer(story.twin), "both doors agree")
    assert story.allowed("data", "data", "status", "shop")["wrong"] == []
    assert story.allowed("data", "data", "check", "shop")["different"] == []
    assert story.allowed("watch", "data", "watch", "shop", "--once")["kind"] == "in-step"


def maintenance_has_the_writes_elsewhere_first(story: Story) -> None:
    status, _ = story.cloud.admin(
        "POST", "event", {"instance": story.source, "code": "system-reboot", "seconds": 86400}
    )
    assert status == 200
    while_writing(story, (story.twin,), "take", "maintain", "take", story.source, "--yes")
    assert not story.lost(story.source)
    assert not story.ledgers[-1].conflicts


def all_of_them_killed_at_once_come_together_again(story: Story) -> None:
    everybody = (story.source, story.twin, *story.tagged("nospof:arbitrator", "shop"))
    context, ledger = story.written(story.source)
    eventually(written_more(ledger), "writes are acknowledged before")
    for one in everybody:
        assert story.cloud.admin("POST", "fault", {"instance": one, "fault": "kill"})[0] == 200
    context.__exit__(None, None, None)
    story.allowed("rejoin data", "data", "rejoin", "shop", "--yes")
    assert not story.lost(story.source)
    assert not story.lost(story.twin)


def back_to_one_plain_server_with_all_that_was_ever_written(story: Story) -> None:
    twin = story.twin
    command = ("data", "undo", "shop", "--clients-are-back", "--yes")
    while_writing(story, (story.source,), "undo data", *command)
    assert not story.lost(story.source)
    assert ec2_words.state(story.cloud.client("ec2"), twin) in ("shutting-down", "terminated")
    assert story.tagged("nospof:arbitrator", "shop") == []
    assert not (story.disk(story.source) / "etc/nospof/layout.json").exists()


def test_no_acknowledged_write_is_lost_from_one_instance_to_two_and_back(story):
    the_plan_says_how_its_data_is_kept_and_changes_nothing(story)
    one_becomes_two_that_have_everything_and_one_is_written_to(story)
    maintenance_has_the_writes_elsewhere_first(story)
    all_of_them_killed_at_once_come_together_again(story)
    back_to_one_plain_server_with_all_that_was_ever_written(story)
