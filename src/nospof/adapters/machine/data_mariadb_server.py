"""The part of the data program that finds a MariaDB, asks it, and says where its things are.

The server is asked through its local socket, as the user of the operating system that this program is: root.
It runs by any Python from 3.6 on.
"""

import contextlib
import os
import pwd
import re
import subprocess
from typing import Any

from nospof.adapters.machine.data_machine import Host, found_program
from nospof.adapters.machine.hold_databases import Refused, Session

# The sender cuts here: what stands above is in the parts before, but for the imports.

MARIADB_UNITS = ("mariadb.service", "mysql.service", "mysqld.service")
UNIT_PLACES = ("etc/systemd/system/", "lib/systemd/system/", "usr/lib/systemd/system/")
MARIADB_CONFIGURATIONS = ("etc/mysql/mariadb.conf.d", "etc/my.cnf.d")
"""Debian's and Ubuntu's place of it, and that of Amazon Linux and Red Hat."""
OWN_CONFIGURATION = "zz-nospof.cnf"
"""Read last."""
OWN_SOCKET = "run/mysqld/nospof.sock"
PROVIDERS = (
    "usr/lib/galera/libgalera_smm.so",
    "usr/lib64/galera-4/libgalera_smm.so",
    "usr/lib64/galera/libgalera_smm.so",
)
ASK_SECONDS = 10.0
CLOSE_SECONDS = 0.5
SYSTEM_SCHEMAS = "('mysql', 'information_schema', 'performance_schema', 'sys', 'nospof')"


def decoded(line: str) -> "list[str]":
    """Return the values of a row, as the client writes it in batch mode."""
    marks = {"t": "\t", "n": "\n", "0": "\0", "\\": "\\"}
    return [re.sub(r"\\(.)", lambda m: marks.get(m.group(1), m.group(1)), one) for one in line.split("\t")]


