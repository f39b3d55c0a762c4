"""The last part of the script that looks inside a machine: what runs there, what it keeps, the answer.

Command lines, environments and configurations are searched for known settings; nothing else of them
leaves the machine. One JSON object comes out, the same for the same machine. Each section says
"found", "none", "unreadable" or "not applicable".
"""

import base64
import contextlib
import json
import os
import re
import sys
import time
import zlib
from typing import Any

from nospof.adapters.machine.probe_engines import engines, votes
from nospof.adapters.machine.probe_identity import identity, made
from nospof.adapters.machine.probe_machine import (
    ESTABLISHED,
    LISTEN,
    Machine,
    NotApplicable,
    Unreadable,
    address_of,
    bonds,
    clocks,
    devices,
    fstab,
    lent,
    memory,
    mounts,
    read_regular,
    refused,
    resolvers,
    routing,
    settings,
    sockets,
    swap,
)
from nospof.adapters.machine.probe_web import certificates, served, web

# The sender cuts here: what stands above is in the parts before, but for the imports.

SCHEMA = "nospof.probe/1"
OUTPUT_CHARACTERS = 22000  # of the 24,000 that Systems Manager keeps
SECTION_ROWS = 200
SWEEP_FILES = 20000
RECENT_SECONDS = 30 * 86400.0
WORKERS = ("celery", "sidekiq", "supervisord", "queue:work", "resque", "rqworker")
DOCUMENT_ROOTS = ("/var/www", "/srv", "/opt", "/usr/share/nginx")
SHARING = "/etc/nospof/files.json"
MADE_AGAIN = (".git", ".hg", ".svn", ".cache", "__pycache__")


# Sockets ---------------------------------------------------------------------------------------------


def listening(m: Machine) -> "list[Any]":
    """Return what listens."""
    rows = sorted({(*address_of(here), who) for here, _, who in sockets(m, LISTEN)})
    return [{"address": address, "port": port, "process": who} for address, port, who in rows]


def connections(m: Machine) -> "list[Any]":
    """Return what this machine's processes are connected to; not who is connected to them."""
    served = {address_of(here)[1] for here, _, _ in sockets(m, LISTEN)}
    rows = {
        (*address_of(there), who)
        for here, there, who in sockets(m, ESTABLISHED)
        if address_of(here)[1] not in served
    }
    return [{"address": address, "port": port, "process": who} for address, port, who in sorted(rows)]


# What else is kept --------------------------------------------------------------------------------------


def sessions(m: Machine) -> "list[Any]":
    """Return where PHP keeps sessions, when it keeps them in files and there are any."""
    found = {}
    directories = ["/var/lib/php/sessions", "/var/lib/php/session"]
    for at in ("/etc/php.ini", *(f"/etc/php/{one}/fpm/php.ini" for one in m.names("/etc/php"))):
        said = settings(m.read(at), ("session.save_handler", "session.save_path"))
        if said.get("session.save_handler", "files") == "files" and said.get("session.save_path"):
            directories.append(said["session.save_path"].rpartition(";")[2])
    others = tuple(one + "/" for one in lent(m))
    for at in (one for one in directories if not (one + "/").startswith(others)):
        number = sum(one.startswith("sess_") for one in m.names(at))
        if number:
            found[at] = number
    return [{"directory": at, "files": found[at]} for at in sorted(found)]


def written(m: Machine) -> "list[Any]":
    """Return directories below document roots with files that changed since the machine was made."""
    began, others = since(m), {m.path(one) for one in lent(m)}
    found: dict[str, int] = {}
    seen = 0
    for root in roots(m):
        for at, directories, files in os.walk(m.path(root), onerror=refused):
            directories[:] = sorted(
                one for one in directories if one not in MADE_AGAIN and os.path.join(at, one) not in others
            )
            for name in sorted(files):
                seen += 1
                if seen > SWEEP_FILES or m.is_late():
                    raise Unreadable(f"more than {SWEEP_FILES} files: not all were looked at")
                with contextlib.suppress(OSError):
                    changed = os.lstat(os.path.join(at, name)).st_mtime
                    if changed > began:
                        where = "/" + os.path.relpath(at, m.root)
                        found[where] = found.get(where, 0) + 1
    both = tuple(one + "/" for one in in_step(m)) if found else ()
    return [
        {"directory": at, "files": found[at], **({"in_step": True} if (at + "/").startswith(both) else {})}
        for at in sorted(found)
    ]


