"""botocore's errors become ours, and a write whose answer was lost is never taken for a refusal."""

from __future__ import annotations

import pickle

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    TokenRetrievalError,
)

from nospof.adapters.aws.errors import translate, translated
from nospof.errors import CloudError, NotFound, UnknownOutcome
from nospof.model.cloud import LaunchRequest
from support.aws_endpoint import HANG_UP, answering, done, query_refusal, refusal

URL = "https://ec2.eu-central-1.amazonaws.com"


def refused(code, message="no", status=400):
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "req-1"},
    }
    return ClientError(answer, "StopInstances")


def raised(error, *, writes):
    with pytest.raises(CloudError) as caught, translated("ec2:StopInstances", "i-1", writes=writes):
        raise error
    return caught.value


def test_a_refusal_says_what_happened_to_what_and_what_to_do_next():
    error = translate(refused("UnauthorizedOperation", "It may not."), "ec2:StopInstances", "i-1")
    assert str(error) == (
        "ec2:StopInstances on i-1 was refused: It may not (UnauthorizedOperation, request req-1). "
        "Ask for the permission ec2:StopInstances, or use another AWS_PROFILE."
    )
    assert (error.code, error.operation, error.request_id) == (
        "UnauthorizedOperation",
        "ec2:StopInstances",
        "req-1",
    )
    assert error.is_denied
    assert not error.retryable


@pytest.mark.parametrize(
    ("code", "said", "missing"),
    [
        (
            "UnauthorizedOperation",
            "User: me is not authorized to perform: iam:PassRole on resource: r",
            "iam:PassRole",
        ),
        ("AccessDenied", "User: me is not authorized to perform: sts:AssumeRole", "sts:AssumeRole"),
        ("UnauthorizedOperation", "You are not authorized to perform this operation.", ""),
        ("InvalidParameterValue", "User: me is not authorized to perform: iam:PassRole", ""),
    ],
)
def test_a_denial_names_the_action_that_is_missing_where_aws_names_it(code, said, missing):
    error = translate(refused(code, said), "ec2:RunInstances")
    assert error.missing_permission == missing
    assert (f"Ask for the permission {missing or 'ec2:RunInstances'}" in str(error)) is error.is_denied


def test_the_encoded_message_that_only_sts_can_read_is_left_out():
    said = "You are not authorized. Encoded authorization failure message: " + "x" * 500
    assert "Encoded" not in str(translate(refused("UnauthorizedOperation", said), "ec2:StopInstances"))


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("ExpiredToken", "sign in again"),
        ("RequestExpired", "clock"),
        ("SignatureDoesNotMatch", "secret is wrong"),
        ("InvalidClientTokenId", "access key"),
        ("RequestLimitExceeded", "try again in a minute"),
        ("InsufficientInstanceCapacity", "another type or zone"),
        ("SnapshotLimitExceeded", "quota"),
        ("OptInRequired", "Turn the region"),
        ("InvalidInstanceID.NotFound", "Check the id"),
        ("InvalidParameterValue", "changed nothing"),
    ],
)
def test_each_kind_of_refusal_has_its_advice(code, advice):
    assert advice in str(translate(refused(code), "ec2:RunInstances", "ami-1"))


@pytest.mark.parametrize(
    ("code", "status", "retryable"),
    [
        ("RequestLimitExceeded", 503, True),
        ("Throttling", 400, True),
        ("InsufficientInstanceCapacity", 500, True),
        ("InternalError", 500, True),
        ("InvalidParameterValue", 400, False),
        ("UnauthorizedOperation", 403, False),
        ("InsufficientFreeAddressesInSubnet", 400, False),
    ],
)
def test_only_what_may_succeed_later_is_retryable(code, status, retryable):
    assert raised(refused(code, status=status), writes=False).retryable is retryable


