"""Writes docs/commands.md: every command's own help, as it is printed. Run it after changing a command.

.venv/bin/python docs/update_commands.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from nospof.cli.main import cli

PAGE = Path(__file__).with_name("commands.md")
WIDTH = 90
HEAD = """\
# Commands

What each command says of itself. This page is written by `docs/update_commands.py` and tested to be
fresh; to change a text, change the command. What the exit codes mean in full: [exit-codes.md](exit-codes.md).
"""


def commands(
    command: click.Command = cli, name: str = "nospof", parent: click.Context | None = None
) -> Iterator[click.Context]:
    """Yield a context for a command and for each below it, in the order they are listed."""
    context = click.Context(command, parent, name, terminal_width=WIDTH, max_content_width=WIDTH)
    yield context
    if isinstance(command, click.Group):
        for child_name in command.list_commands(context):
            child = command.get_command(context, child_name)
            if child and not child.hidden:
                yield from commands(child, child_name, context)


def render() -> str:
    """Return the page."""
    parts = [HEAD]
    for context in commands():
        path = context.command_path
        parts.append(f"## {path}\n\n```text\n$ {path} --help\n{context.get_help()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(render())
