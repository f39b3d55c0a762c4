"""`nospof demo`: the whole story on this computer, on real processes and a real load balancer."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any, TypeVar

import click

from nospof import bootstrap
from nospof.cli.cloud import in_our_words
from nospof.cli.progress import Watch
from nospof.errors import ExitCode
from nospof.localcloud import control
from nospof.model.requests import DrillRequest, PairRequest, TakeRequest
from nospof.model.writes import WriteVerdict, WriteWish
from nospof.ports.world import World
from nospof.render.audit_text import first_upper, service_text, wrap
from nospof.render.result_text import time_off_text, verdict_text
from nospof.services import demo as service
from nospof.services import procedures
from nospof.services.audit import audit_estate
from nospof.services.reading import read_estate

T = TypeVar("T")

SITE, IMAGE, PORT, PATH = "drupal-1", "nospof-demo-comments", 8080, "/health"
COMMENTS = WriteWish("/comments.json")
PICTURE = resources.files("nospof.localcloud.images") / "site/www/lighthouse.png"
# The site's own picture with the id behind its end, so that no two are the same.
# Each is read back as it was sent.
UPLOADS = WriteWish(
    "/files/{id}.png",
    method="PUT",
    body=PICTURE.read_bytes().decode("latin-1") + "{id}",
    content_type="image/png",
    encoding="latin-1",
    rate_per_second=5,
)
WRITES = {COMMENTS: "comments", UPLOADS: "uploads"}
DRILL_SECONDS = 14
DRAIN_SECONDS = 8
EVENT_DUE_SECONDS = 86_400


@click.command()
@click.option("--exit", "exits", is_flag=True, help="End when the story is told, instead of at Ctrl-C.")
@click.option("--rate", default=300, show_default=True, help="Requests per second in the two tests.")
@in_our_words
def demo(exits: bool, rate: int) -> int:
    """Tell the whole story on this computer, without an AWS account.

    Starts a local cloud of its own, launches a small site on ONE instance, audits it, clones it, pairs
    it with its database kept in step by both, audits it again, takes an announced reboot and kills a
    member while clients read and write. Everything it started and wrote is gone when it ends, however it
    ends.
    """
    told = Story(rate)
    with signals_as_interrupts():
        try:
            with own_cloud():
                passed = told.tell()
                if not exits:
                    click.echo(f"\nThe site stays at {told.url} until Ctrl-C.")
                    signal.pause()
        except KeyboardInterrupt:
            click.echo("\nstopped; everything the demo started is gone", err=True)
            return ExitCode.DONE if told.is_told and not exits else ExitCode.REFUSED
    return ExitCode.DONE if passed else ExitCode.DRILL_FAILED


class Story:
    """The parts of the story and how long each took."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.url = ""
        self.is_told = False
        self.run: Callable[[str, Any], Any]
        self.times: list[tuple[str, float]] = []

    def tell(self) -> bool:
        """Tell it; return whether both tests passed."""
        with Watch() as watch:
            world = bootstrap.open_world(watch)
            runtime = bootstrap.open_runtime(world, watch)
            self.run = lambda *asked: procedures.run(world, runtime, bootstrap.claims(), *asked).result
            site = self.part(
                "One instance, one site",
                lambda: service.launch_site(
                    world, IMAGE, SITE, PORT, (PATH, "/comments.json", "/files.json")
                ),
            )
            address = f"http://{site.private_ip}:{PORT}"
            say(f"{SITE} is {site.id} in {site.zone}, at {address}")
            say(
                "Its pages are on its own disk, and so is the PostgreSQL that keeps its comments and uploads."
            )
            self.part("Audit: what can take it down?", audit)
            paired = self.part(
                "Pair: cloned, its data kept in step, both behind a load balancer",
                lambda: self.run("pair", pair_of(site.id)),
            )
            self.url = paired.url
            say(f"{paired.clone.twin.id} in {paired.clone.twin.zone} is its twin")
            say(time_off_text(paired.clone.time_off))
            say(f"{SITE} is now at {paired.url}, served from {' and '.join(paired.zones)}")
            self.part("Audit again", audit)
            reboot = self.part(
                "AWS announces a reboot: taken early, under load", lambda: self.take(world, paired)
            )
            kill = self.part("Kill the member that takes the writes, under load", lambda: self.kill(paired))
        self.sum_up(reboot, kill)
        self.is_told = True
        return bool(reboot.passed and kill.passed)

    def part(self, title: str, act: Callable[[], T]) -> T:
        """Tell one part and keep its time."""
        click.echo(f"\n{title}")
        began = time.monotonic()
        value = act()
        self.times.append((title, time.monotonic() - began))
        return value

    def take(self, world: World, paired: Any) -> Any:
        """Announce a reboot and take it early, with clients coming in."""
        bootstrap.open_faults().announce(paired.members[0], "system-reboot", EVENT_DUE_SECONDS)
        request = ("take", TakeRequest(paired.members[0], PATH))
        _, verdict = service.under_load(world, paired, self.rate, tuple(WRITES), lambda: self.run(*request))
        say(verdict_text(verdict))
        return verdict

    def kill(self, paired: Any) -> Any:
        """Pull a member's plug, with clients coming in: the one that took over when the other was drained."""
        request = DrillRequest(
            SITE,
            paired.members[1],
            rate_per_second=self.rate,
            seconds=DRILL_SECONDS,
            writes=tuple(WRITES),
        )
        verdict = self.run("drill", request).verdict
        say(verdict_text(verdict))
        return verdict

    def sum_up(self, reboot: Any, kill: Any) -> None:
        """Print the time of each part, and the verdicts."""
        click.echo("\nTime of each part")
        for title, seconds in self.times:
            say(f"{seconds:5.1f} s  {title}")
        say(f"{sum(seconds for _, seconds in self.times):5.1f} s  in all")
        click.echo("\nVerdict")
        for name, verdict in (("announced reboot", reboot), ("killed member", kill)):
            say(f"{name}: {verdict.failed} of {verdict.total} requests failed")
            say(f"{name}: {kinds_text(verdict.writes)}")
            say(f"{name}: {writes_text(verdict.writes)}")


