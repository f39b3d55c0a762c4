"""What `fsfreeze` is inside a machine: `python -I -S fsfreeze.py -f|-u MOUNT POINT`.

The computer's own would freeze the computer's disk. Here a mount point is a directory of the machine's disk
that its own proc/mounts names. While it is frozen, whoever of the machine has a file of it open for writing
stands still, as he would at his next write; nothing else is touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

MACHINE = Path(os.environ["NOSPOF_MACHINE"])
DISK = Path(os.environ["NOSPOF_DISK"])
FROZEN = MACHINE / "run" / "frozen"


def fail(says: str) -> None:
    """End as the real one does."""
    sys.stderr.write(f"fsfreeze: {says}\n")
    raise SystemExit(1)


def writers(directory: str) -> set[int]:
    """Return the processes of this machine that have a file below a directory open for writing."""
    mark, found = f"NOSPOF_MACHINE={MACHINE}".encode(), set()
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()):
        with contextlib.suppress(OSError):
            if mark not in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                continue
            for handle in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{handle}").startswith(directory + "/"):
                    info = Path(f"/proc/{pid}/fdinfo/{handle}").read_text().splitlines()
                    flags = next(line.split()[1] for line in info if line.startswith("flags:"))
                    found |= {pid} if int(flags, 8) & os.O_ACCMODE else set()
    return found


def send(pids: set[int], number: signal.Signals) -> None:
    """Signal processes; those that have ended are no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def main() -> None:
    """Freeze or thaw."""
    how, point = sys.argv[1:3]
    mounts = DISK / "proc" / "mounts"
    points = [line.split()[1] for line in mounts.read_text().splitlines()] if mounts.exists() else []
    if point not in points:
        fail(f"{point}: not a mount point of this machine")
    mark = FROZEN / point.strip("/").replace("/", "-")
    if how in ("-f", "--freeze"):
        if mark.exists():
            fail(f"{point}: freeze failed: Device or resource busy")
        FROZEN.mkdir(exist_ok=True)
        found = writers(f"{DISK}{point}")
        mark.write_text(" ".join(map(str, found)))
        send(found, signal.SIGSTOP)
    elif how in ("-u", "--unfreeze"):
        if not mark.exists():
            fail(f"{point}: unfreeze failed: Invalid argument")
        send({int(pid) for pid in mark.read_text().split()}, signal.SIGCONT)
        mark.unlink()
    else:
        fail("no action specified")


if __name__ == "__main__":
    main()
