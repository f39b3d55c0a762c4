"""A live audit of a local cloud with several services in it, as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import ec2_words
from support.audited_account import AuditedAccount
from support.local_cloud import RunningCloud, running_cloud
from support.site import nospof

pytestmark = pytest.mark.local_cloud

TAGS = {"nospof:state": "none"}


class Account(AuditedAccount):
    """A cloud with three services: a pair in two zones, two machines in one zone, one machine alone."""

    def __init__(self, cloud: RunningCloud) -> None:
        super().__init__(cloud)
        self.pair = [self.machine("pair", zone, TAGS) for zone in (self.a, self.b)]
        self.crowd = [self.machine("crowd", self.a, TAGS) for _ in range(2)]
        self.alone = self.machine("alone", self.b, {})
        for name, members in (("pair", self.pair), ("crowd", self.crowd)):
            self.serve(name, members)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with running_cloud("audit") as cloud:
        yield Account(cloud)


def points(report: dict[str, Any], service: str) -> set[str]:
    (found,) = [one for one in report["services"] if one["name"] == service]
    return {
        one["event"]
        for one in found["findings"]
        if one["view"] == "serving" and one["order"] == 1 and one["share"] == 1
    }


def test_each_service_gets_its_own_verdict_from_one_reading(account: Account) -> None:
    report = account.report()
    assert report["unread"] == []
    assert report["returned"] == 10
    assert points(report, "pair") == set()
    assert points(report, "crowd") == {f"zone:{account.a}"}
    assert points(report, "alone") == {account.alone, f"zone:{account.b}"}


def test_one_service_alone_can_be_proved(account: Account) -> None:
    done = account.nospof("audit", "--service", "pair")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("No single point of failure in 1 service; read: ")
    assert "reading:" not in done.stdout


def test_asking_twice_gives_the_same_bytes_but_for_the_moment(account: Account) -> None:
    first, second = (account.report("--service", "crowd") for _ in range(2))
    assert first.pop("read_at") < second.pop("read_at")
    assert first == second


def test_denied_calls_are_named_and_make_it_incomplete(account: Account) -> None:
    rules = [
        account.cloud.admin(
            "POST", "inject", {"service": service, "action": action, "code": "AccessDenied", "count": 0}
        )
        for service, action in (("ec2", "DescribeVolumes"), ("elbv2", "DescribeTargetHealth"))
    ]
    assert [status for status, _ in rules] == [200, 200]
    try:
        report = account.report("--service", "pair")
        text = account.nospof("audit", "--service", "pair")
    finally:
        account.cloud.admin("DELETE", "inject")
    assert report["returned"] == 13
    assert {one["kind"] for one in report["unread"]} == {"volumes", "targets"}
    assert text.returncode == 13
    assert "volumes (ec2:DescribeVolumes: AccessDenied)" in " ".join(text.stdout.split())
    assert account.report("--service", "pair")["returned"] == 0


def test_a_saved_account_gives_the_same_report_with_no_cloud(account: Account, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    live = account.report("--save", str(saved))
    again = nospof(tmp_path, "audit", str(saved), "--format", "json")
    assert again.returncode == live.pop("returned"), again.stderr
    assert json.loads(again.stdout) == live


def test_a_machine_that_stops_leaves_its_pair_without_a_spare(account: Account) -> None:
    first, second = account.pair
    ec2_words.stopped(account.ec2, second)
    report = account.report("--service", "pair")
    account.ec2.start_instances(InstanceIds=[second])
    account.wait_until_healthy("pair")
    assert points(report, "pair") == {first, f"zone:{account.a}"}
    assert {one["time"] for one in report["services"][0]["findings"]} == {"now"}
    assert account.report("--service", "pair")["returned"] == 0
