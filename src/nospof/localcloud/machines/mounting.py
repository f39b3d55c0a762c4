"""What `mount`, `umount` and `mount.nfs4` are inside a machine, as far as EFS goes: `mounting.py NAME ARGS`.

There is no server of NFS here. A file system is a directory of the cloud that machines have bound into their
disks, each in mounts of its own; only root can have such machines. It is reached as at AWS: by its name,
while it has a mount target in the machine's zone. What it is called stands in the machine's own proc/mounts.
Every other mount is the computer's own program's to make.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

MACHINE = Path(os.environ.get("NOSPOF_MACHINE", "/"))
DISK = Path(os.environ.get("NOSPOF_DISK", "/"))
SYSTEMS = "file-systems"
TABLE = "run/nfs-mounts"
"""Of a machine: the kernel's number of each of its mounts, and the line of it in its proc/mounts."""
TYPES = ("nfs", "nfs4", "efs")
SYSTEM = re.compile(r"(fs-[0-9a-f]+)(?:\.efs\.[a-z0-9.-]+)?:?(/.*)?")
FAILED = 32
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def write_down(directory: Path, system_id: str, zones: list[str]) -> Path:
    """Have a file system below a cloud's directory, reached from these zones; return where its files are."""
    system = directory / SYSTEMS / system_id
    (system / "data").mkdir(parents=True, exist_ok=True)
    partial = system / "zones.partial"
    partial.write_text(json.dumps(sorted(zones)), encoding="utf-8")
    partial.replace(system / "zones.json")
    return system / "data"


# The machine's own --------------------------------------------------------------------------------------


def leave_none(disk: Path) -> None:
    """Take off a disk what is mounted on it: after a boot there is nothing."""
    points = [point for _, point in mounted() if point.startswith(f"{disk}/")]
    for point in reversed(points):
        real("umount", ["-l", point])


def at_boot(disk: Path, environment: dict[str, str]) -> list[str]:
    """Mount what a machine's fstab wants of file systems; return what could not be, a line each."""
    import subprocess

    wrong = []
    for _, point, kind, _ in rows(disk / "etc/fstab"):
        if kind in TYPES:
            command = [sys.executable, "-I", "-S", __file__, "mount", point]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            wrong += [done.stderr.strip()] if done.returncode else []
    return wrong


def rows(table: Path) -> list[tuple[str, str, str, str]]:
    """Return what a table like fstab names: what, where, of which type, with which options."""
    words = [line.split("#")[0].split() for line in text_of(table).splitlines()]
    return [(one[0], one[1], one[2], one[3]) for one in words if len(one) > 3]


def text_of(path: Path) -> str:
    """Return what a file says, nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def mounted() -> list[tuple[str, str]]:
    """Return the kernel's number and the place of everything that is mounted, the oldest first."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        found = [line.split() for line in file]
    return [(one[0], one[4].replace("\\040", " ")) for one in found]


# The programs -------------------------------------------------------------------------------------------


def fail(says: str) -> None:
    """End as the real one does."""
    sys.stderr.write(f"mount.nfs4: {says}\n")
    raise SystemExit(FAILED)


def real(name: str, words: list[str]) -> int:
    """Run the computer's own program; return its code."""
    import subprocess

    environment = {**os.environ, "PATH": _PATH}
    return subprocess.run([name, *words], env=environment, check=False).returncode


def place(point: str) -> Path:
    """Return where a place of the machine is on the computer; a name that says it already stays."""
    return Path(point) if point.startswith(f"{DISK}/") else DISK / point.strip("/")


def mount(words: list[str]) -> int:
    """Mount a file system where that is what is asked for."""
    options = ""
    kind, rest, left = "", [], list(words)
    while left:
        word = left.pop(0)
        if word in ("-t", "-o") and left:
            kind, options = (left.pop(0), options) if word == "-t" else (kind, left.pop(0))
        else:
            rest.append(word)
    if len(rest) == 1 and not kind:
        known = {place(point): (what, kind, said) for what, point, kind, said in rows(DISK / "etc/fstab")}
        what, kind, options = known.get(place(rest[0]), ("", "", options))
        rest = [what, rest[0]] if what else rest
    if kind not in TYPES or len(rest) != 2:
        return real("mount", words)
    return bind(*rest, is_read_only="ro" in options.split(","))


def bind(what: str, point: str, *, is_read_only: bool) -> int:
    """Have a file system, or a directory of it, at a place of the machine."""
    found = SYSTEM.fullmatch(what)
    system = MACHINE.parent.parent / SYSTEMS / found[1] if found else Path()
    zones = system / "zones.json"
    if not found or not zones.exists() or os.environ.get("NOSPOF_ZONE") not in json.loads(zones.read_text()):
        fail(f"Failed to resolve server {what.rpartition(':')[0]}: Name or service not known")
        return FAILED
    directory, at = system / "data" / (found[2] or "/").strip("/"), place(point)
    if not directory.is_dir():
        fail(f"mounting {what} failed, reason given by server: No such file or directory")
    if not at.is_dir():
        fail(f"mount point {point} does not exist")
    if code := real("mount", ["--bind", str(directory), str(at)]):
        return code
    if is_read_only:
        real("mount", ["-o", "remount,bind,ro", str(at)])
    number = [one for one, where in mounted() if where == str(at)][-1]
    inside = f"/{at.relative_to(DISK)}"
    keep([*kept(), f"{number} {what} {inside} nfs4 {'ro' if is_read_only else 'rw'} 0 0"])
    return 0


def kept() -> list[str]:
    """Return what the table says of mounts that are still there."""
    there = {number for number, _ in mounted()}
    lines = text_of(MACHINE / TABLE).splitlines()
    return [line for line in lines if line.split(" ", 1)[0] in there]


def keep(lines: list[str], machine: Path = MACHINE, disk: Path = DISK) -> None:
    """Write the table, and the machine's own proc/mounts from it."""
    (machine / TABLE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    shown = disk / "proc/mounts"
    others = [one for one in text_of(shown).splitlines() if " nfs4 " not in one]
    shown.parent.mkdir(exist_ok=True)
    own = [line.split(" ", 1)[1] for line in lines]
    shown.write_text("".join(f"{line}\n" for line in [*others, *own]), encoding="utf-8")


def main() -> None:
    """Do what the command line says."""
    name, words = sys.argv[1], sys.argv[2:]
    if os.environ.get("NOSPOF_INIT_PID") != "1":
        fail("only a machine that root has started has mounts of its own")
    if name == "umount":
        code = real("umount", words)
        keep(kept())
        raise SystemExit(code)
    raise SystemExit(mount(["-t", "nfs4", *words] if name == "mount.nfs4" else words))


if __name__ == "__main__":
    main()
