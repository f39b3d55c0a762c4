"""The part of the script that tells which servers keep data, with whom they are in step, and who votes.

Command lines, environments and configurations are searched for known settings; nothing else of them
leaves the machine.
"""

import json
import os
import re
from typing import Any

from nospof.adapters.machine.probe_machine import Machine, Unreadable, settings

# The sender cuts here: what stands above is in the parts before, but for the imports.

# Process name: engine, flags that name its data directory, where the data is otherwise.
ENGINES = {
    "mysqld": ("mysql", ("--datadir",), "/var/lib/mysql"),
    "mariadbd": ("mariadb", ("--datadir",), "/var/lib/mysql"),
    "postgres": ("postgresql", ("-D", "--data_directory"), "/var/lib/postgresql"),
    "redis-server": ("redis", ("--dir",), "/var/lib/redis"),
    "valkey-server": ("valkey", ("--dir",), "/var/lib/valkey"),
    "mongod": ("mongodb", ("--dbpath",), "/var/lib/mongodb"),
    "etcd": ("etcd", ("--data-dir",), "/var/lib/etcd"),
    "memcached": ("memcached", (), ""),
    "beam.smp": ("rabbitmq", (), "/var/lib/rabbitmq"),
}
MYSQL_FILES = ("/etc/mysql", "/etc/mysql/conf.d", "/etc/mysql/mariadb.conf.d", "/etc/my.cnf.d")
LAYOUT = "/etc/nospof/layout.json"


def engines(m: Machine) -> "list[Any]":
    """Return the data engines that run, where their data is, and whom they keep in step with."""
    found: dict[Any, Any] = {}
    see_others(m)
    for process in m.processes:
        if process["name"] not in ENGINES:
            continue
        engine, flags, directory = ENGINES[str(process["name"])]
        directory = within(m, flag_of(process["command"], flags)) or directory
        row: dict[str, Any] = {"engine": engine, "directory": directory, "role": "", "group": "", "peers": []}
        row["synchronous"] = ""
        if engine in ("mysql", "mariadb"):
            row.update(mysql(m))
            row["directory"] = within(m, flag_of(process["command"], flags)) or row["directory"] or directory
        elif engine == "postgresql":
            row.update(postgresql(m, directory, process["command"]))
        elif engine in ("redis", "valkey"):
            row.update(redis(m, engine))
        elif engine == "etcd":
            hosts = re.findall(
                r"https?://\[?([\w.:-]+?)\]?:\d+", flag_of(process["command"], ("--initial-cluster",))
            )
            row.update(group="etcd" if len(hosts) > 1 else "", peers=sorted(set(hosts)))
        elif engine == "mongodb":
            name = flag_of(process["command"], ("--replSet",))
            row.update(group="replica set" if name or "replSetName" in m.read("/etc/mongod.conf") else "")
        found.setdefault((engine, directory), row)
    return [found[key] for key in sorted(found)]


def see_others(m: Machine) -> None:
    """Refuse to speak of processes where those of others are hidden."""
    if not m.mark and not os.path.exists(m.proc + "/1/comm"):
        raise Unreadable("processes of others are hidden: needs root")


def within(m: Machine, path: str) -> str:
    """Return a path as the machine has it: one that is a directory may be told with where that is."""
    return path[len(m.root) :] if m.root != "/" and path.startswith(m.root + "/") else path


def flag_of(command: Any, flags: "tuple[str, ...]") -> str:
    """Return the value of a flag on a command line: `--flag=value`, `--flag value`."""
    words = [str(one) for one in command] if isinstance(command, list) else []
    for at, word in enumerate(words):
        for flag in flags:
            if word.startswith(flag + "="):
                return word[len(flag) + 1 :]
            if word == flag and at + 1 < len(words):
                return words[at + 1]
    return ""


def mysql(m: Machine) -> "dict[str, Any]":
    """Return where MySQL or MariaDB keeps its data and what Galera cluster it is configured for."""
    files = [
        "/etc/my.cnf",
        *(at + "/" + one for at in MYSQL_FILES for one in m.names(at) if one.endswith(".cnf")),
    ]
    wanted = ("wsrep_on", "wsrep_cluster_address", "datadir")
    said = {}
    for one in files:
        said.update(settings(m.read(one), wanted))
    hosts = re.match(r"gcomm://([^?]*)", said.get("wsrep_cluster_address", ""))
    peers = sorted({one.split(":")[0].strip() for one in hosts.group(1).split(",")} - {""}) if hosts else []
    is_on = said.get("wsrep_on", "on" if peers else "off").lower() in ("on", "1", "true")
    return {
        "directory": said.get("datadir", ""),
        "group": "galera" if is_on and peers else "",
        "peers": peers,
    }


