"""The command line is documented whole, and the page of commands says what the commands say."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import click
import pytest

from nospof.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TOOL = runpy.run_path(str(DOCS / "update_commands.py"))
ALL = dict(TOOL["commands"]())


def test_the_page_of_commands_is_fresh():
    assert (DOCS / "commands.md").read_text() == TOOL["render"](), "run docs/update_commands.py"


def test_every_command_that_is_listed_is_on_the_page():
    assert {path.split()[1] for path in ALL if " " in path} == set(COMMANDS)


def test_the_page_has_what_a_user_sees():
    done = subprocess.run(
        [sys.executable, "-m", "nospof", "clone", "--help"],
        env=os.environ | {"COLUMNS": TOOL["COLUMNS"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert f"$ nospof clone --help\n{done.stdout}```\n" in (DOCS / "commands.md").read_text()


@pytest.mark.parametrize("path", ALL)
def test_a_command_and_every_option_of_it_say_what_they_do(path):
    command = ALL[path]
    assert command.help
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert [one.name for one in options if not one.help and not one.hidden] == []


# Commands that are spoken of -------------------------------------------------------------------

SPOKEN = re.compile(r"\bnospof ([^`\"\n]*)")
PAPERS = [path for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")] if path.name != "commands.md"]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def wrong_commands(text: str) -> list[str]:
    """Return the commands in a text that do not exist or do not take the options they are given."""
    wrong = []
    for said in SPOKEN.findall(text):
        words = re.split(r"[.;:] ", said)[0].split()
        path = resolve(words)
        if path == "nospof":
            continue
        after = words[len(path.split()) - 1 :]
        known = {name for one in ALL[path].params for name in one.opts} | {"--help"}
        options = [found[0] for word in after if (found := re.match(r"--[a-z-]+", word))]
        wrong += [f"{path} {name}" for name in options if name not in known]
        if isinstance(ALL[path], click.Group) and after and re.fullmatch(r"[a-z]+", after[0]):
            wrong.append(f"{path} {after[0]}")
    return wrong


def resolve(words: list[str]) -> str:
    """Return the longest command that words begin with."""
    path = "nospof"
    for word in words:
        if f"{path} {word}" not in ALL:
            break
        path = f"{path} {word}"
    return path


def code_in(path: Path) -> str:
    """Return what stands as code in a paper: between backticks and in fenced blocks."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", path.read_text(), re.DOTALL))


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_a_paper_shows_exists_with_its_options(path):
    assert not wrong_commands(code_in(path))


def test_every_command_a_message_names_exists_with_its_options():
    wrong = {path.name: found for path in SOURCES if (found := wrong_commands(path.read_text()))}
    assert not wrong


def test_a_wrong_command_would_be_found():
    assert wrong_commands("nospof clone i-1 --zones a") == ["nospof clone --zones"]
    assert wrong_commands("nospof runs retry RUN") == ["nospof runs retry"]
    assert not wrong_commands("nospof runs resume RUN --format json")
