"""AWS's request limits: a token bucket for each action, in the numbers AWS documents.

Off until switched on: a tool that is correct only while nobody else calls is found out with them on.
Numbers: EC2 developer guide, "Request throttling"; ELB API reference, "Request throttling"; defaults
for an account and region.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from nospof.localcloud.awserrors import AwsError


@dataclass(frozen=True)
class Rate:
    """A bucket's size and how many tokens come back each second."""

    size: float
    per_second: float


READ = Rate(100, 20)
READ_UNFILTERED = Rate(50, 10)
WRITE = Rate(50, 5)
EC2 = {
    "RunInstances": Rate(5, 2),
    "StartInstances": Rate(5, 2),
    "TerminateInstances": Rate(100, 5),
    "CreateTags": Rate(100, 10),
    "CreateSnapshot": Rate(100, 5),
    "CreateSnapshots": Rate(100, 5),
    "CreateVolume": Rate(100, 5),
    "DeregisterImage": Rate(100, 5),
    "CopyImage": Rate(100, 1),
}
# A second bucket, counted in instances.
EC2_INSTANCES = {
    "RunInstances": Rate(1000, 2),
    "StartInstances": Rate(1000, 2),
    "StopInstances": Rate(1000, 20),
    "TerminateInstances": Rate(1000, 20),
}
UNFILTERED = (
    "DescribeInstances",
    "DescribeInstanceStatus",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeSnapshots",
    "DescribeVolumes",
)
# Elastic Load Balancing counts by category: the actions of one share a bucket, and all share one more.
ELB_ALL = Rate(40, 10)
ELB_RATES = {
    "reads": Rate(40, 10),
    "writes": Rate(20, 3),
    "registrations": Rate(20, 4),
    "resource-intensive": Rate(10, 0.2),
}
ELB = {
    "RegisterTargets": "registrations",
    "DeregisterTargets": "registrations",
    "CreateLoadBalancer": "resource-intensive",
    "SetSubnets": "resource-intensive",
}


@dataclass(frozen=True)
class Call:
    """What the limits need to know of a call."""

    account: str
    region: str
    service: str
    action: str
    writes: bool = False
    is_narrowed: bool = True  # by a filter, ids or a page size
    instances: int = 1


class Limits:
    """The buckets of all accounts and regions.

    Args:
        clock: returns seconds; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, ...], tuple[float, float]] = {}
        self.enabled = False

    def check(self, call: Call) -> None:
        """Take the tokens a call costs.

        Raises:
            AwsError: RequestLimitExceeded (503) or ThrottlingException (400): a bucket is empty.
        """
        if not self.enabled or call.service not in ("ec2", "elbv2"):
            return
        with self._lock:
            wanted = _ec2_cost(call) if call.service == "ec2" else _elb_cost(call)
            left = {}
            for name, (rate, tokens) in wanted.items():
                key = (call.account, call.region, call.service, name)
                left[key] = self._level(key, rate) - tokens
            if min(left.values()) < 0:
                raise _refusal(call)
            now = self._clock()
            for key, level in left.items():
                self._buckets[key] = (level, now)

    def _level(self, key: tuple[str, ...], rate: Rate) -> float:
        level, since = self._buckets.get(key, (rate.size, self._clock()))
        return min(rate.size, level + (self._clock() - since) * rate.per_second)


def _ec2_cost(call: Call) -> dict[str, tuple[Rate, float]]:
    if call.writes:
        rate = EC2.get(call.action, WRITE)
    elif call.action in UNFILTERED and not call.is_narrowed:
        rate = READ_UNFILTERED
    else:
        rate = READ
    name = f"{call.action} unfiltered" if rate is READ_UNFILTERED else call.action
    cost = {name: (rate, 1.0)}
    if call.action in EC2_INSTANCES:
        cost[f"{call.action} instances"] = (EC2_INSTANCES[call.action], float(call.instances))
    return cost


def _elb_cost(call: Call) -> dict[str, tuple[Rate, float]]:
    category = ELB.get(call.action, "writes" if call.writes else "reads")
    return {"all": (ELB_ALL, 1.0), category: (ELB_RATES[category], 1.0)}


def _refusal(call: Call) -> AwsError:
    if call.service == "ec2":
        return AwsError("RequestLimitExceeded", "Request limit exceeded.", status=503)
    return AwsError("ThrottlingException", "Rate exceeded")
