"""`nospof maintain backup`, `backups`, `test-backup`: a copy of a service while it serves, and its proof."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from nospof import bootstrap
from nospof.cli.options import CONSENTS, cloud_options, format_option
from nospof.cli.procedures import chosen, perform
from nospof.cli.progress import Watch
from nospof.errors import ExitCode
from nospof.model.backups import BackupRequest, RestoreRequest
from nospof.render.answers import to_json


@click.command("backup")
@click.argument("service")
@click.option(
    "--instance", "instance_id", default="", help="The member to copy; else one that is not written to."
)
@click.option(
    "--path", default="", help="The page to ask the member for; else the one its balancer asks for."
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    default=7,
    show_default=True,
    help="How many backups stay; older ones go once this one can be restored.",
)
@click.option("--test", is_flag=True, help="Restore it before any older one goes; see test-backup.")
@click.option("--jobs-may-run-twice", is_flag=True, help=CONSENTS["--jobs-may-run-twice"])
@click.option("--yes", is_flag=True, help="Do not ask before the first change.")
@format_option
@cloud_options
def backup(service: str, **options: Any) -> int:
    """Back SERVICE up while it serves: an image of one member, its database cleanly ended for seconds.

    The member is drained, its database ends, every snapshot begins, the database starts again, catches
    up, and the member serves again. All that clients were told is kept before the database ended is in the
    backup; nothing that was written after the snapshots had begun is. Whatever happens to nospof, the
    machine itself starts the database again.

    The images that backup made, of this service and beyond the newest --keep that can be restored, are
    deregistered, and their snapshots deleted. Nothing else is ever deleted.

    Files on EFS are not in it. It lies in this account and region: copy it where nothing that takes these
    reaches it (aws ec2 copy-image --source-region REGION --source-image-id IMAGE --name NAME --region
    ANOTHER).

    Exit code 11 where --test could not prove it; then no older one was deleted.
    """
    request = BackupRequest(service, **chosen(BackupRequest, options))
    warning = f"This takes one member of {service} out for a moment, and puts it back."
    return told("backup", request, warning, options)


@click.command("test-backup")
@click.argument("service")
@click.argument("image_id", metavar="[IMAGE]", default="")
@click.option("--jobs-may-run-twice", is_flag=True, help=CONSENTS["--jobs-may-run-twice"])
@click.option("--yes", is_flag=True, help="Do not ask before the first change.")
@format_option
@cloud_options
def test_backup(service: str, image_id: str, **options: Any) -> int:
    """Restore IMAGE, else the newest backup of SERVICE, look at it, and say how long that took.

    A machine like the member is launched from it in a security group that lets nobody in, and out by HTTPS
    only, where Systems Manager is: it reaches no member, and no mail. Its data has to be just where it was
    when the backup was taken; its database is started as a plain server and all tables are read. Then all
    of it is taken away. The time until the database answers is what you can claim as recovery time (RTO) of
    the data; names, certificates and clients come on top.

    Exit code 11 where the backup is not proved.
    """
    request = RestoreRequest(service, image_id, **chosen(RestoreRequest, options))
    warning = f"This launches a machine from a backup of {service}, and terminates it again."
    return told("test-backup", request, warning, options)


@click.command("backups")
@click.argument("service")
@format_option
@cloud_options
def backups(service: str, *, output_format: str, region: str, profile: str) -> int:
    """List the backups of SERVICE, newest first: age, size, state, how far the data was, what a test said.

    Exit code 10 where there is none that can be restored.
    """
    from nospof.render.backup_text import backups_text
    from nospof.services.backups import backups_known

    with Watch(quiet=output_format == "json") as watch:
        world = bootstrap.open_world(watch, region, profile)
        found, now = backups_known(world, service)
    document = [asdict(one) for one in found]
    click.echo(to_json(document) if output_format == "json" else backups_text(service, found, now))
    return ExitCode.DONE if any(one.is_complete for one in found) else ExitCode.FINDINGS


def told(procedure: str, request: Any, warning: str, options: dict[str, Any]) -> int:
    """Ask, run, and report a backup or its test; return what a script goes by."""
    outcome = perform(procedure, request, warning, options)
    result = outcome.result if outcome else None
    restored = getattr(result, "restored", result)
    return ExitCode.DRILL_FAILED if restored and restored.problem else ExitCode.DONE
