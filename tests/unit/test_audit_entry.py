"""Where clients come in: names, edges, addresses, and what each needs."""

from __future__ import annotations

import pytest

from nospof.audit.builder import Service
from nospof.model.estate import Item
from support.net_estates import (
    ZONES,
    alias,
    balanced,
    cuts,
    machine,
    made,
    only,
    pair,
    record,
    services,
    shares,
    subnet,
)

ALB = "alb.elb.amazonaws.com"
LONE = {"i-web1", "vol-web1", "zone:eu-1a"}
TWO = [
    subnet(ZONES[0]),
    *machine("web1", PublicIpAddress="1.1.1.1"),
    *machine("web2", PublicIpAddress="2.2.2.2"),
]
CHECK = made("health check", Id="hc", HealthCheckConfig={"Type": "HTTP"})


def test_a_name_to_an_elastic_ip_is_a_chain_to_one_machine() -> None:
    address = made("address", AllocationId="eip-1", PublicIp="1.1.1.1", InstanceId="i-web1")
    found = only(record("www.example.org", "1.1.1.1"), address, *machine("web1"))
    assert found.entry.service == "www.example.org"
    assert cuts(found) == LONE
    assert {"address eip-1", "i-web1"} <= set(found.topology.by_name)


def test_an_elastic_ip_bound_to_an_interface_leads_to_the_machine_that_has_it() -> None:
    address = made("address", AllocationId="eip-1", PublicIp="1.1.1.1", NetworkInterfaceId="eni-1")
    interfaces = [{"NetworkInterfaceId": "eni-1"}]
    found = only(address, *machine("web1", NetworkInterfaces=interfaces, PublicIpAddress="1.1.1.1"))
    assert (found.entry.kind, found.entry.service) == ("address", "i-web1")
    assert cuts(found) == LONE


def test_an_address_of_a_machine_behind_a_balancer_is_no_service_of_its_own() -> None:
    address = made("address", AllocationId="eip-1", PublicIp="1.1.1.1", InstanceId="i-web1")
    assert list(services(*pair(), address)) == ["alb"]


def test_records_of_equal_weight_without_checks_divide_clients() -> None:
    records = [record("www", f"{one}.{one}.{one}.{one}", SetIdentifier=str(one), Weight=50) for one in (1, 2)]
    found = only(*records, *TWO)
    assert cuts(found) == {"zone:eu-1a"}
    assert shares(found) == {"i-web1": 0.5, "i-web2": 0.5, "vol-web1": 0.5, "vol-web2": 0.5}


def test_several_values_of_one_record_divide_clients_too() -> None:
    found = only(record("www", "1.1.1.1", "2.2.2.2"), *TWO)
    assert cuts(found) == {"zone:eu-1a"}
    assert shares(found)["i-web1"] == 0.5


def test_a_check_on_every_record_moves_clients_and_leaves_the_zone() -> None:
    records = [
        record("www", f"{one}.{one}.{one}.{one}", SetIdentifier=str(one), Weight=50, HealthCheckId=f"hc{one}")
        for one in (1, 2)
    ]
    checks = [made("health check", Id=f"hc{one}", HealthCheckConfig={"Type": "HTTP"}) for one in (1, 2)]
    found = only(*records, *TWO, *checks)
    assert (cuts(found), shares(found)) == ({"zone:eu-1a"}, {})


def test_a_disabled_check_moves_nobody() -> None:
    records = [
        record("www", f"{one}.{one}.{one}.{one}", SetIdentifier=str(one), Weight=50, HealthCheckId="hc")
        for one in (1, 2)
    ]
    off = made("health check", Id="hc", HealthCheckConfig={"Type": "HTTP", "Disabled": True})
    assert shares(only(*records, *TWO, off))["i-web1"] == 0.5


def test_a_check_on_one_record_only_keeps_the_share_of_the_other_at_risk() -> None:
    records = [
        record("www", "1.1.1.1", SetIdentifier="1", Weight=50, HealthCheckId="hc"),
        record("www", "2.2.2.2", SetIdentifier="2", Weight=50),
    ]
    assert shares(only(*records, *TWO, CHECK)) == {"i-web2": 0.5, "vol-web2": 0.5}


