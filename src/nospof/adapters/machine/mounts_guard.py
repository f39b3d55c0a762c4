"""The part of the mounts program that keeps a machine whose file system is away from serving, and writing.

A unit that serves does not start before all is mounted; a unit of ours goes on trying, and starts it then.
What lies beneath a mount is an empty directory that nobody can write to. It runs by any Python from 3.6 on.
"""

import contextlib
import os
import re
import sys
import time
from typing import Any

from nospof.adapters.machine.hold_databases import Refused
from nospof.adapters.machine.mounts_host import AT_BOOT, MountsHost, source_of
from nospof.adapters.machine.probe_machine import Unreadable, address_of

# The sender cuts here: what stands above is in the parts before, but for the imports.

MOUNTS_PROGRAM = "usr/local/lib/nospof/mounts.py"
MOUNTS_UNIT = "nospof-mounts.service"
DROP_IN = "{}.d/nospof-mounts.conf"
WAITS = "run/nospof/waits"
BOOT_SECONDS = 5.0
"""Then a unit has failed to start, and waits for the mount to be started again."""
AGAIN_SECONDS = 3.0
FSTAB = "etc/fstab"

UNIT = """\
[Unit]
Description=Has directories of EFS mounted, and starts what was kept from serving without them (nospof)
After=network-online.target remote-fs.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart={program} keep
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
"""
GUARD = """\
[Unit]
After=network-online.target remote-fs.target

[Service]
ExecStartPre=+{program} boot {unit}
"""


class Guard:
    """What a machine has so that it does not serve without its mounts.

    Args:
        m: the machine.
    """

    def __init__(self, m: MountsHost) -> None:
        self.m = m

    def program(self) -> str:
        """Return how a unit starts this program."""
        return "{} -I -S {}".format(sys.executable or "/usr/bin/python3", self.m.place(MOUNTS_PROGRAM))

    def install(self, units: "list[str]") -> None:
        """Guard these units from now on."""
        m = self.m
        m.write(MOUNTS_PROGRAM, m.source, 0o755)
        for one in units:
            m.unit(DROP_IN.format(one), GUARD.format(program=self.program(), unit=one))
        m.unit(MOUNTS_UNIT, UNIT.format(program=self.program()))
        m.systemctl("enable", "--now", MOUNTS_UNIT)

    def forget(self, units: "list[str]") -> None:
        """Guard nothing any more."""
        self.m.forget_unit(MOUNTS_UNIT)
        for one in units:
            self.m.forget_unit(DROP_IN.format(one))

    # The table of what is mounted at boot -------------------------------------------------------------

    def at_boot(self, mount: "dict[str, Any]", is_wanted: bool) -> None:
        """Have a mount made at every boot, or not any more."""
        line = "{} {} nfs4 {} 0 0".format(source_of(mount), mount["directory"], AT_BOOT)
        path = self.m.path(FSTAB)
        before = ""
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
            before = file.read()
        rows = [one for one in before.splitlines() if one.strip() != line] + ([line] if is_wanted else [])
        after = "".join(one + "\n" for one in rows)
        if after != before:
            self.m.write(FSTAB, after, os.stat(path).st_mode & 0o777 if before else 0o644)
            self.m.systemctl("daemon-reload")

    # What runs on the machine -------------------------------------------------------------------------

    def missing(self) -> "list[str]":
        """Return what should be mounted and is not, after having tried."""
        m, wrong = self.m, []
        for one in m.record().get("mounts", []):
            if not m.is_mounted(one):
                try:
                    m.mount(m.path(one["directory"]))
                except Refused as error:
                    wrong.append("{} is not mounted: {}".format(one["directory"], error))
        return wrong

    def boot(self, unit: str) -> None:
        """Let a unit start once all is mounted. Raises Refused: it is not, and the unit must not."""
        ends = time.monotonic() + BOOT_SECONDS
        while True:
            wrong = self.missing()
            if not wrong:
                return
            if time.monotonic() > ends:
                break
            time.sleep(1)
        self.m.write(f"{WAITS}/{unit}", "; ".join(wrong) + "\n")
        raise Refused("{}: {} would serve without its files".format("; ".join(wrong), unit))

    def keep(self) -> None:
        """Go on mounting what is not, and start what had to wait for it."""
        while True:
            with contextlib.suppress(Refused, OSError):
                if not self.missing():
                    self.start_those_who_wait()
            time.sleep(AGAIN_SECONDS)

    def start_those_who_wait(self) -> None:
        """Start the units that were not let."""
        waits = self.m.path(WAITS)
        for unit in sorted(os.listdir(waits)) if os.path.isdir(waits) else ():
            self.m.run(["systemctl", "reset-failed", unit])
            if self.m.run(["systemctl", "start", unit])[0] == 0:
                self.m.remove(f"{WAITS}/{unit}")


# Who serves -------------------------------------------------------------------------------------------


def servers_of(m: MountsHost, port: int) -> "tuple[list[str], list[str]]":
    """Return the units whose processes listen on a port, and the processes that are of none."""
    inodes = listening_on(port)
    units, strays = [], []
    for name in os.listdir("/proc") if inodes else ():
        if name.isdigit() and holds_one(name, inodes):
            unit = unit_of(m, int(name))
            if unit:
                units.append(unit)
            else:
                strays.append(name)
    return sorted(set(units)), strays


def listening_on(port: int) -> "set[str]":
    """Return the sockets that listen on a port of this machine, by their inodes."""
    found = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/self/net/{table}", encoding="ascii") as file:
            for line in file.read().splitlines()[1:]:
                parts = line.split()
                if parts[3] == "0A" and address_of(parts[1])[1] == port:
                    found.add(f"socket:[{parts[9]}]")
    return found


def holds_one(process: str, inodes: "set[str]") -> bool:
    """Whether a process has one of some sockets."""
    with contextlib.suppress(OSError):
        for handle in os.listdir(f"/proc/{process}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{process}/fd/{handle}") in inodes:
                    return True
    return False


def unit_of(m: MountsHost, process: int) -> str:
    """Return the unit that a process belongs to; empty for none."""
    if not m.mark:
        with open(f"/proc/{process}/cgroup", encoding="ascii", errors="replace") as file:
            found = re.search(r"(?m)^(?:0:|\d+:name=systemd):.*/([^/\n]+\.service)(?:/|$)", file.read())
        return found.group(1) if found else ""
    # Machines that are directories have no control groups: there the main process tells.
    wanted = m.names("etc/systemd/system/multi-user.target.wants")
    line = ancestors_of(process)
    for unit in wanted:
        code, said = m.run(["systemctl", "show", "-p", "MainPID", "--value", unit])
        if code == 0 and said.isdigit() and int(said) in line:
            return unit
    return ""


def ancestors_of(process: int) -> "list[int]":
    """Return a process and those that it comes from."""
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError, Unreadable):
        while process > 1:
            found.append(process)
            with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
                process = int(file.read().rpartition(")")[2].split()[1])
    return found