def pair_of(instance_id: str) -> PairRequest:
    """Return the pair of the demo."""
    return PairRequest(
        instance_id,
        service=SITE,
        port=PORT,
        listener_port=PORT,
        health_path=PATH,
        drain_seconds=DRAIN_SECONDS,
        allow_address_change=True,
    )


def kinds_text(verdicts: Sequence[WriteVerdict]) -> str:
    """Return what was acknowledged, by kind."""
    kinds = zip(verdicts, WRITES.values(), strict=True)
    return f"{' and '.join(f'{one.acknowledged} {kind}' for one, kind in kinds)} were acknowledged"


def writes_text(verdicts: Sequence[WriteVerdict]) -> str:
    """Return what became of all that was acknowledged."""
    lost, acknowledged = sum(one.lost_count for one in verdicts), sum(one.acknowledged for one in verdicts)
    return f"{lost} of {acknowledged} acknowledged writes lost"


def audit() -> None:
    """Audit the account and print what was found, with the proofs."""
    now = time.time()
    report = audit_estate(read_estate(bootstrap.open_discovery(save=None, read_at=now), now))
    say(wrap(first_upper(report.verdict)))
    for one in report.services:
        say(service_text(one))


def say(text: str) -> None:
    """Print lines that belong to the part under way."""
    for line in text.splitlines():
        click.echo(f"  {line}".rstrip())


@contextmanager
def own_cloud() -> Iterator[None]:
    """Run a local cloud that lives no longer than this process, even when that is killed.

    The cloud watches a lock this process holds; when the lock is gone it powers everything off and
    deletes itself, the journal of our runs included, which is kept inside it.
    """
    control.sweep_abandoned()
    name = f"demo-{secrets.token_hex(4)}"
    directory = control.home() / name
    (directory / "home").mkdir(parents=True)
    with (directory / "owner.lock").open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        try:
            click.echo("Starting a local cloud", err=True)
            control.start(name, lifeline=directory / "owner.lock")
            os.environ.update(control.environment(name))
            for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
                os.environ.pop(variable, None)
            os.environ["NOSPOF_HOME"] = str(directory / "home")
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            os.environ["NOSPOF_HOME"] = str(directory.parent.parent)
            control.reset(name)


@contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the demo as Ctrl-C does."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    heard = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
