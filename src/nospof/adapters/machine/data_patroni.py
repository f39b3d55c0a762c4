"""The part of the data program that speaks with Patroni: its configuration, its unit, its REST API.

It runs by any Python from 3.6 on.
"""

import base64
import contextlib
import json
import os
import shutil
import time
from typing import Any

from nospof.adapters.machine.data_machine import Host
from nospof.adapters.machine.data_postgresql_server import (
    ADMIN,
    LOOK_AGAIN_SECONDS,
    REPLICATION,
    PostgresServer,
    own_settings,
)
from nospof.adapters.machine.data_votes import (
    CLIENT_PORT,
    VOTES_DIRECTORY,
    Votes,
    raft_section,
    rest,
    seat_name,
)
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

PATRONI_UNIT = "nospof-patroni.service"
PATRONI_CONFIGURATION = "etc/nospof/patroni.json"
REST_PORT = 8008
OWN_SETTINGS = ("listen_addresses", "port", "unix_socket_directories", "cluster_name")
"""Settings that Patroni makes of a member's own configuration."""
TTL_SECONDS = 20
"""Patroni takes no less. So long a leader's place is kept that does not say that it lives."""
ANY_BYTES = 2**40
HANDOVER_SECONDS = 60.0
LEAVES_SECONDS = 10.0
"""A machine that is about to end has no longer to hand over: it may be off before it has answered."""
LEADS_SECONDS = 120.0
RELEASE = """
import inspect, json, os, sys
from patroni.dcs import get_dcs
config, gone = json.load(open(sys.argv[1])), sys.argv[2]
config.update(name=gone, patronictl=True, **config["bootstrap"]["dcs"])
dcs = get_dcs(config)
leader = dcs.get_cluster().leader
if leader and leader.name == gone:
    takes = inspect.signature(dcs.delete_leader).parameters
    print("released" if dcs.delete_leader(*([leader] if "leader" in takes else [])) else "refused")
else:
    print("held by", leader.name if leader else "nobody")
sys.stdout.flush()
os._exit(0)
"""
"""Patroni's own words for "the leader is gone", said for one that cannot say it: its REST API has none, and
a failover that is asked for waits for the leader's time to be over."""


def shared_configuration(facts: "dict[str, Any]") -> "dict[str, Any]":
    """Return what holds for all members, once the first leads.

    Synchronous: what was acknowledged is on both. Not strict: where one is left, it goes on alone, and then
    only it may lead. A replica that lacks anything acknowledged never leads: who is not noted as synchronous
    may not. What it lacks of the rest must not matter: a primary that was cut off has told of writes that
    reached nobody, and nobody would ever lead.
    """
    own = own_settings(facts, "", "", "")
    return {
        "ttl": TTL_SECONDS,
        "loop_wait": 2,
        "retry_timeout": 3,
        "maximum_lag_on_failover": ANY_BYTES,
        "primary_start_timeout": 0,
        "synchronous_mode": True,
        "ignore_slots": [{"name": one} for one in facts["slots"]],
        "postgresql": {
            "use_pg_rewind": True,
            "use_slots": True,
            "parameters": {
                **facts["parameters"],
                **{one: value for one, value in own.items() if one not in OWN_SETTINGS},
            },
        },
    }


def member_configuration(
    layout: "dict[str, Any]", own: "dict[str, Any]", server: "dict[str, Any]", raft_place: str
) -> "dict[str, Any]":
    """Return Patroni's configuration on one member.

    Args:
        server: facts, secrets, and where its data, programs, configuration and passwords file are here.
        raft_place: where its own votes are kept; empty where etcd counts them.
    """
    facts, secrets, address = server["facts"], server["secrets"], own["address"]
    netloc = "[" + address + "]" if ":" in address else address
    votes: dict[str, Any] = (
        {"raft": raft_section(layout, own, raft_place)}
        if raft_place
        # Its own etcd tells it of the others: it is of no cluster but the one that this machine was let into.
        else {"etcd3": {"hosts": [f"{address}:{CLIENT_PORT}"]}}
    )
    database: dict[str, Any] = {
        "listen": "{}:{}".format(address, facts["port"]),
        "connect_address": "{}:{}".format(netloc, facts["port"]),
        "data_dir": server["data"],
        "config_dir": server["config"],
        "bin_dir": server["programs"],
        "pgpass": server["pgpass"],
        "authentication": {
            "superuser": {"username": ADMIN, "password": secrets["admin"]},
            "replication": {"username": REPLICATION, "password": secrets["replication"]},
        },
        "parameters": {"unix_socket_directories": server["sockets"]},
        "pg_ctl_timeout": 300,
        # A copy begins with a checkpoint: the usual, spread one takes minutes in which one member serves.
        "basebackup": [{"checkpoint": "fast"}],
    }
    return {
        "scope": layout["cluster"],
        "name": seat_name(own),
        "restapi": {
            "listen": f"{netloc}:{REST_PORT}",
            "connect_address": f"{netloc}:{REST_PORT}",
            "authentication": {"username": ADMIN, "password": secrets["rest"]},
        },
        "bootstrap": {"dcs": shared_configuration(facts)},
        "postgresql": database,
        "watchdog": {"mode": "automatic"},
        **votes,
    }


