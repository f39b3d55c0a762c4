"""`nospof data`: how a service's data is kept in step, and how it is brought back into it."""

from __future__ import annotations

from threading import Lock
from typing import Any

import click

from nospof import bootstrap
from nospof.cli.options import Duration, cloud_options, format_option, plan_options
from nospof.cli.progress import Watch
from nospof.errors import ExitCode, PreconditionFailed
from nospof.model.requests import RejoinRequest
from nospof.model.results import Noticed
from nospof.render.answers import to_json, to_line
from nospof.render.result_text import check_text, data_text, noticed_text


@click.group()
def data() -> None:
    """See how a service's data is kept in step, compare its members, bring them together again."""


@data.command("status")
@click.argument("service", metavar="SERVICE")
@format_option
@cloud_options
def status(service: str, *, output_format: str, region: str, profile: str) -> int:
    """Ask each who keeps the data of SERVICE what it is now: role, position, votes, files on the way.

    Exit code 10 where it is not in step, 13 where somebody could not be asked.
    """
    from nospof.services.data import data_status

    if remote := bootstrap.open_remote():
        found = remote.data(service)
    else:
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
    """Compare what the members of SERVICE have in their tables, and in the directories kept in step.

    All of it is read, of large files their size, beginning and end. What members were not seen to have the
    same of is read again, a few times: it may be in use.

    Exit code 10 where members differ, 13 where something was written to each time it was read.
    """
    from nospof.services.comparing import data_check

    with Watch(quiet=output_format == "json") as watch:
        found = data_check(bootstrap.open_world(watch, region, profile), service)
    click.echo(to_json(found) if output_format == "json" else check_text(found))
    if found.different:
        return ExitCode.FINDINGS
    return ExitCode.INCOMPLETE if found.not_compared else ExitCode.DONE


@data.command("watch")
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@click.option("--once", is_flag=True, help="Make one round, say what is so now, and end.")
@click.option(
    "--every",
    "every_seconds",
    type=click.FloatRange(1, 3600),
    default=3.0,
    show_default=True,
    metavar="SECONDS",
    help="How often the cloud is read: one DescribeInstances for all pairs.",
)
@click.option(
    "--patience",
    "patience_seconds",
    type=Duration(),
    default="5m",
    show_default=True,
    help="How long a member may be out of step before that is told.",
)
@format_option
@cloud_options
def watch(services: tuple[str, ...], *, once: bool, output_format: str, **options: Any) -> int:
    """Watch the pairs of SERVICE... until the end: nobody waits for a primary that the cloud knows to be off.

    Without SERVICE all pairs are watched whose data nospof keeps. Where the cloud says that a primary of
    PostgreSQL is off, the member that is left is asked to lead; where it is about to be, to take the writes
    over. Patroni's votes decide, and two who watch do no harm. Members that stay out of step are told of.

    With --once the exit code is 10 where a service is not in step, 13 where somebody could not be asked.
    """
    from nospof.services import watching

    noticed: list[Noticed] = []
    lock = Lock()

    def tell(one: Noticed) -> None:
        with lock:
            noticed.append(one)
            if not once:
                noticed.clear()
            click.echo(to_line(one) if output_format == "json" else noticed_text(one))

    world = bootstrap.open_world(Watch(quiet=True), options["region"], options["profile"])
    patience = 0.0 if once else float(options["patience_seconds"])
    beside = watching.at_once if once else watching.in_a_thread
    watched = watching.DataWatch(world, services, tell, patience, beside)
    if not once:
        watched.watch(options["every_seconds"])
    watched.round()
    kinds = {one.kind for one in noticed}
    if "unread" in kinds:
        return ExitCode.INCOMPLETE
    return ExitCode.FINDINGS if "out-of-step" in kinds else ExitCode.DONE


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

    journal = bootstrap.open_runs()
    runs = tuple(journal.run(one.id) if one.procedure == "pair" else one for one in journal.runs())
    found = pair_of_service(service, runs)
    if not found:
        raise PreconditionFailed(
            f"no run in the journal made a pair of {service}. See nospof runs list on the machine that did. "
            "Nothing was changed."
        )
    run = next(one for one in runs if one.id == found)
    options["about"] = run
    request = undo_request(run, clients_are_back=clients_are_back, moved_by=mover_of(service, runs))
    perform("undo", request, f"This takes apart what {run.id} made.", options)
