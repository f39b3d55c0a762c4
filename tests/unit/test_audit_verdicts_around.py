"""Small accounts with ways out, lines, keys and disks, each with the verdict that was worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.estate import UNKNOWN
from nospof.model.findings import AuditReport
from nospof.model.item import Item
from nospof.services.audit import audit_estate
from support.behind import PAIR, SUBNETS, audited, files, titles, verdict
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
