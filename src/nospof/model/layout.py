"""How a service's data is kept by several machines, and what machines say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nospof.model.cloud import Image, IngressRule

TAG_DATA = "nospof:data"
"""On a member whose data nospof keeps in step with others': the engine, "galera" or "patroni"."""
TAG_ARBITRATOR = "nospof:arbitrator"
"""On an instance that only votes: the service whose data it votes for."""

Engine = Literal["galera", "patroni"]
"""What keeps the members of a layout in step: Galera a MariaDB's, Patroni a PostgreSQL's."""


@dataclass(frozen=True)
class Seat:
    """A machine with a vote."""

    instance_id: str
    address: str
    zone: str = ""


@dataclass(frozen=True)
class Layout:
    """Who keeps a service's data, and who votes with them.

    Args:
        engine: what keeps them in step.
        cluster: its name.
        members: who keep the data, the preferred writer first. One is a cluster of its own; none means
            that a machine is the plain server again that it was.
        arbitrator: who votes and keeps nothing.
    """

    engine: Engine
    cluster: str
    members: tuple[Seat, ...] = ()
    arbitrator: Seat | None = None

    @property
    def quorum(self) -> int:
        """How many votes decide."""
        return len(self.voters) // 2 + 1

    @property
    def voters(self) -> tuple[Seat, ...]:
        """Everybody with a vote."""
        return self.members + ((self.arbitrator,) if self.arbitrator else ())


@dataclass(frozen=True)
class Obstacle:
    """Something that keeps a database from being kept by two, or that should be known before it is.

    Args:
        kind: "engine", "key", "program", "account", "setting", "port" or "access"; "use" is told only.
        what: the table, package, account or setting.
        says: a sentence.
        mend: "table" where `Databases.mend` takes it away; empty where only its owner can.
    """

    kind: str
    what: str
    says: str
    mend: str = ""

    @property
    def refuses(self) -> bool:
        """Whether nothing can be done before its owner has done something."""
        return not self.mend and self.kind != "use"


@dataclass(frozen=True)
class Examined:
    """The database server on a machine.

    Args:
        engine: "mariadb", "mysql", "postgresql"; empty where there is none.
        version: as the server tells it.
        directory: where its data is.
        size_bytes: of that.
        layout: as last applied here; None for a plain server.
        obstacles: what stands in the way of a second one.
        problem: why nothing, or not all, is known; empty where all is.
        is_reached: whether the machine was asked at all.
    """

    engine: str = ""
    version: str = ""
    directory: str = ""
    size_bytes: int = 0
    layout: Layout | None = None
    obstacles: tuple[Obstacle, ...] = ()
    problem: str = ""
    is_reached: bool = True


@dataclass(frozen=True)
class DataFacts:
    """What decides how a pair's data is kept.

    Args:
        examined: the source's database server.
        image: what an arbitrator would be made of.
        inward: who may reach the source's first security group.
        twin: the database server of the twin, where there is a twin already.
    """

    examined: Examined
    image: Image | None = None
    inward: tuple[IngressRule, ...] = ()
    twin: Examined | None = None


Role = Literal["primary", "replica", "arbitrator", "alone", "stranger", "down"]
"""A primary takes writes now. Alone: a plain server. A stranger is a copy that nobody let in yet."""


@dataclass(frozen=True)
class MemberState:
    """What one machine with a vote is now.

    Args:
        role: what it does; empty where that could not be had.
        ready: whether it is in step: what was acknowledged anywhere is here too, or will be before it serves.
        says: the engine's own words.
        votes: how many votes it counts, its own with them.
        position: how far its data is: `uuid:seqno`, or `timeline/LSN`.
        lag_bytes: how far it is behind; -1 where the engine has no such thing.
        writer: the address that its applications' writes go to now; empty for none.
        problem: why it could not be asked; empty where it answered.
        is_reached: whether the machine was asked at all, so that a problem is its own.
    """

    role: Role | Literal[""] = ""
    ready: bool = False
    says: str = ""
    votes: int = 0
    position: str = ""
    lag_bytes: int = -1
    writer: str = ""
    problem: str = ""
    is_reached: bool = True


@dataclass(frozen=True)
class Applied:
    """What a machine did of what it was asked: sentences. `problem` says why it did not, or not all.

    `is_reached`: whether the machine was asked at all; where it was not, nothing was done.
    """

    did: tuple[str, ...] = ()
    problem: str = ""
    is_reached: bool = True


@dataclass(frozen=True)
class TableSum:
    """A table's content in two numbers; equal sums of equal positions mean equal tables.

    Args:
        seen: what the table held over a while, by short digests of its contents, each once.
    """

    name: str
    rows: int
    sum: str
    seen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """What a member's tables hold.

    Args:
        position: at which that was read; empty where it was written to meanwhile.
        reached: a position of which everything was in what was read; empty where it is not known.
    """

    tables: tuple[TableSum, ...] = ()
    position: str = ""
    reached: str = ""
    problem: str = ""
    is_reached: bool = True


def layout_of(said: Mapping[str, object] | None) -> Layout | None:
    """Return the layout that a machine carries, or None where it carries none.

    Raises:
        ValueError: what it says is none.
    """
    if not said:
        return None
    engine, members = said.get("engine"), said.get("members")
    if engine not in ("galera", "patroni") or not isinstance(members, list):
        raise ValueError(f"no layout: {said!r:.200}")
    arbitrator = said.get("arbitrator")
    return Layout(
        "galera" if engine == "galera" else "patroni",
        str(said.get("cluster", "")),
        tuple(seat_of(one) for one in members),
        seat_of(arbitrator) if arbitrator else None,
    )


def seat_of(said: object) -> Seat:
    """Return one seat of a layout as a machine says it. Raises ValueError."""
    if not isinstance(said, Mapping) or not said.get("address"):
        raise ValueError(f"no seat: {said!r:.200}")
    return Seat(str(said.get("id", "")), str(said["address"]), str(said.get("zone", "")))


def as_said(layout: Layout) -> dict[str, object]:
    """Return a layout as a machine is told it."""

    def seat(one: Seat) -> dict[str, str]:
        return {"id": one.instance_id, "address": one.address, "zone": one.zone}

    return {
        "engine": layout.engine,
        "cluster": layout.cluster,
        "members": [seat(one) for one in layout.members],
        "arbitrator": seat(layout.arbitrator) if layout.arbitrator else None,
    }
