"""Injected faults and refusals: every answer is one AWS's clients understand."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.ec2_words import launch, refused
from support.local_cloud import RunningCloud
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


@pytest.fixture(autouse=True)
def no_rules(local_cloud: RunningCloud) -> Iterator[None]:
    yield
    local_cloud.admin("DELETE", "inject")


def inject(cloud: RunningCloud, **rule: Any) -> None:
    status, answer = cloud.admin("POST", "inject", rule)
    assert status == 200, answer


def test_an_injected_error_hits_as_often_as_asked(local_cloud: RunningCloud) -> None:
    ec2 = local_cloud.client("ec2")
    inject(
        local_cloud, service="ec2", action="DescribeVpcs", code="RequestLimitExceeded", status=503, count=2
    )
    for _ in range(2):
        with pytest.raises(ClientError, match="RequestLimitExceeded") as failure:
            ec2.describe_vpcs()
        assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert ec2.describe_vpcs()["Vpcs"]


def test_an_injected_error_can_be_for_one_type_only(local_cloud: RunningCloud) -> None:
    inject(
        local_cloud, action="RunInstances", code="InsufficientInstanceCapacity", status=500, match="t3.large"
    )
    small = launch(local_cloud)
    with pytest.raises(ClientError, match="InsufficientInstanceCapacity"):
        launch(local_cloud, InstanceType="t3.large")
    local_cloud.client("ec2").terminate_instances(InstanceIds=[small["InstanceId"]])


def test_an_answer_can_be_lost_after_the_call_was_done(local_cloud: RunningCloud) -> None:
    inject(local_cloud, action="RunInstances", code="InternalError", status=500, after=True)
    image = local_cloud.image_named("nospof-base")
    with pytest.raises(ClientError, match="InternalError"):
        launch(local_cloud, ImageId=image, ClientToken="lost-answer")
    found = local_cloud.client("ec2").describe_instances(
        Filters=[{"Name": "client-token", "Values": ["lost-answer"]}]
    )
    [reservation] = found["Reservations"]
    repeated = launch(local_cloud, ImageId=image, ClientToken="lost-answer")
    assert repeated["InstanceId"] == reservation["Instances"][0]["InstanceId"]
    local_cloud.client("ec2").terminate_instances(InstanceIds=[repeated["InstanceId"]])


def test_errors_are_injected_in_json_protocols_too(local_cloud: RunningCloud) -> None:
    inject(local_cloud, service="ssm", code="ThrottlingException", status=429)
    assert refused(local_cloud.client("ssm").describe_instance_information) == "ThrottlingException"


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({}, "would do nothing"),
        ({"code": "X", "colour": "red"}, "unknown field 'colour'"),
        ({"code": "X", "status": 200}, "400 to 599"),
        ({"code": "X", "count": -1}, "0 (no limit) or more"),
        ({"code": "X", "count": "two"}, "must be of type int"),
        ({"code": "X", "match": "("}, "not a regular expression"),
        ({"latency_seconds": 1e9}, "between 0 and 60"),
    ],
)
def test_a_rule_that_is_not_understood_is_refused(
    local_cloud: RunningCloud, rule: dict[str, Any], sentence: str
) -> None:
    status, answer = local_cloud.admin("POST", "inject", rule)
    assert status == 400
    assert sentence in answer["error"]
    assert local_cloud.admin("GET", "inject")[1]["rules"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "nothing", 404), ("PUT", "status", 405), ("GET", "event", 405), ("POST", "fault", 400)],
)
def test_a_path_that_does_not_exist_is_refused(
    local_cloud: RunningCloud, method: str, path: str, status: int
) -> None:
    answer = local_cloud.admin(method, path)
    assert answer[0] == status
    assert answer[1]["error"]


def test_a_machine_that_does_not_exist_cannot_be_killed(local_cloud: RunningCloud) -> None:
    answer = local_cloud.admin("POST", "fault", {"instance": "i-0", "fault": "kill"})
    assert answer[0] == 404
    assert "does not exist" in answer[1]["error"]


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        (
            "ec2",
            "create_capacity_reservation",
            {"InstanceType": "t3.micro", "InstancePlatform": "Linux/UNIX", "InstanceCount": 1},
        ),
        ("ssm", "describe_instance_patch_states", {"InstanceIds": ["i-0123456789abcdef0"]}),
        ("pricing", "describe_services", {}),
        ("compute-optimizer", "get_enrollment_status", {}),
    ],
)
def test_what_is_not_implemented_is_a_clients_error_in_the_services_protocol(
    local_cloud: RunningCloud, service: str, operation: str, request_: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as failure:
        getattr(local_cloud.client(service), operation)(**request_)
    assert failure.value.response["Error"]["Code"] == "InvalidAction"
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def raw(cloud: RunningCloud, method: str, path: str, headers: dict[str, str], body: str = "") -> int:
    host, _, port = cloud.url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request(method, path, body, headers)
        with connection.getresponse() as answer:
            return answer.status
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/", "/_nospof/status"])
@pytest.mark.parametrize("headers", [{"Origin": "https://example.com"}, {"Host": "example.com"}])
def test_a_browser_is_refused(local_cloud: RunningCloud, path: str, headers: dict[str, str]) -> None:
    assert raw(local_cloud, "GET", path, headers) == 403


def test_an_unsigned_request_is_refused(local_cloud: RunningCloud) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert raw(local_cloud, "POST", "/", form, "Action=DescribeVpcs&Version=2016-11-15") == 403
    assert raw(local_cloud, "POST", "/moto-api/reset", {}) == 403


def test_the_auto_scaling_group_of_an_instance_is_known(local_cloud: RunningCloud) -> None:
    autoscaling, ec2 = local_cloud.client("autoscaling"), local_cloud.client("ec2")
    template = ec2.create_launch_template(
        LaunchTemplateName="grouped",
        LaunchTemplateData={"ImageId": local_cloud.image_named("nospof-base"), "InstanceType": "t3.micro"},
    )["LaunchTemplate"]
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="group",
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"]},
        MinSize=1,
        MaxSize=1,
        AvailabilityZones=["us-east-1a"],
    )
    [member] = autoscaling.describe_auto_scaling_instances()["AutoScalingInstances"]
    assert member["AutoScalingGroupName"] == "group"
    _, answer = local_cloud.admin("GET", "status")
    assert member["InstanceId"] in [entry["instance"] for entry in answer["machines"]]
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName="group", ForceDelete=True)


def test_with_the_limits_on_the_sixth_launch_at_once_is_throttled(local_cloud: RunningCloud) -> None:
    image = local_cloud.image_named("nospof-base")
    assert local_cloud.admin("POST", "limits", {"enabled": True})[0] == 200
    ec2 = local_cloud.client("ec2")
    request = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", "DryRun": True}
    codes = [refused(ec2.run_instances, **request) for _ in range(40)]
    local_cloud.admin("POST", "limits", {"enabled": False})
    assert codes[:5] == ["DryRunOperation"] * 5
    assert "RequestLimitExceeded" in codes
    assert refused(ec2.run_instances, **request) == "DryRunOperation"


@pytest.fixture
def late(local_cloud: RunningCloud) -> Iterator[None]:
    """Have every change take three seconds to be known."""
    assert local_cloud.admin("POST", "consistency", {"seconds": 3.0})[0] == 200
    yield
    local_cloud.admin("POST", "consistency", {"seconds": 0})


def is_known(ec2: Any, instance_id: str) -> bool:
    try:
        return bool(ec2.describe_instances(InstanceIds=[instance_id])["Reservations"])
    except ClientError:
        return False


def test_c17_c31_a_new_id_is_not_known_at_once_and_then_it_is(local_cloud: RunningCloud, late: None) -> None:
    ec2 = local_cloud.client("ec2")
    made = launch(local_cloud)["InstanceId"]
    assert refused(ec2.describe_instances, InstanceIds=[made]) == "InvalidInstanceID.NotFound"
    assert (
        refused(ec2.create_tags, Resources=[made], Tags=[{"Key": "a", "Value": "b"}])
        == "InvalidInstanceID.NotFound"
    )
    eventually(lambda: is_known(ec2, made), "the new id is known")
    ec2.terminate_instances(InstanceIds=[made])


def test_a_read_after_a_change_may_be_of_before_it(local_cloud: RunningCloud, late: None) -> None:
    ec2 = local_cloud.client("ec2")
    before = ec2.describe_vpcs()["Vpcs"]
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    assert ec2.describe_vpcs()["Vpcs"] == before
    eventually(lambda: vpc in {one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]}, "it is told")
    ec2.delete_vpc(VpcId=vpc)


@pytest.mark.parametrize("document", [{}, {"seconds": -1}, {"seconds": 301}, {"seconds": "2"}, {"second": 1}])
def test_a_delay_that_makes_no_sense_is_refused(local_cloud: RunningCloud, document: dict[str, Any]) -> None:
    status, answer = local_cloud.admin("POST", "consistency", document)
    assert status == 400
    assert "second" in str(answer)
