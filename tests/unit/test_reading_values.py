"""What is kept of an answer: plain values, and nothing that may be secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nospof.adapters.values import WITHHELD, addresses, plain

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.sampled_from(["Name", "Id", "Tags"]), inside),
    max_leaves=20,
)


@given(PLAIN)
def test_what_json_has_is_kept_as_it_is(value: object) -> None:
    assert plain(value) == value
    assert json.loads(json.dumps(plain(value))) == value


def test_a_moment_is_a_text_in_utc_whatever_its_zone() -> None:
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    abroad = noon.astimezone(timezone(timedelta(hours=5)))
    assert plain(noon) == plain(abroad) == plain(noon.replace(tzinfo=None)) == "2026-01-02T12:00:00+00:00"


@pytest.mark.parametrize(
    "name",
    [
        "UserData",
        "CustomerGatewayConfiguration",
        "PreSharedKey",
        "MasterUserPassword",
        "ClientSecret",
        "command",
        "entryPoint",
    ],
)
def test_fields_that_hold_secrets_are_withheld_at_any_depth(name: str) -> None:
    assert plain({"A": [{"B": {name: ["hunter2"]}}]}) == {"A": [{"B": {name: WITHHELD}}]}


def test_a_field_that_holds_no_secret_because_it_is_empty_stays_empty() -> None:
    assert plain({"command": []}) == {"command": []}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("postgres://app:hunter2@db.example.com:5432/shop?sslmode=require", "db.example.com:5432"),
        ("http://10.0.1.4:8080/path", "10.0.1.4:8080"),
        ("a.internal:6379,b.internal:6379", "a.internal:6379 b.internal:6379"),
        ("arn:aws:sqs:eu-central-1:123456789012:orders", "arn:aws:sqs:eu-central-1:123456789012:orders"),
        ("https://sqs.eu-central-1.amazonaws.com/123456789012/orders", "sqs.eu-central-1.amazonaws.com"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r", ""),
        ("production", ""),
        ("//user:p@ss@db.example.com", "db.example.com"),
    ],
)
def test_of_a_variable_only_hosts_and_arns_are_kept(value: str, kept: str) -> None:
    assert addresses(value) == kept


@pytest.mark.parametrize(
    "environment",
    [
        {"Environment": {"Variables": {"DATABASE": "db.example.com", "DB_PASSWORD": "db.example.com"}}},
        {
            "environment": [
                {"name": "DATABASE", "value": "db.example.com"},
                {"name": "DB_PASSWORD", "value": "db.example.com"},
            ]
        },
    ],
)
def test_a_variable_called_a_password_is_withheld_whatever_it_is(environment: dict[str, object]) -> None:
    said = json.dumps(plain(environment))
    assert said.count("db.example.com") == 1
    assert said.count(WITHHELD) == 1
    assert "DATABASE" in said


@given(st.text(alphabet=st.characters(categories=["Lu", "Ll", "Nd"]), min_size=1))
def test_a_word_of_an_environment_without_a_dot_is_never_kept(secret: str) -> None:
    assert plain({"environment": [{"name": "A", "value": secret}]}) == {
        "environment": [{"name": "A", "value": WITHHELD}]
    }
