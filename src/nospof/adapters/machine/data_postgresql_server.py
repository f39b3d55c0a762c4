"""The part of the data program that knows one PostgreSQL server: where it is, what it is asked and told.

It runs by any Python from 3.6 on.
"""

import contextlib
import json
import os
import pwd
import re
import subprocess
import time
from typing import Any

from nospof.adapters.machine.data_machine import Host, found_program
from nospof.adapters.machine.hold_databases import SAID_CHARACTERS, Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

ADMIN, REPLICATION = "nospof_admin", "nospof_replication"
SECRETS = "etc/nospof/postgresql.secrets"
SOCKETS = "run/nospof/postgresql"
"""Where the server's own socket is while the door has the place of the old one."""
ADDED_CONFIGURATION = "nospof.conf"
PASSWORDS_FILE = ".nospof-pgpass"
INCLUDE = f"include_if_exists = '{ADDED_CONFIGURATION}' # nospof\n"
HBA_BEGIN, HBA_END = "# nospof: what follows is its own\n", "# nospof: until here\n"
SQL_SECONDS = 30
ANSWERS_SECONDS = 120.0
LOOK_AGAIN_SECONDS = 0.1
NAMESPACE = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]
"""PostgreSQL refuses to run as root; where its files are root's, it runs where root has another number."""
SILENT_SECONDS = 5
"""A replica that is silent for so long is gone, and writes go on without it: PostgreSQL by itself waits 60 s.
A primary that is cut off, and has to end, waits as long for its replica to have all."""
KEEP_LEAST_MIB, KEEP_MOST_MIB = 64, 16384
NEEDED_PROGRAMS = ("pg_ctl", "pg_controldata", "pg_waldump", "pg_rewind", "pg_basebackup", "psql")
SIGNALS = ("standby.signal", "recovery.signal")
LEFTOVERS = (
    "patroni.dynamic.json",
    "postgresql.conf.backup",
    "pg_hba.conf.backup",
    "pg_ident.conf.backup",
    "postgresql.base.conf.backup",
)
FACTS = """
SELECT current_setting('server_version') AS version,
  current_setting('server_version_num')::int AS number,
  current_setting('config_file') AS config, current_setting('hba_file') AS hba,
  current_setting('ident_file') AS ident,
  current_setting('port')::int AS port, current_setting('listen_addresses') AS listens,
  current_setting('unix_socket_directories') AS sockets,
  current_setting('wal_level') AS wal_level,
  (SELECT json_object_agg(name, setting) FROM pg_settings WHERE name IN ('max_connections',
    'max_worker_processes', 'max_prepared_transactions', 'max_locks_per_transaction',
    'track_commit_timestamp', 'max_wal_senders', 'max_replication_slots')) AS parameters,
  (SELECT coalesce(json_agg(slot_name), '[]') FROM pg_replication_slots) AS slots
"""
AS_DOCUMENT = "SELECT coalesce(json_agg(q), '[]') FROM (%s) q;"
RULES = """
SELECT type, database, user_name, address, auth_method, options FROM pg_hba_file_rules
WHERE error IS NULL ORDER BY line_number
"""
ROLES = f"""
DO $nospof$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ADMIN}') THEN CREATE ROLE {ADMIN}; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{REPLICATION}') THEN CREATE ROLE {REPLICATION}; END IF;
END $nospof$;
SET password_encryption = 'scram-sha-256';
ALTER ROLE {ADMIN} SUPERUSER LOGIN PASSWORD '%s';
ALTER ROLE {REPLICATION} REPLICATION LOGIN PASSWORD '%s';
"""  # noqa: S608 - two names of our own


# Texts ------------------------------------------------------------------------------------------------


def configuration(own: "dict[str, Any]") -> str:
    """Return what differs from the owner's configuration, by name."""
    lines = ["{} = '{}'".format(name, str(value).replace("'", "''")) for name, value in sorted(own.items())]
    return "\n".join(["# Written by nospof at every start of the server.", *lines, ""])


