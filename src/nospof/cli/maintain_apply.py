"""`nospof maintain apply`: what AWS has announced for a service, one member at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nospof import bootstrap
from nospof.cli.options import CONSENTS, cloud_options, dead_man_options, format_option, plan_options
from nospof.cli.procedures import chosen, perform
from nospof.errors import ExitCode
from nospof.model.applying import WAYS, ApplyRequest


@click.command("apply")
@click.argument("service", metavar="SERVICE")
@click.option(
    "--by",
    type=click.Choice(WAYS),
    default="stop-start",
    show_default=True,
    help="How: stop-start and reboot do it now, aws drains each member while AWS does it, move has AWS begin "
    "in your window.",
)
@click.option("--now", is_flag=True, help="Begin although it is outside of the service's window.")
@click.option("--wait", is_flag=True, help="Wait for the service's window, where it is not open.")
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Your maintenance windows; else ./nospof.yaml.",
)
@click.option("--path", default="", help="The page to ask a member for; else the one its balancer asks for.")
@dead_man_options
@click.option("--local-disks-are-scratch", is_flag=True, help=CONSENTS["--local-disks-are-scratch"])
@click.option("--it-boots-again", is_flag=True, help=CONSENTS["--it-boots-again"])
@plan_options
@format_option
@cloud_options
def apply(service: str, settings: Path | None, **options: Any) -> int:
    """Take what AWS has announced for the members of SERVICE, one at a time, while the others serve.

    The member whose event is nearest has its turn first: it is drained, taken when no request is in flight
    at it, proved, and put back; only then the next one is. Right before, what is announced is read again:
    what AWS has called off is not done. All members are looked at before the first is touched, and whoever
    must not leave is refused. Where a turn fails, nobody is touched after it.

    When a service may be worked on stands in nospof.yaml, such as
    services: {www: {maintenance: "Sun 02:00-05:00 Europe/Berlin"}}; one without a window is worked on at
    once.

    Exit code 0 also where nothing is announced, 13 where something is announced still.
    """
    known = (
        () if bootstrap.server_url() else bootstrap.read_settings(settings).services
    )  # a server has its own
    windows = {one.name: one.maintenance for one in known}
    window = windows.get(service)
    given = chosen(ApplyRequest, options)
    request = ApplyRequest(service, window=window.says if window else "", **given)
    outcome = perform("apply", request, warning(request), options)
    left = outcome is not None and request.by != "move" and outcome.result.left
    return ExitCode.INCOMPLETE if left else ExitCode.DONE


def warning(request: ApplyRequest) -> str:
    """Return what a person has to agree to."""
    what = {
        "stop-start": "drains, stops and starts",
        "reboot": "drains and reboots",
        "aws": "drains, while AWS works on it,",
    }
    if request.by == "move":
        return f"This has AWS begin at another time with members of {request.service}."
    return (
        f"This {what[request.by]} each member of {request.service} that something is announced for, in turn."
    )
