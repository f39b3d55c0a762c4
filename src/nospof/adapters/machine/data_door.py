"""The part of the data program that keeps the door: where an application has always found its database.

A HAProxy on each member listens there and leads to one writer at a time. Whether a member is fit is asked
of the member itself, over HTTP: a frozen server accepts connections as a living one does. What a member
answers is told by a program beside its server, which asks the server four times a second, and whose answer
is worth nothing once it is old. It runs by any Python from 3.6 on.
"""

import contextlib
import csv
import http.client
import os
import pwd
import signal
import socket
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from nospof.adapters.machine.data_machine import Host
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

HEALTH_PORT = 9280
DOOR_UNIT, HEALTH_UNIT = "nospof-door.service", "nospof-health.service"
DOOR_CONFIGURATION = "etc/nospof/door.cfg"
DOOR_STATISTICS = "run/nospof/door.sock"
DOOR_SECONDS = 15.0
POLL_SECONDS = 0.25
FRESH_SECONDS = 1.0
"""A server that has not answered for so long is as good as gone."""
CHECK = "check inter 300ms fastinter 200ms fall 2 rise 1 on-marked-down shutdown-sessions"


def door_text(doors: "list[str]", own: str, members: "list[dict[str, Any]]", port: int) -> str:
    """Return HAProxy's configuration.

    Args:
        doors: where it listens, each as HAProxy says it.
        own: the address that the servers see it come from: accounts are known by it.
        members: as the layout has them.
        port: of the servers.
    """
    # Who is chosen is the same for all doors: it is written in the database. Where the chosen one is not fit,
    # whoever is first fit in the order of the layout is, until one has been chosen anew.
    chosen, fit = [], []
    for at, one in enumerate(members):
        server = "server {0} {0}:{1} {2} port {3}".format(one["address"], port, CHECK, HEALTH_PORT)
        others = " backup" if at else " on-marked-up shutdown-backup-sessions"
        chosen.append("    " + server + others)
        fit.append("    " + server + (" backup" if at else ""))
    binds = [f"    bind {one}" for one in doors]
    return "\n".join(
        [
            "# Written by nospof: changes are lost.",
            "global",
            "    maxconn 8000",
            "    stats socket unix@{statistics} mode 600 level user",
            "{user}defaults",
            "    mode tcp",
            "    maxconn 8000",
            "    timeout connect 2s",
            "    timeout check 800ms",
            "    timeout client 24h",  # who is idle for too long is the server's to say
            "    timeout server 24h",
            "    timeout tunnel 24h",
            "    option clitcpka",
            "    option srvtcpka",
            "    option redispatch",
            "    retries 2",
            f"    source {own}",
            "frontend database",
            *binds,
            "    use_backend chosen if { nbsrv(chosen) gt 0 }",
            "    default_backend fit",
            "backend chosen",
            "    option httpchk GET /writer",
            "    http-check expect status 200",
            *chosen,
            "backend fit",
            "    option httpchk GET /ready",
            "    http-check expect status 200",
            *fit,
            "",
        ]
    )


class Door:
    """The door of this machine, and the program that tells doors whether its server is fit.

    Args:
        m: the machine.
    """

    def __init__(self, m: Host) -> None:
        self.m = m

    def write(self, doors: "list[str]", own: str, members: "list[dict[str, Any]]", port: int) -> bool:
        """Write configuration and units, to be started at boot; return whether the door's changed."""
        haproxy = self.m.command("haproxy")
        text = door_text(doors, own, members, port).replace("{statistics}", self.m.place(DOOR_STATISTICS))
        changed = self.m.write(DOOR_CONFIGURATION, text.replace("{user}", self._user()))
        configuration = self.m.place(DOOR_CONFIGURATION)
        door = f"""\
[Unit]
Description=The door to the database's writer, kept by nospof
After=network.target

[Service]
ExecStartPre={self.m.program("boot", DOOR_UNIT)}
ExecStart={haproxy} -W -f {configuration}
ExecReload={haproxy} -c -q -f {configuration}
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
TimeoutStopSec=5
Restart=on-abnormal
RestartSec=1
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""
        health = f"""\
[Unit]
Description=What this member of the database tells the doors, kept by nospof
After=network.target

