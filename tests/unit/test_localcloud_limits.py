"""The request limits of the local cloud are those AWS documents."""

from __future__ import annotations

import pytest

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.limits import Call, Limits


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def granted(limits: Limits, call: Call, tries: int) -> int:
    """Return how many of that many calls at one moment are let through."""
    let_through = 0
    for _ in range(tries):
        try:
            limits.check(call)
        except AwsError:
            continue
        let_through += 1
    return let_through


def call(action: str, service: str = "ec2", **more: object) -> Call:
    writes = not action.startswith("Describe")
    return Call("1", "us-east-1", service, action, writes, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "burst", "per_10_seconds"),
    [
        (call("RunInstances"), 5, 5),
        (call("StartInstances"), 5, 5),
        (call("StopInstances"), 50, 50),
        (call("CreateImage"), 50, 50),
        (call("CopyImage"), 100, 10),
        (call("DescribeInstances"), 100, 100),
        (call("DescribeInstances", is_narrowed=False), 50, 50),
        (call("DescribeImages", is_narrowed=False), 100, 100),
        (call("DescribeTargetHealth", "elbv2"), 40, 40),
        (call("CreateTargetGroup", "elbv2"), 20, 20),
        (call("CreateLoadBalancer", "elbv2"), 10, 2),
    ],
)
def test_a_burst_and_what_ten_seconds_give_back(asked: Call, burst: int, per_10_seconds: int) -> None:
    clock = Clock()
    limits = Limits(clock)
    limits.enabled = True
    assert granted(limits, asked, 300) == burst
    clock.now += 10
    assert granted(limits, asked, 300) == per_10_seconds


def test_instances_are_counted_beside_calls() -> None:
    limits = Limits(Clock())
    limits.enabled = True
    assert granted(limits, call("StopInstances", instances=400), 10) == 2


def test_a_refused_call_costs_nothing() -> None:
    limits = Limits(Clock())
    limits.enabled = True
    assert granted(limits, call("StopInstances", instances=2000), 60) == 0
    assert granted(limits, call("StopInstances", instances=1), 60) == 50


def test_accounts_and_regions_do_not_share_buckets() -> None:
    limits = Limits(Clock())
    limits.enabled = True
    assert granted(limits, call("RunInstances"), 9) == 5
    assert granted(limits, Call("1", "eu-west-1", "ec2", "RunInstances", writes=True), 9) == 5


def test_nothing_is_limited_until_switched_on() -> None:
    assert granted(Limits(Clock()), call("RunInstances"), 100) == 100
