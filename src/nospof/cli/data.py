"""`nospof data`: how a service's data is kept in step, and how it is brought back into it."""

from __future__ import annotations

from typing import Any

import click

from nospof import bootstrap
from nospof.cli.options import cloud_options, format_option, plan_options, to_json
from nospof.cli.progress import Watch
from nospof.cli.text import check_text, data_text
from nospof.errors import ExitCode, PreconditionFailed
from nospof.model.requests import RejoinRequest


@click.group()
def data() -> None:
    """See how a service's data is kept in step, compare its members, bring them together again."""


@data.command("status")
@click.argument("service", metavar="SERVICE")
@format_option
@cloud_options
def status(service: str, *, output_format: str, region: str, profile: str) -> int:
    """Ask each who keeps the data of SERVICE what it is now: role, position, votes, and who is written to.

    Exit code 10 where it is not in step, 13 where somebody could not be asked.
    """
    from nospof.services.data import data_status

    with Watch(quiet=output_format == "json") as watch:
        found = data_status(bootstrap.open_world(watch, region, profile), service)
    click.echo(to_json(found) if output_format == "json" else data_text(found))
    if found.unread:
        return ExitCode.INCOMPLETE
    return ExitCode.FINDINGS if found.wrong else ExitCode.DONE


@data.command("check")
@click.argument("service", metavar="SERVICE")
@format_option
@cloud_options
def check(service: str, *, output_format: str, region: str, profile: str) -> int:
    """Count and sum what each member of SERVICE has in its tables, and compare. Reads all of them.

    Exit code 10 where members differ, 13 where they were written to meanwhile and could not be compared.
    """
    from nospof.services.data import data_check

    with Watch(quiet=output_format == "json") as watch:
        found = data_check(bootstrap.open_world(watch, region, profile), service)
    click.echo(to_json(found) if output_format == "json" else check_text(found))
    if found.different:
        return ExitCode.FINDINGS
    return ExitCode.INCOMPLETE if found.not_compared else ExitCode.DONE


@data.command("rejoin")
@click.argument("service", metavar="SERVICE")
@click.option(
    "--begin",
    default="",
    metavar="INSTANCE",
    help="Where nobody takes writes and not all can be asked: who begins. What only others have is lost.",
)
@click.option("--yes", is_flag=True, help="Do not ask before the first change.")
@format_option
@cloud_options
def rejoin(service: str, **options: Any) -> None:
    """Bring those who keep the data of SERVICE together again, whoever of them is off or was left behind.

    Where one takes writes, the others join it. Where none does, all are asked how far their data is, and the
    one that has the most begins; while one cannot be asked this is refused.
    """
    from nospof.cli.procedures import perform

    request = RejoinRequest(service, options["begin"])
    perform("rejoin", request, f"This starts and joins those who keep the data of {service}.", options)


@data.command("undo")
@click.argument("service", metavar="SERVICE")
@click.option(
    "--clients-are-back",
    is_flag=True,
    help="Your word that no client comes in through the load balancer any more.",
)
@plan_options
@format_option
@cloud_options
def undo(service: str, *, clients_are_back: bool, **options: Any) -> None:
    """Go back to one plain server with all that was written: SERVICE's pair is taken apart.

    A twin without data serves nobody, so this is `nospof runs undo` of the run that made the pair.
    """
    from nospof.cli.procedures import perform
    from nospof.services.undoing import mover_of, pair_of_service, undo_request

    journal = bootstrap.open_journal()
    runs = tuple(journal.run(one.id) if one.procedure == "pair" else one for one in journal.runs())
    found = pair_of_service(service, runs)
    if not found:
        raise PreconditionFailed(
            f"no run of this machine made a pair of {service}. See nospof runs list on the machine that did. "
            "Nothing was changed."
        )
    run = next(one for one in runs if one.id == found)
    options["about"] = run
    request = undo_request(run, clients_are_back=clients_are_back, moved_by=mover_of(service, runs))
    perform("undo", request, f"This takes apart what {run.id} made.", options)
