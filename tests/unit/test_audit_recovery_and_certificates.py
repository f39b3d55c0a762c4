"""What replaces a machine, what is kept of its disks, and what ends on a known day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nospof.audit.checks_recovery import recovery_checks
from nospof.audit.remedies_network import remedy_for
from nospof.model.estate import UNKNOWN, Item
from support.net_estates import (
    ZONES,
    alias,
    balanced,
    cuts,
    estate,
    machine,
    made,
    nat,
    only,
    pair,
    services,
    subnet,
    table,
    worst,
)

NOW = 1_000_000_000.0
SOON = datetime.fromtimestamp(NOW + 8 * 86_400, UTC)
FAR = datetime.fromtimestamp(NOW + 300 * 86_400, UTC)


def group(**more: object) -> list[Item]:
    """Return a group of one behind a balancer, its template and its image."""
    fields: dict[str, object] = {
        "AutoScalingGroupName": "web",
        "MinSize": 1,
        "MaxSize": 2,
        "DesiredCapacity": 1,
        "AvailabilityZones": list(ZONES),
        "VPCZoneIdentifier": "sn-eu-1a,sn-eu-1b",
        "HealthCheckType": "ELB",
        "TargetGroupARNs": ["arn:alb/tg"],
        "Instances": [
            {
                "InstanceId": "i-web1",
                "AvailabilityZone": ZONES[0],
                "LifecycleState": "InService",
                "HealthStatus": "Healthy",
            }
        ],
        "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "$Latest"},
        **more,
    }
    return [
        *(subnet(zone) for zone in ZONES),
        *machine("web1"),
        *balanced("web1"),
        made("auto scaling group", **fields),
        made("launch template", LaunchTemplateId="lt-1", LatestVersionNumber=2, DefaultVersionNumber=1),
    ]


def version(number: int = 2, **data: object) -> Item:
    return made(
        "launch template version",
        LaunchTemplateId="lt-1",
        VersionNumber=number,
        LaunchTemplateData={"ImageId": "ami-1", **data},
    )


def image(state: str = "available") -> Item:
    return made("image", ImageId="ami-1", State=state)


def rules(*items: Item) -> list[str]:
    return [one.rule for one in recovery_checks(estate(*items), only(*items))]


def test_an_image_that_is_gone_breaks_recovery_and_not_serving() -> None:
    found = only(*group(), version(), image("deregistered"))
    assert worst(found).views["recovery"].is_broken
    assert not worst(found).serving.is_broken
    assert "eu-1a" in "".join(cuts(found))


def test_a_group_of_one_that_starts_through_a_gateway_elsewhere_needs_that_zone_to_recover() -> None:
    found = only(*group(), version(), image(), nat("b", ZONES[1]), table("1", *ZONES, NatGatewayId="nat-b"))
    # The first view that it cuts has it: the member goes out the same way.
    assert cuts(found, "egress") == {"nat-b", "zone:eu-1b"}
    assert not worst(found).views["recovery"].is_broken


def test_a_template_that_is_gone_breaks_recovery() -> None:
    items = [one for one in group() if one.kind.name != "launch template"]
    assert worst(only(*items)).views["recovery"].is_broken


def test_the_settings_of_a_group_that_keep_it_from_healing_are_named() -> None:
    whole = [version(), image()]
    assert rules(*group(), *whole) == []
    assert rules(*group(SuspendedProcesses=[{"ProcessName": "Launch"}]), *whole) == ["NSP508"]
    assert rules(*group(HealthCheckType="EC2"), *whole) == ["NSP404"]
    assert rules(*group(DesiredCapacity=2), *whole) == ["NSP801"]
    pinned = version(Placement={"AvailabilityZone": "eu-1c"})
    assert rules(*group(), pinned, image()) == ["NSP502"]


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"SuspendedProcesses": [{"ProcessName": "Launch"}]}, "NSP508"),
        ({"HealthCheckType": "EC2"}, "NSP404"),
        ({"DesiredCapacity": 2}, "NSP801"),
    ],
)
def test_the_remedy_of_a_groups_setting_mends_it(more: dict[str, object], rule: str) -> None:
    items = [*group(**more), version(), image()]
    service = only(*items)
    (found,) = recovery_checks(estate(*items), service)
    proposal = remedy_for(service.estate, service, found)
    assert proposal is not None
    assert proposal.changes is not None
    assert proposal.commands
    after = proposal.changes(service.estate)
    assert rule not in rules(*(one for each in after.items.values() for one in each))


def test_a_lone_machine_keeps_all_there_is_and_has_no_snapshot() -> None:
    items = machine("web1", PublicIpAddress="1.1.1.1")
    found = only(*items)
    assert worst(found).loses == {"content of vol-web1": ("vol-web1",)}
    assert rules(*items) == ["NSP504", "NSP302"]
    taken = made("snapshot", SnapshotId="snap-1", VolumeId="vol-web1", State="completed", StartTime=NOW - 60)
    assert rules(*items, taken) == ["NSP504"]
    old = made("snapshot", SnapshotId="snap-1", VolumeId="vol-web1", State="completed", StartTime=NOW - 9e5)
    assert rules(*items, old) == ["NSP504", "NSP303"]


def test_one_of_a_pair_or_one_that_keeps_nothing_is_asked_for_no_snapshot() -> None:
    assert rules(*pair()) == []
    tagged = machine("web1", PublicIpAddress="1.1.1.1", Tags=[{"Key": "nospof:state", "Value": "none"}])
    assert rules(*tagged) == ["NSP504"]


def test_an_address_bound_to_the_interface_stays() -> None:
    address = made("address", AllocationId="eip-1", PublicIp="1.1.1.1", NetworkInterfaceId="eni-1")
    items = machine("web1", PublicIpAddress="1.1.1.1", NetworkInterfaces=[{"NetworkInterfaceId": "eni-1"}])
    assert "NSP504" not in rules(*items, address)


def test_a_recovery_alarm_heals_and_removes_no_single_point() -> None:
    alarm = made(
        "alarm",
        AlarmName="rec",
        AlarmActions=["arn:aws:automate:eu-1:ec2:recover"],
        Dimensions=[{"Name": "InstanceId", "Value": "i-web1"}],
    )
    found = only(*machine("web1", PublicIpAddress="1.1.1.1"), alarm)
    assert "host" in found.heals["i-web1"]
    assert cuts(found) == {"i-web1", "vol-web1", "zone:eu-1a"}


def test_a_subnet_without_room_is_named() -> None:
    items = [one for one in group() if one.kind.name != "subnet"]
    full = [subnet(ZONES[0], free=0), subnet(ZONES[1])]
    assert rules(*full, *items, version(), image()) == ["NSP506", "NSP506"]


# Certificates ---------------------------------------------------------------------------------------------


def secure(*certificates: Item) -> list[Item]:
    """Return a pair behind a balancer that shows a certificate."""
    rows = [{"CertificateArn": "arn:cert"}]
    base = [one for one in pair() if one.kind.name != "listener"]
    listener = made(
        "listener",
        ListenerArn="arn:alb/l",
        LoadBalancerArn="arn:alb",
        Certificates=rows,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": "arn:alb/tg"}],
    )
    return [*base, listener, *certificates]


def certificate(kind: str, end: object, method: str = "DNS") -> Item:
    return made(
        "certificate",
        CertificateArn="arn:cert",
        DomainName="www.example.org",
        Status="ISSUED",
        Type=kind,
        NotAfter=end,
        DomainValidationOptions=[{"ValidationMethod": method}],
    )


@pytest.mark.parametrize(
    ("item", "is_event"),
    [
        (certificate("IMPORTED", SOON), True),
        (certificate("IMPORTED", FAR), True),
        (certificate("AMAZON_ISSUED", FAR, "EMAIL"), True),
        (certificate("AMAZON_ISSUED", SOON), True),
        (certificate("AMAZON_ISSUED", FAR), False),
    ],
)
def test_a_certificate_is_an_event_only_when_nothing_renews_it(item: Item, is_event: bool) -> None:
    found = only(*secure(item))
    assert cuts(found) == ({"certificate:arn:cert"} if is_event else set())
    if is_event:
        assert found.topology.event("certificate:arn:cert").starts_at == item.moment("NotAfter")


def test_a_certificate_whose_end_nobody_knows_is_possible_only() -> None:
    found = only(*secure(certificate("IMPORTED", UNKNOWN)))
    assert cuts(found) == {"certificate:arn:cert"}
    assert found.topology.has_unknown


def test_a_certificate_that_has_ended_is_an_outage_now() -> None:
    ended = certificate("AMAZON_ISSUED", datetime.fromtimestamp(NOW - 1, UTC))
    assert "certificate arn:cert" in only(*secure(ended)).topology.failed_now


def test_a_domain_that_does_not_renew_itself_is_dated() -> None:
    name = alias("www.example.org", "alb.elb.amazonaws.com")
    kept = {"DomainName": "example.org", "Expiry": SOON}
    found = services(*pair(), name, made("registered domain", **kept, AutoRenew=False))["www.example.org"]
    assert cuts(found) == {"domain:example.org"}
    renewing = made("registered domain", **kept, AutoRenew=True)
    assert cuts(services(*pair(), name, renewing)["www.example.org"]) == set()
