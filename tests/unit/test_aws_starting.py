"""What EventBridge Scheduler is asked for, and what a trust policy tells."""

from __future__ import annotations

import json

import pytest
from botocore.stub import Stubber

from nospof.adapters.aws.starting import trusted_services
from nospof.errors import CloudError, UnknownOutcome
from nospof.model.starts import SCHEDULER, ScheduledStart
from support.aws_endpoint import answering, refusal

ROLE = "arn:aws-us-gov:iam::123456789012:role/nospof-dead-man"
START = ScheduledStart("nospof-run-1", "i-1", 1_800_000_000.9, ROLE)
ASKED = {
    "Name": "nospof-run-1",
    "ScheduleExpression": "at(2027-01-15T08:00:00)",
    "ScheduleExpressionTimezone": "UTC",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "ActionAfterCompletion": "DELETE",
    "Target": {
        "Arn": "arn:aws-us-gov:scheduler:::aws-sdk:ec2:startInstances",
        "RoleArn": ROLE,
        "Input": json.dumps({"InstanceIds": ["i-1"]}),
    },
}
MADE = {"ScheduleArn": "arn:aws-us-gov:scheduler:eu-central-1:123456789012:schedule/default/nospof-run-1"}


@pytest.fixture
def cloud():
    with answering(refusal("NobodyShouldAsk")) as endpoint:
        yield endpoint.cloud()


def test_a_start_is_one_schedule_in_utc_that_deletes_itself_and_carries_a_token(cloud):
    with Stubber(cloud.scheduler) as stub:
        stub.add_response("create_schedule", MADE, {**ASKED, "ClientToken": "nospof-run-1-1800000001"})
        cloud.schedule_start(START)
        stub.assert_no_pending_responses()


def test_one_that_is_there_is_moved_as_a_whole(cloud):
    with Stubber(cloud.scheduler) as stub:
        stub.add_client_error("create_schedule", "ConflictException")
        stub.add_response("update_schedule", MADE, ASKED)
        cloud.schedule_start(START)
        stub.assert_no_pending_responses()


def test_one_that_came_due_between_the_two_is_made_again(cloud):
    with Stubber(cloud.scheduler) as stub:
        stub.add_client_error("create_schedule", "ConflictException")
        stub.add_client_error("update_schedule", "ResourceNotFoundException")
        stub.add_response("create_schedule", MADE, {**ASKED, "ClientToken": "nospof-run-1-1800000001"})
        cloud.schedule_start(START)
        stub.assert_no_pending_responses()


def test_another_refusal_passes_through_and_is_not_tried_as_an_update(cloud):
    with Stubber(cloud.scheduler) as stub:
        stub.add_client_error("create_schedule", "ServiceQuotaExceededException")
        with pytest.raises(CloudError) as caught:
            cloud.schedule_start(START)
        assert caught.value.code == "ServiceQuotaExceededException"


def test_a_fault_of_the_server_may_have_made_it(cloud):
    with Stubber(cloud.scheduler) as stub:
        stub.add_client_error("create_schedule", "InternalServerException", http_status_code=500)
        with pytest.raises(UnknownOutcome):
            cloud.schedule_start(START)


def test_one_that_is_gone_is_no_error_when_it_is_taken_back(cloud):
    with Stubber(cloud.scheduler) as stub:
        stub.add_response("delete_schedule", {}, {"Name": "nospof-run-1"})
        stub.add_client_error("delete_schedule", "ResourceNotFoundException")
        cloud.cancel_start("nospof-run-1")
        cloud.cancel_start("nospof-run-1")
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("statement", "services"),
    [
        ({"Effect": "Allow", "Principal": {"Service": SCHEDULER}}, (SCHEDULER,)),
        (
            {"Effect": "Allow", "Principal": {"Service": ["b.amazonaws.com", SCHEDULER]}},
            ("b.amazonaws.com", SCHEDULER),
        ),
        ({"Effect": "Deny", "Principal": {"Service": SCHEDULER}}, ()),
        ({"Effect": "Allow", "Principal": "*"}, ()),
        ({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}}, ()),
    ],
)
def test_a_trust_policy_tells_which_services_may_take_the_role(statement, services):
    assert trusted_services({"Statement": statement}) == services
    assert trusted_services({"Statement": [statement]}) == services
    assert trusted_services({}) == ()
