"""The report for people: ranges, what was accepted last, and nothing that a terminal obeys."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from nospof.model.findings import Minutes
from nospof.render.audit_text import render_text
from nospof.render.figures import minutes_range, percent_range
from support.audit_reports import minutes, reports, single_database


@pytest.mark.parametrize(
    ("three", "percent", "says"),
    [
        ((144, 258, 468), "99.91 .. 99.97 %", "2.4 .. 4.3 .. 7.8 h"),
        ((75, 144, 294), "99.94 .. 99.99 %", "75 min .. 2.4 h .. 4.9 h"),
        ((36, 84, 222), "99.96 .. 99.99 %", "36 min .. 84 min .. 3.7 h"),
        ((0.0001, 0.002, 0.3), "99.99994 .. 99.99999 %", "0.0001 .. 0.002 .. 0.3 min"),
    ],
)
def test_a_range_has_as_many_digits_as_it_bears(three, percent, says):
    assert percent_range(Minutes(*three)) == percent
    assert minutes_range(Minutes(*three)) == says


@given(minutes)
def test_an_availability_is_a_range_and_no_outage_at_all_is_never_promised(three):
    low, high = re.fullmatch(r"([\d.]+) \.\. ([\d.]+) %", percent_range(three)).groups()
    assert float(low) <= float(high) <= 100
    if three.low > 0.001:
        assert float(high) < 100


def test_the_verdict_is_first_and_what_was_accepted_is_last_and_marked():
    text = render_text(single_database())
    assert text.startswith(
        "2 single points of failure (1 possible) and 1 other finding in 1 service (1 accepted)"
    )
    heads = re.findall(r"^  \d+\. \[([^]]+)\] (NSP\d+)", text, re.MULTILINE)
    assert heads == [
        ("critical, worse", "NSP103"),
        ("medium?, new", "NSP901"),
        ("low", "NSP407"),
        ("critical, accepted", "NSP201"),
    ]
    assert "accepted by ops@example.org until 2027-03-31: one zone by contract" in text


def test_the_text_says_place_cost_expectation_questions_and_what_changed():
    text = render_text(single_database())
    for says in (
        "at infra/data base.tf:42",
        "costs 5 .. 17 .. 60 min a year",
        "expected: 99.94 .. 99.99 %, 75 min .. 2.4 h .. 4.9 h of outage a year",
        "assuming a zone fails 0.05 .. 0.2 .. 0.5 times a year",
        "what AWS pays credit for: 99.48 %",
        "question: does web-1 keep uploads on its own disk?",
        "Gone since the earlier report:\n  NSP102 ",
        "About what was accepted:\n  NSP402 ",
        "✗ database orders",
    ):
        assert says in text


def test_pairs_are_counted_and_listed_only_on_request():
    (service,) = single_database().services
    many = tuple(((f"a{number}",), (f"b{number}",)) for number in range(9))
    report = replace(single_database(), services=(replace(service, pairs=9, pair_classes=many),))
    assert "one of {a8} with one of {b8}" not in render_text(report)
    assert "Two failures at once stop it in 9 pairs" in render_text(report)
    assert "one of {a8} with one of {b8}" in render_text(report, pairs=True)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports)
def test_no_name_reaches_the_terminal_as_a_command(report):
    assert all(one == "\n" or one.isprintable() for one in render_text(report, pairs=True))
