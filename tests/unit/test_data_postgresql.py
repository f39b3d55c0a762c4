"""The data program's words for PostgreSQL: who may come in, what Patroni and etcd are told."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from nospof.adapters.machine.data_patroni import RELEASE, member_configuration, patroni_unit
from nospof.adapters.machine.data_postgresql_look import accounts
from nospof.adapters.machine.data_postgresql_server import (
    configuration,
    hba_block,
    own_settings,
    twins_of,
    without_block,
)
from nospof.adapters.machine.data_votes import etcd_configuration, founder, refuse_even, seat_name
from nospof.adapters.machine.hold_databases import Refused

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
    assert shared["maximum_lag_on_failover"] == 0
    assert shared["ignore_slots"] == [{"name": "debezium"}]
    assert shared["postgresql"]["parameters"]["max_slot_wal_keep_size"] == "512MB"


def test_what_is_a_members_own_is_not_shared() -> None:
    parameters = member_configuration(THREE, A, SERVER, "")["bootstrap"]["dcs"]["postgresql"]["parameters"]
    assert not {"listen_addresses", "port", "cluster_name", "unix_socket_directories"} & set(parameters)


def test_what_the_server_had_is_kept_where_it_is_enough() -> None:
    settings = own_settings(FACTS, "shop", "10.0.1.5", "/s")
    assert settings["max_wal_senders"] == 10
    assert settings["max_replication_slots"] == 20
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
