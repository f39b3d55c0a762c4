"""The part of the data program that says what keeps a MariaDB from being one of two, and mends what it can.

All is asked by SQL before anything is touched. It runs by any Python from 3.6 on.
"""

import contextlib
import errno
import os
import socket
from typing import Any

from nospof.adapters.machine.data_door import HEALTH_PORT
from nospof.adapters.machine.data_galera import GALERA_PORT, IST_PORT, SST_PORT
from nospof.adapters.machine.data_machine import Host, found_program
from nospof.adapters.machine.data_mariadb_accounts import account_obstacles, has_notes, make_notes, note
from nospof.adapters.machine.data_mariadb_server import (
    SYSTEM_SCHEMAS,
    Asking,
    Server,
    named,
    quoted,
    variables,
)
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

GIB = 1 << 30
KEY = "nospof_key"
LOOK_SECONDS = 600.0
MEND_SECONDS = 3600.0
"""A table is written anew: whoever asked waits as long as it takes."""
PACKAGES = {
    "galera": ("galera-4", "galera-4"),
    "haproxy": ("haproxy", "haproxy"),
    "copy": ("mariadb-backup socat rsync", "mariadb-backup socat rsync"),
}
TABLES = (
    "FROM information_schema.TABLES t WHERE t.TABLE_TYPE = 'BASE TABLE' AND t.TABLE_SCHEMA NOT IN "
    + SYSTEM_SCHEMAS
)
OF_TABLE = "{0}.TABLE_SCHEMA = t.TABLE_SCHEMA AND {0}.TABLE_NAME = t.TABLE_NAME"
OF_COLUMN = (
    "s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME AND s.COLUMN_NAME = c.COLUMN_NAME"
)
STATISTICS = "information_schema.STATISTICS"
COUNTER = f"information_schema.COLUMNS c WHERE {OF_TABLE.format('c')} AND c.EXTRA LIKE '%auto_increment%'"
FIRST = f"SELECT 1 FROM {STATISTICS} s WHERE {OF_COLUMN} AND s.SEQ_IN_INDEX = 1"
ALONE = (
    f"s.NON_UNIQUE = 0 AND NOT EXISTS (SELECT 1 FROM {STATISTICS} o WHERE o.TABLE_SCHEMA = "
    "s.TABLE_SCHEMA AND o.TABLE_NAME = s.TABLE_NAME AND o.INDEX_NAME = s.INDEX_NAME AND o.SEQ_IN_INDEX = 2)"
)
PRIMARY = f"SELECT 1 FROM {STATISTICS} p WHERE {OF_TABLE.format('p')} AND p.INDEX_NAME = 'PRIMARY'"
SIZE = "COALESCE(t.DATA_LENGTH + t.INDEX_LENGTH, 0)"
ENGINES_SQL = (
    # InnoDB counts by the first column of an index only.
    f"SELECT t.TABLE_SCHEMA, t.TABLE_NAME, COALESCE(t.ENGINE, ''), {SIZE}, "
    f"(SELECT COUNT(*) FROM {COUNTER} AND NOT EXISTS ({FIRST})) "
    f"{TABLES} AND COALESCE(t.ENGINE, '') <> 'InnoDB' ORDER BY 1, 2"
)
KEYLESS_SQL = (
    f"SELECT t.TABLE_SCHEMA, t.TABLE_NAME, {SIZE}, "
    f"COALESCE((SELECT c.COLUMN_NAME FROM {COUNTER} LIMIT 1), ''), "
    f"(SELECT COUNT(*) FROM {COUNTER} AND EXISTS ({FIRST} AND {ALONE})) "
    f"{TABLES} AND t.ENGINE IN ('InnoDB', 'MyISAM', 'Aria') AND NOT EXISTS ({PRIMARY}) ORDER BY 1, 2"
)


def obstacle(kind: str, what: str, says: str, mend: str = "") -> "dict[str, str]":
    """Return an obstacle, as it is told."""
    return {"kind": kind, "what": what, "says": says, "mend": mend}


# Programs, ports, room --------------------------------------------------------------------------------