@pytest.mark.parametrize(
    "code",
    ["InvalidInstanceID.NotFound", "InvalidAMIID.NotFound", "TargetGroupNotFound", "LoadBalancerNotFound"],
)
def test_what_is_not_there_is_not_found(code):
    assert isinstance(raised(refused(code), writes=True), NotFound)


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        refused("InternalError", status=500),
        refused("ServiceUnavailable", status=503),
        refused("502", status=502),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_write_without_an_answer_is_unknown_but_a_read_only_failed(error):
    assert isinstance(raised(error, writes=True), UnknownOutcome)
    read = raised(error, writes=False)
    assert type(read) is CloudError
    assert read.retryable


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        NoCredentialsError(),
        ParamValidationError(report="wrong"),
        TokenRetrievalError(provider="sso", error_msg="expired"),
        refused("InsufficientInstanceCapacity", status=500),
        refused("RequestLimitExceeded", status=503),
        refused("IncorrectInstanceState"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_write_that_was_not_carried_out_is_no_unknown_outcome(error):
    assert type(raised(error, writes=True)) is CloudError


def test_an_error_survives_the_journal():
    error = translate(refused("IncorrectInstanceState"), "ec2:StopInstances", "i-1")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (str(again), again.code, again.request_id) == (str(error), error.code, error.request_id)


def test_a_connection_cut_after_a_write_is_an_unknown_outcome():
    with answering(HANG_UP) as endpoint, pytest.raises(UnknownOutcome) as caught:
        endpoint.cloud().stop_instance("i-1")
    assert caught.value.operation == "ec2:StopInstances"
    assert caught.value.retryable


def test_a_refusal_after_an_attempt_that_got_no_answer_is_an_unknown_outcome():
    with answering(HANG_UP, refusal("RequestLimitExceeded", 503)) as endpoint:
        with pytest.raises(UnknownOutcome) as caught:
            endpoint.cloud(attempts=2).reboot_instance("i-1")
        assert endpoint.actions == ["RebootInstances"] * 2
    assert caught.value.code == "RequestLimitExceeded"


def test_one_lost_answer_does_not_taint_the_next_write():
    with answering(HANG_UP, refusal("IncorrectInstanceState")) as endpoint:
        cloud = endpoint.cloud()
        with pytest.raises(UnknownOutcome):
            cloud.stop_instance("i-1")
        with pytest.raises(CloudError) as caught:
            cloud.stop_instance("i-1")
    assert type(caught.value) is CloudError
    assert caught.value.code == "IncorrectInstanceState"


def test_a_read_is_repeated_until_it_answers():
    with answering(HANG_UP, done("DescribeVolumes", "<volumeSet/>")) as endpoint:
        assert endpoint.cloud(attempts=3).volumes() == ()
        assert endpoint.actions == ["DescribeVolumes"] * 2


def test_a_throttled_read_is_an_error_and_never_an_empty_answer():
    with answering(refusal("RequestLimitExceeded", 503)) as endpoint, pytest.raises(CloudError) as caught:
        endpoint.cloud().instance("i-1")
    assert type(caught.value) is CloudError
    assert caught.value.retryable


def test_an_answer_that_is_not_from_aws_is_named_as_such():
    with answering((200, "<html>Sign in to this network")) as endpoint:
        with pytest.raises(CloudError, match=r"not one that AWS gives.*proxy") as caught:
            endpoint.cloud().volumes()
        assert type(caught.value) is CloudError
        with pytest.raises(UnknownOutcome):
            endpoint.cloud().stop_instance("i-1")


def test_a_lost_create_answers_with_what_exists_when_it_is_repeated():
    exists = (
        "<imagesSet><item><imageId>ami-1</imageId><name>run-1</name><imageState>pending</imageState>"
        "</item></imagesSet>"
    )
    script = [done("DescribeImages", "<imagesSet/>"), HANG_UP, done("DescribeImages", exists)]
    with answering(*script) as endpoint:
        cloud = endpoint.cloud()
        with pytest.raises(UnknownOutcome):
            cloud.create_image("i-1", "run-1", {})
        assert cloud.create_image("i-1", "run-1", {}).id == "ami-1"
        assert endpoint.actions == ["DescribeImages", "CreateImage", "DescribeImages"]


def test_an_expired_session_is_said_by_elastic_load_balancing_too():
    expired = answering(query_refusal("ExpiredToken"))
    with expired as endpoint, pytest.raises(CloudError, match="sign in again") as caught:
        endpoint.cloud().load_balancers()
    assert caught.value.operation == "elasticloadbalancing:DescribeLoadBalancers"


def test_a_launch_that_was_throttled_by_every_attempt_launched_nothing():
    request = LaunchRequest("t", "ami-1", "t3.micro", "subnet-1")
    with answering(refusal("RequestLimitExceeded", 503)) as endpoint, pytest.raises(CloudError) as caught:
        endpoint.cloud(attempts=2).launch(request)
    assert type(caught.value) is CloudError