def quoted(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def named(*names: str) -> str:
    """Return a name, as SQL writes it, or one within another."""
    return ".".join("`" + one.replace("`", "``") + "`" for one in names)


class Server:
    """The MariaDB of this machine.

    Args:
        m: the machine.
    """

    def __init__(self, m: Host) -> None:
        self.m = m
        self.user = pwd.getpwuid(os.geteuid()).pw_name

    # Where its things are -----------------------------------------------------------------------------

    def unit(self) -> str:
        """Return the name of its unit; empty where there is none."""
        return next((name for name in MARIADB_UNITS if self.unit_file(name)), "")

    def unit_file(self, name: str) -> str:
        """Return where a unit is written; a link to another is that one's. Empty where there is none."""
        for place in UNIT_PLACES:
            path = self.m.path(place + name)
            if os.path.isfile(path) and os.path.basename(os.path.realpath(path)) == name:
                return path
        return ""

    def unit_text(self) -> str:
        """Return what its unit says."""
        path = self.unit_file(self.unit())
        if not path:
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def configuration(self) -> str:
        """Return the name of our configuration of it. Raises Refused: nobody would read it."""
        for one in MARIADB_CONFIGURATIONS:
            if os.path.isdir(self.m.path(one)):
                return one + "/" + OWN_CONFIGURATION
        raise Refused("MariaDB's configuration is in neither /" + " nor /".join(MARIADB_CONFIGURATIONS))

    def defaults(self) -> "list[str]":
        """Return the flag of its unit that names another configuration; mostly there is none."""
        found = re.search(r"--defaults-file=(\S+)", self.unit_text())
        return ["--defaults-file=" + found.group(1)] if found else []

    def os_user(self) -> str:
        """Return the user of the operating system that it runs as."""
        found = re.findall(r"(?m)^User=(\S+)", self.unit_text())
        return found[-1] if found and os.geteuid() == 0 else self.user

    def directory(self) -> str:
        """Return where its data is: as it was told to be, else where packages put it."""
        return self.m.path(str(self.m.undo().get("directory") or "var/lib/mysql"))

    def provider(self) -> str:
        """Return Galera's library, of the computer for machines that are directories; empty for none."""
        return next(("/" + one for one in PROVIDERS if os.path.exists("/" + one)), "")

    def own_socket(self) -> str:
        """Return where it listens locally while the door is where it was."""
        # Short and absolute from where the server is: its data directory. A socket's name has 107 bytes.
        return "/proc/self/cwd/../../../" + OWN_SOCKET if self.m.mark else "/" + OWN_SOCKET

    # Asking -------------------------------------------------------------------------------------------

    def sockets(self) -> "list[str]":
        """Return where it may listen locally, as a client in the machine's root names it."""
        found = [OWN_SOCKET, self.m.undo().get("socket") or "", "run/mysqld/mysqld.sock"]
        found += ["var/lib/mysql/mysql.sock", "var/run/mysqld/mysqld.sock"]
        return [self.m.place(one) for one in found if one and os.path.exists(self.m.path(one))]

    def session(self, seconds: float = float("inf")) -> Session:
        """Return a session with the server, and with no door between. Raises Refused: there is none.

        Args:
            seconds: until nothing of it may be asked any more, by time.monotonic().
        """
        client = found_program("mariadb", "mysql")
        if not client:
            raise Refused("MariaDB's client is not on the machine")
        why = Refused("MariaDB does not run, or has no local socket")
        layout = self.m.layout()
        sockets = self.sockets()
        if layout and layout["members"]:
            sockets = [one for one in sockets if one.endswith(OWN_SOCKET)]  # others may be the door's
        for socket in sockets:
            for options in self.ways():
                command = [client, *options, "--socket=" + socket, "--batch", "--skip-column-names"]
                command += ["--unbuffered", "--skip-reconnect", "--connect-timeout=5"]
                session = Session(command, "MariaDB", seconds)
                try:
                    session.ask("SET SESSION wsrep_sync_wait=0, SESSION sql_mode=''")
                except Refused as error:
                    session.close()
                    why = error
                else:
                    return session
        raise why

    def ways(self) -> "list[list[str]]":
        """Return how root may be known to the server: by the socket, or by what its configuration holds."""
        found = [["--no-defaults", "--user=" + self.user]]
        files = [self.m.path(one) for one in ("etc/mysql/debian.cnf", "root/.my.cnf")]
        found += [["--defaults-file=" + one] for one in files if os.path.isfile(one) and not self.m.mark]
        return found


class Asking:
    """A session that ends with its block; what it is asked comes back as rows of texts."""

    def __init__(self, server: Server, seconds: float = ASK_SECONDS) -> None:
        self.session, self.seconds = server.session(), seconds

    def __enter__(self) -> "Asking":
        return self

    def __exit__(self, *_: object) -> None:
        # In order where it can be: the server's log would tell of every other end.
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self.session.client.stdin.close()  # type: ignore[union-attr]
            self.session.client.wait(timeout=CLOSE_SECONDS)
        self.session.close()

    def rows(self, statement: str, seconds: float = 0.0) -> "list[list[str]]":
        """Return what a statement gives. Raises Refused: an error, or no answer in time."""
        return [decoded(one) for one in self.session.ask(statement, seconds or self.seconds)]

    def value(self, statement: str) -> str:
        """Return the one value that a statement gives; empty for none."""
        found = self.rows(statement)
        return found[0][0] if found else ""

    def status(self) -> "dict[str, str]":
        """Return what Galera says of itself."""
        return {
            row[0]: row[1] if len(row) > 1 else "" for row in self.rows("SHOW GLOBAL STATUS LIKE 'wsrep%'")
        }


def in_machine(m: Host, directory: str, path: str) -> str:
    """Return where a file of the server's is, by its name in the machine without the first slash.

    Args:
        directory: where the server is: what it calls its own directory.
        path: as the server says it.
    """
    if path.startswith("/proc/self/cwd/"):
        path = path[len("/proc/self/cwd/") :]
    full = os.path.normpath(os.path.join(directory, path))
    root = m.root.rstrip("/") + "/"
    if not full.startswith(root):
        raise Refused(f"{path} is not on the machine")
    return full[len(root) :]


def variables(asking: Asking, *names: str) -> "dict[str, Any]":
    """Return some of the server's variables; one that it does not have is empty."""
    wanted = ", ".join(quoted(one) for one in names)
    rows = asking.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({wanted})")
    return {**dict.fromkeys(names, ""), **{row[0]: row[1] for row in rows}}
