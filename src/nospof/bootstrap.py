"""The only module that names concrete classes: it puts the house together.

Heavy libraries are imported inside the functions that need them, so that `nospof --help` pays for
none of them.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from nospof.errors import UsageError
from nospof.model.estate import Estate
from nospof.model.events import Notice
from nospof.model.settings import Settings
from nospof.model.surroundings import Whereabouts
from nospof.ports.discovery import Discovery
from nospof.ports.machine import Machines
from nospof.ports.world import Reporter, World
from nospof.procedures.guarantee import Claim
from nospof.runtime import home as run_home
from nospof.runtime.home import claim, home_directory, prepare_home
from nospof.runtime.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from nospof.adapters.endpoint_faults import EndpointFaults
    from nospof.adapters.hands import ProcessHands
    from nospof.adapters.notices import Post
    from nospof.adapters.turns import ChildTurns
    from nospof.audit.baseline import Baseline
    from nospof.audit.crew import CrewOf
    from nospof.model.sight import Sight
    from nospof.runtime.asked import AskedRuns
    from nospof.runtime.durable import DurableRuntime
    from nospof.runtime.sight import Listener
    from nospof.services.procedures import Runs
    from nospof.services.remote import Remote

    class Watcher(Reporter, Listener, Protocol):
        """Whoever shows a run to a person: its steps, and what each is doing."""


def open_world(reporter: Reporter, region: str = "", profile: str = "") -> World:
    """Connect to the cloud that boto3's own conventions name.

    Raises:
        UsageError: no region, no such profile.
        CloudError: no credentials, or the endpoint does not answer.
    """
    from nospof.adapters.aws import connect
    from nospof.adapters.clock import SystemClock
    from nospof.adapters.commands import ShellCommands
    from nospof.adapters.http.probe import HttpProbe
    from nospof.adapters.http.process import HttpLoadGenerator
    from nospof.adapters.machine.databases import SsmDatabases
    from nospof.adapters.machine.files import SsmFiles
    from nospof.adapters.machine.mounts import SsmMounts
    from nospof.adapters.machine.running import SsmRunning
    from nospof.adapters.machine.ssm import SsmMachines
    from nospof.runtime.failpoints import VARIABLE, MortalCloud

    choose_place(region, profile)
    aws = connect(region=region, profile=profile)
    cloud: Any = MortalCloud(aws) if os.environ.get(VARIABLE) else aws
    machines = SsmMachines(aws, poll_seconds())
    return World(
        cloud,
        SystemClock(),
        HttpProbe(),
        reporter,
        HttpLoadGenerator(),
        open_faults(),
        poll_seconds(),
        machines,
        whereabouts,
        machines,
        ShellCommands(),
        SsmDatabases(machines),
        SsmFiles(machines),
        SsmMounts(machines),
        SsmRunning(machines),
        machines,
    )


def choose_place(region: str, profile: str) -> None:
    """Have this process, and those that it starts such as keepers, use a region and a profile where named."""
    chosen = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_PROFILE": profile}
    os.environ.update({variable: value for variable, value in chosen.items() if value})


def whereabouts() -> Whereabouts:
    """Return where nospof itself lives: nobody must turn that off."""
    from nospof.adapters.aws.own_instance import own_instance

    host = urlsplit(os.environ.get("NOSPOF_DATABASE_URL", "")).hostname
    try:
        found = socket.getaddrinfo(host, None) if host else []
    except OSError:
        found = []  # A journal that is not found is not used either: the run ends before its first step.
    return Whereabouts(own_instance(), tuple(sorted({str(one[4][0]) for one in found})))


def open_discovery(
    region: str = "", profile: str = "", *, save: Path | None, read_at: float, divides: bool = True
) -> Discovery:
    """Connect to the account that boto3's own conventions name, to read it.

    Args:
        region: such as "eu-central-1"; empty for what the environment says.
        profile: of the shared configuration; empty for what the environment says.
        save: a new directory that gets every answer, or None.
        read_at: now, seconds since the epoch; a saved account tells it.
        divides: read with every processor, by forks; not for a process with threads.

    Raises:
        UsageError: no region, no such profile; nothing can be saved there.
        CloudError: no credentials, or the endpoint does not answer.
    """
    from nospof.adapters.aws import connect
    from nospof.adapters.aws.discovery import AwsDiscovery
    from nospof.adapters.divided import divided
    from nospof.adapters.saved.account import SavingDiscovery

    aws: Discovery = AwsDiscovery(connect(region=region, profile=profile))
    discovery = aws if save is None else SavingDiscovery(aws, save, read_at)
    return divided(discovery) if divides else discovery


def probe(estate: Estate, region: str, profile: str, watcher: Reporter, save: Path | None = None) -> Estate:
    """Look inside the machines that run, through Systems Manager, and add what was found.

    Args:
        estate: the account that was read.
        region: as for `open_discovery`.
        profile: as for `open_discovery`.
        watcher: is told how far it is.
        save: the directory that the account was saved to, or None.

    Raises:
        UsageError: no region, no such profile; nothing can be saved there.
        CloudError: no credentials, or the endpoint does not answer.
    """
    from nospof.adapters.aws import connect
    from nospof.adapters.machine.ssm import SsmMachines
    from nospof.adapters.saved.probes import SavingMachines

    machines: Machines = SsmMachines(connect(region=region, profile=profile), poll_seconds())
    return look_inside(SavingMachines(machines, save) if save else machines, estate, watcher)


def look_inside(machines: Machines, estate: Estate, watcher: Reporter | None = None) -> Estate:
    """Return the estate with what was found inside its machines that run."""
    from nospof.services.probing import probe_machines

    running = [one.id for one in estate.of("instance") if one.text("State.Name") == "running"]
    items, unread = probe_machines(machines, running, watcher)
    return replace(estate.plus(*items), unread=(*estate.unread, *unread))


def read_files(paths: tuple[Path, ...], parameters: Path | None) -> Estate:
    """Read files, whatever they are: recognised by what stands in them.

    Args:
        paths: what was named.
        parameters: the parameters of a CloudFormation template, or None.

    Raises:
        UsageError: nothing there, not a format that is known, or something wrong in it.
    """
    from nospof.adapters.saved.opening import open_saved
    from nospof.adapters.saved.probes import SavedMachines, has_probes
    from nospof.adapters.sources import read_description
    from nospof.services.reading import read_estate

    described = read_description(paths, parameters)
    if described is not None:
        return described
    discovery = open_saved(paths)
    estate = read_estate(discovery, discovery.read_at or time.time())
    return look_inside(SavedMachines(paths[0]), estate) if has_probes(paths[0]) else estate


def crew_of() -> CrewOf:
    """Return how the services of an audit are gone through: each processor takes a share."""
    from nospof.adapters.forks import ForkedCrew

    return ForkedCrew


def read_back(plain: Any, kind: Any) -> Any:
    """Return the value that the journal has in plain JSON."""
    from nospof.runtime.codec import from_plain

    return from_plain(plain, kind)


def read_settings(path: Path | None) -> Settings:
    """Return the settings: of the file that is named, else of ./nospof.yaml, else none.

    Raises:
        UsageError: it cannot be read, or says something that is not understood.
    """
    file = settings_file(path, Path())
    if file is None:
        return Settings()
    from nospof.adapters import settings

    return settings.read_settings(file)


def settings_file(named: Path | None, directory: Path) -> Path | None:
    """Return the file to read: the one that was named, else nospof.yaml in a directory, else none."""
    if named is not None:
        return named
    usual = directory / "nospof.yaml"
    return usual if usual.exists() else None


def read_baseline(path: Path) -> Baseline:
    """Return the baseline that an earlier report makes.

    Raises:
        UsageError: it cannot be read, or is no report as JSON.
    """
    from nospof.adapters.saved.files import read_json
    from nospof.audit.baseline import baseline_of

    return baseline_of(read_json(path), str(path))


def read_mail(path: Path) -> Notice:
    """Return whom a mail from AWS names. Raises UsageError: it cannot be read, or names no instance."""
    from nospof.adapters.mail import read_notice

    return read_notice(path)


def open_faults() -> EndpointFaults:
    """Return what can be broken or announced at the endpoint in use."""
    from nospof.adapters.endpoint_faults import EndpointFaults

    return EndpointFaults(os.environ.get("AWS_ENDPOINT_URL", ""))


def poll_seconds() -> float:
    """Return how often to ask: 1 s at AWS, whose buckets refill slowly; 0.1 s on this computer."""
    return 0.1 if is_on_this_computer() else 1.0


def keeper_patience_seconds() -> float:
    """Return how long a keeper tries: a day at AWS; a local cloud that is gone does not come back."""
    return 20.0 if is_on_this_computer() else 86_400.0


def is_on_this_computer() -> bool:
    """Whether the endpoint in use listens on this computer."""
    from nospof.adapters.hosts import is_loopback

    return is_loopback(urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname or "")


def open_turns() -> ChildTurns:
    """Return what has members' turns done, each in a process of its own."""
    from nospof.adapters.turns import ChildTurns

    return ChildTurns()


