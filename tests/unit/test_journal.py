"""Reading the journal without its engine: what is there before the first run, and what is no journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nospof.errors import PreconditionFailed, UsageError
from nospof.runtime.journal import Journal


def test_a_journal_that_is_being_made_has_no_runs(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as maker:
        maker.execute("begin immediate")
        maker.execute("create table workflow_status (workflow_uuid text)")
        assert Journal(tmp_path).runs() == ()
    assert Journal(tmp_path).runs() == ()
    with pytest.raises(UsageError, match="there is no run pair-1"):
        Journal(tmp_path).run("pair-1")


def test_what_is_no_journal_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_text("not a database " * 100)
    with pytest.raises(PreconditionFailed, match=r"journal\.sqlite cannot be read: file is not a database"):
        Journal(tmp_path).runs()