def own_settings(facts: "dict[str, Any]", cluster: str, address: str, sockets: str) -> "dict[str, Any]":
    """Return the settings that a server needs to become one of several, on its own address."""
    had = facts["parameters"]
    return {
        "listen_addresses": address,
        "port": facts["port"],
        "unix_socket_directories": sockets,
        "cluster_name": cluster,
        "wal_level": "logical" if facts["wal_level"] == "logical" else "replica",
        "max_wal_senders": max(10, int(had["max_wal_senders"])),
        "max_replication_slots": max(10, int(had["max_replication_slots"])),
        "wal_log_hints": "on",
        "hot_standby": "on",
        "synchronous_commit": "on",
        "wal_sender_timeout": f"{SILENT_SECONDS}s",
        "wal_receiver_timeout": f"{SILENT_SECONDS}s",
        "wal_keep_size": "{}MB".format(facts["keep_mib"]),
        "max_slot_wal_keep_size": "{}MB".format(facts["keep_mib"]),
    }


def twins_of(rules: "list[dict[str, Any]]", weakest: str) -> "list[list[str]]":
    """Return who may come from a member's address, as those may who come from the machine itself.

    Behind the door everybody comes by TCP, where nobody has a Unix name and trust would be everybody's:
    instead of either a password is asked for.

    Args:
        rules: rows of pg_hba_file_rules, in their order.
        weakest: how passwords are asked for.

    Returns:
        Database, user, method and options of each line.
    """
    found = []
    for one in rules:
        is_local = one["type"] == "local"
        if not is_local and one["address"] not in ("127.0.0.1", "localhost", "samehost", "all"):
            continue
        if not is_local and one["type"] not in ("host", "hostnossl"):
            continue
        asked = one["auth_method"] in ("peer", "ident", "trust", "gss", "sspi")
        method, options = (weakest, []) if asked else (one["auth_method"], one["options"] or [])
        names = [",".join(map(hba_word, one[part])) for part in ("database", "user_name")]
        line = [*names, method, *options]
        if line not in found and "replication" not in one["database"]:
            found.append(line)
    return found


def hba_word(word: str) -> str:
    """Return a name as it stands in pg_hba.conf; the words that are no names stay bare."""
    return word if re.match(r"[+@]?[a-zA-Z0-9_.-]+$", word) else '"{}"'.format(word.replace('"', '""'))


def hba_block(addresses: "list[str]", twins: "list[list[str]]") -> str:
    """Return the lines that let members in, and those who come through their doors."""
    lines = []
    for address in addresses:
        net = address + ("/128" if ":" in address else "/32")
        lines.append(f"host replication {REPLICATION} {net} scram-sha-256")
        lines.append(f"host all {ADMIN} {net} scram-sha-256")
        lines += [" ".join(["host", one[0], one[1], net, *one[2:]]) for one in twins]
    return HBA_BEGIN + "".join(one + "\n" for one in lines) + HBA_END


def without_block(text: str) -> str:
    """Return pg_hba.conf as it was."""
    before, begun, rest = text.partition(HBA_BEGIN)
    return before + rest.partition(HBA_END)[2] if begun else text


# The server -------------------------------------------------------------------------------------------