def open_post(
    ways: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    place: tuple[str, str],
    complain: Callable[[str], None],
) -> Post:
    """Open the ways to people.

    Args:
        ways: commands, URLs and topics, of `--notify`, `--webhook` and `--sns`.
        place: the region and the profile that topics are reached with; empty for what the environment says.
        complain: is told what could not be delivered, from other threads.

    Raises:
        UsageError: one of them cannot be one.
        CloudError: as `open_world`, where there are topics.
    """
    from nospof.adapters.notices import Hook, Post, Topic, Way, Webhook

    commands, urls, topics = ways
    opened: list[Way] = [*map(Hook, commands), *map(Webhook, urls)]
    if topics:
        from nospof.adapters.aws import connect
        from nospof.adapters.aws.topics import publisher

        region, profile = place
        publish = publisher(connect(region=region, profile=profile))
        opened += [Topic(one, publish) for one in topics]
    return Post(tuple(opened), complain)


def open_runtime(world: World, watcher: Watcher) -> DurableRuntime:
    """Open the durable engine on this machine's journal. Raises PreconditionFailed: it cannot be written."""
    from nospof.adapters.own_process import start_keeper
    from nospof.procedures.registry import PROCEDURES, SCHEMA
    from nospof.runtime.durable import DurableRuntime

    home = prepare_home(home_directory())
    keeper = partial(start_keeper, home)
    return DurableRuntime(home, PROCEDURES, SCHEMA, world, watcher, keeper, database_url())


