"""The queue of what was asked for from afar, and who did what: two tables beside the journal.

SQLite in the state directory, or the PostgreSQL database that several machines share as their journal.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from nospof.errors import PreconditionFailed, UnknownName, UsageError
from nospof.model.asked import AskedRun, Deed
from nospof.runtime.home import prepare_home
from nospof.runtime.sqlite import engine_on

FILE = "console.sqlite"
BUSY_MS = 10_000
MOST_DEEDS = 1000
"""So many lines of the log are answered at most."""

TABLES = sa.MetaData()
ASKED = sa.Table(
    "nospof_asked",
    TABLES,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.String(100), nullable=False, index=True),
    sa.Column("act", sa.String(10), nullable=False),
    sa.Column("procedure", sa.String(40), nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("place", sa.String(100), nullable=False),
    sa.Column("who", sa.String(40), nullable=False),
    sa.Column("key", sa.String(200), nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("starts", sa.Integer, nullable=False),
    sa.Column("is_over", sa.Boolean, nullable=False),
    sa.Column("ended_at", sa.Float, nullable=False),
    sa.Column("says", sa.Text, nullable=False),
    sa.Column("problem", sa.JSON, nullable=False),
    sa.UniqueConstraint("who", "key"),
)
DEEDS = sa.Table(
    "nospof_deeds",
    TABLES,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("role", sa.String(40), nullable=False),
    sa.Column("address", sa.String(100), nullable=False),
    sa.Column("did", sa.String(400), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("run_id", sa.String(100), nullable=False),
)


class AskedRuns:
    """What was asked for, and who did what.

    Args:
        home: the state directory; the SQLite file lies in it, and the locks of those being begun.
        database_url: a PostgreSQL database to keep it in instead of that file.

    Raises:
        PreconditionFailed: by each of its methods; it cannot be read or written.
    """

    def __init__(self, home: Path, database_url: str = "") -> None:
        self._home = home
        self._engine = _engine(home, database_url)
        self._is_made = False

    def ask(self, asked: AskedRun) -> AskedRun:
        """Accept it, once; a repeat by the same asker with the same key is answered as the first was.

        Raises:
            UsageError: the key was used for something else.
        """
        row = {**asdict(asked), "number": None}
        try:
            with self._begun() as connection:
                made = connection.execute(sa.insert(ASKED).values(row))
                return replace(asked, number=int(made.inserted_primary_key[0]))  # type: ignore[index]
        except sa.exc.IntegrityError:
            (before,) = self._where((ASKED.c.who == asked.who) & (ASKED.c.key == asked.key))
        same = ["act", "procedure", "request", "place", *(["run_id"] if asked.act == "resume" else [])]
        if any(getattr(before, one) != getattr(asked, one) for one in same):
            raise UsageError(
                f"the key {asked.key!r} was used for {before.run_id}, which asked for something else. Use "
                "another key. Nothing was changed."
            )
        return before

    def get(self, number: int) -> AskedRun:
        """Return one.

        Raises:
            UsageError: there is none of that number.
        """
        found = self._where(ASKED.c.number == number)
        if not found:
            raise UnknownName(f"nothing of number {number} was asked for")
        return found[0]

    def knows(self, who: str, key: str) -> bool:
        """Whether somebody has asked for something under this key."""
        return bool(self._where((ASKED.c.who == who) & (ASKED.c.key == key)))

    def of_run(self, run_id: str) -> AskedRun | None:
        """Return what was asked last for a run."""
        found = self._where(ASKED.c.run_id == run_id)
        return found[-1] if found else None

    def ahead(self) -> tuple[AskedRun, ...]:
        """Return what is not over, oldest first."""
        return self._where(~ASKED.c.is_over)

    def take(self, number: int, starts: int) -> bool:
        """Take one to start a process for it; False where somebody else was quicker.

        Args:
            number: which.
            starts: how often one was started for it, as far as the taker knows.
        """
        values = {"host": os.uname().nodename, "starts": starts + 1}
        with self._begun() as connection:
            taken = connection.execute(
                sa.update(ASKED)
                .where(ASKED.c.number == number, ASKED.c.starts == starts, ~ASKED.c.is_over)
                .values(values)
            )
        return taken.rowcount == 1

    def end(self, number: int, says: str = "", problem: dict[str, Any] | None = None) -> None:
        """Note that it is over."""
        values = {"is_over": True, "says": says, "problem": problem or {}, "ended_at": time.time()}
        with self._begun() as connection:
            connection.execute(sa.update(ASKED).where(ASKED.c.number == number).values(values))

    def note(self, deed: Deed) -> None:
        """Write a line of the log."""
        with self._begun() as connection:
            connection.execute(sa.insert(DEEDS).values({**asdict(deed), "did": deed.did[:400]}))

    def deeds(self) -> tuple[Deed, ...]:
        """Return the log's last lines, newest first."""
        query = sa.select(*(DEEDS.c[name] for name in Deed.__dataclass_fields__))
        with self._begun() as connection:
            rows = connection.execute(query.order_by(DEEDS.c.number.desc()).limit(MOST_DEEDS)).mappings()
            return tuple(Deed(**row) for row in rows)

    def hold(self, number: int) -> IO[str] | None:
        """Be the one who works on it for as long as the file is open, here or in a process that gets it.

        Returns:
            The file; None where somebody of this machine is.
        """
        file = (prepare_home(self._home) / "runs" / f"asked-{number}.lock").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file

    def _where(self, condition: Any) -> tuple[AskedRun, ...]:
        with self._begun() as connection:
            rows = connection.execute(sa.select(ASKED).where(condition).order_by(ASKED.c.number)).mappings()
            return tuple(AskedRun(**row) for row in rows)

    @contextmanager
    def _begun(self) -> Iterator[sa.Connection]:
        try:
            if not self._is_made:
                TABLES.create_all(self._engine)
                self._is_made = True
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.IntegrityError:
            raise
        except sa.exc.SQLAlchemyError as error:
            why = str(getattr(error, "orig", None) or error).strip()
            raise PreconditionFailed(
                f"what was asked for cannot be read or written ({why}); see that its database works. "
                "Nothing was changed."
            ) from error


def _engine(home: Path, database_url: str) -> sa.Engine:
    """Return an engine on the shared database, if there is one, else on a file only its owner reads."""
    if database_url:
        address = database_url.partition("://")[2]
        return sa.create_engine(f"postgresql+psycopg://{address}", pool_pre_ping=True)
    database = prepare_home(home) / FILE
    database.touch(mode=0o600, exist_ok=True)
    return engine_on(database, BUSY_MS)
