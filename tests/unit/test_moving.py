"""A cut-over decided: what moves, what stays and why, and when nobody may be led anywhere."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from nospof.adapters.memory import MemoryCloud, MemoryService
from nospof.errors import CloudError, PreconditionFailed, UsageError
from nospof.model.cloud import TAG_SERVICE, Listener, LoadBalancer, Target, TargetGroup
from nospof.model.cutting_over import Page
from nospof.model.names import Alias, HostedZone, RecordSet
from nospof.model.requests import CutOverRequest
from nospof.planning.cut_over_rules import (
    CutOverFacts,
    NameFacts,
    refuse_what_is_not_whole,
    refuse_what_serves_otherwise,
    why_not,
)
from nospof.procedures.cut_over import entry_of
from nospof.procedures.registry import cut_over_plan
from support.memory_world import memory_world
from support.names import WWW, cut_over_request, paired_with_names, record_of

ZONE = HostedZone("Z1", "example.org")
BALANCER = LoadBalancer(
    "arn:lb",
    "n",
    "Www-1.elb.example",
    "application",
    "active",
    "vpc-1",
    (),
    True,
    "ZLB",
    {TAG_SERVICE: "www"},
)
OLD = Page("http://203.0.113.3:80/", 200, "Shop", 1000)
SIMPLE = RecordSet(WWW, "A", 300, ("203.0.113.3",))


def facts(cloud: MemoryCloud, **changes: Any) -> CutOverFacts:
    (group,) = cloud.target_groups()
    two = tuple(Target(f"i-{one}", 80, "healthy") for one in "12")
    given = {"balancer": BALANCER, "listeners": (Listener("arn:l", "arn:lb", 80, "HTTP"),), "group": group}
    members = (cloud.the_instance,)
    return CutOverFacts(**{**given, "targets": two, "members": members, "names": (), **changes})


@pytest.fixture(scope="module")
def cloud() -> MemoryCloud:
    return paired_with_names()


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ((), "has no A record (nothing)"),
        ((RecordSet(WWW, "CNAME", 60, ("example.org",)),), "has no A record (CNAME example.org)"),
        ((RecordSet(WWW, "A", alias=Alias("Z", "dualstack.www-1.elb.example")),), "to the balancer already"),
        (
            (replace(SIMPLE, identifier="a", weight=1),),
            "routing policy or more (A 203.0.113.3 (a, weight 1))",
        ),
        ((replace(SIMPLE, identifier="a", beyond=("Region",)),), "; Region): move it by hand"),
        ((replace(SIMPLE, beyond=("HealthCheckId",)),), "; HealthCheckId): move it by hand"),
        ((replace(SIMPLE, values=("203.0.113.3", "203.0.113.9")),), "has several addresses"),
        ((replace(SIMPLE, values=("203.0.113.9",)),), "leads elsewhere (A 203.0.113.9)"),
        ((SIMPLE, RecordSet(WWW, "AAAA", 60, ("2001:db8::1",))), "clients that come over IPv6 would stay"),
        (
            (replace(SIMPLE, identifier="cut-over-7 address", weight=50),),
            "on its way by cut-over-7: nospof runs resume cut-over-7, or back: nospof runs undo cut-over-7",
        ),
        ((SIMPLE, RecordSet(WWW, "TXT", 60, ("a",))), ""),
    ],
)
def test_each_name_that_is_not_moved_has_its_reason(cloud, records, says):
    why = why_not(facts(cloud), NameFacts(WWW, ZONE, records))
    assert says in why
    assert bool(why) is bool(says)


@pytest.mark.parametrize("name", ["*.example.org", "\\052.example.org"])
def test_a_name_that_stands_for_many_is_left_to_a_person(cloud, name):
    why = why_not(facts(cloud), NameFacts(name, ZONE, (replace(SIMPLE, name=name),)))
    assert "stands for many names" in why


def test_a_balancer_is_asked_over_tls_where_it_ends_that():
    plain, tls = (Listener(f"arn:{one}", "arn:lb", one, kind) for one, kind in ((80, "HTTP"), (443, "HTTPS")))
    assert entry_of((plain, tls)) == tls
    assert entry_of((plain,)) == plain


def test_names_of_private_zones_and_of_other_name_servers_are_told_what_to_do(cloud):
    private = NameFacts(WWW, replace(ZONE, is_private=True), (SIMPLE,))
    assert "stands in the private zone Z1" in why_not(facts(cloud), private)
    foreign = why_not(facts(cloud), NameFacts(WWW, None))
    assert "CNAME lead to Www-1.elb.example" in foreign
    assert f"dig {WWW} A" in foreign


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"balancer": replace(BALANCER, tags={})}, "is not www's"),
        ({"balancer": replace(BALANCER, state="provisioning")}, "is provisioning"),
        ({"balancer": replace(BALANCER, dns_name="internal-www-1.elb.example")}, "is internal"),
        ({"balancer": replace(BALANCER, zone_id="")}, "names no hosted zone"),
        ({"listeners": ()}, "listens on no port"),
        ({"targets": (Target("i-1", 80, "healthy"),)}, "1 member is behind its balancer"),
        (
            {"targets": (Target("i-1", 80, "healthy"), Target("i-2", 80, "draining", "X"))},
            "i-2 is draining (X)",
        ),
    ],
)
def test_c64_nobody_is_led_to_what_is_no_pair(cloud, changes, says):
    with pytest.raises(PreconditionFailed, match="Nothing was changed") as refusal:
        refuse_what_is_not_whole(facts(cloud, **changes), "www")
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "ports", "says"),
    [
        (
            replace(OLD, status=0, error="timed out"),
            OLD,
            (80,),
            "could not be asked at its address (timed out)",
        ),
        (replace(OLD, status=404), OLD, (80,), "choose a page that it serves with --path"),
        (
            OLD,
            replace(OLD, status=400),
            (80,),
            "answers 200 'Shop' at http://203.0.113.3:80/, and 400 'Shop'",
        ),
        (OLD, replace(OLD, title="Install"), (80,), "'Install' through the balancer"),
        (
            replace(OLD, title=""),
            replace(OLD, title="", length=99),
            (80,),
            "99 characters through the balancer",
        ),
        (OLD, replace(OLD, status=301, location="/login"), (80,), "301 to /login"),
        (OLD, OLD, (80, 443), "served on port 443 today"),
        (OLD, OLD, (8080,), "served on port 8080 today"),
    ],
)
def test_c60_a_name_is_not_moved_to_what_serves_something_else_or_nothing(cloud, old, new, ports, says):
    one = NameFacts(WWW, ZONE, (SIMPLE,), old, (replace(old, status=200), new), ports)
    here = facts(cloud)
    group: TargetGroup = replace(here.group, port=8080)
    with pytest.raises(PreconditionFailed, match="Nothing was changed") as refusal:
        refuse_what_serves_otherwise(one, group, here.listeners)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "ports"),
    [
        (OLD, replace(OLD, length=5000), (80,)),
        (replace(OLD, title=""), replace(OLD, title="", length=1900), (80,)),
        (
            replace(OLD, status=302, location="http://www.example.org/en"),
            replace(OLD, status=302, location="/en"),
            (80,),
        ),
        (OLD, OLD, (80, 8080)),
    ],
)
def test_pages_that_are_alike_and_ports_of_the_application_behind_the_web_port_are_no_reason(
    cloud, old, new, ports
):
    here = facts(cloud)
    group: TargetGroup = replace(here.group, port=8080)
    refuse_what_serves_otherwise(NameFacts(WWW, ZONE, (SIMPLE,), old, (new,), ports), group, here.listeners)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"steps": (50, 10, 100)}, "must rise"),
        ({"steps": (10, 50)}, "must rise"),
        ({"steps": (0, 100)}, "must rise"),
        ({"steps": ()}, "must rise"),
        ({"path": "health"}, "must begin with /"),
        ({"watch_seconds": 0}, "one second or more"),
    ],
)
def test_a_request_that_makes_no_sense_is_not_understood(cloud, asked, says):
    with pytest.raises(UsageError, match=says):
        cut_over_plan(memory_world(cloud), cut_over_request(**asked))


def test_every_state_on_the_way_replaces_the_one_before_and_the_plan_changes_nothing():
    cloud = paired_with_names(ttl=3600)
    plan = cut_over_plan(memory_world(cloud), cut_over_request(steps=(10, 100)))
    assert cloud.writes == []
    assert [call.says for call in plan.calls] == [
        f"let {WWW} be remembered for 60 s, and wait the 3600 s it is remembered today",
        f"lead 10 % of {WWW} to the balancer, and watch",
        f"lead 100 % of {WWW} to the balancer, and watch",
    ]
    batches = [call.parameters["ChangeBatch"]["Changes"] for call in plan.calls]
    for batch, following in pairwise(batches):
        made = [one["ResourceRecordSet"] for one in batch if one["Action"] == "CREATE"]
        assert made == [one["ResourceRecordSet"] for one in following if one["Action"] == "DELETE"]
    kept, shared = (one["ResourceRecordSet"] for one in batches[1] if one["Action"] == "CREATE")
    assert (kept["Weight"], kept["TTL"], shared["Weight"]) == (90, 60, 10)
    (last,) = (one["ResourceRecordSet"] for one in batches[2] if one["Action"] == "CREATE")
    assert last["AliasTarget"]["EvaluateTargetHealth"] is True
    assert set(last) == {"Name", "Type", "AliasTarget"}
    assert plan.details == {"expected time": "about 65 min"}


def test_what_is_remembered_shortly_is_not_shortened():
    cloud = paired_with_names(ttl=30)
    first, _ = cut_over_plan(memory_world(cloud), cut_over_request()).calls
    kept = first.parameters["ChangeBatch"]["Changes"][1]["ResourceRecordSet"]
    assert kept["TTL"] == 30


def test_names_that_stay_are_told_and_one_that_was_asked_for_is_refused():
    cloud = paired_with_names(WWW, "a.example.org")
    cloud.put_record("Z1", RecordSet("a.example.org", "AAAA", 60, ("2001:db8::1",)))
    warnings = cut_over_plan(memory_world(cloud), cut_over_request()).warnings
    assert any(one.startswith("stays: a.example.org has an AAAA record") for one in warnings)
    with pytest.raises(PreconditionFailed, match="AAAA"):
        cut_over_plan(memory_world(cloud), cut_over_request(names=(WWW, "a.example.org")))


def test_a_name_is_looked_up_in_its_closest_public_zone():
    cloud = paired_with_names()
    cloud.add_zone("org")
    cloud.add_zone("www.example.org", is_private=True)
    plan = cut_over_plan(memory_world(cloud), cut_over_request(names=("WWW.example.org.",)))
    assert {call.parameters["HostedZoneId"] for call in plan.calls} == {"Z1"}


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda cloud: cloud.replace_records("Z1", (record_of(cloud),), ()), "no name in this account"),
        (lambda cloud: cloud.serve(cloud.the_instance.id, MemoryService(status=500)), "not whole"),
        (lambda cloud: cloud.delete_load_balancer(cloud.load_balancers()[0].arn), "Make the pair first"),
    ],
)
def test_without_a_name_a_whole_pair_or_a_balancer_nothing_is_moved(break_it, says):
    cloud = paired_with_names()
    break_it(cloud)
    cloud.clock.sleep(120)
    with pytest.raises(PreconditionFailed, match=says):
        cut_over_plan(memory_world(cloud), cut_over_request())


def test_names_that_may_not_be_read_are_an_error_and_not_no_names():
    cloud = paired_with_names()
    cloud.deny("record_sets")
    with pytest.raises(CloudError, match="ListResourceRecordSets"):
        cut_over_plan(memory_world(cloud), CutOverRequest("www"))
