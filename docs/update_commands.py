"""Writes docs/commands.md: every command's own help, as it answers it. Run it after changing a command.

.venv/bin/python docs/update_commands.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from nospof.cli.main import cli

PAGE = Path(__file__).with_name("commands.md")
COLUMNS = "80"
HEAD = """\
# Commands

What each command says of itself. This page is written by `docs/update_commands.py` and tested to be
fresh; to change a text, change the command. What the exit codes mean in full: [exit-codes.md](exit-codes.md).
"""


def commands(command: click.Command = cli, path: str = "nospof") -> Iterator[tuple[str, click.Command]]:
    """Yield a command and each below it with what is typed to reach it, in the order they are listed."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child and not child.hidden:
                yield from commands(child, f"{path} {name}")


def help_of(path: str) -> str:
    """Return what a command answers to --help on a terminal of 80 columns."""
    answer = subprocess.run(
        [sys.executable, "-m", "nospof", *path.split()[1:], "--help"],
        env=os.environ | {"COLUMNS": COLUMNS},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


def render() -> str:
    """Return the page."""
    parts = [f"## {path}\n\n```text\n$ {path} --help\n{help_of(path)}```\n" for path, _ in commands()]
    return "\n".join([HEAD, *parts])


if __name__ == "__main__":
    PAGE.write_text(render())
