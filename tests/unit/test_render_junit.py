"""The report as JUnit XML: parsed back, it says what fails, what passes and what nobody could tell."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from hypothesis import HealthCheck, given, settings

from nospof.model.findings import AuditReport
from nospof.model.rules import RULES
from nospof.render.junit import render_junit
from support.audit_reports import HOSTILE, fleet, reports, single_database


def cases(report: AuditReport) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(render_junit(report).encode())  # noqa: S314 - our own text
    return {case.get("name", ""): case for case in root[0]}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports)
def test_any_report_parses_and_its_counts_are_those_of_its_cases(report):
    root = ElementTree.fromstring(render_junit(report).encode())  # noqa: S314 - our own text
    assert [suite.tag for suite in root] == ["testsuite"] * (len(report.services) + 1)
    for suite in [root, *root]:
        found = list(suite.iter("testcase"))
        assert suite.get("tests") == str(len(found))
        assert suite.get("failures") == str(len(list(suite.iter("failure"))))
        assert suite.get("skipped") == str(len(list(suite.iter("skipped"))))
        assert suite.get("errors") == "0"
    failing = {
        (one.service, one.rule)
        for service in report.services
        for one in service.findings
        if one.confidence == "certain" and report.counts_for_exit(one)
    }
    assert bool(failing) == (root.get("failures") != "0")


def test_a_rule_with_a_finding_fails_and_all_others_pass():
    found = cases(single_database())
    failing = {name.split()[0] for name, case in found.items() if case.find("failure") is not None}
    assert failing == {"NSP103", "NSP407"}
    failure = found["NSP103 serving/single-database"].find("failure")
    assert failure is not None
    assert failure.get("type") == "critical"
    assert "www.example.org stops when database orders fails" in failure.get("message", "")
    assert "$ aws rds modify-db-instance" in (failure.text or "")
    passing = [name for name, case in found.items() if len(case) == 0]
    assert {name.split()[0] for name in passing} == set(RULES) - {
        "NSP103",
        "NSP407",
        "NSP201",
        "NSP901",
        "NSP208",
    }


def test_what_is_accepted_possible_or_unread_is_skipped_with_the_reason():
    found = cases(single_database())
    reasons = {
        name: case.find("skipped").get("message")
        for name, case in found.items()
        if case.find("skipped") is not None
    }
    assert reasons["NSP201 domain/zone"].startswith(
        "accepted by ops@example.org until 2027-03-31 (one zone by"
    )
    assert reasons["NSP901 completeness/unread"].startswith(
        "only possible, to settle it: does www.example.org"
    )
    assert reasons["everything was read"].startswith("not read: inside the instances of www.example.org")


def test_what_is_below_what_was_asked_to_fail_on_does_not_fail():
    found = cases(replace(single_database(), fail_on="high"))
    assert found["NSP407 failover/split-clients"].find("failure") is None
    assert "not what was asked to fail on" in found["NSP407 failover/split-clients"][0].get("message", "")
    assert found["NSP103 serving/single-database"].find("failure") is not None


def test_a_sound_service_passes_everything():
    assert all(len(case) == 0 for case in cases(fleet()).values())


def test_names_are_escaped_and_what_xml_cannot_hold_is_dropped():
    report = single_database()
    (service,) = report.services
    hostile = replace(service, name=HOSTILE, findings=(replace(service.findings[0], title=HOSTILE),))
    text = render_junit(replace(report, services=(hostile,)))
    assert "<script>" not in text
    assert "\x00" not in text
    assert "\x1b" not in text
    case = cases(replace(report, services=(hostile,)))["NSP103 serving/single-database"]
    assert "<script>alert('\"&')</script>" in (case[0].text or "")