def in_step(m: Machine) -> "list[str]":
    """Return the directories that another machine has as well, as they were shared here last."""
    if not os.path.lexists(m.path(SHARING)):
        return []
    try:
        said = json.loads(m.read(SHARING))
        is_whole = len(said["members"]) > 1 and not said.get("joining")
        return [str(one).rstrip("/") for one in said["directories"]] if is_whole else []
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreadable(SHARING + " does not say what is shared")  # noqa: B904 - the cause says no more


def roots(m: Machine) -> "list[str]":
    """Return the document roots, none of them in another, and none that another machine lends."""
    beyond = tuple(one.rstrip("/") + "/" for one in lent(m))
    found: list[str] = []
    for one in sorted({*DOCUMENT_ROOTS, *served(m)}):
        if not (one + "/").startswith((*beyond, *(each + "/" for each in found))):
            found.append(one)
    return found


def since(m: Machine) -> float:
    """Return since when a changed file counts: a month ago, or the making of a younger machine.

    How long ago it booted is no matter: an upload of last week counts a minute after a boot too.
    """
    # A whole day, so that two looks at one machine give the same bytes.
    month = (time.time() - RECENT_SECONDS) // 86400 * 86400
    return max(month, made(m))


def open_files(m: Machine) -> "list[Any]":
    """Return the files that processes hold open for writing, without logs."""
    found, hidden = set(), 0
    for process in m.processes:
        try:
            handles = os.listdir("{}/fd".format(process["at"]))
        except OSError:
            hidden += 1
            continue
        for handle in handles:
            with contextlib.suppress(OSError, Unreadable):
                path = os.readlink("{}/fd/{}".format(process["at"], handle))
                flags = read_regular("{}/fdinfo/{}".format(process["at"], handle)).decode("ascii", "replace")
                mode = re.search(r"(?m)^flags:\s*0*(\d+)", flags)
                if m.root != "/" and path.startswith(m.root + "/"):
                    path = path[len(m.root) :]
                elif m.mark:
                    continue  # not on this machine's disk
                if mode and int(mode.group(1), 8) & 3 and keeps(path):
                    found.add((path, str(process["name"])))
    if hidden and not found:
        raise Unreadable(f"the files of {hidden} processes: needs root")
    return [{"path": path, "process": who} for path, who in sorted(found)]


def keeps(path: str) -> bool:
    """Whether an open file may be data."""
    passing = ("/dev/", "/proc/", "/sys/", "/run/", "/var/run/", "/var/log/", "/tmp/", "/memfd:", "/var/tmp/")  # noqa: S108
    return (
        path.startswith("/")
        and not path.startswith(passing)
        and not path.endswith((" (deleted)", ".log", ".pid"))
    )


# What runs by itself ---------------------------------------------------------------------------------


def jobs(m: Machine) -> "list[Any]":
    """Return what runs at its own times; names only, for commands may hold secrets."""
    crontabs = [
        "/etc/cron.d/" + one for one in m.names("/etc/cron.d") if one not in (".placeholder", "0hourly")
    ]
    found = [("cron", one) for one in crontabs if not stands_back(m, one)]
    for at in ("/var/spool/cron/crontabs", "/var/spool/cron"):
        found += [("cron", at + "/" + one) for one in m.names(at) if os.path.isfile(m.path(at + "/" + one))]
    found += [("timer", one) for one in m.names("/etc/systemd/system") if one.endswith(".timer")]
    for process in m.processes:
        words = " ".join(str(one) for one in list(process["command"])[:4])
        found += [("worker", one) for one in WORKERS if one in words]
    return [{"kind": kind, "name": name} for kind, name in sorted(set(found))]


