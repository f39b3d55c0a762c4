"""What a pair says about its clients: the command that moves them, and what no command moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nospof.model.cloud import Instance, LoadBalancer
from nospof.model.surroundings import NamedAddress, Surroundings
from nospof.planning.cut_over import cut_over

SOURCE = Instance("i-1", "running", "t3.small", "ami-1", "za", "subnet-a", "vpc-1", "10.0.0.4", "203.0.113.7")
BALANCER = LoadBalancer(
    "arn:lb", "www", "www-1.elb.example", "application", "active", "vpc-1", (), zone_id="ZLB"
)
WWW = NamedAddress("www.example.org", "Z1", 3600)
URL = "http://www-1.elb.example:80"


def lines(**around: Any) -> list[str]:
    return list(cut_over(SOURCE, Surroundings(**around), BALANCER, URL, "my shop"))


def test_names_that_are_known_are_moved_by_a_command_a_shell_takes_as_it_stands() -> None:
    (line,) = lines(records=(WWW, replace(WWW, name="example.org")))
    assert "www.example.org, example.org" in line
    assert line.endswith("nospof cut-over 'my shop'")


def test_a_name_with_a_routing_policy_is_left_to_a_person() -> None:
    by_hand, command = lines(records=(replace(WWW, has_policy=True), replace(WWW, name="example.org")))
    assert by_hand == ("move www.example.org to www-1.elb.example by hand: its record has a routing policy")
    assert "www" not in command.partition(":")[0]


def test_without_a_known_name_the_new_one_is_said_and_how_somebody_elses_is_moved() -> None:
    (line,) = lines()
    assert f"holds 203.0.113.7: point yours at {URL}" in line
    assert line.endswith("nospof cut-over 'my shop' --name NAME --plan")


def test_a_private_source_has_clients_and_no_names_to_look_for() -> None:
    assert cut_over(replace(SOURCE, public_ip=""), Surroundings(), BALANCER, URL, "shop") == (
        f"point your clients at {URL}",
    )


def test_an_elastic_address_that_clients_know_is_not_forgotten() -> None:
    stays, moves = lines(elastic_addresses=("203.0.113.7",))[-2:]
    assert "Elastic IP 203.0.113.7 itself stay with i-1 alone" in stays
    assert "disassociate-address --public-ip 203.0.113.7" in moves
    assert "--instance-id i-1 --public-ip 203.0.113.7" in moves
