"""What the script that holds writes does with databases and file systems, part by part."""

from __future__ import annotations

import ast
import os
import pwd
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from nospof.adapters.machine import hold_databases, hold_script
from nospof.adapters.machine.hold_databases import Refused, Session, checkpoint, refuse_several_moments
from nospof.adapters.machine.hold_script import data_mounts
from nospof.adapters.machine.probe_machine import Machine
from support.postgres import Postgres, running_postgres

ONE_DISK = "/dev/root / ext4 rw 0 0\n"


def machine(tmp_path: Path, mounts: str) -> Machine:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mounts").write_text(mounts)
    return Machine(str(tmp_path), str(tmp_path / "proc"), b"")


def test_it_is_of_python_3_6() -> None:
    for module in (hold_databases, hold_script):
        ast.parse(Path(module.__file__).read_text(), feature_version=(3, 6))
        assert "from __future__" not in Path(module.__file__).read_text()  # not in 3.6


@pytest.mark.parametrize(
    ("mounts", "frozen"),
    [
        (ONE_DISK, {}),
        (ONE_DISK + "/dev/b /data xfs rw 0 0\n", {"/dev/b": "/data"}),
        (ONE_DISK + "/dev/b /var xfs rw 0 0\n", {}),
        (ONE_DISK + "/dev/b /var/lib/mysql xfs rw 0 0\n", {"/dev/b": "/var/lib/mysql"}),
        (ONE_DISK + "/dev/b /data xfs rw 0 0\n/dev/b /var/log xfs rw 0 0\n", {}),
        (ONE_DISK + "/dev/b /my\\040data ext4 rw 0 0\n", {"/dev/b": "/my data"}),
        (ONE_DISK + "/dev/b /ro ext4 ro,relatime 0 0\n/dev/c /efi vfat rw 0 0\n", {}),
    ],
)
def test_what_the_machine_or_its_agent_writes_to_is_never_frozen(
    tmp_path: Path, mounts: str, frozen: dict[str, str]
) -> None:
    assert data_mounts(machine(tmp_path, mounts)) == frozen


@pytest.mark.parametrize(
    ("client", "says"),
    [
        ("echo ERROR 1045: denied; exit 1", "MariaDB: 1045: denied"),
        ("exit 0", "MariaDB: the session is gone"),
        ("sleep 60", "MariaDB does not answer"),
    ],
)
def test_a_session_that_gives_no_answer_is_refused_in_words_and_in_time(client: str, says: str) -> None:
    began = time.monotonic()
    session = Session(["/bin/sh", "-c", client], "MariaDB", ends=began + 0.5)
    with pytest.raises(Refused) as refused:
        session.ask("SELECT 1", within_seconds=30)
    session.close()
    assert str(refused.value) == says
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("disks", "frozen", "is_refused"),
    [
        ({"/srv": "/dev/root", "/srv/log": "/dev/root"}, set(), False),
        ({"/srv": "/dev/b", "/srv/log": "/dev/c"}, {"/dev/b", "/dev/c"}, False),
        ({"/srv": "/dev/b", "/srv/log": "/dev/c"}, {"/dev/b"}, True),
        ({"/srv": "/dev/mapper/striped"}, set(), True),
        ({"/srv": "/dev/mapper/striped"}, {"/dev/mapper/striped"}, False),
    ],
)
def test_c20_files_that_change_on_several_volumes_are_not_of_one_moment(
    tmp_path: Path, disks: dict[str, str], frozen: set[str], *, is_refused: bool
) -> None:
    for path in disks:
        (tmp_path / path.strip("/")).mkdir(parents=True, exist_ok=True)
    for part in ("nvme1n1", "nvme2n1"):
        (tmp_path / "sys/block/dm-0/slaves" / part).mkdir(parents=True)
        (tmp_path / "sys/block" / part).mkdir()
    (tmp_path / "sys/block/dm-0/dm").mkdir()
    (tmp_path / "sys/block/dm-0/dm/name").write_text("striped\n")
    mounts = "".join(f"{device} {tmp_path}{path} xfs rw 0 0\n" for path, device in disks.items())
    m = machine(tmp_path, ONE_DISK + mounts)
    with pytest.raises(Refused, match="several disks") if is_refused else nullcontext():
        refuse_several_moments(m, "MariaDB", [f"{tmp_path}{path}" for path in disks], frozen)


# PostgreSQL ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


def asked(postgres: Postgres, statement: str) -> Any:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchone()[0] if cursor.description else None


@pytest.fixture
def first(postgres: Postgres) -> dict[str, Any]:
    """The first process of the server, as a look finds it."""
    data = Path(asked(postgres, "show data_directory"))
    owner = pwd.getpwuid(os.stat(data).st_uid).pw_name
    with suppress(psycopg.errors.DuplicateObject):
        asked(postgres, f'create role "{owner}" superuser login')
    pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    return {"pid": pid, "name": "postgres", "at": f"/proc/{pid}"}


def test_postgresql_is_told_to_write_all_it_has(
    tmp_path: Path, postgres: Postgres, first: dict[str, Any]
) -> None:
    asked(postgres, "create table if not exists written (id int)")
    before = asked(postgres, "select checkpoint_lsn from pg_control_checkpoint()")
    assert checkpoint(machine(tmp_path, ONE_DISK), first, set()) is True
    assert asked(postgres, "select checkpoint_lsn from pg_control_checkpoint()") != before


def test_only_the_first_process_of_a_server_is_asked(tmp_path: Path, first: dict[str, Any]) -> None:
    assert checkpoint(machine(tmp_path, ONE_DISK), {**first, "pid": first["pid"] + 1}, set()) is False


@pytest.mark.parametrize("frozen", [set(), {"/dev/b"}, {"/dev/b", "/dev/c"}])
def test_its_log_on_another_disk_is_of_one_moment_only_where_both_are_frozen(
    tmp_path: Path, first: dict[str, Any], frozen: set[str]
) -> None:
    data = os.readlink(first["at"] + "/cwd")
    m = machine(tmp_path, f"{ONE_DISK}/dev/b {data} xfs rw 0 0\n/dev/c {data}/pg_wal xfs rw 0 0\n")
    if len(frozen) == 2:
        assert checkpoint(m, first, frozen)
        return
    with pytest.raises(Refused, match="cannot all be frozen"):
        checkpoint(m, first, frozen)


def test_a_postgresql_that_lets_nobody_in_is_refused_with_its_reason(
    tmp_path: Path, postgres: Postgres, first: dict[str, Any]
) -> None:
    owner = pwd.getpwuid(os.stat(os.readlink(first["at"] + "/cwd")).st_uid).pw_name
    asked(postgres, f'alter role "{owner}" nosuperuser')
    try:
        with pytest.raises(Refused, match=r"PostgreSQL: .*must be superuser"):
            checkpoint(machine(tmp_path, ONE_DISK), first, set())
    finally:
        asked(postgres, f'alter role "{owner}" superuser')
