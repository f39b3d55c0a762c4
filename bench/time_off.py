"""How long a source is off while it is copied: a bare stop and start, nospof, Ansible, boto3's waiters.

All on the same local cloud in the same run, in turn, with images that take a minute and a machine that
takes some seconds to shut down and some to boot, as they do on EC2. "Off" is what a client sees who asks
every 20 ms: from the last good answer before to the first good one after. The bare stop and start makes
no image, does nothing else and waits for nothing: it is the floor.
"""

from __future__ import annotations

import argparse
import fcntl
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from nospof.localcloud import control
from support import peers

PORT = 8080
EVERY_SECONDS = 0.02
AT_MOST = 1.1
"""What nospof may take of the floor."""

SLOW_BOOT = "#!/bin/sh\nsleep {}\n"
SLOW_STOP = "#!/bin/sh\ntrap 'sleep {}; exit 0' TERM\nwhile :; do sleep 1 & wait; done\n"

REBOOT = """
- hosts: localhost
  gather_facts: false
  tasks:
    - amazon.aws.ec2_ami:
        instance_id: "{{ instance_id }}"
        name: "{{ name }}"
"""
AROUND = """
- hosts: localhost
  gather_facts: false
  tasks:
    - amazon.aws.ec2_instance: {instance_ids: ["{{ instance_id }}"], state: stopped, wait: true}
    - amazon.aws.ec2_ami:
        instance_id: "{{ instance_id }}"
        name: "{{ name }}"
        no_reboot: true
        wait: true
    - amazon.aws.ec2_instance: {instance_ids: ["{{ instance_id }}"], state: started, wait: true}
"""

Way = Callable[[Any, str, str], None]


