"""HAProxy's own command sockets: ask it what is, tell it what shall be.

Rule: nothing about a target is remembered here; HAProxy is asked each time.
"""

from __future__ import annotations

import csv
import os
import socket
from dataclasses import dataclass
from pathlib import Path

_ADMIN_MAINTENANCE = 0x01 | 0x02 | 0x20
_ADMIN_DRAIN = 0x08 | 0x10
_ANSWER_TIMEOUT_SECONDS = 5.0


class HaproxyUnreachable(OSError):
    """HAProxy does not answer on its command socket."""


@dataclass(frozen=True)
class ServerView:
    """One target as HAProxy sees it.

    Args:
        passed: how many checks in a row it passed while down, or the most it can have while up.
        last_change_seconds: since it last went up or down, in whole seconds.
        check_status: HAProxy's word for the last check, such as L7OK, L7STS, L4TOUT, L4CON.
        check_code: the HTTP code the last check got, if any.
    """

    backend: str
    name: str
    address: str
    port: int
    up: bool
    maintenance: bool
    drain: bool
    passed: int
    last_change_seconds: int
    check_status: str
    check_code: str
    sessions: int


def ask(directory: Path, name: str, *commands: str) -> str:
    """Send commands in one line and return the whole answer.

    One line, because HAProxy then runs them without anything happening in between: a server that
    is added, checked and drained in one line is checked at once and gets no request before.

    Raises:
        HaproxyUnreachable: nothing listens, or no answer within five seconds.
    """
    # A socket's path may have 107 bytes and a directory's path more: go in through the open directory.
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise HaproxyUnreachable(f"{directory}: {error.strerror}") from error
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            channel.settimeout(_ANSWER_TIMEOUT_SECONDS)
            channel.connect(f"/proc/self/fd/{handle}/{name}")
            channel.sendall(("; ".join(commands) + "\n").encode())
            channel.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: channel.recv(65536), b"")).decode(errors="replace")
    except OSError as error:
        raise HaproxyUnreachable(f"{directory / name}: {error}") from error
    finally:
        os.close(handle)


def parse_servers(answer: str) -> list[ServerView]:
    """Read the answer to `show servers state; show stat -1 4 -1`."""
    states: dict[tuple[str, str], dict[str, str]] = {}
    columns: list[str] = []
    statistics: list[str] = []
    for line in answer.splitlines():
        if line.startswith("# be_id"):
            columns = line[2:].split()
        elif line.startswith("# pxname"):
            statistics.append(line[2:])
        elif statistics and line:
            statistics.append(line)
        elif columns and line and not line.startswith("#"):
            row = dict(zip(columns, line.split(" "), strict=False))
            states[row["be_name"], row["srv_name"]] = row
    return [
        _view(states[key], row)
        for row in csv.DictReader(statistics)
        if (key := (row["pxname"], row["svname"])) in states
    ]


def _view(state: dict[str, str], statistics: dict[str, str]) -> ServerView:
    admin = int(state["srv_admin_state"])
    return ServerView(
        backend=state["be_name"],
        name=state["srv_name"],
        address=state["srv_addr"],
        port=int(state["srv_port"]),
        up=state["srv_op_state"] != "0",
        maintenance=bool(admin & _ADMIN_MAINTENANCE),
        drain=bool(admin & _ADMIN_DRAIN),
        passed=int(state["srv_check_health"]),
        last_change_seconds=int(state["srv_time_since_last_change"]),
        check_status=statistics["check_status"].removeprefix("* "),
        check_code=statistics["check_code"],
        sessions=int(statistics["scur"] or 0),
    )