[Service]
ExecStart={self.m.program("serve")}
KillMode=mixed
TimeoutStopSec=5
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""
        # A changed unit runs on as it was until it is restarted, which its own start at boot does.
        for name, unit in ((HEALTH_UNIT, health), (DOOR_UNIT, door)):
            self.m.unit(name, unit)
            if self.m.run(["systemctl", "is-enabled", name])[0]:
                self.m.systemctl("enable", name)
        return changed

    def _user(self) -> str:
        """Return the lines by which HAProxy gives up being root, where packages made a user for it."""
        with contextlib.suppress(KeyError):
            if os.geteuid() == 0 and not self.m.mark and pwd.getpwnam("haproxy"):
                return "    user haproxy\n    group haproxy\n"
        return ""

    def open(self, changed: bool) -> None:
        """Have both run by what is written."""
        if not self.m.is_active(HEALTH_UNIT):
            self.m.systemctl("start", HEALTH_UNIT)
        if not self.m.is_active(DOOR_UNIT):
            self.m.run(["systemctl", "reset-failed", DOOR_UNIT])
            self.m.systemctl("start", DOOR_UNIT)
        elif changed:
            self.m.systemctl("reload", DOOR_UNIT)

    def close(self) -> None:
        """Stop and forget both."""
        for name in (DOOR_UNIT, HEALTH_UNIT):
            self.m.forget_unit(name)
        self.m.remove(DOOR_CONFIGURATION)

    def leads_to(self) -> str:
        """Return the address that the door leads to now; empty for none."""
        up: dict[str, list[str]] = {"chosen": [], "fit": []}
        for row in self._rows():
            if row.get("# pxname") in up and row.get("svname") != "BACKEND" and row.get("status") == "UP":
                up[str(row["# pxname"])].append(str(row["svname"]))
        return (up["chosen"] or up["fit"] or [""])[0]

    def _rows(self) -> "list[dict[str, str]]":
        said = b""
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
            connection.settimeout(2.0)
            with reachable(self.m.path(DOOR_STATISTICS)) as path:
                connection.connect(path)
            connection.sendall(b"show stat\n")
            while True:
                some = connection.recv(65536)
                if not some:
                    break
                said += some
        return list(csv.DictReader(said.decode("ascii", "replace").splitlines()))

    def wait_for(self, address: str, seconds: float = DOOR_SECONDS) -> None:
        """Return once the door leads to a member; an empty address is any. Raises Refused: not in time."""
        ends = time.monotonic() + seconds
        while True:
            led = self.leads_to()
            if led and (not address or led == address):
                return
            if time.monotonic() > ends:
                raise Refused(
                    "the door leads to {}, not to {}".format(led or "nobody", address or "a member")
                )
            time.sleep(0.05)


@contextlib.contextmanager
def reachable(path: str) -> Any:
    """Yield a name of a socket that is short, however long its directory's is."""
    handle = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{os.path.basename(path)}"
    finally:
        os.close(handle)


def told(address: str, what: str, seconds: float = 2.0) -> "tuple[bool, str]":
    """Return whether a member says that it is ready, or the writer, and what it says.

    Raises:
        OSError: it does not answer.
    """
    connection = http.client.HTTPConnection(address, HEALTH_PORT, timeout=seconds)
    try:
        connection.request("GET", "/" + what)
        answer = connection.getresponse()
        return answer.status == 200, answer.read(1000).decode("utf-8", "replace").strip()
    except http.client.HTTPException as error:
        raise OSError(str(error))  # noqa: B904 - the cause says no more
    finally:
        connection.close()


class Fitness:
    """What is known of the server beside, and when it was heard."""

    def __init__(self) -> None:
        self.heard = 0.0
        self.is_ready = self.is_writer = False
        self.says = "not asked yet"

    def hear(self, is_ready: bool, is_writer: bool, says: str) -> None:
        """Note what the server said just now."""
        self.is_ready, self.is_writer, self.says = is_ready, is_writer, says
        self.heard = time.monotonic()

    def answer(self, what: str) -> "tuple[int, str]":
        """Return status and text for a door."""
        if time.monotonic() - self.heard > FRESH_SECONDS:
            return 503, "the server does not answer; last: " + self.says
        is_fit = self.is_ready and (what != "writer" or self.is_writer)
        return (200 if is_fit else 503), self.says


class HealthServer(socketserver.ThreadingMixIn, HTTPServer):
    """Answers doors, each in a thread: a slow one makes no other wait."""

    daemon_threads = True
    allow_reuse_address = True
    fitness = Fitness()

    def handle_error(self, *_: object) -> None:
        """Say nothing of a door that asked and did not wait."""


class HealthRequest(BaseHTTPRequestHandler):
    """One question of a door."""

    timeout = 5

    def do_GET(self) -> None:
        """Answer `/ready` and `/writer`."""
        fitness: Fitness = self.server.fitness  # type: ignore[attr-defined]
        status, says = fitness.answer(self.path.strip("/"))
        text = (says + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing: there are several a second."""


def serve_health(address: str, fitness: Fitness) -> None:
    """Answer doors in the background, for as long as the process lives. Raises Refused: the port is taken."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        server = HealthServer((address, HEALTH_PORT), HealthRequest)
    except OSError as error:
        raise Refused(f"{address}:{HEALTH_PORT}: {error}")  # noqa: B904 - the cause says no more
    server.fitness = fitness
    threading.Thread(target=server.serve_forever, daemon=True).start()