class Watch:
    """A client of the service, who knows for how long it got no answer."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.last_good = 0.0
        self.off_seconds = 0.0
        threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        while True:
            if answers(self._address):
                now = time.monotonic()
                if self.last_good:
                    self.off_seconds = max(self.off_seconds, now - self.last_good)
                self.last_good = now
            time.sleep(EVERY_SECONDS)

    def answers_since(self, when: float) -> bool:
        return self.last_good > when


def answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, PORT, timeout=0.25)
    try:
        connection.request("GET", "/health")
        with connection.getresponse() as answer:
            return answer.status == 200
    except (http.client.HTTPException, OSError):
        return False
    finally:
        connection.close()


def until(question: Callable[[], Any], every_seconds: float = EVERY_SECONDS) -> None:
    while not question():
        time.sleep(every_seconds)


def state(ec2: Any, instance_id: str) -> str:
    found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    return str(found["State"]["Name"])


def bare(ec2: Any, instance_id: str, _name: str) -> None:
    ec2.stop_instances(InstanceIds=[instance_id])
    until(lambda: state(ec2, instance_id) == "stopped")
    ec2.start_instances(InstanceIds=[instance_id])


def nospof(_ec2: Any, instance_id: str, _name: str) -> None:
    asked = ["--yes", "--port", str(PORT), "--path", "/health", "--allow-address-change"]
    run(sys.executable, "-m", "nospof", "clone", instance_id, *asked)


def waiters(ec2: Any, instance_id: str, name: str) -> None:
    ec2.stop_instances(InstanceIds=[instance_id])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance_id])
    image = ec2.create_image(InstanceId=instance_id, Name=name, NoReboot=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image])
    ec2.start_instances(InstanceIds=[instance_id])
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance_id])


def playbook(program: Path, tasks: str) -> Way:
    def way(_ec2: Any, instance_id: str, name: str) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(tasks)
            file.flush()
            run(str(program), file.name, "-e", json.dumps({"instance_id": instance_id, "name": name}))

    return way


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")


def ways() -> dict[str, Way]:
    found: dict[str, Way] = {"bare stop and start (the floor)": bare, "nospof clone": nospof}
    ansible = peers.program("ansible-playbook", "ansible", "boto3")
    if ansible:
        found["Ansible ec2_ami as it is (a reboot)"] = playbook(ansible, REBOOT)
        found["Ansible stop, ec2_ami, start"] = playbook(ansible, AROUND)
    return {**found, "boto3: stop, waiters, start": waiters}


def slow_down(disk: Path, seconds: float) -> None:
    """Have the machine take so long to boot, and so long to shut down, from its next stop on."""
    web = disk / "etc/services/web"
    web.write_text(web.read_text().replace("#!/bin/sh\n", SLOW_BOOT.format(seconds)))
    slow = disk / "etc/services/slow"
    slow.write_text(SLOW_STOP.format(seconds))
    slow.chmod(0o755)


def measure(cloud: Path, asked: argparse.Namespace) -> dict[str, list[float]]:
    ec2 = boto3.client("ec2")
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["nospof-demo-site"]}])["Images"][0]
    launched = ec2.run_instances(ImageId=image["ImageId"], InstanceType="t3.small", MinCount=1, MaxCount=1)
    instance = launched["Instances"][0]
    watch, taken = Watch(instance["PrivateIpAddress"]), {}
    until(lambda: watch.last_good and state(ec2, instance["InstanceId"]) == "running")
    slow_down(cloud / "machines" / instance["InstanceId"] / "disk", asked.machine_seconds)
    bare(ec2, instance["InstanceId"], "")
    for number in range(asked.runs):
        for place, (name, way) in enumerate(list(ways().items())[: None if number == 0 else 2]):
            until(lambda: state(ec2, instance["InstanceId"]) == "running")
            settled(watch)
            watch.off_seconds = 0.0
            way(ec2, instance["InstanceId"], f"bench-{number}-{place}")
            settled(watch)
            taken.setdefault(name, []).append(watch.off_seconds)
            print(f"  {name}: {watch.off_seconds:.2f} s", file=sys.stderr)
    return taken


def settled(watch: Watch) -> None:
    """Return when an outage, if one was to come, is over."""
    time.sleep(1.0)
    until(lambda: watch.answers_since(time.monotonic() - 0.2))


@contextmanager
def slow_cloud(snapshot_seconds: float) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "NOSPOF_HOME": home,
            "ANSIBLE_HOME": f"{home}/ansible",
            "ANSIBLE_LOCALHOST_WARNING": "0",
        }
        lifeline = Path(home) / "lifeline"
        with lifeline.open("w") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            endpoint = control.start("bench", lifeline=lifeline)
            try:
                os.environ.update(control.environment("bench"))
                document = json.dumps({"seconds": snapshot_seconds}).encode()
                url = f"{os.environ['AWS_ENDPOINT_URL']}/_nospof/snapshots"
                urllib.request.urlopen(url, document).close()  # noqa: S310 - this computer's own
                yield endpoint.dir
            finally:
                control.reset("bench")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--image-seconds", type=float, default=60.0)
    parser.add_argument("--machine-seconds", type=float, default=5.0)
    asked, _ = parser.parse_known_args()
    with slow_cloud(asked.image_seconds) as cloud:
        taken = measure(cloud, asked)
    floor = statistics.median(next(iter(taken.values())))
    print(f"{'':36} {'runs':>4} {'median':>9} {'max':>9} {'over it':>9} {'x floor':>8}   ", end="")
    print(f"(images take {asked.image_seconds:g} s, a boot {asked.machine_seconds:g} s)")
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"{name:36} {len(times):4} {median:7.2f} s {max(times):7.2f} s ", end="")
        print(f"{median - floor:7.2f} s {median / floor:8.2f}")
    ratio = statistics.median(taken["nospof clone"]) / floor
    if ratio > AT_MOST:
        raise SystemExit(f"nospof leaves the source off {ratio:.2f} times as long as a bare stop and start")


if __name__ == "__main__":
    main()