def postgresql(m: Machine, directory: str, command: Any) -> "dict[str, Any]":
    """Return whether PostgreSQL follows a primary, who decides that, and whether a write waits for a copy."""
    is_standby = os.path.exists(m.path(directory + "/standby.signal"))
    said = settings(m.read(directory + "/postgresql.auto.conf"), ("primary_conninfo",)) if is_standby else {}
    host = re.search(r"\bhost=([\w.:-]+)", said.get("primary_conninfo", ""))
    is_patroni = any("patroni" in str(word) for p in m.processes for word in list(p["command"])[:2])
    waits = ""
    if is_patroni or os.path.lexists(m.path(LAYOUT)):
        waits = patroni_waits(m, directory)
    elif not is_standby:
        waits = waits_for(m, directory, command)
    return {
        "role": "replica" if is_standby else "",
        "group": "patroni" if is_patroni else "",
        "peers": [host.group(1)] if host else [],
        "synchronous": waits,
    }


def patroni_waits(m: Machine, directory: str) -> str:
    """Return "on" or "off", as all members of a Patroni cluster do; empty where that cannot be told.

    Patroni keeps beside the data what holds for all members.
    """
    try:
        said = json.loads(m.read(directory + "/patroni.dynamic.json"))
    except ValueError:
        return ""
    if not isinstance(said, dict):
        return ""
    return "on" if said.get("synchronous_mode") in (True, "on", "true", "quorum") else "off"


def waits_for(m: Machine, directory: str, command: Any) -> str:
    """Return "on" where a primary acknowledges what a standby has too, else "off"; empty for no settings."""
    main = flag_of(command, ("--config_file", "--config-file")) or setting_of(command, "config_file")
    # Debian keeps them apart from the data, by the same version and name.
    at = main or directory.replace("/var/lib/postgresql/", "/etc/postgresql/") + "/postgresql.conf"
    aside = os.path.dirname(at) + "/conf.d"
    files = [directory + "/postgresql.conf", at, *(aside + "/" + one for one in m.names(aside))]
    texts = [m.read(one) for one in [*files, directory + "/postgresql.auto.conf"]]
    said: dict[str, str] = {}
    for text in texts:
        for name, value in settings(text, ("synchronous_standby_names", "synchronous_commit")).items():
            said[name] = value.partition("#")[0].strip().strip("'")
    if not any(texts):
        return ""
    is_waiting = said.get("synchronous_commit", "on") not in ("off", "local")
    return "on" if said.get("synchronous_standby_names") and is_waiting else "off"


def setting_of(command: Any, name: str) -> str:
    """Return a setting that a command line gives with `-c name=value`."""
    words = [str(one) for one in command] if isinstance(command, list) else []
    given = [word[len(name) + 1 :] for word in words if word.startswith(name + "=")]
    return given[-1] if given else ""


def redis(m: Machine, engine: str) -> "dict[str, Any]":
    """Return whom Redis or Valkey follows."""
    text = "".join(m.read(f"/etc/{engine}/{engine}.conf") or m.read(f"/etc/{engine}.conf"))
    said = settings(text, ("replicaof", "slaveof")) if text else {}
    host = "".join(list(said.values())[:1]).split()
    return {"role": "replica" if host else "", "peers": host[:1]}


# Who votes -------------------------------------------------------------------------------------------


def votes(m: Machine) -> "list[Any]":
    """Return the seats of the layout that was applied here, else whom an arbitrator of Galera names."""
    path = m.path(LAYOUT)
    if os.path.lexists(path):
        return seats(m.read(LAYOUT))
    see_others(m)
    found = []
    for command in (list(one["command"]) for one in m.processes if one["name"] == "garbd"):
        kept = flag_of(command, ("--cfg", "-c"))
        said = settings(m.read(kept), ("address", "group")) if kept else {}
        hosts = re.match(r"gcomm://([^?]*)", flag_of(command, ("--address", "-a")) or said.get("address", ""))
        group = flag_of(command, ("--group", "-g")) or said.get("group", "")
        named = (
            {re.sub(r":\d+$", "", one.strip()).strip("[]") for one in hosts.group(1).split(",")}
            if hosts
            else ()
        )
        found += [vote("garbd", "galera", group, "member", {"address": one}) for one in sorted(named) if one]
    return found


def seats(text: str) -> "list[Any]":
    """Return the seats of a layout; none where it makes a plain server. Raises Unreadable: it is none."""
    try:
        said = json.loads(text)
        group, cluster, members = said["engine"], said["cluster"], said["members"]
        if not isinstance(members, list):
            raise TypeError(members)  # noqa: TRY301
        rows = [vote("layout", group, cluster, "member", one) for one in members]
        if rows and said.get("arbitrator"):
            rows.append(vote("layout", group, cluster, "arbitrator", said["arbitrator"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreadable(LAYOUT + " is no layout")  # noqa: B904 - the cause says no more
    return rows


def vote(by: str, group: str, cluster: str, role: str, seat: "dict[str, Any]") -> "dict[str, str]":
    """Return the row of one vote. Raises TypeError: a part of it is no text, or there is no address."""
    row = {"by": by, "group": group, "cluster": cluster, "role": role, "address": seat["address"]}
    row.update(id=seat.get("id", ""), zone=seat.get("zone", ""))
    if group not in ("galera", "patroni") or not all(isinstance(one, str) for one in row.values()):
        raise TypeError(group)
    return row
