"""The part of the data program that comes before each start of a MariaDB: may it, and with what of its own.

It runs by any Python from 3.6 on.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
from typing import Any

from nospof.adapters.machine.data_door import DOOR_STATISTICS, DOOR_UNIT
from nospof.adapters.machine.data_galera import (
    CACHE_LEAST,
    SST_PORT,
    allow_bootstrap,
    cache_bytes,
    galera_settings,
    grastate,
    noted_position,
    recovered_position,
)
from nospof.adapters.machine.data_machine import START_SECONDS, Host, found_program
from nospof.adapters.machine.data_mariadb_examine import sst_method
from nospof.adapters.machine.data_mariadb_server import OWN_SOCKET, Server
from nospof.adapters.machine.hold_databases import SAID_CHARACTERS, Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

BEGIN_FLAG = "run/nospof/begin-as-first"
"""The next start, and only that, is the first of its cluster."""
ADDRESS_NOTE = "etc/nospof/address"
"""Whose data this is: on a copy of the disk it is somebody else's."""
CLUSTER_FILES = ("grastate.dat", "gvwstate.dat", "galera.cache")


def before_start(m: Host, unit: str) -> None:
    """Write what is a machine's own, or take it away. Raises Refused: the unit may not start."""
    layout = m.layout()
    me = m.member(layout) if layout else None
    server = Server(m)
    if unit == DOOR_UNIT:
        if layout is None or not layout["members"]:
            raise Refused("there is no layout: the server itself is where the door would be")
        if me is None:
            raise stranger(layout)
        have_run_directories(m, server)
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(m.path(OWN_SOCKET))  # left by one that was killed
    if layout is None or not layout["members"]:
        be_alone(m, server, layout is not None)
        return
    if me is None:
        raise stranger(layout)
    be_one_of(m, server, layout, me)


def stranger(layout: "dict[str, Any]") -> Refused:
    """Return why a copy of a member may not begin."""
    return Refused(
        "this machine's address has no seat in the layout of {} that is on its disk: it is a copy that "
        "nobody has let in".format(layout["cluster"])
    )


def be_alone(m: Host, server: Server, was_member: bool) -> None:
    """Have the server start as it is configured without us."""
    m.remove(server.configuration())
    if was_member:
        if m.is_active(DOOR_UNIT):
            m.systemctl("stop", DOOR_UNIT)  # it is where the server will be
        for name in CLUSTER_FILES:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(server.directory(), name))


def be_one_of(m: Host, server: Server, layout: "dict[str, Any]", me: "dict[str, Any]") -> None:
    """Have the server start as the member that this machine is."""
    directory = server.directory()
    is_alone = len(layout["members"]) == 1
    have_run_directories(m, server)
    is_first = is_alone or os.path.exists(m.path(BEGIN_FLAG))
    state = grastate(directory)
    position = ""
    if state and not noted_position(state) and "galera_recovery" not in server.unit_text():
        position = recover(m, server)
    if is_copy(m, me["address"]) or is_alone:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, "gvwstate.dat"))  # it says who a member was, and whom it knew
    allow_bootstrap(m, directory, is_first)
    m.write(server.configuration(), galera_settings(layout, me, facts(m, server, is_first, position)))
    m.write(ADDRESS_NOTE, me["address"] + "\n")
    m.remove(BEGIN_FLAG)


def have_run_directories(m: Host, server: Server) -> None:
    """Have the places of sockets: what is below /run is gone after a boot."""
    os.makedirs(os.path.dirname(m.path(DOOR_STATISTICS)), exist_ok=True)
    for name in (OWN_SOCKET, m.undo().get("socket") or OWN_SOCKET):
        directory = os.path.dirname(m.path(name))
        if not os.path.isdir(directory):
            os.makedirs(directory)
            if os.geteuid() == 0:
                shutil.chown(directory, server.os_user())


def is_copy(m: Host, address: str) -> bool:
    """Whether the data was another machine's until now."""
    try:
        with open(m.path(ADDRESS_NOTE), encoding="ascii") as file:
            return file.read().strip() != address
    except FileNotFoundError:
        return True


def facts(m: Host, server: Server, is_first: bool, position: str) -> "dict[str, Any]":
    """Return what a member's configuration is made of beside the layout."""
    provider, method = server.provider(), sst_method()
    if not provider or not method:
        raise Refused("Galera's library, or what copies data for it, is not on the machine any more")
    return {
        "provider": provider,
        "socket": server.own_socket(),
        "client_socket": m.place(OWN_SOCKET),
        "cache_bytes": cache_size(m, server.directory()),
        "sst_method": method,
        "sst_port": free_port() if m.mark else SST_PORT,
        "sst_user": server.os_user(),
        "is_first": is_first,
        # With one, a member that was away never catches up with writers who do not rest.
        "appliers": max(4, min(16, 2 * (os.cpu_count() or 1))),
        "position": position,
    }


def free_port() -> int:
    """Return a port for what listens on all addresses, which machines that are directories share."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def cache_size(m: Host, directory: str) -> int:
    """Return how large a member's cache is; one that is there stays as large, for it would be lost."""
    with contextlib.suppress(OSError):
        return max(CACHE_LEAST, os.stat(os.path.join(directory, "galera.cache")).st_size)
    if m.mark:
        return CACHE_LEAST  # many machines share one computer
    found = re.search(r"MemTotal:\s+(\d+) kB", m.read("/proc/meminfo"))
    return cache_bytes(shutil.disk_usage(directory).free, int(found.group(1)) * 1024 if found else 0)


def recover(m: Host, server: Server) -> str:
    """Return the position that a server finds in its own files, by having it look; empty for none.

    Raises:
        Refused: it cannot read them.
    """
    program = found_program("mariadbd", "mysqld")
    if not program:
        raise Refused("MariaDB's program is not on the machine")
    command = [
        program,
        *server.defaults(),
        "--user=" + server.os_user(),
        "--wsrep-recover",
        "--disable-log-error",
    ]
    command += ["--skip-networking", "--bind-address=127.0.0.1"]
    command += ["--wsrep-on=ON", "--wsrep-provider=" + server.provider()]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=START_SECONDS,
            cwd=m.root,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused("MariaDB did not find its position in time")  # noqa: B904 - the cause says no more
    log = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise Refused("MariaDB does not find its position: " + " ".join(log.split())[-SAID_CHARACTERS:])
    return recovered_position(log)


def position_of(m: Host, server: Server) -> str:
    """Return how far the data of a member that is down is. Raises Refused: it runs, or does not tell."""
    if m.is_active(server.unit()):
        raise Refused("MariaDB runs here: its state tells its position")
    state = grastate(server.directory())
    if not state:
        raise Refused("there is no member's data here")
    found = noted_position(state) or recover(m, server)
    if not found:
        raise Refused("MariaDB does not know how far its data is")
    return found