class PostgresServer:
    """The PostgreSQL of a machine, on or off.

    Args:
        m: the machine.
    """

    def __init__(self, m: Host) -> None:
        self.m = m
        self.facts: dict[str, Any] = m.undo().get("postgresql") or {}

    # Where it is --------------------------------------------------------------------------------------

    def processes(self) -> "list[dict[str, Any]]":
        """Return the first process of each server that runs here now."""
        found = []
        for one in Host(self.m.source).processes:
            with contextlib.suppress(OSError, IndexError):
                directory = os.readlink(one["at"] + "/cwd")
                if one["name"] in ("postgres", "postmaster"):
                    with open(directory + "/postmaster.pid", encoding="utf-8") as file:
                        lines = file.read().splitlines()
                    if lines[0].strip() == str(one["pid"]):
                        found.append({**one, "directory": directory, "lines": lines})
        return found

    def process(self) -> "dict[str, Any] | None":
        """Return the one server that runs here; None where none does. Raises Refused: there are several."""
        found = self.processes()
        if self.facts:
            own = os.path.realpath(self.directory)
            found = [one for one in found if os.path.realpath(one["directory"]) == own]
        if len(found) > 1:
            places = " and ".join(sorted(one["directory"] for one in found))
            raise Refused(f"several PostgreSQL servers run here, in {places}: only one can be kept by two")
        return found[0] if found else None

    def named(self, path: str) -> str:
        """Return how a path is kept: on another machine it is below that one's root."""
        inside = self.m.root.rstrip("/") + "/"
        return path[len(inside) :] if path.startswith(inside) else path

    def placed(self, name: str) -> str:
        """Return where a kept path is here."""
        return name if name.startswith("/") else self.m.path(name)

    @property
    def directory(self) -> str:
        """Where the data is."""
        return self.placed(self.facts["directory"])

    @property
    def config(self) -> str:
        """Its configuration, as its owner has it: Patroni moves it aside."""
        path = self.placed(self.facts["config"])
        base = os.path.join(os.path.dirname(path), "postgresql.base.conf")
        return base if os.path.exists(base) else path

    @property
    def passwords_file(self) -> str:
        """Where Patroni keeps what PostgreSQL signs in elsewhere by."""
        return os.path.join(os.path.dirname(self.directory), PASSWORDS_FILE)

    def program(self, name: str) -> str:
        """Return where a program of its is."""
        return os.path.join(self.placed(self.facts["programs"]), name)

    def owner(self) -> str:
        """Return whose the data is, where it is another user than the one that this program runs as."""
        number = os.stat(self.directory).st_uid
        return pwd.getpwuid(number).pw_name if os.geteuid() == 0 and number else ""

    def prefix(self) -> "list[str]":
        """Return what its programs are started with where its data is root's."""
        is_root = os.geteuid() == 0 and os.stat(self.directory).st_uid == 0
        return [found_program(NAMESPACE[0]) or NAMESPACE[0], *NAMESPACE[1:]] if is_root else []

    def learn(self) -> "dict[str, Any]":
        """Return what must be known of a server that is off, from one that runs. Raises Refused."""
        process = self.process()
        if process is None:
            raise Refused("no PostgreSQL runs here: start it, then ask again")
        programs = os.path.dirname(os.path.realpath(process["at"] + "/exe"))
        room = os.statvfs(process["directory"])
        free_mib = room.f_bavail * room.f_frsize // 4 // 2**20
        facts = {
            "directory": self.named(process["directory"]),
            "programs": self.named(programs),
            "unit": self.unit_of(process),
            "keep_mib": max(KEEP_LEAST_MIB, min(KEEP_MOST_MIB, free_mib)),
        }
        self.facts = facts
        asked = self.rows(FACTS)[0]
        for name in ("config", "hba", "ident"):
            asked[name] = self.named(os.path.join(process["directory"], asked[name]))
        lines = process["lines"]
        asked["socket"] = self.named(os.path.normpath(os.path.join(process["directory"], lines[4].strip())))
        return {**asked, **facts}

    def unit_of(self, process: "dict[str, Any]") -> str:
        """Return the unit that a server was started by. Raises Refused."""
        with contextlib.suppress(OSError), open(process["at"] + "/cgroup", encoding="utf-8") as file:
            found = re.findall(r"/([^/\n]+\.service)$", file.read(), re.MULTILINE)
            if found and not self.m.mark:
                return str(found[-1])
        for name in ("postgresql.service", "postgresql@main.service"):
            said = self.asked(["systemctl", "show", "-p", "MainPID", "--value", name])[1].strip()
            if said == str(process["pid"]):
                return name
        raise Refused(
            "PostgreSQL was not started by a unit of systemd: it would not be known how to start it again"
        )

    # Asking -------------------------------------------------------------------------------------------

    def asked(
        self, command: "list[str]", text: str = "", seconds: float = SQL_SECONDS, **options: Any
    ) -> "tuple[int, str, str]":
        """Run a program; return its code and all it said, and said of errors."""
        options.setdefault("cwd", self.m.root)
        try:
            done = subprocess.run(  # noqa: UP022 - capture_output is not in 3.6
                command,
                input=text.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=seconds,
                check=False,
                **options,
            )
        except FileNotFoundError:
            return 127, "", f"there is no {command[0]}"
        except subprocess.TimeoutExpired:
            return 124, "", f"{os.path.basename(command[0])} took longer than {seconds:.0f} s"
        wrong = " ".join(done.stderr.decode("utf-8", "replace").split())[-SAID_CHARACTERS:]
        return done.returncode, done.stdout.decode("utf-8", "replace"), wrong

    def tool(self, name: str, *words: str, seconds: float = SQL_SECONDS) -> "tuple[int, str, str]":
        """Run one of its programs on its data, as its owner. Returns code, output and errors."""
        return self.asked([*self.prefix(), self.program(name), *words], seconds=seconds, **self.as_owner())

    def as_owner(self) -> "dict[str, Any]":
        """Return how a program becomes the owner of the data."""
        name = self.owner()
        if not name:
            return {}
        found = pwd.getpwnam(name)

        def become() -> None:
            os.initgroups(name, found.pw_gid)
            os.setgid(found.pw_gid)
            os.setuid(found.pw_uid)

        return {"preexec_fn": become}

    def rows(self, query: str, database: str = "postgres", seconds: float = SQL_SECONDS) -> "list[Any]":
        """Return the rows of a query as documents. Raises Refused."""
        found: list[Any] = json.loads(self.tell(AS_DOCUMENT % query, database, seconds))
        return found

    def tell(self, statements: str, database: str = "postgres", seconds: float = SQL_SECONDS) -> str:
        """Have the server do something as its administrator; return what it says. Raises Refused."""
        why = ""
        for words, options in self.ways_in():
            command = [self.program("psql"), "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1"]
            code, said, wrong = self.asked(
                [*command, "-d", database, *words, "-f", "-"], statements, seconds, **options
            )
            if code == 0:
                return said
            why = why or wrong
            if code != 2:  # psql's own code for a connection that it did not get
                raise Refused(f"PostgreSQL: {wrong}")
        raise Refused(f"PostgreSQL does not answer: {why or 'it does not run'}")

    def ways_in(self) -> "list[tuple[list[str], dict[str, Any]]]":
        """Return how its administrator can come in: by its socket, and by the password that is kept here."""
        process = self.process()
        if process is None:
            return []
        lines, ways = process["lines"], []
        port = lines[3].strip()
        place = os.path.normpath(os.path.join(process["directory"], lines[4].strip() or "."))
        if lines[4].strip():
            # Named by where it is started: a socket's name has no room for a long directory.
            near = {"cwd": place, **self.as_owner()}
            users = [one for one in (self.owner(), "postgres") if one]
            ways = [(["-h", "/proc/self/cwd", "-p", port, "-U", one], near) for one in dict.fromkeys(users)]
        address = lines[5].strip() if len(lines) > 5 else ""
        secrets = self.secrets()
        if secrets and address not in ("", "*"):
            environment = {**os.environ, "PGPASSWORD": secrets["admin"], "PGCONNECT_TIMEOUT": "5"}
            ways.insert(0, (["-h", address, "-p", port, "-U", ADMIN], {"env": environment}))
        return ways

    def secrets(self) -> "dict[str, str]":
        """Return the passwords that were made; nothing where there are none."""
        try:
            with open(self.m.path(SECRETS), encoding="utf-8") as file:
                found: dict[str, str] = json.load(file)
        except FileNotFoundError:
            return {}
        return found

    def answers(self) -> bool:
        """Whether it can be asked now."""
        try:
            return bool(self.rows("SELECT 1 AS one"))
        except (Refused, OSError):
            return False

    def wait_until_answers(self, seconds: float = ANSWERS_SECONDS) -> bool:
        """Wait until it can be asked; return whether it can."""
        ends = time.monotonic() + seconds
        while not self.answers():
            if time.monotonic() > ends:
                return False
            time.sleep(LOOK_AGAIN_SECONDS)
        return True

    def is_primary(self) -> bool:
        """Whether it runs and takes writes."""
        try:
            return not self.rows("SELECT pg_is_in_recovery() AS copy")[0]["copy"]
        except (Refused, OSError):
            return False

    # Its files ----------------------------------------------------------------------------------------

    def edit(self, path: str, text: str) -> bool:
        """Write a file of its owner's; return whether it changed."""
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o600
        inside = self.m.root.rstrip("/") + "/"
        name = path[len(inside) :] if path.startswith(inside) else path
        return self.m.write(name, text, mode, owner=self.directory)

    def read(self, path: str) -> str:
        """Return a file of its owner's."""
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
