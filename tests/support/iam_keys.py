"""Users of a local cloud's IAM, with a policy and a key each."""

from __future__ import annotations

import itertools
import json
from typing import Any

import boto3
from botocore.config import Config

from support.local_cloud import REGION, RunningCloud

_numbers = itertools.count(1)

Key = dict[str, str]


def statement(*actions: str, resource: Any = "*", effect: str = "Allow", **condition: Any) -> dict[str, Any]:
    """Return a statement of a policy; conditions are given as StringEquals={...}."""
    made: dict[str, Any] = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return {**made, "Condition": condition} if condition else made


def new_key(cloud: RunningCloud, *statements: dict[str, Any]) -> Key:
    """Make a user who may do just this; return the key as boto3 takes it."""
    iam, name = cloud.client("iam"), f"user-{next(_numbers)}"
    iam.create_user(UserName=name)
    if statements:
        allow(cloud, name, *statements)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}


def allow(cloud: RunningCloud, user: str, *statements: dict[str, Any]) -> None:
    """Let a user do just this from now on."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    cloud.client("iam").put_user_policy(UserName=user, PolicyName="own", PolicyDocument=json.dumps(document))


def client_of(cloud: RunningCloud, key: Key, service: Any, region: str = REGION) -> Any:
    """Return a client that signs with a key."""
    config = Config(retries={"total_max_attempts": 1})
    return boto3.client(service, region_name=region, endpoint_url=cloud.url, config=config, **key)
