"""Acceptances and baselines, on reports of a few findings: what ends one, and what counts as worse."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from nospof.audit.acceptance import apply_acceptance
from nospof.audit.baseline import Baseline, compare, known_of
from nospof.model.findings import AuditReport, Finding, Minutes, ServiceReport
from nospof.model.settings import Acceptance

NOW = 1_800_000_000.0
HALF = Fraction(1, 2)
PARTIAL = Finding(
    "NSP406", "shop", "half go dark", "zone:a", "medium", share=HALF, minutes=Minutes(1, 10, 30)
)


def report(*findings: Finding, service: str = "shop") -> AuditReport:
    one = ServiceReport(service, "www", (), (), (), findings)
    return AuditReport("1", "eu-west-1", NOW, {}, (one,), (), (), ())


def acceptance(**fields: object) -> Acceptance:
    base = Acceptance("why", "me", "2027-03-31", fingerprint=PARTIAL.fingerprint, where="nospof.yaml:3")
    return replace(base, **fields)  # type: ignore[arg-type]


def baseline(*findings: Finding) -> Baseline:
    return Baseline({one.fingerprint: known_of(one) for one in findings})


def mark(before: Finding, now: Finding) -> str:
    (only,) = compare(report(now), baseline(before)).findings
    return only.baseline


def test_what_was_accepted_for_a_part_of_the_clients_is_not_accepted_for_all() -> None:
    accepted = acceptance(share=HALF)
    assert apply_acceptance(report(PARTIAL), [accepted], NOW).findings[0].suppressed
    total = apply_acceptance(report(replace(PARTIAL, share=Fraction(1))), [accepted], NOW)
    assert total.findings[0].suppressed is None
    (complaint,) = total.complaints
    assert "100% of clients instead of 50%" in complaint
    assert "nospof.yaml:3" in complaint


def test_an_acceptance_without_a_match_is_told_unless_its_service_may_be_elsewhere() -> None:
    other = acceptance(fingerprint="f" * 64)
    assert apply_acceptance(report(PARTIAL), [other], NOW).complaints
    assert not apply_acceptance(report(PARTIAL), [other], NOW, covers_all=False).complaints


def test_wildcards_are_for_the_resource_alone() -> None:
    by_parts = acceptance(fingerprint="", rule="NSP406", service="shop", resource="zone:*")
    assert apply_acceptance(report(PARTIAL), [by_parts], NOW).findings[0].suppressed
    for wild in ({"rule": "NSP*"}, {"service": "*"}):
        assert not apply_acceptance(report(PARTIAL), [replace(by_parts, **wild)], NOW).findings[0].suppressed


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "unchanged"),
        ({"title": "said otherwise", "members": ("x",)}, "unchanged"),
        ({"minutes": Minutes(1, 19, 60)}, "unchanged"),
        ({"minutes": Minutes(1, 20, 60)}, "worse"),
        ({"minutes": Minutes(1, 5, 60)}, "better"),
        ({"share": Fraction(3, 5)}, "worse"),
        ({"share": Fraction(1, 4)}, "better"),
        ({"order": 0}, "worse"),
        ({"severity": "high"}, "worse"),
        ({"severity": "low"}, "better"),
        ({"confidence": "possible"}, "better"),
        ({"share": Fraction(1, 4), "order": 0}, "worse"),
    ],
)
def test_a_finding_is_worse_when_it_is_in_one_respect(change: dict[str, object], expected: str) -> None:
    assert mark(PARTIAL, replace(PARTIAL, **change)) == expected  # type: ignore[arg-type]


def test_a_finding_of_a_service_that_was_not_asked_about_is_not_gone() -> None:
    elsewhere = replace(PARTIAL, service="intranet")
    assert compare(report(), baseline(PARTIAL, elsewhere)).gone == (
        "NSP406 half go dark (intranet)",
        "NSP406 half go dark (shop)",
    )
    asked = compare(report(), baseline(PARTIAL, elsewhere), covers_all=False)
    assert asked.gone == ("NSP406 half go dark (shop)",)
