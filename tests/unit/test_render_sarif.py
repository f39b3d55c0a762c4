"""The report as SARIF 2.1.0: the structure the standard asks for, and what code scanning rests on."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from nospof.model.findings import AuditReport, Finding, Location
from nospof.model.rules import EVERY_RULE
from nospof.render.sarif import render_sarif, uri_of
from support.audit_reports import HOSTILE, reports, single_database


def run_of(report: AuditReport) -> dict[str, Any]:
    log = json.loads(render_sarif(report))
    assert log["version"] == "2.1.0"
    assert "sarif-schema-2.1.0" in log["$schema"]
    (run,) = log["runs"]
    return run


def result_of(report: AuditReport, rule: str) -> dict[str, Any]:
    (found,) = [one for one in run_of(report)["results"] if one["ruleId"] == rule]
    return found


def with_finding(**changes: Any) -> AuditReport:
    report = single_database()
    (service,) = report.services
    first = replace(service.findings[0], **changes)
    return replace(report, services=(replace(service, findings=(first,)),))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports)
def test_any_report_has_the_structure_the_standard_asks_for(report):
    run = run_of(report)
    driver = run["tool"]["driver"]
    assert driver["name"] == "nospof"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", driver["semanticVersion"])
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert "markdown" in rule["help"]
        assert rule["name"].isalnum()
    assert len(run["results"]) == len(report.findings)
    for one in run["results"]:
        check_result(one, ids)
    assert isinstance(run["invocations"][0]["executionSuccessful"], bool)
    for told in run["invocations"][0]["toolExecutionNotifications"]:
        assert told["level"] in ("error", "warning", "note", "none")
        assert told["message"]["text"]


def check_result(one: dict[str, Any], ids: list[str]) -> None:
    assert ids[one["ruleIndex"]] == one["ruleId"]
    assert one["level"] in ("error", "warning", "note")
    assert one["kind"] == "fail"
    assert one["message"]["text"]
    assert re.fullmatch("[0-9a-f]{64}", one["partialFingerprints"]["nospof/v1"])
    assert one.get("baselineState", "new") in ("new", "unchanged", "updated", "absent")
    for place in one["locations"]:
        assert place["logicalLocations"] or place["physicalLocation"]
        physical = place.get("physicalLocation")
        if physical:
            assert re.fullmatch(r"[A-Za-z0-9._~/:%!$&'()*+,;=@-]+", physical["artifactLocation"]["uri"])
            assert physical.get("region", {"startLine": 1})["startLine"] >= 1
    numbers = [place["id"] for place in one.get("relatedLocations", ())]
    assert len(set(numbers)) == len(numbers)
    for flow in one.get("codeFlows", ()):
        for thread in flow["threadFlows"]:
            assert thread["locations"]
            assert all(step["nestingLevel"] >= 0 for step in thread["locations"])


def test_what_stands_in_a_file_is_located_there_and_by_name():
    place = result_of(single_database(), "NSP103")["locations"][0]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "infra/data%20base.tf"},
        "region": {"startLine": 42},
    }
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "www.example.org/orders"


def test_what_was_read_from_an_account_is_located_by_its_name_alone():
    (place,) = result_of(with_finding(location=Location()), "NSP103")["locations"]
    assert "physicalLocation" not in place
    assert place["logicalLocations"] == [
        {"name": "orders", "fullyQualifiedName": "www.example.org/orders", "kind": "resource"}
    ]


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("./a.tf", "a.tf"),
        ("a b/ü.tf", "a%20b/%C3%BC.tf"),
        ("/srv/a.tf", "file:///srv/a.tf"),
        ("C:\\a\\b.tf", "file:///C:/a/b.tf"),
        ("a#b?.tf", "a%23b%3F.tf"),
    ],
)
def test_a_path_becomes_a_uri(file, uri):
    assert uri_of(file) == uri


def test_an_accepted_finding_stays_and_is_marked():
    found = result_of(single_database(), "NSP201")
    assert found["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "one zone by contract (accepted by ops@example.org until 2027-03-31)",
        }
    ]
    assert "suppressions" not in result_of(single_database(), "NSP103")


def test_the_baseline_and_the_fingerprint_are_in_the_standards_words():
    report = single_database()
    states = {one.rule: result_of(report, one.rule).get("baselineState") for one in report.findings}
    assert states == {"NSP103": "updated", "NSP201": "unchanged", "NSP901": "new", "NSP407": None}
    one = report.findings[0]
    assert result_of(report, one.rule)["partialFingerprints"] == {"nospof/v1": one.fingerprint}


@pytest.mark.parametrize(
    ("severity", "confidence", "level"),
    [
        ("critical", "certain", "error"),
        ("high", "certain", "error"),
        ("high", "possible", "warning"),
        ("medium", "certain", "warning"),
        ("low", "certain", "note"),
    ],
)
def test_the_level_follows_severity_and_what_is_possible_is_no_error(severity, confidence, level):
    assert result_of(with_finding(severity=severity, confidence=confidence), "NSP103")["level"] == level


def test_the_proof_is_the_flow_and_the_related_places():
    report = single_database()
    proof = report.services[0].findings[0].proof
    found = result_of(report, "NSP103")
    steps = found["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [(one["nestingLevel"], one["location"]["message"]["text"]) for one in steps] == [
        (step.depth, step.says) for step in proof
    ]
    assert [one["message"]["text"] for one in found["relatedLocations"]] == [step.says for step in proof]


def test_every_rule_can_be_described_and_what_was_not_read_is_told():
    report = single_database()
    (service,) = report.services
    every = tuple(Finding(rule, "s", HOSTILE, "e", "low") for rule in EVERY_RULE)
    run = run_of(replace(report, services=(replace(service, findings=every),)))
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(EVERY_RULE)
    told = [one["message"]["text"] for one in run["invocations"][0]["toolExecutionNotifications"]]
    assert any(one.startswith("Not read: caches (elasticache:") for one in told)
