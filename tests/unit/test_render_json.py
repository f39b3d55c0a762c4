"""The report for programs: it keeps its published schema, whole and as lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from nospof.render import RENDERERS
from nospof.render.documents import render_json, render_jsonl, schema_text, written
from support.audit_accounts import Pair, audit, one_instance
from support.audit_reports import fleet, reports, single_database

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "audit-1.json"
SCHEMA = json.loads(schema_text())
VALIDATOR = Draft202012Validator(SCHEMA)
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def strict(schema: Any) -> Any:
    """Return the schema with every object closed: what is not described is refused."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    if found.get("type") == "object" and "properties" in found:
        found["additionalProperties"] = False
    return found


STRICT = Draft202012Validator(strict(SCHEMA))


REPORTS = {
    "one instance": lambda: audit(one_instance()),
    "pair": lambda: audit(Pair().cloud),
    "single database": single_database,
    "fleet": fleet,
}


def test_the_schema_is_sound_and_the_published_one_is_the_one_that_is_shipped():
    Draft202012Validator.check_schema(SCHEMA)
    assert PUBLISHED.read_text() == schema_text()


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_keeps_the_schema_and_says_nothing_the_schema_does_not(name):
    STRICT.validate(json.loads(render_json(REPORTS[name]())))


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    LEAVES, lambda each: st.lists(each) | st.tuples(each) | st.dictionaries(st.text(), each)
)


@given(VALUES)
def test_what_is_written_is_what_the_standard_library_writes(value):
    assert written(value) == json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")]])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        written(value)


@few
@given(reports)
def test_any_report_keeps_the_schema(report):
    STRICT.validate(json.loads(render_json(report)))


def test_a_report_that_breaks_the_schema_is_found():
    document = json.loads(render_json(single_database()))
    VALIDATOR.validate({**document, "a property of later": 1})
    del document["services"][0]["findings"][0]["fingerprint"]
    assert not VALIDATOR.is_valid(document)


@few
@given(reports)
def test_lines_are_one_verdict_and_one_finding_each(report):
    lines = [json.loads(line) for line in render_jsonl(report).split("\n")]
    assert lines[0]["schema"] == "nospof.verdict/1"
    assert lines[0]["exit_code"] == int(report.exit_code)
    assert sorted(line["fingerprint"] for line in lines[1:]) == sorted(
        one.fingerprint for one in report.findings
    )
    finding = Draft202012Validator({"$ref": "#/$defs/finding", "$defs": SCHEMA["$defs"]})
    for line in lines[1:]:
        assert line["schema"] == "nospof.finding/1"
        assert line["account"] == report.account
        finding.validate(line)


@pytest.mark.parametrize("name", RENDERERS)
def test_the_same_report_is_the_same_bytes_in_every_face(name):
    assert RENDERERS[name](single_database()) == RENDERERS[name](single_database())


@pytest.mark.parametrize("name", RENDERERS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(report=reports)
def test_every_face_can_show_any_report(name, report):
    assert RENDERERS[name](report).encode()
