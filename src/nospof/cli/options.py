"""Options that several commands share, and how results are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click

from nospof.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

CONSENTS = {
    "--local-disks-are-scratch": "Nothing on instance-store disks is needed.",
    "--allow-address-change": "Another public address after the stop is fine.",
    "--override-stop-protection": "Lift disableApiStop for the moment, and set it back.",
    "--suspend-auto-scaling": "Its Auto Scaling group neither checks nor replaces for the moment.",
    "--it-boots-again": "It boots after a stop, whatever its /etc/fstab says.",
    "--jobs-may-run-twice": "Cron jobs and workers do no harm on two machines.",
}


def cloud_options(function: F) -> F:
    """Add --region and --profile."""
    function = click.option(
        "--region", default="", help="The AWS region; else AWS_REGION, else the profile's."
    )(function)
    return click.option("--profile", default="", help="The AWS profile; else AWS_PROFILE.")(function)


def format_option(function: F) -> F:
    """Add --format."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How the result is written on stdout.",
    )(function)


def plan_options(function: F) -> F:
    """Add --plan and --yes."""
    function = click.option("--plan", "plan_only", is_flag=True, help="Show the plan and change nothing.")(
        function
    )
    return click.option("--yes", is_flag=True, help="Do not ask before the first change.")(function)


def consent_options(function: F) -> F:
    """Add the options that accept what pre-flight would refuse."""
    for option, says in reversed(CONSENTS.items()):
        function = click.option(option, is_flag=True, help=says)(function)
    return function


class Duration(click.ParamType[int]):
    """A time as people write it: 90s, 15m, 1h."""

    name = "time"
    _units: ClassVar = {"s": 1, "m": 60, "h": 3600}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,6})([smh])", value)
        if found is None:
            self.fail(f"{value!r} is no time; write it as 90s, 15m or 1h", param, ctx)
        return int(found[1]) * self._units[found[2]]


def dead_man_options(function: F) -> F:
    """Add --dead-man and --dead-man-role."""
    function = click.option(
        "--dead-man-role",
        default="",
        metavar="ROLE",
        help="As which role AWS starts it, by name or ARN; else nospof-dead-man.",
    )(function)
    return click.option(
        "--dead-man",
        "dead_man_seconds",
        type=Duration(),
        default=0,
        help="Have AWS itself start INSTANCE after so long (15m), should this machine be lost.",
    )(function)


def twin_options(function: F) -> F:
    """Add the options that say what a twin is."""
    function = click.option(
        "--copy-user-data", is_flag=True, help="Run the source's user data on the twin, a second time."
    )(function)
    function = click.option(
        "--or-type-for-source",
        is_flag=True,
        help="Start the source itself as one of them, where there is no room for it.",
    )(function)
    return click.option(
        "--or-type",
        "or_types",
        metavar="TYPE",
        multiple=True,
        callback=lambda _context, _option, given: ",".join(given),
        help="A type for the twin where there is no room for its own; several are tried in order.",
    )(function)


def live_options(function: F) -> F:
    """Add the options of a copy that is made of an instance that runs."""
    function = click.option(
        "--require-consistent",
        is_flag=True,
        help="With --live: rather no copy than one as of a power cut.",
    )(function)
    function = click.option(
        "--hold-seconds",
        default=20,
        show_default=True,
        help="With --live: how long writes may stall while its image begins.",
    )(function)
    return click.option(
        "--live", is_flag=True, help="Leave it running: no time off, its writes held for a moment."
    )(function)


def write_file(path: Path, text: str) -> None:
    """Write a result to a file.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
