"""The data program's words for PostgreSQL: who may come in, what Patroni and etcd are told."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine.data_machine import Host
from nospof.adapters.machine.data_patroni import (
    PATRONI_CONFIGURATION,
    RELEASE,
    Patroni,
    is_copying,
    member_configuration,
    patroni_unit,
)
from nospof.adapters.machine.data_postgresql_look import accounts
from nospof.adapters.machine.data_postgresql_server import (
    PostgresServer,
    configuration,
    hba_block,
    own_settings,
    twins_of,
    without_block,
)
from nospof.adapters.machine.data_votes import etcd_configuration, founder, refuse_even, seat_name
from nospof.adapters.machine.hold_databases import Refused
from support.waiting import eventually

A, B, C = ({"id": f"i-{one}", "address": f"10.0.{one}.5", "zone": f"z{one}"} for one in (1, 2, 3))
THREE = {"engine": "patroni", "cluster": "shop", "members": [A, B], "arbitrator": C}
FACTS: dict[str, Any] = {
    "port": 5432,
    "wal_level": "replica",
    "parameters": {"max_connections": "60", "max_wal_senders": "4", "max_replication_slots": "20"},
    "keep_mib": 512,
    "slots": ["debezium"],
}
SERVER: dict[str, Any] = {
    "facts": FACTS,
    "secrets": {"admin": "p1", "replication": "p2", "rest": "p3"},
    "data": "/d",
    "config": "/c",
    "programs": "/b",
    "pgpass": "/p",
    "sockets": "/s",
}


def rule(kind: str, database: str, user: str, address: str, method: str) -> dict[str, Any]:
    names = {"database": [database], "user_name": [user], "options": None}
    return {"type": kind, "address": address, "auth_method": method, **names}


def test_nobody_comes_through_the_door_without_a_password() -> None:
    rules = [
        rule("local", "all", "postgres", "", "peer"),
        rule("local", "replication", "all", "", "peer"),
        rule("local", "shop", "all", "", "trust"),
        rule("host", "all", "all", "127.0.0.1", "ident"),
        rule("host", "all", "all", "10.0.0.0", "trust"),
    ]
    twins = twins_of(rules, "scram-sha-256")
    assert twins == [
        ["all", "postgres", "scram-sha-256"],
        ["shop", "all", "scram-sha-256"],
        ["all", "all", "scram-sha-256"],
    ]


def test_who_was_refused_before_is_refused_behind_the_door() -> None:
    rules = [rule("local", "all", "guest", "", "reject"), rule("local", "all", "all", "", "md5")]
    assert twins_of(rules, "md5") == [["all", "guest", "reject"], ["all", "all", "md5"]]


def test_names_that_are_no_words_are_quoted() -> None:
    assert twins_of([rule("local", 'a "b', "all", "", "md5")], "md5") == [['"a ""b"', "all", "md5"]]


def test_what_was_added_to_pg_hba_is_taken_away_exactly() -> None:
    owned = "# mine\nlocal all all peer\n"
    block = hba_block(["10.0.1.5", "fd00::1"], [["shop", "all", "md5"]])
    assert "host shop all 10.0.1.5/32 md5" in block
    assert "host replication nospof_replication fd00::1/128 scram-sha-256" in block
    assert without_block(block + owned) == owned
    assert without_block(owned) == owned


def test_a_role_without_a_password_is_told_what_to_do() -> None:
    rules = [
        rule("local", "all", "all", "", "peer"),
        rule("host", "all", "all", "127.0.0.1", "scram-sha-256"),
    ]
    login = {"name": "shop", "bare": True, "first": False, "here": False}
    (said,) = accounts(rules, [login, {**login, "name": "postgres", "first": True}])
    assert said["kind"] == "account"
    assert said["mend"] == ""
    assert "ALTER ROLE shop PASSWORD" in said["says"]


def test_a_role_with_a_password_that_comes_by_its_unix_name_now_is_told_too() -> None:
    rules = [rule("local", "all", "all", "", "peer")]
    login = {"name": "shop", "bare": False, "first": False, "here": True}
    assert [one["what"] for one in accounts(rules, [login])] == ["shop"]
    assert accounts(rules, [{**login, "here": False}]) == []


def test_a_role_that_is_asked_for_its_password_is_no_obstacle() -> None:
    rules = [rule("local", "all", "all", "", "scram-sha-256")]
    login = {"name": "shop", "bare": False, "first": False, "here": True}
    assert accounts(rules, [login]) == []


@pytest.mark.parametrize("members", [[A], [A, B], [A, A, B]])
def test_c86_votes_that_one_failure_takes_are_refused(members: list[dict[str, Any]]) -> None:
    with pytest.raises(Refused, match="Three have to vote"):
        refuse_even({"members": members, "arbitrator": None})


def test_three_votes_are_enough() -> None:
    refuse_even(THREE)
    refuse_even({"members": [A, B, C], "arbitrator": None})


def test_only_the_first_of_all_votes_begins_with_nobody() -> None:
    assert founder(THREE) == C
    alone = json.loads(etcd_configuration("shop", C, [], "/v"))
    assert alone["initial-cluster-state"] == "new"
    assert alone["initial-cluster"] == "http://10.0.3.5:2380=http://10.0.3.5:2380"
    joined = json.loads(etcd_configuration("shop", A, ["http://10.0.3.5:2380"], "/v"))
    assert joined["initial-cluster-state"] == "existing"
    assert joined["initial-cluster"].count("=") == 2


def test_etcd_and_raft_listen_on_their_own_address_only() -> None:
    etcd = json.loads(etcd_configuration("shop", A, [], "/v"))
    assert {etcd["listen-client-urls"], etcd["listen-peer-urls"]} == {
        "http://10.0.1.5:2379",
        "http://10.0.1.5:2380",
    }
    raft = member_configuration(THREE, A, SERVER, "/raft")["raft"]
    assert raft["bind_addr"] == raft["self_addr"] == "10.0.1.5:2380"
    assert raft["partner_addrs"] == ["10.0.2.5:2380", "10.0.3.5:2380"]


def test_c88_c90_a_copy_that_lacks_a_write_never_leads_and_what_waits_for_it_is_bounded() -> None:
    shared = member_configuration(THREE, A, SERVER, "")["bootstrap"]["dcs"]
    assert shared["synchronous_mode"] is True
    assert "synchronous_mode_strict" not in shared
    assert shared["maximum_lag_on_failover"] >= 2**40, "what nobody was told of keeps nobody from leading"
    assert shared["ignore_slots"] == [{"name": "debezium"}]
    assert shared["postgresql"]["parameters"]["max_slot_wal_keep_size"] == "512MB"


def test_a_copy_of_all_does_not_wait_for_a_checkpoint_that_takes_its_time() -> None:
    database = member_configuration(THREE, A, SERVER, "")["postgresql"]
    # In a process of its own: imported, Patroni changes the umask of whoever imports it.
    words = (
        "import json, sys; from patroni.postgresql.bootstrap import Bootstrap\n"
        "print(*Bootstrap.process_user_options('basebackup', json.loads(sys.argv[1]), (), sys.exit))"
    )
    asked = [sys.executable, "-c", words, json.dumps(database["basebackup"])]
    said = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.split() == ["--checkpoint=fast"]


def test_what_is_a_members_own_is_not_shared() -> None:
    parameters = member_configuration(THREE, A, SERVER, "")["bootstrap"]["dcs"]["postgresql"]["parameters"]
    assert not {"listen_addresses", "port", "cluster_name", "unix_socket_directories"} & set(parameters)


def test_what_the_server_had_is_kept_where_it_is_enough() -> None:
    settings = own_settings(FACTS, "shop", "10.0.1.5", "/s")
    assert settings["max_wal_senders"] == 10
    assert settings["max_replication_slots"] == 20
    assert settings["wal_sender_timeout"] == settings["wal_receiver_timeout"] == "5s"
    assert own_settings({**FACTS, "wal_level": "logical"}, "", "", "")["wal_level"] == "logical"
    assert "cluster_name = 'it''s'" in configuration({"cluster_name": "it's"})


def test_a_seat_without_an_instance_has_a_name() -> None:
    assert seat_name({"id": "", "address": "10.0.1.5"}) == "member-10-0-1-5"


def test_the_words_for_patroni_are_python() -> None:
    ast.parse(RELEASE, feature_version=(3, 6))


def test_postgresql_goes_on_when_patroni_ends() -> None:
    class M:
        def program(self, *words: str) -> str:
            return "program " + " ".join(words)

    text = patroni_unit(M(), ["/usr/bin/patroni", "x"], "postgres")  # type: ignore[arg-type]
    assert "KillMode=process" in text
    assert "User=postgres" in text
    assert "ExecStartPre=+program boot nospof-patroni.service" in text


# A copy of all data that was broken off ------------------------------------------------------------------


@pytest.fixture
def patroni(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patroni:
    """A member whose data is in a directory of this test."""
    monkeypatch.setenv("NOSPOF_DISK", str(tmp_path))
    host = Host("")
    host.write(PATRONI_CONFIGURATION, "{}")
    server = PostgresServer(host)
    server.facts = {"directory": str(tmp_path / "data")}
    put(tmp_path, "data/PG_VERSION", "data/base/1/2", "space/PG_18/3")
    return Patroni(host, server)


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")


@pytest.mark.parametrize(
    "names",
    [("backup_label",), ("backup_label", "global/pg_control", "backup_manifest.tmp")],
    ids=["no control file yet", "not on the disk yet"],
)
def test_half_a_copy_of_all_data_is_taken_away_with_its_tablespaces(
    patroni: Patroni, tmp_path: Path, names: tuple[str, ...]
) -> None:
    put(tmp_path / "data", *names)
    (tmp_path / "data/pg_tblspc").mkdir()
    (tmp_path / "data/pg_tblspc/16384").symlink_to(tmp_path / "space")
    patroni.forget_half_a_copy()
    assert not list((tmp_path / "data").iterdir())
    assert not list((tmp_path / "space").iterdir())
    assert patroni.m.did == ["half a copy of all data was taken away: it is copied anew"]


@pytest.mark.parametrize(
    "names",
    [(), ("global/pg_control",), ("backup_label", "global/pg_control"), ("backup_manifest",)],
    ids=["no copy", "a server's", "a whole copy, or a backup that is being taken", "a copy that has run"],
)
def test_data_that_is_no_half_a_copy_stays(patroni: Patroni, tmp_path: Path, names: tuple[str, ...]) -> None:
    put(tmp_path / "data", *names)
    before = sorted(tmp_path.rglob("*"))
    patroni.forget_half_a_copy()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_copy_that_is_still_being_made_is_waited_for(patroni: Patroni, tmp_path: Path) -> None:
    put(tmp_path / "data", "backup_label")
    words = ["/usr/bin/pg_basebackup", "-c", "read x; :", f"--pgdata={tmp_path}/data"]
    with subprocess.Popen(words, executable="/bin/sh", stdin=subprocess.PIPE) as copying:
        eventually(lambda: is_copying(f"{tmp_path}/data"), "it copies")
        with pytest.raises(Refused, match="is being made"):
            patroni.forget_half_a_copy()
        assert copying.stdin
        copying.stdin.close()
    patroni.forget_half_a_copy()
    assert not list((tmp_path / "data").iterdir())


def test_data_that_is_gone_leaves_a_place_for_a_copy(patroni: Patroni, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "data")
    patroni.forget_half_a_copy()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
