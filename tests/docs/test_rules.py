"""The page of rules says what the rules say, and the rules that are shown are those the audit finds."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from nospof.model.findings import Finding
from nospof.model.rules import EVERY_RULE, FAMILIES, NOT_BUILT, RULES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FOUND = {
    rule
    for path in (ROOT / "src" / "nospof" / "audit").rglob("*.py")
    for rule in re.findall(r"\"(NSP\d{3})\"", path.read_text())
}
"""The ids that the audit's code speaks of."""


def test_the_page_of_rules_is_fresh():
    tool = runpy.run_path(str(DOCS / "update_rules.py"))
    assert (DOCS / "rules.md").read_text() == tool["render"](), "run docs/update_rules.py"


def test_every_rule_that_is_shown_has_a_check_and_every_check_a_rule_that_is_shown():
    assert set(RULES) == FOUND, "NOT_BUILT in model/rules says which rules have no check"
    assert set(EVERY_RULE) >= NOT_BUILT


def test_a_rule_says_everything_in_sentences():
    for rule in EVERY_RULE.values():
        assert re.fullmatch(r"NSP[1-9]\d\d", rule.id)
        assert rule.family in FAMILIES
        for text in (rule.title, rule.why, rule.looks_at, rule.remedy):
            assert re.fullmatch(r"[A-Z`].*\.", text), text
        assert len(rule.title) <= 110
        assert len(re.findall(r"[.;:?](?= |$)", rule.why)) >= 1


def test_ids_and_slugs_are_unique_and_in_order_and_relations_lead_somewhere():
    slugs = [rule.slug for rule in EVERY_RULE.values()]
    assert len(set(slugs)) == len(slugs)
    assert list(EVERY_RULE) == sorted(EVERY_RULE)
    for rule in EVERY_RULE.values():
        assert set(rule.related) <= set(EVERY_RULE) - {rule.id}
        assert len(set(rule.related)) == len(rule.related)


def test_a_finding_of_a_rule_without_a_check_has_its_slug_all_the_same():
    for rule in EVERY_RULE.values():
        assert Finding(rule.id, "s", "t", "e", "low").slug == rule.slug
