"""Writers into a real MariaDB: what it acknowledged outlives a kill, what it took back is told apart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nospof.model.drill import Objective
from nospof.model.writes import ReadBack, WriteOutcome
from nospof.planning.verdict import judge_writes
from support.machines import Bench
from support.mariadb import asked, put_mariadb
from support.waiting import eventually
from support.writers import TABLE, Rows, in_mariadb, writers


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "machines", None)
    try:
        disk = bench.machine()
        (disk / "etc/services").mkdir(parents=True)
        put_mariadb(disk)
        (disk / "etc/services/writer").unlink()
        bench.boot()
        yield bench
    finally:
        bench.close()


@pytest.fixture
def socket(bench: Bench) -> Iterator[str]:
    # A socket's name has no room for the long way to this disk.
    data = os.open(bench.hypervisor.disk("i-1") / "var/lib/mysql", os.O_RDONLY)
    yield f"/proc/self/fd/{data}/s"
    os.close(data)


def test_a_mariadb_that_is_killed_keeps_what_it_acknowledged(bench: Bench, socket: str) -> None:
    disk = bench.hypervisor.disk("i-1")
    eventually(lambda: asked(disk, "select 1") == "1", "the database answers", timeout_seconds=60)
    asked(disk, "create database shop")
    asked(disk, "use shop; " + TABLE.format(serial="int auto_increment"))

    def open_one() -> Rows:
        return in_mariadb(unix_socket=socket, user="root", database="shop")

    with writers(open_one) as at_work:
        eventually(lambda: at_work.acknowledged > 200, "writes are taken")
        bench.hypervisor.power_off("i-1")
        before = at_work.acknowledged
        bench.boot()
        eventually(lambda: at_work.acknowledged > before + 50, "writes are taken again", timeout_seconds=60)
        ledger = at_work.stop()
    verdict = judge_writes(ledger, [ReadBack("the database", open_one().read())], Objective())
    assert verdict.passed, verdict.says
    assert verdict.acknowledged > 250
    assert verdict.failed > 0

    refuse = (
        "create trigger shop.no before insert on shop.writes for each row "
        "signal sqlstate '40001' set mysql_errno = {}"
    )
    writer = open_one()
    asked(disk, refuse.format(1213))
    assert writer.write("w-1") == (WriteOutcome.CONFLICT, "OperationalError")
    asked(disk, "drop trigger shop.no")
    asked(disk, refuse.format(1205))
    assert writer.write("w-2")[0] is WriteOutcome.FAILED
