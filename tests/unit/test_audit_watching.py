"""What AWS itself sees: checks of names that fail now, and what feeds functions."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.findings import AuditReport
from nospof.services.audit import audit_estate
from support.estates import A, B, account, instance, item, points

HOSTS = (instance("i-1", A, PublicIpAddress="1.1.1.1"), instance("i-2", B, PublicIpAddress="2.2.2.2"))
OK, LOST = "Success: HTTP Status Code 200, OK", "Failure: connection timed out"


# Checks of names ------------------------------------------------------------------------------------------


def record(which: str) -> Any:
    return item(
        "record set",
        HostedZoneId="/hostedzone/Z",
        Name="www.example.org.",
        Type="A",
        SetIdentifier=which,
        Weight=1,
        HealthCheckId=f"c{which}",
        ResourceRecords=[{"Value": ".".join([which] * 4)}],
    )


def check(which: str, **fields: Any) -> Any:
    return item("health check", Id=f"c{which}", HealthCheckConfig={"Type": "HTTP", **fields})


def seen(which: str, *says: str) -> list[Any]:
    return [
        item(
            "health check status",
            HealthCheckId=f"c{which}",
            Region="eu-west-1",
            IPAddress=f"192.0.2.{number}",
            StatusReport={"Status": one},
        )
        for number, one in enumerate(says)
    ]


def named(*more: Any, **second: Any) -> AuditReport:
    return audit_estate(account(record("1"), record("2"), check("1"), check("2", **second), *HOSTS, *more))


def test_an_answer_whose_check_fails_everywhere_is_no_spare_now() -> None:
    report = named(*seen("1", OK, OK), *seen("2", LOST, LOST))
    assert points(report) == {"i-1", f"zone:{A}"}
    finding = next(one for one in report.findings if one.event == "i-1")
    assert finding.time == "now"
    assert f"record www.example.org (2) is left out: {LOST}" in finding.title


@pytest.mark.parametrize(
    ("says", "second"),
    [
        ((OK, OK), {}),
        ((LOST, OK), {}),
        ((), {}),
        ((LOST, LOST), {"Disabled": True}),
        ((LOST, LOST), {"Inverted": True}),
    ],
    ids=["passes", "passes in one place", "not asked", "disabled", "inverted"],
)
def test_an_answer_whose_check_may_pass_is_one(says: tuple[str, ...], second: dict[str, bool]) -> None:
    report = named(*seen("2", *says), **second)
    assert not any(one.time == "now" for one in report.findings)


# What feeds functions -------------------------------------------------------------------------------------


FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:work"
BROKER = "arn:aws:mq:eu-west-1:123456789012:broker:bus:b-1"


def fed(function: str = FUNCTION, source: str = BROKER, state: str = "Enabled") -> AuditReport:
    subnet = item("subnet", SubnetId="subnet-a", AvailabilityZone=A)
    work = item("function", FunctionName="work", FunctionArn=FUNCTION)
    group = {"TargetGroupArn": "arn:group:www", "TargetGroupName": "www", "TargetType": "lambda"}
    front = item("load balancer", LoadBalancerArn="arn:www", LoadBalancerName="www", Type="application")
    front = front.with_fields(AvailabilityZones=[{"ZoneName": A}, {"ZoneName": B}])
    behind = item("target group", **group, LoadBalancerArns=["arn:www"])
    aim = item("target", TargetGroupArn="arn:group:www", Target={"Id": FUNCTION}, TargetHealth={})
    bus = item(
        "broker",
        BrokerId="b-1",
        BrokerArn=BROKER,
        DeploymentMode="SINGLE_INSTANCE",
        SubnetIds=["subnet-a"],
    )
    mapping = item("event source mapping", UUID="m", EventSourceArn=source, FunctionArn=function, State=state)
    return audit_estate(account(subnet, work, front, behind, aim, bus, mapping))


def degrading(report: AuditReport) -> set[str]:
    return {one.event for one in report.findings if one.view == "degraded"}


@pytest.mark.parametrize("function", [FUNCTION, f"{FUNCTION}:live"], ids=["itself", "an alias"])
def test_a_function_does_less_without_the_broker_that_feeds_it(function: str) -> None:
    report = fed(function)
    assert degrading(report) == {"broker b-1 copy 1", f"zone:{A}"}
    assert not any(one.view == "serving" and one.is_single_point for one in report.findings)


@pytest.mark.parametrize(
    "report",
    [fed(state="Disabled"), fed(source="arn:aws:sqs:eu-west-1:123456789012:jobs"), fed(source="")],
    ids=["switched off", "a queue", "a cluster of one's own"],
)
def test_a_function_that_nothing_of_ours_feeds_does_not(report: AuditReport) -> None:
    assert degrading(report) == set()