def program_obstacles(server: Server) -> "list[dict[str, str]]":
    """Return the packages that are missing, each with the line that brings it."""
    found = []
    is_debian = found_program("apt-get") != ""
    install = "sudo apt-get install -y --no-install-recommends " if is_debian else "sudo dnf install -y "
    missing = {
        "galera": "" if server.provider() else "Galera's library",
        "haproxy": "" if found_program("haproxy") else "HAProxy, the door",
        "copy": "" if sst_method() else "what copies the data for a member that joins",
    }
    for name, what in missing.items():
        if what:
            package = PACKAGES[name][0 if is_debian else 1]
            found.append(obstacle("program", package, f"{what} is not on the machine: {install}{package}"))
    return found


def sst_method() -> str:
    """Return how all data is copied to a member, without standing still if possible; empty for not at all."""
    if found_program("mariabackup") and found_program("socat") and found_program("wsrep_sst_mariabackup"):
        return "mariabackup"
    return "rsync" if found_program("rsync") and found_program("wsrep_sst_rsync") else ""


def port_obstacles() -> "list[dict[str, str]]":
    """Return the ports that somebody else has."""
    address, found = own_address(), []
    shared = (SST_PORT,) if os.environ.get("NOSPOF_DISK") else ()  # it is listened to on all addresses
    for port in sorted({GALERA_PORT, IST_PORT, SST_PORT, HEALTH_PORT} - set(shared)):
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind((address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    found.append(obstacle("port", str(port), f"something listens on port {port} already"))
    return found


def own_address() -> str:
    """Return the address that this machine is reached by. Nothing is sent."""
    told = os.environ.get("NOSPOF_ADDRESS", "")
    if told:
        return told
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, contextlib.suppress(OSError):
        one.connect(("169.254.169.254", 9))
        return str(one.getsockname()[0])
    return "127.0.0.1"


def bytes_below(directory: str) -> int:
    """Return how much a directory holds."""
    found = 0
    for at, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                found += os.lstat(os.path.join(at, name)).st_size
    return found


# Tables -----------------------------------------------------------------------------------------------


def table_obstacles(asking: Asking) -> "list[dict[str, str]]":
    """Return the tables that Galera does not carry, and what can be done with each."""
    found = []
    for schema, table, engine, size, odd_counter in asking.rows(ENGINES_SQL, MEND_SECONDS):
        what = f"{schema}.{table}"
        if engine in ("MyISAM", "Aria") and odd_counter == "0":
            says = f"{what} is {engine}, which is not replicated; it would be made InnoDB ({megabytes(size)})"
            found.append(obstacle("engine", what, says, "table"))
        elif engine == "MEMORY":
            says = f"{what} is in memory: each member has its own, empty after a restart as it is today"
            found.append(obstacle("use", what, says))
        else:
            why = "counts by a column that begins no index" if odd_counter != "0" else "is not replicated"
            says = f"{what} is {engine or 'of no engine that runs'} and {why}: make it InnoDB, or drop it"
            found.append(obstacle("engine", what, says))
    for schema, table, size, counter, has_key in asking.rows(KEYLESS_SQL, MEND_SECONDS):
        what = f"{schema}.{table}"
        if counter and has_key == "0":
            says = (
                f"{what} has no primary key, and its counter {counter} is in no unique index: give it a key"
            )
            found.append(obstacle("key", what, says))
        else:
            how = f"{counter} would be it" if counter else f"an invisible column {KEY} would be it"
            says = f"{what} has no primary key; {how} ({megabytes(size)} are written anew)"
            found.append(obstacle("key", what, says, "table"))
    return found


def megabytes(size: str) -> str:
    """Return a size for people."""
    return f"{int(size) / 1e6:.1f} MB"


def mend_tables(m: Host, asking: Asking) -> None:
    """Make tables that Galera does not carry such that it does; what each was is noted first."""
    make_notes(asking)
    for schema, table, engine, _, odd_counter in asking.rows(ENGINES_SQL, MEND_SECONDS):
        if engine in ("MyISAM", "Aria") and odd_counter == "0":
            name = named(schema, table)
            note(asking, "engine", name, engine)
            m.reached("engine noted")
            asking.rows(f"ALTER TABLE {name} ENGINE=InnoDB", MEND_SECONDS)
            m.done(f"{schema}.{table} is InnoDB, and was {engine}")
    for schema, table, _, counter, has_key in asking.rows(KEYLESS_SQL, MEND_SECONDS):
        if counter and has_key == "0":
            continue
        name = named(schema, table)
        note(asking, "key", name, counter)
        m.reached("key noted")
        column = f"ADD COLUMN {KEY} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE, "
        key = counter or KEY
        asking.rows(
            f"ALTER TABLE {name} {'' if counter else column}ADD PRIMARY KEY ({named(key)})", MEND_SECONDS
        )
        m.done(f"{schema}.{table} has a primary key, {key}")


def unmend_tables(m: Host, asking: Asking) -> None:
    """Make tables again what they were."""
    if not has_notes(asking):
        return
    # Keys first: a table may have had no key and another engine.
    rows = asking.rows(
        "SELECT kind, what, was FROM nospof.made WHERE kind IN ('key', 'engine') ORDER BY kind DESC"
    )
    for kind, name, was in rows:
        exists = table_exists(asking, name)
        if exists and kind == "engine":
            asking.rows(f"ALTER TABLE {name} ENGINE={was}", MEND_SECONDS)
        elif exists and has_primary_key(asking, name):
            change = "DROP PRIMARY KEY" if was else f"DROP COLUMN {KEY}"
            asking.rows(f"ALTER TABLE {name} {change}", MEND_SECONDS)
        asking.rows(f"DELETE FROM nospof.made WHERE kind = {quoted(kind)} AND what = {quoted(name)}")
        m.done(f"{name} is as it was" if exists else f"{name} is gone; nothing to bring back")


def table_exists(asking: Asking, name: str) -> bool:
    """Whether a table, as `named` names it, is still there."""
    return asking.value(f"SELECT COUNT(*) FROM information_schema.TABLES WHERE {matching(name)}") != "0"


def has_primary_key(asking: Asking, name: str) -> bool:
    """Whether a table has a primary key."""
    where = f"{matching(name)} AND INDEX_NAME = 'PRIMARY'"
    return asking.value(f"SELECT COUNT(*) FROM information_schema.STATISTICS WHERE {where}") != "0"


def matching(name: str) -> str:
    """Return the condition that a row of information_schema is of a table."""
    whole = "CONCAT('`', REPLACE(TABLE_SCHEMA, '`', '``'), '`.`', REPLACE(TABLE_NAME, '`', '``'), '`')"
    return f"{whole} = {quoted(name)}"


# Settings and use -------------------------------------------------------------------------------------


def setting_obstacles(asking: Asking) -> "list[dict[str, str]]":
    """Return what the server is set to that a member cannot be."""
    found, is_set = (
        [],
        variables(asking, "read_only", "wsrep_on", "wsrep_cluster_name", "version", "innodb_read_only"),
    )
    if not is_set["wsrep_on"]:
        found.append(obstacle("setting", "version", f"MariaDB {is_set['version']} was built without Galera"))
    if is_set["wsrep_on"] == "ON":
        says = (
            f"it is in the Galera cluster {is_set['wsrep_cluster_name']} already, which nospof did not make"
        )
        found.append(obstacle("setting", "wsrep_on", says))
    if "ON" in (is_set["read_only"], is_set["innodb_read_only"]):
        found.append(obstacle("setting", "read_only", "it takes no writes: read_only is set"))
    if enforces_selinux():
        says = "SELinux is enforced, whose rules keep a server from other members' ports: make it permissive"
        found.append(obstacle("setting", "selinux", says))
    if asking.rows("SHOW ALL SLAVES STATUS"):
        found.append(obstacle("setting", "replication", "it follows another server: end that first"))
    return found


def enforces_selinux() -> bool:
    """Whether the kernel keeps programs to rules that know nothing of doors and votes."""
    try:
        with open("/sys/fs/selinux/enforce", encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False


def use_obstacles(asking: Asking) -> "list[dict[str, str]]":
    """Return what should be known, and keeps from nothing."""
    found = []
    events = asking.value("SELECT COUNT(*) FROM information_schema.EVENTS WHERE STATUS = 'ENABLED'")
    if events != "0":
        says = f"{events} events: they run on the member that is the writer, and on no other"
        found.append(obstacle("use", "events", says))
    triggers = asking.value(
        f"SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN {SYSTEM_SCHEMAS}"
    )
    if triggers != "0":
        says = f"{triggers} triggers: they run where is written; what they change is carried over as rows"
        found.append(obstacle("use", "triggers", says))
    routines = asking.rows(
        "SELECT ROUTINE_SCHEMA, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN "
        f"{SYSTEM_SCHEMAS} AND ROUTINE_DEFINITION REGEXP 'GET_LOCK|LOCK TABLES'"
    )
    locks = {
        row[0]: row[1]
        for row in asking.rows(
            "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_lock_tables', 'Com_xa_start')"
        )
    }
    if routines or locks.get("Com_lock_tables", "0") != "0":
        says = "LOCK TABLES and GET_LOCK hold on one member only: while one writes, not over a switchover"
        found.append(obstacle("use", ", ".join(".".join(one) for one in routines[:5]) or "LOCK TABLES", says))
    if locks.get("Com_xa_start", "0") != "0":
        says = "distributed (XA) transactions were used since its start, which a member of a cluster refuses"
        found.append(obstacle("use", "XA", says))
    rows = asking.rows(
        f"SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.DATA_LENGTH {TABLES} AND t.DATA_LENGTH > {GIB}"
    )
    for schema, table, size in rows:
        says = (
            f"{schema}.{table} has {megabytes(size)}: a transaction of more than 2 GiB of it would be refused"
        )
        found.append(obstacle("use", f"{schema}.{table}", says))
    return found


def address_obstacles(asking: Asking) -> "list[dict[str, str]]":
    """Return what should be known of who comes from other machines."""
    is_set: dict[str, Any] = variables(asking, "bind_address", "skip_networking")
    if is_set["skip_networking"] != "ON" and is_set["bind_address"] not in ("127.0.0.1", "localhost", "::1"):
        says = (
            "it listens for other machines: who comes to this machine's address goes on reaching this "
            "member, and not the door; have them come to it as the machine's own applications do"
        )
        return [obstacle("use", "bind_address", says)]
    return []


def no_server(server: Server, why: Refused) -> "dict[str, str]":
    """Return the obstacle that a server cannot be asked."""
    says = (
        f"MariaDB cannot be asked ({why}): it has to run and let root in by its local socket (Debian's way: "
        "ALTER USER root@localhost IDENTIFIED VIA unix_socket), or .my.cnf in the home of root has to say how"
    )
    return obstacle("access", server.unit() or "mariadb", says)


def oracle(version: str) -> "dict[str, str]":
    """Return the obstacle that the server is Oracle's."""
    says = (
        f"this is Oracle's MySQL {version}, which has no Galera: move to MariaDB (a dump and a load), or to "
        "a database that the cloud keeps in two zones"
    )
    return obstacle("program", "mysql", says)


def examined(m: Host, server: Server) -> "dict[str, Any]":
    """Return what there is and what keeps it from being one of two."""
    obstacles = program_obstacles(server)
    found: dict[str, Any] = {
        "engine": "mariadb",
        "directory": server.directory(),
        "version": "",
        "problem": "",
    }
    try:
        with Asking(server, LOOK_SECONDS) as asking:
            is_set = variables(asking, "version", "datadir", "version_comment")
            found.update(version=is_set["version"], directory=is_set["datadir"].rstrip("/"))
            if "mariadb" not in (is_set["version"] + is_set["version_comment"]).lower():
                return {**found, "engine": "mysql", "bytes": 0, "obstacles": [oracle(is_set["version"])]}
            if m.layout() is None:
                obstacles += port_obstacles() + setting_obstacles(asking) + account_obstacles(asking)
                obstacles += table_obstacles(asking) + address_obstacles(asking)
            obstacles += use_obstacles(asking)
    except Refused as error:
        obstacles.append(no_server(server, error))
    found["bytes"] = bytes_below(found["directory"])
    return {**found, "obstacles": obstacles}
