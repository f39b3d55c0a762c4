"""`nospof drill`: break one member on purpose."""

from __future__ import annotations

from typing import Any

import click

from nospof.cli.options import cloud_options, format_option
from nospof.cli.procedures import chosen, perform
from nospof.errors import ExitCode
from nospof.model.requests import DrillRequest
from nospof.model.writes import A_WRITE, WriteWish


@click.command()
@click.argument("service")
@click.option("--instance", "instance_id", default="", help="The member to break; else the first by id.")
@click.option(
    "--fault",
    type=click.Choice(["kill", "stop"]),
    default="kill",
    show_default=True,
    help="kill pulls the plug (local cloud only); stop is StopInstances.",
)
@click.option(
    "--rate",
    "rate_per_second",
    type=click.IntRange(1, 5000),
    default=200,
    show_default=True,
    help="Requests per second.",
)
@click.option(
    "--seconds",
    type=click.IntRange(12, 300),
    default=20,
    show_default=True,
    help="How long the load lasts, at least.",
)
@click.option("--path", default="/", show_default=True, help="The page to ask for.")
@click.option("--name", default="", help="What clients call it; needed where its balancer ends TLS.")
@click.option("--write-to", metavar="PATH", help="Write there meanwhile; {id} is the id of each write.")
@click.option(
    "--read-from",
    default="",
    metavar="PATH",
    help="The page that lists them, or with {id} the one that is each; else where they go.",
)
@click.option(
    "--write-method",
    type=click.Choice(["POST", "PUT"]),
    default="POST",
    show_default=True,
    help="How they are sent.",
)
@click.option("--write-body", default=A_WRITE, show_default=True, metavar="TEXT", help="What is sent.")
@click.option("--write-type", default="application/json", show_default=True, help="Its Content-Type.")
@click.option("--write-status", default=201, show_default=True, help="The status that acknowledges a write.")
@click.option(
    "--write-rate", type=click.IntRange(1, 1000), default=20, show_default=True, help="Writes per second."
)
@click.option("--yes", is_flag=True, help="Do not ask before breaking it.")
@format_option
@cloud_options
def drill(service: str, **options: Any) -> int:
    """Break one member of SERVICE under load and count what the clients saw.

    Requests go out on schedule whatever the answers do, so an outage cannot hide behind a slow client.
    Refuses to break what is not whole. The member is brought back, whatever happens to nospof. With
    --write-to, writes are made too, and every write that was acknowledged is read back afterwards, from
    the service and from each member. Exit code 11 when a request failed, or an acknowledged write is
    lost or there twice.
    """
    request = DrillRequest(service, writes=writes_in(options), **chosen(DrillRequest, options))
    outcome = perform("drill", request, f"This breaks a member of {service} on purpose.", options)
    has_failed = outcome is not None and not outcome.result.verdict.passed
    return ExitCode.DRILL_FAILED if has_failed else ExitCode.DONE


def writes_in(options: dict[str, Any]) -> tuple[WriteWish, ...]:
    """Return the writes that the options ask for."""
    if not options["write_to"]:
        return ()
    return (
        WriteWish(
            path=options["write_to"],
            read_path=options["read_from"],
            method=options["write_method"],
            body=options["write_body"],
            content_type=options["write_type"],
            acknowledged=options["write_status"],
            rate_per_second=options["write_rate"],
        ),
    )
