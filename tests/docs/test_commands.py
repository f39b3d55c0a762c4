"""The command line is documented whole, and the page of commands says what the commands say."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import click
import pytest

from nospof.cli.main import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
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
