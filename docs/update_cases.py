"""Writes docs/cases.md from docs/cases.yaml and the tests named after a case. Run it after adding one.

.venv/bin/python docs/update_cases.py
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).with_name("cases.md")
DATA = Path(__file__).with_name("cases.yaml")
TESTS = Path(__file__).parents[1] / "tests"
NAMED = re.compile(r"^\s*def test_((?:c\d+_)+)", re.MULTILINE)
HEAD = """\
# Cases

Public reports of machines that were cloned, paired, maintained or audited and came to harm, and what keeps
nospof from it. The titles are ours; read the report where it was made. A test named `test_c08_...` is of case
C08: what it claims is the rest of its name. This page is written by `docs/update_cases.py` and tested to be
fresh, and no case stands as handled without a test.

| case | what happens | reported in | handled by | tests in |
|---|---|---|---|---|
"""


def cases() -> list[dict[str, Any]]:
    """Return the cases as they are written down."""
    found: list[dict[str, Any]] = yaml.safe_load(DATA.read_text())
    return found


def tests_of() -> dict[str, list[str]]:
    """Return the files with tests that are named after a case, by case."""
    found = defaultdict(set)
    for path in sorted(TESTS.rglob("test_*.py")):
        for match in NAMED.finditer(path.read_text()):
            for case in match[1].split("_")[:-1]:
                found[case.upper()].add(path.relative_to(TESTS).as_posix())
    return {case: sorted(paths) for case, paths in found.items()}


def row(one: dict[str, Any], paths: list[str]) -> str:
    """Return the line of a case."""
    address = one["source"].replace("#", "/issues/")
    report = f"[{one['source']}](https://github.com/{address})"
    how = one.get("by") or f"not handled: {one['gap']}"
    where = ", ".join(f"[{Path(path).stem}](../tests/{path})" for path in paths) or "-"
    return f"| {one['case']} | {one['title']} | {report} | {how} | {where} |"


def render() -> str:
    """Return the page."""
    tested = tests_of()
    return HEAD + "".join(f"{row(one, tested.get(one['case'], []))}\n" for one in cases())


if __name__ == "__main__":
    PAGE.write_text(render())
