"""What the data program makes of a layout and of a MariaDB's answers, part by part."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine.data_door import FRESH_SECONDS, Fitness, door_text
from nospof.adapters.machine.data_galera import (
    CACHE_LEAST,
    CACHE_MOST,
    allow_bootstrap,
    arbitrator_unit,
    cache_bytes,
    cluster_address,
    galera_settings,
    grastate,
    noted_position,
    recovered_position,
    server_id,
)
from nospof.adapters.machine.data_machine import Host
from nospof.adapters.machine.data_mariadb_accounts import by_password, twin_statements
from nospof.adapters.machine.data_mariadb_serve import data_members, is_fit, was_frozen
from nospof.adapters.machine.data_mariadb_server import Server, decoded, in_machine, named, quoted
from nospof.adapters.machine.hold_databases import Refused
from nospof.model.layout import Layout, Seat, as_said

A, B, C = Seat("i-a", "10.0.1.5", "a"), Seat("i-b", "10.0.2.5", "b"), Seat("i-c", "10.0.3.5", "c")
ALONE: dict[str, Any] = as_said(Layout("galera", "shop", (A,)))
PAIR: dict[str, Any] = as_said(Layout("galera", "shop", (A, B), C))
FACTS = {
    "provider": "/usr/lib/galera/libgalera_smm.so",
    "socket": "/run/mysqld/nospof.sock",
    "client_socket": "/run/mysqld/nospof.sock",
    "cache_bytes": 256 << 20,
    "sst_method": "mariabackup",
    "sst_port": 4444,
    "sst_user": "mysql",
    "is_first": False,
    "appliers": 4,
    "position": "",
}
UUID = "3d23faed-ea79-11f1-85c0-83cd72828cf0"
HASH = "*462366917EEDD1970A48E87D8EF59EB67D2CA26F"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    for name in ("NOSPOF_DISK", "NOSPOF_MACHINE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("NOSPOF_ADDRESS", A.address)
    return Host("# the program\n")


# Configuration ----------------------------------------------------------------------------------------


def test_a_member_has_its_own_address_and_looks_for_all_who_vote() -> None:
    lines = galera_settings(PAIR, PAIR["members"][1], FACTS).splitlines()
    assert "bind-address = 10.0.2.5" in lines
    assert "wsrep-node-name = i-b" in lines
    assert "wsrep-cluster-address = gcomm://10.0.1.5,10.0.2.5,10.0.3.5" in lines
    assert "event-scheduler = OFF" in lines
    assert not [one for one in lines if one.startswith("wsrep-start-position")]


def test_one_alone_begins_by_itself_and_one_of_two_only_when_told() -> None:
    assert cluster_address(ALONE) == "gcomm://"
    assert cluster_address(PAIR) != "gcomm://"
    assert cluster_address(PAIR, is_first=True) == "gcomm://"
    assert "event-scheduler" not in galera_settings(ALONE, ALONE["members"][0], FACTS)


def test_an_account_is_named_only_for_what_copies_by_one() -> None:
    assert "wsrep-sst-auth = mysql:" in galera_settings(PAIR, PAIR["members"][0], FACTS)
    assert "wsrep-sst-auth" not in galera_settings(PAIR, PAIR["members"][0], {**FACTS, "sst_method": "rsync"})


def test_all_who_vote_notice_a_death_at_the_same_time() -> None:
    member, arbitrator = (
        galera_settings(PAIR, PAIR["members"][0], FACTS),
        arbitrator_unit("/usr/bin/garbd", PAIR),
    )
    for one in ("evs.suspect_timeout=PT1.5S", "evs.inactive_timeout=PT5S", "gmcast.peer_timeout=PT2S"):
        assert one in member
        assert one in arbitrator
    assert "gcomm://10.0.1.5:4567,10.0.2.5:4567 " in arbitrator


def test_c53_no_two_addresses_have_the_same_number() -> None:
    assert server_id("10.0.1.5") == 167772421
    assert len({server_id(f"10.0.{x}.{y}") for x in range(9) for y in range(9)}) == 81


@pytest.mark.parametrize(
    ("disk", "memory", "size"),
    [(0, 0, CACHE_LEAST), (100 << 30, 100 << 30, CACHE_MOST), (8 << 30, 1 << 30, 256 << 20)],
)
def test_the_cache_is_as_large_as_the_machine_bears(disk: int, memory: int, size: int) -> None:
    assert cache_bytes(disk, memory) == size


def test_haproxy_takes_the_door_and_the_chosen_one_comes_first(tmp_path: Path) -> None:
    text = door_text(["unix@door.sock mode 777"], A.address, PAIR["members"], 3306)
    text = text.replace("{user}", "").replace("{statistics}", "statistics.sock")
    (tmp_path / "door.cfg").write_text(text)
    if haproxy := shutil.which("haproxy"):
        done = subprocess.run([haproxy, "-c", "-f", "door.cfg"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    chosen, _, fit = text.partition("\nbackend chosen")[2].partition("backend fit")
    assert "GET /writer" in chosen
    assert "GET /ready" in fit
    assert [line.split()[1] for line in fit.splitlines() if " backup" in line] == [B.address]


# What is kept of a cluster ------------------------------------------------------------------------------


def test_only_a_clean_end_leaves_a_position(tmp_path: Path) -> None:
    assert grastate(str(tmp_path)) == {}
    (tmp_path / "grastate.dat").write_text(
        f"# GALERA\nversion: 2.1\nuuid:    {UUID}\nseqno:   7\nsafe_to_bootstrap: 1\n"
    )
    assert noted_position(grastate(str(tmp_path))) == f"{UUID}:7"
    (tmp_path / "grastate.dat").write_text(f"version: 2.1\nuuid: {UUID}\nseqno: -1\nsafe_to_bootstrap: 0\n")
    assert noted_position(grastate(str(tmp_path))) == ""


def test_a_recovered_position_is_the_last_that_the_log_tells() -> None:
    log = f"x WSREP: Recovered position: {UUID}:5\ny\nz WSREP: Recovered position: {UUID}:9\n"
    assert recovered_position(log) == f"{UUID}:9"
    assert recovered_position(f"WSREP: Recovered position: {UUID}:-1") == ""
    assert recovered_position("") == ""


def test_whether_a_member_may_begin_is_written_and_nothing_else(host: Host, tmp_path: Path) -> None:
    allow_bootstrap(host, str(tmp_path), True)  # nothing there yet
    (tmp_path / "grastate.dat").write_text(f"uuid: {UUID}\nseqno: 7\nsafe_to_bootstrap: 0\n")
    allow_bootstrap(host, str(tmp_path), True)
    assert (tmp_path / "grastate.dat").read_text() == f"uuid: {UUID}\nseqno: 7\nsafe_to_bootstrap: 1\n"


# Accounts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("created", "by"),
    [
        (f"CREATE USER `a`@`localhost` IDENTIFIED BY PASSWORD '{HASH}'", True),
        (
            f"CREATE USER `a`@`localhost` IDENTIFIED VIA mysql_native_password USING '{HASH}' OR unix_socket",
            True,
        ),
        (
            "CREATE USER `a`@`localhost` IDENTIFIED VIA mysql_native_password USING 'invalid' OR unix_socket",
            False,
        ),
        ("CREATE USER `a`@`localhost` IDENTIFIED VIA unix_socket", False),
        ("CREATE USER `a`@`localhost` IDENTIFIED VIA ed25519 USING 'abc' REQUIRE SSL", True),
        ("CREATE USER `a`@`localhost`", False),
    ],
)
def test_only_an_account_with_a_password_can_come_through_a_door(created: str, by: bool) -> None:
    assert by_password(created) is by


def test_a_twin_has_the_same_password_grants_and_limits() -> None:
    created = f"CREATE USER `o'h`@`localhost` IDENTIFIED BY PASSWORD '{HASH}' WITH MAX_USER_CONNECTIONS 30"
    grants = [
        created.replace("CREATE USER", "GRANT USAGE ON *.* TO"),
        "GRANT ALL PRIVILEGES ON `shop`.* TO `o'h`@`localhost` WITH GRANT OPTION",
        "GRANT `clerk` TO `o'h`@`localhost`",
        "GRANT PROXY ON ``@`%` TO `o'h`@`localhost` WITH GRANT OPTION",
        "SET DEFAULT ROLE `clerk` FOR `o'h`@`localhost`",
    ]
    assert twin_statements(created, grants, "o'h", "localhost", "10.0.1.5") == [
        f"CREATE USER `o'h`@`10.0.1.5` IDENTIFIED BY PASSWORD '{HASH}' WITH MAX_USER_CONNECTIONS 30",
        "GRANT USAGE ON *.* TO `o'h`@`10.0.1.5`",
        "GRANT ALL PRIVILEGES ON `shop`.* TO `o'h`@`10.0.1.5` WITH GRANT OPTION",
        "GRANT `clerk` TO `o'h`@`10.0.1.5`",
        "SET DEFAULT ROLE `clerk` FOR `o'h`@`10.0.1.5`",
    ]


# Answers ----------------------------------------------------------------------------------------------


def test_texts_come_and_go_as_they_are() -> None:
    assert decoded("a\\tb\\\\n\tNULL\t\\n\t") == ["a\tb\\n", "NULL", "\n", ""]
    assert quoted("it's \\ here") == "'it''s \\\\ here'"
    assert named("a`b", "c") == "`a``b`.`c`"


def test_a_socket_is_found_from_where_the_server_is(host: Host) -> None:
    data = host.root + "/var/lib/mysql"
    assert (
        in_machine(host, data, "/proc/self/cwd/../../../run/mysqld/mysqld.sock") == "run/mysqld/mysqld.sock"
    )
    assert in_machine(host, data, "s") == "var/lib/mysql/s"
    with pytest.raises(Refused, match="is not on the machine"):
        in_machine(host, data, "/run/mysqld/mysqld.sock")


@pytest.mark.parametrize(
    ("change", "fit"),
    [
        ({}, True),
        ({"wsrep_cluster_status": "non-Primary"}, False),
        ({"wsrep_ready": "OFF"}, False),
        ({"wsrep_local_state": "3"}, False),
    ],
)
def test_a_member_is_fit_when_primary_and_in_step(change: dict[str, str], fit: bool) -> None:
    status = {"wsrep_cluster_status": "Primary", "wsrep_ready": "ON", "wsrep_local_state": "4"}
    assert is_fit({**status, **change}) is fit


def test_an_arbitrator_is_no_member_with_data() -> None:
    assert data_members({"wsrep_incoming_addresses": "10.0.1.5:3306,,10.0.2.5:3306"}) == [
        "10.0.1.5",
        "10.0.2.5",
    ]
    assert data_members({"wsrep_incoming_addresses": "10.0.1.5:3306,AUTO"}) == ["10.0.1.5"]


@pytest.mark.parametrize(
    ("silence", "uptime", "frozen"),
    [(0.3, "900", False), (4.0, "900", True), (4.0, "2", False), (4.0, "", False)],
)
def test_a_server_that_was_silent_and_not_restarted_stood_still(
    silence: float, uptime: str, frozen: bool
) -> None:
    assert was_frozen(silence, {"uptime": uptime}) is frozen


def test_an_old_answer_is_worth_nothing() -> None:
    fitness = Fitness()
    assert fitness.answer("ready")[0] == 503
    fitness.hear(True, False, "Synced")
    assert [fitness.answer(one)[0] for one in ("ready", "writer")] == [200, 503]
    fitness.heard = time.monotonic() - FRESH_SECONDS - 0.1
    assert fitness.answer("ready") == (503, "the server does not answer; last: Synced")


# The machine ------------------------------------------------------------------------------------------


def test_what_was_is_kept_as_it_was_the_first_time(host: Host) -> None:
    host.keep(socket="a")
    host.keep(socket="b", port=1)
    assert host.undo() == {"socket": "a", "port": 1}
    assert os.stat(host.path("etc/nospof/undo.json")).st_mode & 0o777 == 0o600


def test_where_the_data_is_holds_on_a_copy_at_another_place(host: Host) -> None:
    assert Server(host).directory() == host.root + "/var/lib/mysql"
    host.keep(directory="srv/db")
    assert Server(host).directory() == host.root + "/srv/db"


def test_a_file_is_written_once_and_its_mode_counts(host: Host) -> None:
    assert host.write("etc/x", "1\n")
    assert not host.write("etc/x", "1\n")
    assert host.write("etc/x", "1\n", 0o600)
    assert host.remove("etc/x")
    assert not host.remove("etc/x")


def test_a_seat_is_this_machines_by_its_address(host: Host) -> None:
    host.keep_layout(PAIR)
    layout = host.layout()
    assert layout == json.loads(json.dumps(PAIR))
    assert host.member(PAIR) == PAIR["members"][0]
    assert not host.is_arbitrator(PAIR)
    assert host.member(as_said(Layout("galera", "shop", (B,)))) is None
