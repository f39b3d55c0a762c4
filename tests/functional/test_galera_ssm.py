"""A MariaDB on an instance of the local cloud, asked and changed through Systems Manager."""

from __future__ import annotations

import boto3
import pytest

from nospof.adapters.aws.cloud import AwsCloud
from nospof.adapters.machine.databases import SsmDatabases
from nospof.adapters.machine.ssm import SsmMachines
from nospof.model.layout import Layout, Seat
from support.local_cloud import RunningCloud
from support.shop import need_galera
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


def test_a_database_is_examined_kept_and_made_plain_again_through_systems_manager(
    local_cloud: RunningCloud,
) -> None:
    need_galera()
    launched = local_cloud.client("ec2").run_instances(
        ImageId=local_cloud.image_named("nospof-demo-shop"), MinCount=1, MaxCount=1, InstanceType="t3.micro"
    )["Instances"][0]
    mine = Seat(launched["InstanceId"], launched["PrivateIpAddress"])
    session = boto3.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - a placeholder
        region_name="us-east-1",
    )
    databases = SsmDatabases(SsmMachines(AwsCloud(session, endpoint=local_cloud.url), poll_seconds=0.05))
    eventually(lambda: databases.examine(mine.instance_id).version, "the server answers", every_seconds=0.3)
    found = databases.examine(mine.instance_id)
    assert (found.engine, found.layout, found.obstacles, found.problem) == ("mariadb", None, (), "")
    before = databases.check(mine.instance_id)
    assert [(one.name, one.rows) for one in before.tables] == [("shop.orders", 1)]
    alone = Layout("galera", "shop", (mine,))
    assert not databases.apply(mine.instance_id, alone).problem
    assert databases.examine(mine.instance_id).layout == alone
    state = databases.state(mine.instance_id)
    assert (state.role, state.ready, state.votes, state.writer) == ("primary", True, 1, mine.address)
    assert "none" in databases.hand_over(mine.instance_id).problem
    assert not databases.apply(mine.instance_id, Layout("galera", "shop")).problem
    assert databases.state(mine.instance_id).role == "alone"
    assert databases.check(mine.instance_id).tables == before.tables
    local_cloud.client("ec2").terminate_instances(InstanceIds=[mine.instance_id])
