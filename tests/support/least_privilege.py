"""Somebody in a local cloud who may do what a policy says, and the world as nospof sees it with that key."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import boto3

from nospof.adapters.aws import AwsCloud
from nospof.adapters.clock import SystemClock
from nospof.adapters.http.probe import HttpProbe
from nospof.adapters.machine.running import SsmRunning
from nospof.adapters.machine.ssm import SsmMachines
from nospof.errors import NospofError, PreconditionFailed
from nospof.model.permissions import policy
from nospof.ports.world import World
from support.local_cloud import REGION, RunningCloud
from support.memory_world import Silent, Unbreakable
from support.site import everything

POLL_SECONDS = 0.1
_numbers = itertools.count(1)


def without(procedure: str, action: str) -> dict[str, Any]:
    """Return a procedure's policy with one action taken out of every statement."""
    document = policy(procedure)
    left = [
        {**one, "Action": kept}
        for one in document["Statement"]
        if (kept := [each for each in one["Action"] if each != action])
    ]
    return {**document, "Statement": left}


class Hurried(SystemClock):
    """A clock whose sleeps take a moment and count in full."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def now(self) -> float:
        return super().now() + self._skipped

    def sleep(self, seconds: float) -> None:
        self._skipped += seconds
        super().sleep(min(seconds, 0.05))


@dataclass(frozen=True)
class Somebody:
    """A user of IAM with a key, whose policy can be changed."""

    cloud: RunningCloud
    name: str
    key: dict[str, str]
    adapter: AwsCloud

    def may(self, document: dict[str, Any]) -> None:
        """Let them do just this."""
        self.cloud.client("iam").put_user_policy(
            UserName=self.name, PolicyName="own", PolicyDocument=json.dumps(document)
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that make a program act as them."""
        return {name.upper(): value for name, value in self.key.items()}

    def world(self, *, looks_inside: bool = False, **changes: Any) -> World:
        """Return the world with their key."""
        machines = SsmMachines(self.adapter, POLL_SECONDS) if looks_inside else None
        parts: dict[str, Any] = {
            "cloud": self.adapter,
            "clock": SystemClock(),
            "probe": HttpProbe(),
            "reporter": Silent(),
            "load": Unbreakable(),
            "faults": Unbreakable(),
            "poll_seconds": POLL_SECONDS,
            "machines": machines,
            "running": SsmRunning(SsmMachines(self.adapter, POLL_SECONDS)),
        }
        return World(**{**parts, **changes})


def somebody(cloud: RunningCloud, document: dict[str, Any] | None = None) -> Somebody:
    """Make a user who may do this; without a policy, return the all-powerful."""
    if document is None:
        key = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return Somebody(cloud, "", key, adapter_of(cloud, key))
    iam, name = cloud.client("iam"), f"somebody-{next(_numbers)}"
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    key = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    one = Somebody(cloud, name, key, adapter_of(cloud, key))
    one.may(document)
    return one


def adapter_of(cloud: RunningCloud, key: dict[str, str]) -> AwsCloud:
    """Return the adapter that signs with a key."""
    return AwsCloud(boto3.Session(region_name=REGION, **key), endpoint=cloud.url)


def whole(cloud: RunningCloud) -> dict[str, Any]:
    """Return all that a procedure could have changed."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    route53, seen = cloud.client("route53"), everything(cloud)
    arns = [one["TargetGroupArn"] for one in seen["target groups"]]
    health = {arn: elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"] for arn in arns}
    return {
        **seen,
        "rules": [one["IpPermissions"] for one in ec2.describe_security_groups()["SecurityGroups"]],
        "snapshots": [one["SnapshotId"] for one in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]],
        "placement groups": ec2.describe_placement_groups()["PlacementGroups"],
        "names": [
            route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
            for zone in route53.list_hosted_zones()["HostedZones"]
        ],
        "members": {
            arn: [(one["Target"], one["TargetHealth"]["State"]) for one in health[arn]] for arn in arns
        },
        "tags": elb.describe_tags(ResourceArns=arns)["TagDescriptions"] if arns else [],
    }


def failure(act: Any) -> NospofError | None:
    """Return what an act ended with, None where it went well."""
    try:
        act()
    except NospofError as error:
        return error
    return None


def is_clean(error: NospofError | None, action: str) -> bool:
    """Whether it was refused before anything was done, and the missing action is named."""
    is_early = isinstance(error, PreconditionFailed) or (error is not None and error.exit_code in (3, 5))
    return is_early and action in str(error)
