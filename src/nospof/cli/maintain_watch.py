"""`nospof maintain plan` and `watch`: a fleet's maintenance, in each service's window, a wave at a time."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nospof import bootstrap
from nospof.cli.options import Duration, cloud_options, format_option
from nospof.cli.progress import Watch
from nospof.errors import ExitCode, UsageError
from nospof.render.answers import to_json, to_line

if TYPE_CHECKING:
    from nospof.model.news import News, Tally
    from nospof.planning.upkeep import Policy
    from nospof.services.maintaining import MaintenanceWatch

F = TypeVar("F", bound=Callable[..., Any])
CLOSE_SECONDS = 60.0
"""How long the last news may take to be delivered."""


class ZoneCap(click.ParamType[tuple[int, float]]):
    """How many of a zone may be out at once: 2 of them, or 25% of all."""

    name = "cap"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, float]:
        """Return a number and a share, one of them 0."""
        if isinstance(value, tuple):
            return value
        number, _, rest = value.partition("%")
        most = 100 if value.endswith("%") else 1_000_000
        if rest or not number.isascii() or not number.isdigit() or not 1 <= int(number) <= most:
            self.fail(f"{value!r} is neither a number nor a share; write it as 2 or 25%", param, ctx)
        return (0, int(number) / 100) if value.endswith("%") else (int(number), 0.0)


def policy_options(function: F) -> F:
    """Add what plan and watch go by."""
    function = click.option(
        "--turn",
        "turn_seconds",
        type=Duration(),
        default="15m",
        show_default=True,
        help="How long a member's turn takes; none is begun when less of its window is left.",
    )(function)
    function = click.option(
        "--zone-cap",
        type=ZoneCap(),
        default="25%",
        show_default=True,
        metavar="N|SHARE",
        help="How many of a zone may be out at once, whatever services they are in; one may always.",
    )(function)
    return click.option(
        "--settings",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Your maintenance windows; else ./nospof.yaml.",
    )(function)


def policy_of(services: tuple[str, ...], options: dict[str, Any]) -> Policy:
    """Return what an owner allows, by the options and nospof.yaml."""
    from nospof.services.turns import policy_from

    settings = bootstrap.read_settings(options["settings"])
    limits = (options["zone_cap"], float(options["turn_seconds"]))
    return policy_from(settings, services, *limits, float(options.get("before_seconds", 0)))


@click.command("plan")
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@click.option(
    "--all", "everybody", is_flag=True, help="All members, not only those something is announced for."
)
@policy_options
@format_option
@cloud_options
def plan(services: tuple[str, ...], *, everybody: bool, output_format: str, **options: Any) -> int:
    """Show who goes when: what AWS has announced for the members of SERVICE..., in waves. Changes nothing.

    Without SERVICE it is for all of the account's region. Who goes together is in one wave: no two members of
    a service, and of a zone no more than its cap. Each goes in a window that nospof.yaml gives its service:

    \b
    services:
      www: {maintenance: "Sun 02:00-05:00 Europe/Berlin"}

    Who is due first goes first, where that costs no wave. With --all it is a plan for work of your own.

    Exit code 10 where something is not over before AWS acts.
    """  # noqa: D301 - \b is click's mark for a paragraph left as it is
    from nospof.cli.fleet_text import fleet_text
    from nospof.services.fleet import fleet_plan

    policy = policy_of(services, options)
    with Watch(quiet=output_format == "json") as watch:
        world = bootstrap.open_world(watch, options["region"], options["profile"])
        found = fleet_plan(world, policy, everybody=everybody)
    click.echo(
        to_json({**asdict(found), "late": len(found.late)}) if output_format == "json" else fleet_text(found)
    )
    return ExitCode.FINDINGS if found.late else ExitCode.DONE


@click.command("watch")
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@click.option("--once", is_flag=True, help="Make one round, wait for what it begins, and end.")
@click.option(
    "--dry-run", "is_dry", is_flag=True, help="Say what would be begun; do nothing, and tell nobody."
)
@click.option(
    "--every",
    "every_seconds",
    type=click.FloatRange(1, 3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How often the cloud is read.",
)
@click.option(
    "--before-deadline",
    "before_seconds",
    type=Duration(),
    default=0,
    metavar="TIME",
    help="Where no window is in time: take it outside of one, so long before AWS acts (2h). Else it is told.",
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 100),
    default=8,
    show_default=True,
    help="How many turns may be under way, each a process of this machine.",
)
@click.option(
    "--notify", multiple=True, metavar="COMMAND", help="Run for each of the news: JSON on its stdin."
)
@click.option("--webhook", multiple=True, metavar="URL", help="Post each of the news there, as JSON.")
@click.option("--sns", multiple=True, metavar="ARN", help="Publish each of the news to this topic.")
@click.option(
    "--metrics",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write metrics there after each round, for node_exporter's textfile collector (NAME.prom).",
)
@policy_options
@format_option
@cloud_options
def watch(services: tuple[str, ...], **options: Any) -> int:
    """Watch over the maintenance of SERVICE..., or of all: tell of it, and take it in each one's window.

    Each round reads what AWS has announced. A member whose window is open is drained, stopped, started on
    other hardware and put back, as `nospof maintain take` does, by a run of its own that can be resumed;
    members go in waves, never two of a service, and only while all others of it are healthy.

    It does nothing by itself for a service without a window in nospof.yaml, for what a stop and a start does
    not clear, or more than two weeks ahead: that is told. So is what no window is in time for.

    \b
    nospof maintain watch --dry-run --once         what would it do now?
    nospof maintain watch --notify ./page-me.sh --metrics /var/lib/node_exporter/nospof.prom

    COMMAND gets each of the news as JSON on its stdin, and in NOSPOF_KIND, NOSPOF_SAYS, NOSPOF_SERVICES,
    NOSPOF_INSTANCE, NOSPOF_EVENT, NOSPOF_RUN, NOSPOF_ACCOUNT and NOSPOF_REGION. Each is told once; after a
    restart what is so is told again.

    SIGTERM and Ctrl-C have it begin nothing more and wait for the turns under way; a second one leaves those
    to go on alone. What was interrupted is resumed at the next start. A second watch does no harm: it waits
    where another one works.

    With --once the exit code is 4 where a turn failed, 10 where something is left to people.
    """  # noqa: D301 - \b is click's mark for a paragraph left as it is
    from nospof.services.maintaining import MaintenanceWatch
    from nospof.services.turns import Wishes

    if 0 < options["before_seconds"] < options["turn_seconds"]:
        raise UsageError("--before-deadline is shorter than a turn (--turn), so none would be over in time.")
    is_dry, place = options["is_dry"], (options["region"], options["profile"])
    policy = policy_of(services, options)
    ways = ((), (), ()) if is_dry else (options["notify"], options["webhook"], options["sns"])
    post = bootstrap.open_post(ways, place, complain)
    tell = Telling(options["output_format"] == "json", post.take)
    world = bootstrap.open_world(Watch(quiet=True), *place)
    journal = (bootstrap.open_journal(), bootstrap.claims())
    wishes = Wishes(policy, options["at_once"], is_dry)
    watching = MaintenanceWatch(world, wishes, tell, bootstrap.open_turns(), journal)
    metrics = Metrics(None if is_dry else options["metrics"], lambda: post.lost)
    try:
        metrics.write(watching.tally)  # a place that takes none is refused before anything is begun
        if options["once"]:
            watching.round()
            say_what_is_watched(watching, policy)
            watching.wait()
            metrics.write(watching.tally)
            return exit_code(watching.tally)
        ending = until_told(watching)
        watching.watch(
            options["every_seconds"],
            lambda seconds: ending.wait(seconds),
            after_rounds(watching, policy, metrics),
        )
        return ExitCode.DONE
    finally:
        post.close(CLOSE_SECONDS)


def after_rounds(watching: MaintenanceWatch, policy: Policy, metrics: Metrics) -> Callable[[], None]:
    """Return what is done after each round: the metrics, and after the first one what is watched over."""
    is_first = True

    def counted() -> None:
        nonlocal is_first
        if is_first:
            say_what_is_watched(watching, policy)
        is_first = False
        metrics.write(watching.tally)

    return counted


def say_what_is_watched(watching: MaintenanceWatch, policy: Policy) -> None:
    """Say which services are watched over, and when each may be worked on: a typing error shows here."""
    for name in watching.watched:
        window = policy.windows.get(name)
        complain(f"{name}: {window.says if window else 'no window in nospof.yaml, so it is only told of'}")
    elsewhere = sorted({*policy.windows} - {*watching.watched})
    if elsewhere and not policy.services:
        complain(f"nospof.yaml has windows for what is no service here: {', '.join(elsewhere)}")


def until_told(watching: MaintenanceWatch) -> Event:
    """Return what is set by the first signal to end; the second one ends at once."""
    ending = Event()

    def on_signal(number: int, _frame: object) -> None:
        ending.set()
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_DFL)
        count = watching.tally.under_way
        turns = (
            f"waits for {count} turn{'' if count == 1 else 's'} under way"
            if count
            else "no turn is under way"
        )
        complain(
            f"ending by {signal.Signals(number).name}: begins nothing more; {turns}; once more ends at once"
        )

    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, on_signal)
    return ending


def complain(says: str) -> None:
    """Say something beside the news."""
    click.echo(f"nospof: {says}", err=True)


def exit_code(tally: Tally) -> int:
    """Return what a script goes by."""
    ended = dict(tally.ended)
    if ended["failed"]:
        return ExitCode.FAILED_HALF_WAY
    return ExitCode.FINDINGS if tally.for_people or ended["refused"] else ExitCode.DONE


class Telling:
    """Writes each of the news as a line, and passes it on.

    Args:
        is_json: a line is a JSON object.
        take: is given each as plain data.
    """

    def __init__(self, is_json: bool, take: Callable[[dict[str, Any]], None]) -> None:
        self._is_json, self._take, self._lock = is_json, take, Lock()

    def __call__(self, news: News) -> None:
        """Tell one."""
        from nospof.cli.fleet_text import news_text

        with self._lock:
            click.echo(to_line(news) if self._is_json else news_text(news))
        self._take(asdict(news))


class Metrics:
    """Writes the metrics; one that cannot be written at first is refused, and later only told of.

    Args:
        path: where to; None for nowhere.
        lost: returns how many news could not be delivered.
    """

    def __init__(self, path: Path | None, lost: Callable[[], int]) -> None:
        self._path, self._lost = path, lost
        self._is_first = True

    def write(self, tally: Tally) -> None:
        """Write what is counted now."""
        from nospof.render.metrics import metrics_text, write_metrics

        if self._path is None:
            return
        try:
            write_metrics(self._path, metrics_text(tally, self._lost(), time.time()))
        except UsageError as error:
            if self._is_first:
                raise
            complain(str(error))
        self._is_first = False
