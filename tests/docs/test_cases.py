"""The page of cases is fresh, and a case is handled exactly where a test is named after it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
TOOL = runpy.run_path(str(DOCS / "update_cases.py"))


def test_the_page_is_fresh() -> None:
    assert (DOCS / "cases.md").read_text() == TOOL["render"](), "run docs/update_cases.py"


def test_every_case_is_handled_and_tested_or_says_why_not() -> None:
    tested = TOOL["tests_of"]()
    cases = TOOL["cases"]()
    assert {one["case"] for one in cases if "by" in one} == set(tested)
    assert [one["case"] for one in cases if ("by" in one) == ("gap" in one)] == []


def test_every_case_has_a_title_a_report_and_a_place_of_its_own() -> None:
    cases = TOOL["cases"]()
    numbers = [int(one["case"].removeprefix("C")) for one in cases]
    assert numbers == sorted(set(numbers))
    for one in cases:
        assert set(one) in ({"case", "title", "source", "by"}, {"case", "title", "source", "gap"})
        assert re.fullmatch(r"[\w.-]+/[\w.-]+(#\d+)?", one["source"]), one["case"]
