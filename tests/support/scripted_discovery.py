"""An account told as a table of answers, which may come in any order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from nospof.errors import CloudError
from nospof.model.cloud import Identity

Pages = list[dict[str, Any]]


class ScriptedDiscovery:
    """Implements `ports.discovery.Discovery`: what the table does not have is an empty answer.

    Args:
        answers: by call, the pages; or by call and parent's id, where it is asked for each.
        refused: by call, the error code that ends its pages.
        delays: by call, how many seconds each answer takes.
    """

    source = "AWS"

    def __init__(
        self,
        answers: Mapping[str, Any],
        refused: Mapping[str, str] | None = None,
        delays: Mapping[str, float] | None = None,
    ) -> None:
        self.asked: list[tuple[str, dict[str, object]]] = []
        self._answers = answers
        self._refused = refused or {}
        self._delays = delays or {}
        self._lock = threading.Lock()

    def identity(self) -> Identity:
        return Identity("123456789012", "arn:aws:iam::123456789012:user/test", "eu-central-1")

    def pages(
        self, call: str, arguments: Mapping[str, object], *, is_global: bool = False
    ) -> Iterator[dict[str, Any]]:
        with self._lock:
            self.asked.append((call, dict(arguments)))
        time.sleep(self._delays.get(call, 0))
        found = self._answers.get(call, [])
        if isinstance(found, Mapping):
            found = next((found[one] for one in arguments.values() if one in found), [])
        yield from found
        if call in self._refused:
            code = self._refused[call]
            message = f"{call} was refused ({code})."
            raise CloudError(message, code=code, operation=call)

    def times(self, call: str) -> int:
        return sum(one == call for one, _ in self.asked)


def many(balancers: int, *, scaled: bool = True, groups_each: int = 1) -> dict[str, Any]:
    """Return the answers of an account with so many application balancers, each with its groups."""
    arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012"
    names = [f"b{number:03}" for number in range(balancers)]
    groups = [(name, f"{arn}:targetgroup/{name}-{one}/1") for name in names for one in range(groups_each)]
    return {
        "elbv2:DescribeLoadBalancers": [
            {
                "LoadBalancers": [
                    {"LoadBalancerArn": balancer(name), "LoadBalancerName": name, "Type": "application"}
                    for name in names
                ]
            }
        ],
        "elbv2:DescribeTargetGroups": [
            {
                "TargetGroups": [
                    {"TargetGroupArn": group, "TargetGroupName": name, "LoadBalancerArns": [balancer(name)]}
                    for name, group in groups
                ]
            }
        ],
        "autoscaling:DescribeAutoScalingGroups": [
            {
                "AutoScalingGroups": [
                    {
                        "AutoScalingGroupName": group,
                        "TargetGroupARNs": [group],
                        "HealthCheckType": "ELB",
                        "Instances": [
                            {"InstanceId": "i-1", "LifecycleState": "InService", "HealthStatus": "Healthy"}
                        ],
                    }
                    for _, group in groups
                    if scaled
                ]
            }
        ],
    }


def balancer(name: str) -> str:
    return f"arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/{name}/1"
