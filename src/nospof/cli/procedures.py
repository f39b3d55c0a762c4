"""`nospof clone` and `pair`: plan, ask, run, report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import click

from nospof import bootstrap
from nospof.cli.options import (
    cloud_options,
    consent_options,
    dead_man_options,
    format_option,
    live_options,
    plan_options,
    twin_options,
)
from nospof.cli.progress import Watch, is_interactive
from nospof.cli.stopping import ask_to_stop, stopping_politely
from nospof.errors import PreconditionFailed, UsageError
from nospof.model.plans import Plan
from nospof.model.requests import CloneRequest, PairRequest
from nospof.render.answers import to_json
from nospof.render.result_text import describe_result, plan_text
from nospof.services import procedures as service


@click.command()
@click.argument("instance_id", metavar="INSTANCE")
@click.option("--zone", default="", help="The zone for the twin; else the first other zone that will do.")
@click.option("--same-zone", is_flag=True, help="Accept a twin in the same zone, on other hardware.")
@click.option("--url", default="", help="Where the service answers, to measure the time off by.")
@click.option("--port", default=80, show_default=True, help="The port the service listens on.")
@click.option("--path", default="/", show_default=True, help="The page to ask for.")
@twin_options
@live_options
@dead_man_options
@consent_options
@plan_options
@format_option
@cloud_options
def clone(instance_id: str, **options: Any) -> None:
    """Copy INSTANCE into another zone: off, image, on again, and the twin started from the image.

    The instance is off for as long as it takes to stop, to begin the snapshots and to start; it comes
    back on whatever happens to nospof meanwhile. See all of it first with --plan.
    """
    request = CloneRequest(instance_id, **chosen(CloneRequest, options))
    done = "copies {} as it runs" if request.live else "stops {} for a moment"
    warning = f"This {done.format(instance_id)}."
    perform("clone", request, warning, options)


@click.command()
@click.argument("instance_id", metavar="INSTANCE")
@click.option("--with", "twin_id", default="", help="The twin; else the one it has, else one is cloned.")
@click.option("--service", default="", help="The service's name; else the instance's.")
@click.option("--port", default=80, show_default=True, help="The port the instances serve on.")
@click.option("--listener-port", default=80, show_default=True, help="The port the balancer listens on.")
@click.option("--health-path", default="/", show_default=True, help="The page that says a member works.")
@click.option("--page", default="", help="The page the twin is asked for first; else the health page.")
@click.option("--expect", default="", help="A text the twin's page must contain before it gets traffic.")
@click.option(
    "--write-check",
    default="",
    metavar="COMMAND",
    help="A command that writes to the twin at $NOSPOF_TWIN_URL and reads it back, before it gets traffic.",
)
@click.option(
    "--stateless",
    is_flag=True,
    help="Your word that it keeps nothing that changes; not needed where a look inside proves it.",
)
@click.option(
    "--sync",
    default="",
    metavar="DIR[,DIR]",
    help="Have both keep what is written there: each takes what the other is given, a moment later.",
)
@click.option(
    "--efs",
    multiple=True,
    metavar="FS-ID[:/PATH]=DIR",
    help="Move DIR to a regional EFS that both mount. Can be given more than once.",
)
@click.option("--mend-tables", is_flag=True, help="Change tables that two cannot keep; undone with the pair.")
@click.option("--arbitrator-zone", default="", help="The zone of the third vote; else one without a member.")
@click.option("--arbitrator-image", default="", help="Its image, by id or name; else Debian's newest.")
@click.option("--arbitrator-type", default="t3.nano", show_default=True, help="Its instance type.")
@click.option("--balancer", default="", help="The balancer to join, by name or ARN; else each it is behind.")
@click.option("--new-balancer", is_flag=True, help="Make a balancer, although it is behind one.")
@click.option("--drain-seconds", default=30, show_default=True, help="Time for a leaving member's requests.")
@click.option(
    "--certificate",
    default="",
    metavar="ARN|auto",
    help="End TLS at the balancer with this certificate, or with the best one for the names.",
)
@click.option("--name", "names", default="", help="What clients call the service, with commas; else as DNS.")
@click.option("--https-port", default=443, show_default=True, help="The port the balancer ends TLS on.")
@click.option("--no-redirect", is_flag=True, help="Serve plain HTTP too, instead of sending it to HTTPS.")
@click.option("--http-only", is_flag=True, help="Accept that clients lose the HTTPS it serves today.")
@click.option("--zone", default="", help="The zone for the twin, where one is cloned.")
@click.option("--same-zone", is_flag=True, help="Accept both members in one zone.")
@twin_options
@live_options
@dead_man_options
@consent_options
@plan_options
@format_option
@cloud_options
def pair(instance_id: str, **options: Any) -> None:
    """Put INSTANCE and its twin behind a load balancer; clone the twin first where there is none.

    Where INSTANCE is behind a balancer already, the twin joins it there: nothing of that balancer is
    changed but who is registered, and no name changes. Else a balancer is made; INSTANCE serves at its
    own address throughout, and names are not pointed anywhere. The twin gets no traffic before it served
    a page, with its style sheets, scripts and images, and the balancer found it healthy.

    A MariaDB or PostgreSQL on INSTANCE's own disk is kept in step by both, one of them written to, with a
    third vote on a small machine in a third zone. What cannot be kept by two is refused, and named.

    With --efs a directory moves to an EFS that is there, reached from both zones: uploads to it are refused
    for the seconds in which the last of its copy is made, and a member that is without it does not serve.
    """
    request = PairRequest(instance_id, **chosen(PairRequest, options))
    perform("pair", request, f"This makes {instance_id} one of two behind a load balancer.", options)


def chosen(request_type: type[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are fields of the request."""
    return {key: value for key, value in options.items() if key in request_type.__dataclass_fields__}


