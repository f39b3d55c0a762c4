"""Estates written by hand, in the words of the describing calls."""

from __future__ import annotations

from typing import Any

from nospof.model.estate import Estate, Item, estate_of, item_of
from nospof.model.findings import AuditReport
from nospof.model.kinds import KINDS
from nospof.services.audit import Terms, audit_estate

ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
A, B, C = ZONES


def item(kind: str, **fields: Any) -> Item:
    return item_of(KINDS[kind], fields)


def zones() -> list[Item]:
    return [item("zone", ZoneName=one, ZoneId=f"euw1-az{one[-1]}", State="available") for one in ZONES]


def instance(name: str, zone: str, **fields: Any) -> Item:
    """A running instance with one disk, that keeps nothing that changes."""
    base = {
        "InstanceId": name,
        "State": {"Name": "running"},
        "Placement": {"AvailabilityZone": zone},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": f"vol-{name}"}}],
        "Tags": [{"Key": "nospof:state", "Value": "none"}],
    }
    return item("instance", **{**base, **fields})


def balancer(name: str = "www", zones: tuple[str, ...] = (A, B), **fields: Any) -> Item:
    base = {
        "LoadBalancerArn": f"arn:{name}",
        "LoadBalancerName": name,
        "Type": "application",
        "State": {"Code": "active"},
        "AvailabilityZones": [{"ZoneName": zone} for zone in zones],
    }
    return item("load balancer", **{**base, **fields})


def group(name: str = "www", balancers: tuple[str, ...] = ("arn:www",), **fields: Any) -> Item:
    base = {
        "TargetGroupArn": f"arn:group:{name}",
        "TargetGroupName": name,
        "TargetType": "instance",
        "LoadBalancerArns": list(balancers),
        "HealthCheckIntervalSeconds": 5,
        "HealthCheckTimeoutSeconds": 2,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200"},
    }
    return item("target group", **{**base, **fields})


def target(who: str, group: str = "www", state: str = "healthy") -> Item:
    fields = {"TargetGroupArn": f"arn:group:{group}", "Target": {"Id": who, "Port": 80}}
    return item("target", **fields, TargetHealth={"State": state})


def scaling(name: str, members: dict[str, str], *, group: str = "www", **fields: Any) -> Item:
    """An Auto Scaling group with ELB health checks; members by id and zone."""
    rows = [
        {
            "InstanceId": who,
            "AvailabilityZone": zone,
            "LifecycleState": "InService",
            "HealthStatus": "Healthy",
        }
        for who, zone in members.items()
    ]
    base = {
        "AutoScalingGroupName": name,
        "MinSize": len(members),
        "DesiredCapacity": len(members),
        "AvailabilityZones": sorted(set(members.values())),
        "HealthCheckType": "ELB",
        "TargetGroupARNs": [f"arn:group:{group}"],
        "Instances": rows,
    }
    return item("auto scaling group", **{**base, **fields})


def account(*items: Item, **about: Any) -> Estate:
    """A whole account that holds these and three zones."""
    about = {"source": "AWS", "account": "123456789012", "region": "eu-west-1", **about}
    return estate_of([*zones(), *items], **about)


def described(*items: Item, **about: Any) -> Estate:
    """A description of a part of an account: what it refers to may be elsewhere."""
    return estate_of(items, **{"source": "Terraform plan", "is_whole": False, **about})


def audit(*items: Item, service: str = "") -> AuditReport:
    return audit_estate(account(*items), Terms(service=service))


def points(report: AuditReport, confidence: str = "certain") -> set[str]:
    """The events that alone stop a service."""
    return {one.event for one in report.findings if one.is_single_point and one.confidence == confidence}


def found(report: AuditReport, rule: str) -> list[str]:
    """The titles of a rule's findings."""
    return [one.title for one in report.findings if one.rule == rule]
