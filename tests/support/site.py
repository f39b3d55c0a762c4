"""One demonstration site in a local cloud, and nospof as a program against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nospof.model.permissions import policy
from support import ec2_words
from support.iam_keys import new_key
from support.local_cloud import RunningCloud
from support.waiting import meanwhile

SITE = ("--port", "8080", "--path", "/health", "--allow-address-change")
PAIR = (
    "--stateless",
    "--yes",
    "--allow-address-change",
    "--port",
    "8080",
    "--listener-port",
    "8080",
    "--health-path",
    "/health",
    "--drain-seconds",  # all of it is waited for, and no request here takes longer
    "1",
)


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """Return the variables of a program whose home is this: of AWS it knows only what is given here."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**kept, **nowhere, "AWS_EC2_METADATA_DISABLED": "true", "NOSPOF_HOME": str(home), **more}


def nospof(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "nospof", *arguments],
        env=environment_of(home, **environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def everything(cloud: RunningCloud) -> dict[str, list[Any]]:
    """Return all that a command could have changed."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    instances = [one for each in ec2.describe_instances()["Reservations"] for one in each["Instances"]]
    return {
        "instances": [(one["InstanceId"], one["State"]["Name"], one.get("Tags")) for one in instances],
        "images": [one["ImageId"] for one in ec2.describe_images(Owners=["self"])["Images"]],
        "security groups": [one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"]],
        "target groups": elb.describe_target_groups()["TargetGroups"],
        "balancers": elb.describe_load_balancers()["LoadBalancers"],
    }


@dataclass(frozen=True)
class Site:
    """A cloud with sites in it, and a home for nospof's journal."""

    cloud: RunningCloud
    home: Path

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Begin a command; the test reads what it says."""
        return subprocess.Popen(
            [sys.executable, "-m", "nospof", *arguments],
            env=environment_of(self.home, **{**self.cloud.environment, **environment}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def nospof(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return nospof(self.home, *arguments, **{**self.cloud.environment, **environment})

    def answer(self, *arguments: str) -> Any:
        """Run a command and return its JSON."""
        done = self.nospof(*arguments, "--format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def launch(self, name: str) -> str:
        """Launch a site and wait until it runs; return its id."""
        launched = ec2_words.launch(self.cloud, TagSpecifications=ec2_words.tagged("instance", name))
        return ec2_words.running(self.cloud.client("ec2"), launched)

    def state(self, instance_id: str) -> str:
        return ec2_words.state(self.cloud.client("ec2"), instance_id)

    def tags(self, instance_id: str) -> dict[str, str]:
        shown = ec2_words.instance(self.cloud.client("ec2"), instance_id)
        return {tag["Key"]: tag["Value"] for tag in shown.get("Tags", ())}

    def the_run(self) -> dict[str, Any]:
        """Return the run this home began last."""
        run: dict[str, Any] = self.answer("runs", "list")[-1]
        return run


def world(site: Site) -> dict[str, Any]:
    """Return all that is there; terminated instances are listed for a while and are not."""
    ec2 = site.cloud.client("ec2")
    seen = everything(site.cloud)
    return {
        **seen,
        "instances": [one for one in seen["instances"] if one[1] != "terminated"],
        "snapshots": [one["SnapshotId"] for one in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]],
        "rules": [one["IpPermissions"] for one in ec2.describe_security_groups()["SecurityGroups"]],
    }


def allowed(site: Site, procedures: str, *command: str) -> Any:
    """Run a command as somebody who may do what the policies of these procedures say; return its JSON."""
    statements = [
        {**one, "Sid": f"{name}{one['Sid']}"}
        for name in procedures.split()
        for one in policy(name)["Statement"]
    ]
    who = {key.upper(): value for key, value in new_key(site.cloud, *statements).items()}
    done = site.nospof(*command, "--format", "json", **who)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def only(site: Site, procedure: str, without: str = "") -> dict[str, str]:
    """Return the variables of somebody who may do just what a procedure's policy grants."""
    statements = policy(procedure)["Statement"]
    for statement in statements:
        statement["Action"] = [action for action in statement["Action"] if action != without]
    key = new_key(site.cloud, *statements)
    return {name.upper(): value for name, value in key.items()}


@contextmanager
def clients_of(address: str) -> Iterator[list[int]]:
    """Ask for the page at an address, twenty times a second; yield what it answered so far."""
    answers: list[int] = []
    with meanwhile(lambda: answers.append(ec2_words.get(address)), 0.05):
        yield answers
