"""`nospof cut-over`: plan, ask, move, report."""

from __future__ import annotations

from typing import Any

import click

from nospof.cli.options import cloud_options, format_option, plan_options
from nospof.cli.procedures import perform
from nospof.errors import ExitCode, UsageError
from nospof.model.cutting_over import Ending
from nospof.model.requests import CutOverRequest


@click.command("cut-over")
@click.argument("service", metavar="SERVICE")
@click.option(
    "--name", "names", multiple=True, help="A name to move; else all that lead to the pair's members."
)
@click.option(
    "--steps",
    default="10,50,100",
    show_default=True,
    help="The balancer's share after each step, in percent.",
)
@click.option(
    "--watch",
    "watch_seconds",
    type=click.IntRange(1, 86_400),
    default=60,
    show_default=True,
    help="Seconds that each share is watched once it is answered everywhere.",
)
@click.option("--path", default="/", show_default=True, help="The page to ask for.")
@plan_options
@format_option
@cloud_options
def cut_over(service: str, **options: Any) -> int:
    """Lead the names of SERVICE from its first instance to its load balancer, share by share.

    Refuses unless the pair is whole and serves each name as its address does. Each share is watched with real
    requests; where more fail than before, or a member is not healthy, every name gets back the very record it
    had (exit code 4). Names of Route 53 only; for others the plan is told. The way back: nospof runs undo.
    """
    request = CutOverRequest(
        service, options["names"], shares(options["steps"]), options["watch_seconds"], options["path"]
    )
    done = perform("cut-over", request, f"This leads clients of {service} to its load balancer.", options)
    is_back = done is not None and done.result.outcome is Ending.RETURNED
    return ExitCode.FAILED_HALF_WAY if is_back else ExitCode.DONE


def shares(given: str) -> tuple[int, ...]:
    """Return the steps as numbers."""
    try:
        return tuple(int(one) for one in given.split(","))
    except ValueError:
        raise UsageError(f"--steps {given!r} must be percentages with commas, such as 10,50,100") from None
