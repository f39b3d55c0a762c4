"""A MariaDB server for machines of a test: Debian's, on the machine's own disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NEEDED = ("mariadbd", "mariadb-install-db", "mariadb")
SERVER = """\
#!/bin/sh
cd "$NOSPOF_DISK/var/lib/mysql"
exec mariadbd --no-defaults --user={user} --datadir=. --socket=s --skip-networking --skip-log-bin
"""
WRITER = """\
#!/bin/bash
# Writes as fast as it may, and notes what was acknowledged: a row each, in a table that can roll back and in
# one that cannot.
cd "$NOSPOF_DISK/var/lib/mysql"
until mariadb --socket=s -e 'create database if not exists shop;
    create table if not exists shop.orders (id int primary key) engine=InnoDB;
    create table if not exists shop.visits (id int primary key) engine=MyISAM'; do sleep 0.1; done
[ -e "$NOSPOF_DISK/quiet" ] && exec sleep 3600
i=$(mariadb --socket=s -N -e 'select coalesce(max(id), 0) from shop.orders')
while :; do
    i=$((i+1))
    echo "insert into shop.orders values ($i); insert into shop.visits values ($i); select $i;"
done | mariadb --socket=s -N --unbuffered >>"$NOSPOF_DISK/acknowledged"
"""


def put_mariadb(disk: Path) -> None:
    """Put a database and a writer on a disk, as services; without the programs, skip here and fail in CI."""
    if not all(shutil.which(one) for one in NEEDED):
        message = "needs a MariaDB server: sudo apt-get install mariadb-server-core mariadb-client-core"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    user = "root" if os.geteuid() == 0 else ""
    data = disk / "var/lib/mysql"
    data.mkdir(parents=True)
    subprocess.run(
        [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            f"--user={user}",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        ],
        check=True,
        capture_output=True,
    )
    (disk / ".my.cnf").write_text("[client]\nuser=root\n")
    for name, text in (("mariadb", SERVER.format(user=user)), ("writer", WRITER)):
        (disk / "etc/services" / name).write_text(text)
        (disk / "etc/services" / name).chmod(0o755)


def asked(disk: Path, statement: str) -> str:
    """Ask the server of a machine; an error is an empty answer."""
    done = subprocess.run(
        ["mariadb", "--no-defaults", "--user=root", "--socket=s", "-N", "-e", statement],
        cwd=disk / "var/lib/mysql",
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
