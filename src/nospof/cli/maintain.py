"""`nospof maintain`: what AWS has announced, and taking it one member at a time."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from nospof import bootstrap
from nospof.cli import maintain_run, maintain_watch
from nospof.cli.maintain_apply import apply
from nospof.cli.maintain_backup import backup, backups, test_backup
from nospof.cli.options import CONSENTS, cloud_options, dead_man_options, format_option, write_file
from nospof.cli.procedures import chosen, perform
from nospof.cli.progress import Watch
from nospof.errors import ExitCode
from nospof.model.events import EventsFound
from nospof.model.requests import TakeRequest
from nospof.render.answers import to_json


@click.group()
def maintain() -> None:
    """See what maintenance AWS has announced, and take it one member at a time."""


maintain.add_command(apply)
maintain.add_command(backup)
maintain.add_command(backups)
maintain.add_command(test_backup)


@maintain.command("events")
@click.option("--region", "regions", multiple=True, help="A region to ask; may be given several times.")
@click.option(
    "--profile", "profiles", multiple=True, help="A profile to ask with; may be given several times."
)
@click.option(
    "--mail",
    type=click.Path(path_type=Path),
    help="The mail from AWS, as .eml or as text: tell of those whom it names, in the regions it names.",
)
@click.option(
    "--ics",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write them for a calendar too; written again, its entries replace the earlier ones.",
)
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Your maintenance windows; else ./nospof.yaml.",
)
@format_option
def events(
    *,
    regions: tuple[str, ...],
    profiles: tuple[str, ...],
    mail: Path | None,
    ics: Path | None,
    settings: Path | None,
    output_format: str,
) -> int:
    """List the maintenance that AWS has announced, with what it means for each service and what to do.

    When a service may be worked on stands in nospof.yaml, such as
    services: {www: {maintenance: "Sun 02:00-05:00 Europe/Berlin"}}.

    Exit code 10 where something is ahead, 13 where a region could not be read.
    """
    from nospof.cli.events_text import calendar, events_text

    with Watch(quiet=output_format == "json") as watch:
        remote = bootstrap.open_remote()
        found = remote.events() if remote else events_here(watch, (regions, profiles), mail, settings)
    if ics:
        write_file(ics, calendar(found))
    click.echo(to_json(found) if output_format == "json" else events_text(found))
    return exit_code(found)


def events_here(
    watch: Watch,
    asked_places: tuple[tuple[str, ...], tuple[str, ...]],
    mail: Path | None,
    settings: Path | None,
) -> EventsFound:
    """Return what is announced in regions, as profiles see it; nothing named is what the environment says."""
    from nospof.services.events import Asked, events_of

    regions, profiles = asked_places
    notice = bootstrap.read_mail(mail) if mail else None
    places = regions or (notice.regions if notice else ()) or ("",)
    asked = [
        Asked(
            " ".join(one for one in (profile, region) if one),
            profile,
            partial(bootstrap.open_world, watch, region, profile),
        )
        for profile in profiles or ("",)
        for region in places
    ]
    return events_of(asked, notice, bootstrap.read_settings(settings))


def exit_code(found: EventsFound) -> int:
    """Return what a script goes by."""
    if found.unread:
        return ExitCode.INCOMPLETE
    return ExitCode.FINDINGS if found.ahead else ExitCode.DONE


maintain.add_command(maintain_watch.plan)
maintain.add_command(maintain_watch.watch)


@maintain.command("take")
@click.argument("instance_id", metavar="INSTANCE")
@click.option(
    "--path", default="", help="The page to ask the member for; else the one its balancer asks for."
)
@dead_man_options
@click.option("--local-disks-are-scratch", is_flag=True, help=CONSENTS["--local-disks-are-scratch"])
@click.option("--it-boots-again", is_flag=True, help=CONSENTS["--it-boots-again"])
@click.option("--yes", is_flag=True, help="Do not ask before the first change.")
@format_option
@cloud_options
def take(instance_id: str, **options: Any) -> None:
    """Take what AWS has announced for INSTANCE now: drain, stop, start on other hardware, put back.

    Refuses when no other member of its service is healthy.
    """
    request = TakeRequest(instance_id, **chosen(TakeRequest, options))
    perform("take", request, f"This drains {instance_id}, stops it and starts it again.", options)


maintain.add_command(maintain_run.run)
maintain.add_command(maintain_run.back)
