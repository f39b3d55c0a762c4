"""Two services with announced maintenance, taken by two watches of which the first is killed."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.balanced import balanced, least_healthy, wait_for_health
from support.ec2_words import launch, running
from support.local_cloud import RunningCloud
from support.site import Site, clients_of, only
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


def windows(*names: str) -> str:
    """Return settings in which each service's window is open, each a little longer than the one before."""
    now = datetime.now(UTC)
    lines = ["services:"]
    for number, name in enumerate(names, 1):
        begins, ends = now - timedelta(hours=number), now + timedelta(hours=2 + number)
        lines.append(f'  {name}: {{maintenance: "daily {begins:%H:%M}-{ends:%H:%M}"}}')
    return "\n".join([*lines, ""])


def kinds(news: Path) -> list[str]:
    """Return what was told so far, by its kind; a line that is being written is not whole yet."""
    lines = news.read_text().split("\n")[:-1] if news.exists() else []
    return [json.loads(line)["kind"] for line in lines]


@pytest.fixture
def fleet(local_cloud: RunningCloud) -> dict[str, tuple[list[str], str, str]]:
    """Two services of two members each: who, the balancer's name, the group."""
    ec2 = local_cloud.client("ec2")
    made = {}
    launched = {name: [launch(local_cloud) for _ in range(2)] for name in ("www", "shop")}
    for name, both in launched.items():
        members = [running(ec2, one) for one in both]
        made[name] = (members, *balanced(local_cloud, members, name))
    for _, _, group in made.values():
        wait_for_health(local_cloud, group, 2)
    return made


def test_what_is_announced_for_two_services_is_taken_in_their_windows_whoever_dies_and_told(
    site: Site, fleet: dict[str, tuple[list[str], str, str]], tmp_path: Path
) -> None:
    cloud = site.cloud
    who = [*fleet["www"][0], fleet["shop"][0][0]]
    for one in who:
        event = {"instance": one, "code": "system-reboot", "seconds": 24 * 3600}
        assert cloud.admin("POST", "event", event)[0] == 200
    settings, news = tmp_path / "nospof.yaml", tmp_path / "news.jsonl"
    settings.write_text(windows("www", "shop"))
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ncat >> {news}\n")
    hook.chmod(0o755)
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    topic = sns.create_topic(Name="ops")["TopicArn"]
    queue = sqs.create_queue(QueueName="ops")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    common = ("--settings", str(settings), "--zone-cap", "2")
    mine = only(site, "maintain-watch")

    planned = site.answer("maintain", "plan", *common)
    assert [len(one["turns"]) for one in planned["waves"]] == [2, 1]
    dry = site.nospof("maintain", "watch", "--once", "--dry-run", *common, **mine)
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.count("would begin the turn of") == 2
    assert site.answer("runs", "list") == []

    metrics = tmp_path / "nospof.prom"
    ways = ("--notify", str(hook), "--sns", topic, "--metrics", str(metrics))
    groups = [group for _, _, group in fleet.values()]
    with (
        clients_of(fleet["www"][1]) as of_www,
        clients_of(fleet["shop"][1]) as of_shop,
        least_healthy(cloud, groups) as healthy,
    ):
        command = ("maintain", "watch", "--every", "1", *ways, *common)
        first = site.start(*command, **mine)
        try:
            # Before it stands in the journal a turn is nobody's, and the next watch would begin it once more.
            eventually(
                lambda: len(site.answer("runs", "list")) == 2, "two turns are under way", timeout_seconds=240
            )
            assert kinds(news).count("begun") == 2
        finally:
            first.kill()
            first.communicate()
        watch = site.start(*command, **mine)
        try:
            eventually(
                lambda: [one["state"] for one in site.answer("runs", "list")] == ["done"] * 3,
                "all three were taken",
                timeout_seconds=600,
                every_seconds=2.0,
            )
            # What ended while nobody watched is told by nobody; the third was begun by the second watch.
            eventually(lambda: "ended" in kinds(news), "the end of what it began was told")
        finally:
            watch.send_signal(signal.SIGTERM)
            errors = watch.communicate(timeout=120)[1]
    assert watch.returncode == 0, errors
    # A turn is done in its journal before its process is gone: the watch may still have one to wait for.
    assert "ending by SIGTERM: begins nothing more; " in errors
    assert "www: daily" in errors
    assert (set(of_www), set(of_shop), min(healthy)) == ({200}, {200}, 1)

    told = [json.loads(line) for line in news.read_text().splitlines()]
    assert "failed" not in kinds(news)
    # The ends of the first two are told by the second watch, unless they had ended before it looked.
    last = ["begun", "ended"]
    for name, ways in (("www", (["begun", "ended", *last], ["begun", *last])), ("shop", (last, ["begun"]))):
        turns = [
            one["kind"]
            for one in told
            if one["instance_id"] in fleet[name][0] and one["kind"] in ("begun", "ended")
        ]
        assert turns in ways, name
    assert "nospof_maintenance_unread 0" in metrics.read_text()
    published = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert "system-reboot" in published[0]["Body"]


def test_a_way_that_cannot_be_one_is_refused_before_anything_is_read(site: Site, tmp_path: Path) -> None:
    for option, value in (
        ("--notify", "no-such-program"),
        ("--webhook", "http://example.com/"),
        ("--sns", "ops"),
        ("--zone-cap", "0"),
        ("--before-deadline", "1m"),
    ):
        done = site.nospof("maintain", "watch", "--once", option, value)
        assert (done.returncode, option.strip("-") in done.stderr.replace("zone_cap", "zone-cap")) == (
            2,
            True,
        )
    unwritable = site.nospof("maintain", "watch", "--once", "--metrics", str(tmp_path / "no" / "x.prom"))
    assert unwritable.returncode == 2, unwritable.stderr
