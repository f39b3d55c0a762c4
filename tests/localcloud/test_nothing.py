"""What cannot exist in the local cloud is answered with "none", in the protocol that was asked in."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from nospof.localcloud.nothing import NOTHING, Nothing
from support.local_cloud import RunningCloud

pytestmark = pytest.mark.local_cloud


def ask(cloud: RunningCloud, question: Nothing) -> Any:
    client = cloud.client(question.sdk or question.service)
    return getattr(client, xform_name(question.operation))()


@pytest.mark.parametrize("question", NOTHING, ids=lambda one: f"{one.sdk or one.service}:{one.operation}")
def test_there_is_none(local_cloud: RunningCloud, question: Nothing) -> None:
    answer = ask(local_cloud, question)
    answer.pop("ResponseMetadata")
    assert list(answer.values()) == [[]]


def test_a_fault_hits_it_too(local_cloud: RunningCloud) -> None:
    rule = {"service": "apigatewayv2", "action": "GetApis", "code": "AccessDeniedException", "status": 403}
    assert local_cloud.admin("POST", "inject", rule)[0] < 300
    question = next(one for one in NOTHING if one.operation == "GetApis")
    with pytest.raises(ClientError) as refused:
        ask(local_cloud, question)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert ask(local_cloud, question)["Items"] == []


def test_a_form_that_was_looked_at_still_reaches_its_service(local_cloud: RunningCloud) -> None:
    zones = local_cloud.client("ec2").describe_availability_zones(ZoneNames=["us-east-1a"])
    assert [one["ZoneName"] for one in zones["AvailabilityZones"]] == ["us-east-1a"]


def test_every_volume_is_well(local_cloud: RunningCloud) -> None:
    ec2 = local_cloud.client("ec2")
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"]
    try:
        (told,) = ec2.describe_volume_status(VolumeIds=[volume])["VolumeStatuses"]
    finally:
        ec2.delete_volume(VolumeId=volume)
    assert (told["VolumeId"], told["AvailabilityZone"]) == (volume, zone)
    assert told["VolumeStatus"]["Status"] == "ok"