@pytest.mark.parametrize(("check", "wanted"), [("hc", {"zone:eu-1a"}), (None, LONE)])
def test_a_secondary_helps_only_when_the_primary_is_checked(check: str | None, wanted: set[str]) -> None:
    records = [
        record("www", "1.1.1.1", SetIdentifier="p", Failover="PRIMARY", HealthCheckId=check),
        record("www", "2.2.2.2", SetIdentifier="s", Failover="SECONDARY"),
    ]
    assert cuts(only(*records, *TWO, CHECK)) == wanted


def test_names_of_the_same_thing_are_one_service_and_private_ones_are_none() -> None:
    zone = made("hosted zone", Id="/hostedzone/Z2", Name="corp.", Config={"PrivateZone": True})
    inner = record("web.corp", "1.1.1.1").with_fields(HostedZoneId="/hostedzone/Z2")
    names = [alias("www.example.org", ALB), alias("example.org", ALB), alias("shop.example.org", ALB)]
    assert list(services(*names, *pair(), zone, inner)) == ["example.org"]


def test_a_name_of_nothing_that_was_read_is_no_service() -> None:
    proof = record("_x.example.org", "_y.acm-validations.aws", Type="CNAME")
    assert list(services(*pair(), proof)) == ["alb"]


def test_a_cname_to_another_name_is_one_service_with_it() -> None:
    chain = record("www.example.org", "app.example.org", Type="CNAME")
    assert list(services(chain, alias("app.example.org", ALB), *pair())) == ["www.example.org"]


def distribution(group: bool, **more: object) -> Item:
    origins = [
        {"Id": "a", "DomainName": ALB},
        {"Id": "b", "DomainName": "spare.elb.amazonaws.com"},
    ]
    members = {"Items": [{"OriginId": "a"}, {"OriginId": "b"}]}
    return made(
        "distribution",
        Id="E1",
        DomainName="d1.cloudfront.net",
        Aliases={"Items": ["cdn.example.org"]},
        Origins={"Items": origins},
        OriginGroups={"Items": [{"Id": "g", "Members": members}]} if group else {},
        DefaultCacheBehavior={"TargetOriginId": "g" if group else "a", **more},
        CacheBehaviors={} if group else {"Items": [{"PathPattern": "/x", "TargetOriginId": "b"}]},
    )


def behind(group: bool, **more: object) -> Service:
    spare = [*machine("web2", ZONES[1]), *balanced("web2", name="spare")]
    found = only(distribution(group, **more), *machine("web1"), *balanced("web1"), *spare)
    assert found.entry.service == "cdn.example.org"
    return found


def test_an_origin_group_has_a_spare_and_two_origins_without_one_have_not() -> None:
    assert cuts(behind(True)) == set()
    alone = behind(False)
    assert cuts(alone) == set()
    assert shares(alone)["i-web1"] == 0.5


def test_writing_needs_the_first_origin_of_a_group() -> None:
    writing = behind(True, AllowedMethods={"Items": ["GET", "POST"]})
    assert cuts(writing, "degraded") == LONE
    assert cuts(behind(True, AllowedMethods={"Items": ["GET"]}), "degraded") == set()


@pytest.mark.parametrize(("dial", "wanted"), [(100.0, set()), (0.0, LONE)])
def test_an_endpoint_group_with_its_dial_at_zero_is_no_spare(dial: float, wanted: set[str]) -> None:
    def group(name: str, balancer: str, percentage: float) -> Item:
        return made(
            "endpoint group",
            EndpointGroupArn=name,
            ListenerArn="l",
            TrafficDialPercentage=percentage,
            EndpointDescriptions=[{"EndpointId": f"arn:{balancer}", "Weight": 128}],
        )

    found = services(
        made("accelerator", AcceleratorArn="ga", Name="ga", DnsName="x.awsglobalaccelerator.com"),
        made("accelerator listener", AcceleratorArn="ga", ListenerArn="l"),
        group("g1", "alb", 100.0),
        group("g2", "spare", dial),
        *machine("web1"),
        *balanced("web1"),
        *machine("web2", ZONES[1]),
        *balanced("web2", name="spare"),
    )["ga"]
    assert cuts(found) == wanted
