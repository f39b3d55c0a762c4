"""The part of the data program that looks at a PostgreSQL: what keeps it from being one of two, how it is.

It runs by any Python from 3.6 on.
"""

import os
import re
import socket
import subprocess
from typing import Any

from nospof.adapters.machine.data_door import HEALTH_PORT, Door
from nospof.adapters.machine.data_machine import found_program
from nospof.adapters.machine.data_patroni import PATRONI_UNIT, REST_PORT, Patroni
from nospof.adapters.machine.data_postgresql_check import DATABASE_NAMES, table_sums
from nospof.adapters.machine.data_postgresql_server import (
    NEEDED_PROGRAMS,
    RULES,
    SOCKETS,
    PostgresServer,
)
from nospof.adapters.machine.data_votes import CLIENT_PORT, PEER_PORT
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

LEAST_VERSION = 130000
"""Older ones keep no bounded amount of what a member that is away will need."""
OWNER_SETTINGS = """
SELECT current_setting('server_version_num')::int AS number, pg_is_in_recovery() AS copy,
  current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages,
  current_setting('synchronous_standby_names') AS names
"""
TOLD_USES = """
SELECT 'slot' AS kind, slot_name::text AS what FROM pg_replication_slots WHERE slot_type = 'logical'
UNION ALL SELECT 'replica', coalesce(client_addr::text, application_name) FROM pg_stat_replication
UNION ALL SELECT 'subscription', subname::text FROM pg_subscription
UNION ALL SELECT 'space', spcname::text FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')
UNION ALL SELECT 'client', client_addr::text FROM pg_stat_activity WHERE client_addr IS NOT NULL
  AND NOT client_addr <<= '127.0.0.0/8' AND client_addr <> '::1' AND backend_type = 'client backend'
UNION ALL SELECT 'asynchronous', coalesce(rolname, datname) FROM pg_db_role_setting
  LEFT JOIN pg_roles r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase
  WHERE setconfig && ARRAY['synchronous_commit=off', 'synchronous_commit=local']
"""
UNLOGGED = """
SELECT current_database() || '.' || relnamespace::regnamespace || '.' || relname AS what FROM pg_class
WHERE relkind IN ('r', 'p') AND relpersistence = 'u'
"""
USE_SAYS = {
    "slot": "the logical slot {} stays on the member that it is on: who reads it has to begin anew where "
    "another one leads",
    "replica": "{} follows this server already: it will go on with this one only",
    "subscription": "the subscription {} is taken along by whoever leads",
    "space": "the tablespace {} has to be on the disks that are copied",
    "client": "{} connects from elsewhere, past the door: it will find no writer where another one leads",
    "asynchronous": "{} does not wait for its writes to be kept (synchronous_commit): they may be lost",
    "table": "{} is unlogged: it is empty where another one leads",
}
LOGINS = """
SELECT rolname AS name, rolpassword IS NULL AS bare, oid = 10 AS first,
  EXISTS (SELECT FROM pg_stat_activity WHERE usename = rolname AND backend_type = 'client backend') AS here
FROM pg_authid WHERE rolcanlogin AND rolname NOT IN ('nospof_admin', 'nospof_replication') ORDER BY 1
"""


def hindrance(kind: str, what: str, says: str) -> "dict[str, str]":
    """Return one thing that stands in the way, or should be known."""
    return {"kind": kind, "what": what, "says": says, "mend": ""}


def is_meant(rule: "dict[str, Any]", role: str) -> bool:
    """Whether a line of pg_hba.conf speaks of a role, as far as its words tell."""
    return any(one in ("all", role) for one in rule["user_name"]) and "replication" not in rule["database"]


def accounts(rules: "list[dict[str, Any]]", logins: "list[dict[str, Any]]") -> "list[dict[str, str]]":
    """Return who signs in without a password now, which nobody can behind a door.

    Args:
        rules: rows of pg_hba_file_rules, in their order.
        logins: name, whether it has no password (bare), is the first one made (first), is signed in (here).
    """
    found = []
    local = [one for one in rules if one["type"] == "local"]
    near = [
        one for one in rules if one["type"] == "host" and one["address"] in ("127.0.0.1", "localhost", "all")
    ]
    for role in (one for one in logins if not one["first"]):
        firsts = [next((one for one in some if is_meant(one, role["name"])), None) for some in (local, near)]
        asks = {one["auth_method"] for one in firsts if one}
        free = asks & {"peer", "ident", "trust"}
        if free and (role["bare"] or role["here"] or not asks - free):
            says = (
                "{0} signs in without a password ({1}); behind the door it comes by TCP and needs one: "
                "ALTER ROLE {0} PASSWORD '...', tell it to the application, and have pg_hba.conf ask for it "
                "(scram-sha-256)".format(role["name"], " or ".join(sorted(free)))
            )
            if role["bare"] or role["here"]:
                found.append(hindrance("account", role["name"], says))
    return found


