"""An ELBv2 endpoint of its own, with instances whose web servers a test commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.addresses import new_address, prefix
from support.backends import BACKEND_PORT, LISTENER_PORT, Backend
from support.local_cloud import client
from support.waiting import eventually

_ENDPOINT = Path(__file__).with_name("elbv2_endpoint.py")


class World:
    """An endpoint, its clients, and the web servers behind its instances."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process = subprocess.Popen(
            [sys.executable, str(_ENDPOINT), str(directory / "balancers"), prefix()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self.elbv2 = client(self.url, "elbv2")
        self.ec2 = client(self.url, "ec2")
        self.backends: list[Backend] = []
        self._number = 0
        subnets = self.ec2.describe_subnets()["Subnets"]
        self.subnets = {s["AvailabilityZone"]: s["SubnetId"] for s in subnets}
        self.vpc = subnets[0]["VpcId"]

    def name(self, kind: str) -> str:
        """Return a new name."""
        self._number += 1
        return f"{kind}-{self._number}"

    def instance(self, zone: str = "us-east-1a", *, answers: bool = True) -> tuple[str, Backend | None]:
        """Run an instance, with a web server behind it unless told otherwise."""
        backend = Backend(self.directory, self.name("server")) if answers else None
        if backend:
            self.backends.append(backend)
        address = backend.address if backend else new_address()
        (instance,) = self.ec2.run_instances(
            ImageId="ami-12345678",
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.micro",
            SubnetId=self.subnets[zone],
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "address", "Value": address}]}],
        )["Instances"]
        return instance["InstanceId"], backend

    def balancer(self, **changes: Any) -> dict[str, Any]:
        """Create a load balancer in two zones."""
        wish = {
            "Name": self.name("lb"),
            "Subnets": [self.subnets["us-east-1a"], self.subnets["us-east-1b"]],
        } | changes
        (answer,) = self.elbv2.create_load_balancer(**wish)["LoadBalancers"]
        return dict(answer)

    def group(self, **changes: Any) -> str:
        """Create a target group that checks /health often."""
        wish = {
            "Name": self.name("tg"),
            "Protocol": "HTTP",
            "Port": BACKEND_PORT,
            "VpcId": self.vpc,
            "HealthCheckPath": "/health",
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2,
        } | changes
        return str(self.elbv2.create_target_group(**wish)["TargetGroups"][0]["TargetGroupArn"])

    def listener(self, balancer: dict[str, Any], *groups: str, weights: Any = ()) -> str:
        """Create a listener that forwards to target groups."""
        shares = weights or [1] * len(groups)
        tuples = [{"TargetGroupArn": arn, "Weight": w} for arn, w in zip(groups, shares, strict=True)]
        return str(
            self.elbv2.create_listener(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Protocol="HTTP",
                Port=LISTENER_PORT,
                DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": tuples}}],
            )["Listeners"][0]["ListenerArn"]
        )

    def register(self, group: str, *targets: str) -> None:
        """Register instances on the group's own port."""
        self.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": target} for target in targets])

    def health(self, group: str, target: str) -> tuple[str, str, str]:
        """Return a target's state, reason and description."""
        answer = self.elbv2.describe_target_health(TargetGroupArn=group, Targets=[{"Id": target}])
        health = answer["TargetHealthDescriptions"][0]["TargetHealth"]
        return health["State"], health.get("Reason", ""), health.get("Description", "")

    def until(self, group: str, target: str, *words: str) -> tuple[str, str, str]:
        """Wait until a target's state, and reason if given, are these."""
        eventually(lambda: self.health(group, target)[: len(words)] == words)
        return self.health(group, target)

    def close(self) -> None:
        """Stop everything and see that nothing is left."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        for backend in self.backends:
            backend.end()


def refusal(call: Callable[..., Any], **words: Any) -> str:
    """Make a call that must be refused and return the error's code."""
    with pytest.raises(ClientError) as caught:
        call(**words)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(caught.value.response["Error"]["Code"])
