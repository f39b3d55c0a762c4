"""What is accepted, what is new, what a service can be expected to give."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nospof.audit.baseline import baseline_of
from nospof.errors import UsageError
from nospof.model.estate import Use
from nospof.model.findings import AuditReport, Finding
from nospof.model.settings import Acceptance, Need, OwnRate, ServiceWish, Settings
from nospof.render.documents import render_json
from nospof.services.audit import Terms, audit_estate
from support.estates import A, B, account, balancer, found, group, instance, item, points, target

NOW = 1_790_000_000.0  # 2026-09-21
ALONE = account(balancer(), group(), instance("i-1", A), target("i-1"))
PAIR = account(balancer(), group(), instance("i-1", A), instance("i-2", B), target("i-1"), target("i-2"))
ACCEPTED = Acceptance("by contract", "ops", "2027-03-31", rule="NSP201", service="www", resource="zone:*")


def accepting(*acceptances: Acceptance, service: str = "") -> AuditReport:
    terms = Terms(service=service, settings=Settings(acceptances=acceptances))
    return audit_estate(ALONE, terms, now=NOW)


def one(report: AuditReport, rule: str) -> Finding:
    return next(each for each in report.findings if each.rule == rule)


# Acceptances ---------------------------------------------------------------------------------------------


def test_an_accepted_finding_is_marked_and_the_others_count_on() -> None:
    report = accepting(ACCEPTED)
    assert one(report, "NSP201").suppressed is not None
    assert one(report, "NSP101").suppressed is None
    assert report.exit_code == 10
    both = accepting(ACCEPTED, replace(ACCEPTED, rule="NSP101", resource="i-1"))
    assert both.exit_code == 0
    assert len(both.findings) == len(report.findings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rule": "NSP101"},
        {"service": "shop"},
        {"service": "w*"},
        {"resource": "zone:eu-central-1a"},
        {"rule": "NSP2*"},
    ],
)
def test_an_acceptance_that_does_not_match_exactly_accepts_nothing_and_is_told(wrong: dict[str, str]) -> None:
    report = accepting(replace(ACCEPTED, **wrong))
    assert all(each.suppressed is None for each in report.findings)
    assert "nothing matches the acceptance" in report.complaints[0]


def test_an_acceptance_holds_through_its_last_day_and_then_the_finding_is_back() -> None:
    day = replace(ACCEPTED, until="2026-09-21")
    assert one(accepting(day), "NSP201").suppressed is not None
    over = accepting(replace(ACCEPTED, until="2026-09-20"))
    assert one(over, "NSP201").suppressed is None
    assert "was accepted by ops until 2026-09-20" in over.complaints[0]


def test_what_stops_more_than_was_accepted_is_open_again() -> None:
    narrow = replace(ACCEPTED, blast=("i-1",))
    report = accepting(narrow)
    assert one(report, "NSP201").suppressed is None
    assert "would stop too" in report.complaints[0]


def test_a_fingerprint_is_enough_by_itself() -> None:
    print_ = one(audit_estate(ALONE), "NSP101").fingerprint
    report = accepting(Acceptance("known", "ops", "2027-01-01", fingerprint=print_))
    assert one(report, "NSP101").suppressed is not None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"reason": ""}, "needs reason"),
        ({"owner": " "}, "needs owner"),
        ({"until": ""}, "needs until"),
        ({"until": "next year"}, "must be a day"),
        ({"until": "2028-12-31"}, "more than 400 days"),
        ({"service": ""}, "rule, service and resource together"),
    ],
)
def test_an_acceptance_says_why_who_and_until_when(wrong: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        accepting(replace(ACCEPTED, **wrong))


# The baseline ----------------------------------------------------------------------------------------------


def against(earlier: AuditReport, estate: object = ALONE) -> AuditReport:
    baseline = baseline_of(json.loads(render_json(earlier)), "before.json")
    return audit_estate(estate, Terms(baseline=baseline, fail_on="new"))  # type: ignore[arg-type]


def test_a_report_against_itself_has_nothing_new() -> None:
    report = against(audit_estate(ALONE))
    assert {each.baseline for each in report.findings} == {"unchanged"}
    assert (report.exit_code, report.gone) == (0, ())


def test_what_is_new_makes_the_exit_code_and_what_is_gone_is_named() -> None:
    worse = against(audit_estate(PAIR))
    assert {each.baseline for each in worse.findings} == {"new"}
    assert worse.exit_code == 10
    better = against(audit_estate(ALONE), PAIR)
    assert better.exit_code == 0
    assert len(better.gone) == 2


def test_a_finding_that_becomes_certain_is_worse() -> None:
    orders = {"DBInstanceIdentifier": "orders", "AvailabilityZone": A, "Engine": "mysql"}
    uses = tuple(Use(who, "database", "orders", provenance="permitted") for who in ("i-1", "i-2"))
    permitted = replace(PAIR.plus(item("database", **orders, MultiAZ=False)), uses=uses)
    certain = replace(permitted, uses=tuple(replace(each, provenance="declared") for each in uses))
    before = audit_estate(permitted)
    assert one(before, "NSP103").confidence == "possible"
    assert one(against(before, certain), "NSP103").baseline == "worse"
    assert one(against(audit_estate(certain), permitted), "NSP103").baseline == "better"


@pytest.mark.parametrize("document", [{}, [], {"schema": "nospof.audit/2"}, {"schema": "nospof.audit/1"}])
def test_what_is_no_report_is_no_baseline(document: object) -> None:
    with pytest.raises(UsageError, match=r"before\.json"):
        baseline_of(document, "before.json")


def test_new_without_a_baseline_is_refused() -> None:
    with pytest.raises(UsageError, match="--baseline"):
        audit_estate(ALONE, Terms(fail_on="new"))


# What people know -------------------------------------------------------------------------------------------


def test_a_stated_need_makes_a_single_point_and_an_assumption() -> None:
    estate = PAIR.plus(item("database", DBInstanceIdentifier="orders", AvailabilityZone=A, MultiAZ=False))
    needs = tuple(Need(who, "orders") for who in ("i-1", "i-2"))
    report = audit_estate(estate, Terms(settings=Settings(needs=needs)))
    assert one(report, "NSP103").confidence == "certain"
    assert any("i-1 needs orders: you said so" in each for each in report.assumptions)
    soft = tuple(replace(each, view="degraded") for each in needs)
    assert points(audit_estate(estate, Terms(settings=Settings(needs=soft)))) == set()


def test_a_need_of_something_nobody_read_is_refused_with_its_line() -> None:
    needs = (Need("i-1", "order", where="nospof.yaml:3"),)
    with pytest.raises(UsageError, match=r"nospof\.yaml:3: nothing that was read goes by 'order'"):
        audit_estate(PAIR, Terms(settings=Settings(needs=needs)))


def test_a_wish_for_one_service_goes_before_what_is_asked_of_all() -> None:
    wish = ServiceWish("www", scope="zone")
    report = audit_estate(ALONE, Terms(settings=Settings(services=(wish,))))
    assert points(report) == {f"zone:{A}"}


# What can be expected ------------------------------------------------------------------------------------


def expected(estate: object, **terms: object) -> tuple[float, float, float]:
    (service,) = audit_estate(estate, Terms(**terms)).services  # type: ignore[arg-type]
    assert service.availability is not None
    model = service.availability.model
    return model.low, model.likely, model.high


def test_one_machine_costs_hours_and_a_pair_about_one() -> None:
    low, likely, high = expected(ALONE)
    assert 100 < low < 200 < likely < 330 < high < 600
    low, likely, high = expected(PAIR)
    assert 20 < low < 50 < likely < 110 < high < 260


def test_the_range_is_the_same_every_time_and_holds_its_median() -> None:
    assert expected(ALONE) == expected(ALONE)
    low, likely, high = expected(ALONE)
    assert low < likely < high


def test_own_rates_replace_ours() -> None:
    often = OwnRate(kind="instance", per_year=(50, 60, 70), minutes=(60, 60, 60), source="tickets")
    assert expected(ALONE, settings=Settings(rates=(often,)))[1] > 3_000


def test_an_objective_can_be_refuted_and_is_never_proved() -> None:
    notes = audit_estate(ALONE, Terms(slo=99.999)).services[0].notes
    assert any("missed even at the better end" in each for each in notes)
    notes = audit_estate(PAIR, Terms(slo=99.0)).services[0].notes
    assert any("an assumption, no measurement" in each for each in notes)


def test_what_monitoring_has_measured_stands_beside_the_model():
    asked = Settings(services=(ServiceWish("www", measured=90.0),))
    (service,) = audit_estate(ALONE, Terms(settings=asked)).services
    assert any("measured: 90 %" in note and "not in the model" in note for note in service.notes)


def test_a_finding_says_what_it_costs_and_a_wrong_check_costs_nothing_by_itself() -> None:
    slow = ALONE.changed("target group", "arn:group:www", HealthCheckIntervalSeconds=60)
    report = audit_estate(slow)
    assert one(report, "NSP101").minutes is not None
    assert one(report, "NSP402").minutes is None
    assert found(report, "NSP402")
