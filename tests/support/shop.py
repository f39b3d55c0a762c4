"""Machines with a MariaDB of a small shop, and writers who note what was acknowledged."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine.databases import SCHEMA
from nospof.adapters.machine.hold_databases import Refused, Session
from nospof.adapters.machine.ssm import DATA_PARTS
from nospof.localcloud.images import build_base, build_demo_shop
from nospof.model.layout import Layout, Seat, as_said
from support.asked_machines import AskedMachines
from support.waiting import eventually

NEEDED = ("mariadbd", "mariadb", "mariadb-install-db", "garbd", "wsrep_sst_rsync", "rsync")
PACKAGES = "mariadb-server mariadb-backup galera-4 galera-arbitrator-4 rsync socat"
SOCKET = "run/mysqld/mysqld.sock"
ALL_ORDERS = "SELECT id FROM shop.orders"
WRITE_SECONDS = 5.0
CUT_SECONDS = 0.02
"""How long a writer rests that was refused."""


def need_galera() -> None:
    """Skip where MariaDB or Galera is not there; fail in CI."""
    if not all(shutil.which(one) for one in NEEDED):
        message = f"needs MariaDB with Galera: sudo apt-get install --no-install-recommends {PACKAGES}"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


class Shop(AskedMachines):
    """A source, and what becomes of it.

    Args:
        root: an empty directory.
    """

    PARTS, SCHEMA = DATA_PARTS, SCHEMA

    def __init__(self, root: Path) -> None:
        need_galera()
        super().__init__(root, ("i-a", "i-b", "i-c"))
        self.links: set[Path] = set()
        self.seats = {name: Seat(name, at) for name, at in self.addresses.items()}
        self.alone = Layout("galera", "shop", (self.seats["i-a"],))
        self.pair = Layout("galera", "shop", (self.seats["i-a"], self.seats["i-b"]), self.seats["i-c"])
        self.none = Layout("galera", "shop")

    # Machines -----------------------------------------------------------------------------------------

    def boot_source(self) -> None:
        """Have a machine with a plain server, and wait until that answers."""
        build_demo_shop(self.root / "shop")
        self.create("i-a", self.root / "shop")
        eventually(lambda: self.answers("i-a"), "the plain server answers")

    def copy_source(self) -> None:
        """Make the twin of a source that is off meanwhile, and the arbitrator's machine beside it."""
        self.turn_off("i-a")
        self.hypervisor.snapshot("i-a", self.root / "image")
        self.boot("i-a")
        self.create("i-b", self.root / "image")
        build_base(self.root / "base")
        self.create("i-c", self.root / "base")

    def close(self) -> None:
        """Destroy all machines."""
        for link in self.links:
            link.unlink(missing_ok=True)
        super().close()

    # The data program ---------------------------------------------------------------------------------

    def apply(self, name: str, layout: Layout, failpoint: str = "") -> dict[str, Any]:
        """Apply a layout on a machine."""
        return self.ask(name, "apply", failpoint=failpoint, layout=as_said(layout))

    def applied(self, name: str, layout: Layout) -> list[str]:
        """Apply a layout that has to go well; return what was done."""
        said = self.apply(name, layout)
        assert not said["problem"], said
        return list(said["did"])

    def state(self, name: str) -> dict[str, Any]:
        """Return what a machine is now."""
        return self.ask(name, "state")

    def wait_ready(self, *names: str) -> None:
        """Wait until members are in step."""
        for name in names:
            eventually(lambda name=name: self.state(name)["ready"], f"{name} is in step", every_seconds=0.2)  # type: ignore[misc]

    def make_pair(self) -> None:
        """Convert, copy, let the twin in."""
        self.applied("i-a", self.alone)
        self.copy_source()
        for name in ("i-c", "i-a", "i-b"):
            self.applied(name, self.pair)
        self.wait_ready("i-a", "i-b")

    # What an application sees -------------------------------------------------------------------------

    def session(self, name: str, user: str = "shop") -> Session:
        """Return a session as an application of the machine has one: by the socket it has always used."""
        command = [
            "mariadb",
            "--no-defaults",
            f"--user={user}",
            *([f"--password={user}"] if user == "shop" else []),
        ]
        command += [
            "--batch",
            "--skip-column-names",
            "--unbuffered",
            "--skip-reconnect",
            "--connect-timeout=3",
        ]
        disk = self.disk(name)
        # A socket's name has room for 107 bytes: it is reached by a short one.
        link = Path("/tmp") / f"nospof-{os.getpid()}-{self.root.name[-6:]}-{name}"  # noqa: S108
        with contextlib.suppress(FileExistsError):  # several writers come at once
            link.symlink_to(disk)
        self.links.add(link)
        return Session([*command, f"--socket={link / SOCKET}"], "MariaDB", float("inf"))

    def query(self, name: str, statement: str) -> list[str]:
        """Return the lines that a statement gives an application of a machine. Raises Refused."""
        session = self.session(name)
        try:
            return session.ask(statement, WRITE_SECONDS)
        finally:
            session.close()

    def answers(self, name: str) -> bool:
        """Whether an application of a machine has its database."""
        try:
            return self.query(name, "SELECT 1") == ["1"]
        except Refused:
            return False

    def writer(self, name: str) -> str:
        """Return which member an application of a machine writes to."""
        return self.query(name, "SELECT @@wsrep_node_name")[0]

    def chosen(self) -> str:
        """Return which member was chosen to be the writer: all doors lead there once they have asked."""
        (address,) = self._own("i-a", "SELECT writer FROM nospof.door")
        return next(name for name, seat in self.seats.items() if seat.address == address)

    def orders(self, name: str) -> set[str]:
        """Return the orders that an application of a machine finds."""
        return set(self.query(name, ALL_ORDERS))

    def own_orders(self, name: str) -> set[str]:
        """Return the orders that a member has itself, whoever is the writer."""
        return set(self._own(name, ALL_ORDERS))

    def _own(self, name: str, statement: str) -> list[str]:
        client = "mariadb --no-defaults --socket=run/mysqld/nospof.sock -N"
        done = self.run(name, f"{client} -e '{statement}' >asked")
        assert done.exit_code == 0, done
        return (self.disk(name) / "asked").read_text().split()


