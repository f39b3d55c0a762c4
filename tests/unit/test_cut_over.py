"""How clients get to the balancer and back: every command is whole, and a shell takes it as it stands."""

from __future__ import annotations

import json
import shlex
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
    return list(cut_over(SOURCE, Surroundings(**around), BALANCER, URL))


def changed(line: str) -> dict[str, Any]:
    words = shlex.split(line[line.index("aws route53") :])
    assert words[:5] == ["aws", "route53", "change-resource-record-sets", "--hosted-zone-id", "Z1"]
    (change,) = json.loads(words[6])["Changes"]
    assert change["Action"] == "UPSERT"
    return dict(change["ResourceRecordSet"])


def test_a_name_is_shortened_moved_and_can_come_back() -> None:
    shorten, move, back = lines(records=(WWW,))
    assert changed(shorten)["TTL"] == 60
    assert changed(move)["AliasTarget"] == {
        "HostedZoneId": "ZLB",
        "DNSName": "www-1.elb.example",
        "EvaluateTargetHealth": True,
    }
    assert changed(back)["ResourceRecords"] == [{"Value": "203.0.113.7"}]


def test_a_name_that_is_remembered_shortly_is_moved_at_once() -> None:
    move, back = lines(records=(replace(WWW, ttl_seconds=60),))
    assert "move www.example.org" in move
    assert "way back" in back


def test_a_name_with_a_routing_policy_is_left_to_a_person() -> None:
    (line,) = lines(records=(replace(WWW, has_policy=True),))
    assert "by hand: its record has a routing policy" in line


def test_without_a_known_name_the_new_one_is_said() -> None:
    assert lines() == [f"no name in this account's Route 53 holds 203.0.113.7: point yours at {URL}"]


def test_a_private_source_has_clients_and_no_names_to_look_for() -> None:
    assert cut_over(replace(SOURCE, public_ip=""), Surroundings(), BALANCER, URL) == (
        f"point your clients at {URL}",
    )


def test_an_elastic_address_that_clients_know_is_not_forgotten() -> None:
    assert "Elastic IP 203.0.113.7 itself" in lines(elastic_addresses=("203.0.113.7",))[-1]
