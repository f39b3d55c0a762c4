"""Small accounts with ways out, lines, keys and disks, each with the verdict that was worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nospof.model.estate import UNKNOWN, Estate, Use
from nospof.model.findings import AuditReport
from nospof.model.item import Item
from nospof.render.documents import render_json
from nospof.services.audit import audit_estate
from support.behind import PAIR, SUBNETS, audited, files, titles, using, verdict
from support.estates import A, B, account, instance, item

# Ways out and lines ---------------------------------------------------------------------------------------


def in_network(*items: Item, **route: Any) -> AuditReport:
    """A pair in a network whose one route to everywhere leads where the fields say."""
    ways = [{"DestinationCidrBlock": "0.0.0.0/0", **route}]
    table = item("route table", RouteTableId="rtb", VpcId="v", Associations=[{"Main": True}], Routes=ways)
    machines = [
        instance(who, zone, VpcId="v", SubnetId=f"s-{zone[-1]}") for who, zone in (("i-1", A), ("i-2", B))
    ]
    return audit_estate(account(*PAIR[:4], *machines, *SUBNETS, table, *items))


def endpoint(state: str) -> Item:
    base = {
        "VpcEndpointId": "vpce-1",
        "VpcId": "v",
        "VpcEndpointType": "Interface",
        "PrivateDnsEnabled": True,
    }
    return item(
        "VPC endpoint", **base, SubnetIds=["s-a", "s-b"], ServiceName="com.amazonaws.x.ssm", State=state
    )


def line(name: str, *tunnels: str, state: str = "available") -> Item:
    rows = [{"OutsideIpAddress": f"{name}-{n}", "Status": one} for n, one in enumerate(tunnels, 1)]
    base = {"VpnConnectionId": name, "VpnGatewayId": "vgw-1", "CustomerGatewayId": f"c-{name}"}
    return item("VPN connection", **base, State=state, VgwTelemetry=rows)


def nat_machine(state: str) -> Item:
    return instance("i-nat", A, State={"Name": state})


@pytest.mark.parametrize(
    ("items", "route", "event", "says"),
    [
        (
            [
                item(
                    "NAT gateway",
                    NatGatewayId="n",
                    SubnetId="s-a",
                    State="failed",
                    FailureMessage="no address",
                )
            ],
            {"NatGatewayId": "n"},
            "broken:egress",
            "NAT gateway n failed: no address",
        ),
        ([nat_machine("stopped")], {"InstanceId": "i-nat"}, "broken:egress", "NAT instance i-nat stopped"),
        ([endpoint("pendingAcceptance")], {"GatewayId": "igw-1"}, "broken:egress", "endpoint for ssm"),
        ([line("a", "DOWN", "DOWN")], {"GatewayId": "vgw-1"}, "broken:admin", "tunnel a-1 of a down"),
        ([line("a", "UP", "DOWN")], {"GatewayId": "vgw-1"}, "tunnel:a/a-1", "tunnel a-1 of a fails"),
    ],
)
def test_a_way_out_that_is_down_is_no_way_out(items: list[Item], route: Any, event: str, says: str) -> None:
    report = in_network(*items, **route)
    (found,) = [one for one in report.findings if one.event == event]
    assert found.confidence == "certain"
    assert says in found.title
    assert report.exit_code == 10


def test_a_line_that_was_deleted_is_no_spare() -> None:
    both = in_network(line("a", "UP", "UP"), line("b", "UP", "UP"), GatewayId="vgw-1")
    assert verdict(both) == set()
    report = in_network(line("a", "UP", "UP"), line("b", "UP", "UP", state="deleted"), GatewayId="vgw-1")
    assert verdict(report) == {("NSP109", "device:c-a", "certain")}


def direct(name: str, site: str, state: str = "available", sessions: tuple[str, ...] = ("up",)) -> list[Item]:
    """A virtual interface on a Direct Connect connection of its own."""
    peers = [{"bgpStatus": one} for one in sessions]
    found = {"virtualInterfaceId": name, "connectionId": f"c-{name}", "virtualGatewayId": "vgw-1"}
    line = {
        "connectionId": f"c-{name}",
        "connectionState": state,
        "awsDeviceV2": f"d-{name}",
        "location": site,
    }
    return [item("virtual interface", **found, bgpPeers=peers), item("direct connection", **line)]


@pytest.mark.parametrize(
    ("second", "alone"),
    [
        (direct("b", "LON1"), set()),
        (direct("b", "LON1", sessions=("up", "down")), set()),
        (direct("b", "LON1", state="down"), {"line:c-a", "device:d-a", "site:DC2"}),
        (direct("b", "LON1", sessions=("down",)), {"line:c-a", "device:d-a", "site:DC2"}),
        (direct("b", "DC2"), {"site:DC2"}),
    ],
)
def test_a_line_that_carries_nothing_is_no_spare(second: list[Item], alone: set[str]) -> None:
    report = in_network(*direct("a", "DC2"), *second, GatewayId="vgw-1")
    assert {one.event for one in report.findings} == alone


# Keys and disks -------------------------------------------------------------------------------------------


def test_files_whose_key_is_disabled_stop_and_do_not_only_fail_to_start() -> None:
    system, *ways = files(A, B)
    locked = system.with_fields(KmsKeyId="k")
    report = audited(locked, *ways, item("key", KeyId="k", KeyState="Disabled"))
    assert ("NSP505", "key:k", "certain") in verdict(report)
    assert "www stops with key k in the state Disabled" in titles(report)


@pytest.mark.parametrize("disks", [[], UNKNOWN])
def test_a_lone_machine_without_a_known_volume_keeps_what_goes_with_it(disks: Any) -> None:
    machine = instance("i-1", A, Tags=[], PublicIpAddress="192.0.2.1", BlockDeviceMappings=disks)
    report = audit_estate(account(machine, item("address", AllocationId="e", InstanceId="i-1")))
    assert ("NSP301", "loses:content of i-1", "possible") in verdict(report)


# What is only permitted, and what a remedy may claim ------------------------------------------------------


def one_database(**fields: Any) -> Item:
    base = {"DBInstanceIdentifier": "db", "AvailabilityZone": A, "MultiAZ": False}
    return item("database", **{**base, "BackupRetentionPeriod": 0, "DeletionProtection": False, **fields})


def test_a_store_that_is_only_permitted_makes_nothing_certain() -> None:
    uses = tuple(Use(who, "database", "db", provenance="permitted") for who in ("i-1", "i-2"))
    report = audit_estate(account(*PAIR, one_database(), uses=uses))
    assert {one.confidence for one in report.findings} == {"possible"}
    assert {"NSP103", "NSP201", "NSP301", "NSP302", "NSP306"} == {one.rule for one in report.findings}
    assert report.exit_code == 13


def test_a_proxy_that_reaches_no_database_serves_nobody_now() -> None:
    proxy = item("database proxy", DBProxyName="p", VpcSubnetIds=["s-a", "s-b"])
    health = {"State": "UNAVAILABLE", "Reason": "AUTH_FAILURE"}
    behind = {"DBProxyName": "p", "Type": "RDS_INSTANCE", "RdsResourceId": "db"}
    kept = one_database(MultiAZ=True, BackupRetentionPeriod=7, DeletionProtection=True)
    for state, expected in (("AVAILABLE", set()), ("UNAVAILABLE", {("NSP100", "down", "certain")})):
        row = item("database proxy target", **behind, TargetHealth={**health, "State": state})
        assert verdict(audited(proxy, kept, row)) == expected


def remedies(report: AuditReport) -> dict[str, tuple[str, bool]]:
    return {one.event: (one.remedy.says, one.remedy.is_verified) for one in report.findings}


def test_no_second_way_is_proposed_to_files_that_are_kept_in_one_zone() -> None:
    system, way = files(A)
    report = audited(system.with_fields(AvailabilityZoneName=A), way)
    elsewhere = ("replicate fs to a file system of the whole region, and mount that instead", False)
    assert remedies(report) == dict.fromkeys(
        ("mount target m1", "file system fs copy 1", f"zone:{A}", "loses:files of fs"), elsewhere
    )


def test_the_store_that_an_event_takes_whole_is_the_one_to_mend() -> None:
    primary = one_database(MultiAZ=True, BackupRetentionPeriod=7, DeletionProtection=True)
    replica = primary.fields | {"DBInstanceIdentifier": "rep", "AvailabilityZone": B, "MultiAZ": False}
    uses = tuple(Use(who, "database", one) for who in ("i-1", "i-2") for one in ("db", "rep"))
    report = audit_estate(account(*PAIR, primary, item("database", **replica), uses=uses))
    assert remedies(report)[f"zone:{B}"] == ("give rep a standby in another zone", True)


@pytest.mark.parametrize(
    "store",
    [
        item("cache cluster", CacheClusterId="m", Engine="redis", PreferredAvailabilityZone=A),
        item("directory", DirectoryId="m", VpcSettings={"AvailabilityZones": [A]}),
        item("DAX cluster", ClusterName="m", Nodes=[{"AvailabilityZone": A}]),
    ],
    ids=lambda one: one.kind.name,
)
def test_a_twin_is_no_remedy_for_a_store_that_stands_alone(store: Item) -> None:
    for says, is_verified in remedies(audited(store)).values():
        assert "clone" not in says
        assert "m " in says
        assert not is_verified


def test_a_check_that_reads_a_file_is_the_remedy_where_each_zone_has_a_way() -> None:
    says = {one for one, _ in remedies(audited(*files(A, B))).values()}
    assert says == {
        f"let the health check read a file, so that who lost m{n} gets no clients" for n in (1, 2)
    }


# Order ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known",
    [
        using(files(A)[0], *files(A)[1:], one_database()),
        using(one_database(), *direct("a", "DC2"), *direct("b", "DC2")),
        using(item("Kafka cluster", ClusterArn="k", Provisioned={"NumberOfBrokerNodes": 2})),
    ],
)
def test_the_order_in_which_things_were_read_changes_no_byte_of_the_report(known: Estate) -> None:
    items = {kind: tuple(reversed(each)) for kind, each in reversed(known.items.items())}
    turned = replace(known, items=items, uses=tuple(reversed(known.uses)))
    assert render_json(audit_estate(turned)) == render_json(audit_estate(known))
