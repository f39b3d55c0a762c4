"""`nospof runs`: what was done, what is under way, what can be resumed."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from nospof import bootstrap
from nospof.cli.options import cloud_options, format_option, plan_options
from nospof.errors import NospofError
from nospof.model.runs import Run
from nospof.render.answers import moment, summary, to_json

if TYPE_CHECKING:
    from nospof.services.remote import Remote

KEEPER_POLLS = 5
"""How often a run's keeper sweeps, beside how often a run looks."""
WAITING = "asked {} to stop after the step under way; waiting for it"
SWEEPS_BELIEVED = 4
"""A list can lag behind the tag on it, so one that has no promise in it is asked for again."""


@click.group()
def runs() -> None:
    """List, show, resume, stop, undo and repair runs; keep what dead runs promised."""


@runs.command("list")
@format_option
def list_runs(output_format: str) -> None:
    """List the runs of this machine, newest last."""
    found = bootstrap.open_runs().runs()
    if output_format == "json":
        click.echo(to_json([summary(run) for run in found]))
        return
    if not found:
        click.echo("no runs yet; begin with: nospof audit")
    for run in found:
        click.echo(f"{moment(run.started_at)}  {run.state:11}  {run.id}  {subject(run)}")


@runs.command("show")
@click.argument("run_id", metavar="RUN")
@format_option
def show(run_id: str, output_format: str) -> None:
    """Show one run: its steps, how long each took, and what to do next."""
    journal = bootstrap.open_runs()
    run = journal.run(run_id)
    if output_format == "json":
        click.echo(to_json(run))
        return
    click.echo(
        f"{run.id}: {run.state}, {subject(run)}, begun {moment(run.started_at)}, {run.attempts} attempt(s)"
    )
    for step in run.steps:
        mark = "✗" if step.error else "✓"
        click.echo(f"  {mark} {step.name}  {step.finished_at - step.started_at:.1f} s")
    if run.error:
        click.echo(f"  {run.error}")
    taken_back = (one for one in journal.runs() if one.procedure in ("undo", "discard"))
    undos = (one for one in taken_back if one.request["run_id"] == run_id)
    undone = next((one for one in undos if one.state != "refused"), None)
    if undone:
        click.echo(f"it is taken apart by {undone.id}, which is {undone.state}: nospof runs show {undone.id}")
        return
    if run.state in ("interrupted", "elsewhere", "failed"):
        click.echo(f"resume it: nospof runs resume {run.id}")
    say_how_to_undo(run)


def say_how_to_undo(run: Run) -> None:
    """Say how a run is undone, where it made anything."""
    if run.procedure in ("backup", "clone", "cut-over", "pair", "test-backup") and run.state in (
        "interrupted",
        "failed",
        "done",
    ):
        click.echo(f"or take apart what it made: nospof runs undo {run.id} --plan")


@runs.command("resume")
@click.argument("run_id", metavar="RUN")
@click.option("--take-over", is_flag=True, help="Your word that the other machine which began it is gone.")
@format_option
@cloud_options
def resume(run_id: str, take_over: bool, output_format: str, region: str, profile: str) -> None:
    """Take up an interrupted or failed run where it was."""
    from nospof.cli.procedures import open_place
    from nospof.cli.progress import Watch
    from nospof.render.result_text import describe_result

    bootstrap.open_runs().run(run_id)
    with Watch(quiet=output_format == "json") as watch:
        place = open_place(watch, {"region": region, "profile": profile})
        outcome = place.resume(run_id, take_over=take_over)
    click.echo(to_json(outcome) if output_format == "json" else describe_result(outcome))


@runs.command("begin", hidden=True)
@click.argument("number", type=int)
def begin(number: int) -> None:
    """Do what was asked of the web API; its worker starts this."""
    from nospof.cli.progress import Watch
    from nospof.cli.stopping import ask_to_stop, stopping_politely
    from nospof.services.asking import do_what_was_asked

    queue = bootstrap.open_asked()
    asked = queue.get(number)
    says, problem = "a fault of nospof; see its log", {"kind": NospofError.__name__}
    try:
        with Watch() as watch:
            world = bootstrap.open_world(watch)
            runtime = bootstrap.open_runtime(world, watch)
            with stopping_politely(partial(ask_to_stop, runtime), watch):
                outcome = do_what_was_asked(
                    world, runtime, bootstrap.open_journal(), bootstrap.claims(), asked, bootstrap.read_back
                )
        for sentence in outcome.kept:
            watch.say(sentence)
        says, problem = "", {}
    except NospofError as error:
        says, problem = str(error), {"kind": type(error).__name__, **error.details}
        raise
    finally:
        queue.end(number, says, problem)


@runs.command("stop")
@click.argument("run_id", metavar="RUN")
def stop(run_id: str) -> None:
    """Ask a run of this machine to stop after the step under way, and wait until it has.

    A step that only waits, for an image say, is left at once. What Ctrl-C does where it runs. Nothing is
    left half-done: the run is resumed later.
    """
    ended = stopped_there(remote, run_id) if (remote := bootstrap.open_remote()) else stopped_here(run_id)
    if ended.state == "interrupted":
        click.echo(f"{run_id} has stopped; resume it: nospof runs resume {run_id}")
        say_how_to_undo(ended)
    else:
        click.echo(f"{run_id} was at its end and is {ended.state}")


