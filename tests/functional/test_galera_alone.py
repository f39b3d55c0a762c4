"""A MariaDB converted and made plain again, with the program that does it killed at every step."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nospof.model.layout import Layout, Seat
from support.shop import Shop
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud
CLIENT = "mariadb --no-defaults --socket=run/mysqld/mysqld.sock"
ACCOUNTS = "SELECT User, Host FROM mysql.user ORDER BY 1, 2"
CONVERTING = (
    "program installed",
    "undo kept",
    "twins",
    "units written",
    "is kept",
    "cluster of its own",
    "end",
)
GOING_BACK = ("empty layout kept", "plain server", "accounts that were made", "all but the undo", "is gone")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A machine with a plain server; every test leaves it one."""
    found = Shop(tmp_path_factory.mktemp("shop"))
    try:
        found.boot_source()
        yield found
    finally:
        found.close()


def files_of(shop: Shop) -> set[str]:
    disk = shop.disk("i-a")
    places = ("etc", "lib", "usr/local")
    return {
        str(one.relative_to(disk)) for place in places for one in (disk / place).rglob("*") if one.is_file()
    }


def accounts_of(shop: Shop) -> list[str]:
    done = shop.run(
        "i-a",
        f"{CLIENT} -N -e '{ACCOUNTS}; SHOW DATABASES'",
    )
    assert done.exit_code == 0, done
    return done.stdout.splitlines()


def test_its_temporary_tables_are_not_where_those_of_other_machines_are(shop: Shop) -> None:
    assert shop.query("i-a", "SELECT @@tmpdir") == [str(shop.disk("i-a") / "tmp")]


def test_a_program_killed_at_any_step_leaves_a_server_and_the_next_one_ends_its_work(shop: Shop) -> None:
    before, known = files_of(shop), accounts_of(shop)
    for step in CONVERTING:
        killed = shop.apply("i-a", shop.alone, failpoint=step)
        assert killed["problem"] == "the process that was to do it was killed", step
        eventually(lambda: shop.answers("i-a"), f"the database is there after a kill at {step!r}")
    shop.applied("i-a", shop.alone)
    assert shop.state("i-a")["role"] == "primary"
    assert shop.applied("i-a", shop.alone) == []
    shop.query("i-a", "INSERT INTO shop.orders VALUES ('as-a-member', '')")
    for step in GOING_BACK:
        killed = shop.apply("i-a", shop.none, failpoint=step)
        assert killed["problem"] == "the process that was to do it was killed", step
        eventually(lambda: shop.answers("i-a"), f"the database is there after a kill at {step!r}")
    shop.applied("i-a", shop.none)
    assert shop.applied("i-a", shop.none) == []
    assert shop.state("i-a")["role"] == "alone"
    assert {"first", "as-a-member"} <= shop.orders("i-a")
    assert accounts_of(shop) == known
    assert files_of(shop) - before <= {"usr/local/lib/nospof/data.py"}


def test_a_member_that_does_not_come_up_is_the_plain_server_again(shop: Shop) -> None:
    # Somebody else's setting that a member cannot have: the server refuses to start with it.
    last = shop.disk("i-a") / "etc/mysql/mariadb.conf.d/zzz-last.cnf"
    last.write_text("[mysqld]\nwsrep-provider = /nowhere.so\n")
    said = shop.apply("i-a", shop.alone)
    last.unlink()
    assert "runs as before" in said["problem"]
    assert "first" in shop.orders("i-a")
    assert shop.state("i-a")["role"] == "alone"
    assert shop.ask("i-a", "examine")["layout"] is None


def test_what_galera_does_not_carry_is_told_mended_and_brought_back(shop: Shop) -> None:
    made = """
        CREATE TABLE shop.search (id INT PRIMARY KEY, words TEXT, FULLTEXT (words)) ENGINE=MyISAM;
        CREATE TABLE shop.sessions (id VARCHAR(20), data TEXT) ENGINE=InnoDB;
        CREATE TABLE shop.counted (n INT NOT NULL AUTO_INCREMENT, UNIQUE KEY (n)) ENGINE=Aria;
        CREATE TABLE shop.grouped (g INT, n INT NOT NULL AUTO_INCREMENT, PRIMARY KEY (g, n)) ENGINE=MyISAM;
        INSERT INTO shop.sessions VALUES ('a', 'x'), ('b', 'y');
        CREATE EVENT shop.tidy ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.sessions;
        CREATE USER nopass@localhost; CREATE USER 'o''hara'@localhost IDENTIFIED BY 'x';
        GRANT SELECT ON shop.* TO 'o''hara'@localhost;
    """
    assert shop.run("i-a", f'{CLIENT} -e "{made}"').exit_code == 0
    found = {(one["kind"], one["what"]): one for one in shop.ask("i-a", "examine")["obstacles"]}
    mends = {key: one["mend"] for key, one in found.items()}
    assert mends == {
        ("engine", "shop.search"): "table",
        ("engine", "shop.counted"): "table",
        ("engine", "shop.grouped"): "",
        ("key", "shop.sessions"): "table",
        ("key", "shop.counted"): "table",
        ("account", "nopass@localhost"): "",
        ("use", "events"): "",
    }
    sums = shop.ask("i-a", "check")
    for step in ("engine noted", "key noted", "", ""):
        said = shop.ask("i-a", "mend", undo=False, failpoint=step)
    assert said == {"schema": said["schema"], "did": [], "problem": ""}
    left = {(one["kind"], one["what"]) for one in shop.ask("i-a", "examine")["obstacles"]}
    assert left == {("engine", "shop.grouped"), ("account", "nopass@localhost"), ("use", "events")}
    assert shop.query("i-a", "SELECT * FROM shop.sessions ORDER BY id") == ["a\tx", "b\ty"]
    shop.ask("i-a", "mend", undo=True)
    assert {(o["kind"], o["what"]): o["mend"] for o in shop.ask("i-a", "examine")["obstacles"]} == mends
    assert shop.ask("i-a", "check")["tables"] == sums["tables"]


def test_an_arbitrator_does_not_run_beside_a_member(shop: Shop) -> None:
    mine = shop.seats["i-a"]
    said = shop.apply("i-a", Layout("galera", "shop", (Seat("i-b", "127.0.0.9"),), mine))
    assert "beside a member is no third vote" in said["problem"]
    assert shop.answers("i-a")
