"""What a service can be expected to give: figures held against a reckoning by hand, within 15 %."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from nospof.audit.analysis import analyse
from nospof.audit.availability import (
    availability_of,
    measured_says,
    minutes_of,
    questions_by_stake,
    ranked,
    slo_says,
)
from nospof.audit.builder import Service
from nospof.audit.rates import Rates, rates_with
from nospof.audit.sampling import Form, costs_of, draws
from nospof.errors import UsageError
from nospof.model.findings import Finding, Minutes
from nospof.model.settings import OwnRate
from nospof.model.topology import AllOf, AnyOf, Event, Node, On, Topology
from support.availabilities import expected, findings, pair_of_instances, pair_on, service, service_of, term
from support.estates import A, B, group, instance, item

TOLERANCE = 0.15


def near(*minutes: float) -> object:
    return pytest.approx(minutes, rel=TOLERANCE)


def spread(found: Minutes) -> tuple[float, float, float]:
    return found.low, found.likely, found.high


def with_database(*, is_spread: bool) -> Topology:
    """Two machines behind a balancer, on a database in one zone or in two."""
    shared = () if is_spread else ("zone:a",)
    fault = () if is_spread else ("db",)
    zones = {"web-1": "zone:a", "web-2": "zone:b"}
    machines = tuple(
        Node(one, faults=(one,), domains=(zone,), kind="instance") for one, zone in zones.items()
    )
    nodes = (
        Node("www", AllOf((On("pool"), On("db"))), kind="load balancer"),
        Node("pool", AnyOf((On("web-1"), On("web-2"))), kind="target group"),
        *machines,
        Node("db", faults=fault, domains=shared, kind="database"),
    )
    events = (
        *(Event(one, "instance") for one in zones),
        Event("zone:a", "zone"),
        Event("zone:b", "zone"),
        Event("db", "database"),
    )
    return Topology("www", nodes, events=events)


def test_one_instance_costs_hours_and_its_own_restarts_most() -> None:
    found = expected(service(instance("i-1", A)))
    assert spread(found.model) == near(144, 258, 468)
    assert found.terms[0].says.startswith("restarts of your own")
    assert term(found, "restarts of your own") == pytest.approx(63, rel=TOLERANCE)
    assert term(found, "instance") == pytest.approx(58, rel=TOLERANCE)
    assert term(found, "a bad change") == pytest.approx(55, rel=TOLERANCE)
    assert term(found, "zone") == pytest.approx(36, rel=TOLERANCE)
    assert term(found, "maintenance by AWS") == pytest.approx(6, rel=TOLERANCE)
    assert term(found, "volume") == pytest.approx(0.3, rel=0.3)


def test_what_heals_itself_is_back_in_minutes() -> None:
    one = service(instance("i-1", A))
    one.heals["i-1"] = "a group"
    found = expected(one)
    assert spread(found.model) == near(108, 192, 342)
    assert term(found, "instance") == pytest.approx(5, rel=TOLERANCE)


def test_what_cannot_be_rebuilt_takes_as_long_as_it_can() -> None:
    one = service(instance("i-1", A))
    stuck = Finding("NSP501", "s", "no image", "broken:recovery", "medium", view="recovery", order=0)
    found = availability_of(one, analyse(one.topology), [], (stuck,), Rates())
    assert term(found, "instance") > 3 * term(expected(one), "instance")


def test_a_pair_on_a_single_database_stands_and_falls_with_it() -> None:
    found = expected(service_of(with_database(is_spread=False)))
    assert spread(found.model) == near(75, 144, 294)
    assert term(found, "zone:a") == pytest.approx(36, rel=TOLERANCE)
    assert term(found, "db") == pytest.approx(17, rel=TOLERANCE)
    assert term(found, "what stops all alike members") == pytest.approx(2, rel=TOLERANCE)


def test_a_full_pair_is_bounded_by_its_changes() -> None:
    found = expected(service_of(with_database(is_spread=True)))
    assert found.terms[0].says == "a bad change of your own"
    assert term(found, "failovers of databases") == pytest.approx(2.1, rel=TOLERANCE)
    assert term(found, "two failures at once") < 0.1
    assert spread(found.model) == near(33, 77, 210)


def test_two_failures_at_once_are_nearly_nothing_and_more_even_less() -> None:
    found = expected(service(*pair_of_instances()))
    assert 0.005 < term(found, "two failures at once") < 0.05
    assert 0 < found.beyond_pairs < 0.1


def test_pairs_that_were_refused_are_said_and_bounded() -> None:
    one = service(*pair_of_instances())
    found = availability_of(one, analyse(one.topology), None, (), Rates())
    assert "two failures at once: not computed" in found.excluded
    assert found.beyond_pairs > 10 * expected(one).beyond_pairs


def test_what_has_no_figure_is_named_and_not_taken_for_perfect() -> None:
    node = Node("s", faults=("x",), kind="queue")
    found = expected(service_of(Topology("s", (node,), events=(Event("x", "unread", "the thing"),))))
    assert any("the thing: no figure" in one for one in found.excluded)
    assert found.contract is None
    assert any("no published figure" in one for one in found.contract_says)


def test_the_contract_multiplies_what_aws_promises_with_its_source() -> None:
    found = expected(service(*pair_of_instances()))
    assert found.contract == pytest.approx(99.98, abs=0.001)
    assert all("https://" in one for one in found.contract_says[:2])
    assert expected(service(instance("i-1", A))).contract == 99.5


def rds(*, is_spread: bool) -> Service:
    zones = {"AvailabilityZone": A, "SecondaryAvailabilityZone": B if is_spread else None}
    return pair_on(
        "database", "orders", item("database", DBInstanceIdentifier="orders", MultiAZ=is_spread, **zones)
    )


def test_a_database_is_counted_once_whatever_it_is_made_of() -> None:
    alone, spread_out = expected(rds(is_spread=False)), expected(rds(is_spread=True))
    assert spread(alone.model) == near(75, 144, 294)
    assert term(alone, "managed services") == pytest.approx(5, rel=TOLERANCE)  # The balancer's.
    assert not any(one.says.startswith("failovers") for one in alone.terms)
    assert alone.contract == pytest.approx(99.48, abs=0.001)
    assert spread_out.contract == pytest.approx(99.93, abs=0.001)
    assert term(spread_out, "failovers") == pytest.approx(2.1, rel=TOLERANCE)


@pytest.mark.parametrize(("members", "contract"), [(1, 99.88), (2, 99.97)])
def test_a_cluster_is_promised_as_a_whole_and_its_members_not_again(members: int, contract: float) -> None:
    names = [f"orders-{number}" for number in range(members)]
    rows = [{"DBInstanceIdentifier": one} for one in names]
    one = item("database cluster", DBClusterIdentifier="orders", MultiAZ=members > 1, DBClusterMembers=rows)
    zones = zip(names, (A, B), strict=False)
    databases = [
        item("database", DBInstanceIdentifier=who, DBClusterIdentifier="orders", AvailabilityZone=zone)
        for who, zone in zones
    ]
    found = expected(pair_on("database cluster", "orders", one, *databases))
    assert found.contract == pytest.approx(contract, abs=0.001)


def test_what_is_announced_counts_once_and_only_in_the_year_to_come() -> None:
    def costs(starts_at: float) -> float:
        event = Event("c", "certificate", "certificate", starts_at)
        return expected(service_of(Topology("s", (Node("s", faults=("c",)),), events=(event,)))).model.likely

    assert 60 < costs(30 * 86_400) < 300
    assert costs(400 * 86_400) == 0


def test_a_zone_that_nobody_could_tell_is_counted_once() -> None:
    known = term(expected(service(instance("i-1", A))), "zone")
    assert term(expected(service(instance("i-1", "", Placement={}))), "the zone of") == known


def test_a_zone_that_two_machines_may_share_is_counted_once() -> None:
    machines = (
        Node(one, faults=(one,), possible_domains=("zone:a", "zone:b"), kind="instance") for one in "xy"
    )
    nodes = (Node("s", AnyOf((On("x"), On("y")))), *machines)
    events = (*(Event(one, "instance") for one in "xy"), *(Event(f"zone:{one}", "zone") for one in "ab"))
    found = expected(service_of(Topology("s", nodes, events=events)))
    assert term(found, "zone:") == term(expected(service(instance("i-1", A))), "zone")


def test_clients_go_to_a_failed_member_until_its_health_check_notices() -> None:
    def blips(**check: int) -> float:
        others = [one for one in pair_of_instances() if one.kind.name != "target group"]
        found = expected(service(*others, group(**check)))
        return term(found, "clients sent to a failed member")

    slow = blips(HealthCheckIntervalSeconds=300, UnhealthyThresholdCount=10)
    assert slow == pytest.approx(0.5 * 50, rel=0.5)
    assert slow > 100 * blips(HealthCheckIntervalSeconds=5, UnhealthyThresholdCount=2)


def test_a_part_of_the_clients_costs_its_share() -> None:
    one = service(instance("i-1", A))
    zone = Finding("NSP407", "s", "a share", f"zone:{A}", "medium")
    whole, half = (
        minutes_of(replace(zone, share=each), one, Rates()) for each in (Fraction(1), Fraction(1, 2))
    )
    assert whole is not None
    assert half is not None
    assert half.likely == pytest.approx(whole.likely / 2, rel=0.05)


def test_an_own_rate_replaces_ours_for_a_kind_and_for_one_resource() -> None:
    one = service(instance("i-1", A))
    often = rates_with([OwnRate(kind="instance", per_year=(10, 10, 10), minutes=(60, 60, 60))])
    assert term(expected(one, often), "instance") == 600
    only = rates_with([OwnRate(resource="i-1", minutes=(10_000, 10_000, 10_000))])
    assert term(expected(one, only), "instance") > 4_000
    seldom = rates_with([OwnRate(resource="i-1", per_year=(0.001, 0.001, 0.001))])
    assert term(expected(one, seldom), "instance") < 1
    other = rates_with([OwnRate(resource="i-2", minutes=(10_000, 10_000, 10_000))])
    assert term(expected(one, other), "instance") == term(expected(one), "instance")


@pytest.mark.parametrize(
    ("own", "says"),
    [
        (OwnRate(kind="instanse", minutes=(1, 2, 3), where="f:3"), "f:3: .*did you mean instance"),
        (OwnRate(kind="zone", minutes=(3, 2, 1)), "low <= likely <= high"),
        (OwnRate(kind="zone", per_year=(0, 0, 1)), "above zero"),
        (OwnRate(minutes=(1, 2, 3)), "name one"),
    ],
)
def test_an_own_rate_that_makes_no_sense_is_refused(own: OwnRate, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        rates_with([own])


def test_the_same_service_costs_the_same_every_time() -> None:
    costs_of.cache_clear()
    first = expected(service(*pair_of_instances()))
    costs_of.cache_clear()
    assert expected(service(*pair_of_instances())) == first


def test_draws_stay_in_their_range_and_lean_to_the_likely() -> None:
    found = sorted(draws((1, 10, 100), "x"))
    assert found[0] > 1
    assert found[-1] < 100
    assert found[2000] == pytest.approx(10, rel=0.01)


def test_findings_are_ranked_by_severity_then_by_minutes() -> None:
    found = findings(service(instance("i-1", A)))
    assert [one.rule for one in found][:2] == ["NSP101", "NSP201"]
    assert found[0].minutes is not None
    assert found[0].minutes.likely > 100  # With its disk, its restarts and AWS's maintenance.
    assert ranked(reversed(found)) == found


def test_a_finding_that_stops_nobody_by_itself_costs_nothing() -> None:
    one = service(instance("i-1", A))
    late = Finding("NSP402", "s", "slow", "slow", "medium", order=0)
    assert minutes_of(late, one, Rates()) is None


def test_the_question_with_most_at_stake_comes_first() -> None:
    def asks(question: str, minutes: float) -> Finding:
        cost = Minutes(0, minutes, 2 * minutes)
        return Finding("NSP901", "s", question, question, "high", minutes=cost, would_settle=question)

    assert questions_by_stake([asks("a?", 1), asks("b?", 5), asks("a?", 2)]) == ("b?", "a?")


@pytest.mark.parametrize(
    ("slo", "says"),
    [(99.9999, "missed even"), (99.95, "not proved"), (99.0, "no measurement")],
)
def test_an_objective_is_never_called_met(slo: float, says: str) -> None:
    sentence = slo_says(slo, Minutes(140, 260, 470))
    assert says in sentence
    assert " met" not in sentence.replace("missed", "")


def test_a_sum_of_nothing_is_nothing() -> None:
    assert not Form()


@pytest.mark.parametrize(
    ("percent", "says"),
    [
        (99.90, "not in the model"),
        (99.95, "they agree"),
        (99.999, "better than the assumptions"),
        (100, "better"),
    ],
)
def test_a_measurement_is_held_against_the_model(percent: float, says: str) -> None:
    sentence = measured_says(percent, Minutes(140, 260, 470))
    assert says in sentence
    assert "the model expects 140 to 470" in sentence
