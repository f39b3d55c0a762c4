"""The part of the data program that knows Galera's texts: settings, state files, the arbitrator's unit.

The figures of failure detection are measured: with the defaults, writers stand still for 6 s when a member
dies; with these for 2 to 3 s. All who vote have the same. It runs by any Python from 3.6 on.
"""

import os
import re
import socket
import struct
from typing import Any

from nospof.adapters.machine.data_machine import Host
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

GALERA_PORT, IST_PORT, SST_PORT = 4567, 4568, 4444
MARIADB_PORT = 3306
DETECTION = (
    "evs.keepalive_period=PT0.3S;evs.inactive_check_period=PT0.3S;evs.suspect_timeout=PT1.5S;"
    "evs.inactive_timeout=PT5S;evs.install_timeout=PT5S;gmcast.peer_timeout=PT2S"
)
MIB = 1 << 20
CACHE_LEAST, CACHE_MOST = 128 * MIB, 2048 * MIB
ARBITRATOR_UNIT = "nospof-arbitrator.service"
ADMINISTRATION = ("mysql", "mysqladmin", "mysqldump", "mysqlcheck", "mysql_upgrade", "mariabackup")


def cache_bytes(free_disk: int, memory: int) -> int:
    """Return how much of what was written a member keeps for one that was away.

    It is a file, and what of it is in memory the kernel can take back: a tenth of the disk that is free, and
    no more than a quarter of the memory.
    """
    return max(CACHE_LEAST, min(CACHE_MOST, free_disk // 10, memory // 4) // MIB * MIB)


def server_id(address: str) -> int:
    """Return a number that no other address has."""
    return int(struct.unpack("!I", socket.inet_aton(address))[0])


def cluster_address(layout: "dict[str, Any]", is_first: bool = False) -> str:
    """Return whom a member looks for; nobody where it begins by itself."""
    if is_first or len(layout["members"]) == 1:
        return "gcomm://"
    voters = [*layout["members"], *([layout["arbitrator"]] if layout.get("arbitrator") else [])]
    return "gcomm://" + ",".join(one["address"] for one in voters)


def galera_settings(layout: "dict[str, Any]", me: "dict[str, Any]", facts: "dict[str, Any]") -> str:
    """Return the configuration of one member, made anew at every start and never copied.

    Args:
        facts: `provider`, `socket`, `client_socket`, `cache_bytes`, `sst_method`, `sst_port`, `sst_user`,
            `is_first`, `appliers`, and `position`: where an unclean end left it; empty otherwise.
    """
    address = me["address"]
    provider_options = [
        f"gmcast.listen_addr=tcp://{address}:{GALERA_PORT}",
        f"ist.recv_addr={address}:{IST_PORT}",
        "gcache.size={}M".format(facts["cache_bytes"] // MIB),
        "gcache.recover=yes",
        DETECTION,
    ]
    lines = [
        "# Written by nospof at every start of the server: changes are lost.",
        "[mysqld]",
        f"bind-address = {address}",
        f"port = {MARIADB_PORT}",
        "skip-networking = 0",
        "socket = {}".format(facts["socket"]),
        "skip-name-resolve = 1",
        "max-connect-errors = 1000000",
        f"server-id = {server_id(address)}",
        "binlog-format = ROW",
        "default-storage-engine = InnoDB",
        "innodb-autoinc-lock-mode = 2",
        "innodb-flush-log-at-trx-commit = 1",
        "wsrep-on = ON",
        "wsrep-slave-threads = {}".format(facts["appliers"]),
        "wsrep-provider = {}".format(facts["provider"]),
        "wsrep-cluster-name = {}".format(layout["cluster"]),
        "wsrep-cluster-address = {}".format(cluster_address(layout, facts["is_first"])),
        "wsrep-node-name = {}".format(me.get("id") or address),
        f"wsrep-node-address = {address}",
        f"wsrep-node-incoming-address = {address}:{MARIADB_PORT}",
        f"wsrep-sst-receive-address = {address}:{facts['sst_port']}",
        "wsrep-sst-method = {}".format(facts["sst_method"]),
        'wsrep-provider-options = "{}"'.format(";".join(provider_options)),
    ]
    if facts["sst_method"] == "mariabackup":
        lines.append("wsrep-sst-auth = {}:".format(facts["sst_user"]))
    if len(layout["members"]) > 1:
        lines.append("event-scheduler = OFF")  # events run on one member only: the health program sees to it
    if facts["position"]:
        lines.append("wsrep-start-position = {}".format(facts["position"]))
    for one in ADMINISTRATION:
        lines += [f"[{one}]", "socket = {}".format(facts["client_socket"])]
    return "\n".join(lines) + "\n"


# What a member keeps of the cluster -------------------------------------------------------------------


def grastate(directory: str) -> "dict[str, str]":
    """Return what Galera noted of a member at its last end: uuid, seqno and whether it may begin."""
    try:
        with open(os.path.join(directory, "grastate.dat"), encoding="ascii", errors="replace") as file:
            return dict(re.findall(r"(?m)^(\w+):\s*(\S+)", file.read()))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Refused(f"grastate.dat cannot be read: {error}")  # noqa: B904 - the cause says no more


def noted_position(state: "dict[str, str]") -> str:
    """Return how far a member was, where it noted it at a clean end."""
    uuid, seqno = state.get("uuid", ""), state.get("seqno", "-1")
    return f"{uuid}:{seqno}" if uuid.strip("0-") and int(seqno) >= 0 else ""


def recovered_position(log: str) -> str:
    """Return the position that a server found in its own files, as its log says it; empty for none."""
    found = re.findall(r"WSREP: Recovered position:?\s*([0-9a-f-]{36}:-?\d+)", log)
    return found[-1] if found and not found[-1].endswith(":-1") else ""


def allow_bootstrap(m: Host, directory: str, is_allowed: bool) -> None:
    """Say in a member's notes whether it may begin as the first."""
    name = os.path.relpath(os.path.join(directory, "grastate.dat"), m.root)
    if os.path.exists(m.path(name)):
        with open(m.path(name), encoding="ascii", errors="replace") as file:
            text = file.read()
        said = re.sub(r"(?m)^safe_to_bootstrap:.*$", f"safe_to_bootstrap: {int(is_allowed)}", text)
        mode = os.stat(m.path(name)).st_mode & 0o777
        m.write(name, said, mode, owner=directory)


# The arbitrator ---------------------------------------------------------------------------------------


def arbitrator_unit(program: str, layout: "dict[str, Any]") -> str:
    """Return the unit of who votes and keeps nothing."""
    address = layout["arbitrator"]["address"]
    members = ",".join("{}:{}".format(one["address"], GALERA_PORT) for one in layout["members"])
    options = f"gmcast.listen_addr=tcp://{address}:{GALERA_PORT};{DETECTION}"
    return f"""\
[Unit]
Description=The vote of nospof's arbitrator in {layout["cluster"]}
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={program} --group {layout["cluster"]} --address gcomm://{members} --options "{options}"
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""
