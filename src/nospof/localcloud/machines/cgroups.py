"""One control group for each machine, so that the kernel can tell whose a socket is.

All addresses of a computer's machines are its own: a connection from one machine to another may leave with
any of them. What is certain is the group of the process that made a socket. Only root can have that, and only
where there is a hierarchy of version 2; elsewhere machines have no group.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import time
from pathlib import Path

BUSY_SECONDS = 0.5


@functools.cache
def hierarchy() -> Path | None:
    """Return where control groups of version 2 are, if this process may make some."""
    if os.geteuid() != 0:
        return None
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[2] == "cgroup2" and "rw" in fields[3].split(","):
            return Path(fields[1])
    return None


def group_of(machine: Path) -> Path | None:
    """Return the group of the machine in a directory, whether it is there yet or not."""
    root = hierarchy()
    return root / f"nospof-{hashlib.sha256(os.fsencode(machine)).hexdigest()[:16]}" if root else None


def make(machine: Path) -> str:
    """Make a machine's group; return the file a process joins it by, or "" when there can be none."""
    group = group_of(machine)
    if group is None:
        return ""
    try:
        group.mkdir(exist_ok=True)
    except OSError:  # a container that may look at groups only
        return ""
    return str(group / "cgroup.procs")


def remove(machine: Path) -> None:
    """Remove the group of a machine whose processes are gone."""
    group, deadline = group_of(machine), time.monotonic() + BUSY_SECONDS
    while group:
        try:
            group.rmdir()
        except OSError as error:
            # What was just killed may still be on its way out.
            if error.errno == errno.EBUSY and time.monotonic() < deadline:
                time.sleep(0.005)
                continue
        return
