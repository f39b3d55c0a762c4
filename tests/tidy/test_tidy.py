"""The house stays small and readable: sizes, docstrings, words that have no place in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

FILE_LINES, FUNCTION_LINES = 400, 60
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS = {
    "planning/pair_calls.py:pair_calls": "a list of calls in their order, nothing else",
}
PROGRAMS_THAT_PRINT = ("cli/", "localcloud/images/")
"""The command line, and what runs inside a machine, whose output is the machine's console."""

LONGEST_SLEEP_SECONDS = 1.0

EVERYWHERE = {
    r"\b(TODO|FIXME|XXX|HACK)\b": "work left to do belongs into the issues",
    r"(?<![\w.])/(work|root)/": "a path of one machine",
    r"/home/[a-z]": "a path of one person",
    r"\b(STYLE|DESIGN)\.md\b": "a paper that is not in this repository",
}
EMPTY_NAME = r"^class \w*(Helper|Manager|Utils?)\b"
"""A name that does not say what the thing is."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions_in(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls_in(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call with the last part of what it calls: `time.sleep(1)` is a `sleep`."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            function = node.func
            yield getattr(function, "attr", getattr(function, "id", "")), node


def lines_with(pattern: str, paths: list[Path]) -> list[str]:
    return [
        f"{name_of(path)}:{number}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_no_source_file_is_long_but_those_with_a_reason():
    long = {
        name_of(path).removeprefix("src/nospof/")
        for path in SOURCES
        if len(path.read_text().splitlines()) > FILE_LINES
    }
    assert long == set(LONG_FILES)


def test_no_function_is_long_but_those_with_a_reason():
    long = {
        f"{name_of(path).removeprefix('src/nospof/')}:{function.name}"
        for path in SOURCES
        for function in functions_in(path)
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES
    }
    assert long == set(LONG_FUNCTIONS)


def test_every_module_says_what_it_is_for():
    silent = [name_of(path) for path in [*SOURCES, *TESTS] if not documented(path)]
    assert not silent


def documented(path: Path) -> bool:
    """Whether a module says something, or holds nothing that anything could be said about."""
    return not tree_of(path).body or bool(ast.get_docstring(tree_of(path)))


def test_nothing_prints_but_programs_whose_output_is_for_people():
    printing = [
        f"{name_of(path)}:{call.lineno}"
        for path in SOURCES
        if not name_of(path).removeprefix("src/nospof/").startswith(PROGRAMS_THAT_PRINT)
        for name, call in calls_in(path)
        if name == "print" and isinstance(call.func, ast.Name)
    ]
    assert not printing


@pytest.mark.parametrize("pattern", EVERYWHERE)
def test_no_text_has_what_belongs_elsewhere(pattern):
    here = Path(__file__)
    assert not lines_with(pattern, [path for path in [*SOURCES, *TESTS, *PAPERS] if path != here]), (
        EVERYWHERE[pattern]
    )


def test_every_class_is_named_for_what_it_is():
    assert not lines_with(EMPTY_NAME, SOURCES)


def test_no_test_sleeps_for_long():
    sleepy = [
        f"{name_of(path)}:{call.lineno}"
        for path in TESTS
        if "support" not in path.parts
        for name, call in calls_in(path)
        if name == "sleep" and is_long(call)
    ]
    assert not sleepy


def is_long(call: ast.Call) -> bool:
    """Whether a call waits for more seconds than the bound. A clock in memory does not wait."""
    waits = not isinstance(call.func, ast.Attribute) or ast.unparse(call.func.value) in ("time", "asyncio")
    first = call.args[0] if call.args else None
    return (
        waits
        and isinstance(first, ast.Constant)
        and isinstance(first.value, int | float)
        and first.value > LONGEST_SLEEP_SECONDS
    )


def test_every_ignored_rule_has_a_code():
    assert not lines_with(r"# (type: ignore(?!\[)|noqa(?!: ))", [*SOURCES, *TESTS])


@pytest.mark.parametrize("folder", ["src", "tests"])
def test_every_path_that_is_spoken_of_exists(folder):
    named = re.compile(r"(?<![\w/])((?:src|tests|docs|bench)/[\w/.-]+\.(?:py|md)|test_\w+\.py)")
    known = {path.name for path in TESTS}
    missing = [
        f"{name_of(path)} speaks of {name}"
        for path in (SOURCES if folder == "src" else TESTS)
        for name in named.findall(path.read_text())
        if not (ROOT / name).exists() and name not in known
    ]
    assert not missing
