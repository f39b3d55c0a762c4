"""The script that holds writes, in machines that are directories: what is frozen, and that it thaws."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine.ssm import HOLD_PARTS, HOLD_SCHEMA, answer_of, script
from support.machines import Bench
from support.waiting import eventually

MOUNTS = """\
/dev/root / ext4 rw 0 0
proc /proc proc rw 0 0
/dev/nvme1n1 /nospof-data ext4 rw,noatime 0 0
/dev/nvme1n1 /nospof-data/again ext4 rw 0 0
/dev/nvme2n1 /var/log xfs rw 0 0
/dev/nvme3n1 /nospof-ro ext4 ro 0 0
/dev/nvme4n1 /nospof-fat vfat rw 0 0
/dev/loop0 /nospof-loop ext4 rw 0 0
10.0.0.1:/x /nospof-far nfs4 rw 0 0
"""
WRITES = 'exec 3>>"$NOSPOF_DISK/nospof-data/log"; while :; do echo tick >&3; sleep 0.01; done'
ID = secrets.token_hex(8)


def disk_of(bench: Bench, mounts: str = MOUNTS, **services: str) -> Path:
    disk = bench.machine(**services)
    for name in ("proc", "nospof-data"):
        (disk / name).mkdir()
    (disk / "proc/mounts").write_text(mounts)
    bench.boot()
    return disk


def told(bench: Bench, *arguments: str, before: str = "") -> dict[str, Any]:
    done = bench.run(before + script(HOLD_PARTS, HOLD_SCHEMA, *arguments))
    document, problem = answer_of(done.stdout, HOLD_SCHEMA)
    assert document is not None, (problem, done)
    return document


def frozen(bench: Bench) -> list[str]:
    return sorted(path.name for path in (bench.root / "i-1/run").glob("frozen/*"))


def grows(log: Path) -> bool:
    size = log.stat().st_size
    time.sleep(0.1)
    return log.stat().st_size > size


@pytest.fixture
def log(bench: Bench) -> Path:
    """What a service of the machine writes all the time."""
    found = disk_of(bench, writer=WRITES) / "nospof-data/log"
    eventually(lambda: found.exists() and grows(found), "it writes")
    return found


def test_c20_only_file_systems_with_nothing_but_data_are_frozen_and_written_to_again(
    bench: Bench, log: Path
) -> None:
    held = told(bench, "hold", ID, "20")
    assert (held["what"], held["problem"]) == (["/nospof-data"], "")
    assert frozen(bench) == ["nospof-data"]
    assert not grows(log)
    released = told(bench, "release", ID)
    assert released["problem"] == ""
    assert 0.1 < released["seconds"] < 20
    eventually(lambda: grows(log), "it writes again")
    assert frozen(bench) == []
    assert "no such hold" in told(bench, "release", ID)["problem"]
    assert len(bench.processes()) <= 4  # init, the writer and its sleep: nothing of the hold


def test_a_hold_that_nobody_ends_ends_by_itself_and_says_so(bench: Bench, log: Path) -> None:
    assert told(bench, "hold", ID, "1")["problem"] == ""
    assert not grows(log)
    eventually(lambda: grows(log), "it writes again", timeout_seconds=10)
    assert frozen(bench) == []
    assert told(bench, "release", ID)["problem"] == "the 1 s were over"


def test_what_is_frozen_thaws_though_the_process_that_holds_is_killed(bench: Bench, log: Path) -> None:
    told(bench, "hold", ID, "1")
    bench.run("kill -9 $(grep -lz ^hold$ /proc/[0-9]*/cmdline | cut -d/ -f3)")
    assert not grows(log)
    assert frozen(bench) == ["nospof-data"]
    eventually(lambda: grows(log), "it writes again", timeout_seconds=15)
    assert frozen(bench) == []


def test_one_hold_at_a_time(bench: Bench, log: Path) -> None:
    told(bench, "hold", ID, "20")
    assert told(bench, "hold", "0" * 16, "20")["problem"] == "writes are held for somebody else"
    assert told(bench, "release", "0" * 16)["problem"] == "there is no such hold any more"
    assert frozen(bench) == ["nospof-data"]
    assert told(bench, "release", ID)["problem"] == ""


def test_who_thaws_it_meanwhile_is_noticed(bench: Bench, log: Path) -> None:
    told(bench, "hold", ID, "20")
    bench.run("fsfreeze -u /nospof-data")
    assert told(bench, "release", ID)["problem"] == "/nospof-data was thawed by somebody"


def test_the_computers_own_program_is_never_used(bench: Bench) -> None:
    disk_of(bench)
    answer = told(bench, "hold", ID, "20", before="PATH=/usr/sbin:/usr/bin:/sbin:/bin\n")
    assert answer["problem"] == "there is no fsfreeze"


def test_an_engine_that_cannot_be_held_is_named_and_nothing_is_held(bench: Bench) -> None:
    disk_of(bench, store='cp /bin/sleep redis-server; exec "$NOSPOF_DISK/redis-server" 60')
    eventually(lambda: bench.run("cat /proc/[0-9]*/comm").stdout.count("redis-server"))
    assert told(bench, "hold", ID, "20")["problem"] == "Redis cannot be held"
    assert frozen(bench) == []


def test_where_there_is_nothing_to_hold_that_is_said(bench: Bench) -> None:
    disk_of(bench, "/dev/root / ext4 rw 0 0\n/dev/root /nospof-data ext4 rw 0 0\n")
    assert "nothing to hold" in told(bench, "hold", ID, "20")["problem"]
