"""`nospof explain` as people type it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from nospof.model.rules import NOT_BUILT, RULES


def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nospof", "explain", *arguments], capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("name", ["NSP201", "nsp201", "domain/zone", "Domain/Zone", "zone"])
def test_a_rule_is_known_by_its_id_its_name_and_its_last_word_in_any_case(name):
    done = explain(name)
    assert done.returncode == 0
    assert done.stdout.startswith("NSP201  domain/zone\nOne zone's failure takes the service down")
    assert "What mends it: " in done.stdout
    assert "`" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_alone_it_lists_every_rule_that_has_a_check_and_no_other():
    done = explain()
    assert done.returncode == 0
    assert all(f"  {rule.id}  " in done.stdout for rule in RULES.values())
    assert not [rule for rule in NOT_BUILT if rule in done.stdout]


def test_json_has_the_rule_whole_and_all_of_them_without_a_name():
    one = json.loads(explain("NSP101", "--format", "json").stdout)
    assert one["schema"] == "nospof.rules/1"
    assert one["rules"][0]["slug"] == "serving/single-instance"
    assert one["rules"][0]["family"] == "serving"
    assert set(one["rules"][0]["related"]) <= set(RULES)
    every = json.loads(explain("--format", "json").stdout)
    assert [rule["id"] for rule in every["rules"]] == list(RULES)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("NP101", "did you mean NSP101 (serving/single-instance)?"),
        ("domain/zones", "did you mean NSP201 (domain/zone)?"),
        ("slow-detecton", "did you mean NSP402 (failover/slow-detection)?"),
        ("qqqqqq", "nospof explain lists all"),
    ],
)
def test_a_word_that_is_no_rule_is_refused_with_the_nearest(word, hint):
    done = explain(word)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"no rule is called {word!r}; {hint}" in done.stderr


def test_a_refusal_is_json_when_json_was_asked_for():
    done = explain("NSP999", "--format", "json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["kind"] == "UsageError"
