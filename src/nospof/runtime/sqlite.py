"""SQLite as a journal needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa


def engine_on(database: Path, busy_ms: int) -> sa.Engine:
    """Return an engine on a SQLite file: WAL, and each commit on the disk before it is believed.

    Args:
        database: the file.
        busy_ms: how long to wait for another who writes.
    """
    engine = sa.create_engine(f"sqlite:///{database}")

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in (f"busy_timeout={busy_ms}", "foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
