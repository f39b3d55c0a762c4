"""The part of the files program that looks at directories: what keeps them from being had by two.

It runs by any Python from 3.6 on.
"""

import contextlib
import os
import socket
import stat
import time
from typing import Any

from nospof.adapters.machine.data_machine import Host
from nospof.adapters.machine.files_syncthing import PORT, SHARING, STATUS_PORT, Syncthing, how_to_install

# The sender cuts here: what stands above is in the parts before, but for the imports.

WALK_FILES = 200000
WALK_SECONDS = 20.0
SQLITE = b"SQLite format 3\0"


class FilesHost(Host):
    """The machine, for this program."""

    def sharing(self) -> "dict[str, Any] | None":
        """Return the sharing that was applied last; None where there was none. Raises Refused."""
        return self._document(SHARING)


def look(m: FilesHost, asked: "dict[str, Any]") -> "dict[str, Any]":
    """Return what keeps directories from being had by two."""
    version, sharing = Syncthing(m).version(), m.sharing()
    obstacles = []
    if not version:
        obstacles.append(obstacle("program", "syncthing", "syncthing is not there: " + how_to_install()))
    if sharing is None:
        obstacles += [
            obstacle("port", str(one), f"port {one} is taken")
            for one in (PORT, STATUS_PORT)
            if is_taken(m, one)
        ]
    found = [walked(m, one, obstacles) for one in asked.get("directories", [])]
    return {"version": version, "sharing": sharing, "directories": found, "obstacles": obstacles}


def obstacle(kind: str, what: str, says: str) -> "dict[str, str]":
    """Return one thing that stands in the way; "use" is only to be known."""
    return {"kind": kind, "what": what, "says": says}


def is_taken(m: FilesHost, port: int) -> bool:
    """Whether somebody listens on a port of this machine, where its ports are its own."""
    if m.mark:
        return False
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("0.0.0.0", port))  # noqa: S104 - nobody is let in: it is closed at once
        except OSError:
            return True
    return False


def walked(m: FilesHost, directory: str, obstacles: "list[dict[str, str]]") -> "dict[str, Any]":
    """Return the size of a directory, and add what keeps it from being had by two."""
    root, files, size, others = m.path(directory), 0, 0, 0
    example, is_whole, ends = "", True, time.monotonic() + WALK_SECONDS
    if os.path.realpath(root) != root or not os.path.isdir(root):
        obstacles.append(obstacle("directory", directory, no_directory(m, directory)))
        return {"directory": directory, "files": 0, "bytes": 0, "is_whole": True}
    for here, directories, names in os.walk(root):
        above = os.lstat(here)
        for name in directories + names:
            path = os.path.join(here, name)
            with contextlib.suppress(OSError):
                one = os.lstat(path)
                if (one.st_uid, one.st_gid) != (above.st_uid, above.st_gid):
                    others, example = others + 1, example or path
                if stat.S_ISREG(one.st_mode):
                    files, size = files + 1, size + one.st_size
                    if is_sqlite(path):
                        says = path + " is a database (SQLite): two writers of it would destroy it"
                        obstacles.append(obstacle("database", path, says))
        if files > WALK_FILES or time.monotonic() > ends:
            is_whole = False
            says = f"only the first {files} files of {directory} were looked at"
            obstacles.append(obstacle("use", directory, says))
            break
    if others and os.geteuid() == 0:
        # What comes from the other side is given the owner of its directory: nothing tells another.
        says = (
            f"{others} files of {directory} have other owners than their directories, as {example} has; on "
            "the other side they would have those"
        )
        obstacles.append(obstacle("owner", directory, says))
    return {"directory": directory, "files": files, "bytes": size, "is_whole": is_whole}


def no_directory(m: Host, directory: str) -> str:
    """Return what is there instead of a directory; of one behind a link, the name that it has itself."""
    root = m.path(directory)
    own = os.path.realpath(root)
    if os.path.isdir(own) and own.startswith(m.root.rstrip("/") + "/"):
        return f"{directory} leads to /{os.path.relpath(own, m.root)} by a link: name that instead"
    return directory + " is no directory, or behind a link"


def is_sqlite(path: str) -> bool:
    """Whether a file is a database of SQLite."""
    with open(path, "rb") as file:
        return file.read(len(SQLITE)) == SQLITE