def patroni_unit(m: Host, command: "list[str]", owner: str) -> str:
    """Return the unit of Patroni. Its end does not end PostgreSQL unless Patroni ends it."""
    user = f"User={owner}\n" if owner else ""
    return (
        "[Unit]\nDescription=nospof: Patroni, which keeps PostgreSQL\nAfter=network-online.target\n"
        "Wants=network-online.target\n\n"
        f"[Service]\nType=simple\n{user}ExecStartPre=+{m.program('boot', PATRONI_UNIT)}\n"
        f"ExecStart={' '.join(command)}\nExecReload=/bin/kill -HUP $MAINPID\nKillMode=process\n"
        "Restart=always\nRestartSec=1\nTimeoutStopSec=120\n\n[Install]\nWantedBy=multi-user.target\n"
    )


def is_copying(data: str) -> bool:
    """Whether a process copies all data to this directory."""
    for one in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{one}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
            if os.path.basename(words[0]) == b"pg_basebackup" and os.fsencode(f"--pgdata={data}") in words:
                return True
    return False


def empty(directory: str) -> None:
    """Remove all that is in a directory."""
    for one in os.scandir(directory):
        if one.is_dir(follow_symlinks=False):
            shutil.rmtree(one.path)
        else:
            os.unlink(one.path)


