"""The request limits of the local cloud are those AWS documents."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.calls import limited
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


@pytest.mark.parametrize(
    ("one", "other", "left"),
    [
        ("RegisterTargets", "DeregisterTargets", 5),
        ("CreateLoadBalancer", "SetSubnets", 0),
        ("CreateTargetGroup", "ModifyListener", 5),
        ("DescribeListeners", "DescribeTargetHealth", 25),
        ("RegisterTargets", "CreateTargetGroup", 20),
    ],
)
def test_actions_of_elastic_load_balancing_share_the_bucket_of_their_category(one, other, left) -> None:
    limits = Limits(Clock())
    limits.enabled = True
    granted(limits, call(one, "elbv2"), 15)
    assert granted(limits, call(other, "elbv2"), 300) == left


def test_all_actions_of_elastic_load_balancing_share_one_more() -> None:
    limits = Limits(Clock())
    limits.enabled = True
    assert granted(limits, call("DescribeListeners", "elbv2"), 38) == 38
    assert granted(limits, call("RegisterTargets", "elbv2"), 20) == 2


def test_a_launch_is_counted_by_the_most_it_may_launch() -> None:
    params = {"MinCount": 1, "MaxCount": 7}
    response = SimpleNamespace(params=params, current_account="1", region="us-east-1")
    assert limited(response, "ec2", "RunInstances", writes=True).instances == 7


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