@dataclass
class Ledger:
    """What writers were told."""

    acknowledged: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    conflicts: int = 0

    @property
    def longest_stall_seconds(self) -> float:
        """Return the longest time in which nobody's write was acknowledged."""
        moments = sorted(self.acknowledged.values())
        return max((b - a for a, b in pairwise(moments)), default=0.0)


@contextmanager
def writing(shop: Shop, doors: Sequence[str], label: str = "w") -> Iterator[Ledger]:
    """Have writers write by machines' doors, each as fast as it may, until the block ends."""
    ledger, over = Ledger(), threading.Event()

    def write(number: int, door: str) -> None:
        session: Session | None = None
        count = 0
        while not over.is_set():
            count += 1
            order = f"{label}-{number}-{count}"
            try:
                session = session or shop.session(door)
                session.ask(f"INSERT INTO shop.orders SET id = '{order}'", WRITE_SECONDS)
                ledger.acknowledged[order] = time.monotonic()
            except Refused as error:
                ledger.conflicts += "1213" in str(error)
                ledger.failed.append(order)
                if session:
                    session.close()
                session = None
                over.wait(CUT_SECONDS)
        if session:
            session.close()

    threads = [threading.Thread(target=write, args=one, daemon=True) for one in enumerate(doors)]
    for one in threads:
        one.start()
    try:
        yield ledger
    finally:
        over.set()
        for one in threads:
            one.join()


def written_more(ledger: Ledger, more: int = 50) -> Callable[[], bool]:
    """Return a question: whether so many more writes were acknowledged since now."""
    wanted = len(ledger.acknowledged) + more
    return lambda: len(ledger.acknowledged) >= wanted
