"""Schedules that start instances: refused where they would never fire, tried again where they may not yet."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nospof.model.permissions import policy
from support.dead_man import make_role
from support.ec2_words import states_until
from support.iam_keys import client_of, new_key, statement
from support.local_cloud import RunningCloud

pytestmark = pytest.mark.local_cloud


@pytest.fixture(scope="module")
def role(local_cloud: RunningCloud) -> str:
    return make_role(local_cloud.client("iam"))


@pytest.fixture
def schedules(local_cloud: RunningCloud) -> Any:
    return local_cloud.client("scheduler")


def asked(name: str, role: str, *instance_ids: str, seconds: float = 3600, **more: Any) -> dict[str, Any]:
    """Return what a one-time start is asked for with."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return {
        "Name": name,
        "ScheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": "arn:aws:scheduler:::aws-sdk:ec2:startInstances",
            "RoleArn": role,
            "Input": json.dumps({"InstanceIds": instance_ids}),
        },
        **more,
    }


def code_of(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**request)
    return str(refused.value.response["Error"]["Code"])


def test_a_repeat_with_the_same_token_is_the_same_schedule_and_with_another_a_conflict(schedules, role):
    request = asked("twice", role, "i-1")
    arns = {schedules.create_schedule(**request, ClientToken="one")["ScheduleArn"] for _ in range(2)}
    assert len(arns) == 1
    assert code_of(schedules.create_schedule, **request, ClientToken="two") == "ConflictException"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ScheduleExpression": "rate(5 minutes)"},
        {"ScheduleExpression": "at(2026-02-30T00:00:00)"},
        {"Target": {"Arn": "arn:aws:lambda:us-east-1:1:function:f", "RoleArn": "arn:aws:iam::1:role/r"}},
    ],
)
def test_what_would_never_be_carried_out_is_refused(schedules, role, wrong):
    assert code_of(schedules.create_schedule, **asked("never", role, "i-1", **wrong)) == "ValidationException"


def test_a_role_that_is_not_there_is_refused(schedules):
    request = asked("no-role", "arn:aws:iam::123456789012:role/nobody", "i-1")
    assert code_of(schedules.create_schedule, **request) == "ValidationException"


def test_whoever_may_not_pass_the_role_is_refused(local_cloud, role):
    mine = client_of(local_cloud, new_key(local_cloud, statement("scheduler:CreateSchedule")), "scheduler")
    assert code_of(mine.create_schedule, **asked("not-passed", role, "i-1")) == "AccessDeniedException"


def test_a_start_is_tried_again_until_its_role_may_make_it_and_the_instance_has_stopped(
    local_cloud, schedules, ec2, source
):
    iam = local_cloud.client("iam")
    role = make_role(iam, "late")
    iam.delete_role_policy(RoleName="late", PolicyName="start")
    ec2.stop_instances(InstanceIds=[source])
    schedules.create_schedule(**asked("again", role, source, seconds=-1))
    states_until(ec2, source, "stopped")
    assert schedules.get_schedule(Name="again")["Name"] == "again"
    document = json.dumps(policy("dead-man-role"))
    iam.put_role_policy(RoleName="late", PolicyName="start", PolicyDocument=document)
    states_until(ec2, source, "running")
    assert code_of(schedules.get_schedule, Name="again") == "ResourceNotFoundException"


def test_the_clock_of_schedules_is_put_ahead_and_only_that_far(local_cloud, schedules, ec2, source, role):
    ec2.stop_instances(InstanceIds=[source])
    states_until(ec2, source, "stopped")
    schedules.create_schedule(**asked("ahead", role, source, seconds=600))
    assert local_cloud.admin("POST", "scheduler", {"ahead_seconds": -1})[0] == 400
    assert local_cloud.admin("POST", "scheduler", {"ahead_seconds": 601})[0] == 200
    try:
        states_until(ec2, source, "running")
    finally:
        local_cloud.admin("POST", "scheduler", {"ahead_seconds": 0})