class Look:
    """What can be known of the server of a machine.

    Args:
        server: it.
        patroni: what keeps it, where something does.
        door: where its applications come in.
    """

    def __init__(self, server: PostgresServer, patroni: Patroni, door: Door) -> None:
        self.m, self.server, self.patroni, self.door = server.m, server, patroni, door

    # Before it is one of two --------------------------------------------------------------------------

    def examine(self) -> "dict[str, Any]":
        """See `Database`."""
        server = self.server
        found: dict[str, Any] = {"engine": "postgresql", "obstacles": [], "problem": ""}
        try:
            known = server.facts or server.learn()
            server.facts = known
        except Refused as error:
            return {**found, "problem": str(error)}
        found.update(
            version=known["version"],
            directory="/" + known["directory"].lstrip("/"),
            bytes=size_of(server.directory),
            port=known["port"],
            socket=known["socket"],
        )
        found["obstacles"] = self.programs()
        try:
            found["obstacles"] += self.obstacles()
        except Refused as error:
            found["obstacles"].append(hindrance("access", "postgres", str(error)))
        return found

    def programs(self) -> "list[dict[str, str]]":
        """Return which programs are missing."""
        found = []
        missing = [one for one in NEEDED_PROGRAMS if not os.access(self.server.program(one), os.X_OK)]
        if missing:
            says = "{} is not beside the server: install all of PostgreSQL".format(", ".join(missing))
            found.append(hindrance("program", missing[0], says))
        if not found_program("haproxy"):
            found.append(
                hindrance("program", "haproxy", "HAProxy is not on the machine: sudo apt-get install haproxy")
            )
        try:
            self.patroni.votes.patroni_python()
            self.patroni.votes.kind()
        except Refused as error:
            found.append(hindrance("program", "patroni", str(error)))
        if not self.m.layout() and not self.m.mark:
            busy = [one for one in (REST_PORT, CLIENT_PORT, PEER_PORT, HEALTH_PORT) if is_taken(one)]
            found += [hindrance("port", str(one), f"something listens on port {one} already") for one in busy]
        return found

    def obstacles(self) -> "list[dict[str, str]]":
        """Return what the server itself tells. Raises Refused."""
        said, found = self.server.rows(OWNER_SETTINGS)[0], []
        if said["number"] < LEAST_VERSION:
            found.append(hindrance("setting", "version", "PostgreSQL 13 or newer is needed"))
        if not self.m.layout():
            if said["copy"]:
                found.append(hindrance("setting", "recovery", "this server follows another one: begin there"))
            if said["names"]:
                says = "it waits for replicas of its own (synchronous_standby_names): Patroni says for whom"
                found.append(hindrance("setting", "synchronous_standby_names", says))
            if any(one["name"] == "patroni" for one in self.m.processes):
                found.append(hindrance("engine", "patroni", "Patroni keeps this server already"))
            found += accounts(self.server.rows(RULES), self.server.rows(LOGINS))
        for name, what in (("fsync", said["fsync"]), ("full_page_writes", said["pages"])):
            if what != "on":
                says = f"{name} is off: what was acknowledged may be lost with the power; set it on"
                found.append(hindrance("setting", name, says))
        uses = [] if self.m.layout() else self.server.rows(TOLD_USES)
        for one in self.server.rows(DATABASE_NAMES):
            uses += [{"kind": "table", **row} for row in self.server.rows(UNLOGGED, one["name"])]
        found += [
            hindrance("use", one["what"], USE_SAYS[one["kind"]].format(one["what"]))
            for one in {(row["kind"], row["what"]): row for row in uses}.values()
        ]
        says = f"jobs that sign in by their Unix name have to use -h /{SOCKETS}: the door asks for passwords"
        return [*found, hindrance("use", "postgres", says)]

    # How it is ----------------------------------------------------------------------------------------

    def state(self, layout: "dict[str, Any]") -> "dict[str, Any]":
        """See `Database`."""
        own = self.m.member(layout)
        if own is None:
            if not self.m.is_arbitrator(layout):
                return self.alone("")
            votes = self.patroni.votes.count(layout, layout["arbitrator"])
            says = f"{votes} vote, counted by {'etcd' if self.patroni.votes.etcd() else 'raft'}"
            return {"role": "arbitrator", "ready": votes > 1, "says": says, "votes": votes}
        writer = self.door.leads_to()
        if len(layout["members"]) == 1:
            return self.alone(writer)
        said = self.patroni.says(own)
        found: dict[str, Any] = {
            "votes": self.patroni.votes.count(layout, own),
            "writer": writer,
            "role": "down",
            "says": "Patroni does not answer",
        }
        if not said:
            if not self.m.is_active(PATRONI_UNIT):
                found["says"] = "Patroni does not run"
            return found
        log = said.get("xlog", {})
        lsn = log.get("location", log.get("replayed_location", 0)) or 0
        role = {"primary": "primary", "master": "primary", "replica": "replica"}.get(said["role"], "down")
        found.update(
            role=role if said["state"] == "running" else "down",
            position="{}/{:X}/{:X}".format(said.get("timeline", 0), lsn >> 32, lsn & 0xFFFFFFFF),
            says=self.words(said),
            ready=role == "primary" and said["state"] == "running",
        )
        leader = None if role == "primary" else self.patroni.leader(layout)
        if leader:
            row = self.patroni.in_cluster(leader, own)
            found["ready"] = row.get("role") == "sync_standby"
            found["lag_bytes"] = row["lag"] if isinstance(row.get("lag"), int) else -1
        elif role == "primary":
            found["lag_bytes"] = 0
        return found

    def words(self, said: "dict[str, Any]") -> str:
        """Return Patroni's own words for one member."""
        found = [said["role"], said["state"]]
        found += [said["replication_state"]] if said.get("replication_state") else []
        found += [name for name in ("pause", "pending_restart") if said.get(name)]
        return ", ".join(found)

    def alone(self, writer: str) -> "dict[str, Any]":
        """Return what a plain server is."""
        if not self.server.answers():
            return {"role": "down", "says": "PostgreSQL does not answer", "writer": writer}
        return {
            "role": "alone",
            "ready": True,
            "says": "a plain server",
            "position": self.current(),
            "writer": writer,
        }

    def current(self) -> str:
        """Return timeline and place of a server that runs. Raises Refused."""
        row = self.server.rows(
            "SELECT (SELECT timeline_id FROM pg_control_checkpoint()) AS line, "
            "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn"
        )[0]
        return "{}/{}".format(row["line"], row["lsn"])

    def position(self) -> str:
        """Return timeline and place of the last record on the disk: no checkpoint tells of those after it."""
        if not self.server.facts:
            raise Refused("no PostgreSQL is on this machine")
        if self.server.process() is not None:
            return self.current()
        code, said, wrong = self.server.tool("pg_controldata", "-D", self.server.directory)
        if code:
            raise Refused(f"pg_controldata: {wrong}")
        told = dict(re.findall(r"^([^:\n]+):\s*(.*?)\s*$", said, re.MULTILINE))
        line = told["Latest checkpoint's TimeLineID"]
        end = told["Latest checkpoint location"]
        command = ["-p", os.path.join(self.server.directory, "pg_wal"), "-t", line]
        return "{}/{}".format(
            line, self.last_record([*command, "-s", told["Latest checkpoint's REDO location"]]) or end
        )

    def last_record(self, words: "list[str]") -> str:
        """Return the place of the last whole record; empty for none. There may be much of it to read."""
        command = [*self.server.prefix(), self.server.program("pg_waldump"), *words]
        last = b""
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **self.server.as_owner()
        ) as reading:
            for row in reading.stdout or ():
                last = row
        found = re.search(r"lsn: ([0-9A-F]+/[0-9A-F]+)", last.decode("utf-8", "replace"))
        return found.group(1) if found else ""

    def check(self, wanted: "list[str]") -> "dict[str, Any]":
        """See `Database`. Of a plain server nothing was kept."""
        self.server.facts = self.server.facts or self.server.learn()
        return table_sums(self.server, wanted)


def size_of(directory: str) -> int:
    """Return what is in a directory, in bytes."""
    found = 0
    for place, _, names in os.walk(directory):
        for name in names:
            try:
                found += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return found


def is_taken(port: int) -> bool:
    """Whether something listens on a port at the address that others know this machine by."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("169.254.169.254", 9))  # nothing is sent
            socket.create_connection((asked.getsockname()[0], port), timeout=1.0).close()
        except OSError:
            return False
    return True
