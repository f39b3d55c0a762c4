"""How long a whole audit of a live account takes, and how many calls it makes, beside its peers.

Against an endpoint that answers from a made fleet at no cost (support/fleet_endpoint.py), each as a whole
process: the bare boto3 floor (paged describes, listeners, target health, one thread), Cloud Custodian with
six resilience policies, Prowler with its resilience checks, and `nospof audit`. Nothing here finds what
another does: the floor relates nothing, Custodian and Prowler judge each resource by itself. The
peers are installed into environments of their own beside this file (.peers) the first time; one that
cannot be is named and left out.

Run: python bench/audit_reading.py [sizes, default 1000,5000]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support.peers import program

HERE = Path(__file__).parent
PROWLER_CHECKS = (
    "autoscaling_group_multiple_az",
    "ec2_instance_detailed_monitoring_enabled",
    "efs_multi_az_enabled",
    "elasticache_redis_cluster_multi_az_enabled",
    "elb_is_in_multiple_az",
    "elbv2_is_in_multiple_az",
    "rds_cluster_multi_az",
    "rds_instance_multi_az",
    "vpc_subnet_different_az",
)
POLICIES = {
    "policies": [
        {
            "name": "groups-in-one-zone",
            "resource": "asg",
            "filters": [
                {"type": "value", "key": "AvailabilityZones", "value_type": "size", "op": "lt", "value": 2}
            ],
        },
        {
            "name": "groups-of-one",
            "resource": "asg",
            "filters": [{"type": "value", "key": "MinSize", "op": "lt", "value": 2}],
        },
        {
            "name": "balancers-in-one-zone",
            "resource": "app-elb",
            "filters": [
                {"type": "value", "key": "AvailabilityZones", "value_type": "size", "op": "lt", "value": 2}
            ],
        },
        {
            "name": "target-groups-of-one",
            "resource": "app-elb-target-group",
            "filters": [
                {
                    "type": "value",
                    "key": "TargetHealthDescriptions",
                    "value_type": "size",
                    "op": "lt",
                    "value": 2,
                }
            ],
        },
        {"name": "databases-in-one-zone", "resource": "rds", "filters": [{"MultiAZ": False}]},
        {"name": "machines", "resource": "ec2", "filters": [{"State.Name": "running"}]},
    ]
}
FLOOR = """
import boto3
ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
def pages(client, operation, **arguments):
    return list(client.get_paginator(operation).paginate(**arguments))
for operation in ("describe_instances", "describe_instance_status", "describe_volumes"):
    pages(ec2, operation, PaginationConfig={"PageSize": 1000})
balancers = [one for page in pages(elb, "describe_load_balancers") for one in page["LoadBalancers"]]
groups = [one for page in pages(elb, "describe_target_groups") for one in page["TargetGroups"]]
for one in balancers:
    pages(elb, "describe_listeners", LoadBalancerArn=one["LoadBalancerArn"])
for one in groups:
    elb.describe_target_health(TargetGroupArn=one["TargetGroupArn"])
"""


@dataclass(frozen=True)
class Figure:
    """What one whole process took. `calls` are by operation."""

    name: str
    wall_seconds: float
    cpu_seconds: float
    calls: Counter[str]

    @property
    def elb_calls(self) -> int:
        """The calls to Elastic Load Balancing, whose bucket is the narrow one."""
        return sum(number for name, number in self.calls.items() if name.startswith("elb"))


class Endpoint:
    """The made fleet, in a process of its own."""

    def __init__(self, size: int) -> None:
        command = [sys.executable, str(HERE / "support" / "fleet_endpoint.py"), str(size), "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def ask(self, path: str) -> str:
        """Return what the endpoint says of itself."""
        with urllib.request.urlopen(f"{self.url}{path}") as answer:  # noqa: S310 (our own)
            return str(answer.read().decode())


def measure(
    name: str, command: list[str], endpoint: Endpoint, directory: str, good: tuple[int, ...]
) -> Figure:
    """Run a whole process against the endpoint, twice, and return what the second run took.

    The first is for the files' cache, and for the byte code that an installed program has.

    Raises:
        SystemExit: it failed; its last words are shown.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "NOSPOF_HOME": directory,
    }
    run = partial(subprocess.run, command, env=environment, cwd=directory, capture_output=True, text=True)
    run(check=False)
    endpoint.ask("/_reset")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = run(check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in good:
        raise SystemExit(f"{name} ended with {done.returncode}: {done.stderr[-800:] or done.stdout[-800:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Figure(name, wall, cpu, Counter(json.loads(endpoint.ask("/_counts"))))


def commands(directory: str) -> list[tuple[str, list[str], tuple[int, ...]]]:
    """Return what is measured: a name, a command, and the exit codes that mean it worked."""
    nospof = str(Path(sys.executable).parent / "nospof")
    found = [
        ("boto3 floor", [sys.executable, "-c", FLOOR], (0,)),
        ("nospof audit", [nospof, "audit", "--format", "json", "--output", "report.json"], (0, 10, 13)),
    ]
    if custodian := program("custodian", "c7n==0.9.53"):
        policies = Path(directory, "policies.json")
        policies.write_text(json.dumps(POLICIES))
        command = [str(custodian), "run", "-s", "out", "--cache-period", "0", "--region", "eu-west-1"]
        found.append(("Cloud Custodian", [*command, str(policies)], (0,)))
    if prowler := program("prowler", "prowler==5.46.0"):
        command = [str(prowler), "aws", "--no-banner", "-M", "csv", "--region", "eu-west-1"]
        found.append(("Prowler", [*command, "-c", *PROWLER_CHECKS], (0, 3)))
    return found


def main() -> None:
    """Measure each size and print the table, with each figure's ratio to the floor."""
    sizes = [int(one) for one in (sys.argv[1] if len(sys.argv) > 1 else "1000,5000").split(",")]
    for size in sizes:
        with Endpoint(size) as endpoint, tempfile.TemporaryDirectory() as directory:
            figures = [
                measure(name, command, endpoint, directory, good)
                for name, command, good in commands(directory)
            ]
        floor = figures[0]
        print(f"\n{size} instances (whole processes; x = times the floor)")
        print(f"{'':18}{'wall s':>9}{'x':>7}{'CPU s':>9}{'calls':>8}{'x':>7}{'ELB calls':>11}")
        for one in figures:
            calls = one.calls.total()
            print(
                f"{one.name:18}{one.wall_seconds:9.2f}{one.wall_seconds / floor.wall_seconds:7.2f}"
                f"{one.cpu_seconds:9.2f}{calls:8}{calls / floor.calls.total():7.2f}{one.elb_calls:11}"
            )
        print_against_peers(figures)


def print_against_peers(figures: list[Figure]) -> None:
    """Say how many times as long each peer of the same run takes, and how many times the calls it makes."""
    named = {one.name: one for one in figures}
    ours = named["nospof audit"]
    for peer in (one for name, one in named.items() if name in ("Cloud Custodian", "Prowler")):
        wall, cpu = peer.wall_seconds / ours.wall_seconds, peer.cpu_seconds / ours.cpu_seconds
        calls = peer.calls.total() / ours.calls.total()
        print(f"{peer.name} takes {wall:.1f} x our time, {cpu:.1f} x our CPU time, {calls:.1f} x our calls")


if __name__ == "__main__":
    main()
