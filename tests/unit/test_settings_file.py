"""nospof.yaml: what it says is read as it was meant, and every mistake is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from nospof.adapters.settings import parse_settings, read_settings
from nospof.bootstrap import settings_file
from nospof.errors import UsageError
from nospof.model.settings import Acceptance, Need, Settings

WHOLE = """
services:
  shop: {entry: "arn:www", scope: zone, slo: 99.95, measured: 99.93, needs_egress: yes}
survive: [host, rack]
assume:
  - "web1 needs redis: degraded"
  - web1 needs arn:aws:rds:eu-west-1:1:db:orders
  - {user: web2, needs: queue, view: none}
suppress:
  - rule: NSP201
    service: shop
    resource: "zone:*"
    reason: one zone by contract
    owner: ops
    until: 2027-03-31
assumptions:
  - {kind: zone, per_year: [0.1, 0.2, 0.3], minutes: [10, 20, 30], source: our tickets}
"""


def test_everything_that_is_written_is_read() -> None:
    found = parse_settings(WHOLE, "nospof.yaml")
    (wish,) = found.services
    assert wish.measured == 99.93
    assert (wish.name, wish.entry, wish.scope, wish.slo, wish.needs_egress) == (
        "shop",
        "arn:www",
        "zone",
        99.95,
        True,
    )
    assert found.survive == ("host", "rack")
    assert found.needs == (
        Need("web1", "redis", "degraded", "nospof.yaml:6"),
        Need("web1", "arn:aws:rds:eu-west-1:1:db:orders", "serving", "nospof.yaml:7"),
        Need("web2", "queue", "none", "nospof.yaml:8"),
    )
    (accepted,) = found.acceptances
    assert accepted == Acceptance(
        "one zone by contract", "ops", "2027-03-31", "", "NSP201", "shop", "zone:*", where="nospof.yaml:10"
    )
    (rate,) = found.rates
    assert (rate.kind, rate.per_year, rate.minutes) == ("zone", (0.1, 0.2, 0.3), (10.0, 20.0, 30.0))


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_says_nothing(text: str) -> None:
    assert parse_settings(text, "nospof.yaml") == Settings(file="nospof.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("suppres: []", "nospof.yaml:1: the settings: no key is called 'suppres'; did you mean suppress?"),
        ("survive: [zone]\nsurvive: [host]", "nospof.yaml:2: the settings: survive stands there twice"),
        ("survive: [planet]", "nospof.yaml:1: survive[0]: 'planet' is not known; choose from"),
        ("survive: zone", "survive must be a list"),
        ("- a\n- b", "the settings must be a mapping"),
        ("a: [", "nospof.yaml:1: this is not YAML"),
        ("a: &x 1\nb: *x", "anchors and aliases"),
        ("services: {shop: {slo: 100}}", "below 100"),
        ("services: {shop: {measured: 101}}", "a percentage of the time"),
        ("services: {shop: {measured: yes}}", "must be a number"),
        ("services: {shop: {slo: high}}", "must be a number"),
        ("services: {shop: {needs_egress: perhaps}}", "must be true or false"),
        ("services: {shop: {entri: x}}", "did you mean entry?"),
        ("assume: [web1]", 'say it as "web1 needs redis: degraded"'),
        ('assume: ["web1 needs redis: deraded"]', "did you mean degraded?"),
        ("assume: [{user: web1}]", "needs needs"),
        ("assumptions: [{kind: zone, per_year: [1, 2]}]", "three numbers"),
        ("assumptions: [{kind: zone, per_year: [3, 2, 1]}]", "low <= likely <= high"),
        ("suppress: [{rule: NSP999, service: a, resource: b, reason: c, owner: d, until: e}]", "NSP999"),
        ("suppress: [{rule: NSP201, service: a, reason: c, owner: d, until: e}]", "a fingerprint, or rule"),
        ("suppress: [{fingerprint: a, reason: c, owner: d}]", "needs until"),
        ("a: " + "[" * 3_000 + "]" * 3_000, "nested too deeply"),
        ("x" * 1_000_001, "that is not read"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_settings(text, "nospof.yaml")
    assert says in str(refused.value)


def test_the_usual_file_is_read_where_none_is_named(tmp_path: Path) -> None:
    assert settings_file(None, tmp_path) is None
    (tmp_path / "nospof.yaml").write_text("survive: [zone]")
    found = settings_file(None, tmp_path)
    assert found is not None
    assert read_settings(found).survive == ("zone",)
    named = tmp_path / "other.yaml"
    assert settings_file(named, tmp_path) == named


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"other\.yaml"):
        read_settings(tmp_path / "other.yaml")
