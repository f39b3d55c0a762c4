"""An owner's command on both members of a shop, in turn, while it is used; and the way back from a bad one.

One story, told with the printed policies and no more. Nobody who comes in through the balancer notices any of
it, and nothing that was acknowledged is lost.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from support import ec2_words
from support.local_cloud import RunningCloud
from support.shop import need_galera, written_more
from support.shop_story import ASKED, MADE, Story, while_writing
from support.site import clients_of
from support.waiting import eventually

pytestmark = [pytest.mark.local_cloud, pytest.mark.timeout(900)]

CONFIG, WEB, GONE = "etc/shop.conf", "etc/services/web", "etc/web.gone"


@pytest.fixture
def story(local_cloud: RunningCloud, tmp_path: Path) -> Iterator[Story]:
    need_galera()
    told = Story(local_cloud, tmp_path)
    yield told
    told.close()


def config_of(story: Story, member: str) -> str:
    return (story.disk(member) / CONFIG).read_text()


def who_takes_writes(story: Story) -> str:
    members = story.allowed("data", "data", "status", "shop")["members"]
    return next(str(seat["instance_id"]) for seat, state in members if state["role"] == "primary")


def healthy(story: Story, group: str) -> set[str]:
    found = story.cloud.client("elbv2").describe_target_health(TargetGroupArn=group)
    rows = found["TargetHealthDescriptions"]
    return {one["Target"]["Id"] for one in rows if one["TargetHealth"]["State"] == "healthy"}


def both_do_it_in_turn(story: Story, host: str, both: tuple[str, str]) -> None:
    """Change a file on both, one after the other."""
    last = who_takes_writes(story)
    command = ("maintain", "run", "shop", "--yes", f"echo new >>{CONFIG}; echo it is done")
    with clients_of(host) as answers:
        ran = while_writing(story, both, "maintain-run data", *command)
    turns = ran["result"]["turns"]
    assert [one["lines"] for one in turns] == [["it is done"]] * 2
    assert turns[-1]["instance_id"] == last
    assert [config_of(story, one) for one in both] == ["new\n"] * 2
    assert set(answers) == {200}


def a_bad_one_stops_at_the_member_that_it_breaks(story: Story, both: tuple[str, str]) -> tuple[str, str]:
    """Take the web server away from whoever comes last; return the run and that member."""
    last = who_takes_writes(story)
    breaks = f'echo bad >>{CONFIG}; [ "$NOSPOF_INSTANCE_ID" != {last} ] || mv {WEB} {GONE}'
    process = story.site.start("maintain", "run", "shop", "--yes", "--reboot", "--", breaks)
    try:
        eventually((story.disk(last) / GONE).exists, "the second has done it", timeout_seconds=240)
        # Nobody waits for ten minutes for a page that does not come: it is stopped, wherever it is.
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=240)
    finally:
        process.kill()
        process.wait()
    assert process.returncode != 0, said
    assert [config_of(story, one) for one in both] == ["new\nbad\n"] * 2
    run = story.site.the_run()
    assert run["state"] in ("interrupted", "failed")
    return str(run["id"]), last


def it_goes_back(story: Story, group: str, run: str, member: str) -> None:
    """Give the broken member its image's root volume; it comes by what it missed, and serves."""
    before: dict[str, Any] = ec2_words.instance(story.cloud.client("ec2"), member)
    back = story.allowed("maintain-back data keep", "maintain", "back", run, member, "--yes")["result"]
    after: dict[str, Any] = ec2_words.instance(story.cloud.client("ec2"), member)
    assert before["PrivateIpAddress"] == after["PrivateIpAddress"]
    (returned,) = back["members"]
    assert before["BlockDeviceMappings"][0]["Ebs"]["VolumeId"] == returned["old_volume"]
    assert config_of(story, member) == "new\n"
    assert not (story.disk(member) / GONE).exists()
    assert len(healthy(story, group)) == 2


def test_nobody_notices_a_command_on_both_members_and_a_bad_one_has_a_way_back(story):
    made = while_writing(story, (story.source,), "pair", "pair", story.source, *ASKED, *MADE)["result"]
    host, group = str(urlsplit(made["url"]).hostname), str(made["target_group_arn"])
    both = (story.source, story.twin)
    both_do_it_in_turn(story, host, both)
    with clients_of(host) as answers:
        run, broken = a_bad_one_stops_at_the_member_that_it_breaks(story, both)
        assert healthy(story, group) == set(both) - {broken}
        context, ledger = story.written(*(set(both) - {broken}))
        eventually(written_more(ledger), "the other takes writes that the image does not have")
        context.__exit__(None, None, None)
        it_goes_back(story, group, run, broken)
    assert set(answers) == {200}
    for one in both:
        assert not story.lost(one)
    assert story.allowed("data", "data", "check", "shop")["different"] == []
