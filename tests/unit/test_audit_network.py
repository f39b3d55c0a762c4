"""Ways out, what stands in the way, and lines to other sites."""

from __future__ import annotations

from nospof.audit.fronts import ALL_FRONTS
from nospof.audit.judging import judge
from nospof.audit.parts.network import RULE_OF_KIND_NETWORK
from nospof.audit.readings import read_both_ways
from nospof.audit.remedies_network import remedy_for
from nospof.model.estate import Item
from nospof.model.findings import Finding
from support.net_estates import ZONES, cuts, estate, machine, made, nat, only, pair, subnet, table, worst
from support.services import find_services

RULES: dict[str, dict[str, str]] = {"serving": {"instance": "NSP101", "zone": "NSP201"}}
for (view, kind), rule in RULE_OF_KIND_NETWORK.items():
    RULES.setdefault(view, {})[kind] = rule


def findings(*items: Item) -> list[Finding]:
    service = only(*items)
    return judge(service, read_both_ways(service.topology), 1_000_000_000.0, RULES)


def test_c98_one_nat_gateway_for_two_zones_is_a_cut_of_egress_and_not_of_serving() -> None:
    items = [*pair(), nat("1", ZONES[0]), table("1", *ZONES, NatGatewayId="nat-1")]
    found = only(*items)
    assert cuts(found) == set()
    assert cuts(found, "egress") == {"nat-1", "zone:eu-1a"}
    assert "NSP601" in [one.rule for one in findings(*items)]


def test_c98_a_nat_gateway_in_each_zone_is_no_cut() -> None:
    gateways = [nat(zone, zone) for zone in ZONES]
    tables = [table(zone, zone, NatGatewayId=f"nat-{zone}") for zone in ZONES]
    assert cuts(only(*pair(), *gateways, *tables), "egress") == set()


def test_the_main_table_decides_where_a_subnet_has_none() -> None:
    found = only(*pair(), nat("1", ZONES[0]), table("main", is_main=True, NatGatewayId="nat-1"))
    assert "nat-1" in cuts(found, "egress")


def test_a_regional_nat_gateway_and_an_internet_gateway_are_no_cuts() -> None:
    regional = nat("1", ZONES[0], AvailabilityMode="regional")
    assert cuts(only(*pair(), regional, table("1", *ZONES, NatGatewayId="nat-1")), "egress") == set()
    assert cuts(only(*pair(), table("1", *ZONES, GatewayId="igw-1")), "egress") == set()


def test_a_nat_instance_is_a_cut_of_egress_and_no_member_of_the_service() -> None:
    found = find_services(
        estate(*pair(), *machine("nat", PublicIpAddress="9.9.9.9"), table("1", *ZONES, InstanceId="i-nat")),
        ALL_FRONTS,
    ).found
    service = next(one for one in found if one.entry.service == "alb")
    assert cuts(service, "egress") == {"i-nat", "zone:eu-1a"}
    assert service.members == ("i-web1", "i-web2")


def test_a_route_that_leads_nowhere_is_broken_already() -> None:
    found = only(*pair(), table("1", *ZONES, NatGatewayId="nat-9", State="blackhole"))
    assert worst(found).views["egress"].is_broken
    assert not worst(found).serving.is_broken


def test_a_network_with_a_gateway_in_each_zone_and_no_machine_serves_nobody() -> None:
    gateways = [nat(zone, zone) for zone in ZONES]
    tables = [table(zone, zone, NatGatewayId=f"nat-{zone}") for zone in ZONES]
    subnets = [subnet(zone) for zone in ZONES]
    assert find_services(estate(*subnets, *gateways, *tables), ALL_FRONTS).found == ()


def endpoint(*zones: str) -> Item:
    return made(
        "VPC endpoint",
        VpcEndpointId="vpce-1",
        VpcEndpointType="Interface",
        VpcId="vpc-1",
        ServiceName="com.amazonaws.eu-1.secretsmanager",
        PrivateDnsEnabled=True,
        State="available",
        SubnetIds=[f"sn-{zone}" for zone in zones],
    )


def test_an_endpoint_with_one_leg_is_a_cut_and_its_remedy_mends_it() -> None:
    items = [*pair(), endpoint(ZONES[0])]
    whole, service = estate(*items), only(*items)
    assert cuts(service, "egress") == {"vpce-1", "zone:eu-1a"}
    found = next(one for one in findings(*items) if one.rule == "NSP602")
    proposal = remedy_for(whole, service, found)
    assert proposal is not None
    assert proposal.changes is not None
    assert "--add-subnet-ids sn-eu-1b" in proposal.commands[0]
    (after,) = find_services(proposal.changes(whole), ALL_FRONTS).found
    assert cuts(after, "egress") == set()


def test_the_remedy_of_a_single_gateway_mends_it() -> None:
    items = [*pair(), nat("1", ZONES[0]), table("1", *ZONES, NatGatewayId="nat-1")]
    whole = estate(*items)
    found = next(one for one in findings(*items) if one.event == "nat-1")
    proposal = remedy_for(whole, only(*items), found)
    assert proposal is not None
    assert proposal.changes is not None
    (after,) = find_services(proposal.changes(whole), ALL_FRONTS).found
    assert cuts(after, "egress") == set()


def test_an_appliance_in_front_of_all_legs_is_a_cut_of_serving() -> None:
    inspected = made(
        "VPC endpoint",
        VpcEndpointId="vpce-2",
        VpcEndpointType="GatewayLoadBalancer",
        VpcId="vpc-1",
        ServiceName="com.amazonaws.vpce.eu-1.vpce-svc-1",
        SubnetIds=["sn-eu-1a"],
        State="available",
    )
    items = [*pair(), inspected, table("1", *ZONES, GatewayId="vpce-2")]
    assert cuts(only(*items)) == {"vpce-2", "zone:eu-1a"}
    assert "NSP108" in [one.rule for one in findings(*items)]


def test_one_device_at_the_other_end_is_a_cut_of_admin() -> None:
    vpn = made(
        "VPN connection",
        VpnConnectionId="vpn-1",
        State="available",
        CustomerGatewayId="cgw-1",
        VpnGatewayId="vgw-1",
        VgwTelemetry=[{"OutsideIpAddress": "3.3.3.3"}, {"OutsideIpAddress": "4.4.4.4"}],
    )
    found = only(*pair(), vpn, table("1", *ZONES, GatewayId="vgw-1"))
    assert cuts(found, "admin") == {"device:cgw-1"}


def test_a_zone_without_a_leg_of_the_transit_gateway_has_no_way_out() -> None:
    attachment = made(
        "transit gateway attachment",
        TransitGatewayAttachmentId="tgw-attach-1",
        TransitGatewayId="tgw-1",
        VpcId="vpc-1",
        SubnetIds=["sn-eu-1a"],
        State="available",
    )
    found = only(*pair(), attachment, table("1", *ZONES, TransitGatewayId="tgw-1"))
    assert "i-web1" in cuts(found, "egress")
    assert "i-web2" not in cuts(found, "egress")