def stands_back(m: Machine, name: str) -> bool:
    """Whether a crontab does nothing where systemd runs, as those of packages that bring a timer as well.

    Certbot's counts all the same: its timer asks for certificates, which two must not.
    """
    try:
        lines = [one.strip() for one in m.read(name).splitlines()]
    except Unreadable:
        return False
    entries = [one for one in lines if one and not re.match(r"#|\w+\s*=", one)]
    return bool(entries) and all("/run/systemd/system" in one and "certbot" not in one for one in entries)


def units(m: Machine) -> "list[Any]":
    """Return the machine's own services, and whether each is started again when it dies."""
    found = []
    for name in m.names("/etc/systemd/system"):
        if name.endswith(".service"):
            at = "/etc/systemd/system/" + name
            drop_ins = [at + ".d/" + one for one in m.names(at + ".d") if one.endswith(".conf")]
            said = settings("\n".join(m.read(one) for one in [at, *drop_ins]), ("Restart",))
            found.append({"name": name, "restart": said.get("Restart", "no")})
    return found + [{"name": one, "restart": "always"} for one in m.names("/etc/services") if m.mark]


# The answer ------------------------------------------------------------------------------------------

SECTIONS = (
    ("devices", devices),
    ("mounts", mounts),
    ("fstab", fstab),
    ("swap", swap),
    ("memory", memory),
    ("bonds", bonds),
    ("routing", routing),
    ("resolvers", resolvers),
    ("clocks", clocks),
    ("listening", listening),
    ("connections", connections),
    ("engines", engines),
    ("votes", votes),
    ("sessions", sessions),
    ("written", written),
    ("files", open_files),
    ("jobs", jobs),
    ("units", units),
    ("certificates", certificates),
    ("identity", identity),
    ("web", web),
)


def look(root: str = "/", proc: str = "", mark: bytes = b"") -> "dict[str, Any]":
    """Return what a look at a machine found; no section's fault is another's."""
    m = Machine(root, proc or os.path.join(root, "proc"), mark)
    answer: dict[str, Any] = {"schema": SCHEMA, "is_root": os.geteuid() == 0}
    for name, read in SECTIONS:
        try:
            if m.is_late():
                raise Unreadable("the time was over")  # noqa: TRY301
            found = read(m)
            cut = len(found) > SECTION_ROWS
            answer[name] = {
                "status": "unreadable" if cut else "found" if found else "none",
                "reason": f"only the first {SECTION_ROWS} of {len(found)}" if cut else "",
                "found": found[:SECTION_ROWS],
            }
            if name == "written":
                answer[name]["since"] = int(since(m))
        except NotApplicable as error:
            answer[name] = {"status": "not applicable", "reason": str(error), "found": []}
        except Unreadable as error:
            answer[name] = {"status": "unreadable", "reason": str(error), "found": []}
        except Exception as error:  # noqa: BLE001 - a machine may hold anything; the other sections count
            answer[name] = {"status": "unreadable", "reason": type(error).__name__, "found": []}
    return answer


def packed(answer: dict[str, Any]) -> str:
    """Return the answer in one line that fits; what has to go is said to be unreadable."""
    while True:
        text = json.dumps(answer, sort_keys=True, separators=(",", ":"))
        line = SCHEMA + " " + base64.b64encode(zlib.compress(text.encode(), 9)).decode()
        longest = max(
            (one for one in answer.values() if isinstance(one, dict)), key=lambda one: len(str(one["found"]))
        )
        if len(line) <= OUTPUT_CHARACTERS or not longest["found"]:
            return line
        longest.update(
            status="unreadable",
            reason="too much to tell",
            found=longest["found"][: len(longest["found"]) // 2],
        )


def main() -> None:
    """Look at this machine; one that is a directory says so in its environment."""
    root = os.environ.get("NOSPOF_DISK", "")
    mark = "NOSPOF_MACHINE={}".format(os.environ.get("NOSPOF_MACHINE", "")).encode() if root else b""
    if "--root" in sys.argv[:-1]:
        root, mark = sys.argv[sys.argv.index("--root") + 1], b""
    sys.stdout.write(packed(look(root or "/", "/proc" if mark else "", mark)) + "\n")


if __name__ == "__main__":
    main()