def stopped_here(run_id: str) -> Run:
    """Ask a run of this machine to stop; return it once it has ended.

    Raises:
        PreconditionFailed: no process of this machine works on it.
    """
    from nospof.services.procedures import refuse_to_stop

    journal = bootstrap.open_journal()
    refuse_to_stop(journal.run(run_id))
    bootstrap.ask_to_stop(run_id)
    click.echo(WAITING.format(run_id), err=True)
    while (ended := journal.run(run_id)).state == "running":
        bootstrap.wait_until_dead(run_id)
    return ended


def stopped_there(remote: Remote, run_id: str) -> Run:
    """Ask a run of a server to stop; return it once it has ended. Raises as `stopped_here`."""
    from nospof.cli.remote import Awaited

    remote.stop(run_id)
    click.echo(WAITING.format(run_id), err=True)
    return remote.follow(run_id, Awaited())


@runs.command("undo")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--clients-are-back",
    is_flag=True,
    help="Your word that no client comes in through the load balancer any more.",
)
@plan_options
@format_option
@cloud_options
def undo(run_id: str, *, clients_are_back: bool, **options: Any) -> None:
    """Take apart what a clone or a pair made, back to the one instance that served before.

    The instance serves throughout. Only what carries the run's tag is taken away; what does not is named
    and left alone. Of a cut-over, the names get back the records they had. Of a backup or the test of one,
    the image and the machine that was made of it go. See all of it first with --plan.
    """
    from nospof.cli.procedures import perform
    from nospof.services.taking_back import SAYS, taking_back

    journal = bootstrap.open_runs()
    options["about"] = journal.run(run_id)
    procedure, request = taking_back(journal, run_id, bootstrap.read_back, clients_are_back=clients_are_back)
    perform(procedure, request, SAYS[procedure].format(run_id), options)


@runs.command("repair")
@click.option("--yes", is_flag=True, help="Bring back what is off, and put members back where they belong.")
@format_option
@cloud_options
def repair(*, yes: bool, output_format: str, region: str, profile: str) -> None:
    """Look at the world for what dead runs left wrong, and say what mends it.

    Instances that should be on, members that were not put back, marks and target groups that disagree,
    and what was made and is left over. Nothing is ever taken away by this command. No journal is needed.
    """
    from nospof.cli.progress import Watch
    from nospof.services import procedures as service

    with Watch(quiet=output_format == "json") as watch:
        world = bootstrap.open_world(watch, region, profile)
        found = service.repair(world, bootstrap.open_journal(), bootstrap.claims(), mends=yes)
    if output_format == "json":
        click.echo(to_json([asdict(one) for one in found]))
        return
    for one in found:
        click.echo(f"{one.says}\n  {f'done: {one.done}' if one.done else f'mend it: {one.mends}'}")
    if not found:
        click.echo("nothing is wrong: what runs promised is kept, and nothing of a dead run is left")


@runs.command("keep")
@click.argument("run_id", metavar="[RUN]", default="")
@click.option("--every", "every_seconds", default=0, help="Sweep again every so many seconds, for ever.")
@cloud_options
def keep(run_id: str, every_seconds: int, region: str, profile: str) -> None:
    """Turn on what a dead run left off.

    With RUN, wait until that run's process is gone first, then try until what it promised is true;
    nospof starts such a keeper beside each run. Without, sweep the account once, or every so many
    seconds.
    """
    if run_id:
        bootstrap.wait_until_dead(run_id)
        keep_one_run(run_id, region, profile)
        return
    while True:
        sweep(region, profile)
        if not every_seconds:
            return
        time.sleep(every_seconds)


def sweep(region: str, profile: str, run_id: str = "") -> bool:
    """Keep what dead runs promised and say what was done; return whether a run has nothing left promised."""
    from nospof.cli.progress import Watch
    from nospof.services import procedures as service

    world = bootstrap.open_world(Watch(quiet=True), region, profile)
    for sentence in service.keep(world, bootstrap.claims()):
        click.echo(f"{moment(time.time())} {sentence}")
    return not service.is_promised(world, run_id)


def keep_one_run(run_id: str, region: str, profile: str) -> None:
    """Sweep until a run's promise is kept, through whatever keeps the cloud or the journal away.

    The journal only saves a call: a run that ended well promised nothing it did not keep itself.
    """
    with suppress(NospofError):
        if bootstrap.open_journal().run(run_id).state in ("done", "refused"):
            return
    ends = time.monotonic() + bootstrap.keeper_patience_seconds()
    free_of_it = 0
    while free_of_it < SWEEPS_BELIEVED and time.monotonic() < ends:
        try:
            free_of_it = free_of_it + 1 if sweep(region, profile, run_id) else 0
        except NospofError as error:
            click.echo(f"{moment(time.time())} {error}")
        time.sleep(KEEPER_POLLS * bootstrap.poll_seconds())


def subject(run: Run) -> str:
    """Return what a run is about."""
    return f"{run.procedure} {run.request.get('instance_id') or run.request.get('service', '')}".strip()
