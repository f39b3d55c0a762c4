"""AWS Health of the local cloud: refused without a support plan; with one it tells of announced events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.ec2_words import instance, refused
from support.iam_keys import client_of, new_key, statement
from support.local_cloud import RunningCloud

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def health(local_cloud: RunningCloud) -> Iterator[Any]:
    """Health's client, of an account with a support plan."""
    assert local_cloud.admin("POST", "support", {"enabled": True}) == (200, {"support": True})
    yield local_cloud.client("health")
    local_cloud.admin("POST", "support", {"enabled": False})


def announced(cloud: RunningCloud, instance_id: str, code: str, **more: Any) -> str:
    document = {"instance": instance_id, "code": code, "seconds": 3600, **more}
    return str(cloud.admin("POST", "event", document)[1]["event"])


def test_an_account_without_a_support_plan_is_refused(local_cloud: RunningCloud) -> None:
    assert refused(local_cloud.client("health").describe_events) == "SubscriptionRequiredException"


def test_announced_events_are_told_with_whom_they_affect(
    local_cloud: RunningCloud, ec2: Any, source: str, health: Any
) -> None:
    stop = announced(local_cloud, source, "instance-retirement", description="an old host")
    power = announced(local_cloud, source, "system-maintenance", outage="power")
    local_cloud.admin("POST", "event/cancel", {"event": power})
    of_source = {"entityValues": [source]}
    events = {one["eventTypeCode"]: one for one in health.describe_events(filter=of_source)["events"]}
    assert {code: one["statusCode"] for code, one in events.items()} == {
        "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED": "upcoming",
        "AWS_EC2_INSTANCE_POWER_MAINTENANCE_SCHEDULED": "closed",
    }
    upcoming = {**of_source, "eventStatusCodes": ["upcoming"], "services": ["EC2"], "regions": ["us-east-1"]}
    (told,) = health.describe_events(filter=upcoming)["events"]
    (shown,) = [
        one
        for one in ec2.describe_instance_status(InstanceIds=[source])["InstanceStatuses"][0]["Events"]
        if one["InstanceEventId"] == stop
    ]
    assert (told["startTime"], told["endTime"]) == (shown["NotBefore"], shown["NotAfter"])
    assert told["availabilityZone"] == instance(ec2, source)["Placement"]["AvailabilityZone"]
    (entity,) = health.describe_affected_entities(filter={"eventArns": [told["arn"]]})["entities"]
    assert (entity["entityValue"], entity["statusCode"]) == (source, "PENDING")
    nowhere = told["arn"] + "0"
    details = health.describe_event_details(eventArns=[told["arn"], nowhere])
    assert [one["eventDescription"] for one in details["successfulSet"]] == [
        {"latestDescription": "an old host"}
    ]
    assert [one["eventArn"] for one in details["failedSet"]] == [nowhere]


def test_events_come_in_pages_and_within_a_range_of_times(
    local_cloud: RunningCloud, source: str, health: Any
) -> None:
    for _ in range(3):
        announced(local_cloud, source, "system-reboot")
    of_source: dict[str, Any] = {"entityValues": [source]}
    pages = health.get_paginator("describe_events").paginate(
        filter=of_source, PaginationConfig={"PageSize": 2}
    )
    sizes = [len(page["events"]) for page in pages]
    assert sizes == [2, 1]
    begins = health.describe_events(filter=of_source)["events"][0]["startTime"]
    for within, count in (({"from": begins}, 3), ({"to": begins}, 3), ({"to": 0}, 0)):
        assert len(health.describe_events(filter={**of_source, "startTimes": [within]})["events"]) == count


def test_what_is_not_understood_is_refused(health: Any) -> None:
    assert (
        refused(health.describe_events, filter={"actionabilities": ["INFORMATIONAL"]})
        == "ValidationException"
    )
    assert refused(health.describe_events, nextToken="elsewhere") == "InvalidPaginationToken"
    assert refused(health.describe_events, locale="fr") == "UnsupportedLocale"
    assert refused(health.describe_event_types) == "InvalidAction"


def test_it_tells_whoever_may_ask_only(local_cloud: RunningCloud, health: Any) -> None:
    asking = client_of(local_cloud, new_key(local_cloud, statement("health:DescribeEvents")), "health")
    asking.describe_events()
    asked = {"eventArns": ["arn:aws:health:us-east-1::event/EC2/A/A_1"]}
    assert refused(asking.describe_event_details, **asked) == "AccessDeniedException"


def test_a_fault_hits_it_too(local_cloud: RunningCloud, health: Any) -> None:
    rule = {"service": "health", "action": "DescribeEvents", "code": "ThrottlingException"}
    assert local_cloud.admin("POST", "inject", rule)[0] == 200
    assert refused(health.describe_events) == "ThrottlingException"
    health.describe_events()