class Patroni:
    """The Patroni of one machine, and those that it votes with.

    Args:
        m: the machine.
        server: its PostgreSQL.
    """

    def __init__(self, m: Host, server: PostgresServer) -> None:
        self.m, self.server, self.votes = m, server, Votes(m)

    # Asking -------------------------------------------------------------------------------------------

    def leads(self, seat: "dict[str, Any]") -> bool:
        """Whether a member leads now, by its own word."""
        return rest(seat["address"], REST_PORT, "/primary", seconds=2.0)[0] == 200

    def leader(self, layout: "dict[str, Any]") -> "dict[str, Any] | None":
        """Return the member that leads; None where none says so."""
        return next((one for one in layout["members"] if self.leads(one)), None)

    def says(self, seat: "dict[str, Any]") -> "dict[str, Any]":
        """Return what a member tells of itself; nothing where it does not answer."""
        said = rest(seat["address"], REST_PORT, "/patroni")[1]
        return said if isinstance(said, dict) else {}

    def in_cluster(self, asked: "dict[str, Any]", seat: "dict[str, Any]") -> "dict[str, Any]":
        """Return what one member knows of another; nothing where it does not."""
        said = rest(asked["address"], REST_PORT, "/cluster")[1]
        rows = said.get("members", []) if isinstance(said, dict) else []
        return next((one for one in rows if one.get("name") == seat_name(seat)), {})

    def streams(self, leader: "dict[str, Any]", seat: "dict[str, Any]") -> bool:
        """Whether a member is sent what the leader writes."""
        rows = self.says(leader).get("replication", [])
        named = [one for one in rows if one.get("application_name") == seat_name(seat)]
        return any(one.get("state") == "streaming" for one in named)

    def is_in_step(self, asked: "dict[str, Any]", seat: "dict[str, Any]") -> bool:
        """Whether a member has all that was acknowledged."""
        return self.in_cluster(asked, seat).get("role") == "sync_standby"

    def tell(
        self, seat: "dict[str, Any]", path: str, body: "dict[str, Any]", **options: Any
    ) -> "tuple[int, Any]":
        """Have a member do something; return code and answer."""
        word = "{}:{}".format(ADMIN, self.server.secrets().get("rest", ""))
        headers = {"Authorization": "Basic " + base64.b64encode(word.encode()).decode()}
        return rest(seat["address"], REST_PORT, path, body, headers=headers, **options)

    def wait(self, what: Any, seconds: float) -> bool:
        """Wait until something is so; return whether it is."""
        ends = time.monotonic() + seconds
        while not what():
            if time.monotonic() > ends:
                return False
            time.sleep(LOOK_AGAIN_SECONDS)
        return True

    # Acts ---------------------------------------------------------------------------------------------

    def switch(
        self, layout: "dict[str, Any]", to: "dict[str, Any]", seconds: float = HANDOVER_SECONDS
    ) -> None:
        """Have another member lead, where it has all that was acknowledged. Raises Refused."""
        leader = self.leader(layout)
        if leader is None:
            raise Refused("no member of the cluster leads: " + self.words(layout))
        if leader == to:
            return
        if not self.wait(lambda: self.is_in_step(leader, to), seconds):
            raise Refused(
                "{} does not have all that was acknowledged: {}".format(
                    to["address"], self.in_cluster(leader, to).get("state", "Patroni does not run there")
                )
            )
        code, said = self.tell(
            leader,
            "/switchover",
            {"leader": seat_name(leader), "candidate": seat_name(to)},
            seconds=seconds,
        )
        if code != 200 or not self.wait(lambda: self.leads(to), seconds):
            raise Refused("writes could not be handed to {}: {}".format(to["address"], said))
        self.m.done("writes were handed to {}".format(to["address"]))

    def release(self, gone: "dict[str, Any]") -> None:
        """Have nobody wait any longer for a leader that is gone. Raises Refused."""
        config = self.m.path(PATRONI_CONFIGURATION)
        command = [self.votes.patroni_python(), "-c", RELEASE, config, seat_name(gone)]
        code, said, wrong = self.server.asked(command, seconds=30)
        if code or "refused" in said:
            raise Refused(f"the place of {seat_name(gone)} could not be freed: {wrong or said}")
        if "released" in said:
            self.m.done(f"nobody waits for {seat_name(gone)} any longer")

    def pause(self, own: "dict[str, Any]", is_paused: bool) -> None:
        """Have nobody take over, or again. Raises Refused."""
        code, said = self.tell(own, "/config", {"pause": is_paused}, method="PATCH", seconds=10.0)
        if code != 200 or not self.wait(lambda: bool(self.says(own).get("pause")) == is_paused, 30):
            raise Refused(f"Patroni does not take its {'pause' if is_paused else 'work'}: {said}")

    def words(self, layout: "dict[str, Any]") -> str:
        """Return what each member says of itself."""
        return "; ".join(
            "{}: {}".format(one["address"], self.says(one).get("state", "no answer"))
            for one in layout["members"]
        )

    def forget_half_a_copy(self) -> None:
        """Have room for a copy of all data, where one was broken off: Patroni starts from none, and ends.

        Such a copy begins with backup_label, brings global/pg_control last of the data, and ends by giving
        backup_manifest its name. Raises Refused: one is being made.
        """
        data = self.server.directory
        if not os.path.isdir(data):
            whose = os.stat(self.m.path(PATRONI_CONFIGURATION))
            os.mkdir(data, 0o700)
            if os.geteuid() == 0:
                os.chown(data, whose.st_uid, whose.st_gid)
        is_begun, is_unnamed, has_data = (
            os.path.exists(os.path.join(data, one))
            for one in ("backup_label", "backup_manifest.tmp", "global/pg_control")
        )
        if not is_begun or (has_data and not is_unnamed):
            return
        if is_copying(data):
            raise Refused("a copy of all data is being made: Patroni has to wait for its end")
        spaces = os.path.join(data, "pg_tblspc")
        links = [os.path.join(spaces, one) for one in (os.listdir(spaces) if os.path.isdir(spaces) else [])]
        for one in [*links, os.path.join(data, "pg_wal")]:
            if os.path.islink(one) and os.path.isdir(one):
                empty(os.path.realpath(one))
        empty(data)
        self.m.done("half a copy of all data was taken away: it is copied anew")

    # Its unit -----------------------------------------------------------------------------------------

    def configure(self, layout: "dict[str, Any]", own: "dict[str, Any]", sockets: str) -> bool:
        """Write its configuration; return whether it changed."""
        server = {
            "facts": self.server.facts,
            "secrets": self.server.secrets(),
            "data": self.server.directory,
            "config": os.path.dirname(self.server.config),
            "programs": self.server.program(""),
            "pgpass": self.server.passwords_file,
            "sockets": sockets,
        }
        raft_place = ""
        if not self.votes.etcd():
            raft_place = self.votes.directory(own)
            self.make_raft_place(raft_place)
        text = json.dumps(member_configuration(layout, own, server, raft_place), sort_keys=True, indent=1)
        return self.m.write(PATRONI_CONFIGURATION, text + "\n", 0o600, owner=self.server.directory)

    def make_raft_place(self, place: str) -> None:
        """Make the directory that Patroni keeps its votes in; it is its user's."""
        os.makedirs(place, mode=0o700, exist_ok=True)
        whose = os.stat(self.server.directory)
        for one in (self.m.path(VOTES_DIRECTORY), place):
            if os.geteuid() == 0:
                os.chown(one, whose.st_uid, whose.st_gid)

    def command(self) -> "list[str]":
        """Return how Patroni is started. Raises Refused: it is not there."""
        self.votes.patroni_python()
        return [*self.server.prefix(), self.votes.patroni(), self.m.place(PATRONI_CONFIGURATION)]

    def install(self) -> None:
        """Have its unit on the machine, started at boot."""
        self.m.unit(PATRONI_UNIT, patroni_unit(self.m, self.command(), self.server.owner()))
        self.m.systemctl("enable", PATRONI_UNIT)
