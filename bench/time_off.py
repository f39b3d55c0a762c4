"""How long a source is off during a clone, beside a bare boto3 loop and boto3's own waiters.

All on the same local cloud in the same run, in turn. "Off" is from the stop call to the first good
answer of the service. The bare loop asks every 20 ms and does nothing else: nothing can be quicker.
"""

from __future__ import annotations

import fcntl
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from nospof.localcloud import control

RUNS = 3
PORT = 8080


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}:{PORT}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def until(question: Callable[[], Any], every_seconds: float = 0.02) -> None:
    while not question():
        time.sleep(every_seconds)


def state(ec2: Any, instance_id: str) -> str:
    found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    return str(found["State"]["Name"])


def image_of(ec2: Any, instance_id: str, name: str) -> str:
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "Name", "Value": name}]}]
    image = ec2.create_image(InstanceId=instance_id, Name=name, NoReboot=True, TagSpecifications=tags)
    return str(image["ImageId"])


def bare_loop(ec2: Any, instance_id: str, address: str, name: str) -> float:
    began = time.monotonic()
    ec2.stop_instances(InstanceIds=[instance_id])
    until(lambda: state(ec2, instance_id) == "stopped")
    image_of(ec2, instance_id, name)
    mine = [{"Name": "tag:Name", "Values": [name]}]
    until(lambda: ec2.describe_snapshots(OwnerIds=["self"], Filters=mine)["Snapshots"])
    ec2.start_instances(InstanceIds=[instance_id])
    until(lambda: answers(address))
    return time.monotonic() - began


def waiters(ec2: Any, instance_id: str, address: str, name: str) -> float:
    began = time.monotonic()
    ec2.stop_instances(InstanceIds=[instance_id])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance_id])
    image = image_of(ec2, instance_id, name)
    ec2.get_waiter("image_available").wait(ImageIds=[image])
    ec2.start_instances(InstanceIds=[instance_id])
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance_id])
    until(lambda: answers(address))
    return time.monotonic() - began


def nospof(_ec2: Any, instance_id: str, _address: str, _name: str) -> float:
    asked = ["clone", instance_id, "--yes", "--port", str(PORT), "--path", "/health", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "nospof", *asked], capture_output=True, text=True, check=True
    )
    split = json.loads(done.stdout)["result"]["time_off"]
    return float(sum(split.values()))


def measure() -> dict[str, list[float]]:
    ec2 = boto3.client("ec2")
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["nospof-demo-site"]}])["Images"][0]
    launched = ec2.run_instances(ImageId=image["ImageId"], InstanceType="t3.small", MinCount=1, MaxCount=1)
    instance = launched["Instances"][0]
    instance_id, address = instance["InstanceId"], instance["PrivateIpAddress"]
    ways = {"bare boto3 loop (the floor)": bare_loop, "nospof clone": nospof, "boto3's waiters": waiters}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(RUNS):
        for name, way in ways.items():
            until(lambda: state(ec2, instance_id) == "running" and answers(address))
            taken[name].append(way(ec2, instance_id, address, f"bench-{way.__name__}-{number}"))
    return taken


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["NOSPOF_HOME"] = home
        lifeline = Path(home) / "lifeline"
        with lifeline.open("w") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            control.start("bench", lifeline=lifeline)
            try:
                os.environ.update(control.environment("bench"))
                taken = measure()
            finally:
                control.reset("bench")
    floor = statistics.median(next(iter(taken.values())))
    print(f"{'':28} {'median':>9} {'max':>9} {'x floor':>8}   ({RUNS} runs in turn)")
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"{name:28} {median:7.2f} s {max(times):7.2f} s {median / floor:8.2f}")


if __name__ == "__main__":
    main()
