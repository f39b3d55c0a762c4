"""Balancers over the life of a cloud: a kill costs them nothing, a start brings them back."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from nospof.localcloud import control
from nospof.localcloud.machines.processes import all_processes, stat_of
from support import backends
from support.certificates import import_certificate, trusting
from support.ec2_words import get, launch, running
from support.local_cloud import RunningCloud
from support.standing import put_behind_a_classic_balancer
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

PORT = 18080


def balanced(cloud: RunningCloud) -> tuple[str, str, str]:
    """Make a balancer over one demo site; return its address, its target group and its instance."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    instance_id = running(ec2, launch(cloud))
    subnets = ec2.describe_subnets()["Subnets"]
    chosen = [subnet["SubnetId"] for subnet in sorted(subnets, key=lambda s: s["AvailabilityZone"])[:2]]
    group = elb.create_target_group(
        Name="pages",
        Protocol="HTTP",
        Port=8080,
        VpcId=subnets[0]["VpcId"],
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance_id}])
    balancer = elb.create_load_balancer(Name="front", Subnets=chosen)["LoadBalancers"][0]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=PORT,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return balancer["DNSName"], group, instance_id


def page(address: str) -> int:
    return get(address, "/", PORT)


def health(cloud: RunningCloud, group: str) -> str:
    described: Any = cloud.client("elbv2").describe_target_health(TargetGroupArn=group)
    return str(described["TargetHealthDescriptions"][0]["TargetHealth"]["State"])


def processes_of(directory: Path) -> set[int]:
    """Return the processes that work in a directory."""
    found = set()
    for stat in all_processes():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{stat.pid}/cwd").readlink().is_relative_to(directory):
                found.add(stat.pid)
    return found


def test_a_killed_gateway_leaves_the_balancer_serving_and_the_next_one_adopts_it(home: Path) -> None:
    before = RunningCloud(control.start(), home)
    address, group, _ = balanced(before)
    eventually(lambda: page(address) == 200)
    assert health(before, group) == "healthy"
    balancers = before.endpoint.dir / "balancers"
    serving = processes_of(balancers)
    assert serving
    os.kill(before.endpoint.pid, signal.SIGKILL)
    eventually(lambda: stat_of(before.endpoint.pid) is None)
    assert page(address) == 200
    after = RunningCloud(control.start(), home)
    assert page(address) == 200
    eventually(lambda: health(after, group) == "healthy")
    assert processes_of(balancers) == serving


def secured(cloud: RunningCloud, group: str) -> bytes:
    """Give the balancer an HTTPS listener; return the certificate it shows."""
    elb = cloud.client("elbv2")
    arn, certificate = import_certificate(cloud.client("acm"), "shop.example.org")
    elb.create_listener(
        LoadBalancerArn=elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=PORT + 1,
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return certificate


def is_served(address: str, certificate: bytes) -> bool:
    try:
        return backends.get(f"https://{address}:{PORT + 1}/", trust=trusting(certificate))[0] == 200
    except OSError:
        return False


def test_a_stop_ends_the_balancer_and_a_start_brings_it_back_at_the_same_address(home: Path) -> None:
    before = RunningCloud(control.start(), home)
    address, group, _ = balanced(before)
    certificate = secured(before, group)
    eventually(lambda: page(address) == 200 and is_served(address, certificate))
    control.stop()
    assert page(address) == 0
    assert not processes_of(before.endpoint.dir / "balancers")
    after = RunningCloud(control.start(), home)
    eventually(lambda: page(address) == 200 and is_served(address, certificate))
    eventually(lambda: health(after, group) == "healthy")


def test_a_reset_after_a_kill_ends_the_balancer(home: Path) -> None:
    before = RunningCloud(control.start(), home)
    address, _, instance_id = balanced(before)
    put_behind_a_classic_balancer(before, "old", instance_id)
    eventually(lambda: page(address) == 200)
    serving = processes_of(before.endpoint.dir)
    assert processes_of(before.endpoint.dir / "classic")
    os.kill(before.endpoint.pid, signal.SIGKILL)
    eventually(lambda: stat_of(before.endpoint.pid) is None)
    control.reset()
    assert not any(stat_of(one) for one in serving)
    assert page(address) == 0
    assert not processes_of(before.endpoint.dir)