def open_journal() -> Journal:
    """Open the journal to read it; there may be none yet."""
    return Journal(home_directory(), database_url())


def server_url() -> str:
    """Return the server that commands ask instead of the cloud, or nothing."""
    return os.environ.get("NOSPOF_SERVER", "")


def open_remote() -> Remote | None:
    """Return the server that NOSPOF_SERVER names, else None. Raises UsageError: it cannot be one."""
    if not server_url():
        return None
    from nospof.adapters.server import server_in
    from nospof.services.remote import Remote

    return Remote(server_in(os.environ), read_back)


def open_runs() -> Runs:
    """Open the runs to read them: of the server where one is named, else of this machine's journal."""
    return open_remote() or open_journal()


def open_asked() -> AskedRuns:
    """Open the queue of what was asked for from afar. Raises PreconditionFailed: it cannot be written."""
    from nospof.runtime.asked import AskedRuns

    return AskedRuns(prepare_home(home_directory()), database_url())


def open_hands() -> ProcessHands:
    """Return what has runs done, each in a process of its own."""
    from nospof.adapters.hands import ProcessHands

    return ProcessHands(prepare_home(home_directory()))


def log_of(run_id: str) -> str:
    """Return what a run's processes have said; nothing where they were not begun from afar."""
    from nospof.adapters.hands import log_of

    return log_of(home_directory(), run_id)


def sight_of(run_id: str) -> Sight:
    """Return what a run of this machine is doing; nothing where another machine does it."""
    from nospof.runtime.sight import read_sight, sight_path

    return read_sight(sight_path(home_directory(), run_id))


def state_directory() -> Path:
    """Return where nospof keeps its state here, made if need be. Raises PreconditionFailed: it cannot be."""
    return prepare_home(home_directory())


def database_url() -> str:
    """Return the PostgreSQL database that machines share as their journal, or nothing. Raises UsageError."""
    url = os.environ.get("NOSPOF_DATABASE_URL", "")
    if url and urlsplit(url).scheme not in ("postgresql", "postgres"):
        raise UsageError("NOSPOF_DATABASE_URL must begin with postgresql://; leave it out for a SQLite file")
    return url


def claims() -> Claim:
    """Return how the keeper claims the runs of this machine, so that none is resumed meanwhile."""
    return partial(claim, home_directory())


def wait_until_dead(run_id: str) -> None:
    """Return once no process of this machine works on the run."""
    run_home.wait_until_dead(home_directory(), run_id)


def ask_to_stop(run_id: str) -> None:
    """Ask the process of this machine that works on the run to stop after its step."""
    run_home.ask_to_stop(home_directory(), run_id)