class Place(Protocol):
    """Where procedures are done: here, or at a server."""

    def plan(self, procedure: str, request: Any) -> Plan:
        """Return what one would do now; changes nothing."""

    def run(self, procedure: str, request: Any) -> service.Outcome:
        """Run one to its end, showing it; Ctrl-C and SIGTERM ask for a stop between two steps."""

    def resume(self, run_id: str, *, take_over: bool = False) -> service.Outcome:
        """Take up a run where it was, showing it as `run`."""


class Here:
    """This process, in the account that boto3's conventions and the options name. Implements `Place`."""

    def __init__(self, watch: Watch, options: dict[str, Any]) -> None:
        self._watch = watch
        self._world = bootstrap.open_world(watch, options["region"], options["profile"])
        if "about" in options:
            service.refuse_elsewhere(self._world, options["about"])

    def plan(self, procedure: str, request: Any) -> Plan:
        """See `Place`."""
        return service.plan(self._world, procedure, request)

    def run(self, procedure: str, request: Any) -> service.Outcome:
        """See `Place`."""
        return self._shown(
            lambda runtime: service.run(self._world, runtime, bootstrap.claims(), procedure, request)
        )

    def resume(self, run_id: str, *, take_over: bool = False) -> service.Outcome:
        """See `Place`."""
        journal, claim = bootstrap.open_journal(), bootstrap.claims()
        return self._shown(
            lambda runtime: service.resume(self._world, runtime, journal, claim, run_id, take_over=take_over)
        )

    def _shown(self, work: Callable[[Any], service.Outcome]) -> service.Outcome:
        runtime = bootstrap.open_runtime(self._world, self._watch)
        with stopping_politely(partial(ask_to_stop, runtime), self._watch):
            outcome = work(runtime)
        for sentence in outcome.kept:
            self._watch.say(sentence)
        return outcome


def open_place(watch: Watch, options: dict[str, Any]) -> Place:
    """Return where procedures are done: at the server that NOSPOF_SERVER names, else here."""
    remote = bootstrap.open_remote()
    if remote is None:
        return Here(watch, options)
    from nospof.cli.remote import There

    return There(remote, watch)


def perform(procedure: str, request: Any, warning: str, options: dict[str, Any]) -> service.Outcome | None:
    """Show the plan or ask with it, then run and report a procedure; return what came of it, if it ran."""
    is_json = options["output_format"] == "json"
    with Watch(quiet=is_json) as watch:
        place = open_place(watch, options)
        if options.get("plan_only"):
            plan = place.plan(procedure, request)
            click.echo(to_json(plan) if is_json else plan_text(plan))
            return None
        if not options["yes"]:
            ask_first(place, procedure, request, warning)
        outcome = place.run(procedure, request)
    click.echo(to_json(outcome) if is_json else describe_result(outcome))
    return outcome


def ask_first(place: Place, procedure: str, request: Any, warning: str) -> None:
    """Show what would be done, where there is a plan, and go on only with a person's yes.

    Raises:
        UsageError: nobody can be asked.
    """
    if not is_interactive():
        raise UsageError(f"nobody can be asked here: add --yes. {warning}")
    if service.has_plan(procedure):
        plan = place.plan(procedure, request)
        click.echo(plan_text(plan), err=True)
        if not plan.calls:
            return  # nothing to agree to
    if not click.confirm(f"{warning} Go on?", default=False, err=True):
        raise PreconditionFailed("not done, as you said. Nothing was changed.")
