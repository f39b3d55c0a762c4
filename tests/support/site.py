"""One demonstration site in a local cloud, and nospof as a program against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.local_cloud import RunningCloud
from support.waiting import eventually

SITE = ("--port", "8080", "--path", "/health")


@dataclass(frozen=True)
class Site:
    """A cloud with sites in it, and a home for nospof's journal."""

    cloud: RunningCloud
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, **self.cloud.environment, "NOSPOF_HOME": str(self.home), **more}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "nospof", *arguments],
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def nospof(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nospof", *arguments],
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def answer(self, *arguments: str) -> Any:
        """Run a command and return its JSON."""
        done = self.nospof(*arguments, "--format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def launch(self, name: str) -> str:
        ec2 = self.cloud.client("ec2")
        launched = ec2.run_instances(
            ImageId=self.cloud.image_named("nospof-demo-site"),
            InstanceType="t3.small",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}],
        )
        instance_id = str(launched["Instances"][0]["InstanceId"])
        eventually(lambda: self.state(instance_id) == "running")
        return instance_id

    def instance(self, instance_id: str) -> dict[str, Any]:
        found = self.cloud.client("ec2").describe_instances(InstanceIds=[instance_id])
        instance: dict[str, Any] = found["Reservations"][0]["Instances"][0]
        return instance

    def state(self, instance_id: str) -> str:
        return str(self.instance(instance_id)["State"]["Name"])

    def tags(self, instance_id: str) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in self.instance(instance_id).get("Tags", ())}

    def the_run(self) -> dict[str, Any]:
        run: dict[str, Any] = self.answer("runs", "list")[-1]
        return run
