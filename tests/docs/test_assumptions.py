"""The page of assumptions says what the code assumes, every figure with its label, source and date."""

from __future__ import annotations

import re
import runpy
from datetime import date
from pathlib import Path

from nospof.adapters.settings import read_settings
from nospof.audit.rates import BETA, DEFAULTS, PROMISES, RATE_OF_EVENT, Rates, rates_with

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_and_the_example_are_fresh() -> None:
    tool = runpy.run_path(str(DOCS / "update_assumptions.py"))
    assert (DOCS / "assumptions.md").read_text() == tool["render"](), "run docs/update_assumptions.py"
    assert (DOCS / "assumptions.yaml").read_text() == tool["example"](), "run docs/update_assumptions.py"


def test_the_example_is_a_settings_file_that_changes_no_figure() -> None:
    own = rates_with(read_settings(DOCS / "assumptions.yaml").rates).by_kind
    for kind, ours in Rates().by_kind.items():
        assert (own[kind].per_year, own[kind].minutes) == (ours.per_year, ours.minutes)
        assert own[kind].label == "own"


def test_every_rate_is_a_range_with_a_label_and_a_source() -> None:
    assert len({one.kind for one in DEFAULTS}) == len(DEFAULTS)
    for one in DEFAULTS:
        for low, likely, high in (one.per_year, one.minutes, BETA):
            assert 0 < low <= likely <= high
        assert one.label in ("assumption", "vendor")
        assert one.source
    assert set(RATE_OF_EVENT.values()) <= {one.kind for one in DEFAULTS}


def test_every_promise_says_where_and_when_it_was_read() -> None:
    assert len({(one.kind, one.is_spread) for one in PROMISES}) == len(PROMISES)
    for one in PROMISES:
        assert 99 <= one.percent <= 100
        assert one.url.startswith("https://")
        assert re.fullmatch(r"20\d\d-\d\d(-\d\d)?", one.as_of)
        date.fromisoformat(one.as_of if len(one.as_of) == 10 else f"{one.as_of}-01")
