"""The part of the mounts program that looks: at what is to move, who serves, and what is there already.

It runs by any Python from 3.6 on.
"""

import contextlib
import os
import stat
import time
from typing import Any

from nospof.adapters.machine.data_machine import found_program
from nospof.adapters.machine.files_look import WALK_FILES, WALK_SECONDS, is_sqlite, no_directory, obstacle
from nospof.adapters.machine.hold_databases import Refused
from nospof.adapters.machine.mounts_copy import MARK
from nospof.adapters.machine.mounts_guard import servers_of
from nospof.adapters.machine.mounts_host import TRIED, MountsHost, how_to_mount

# The sender cuts here: what stands above is in the parts before, but for the imports.


def look(m: MountsHost, asked: "dict[str, Any]") -> "dict[str, Any]":
    """Return what keeps directories from being moved, and who serves here."""
    obstacles: list[dict[str, str]] = []
    units, strays = servers_of(m, int(asked.get("port", 0)))
    if not found_program("mount.nfs4"):
        obstacles.append(obstacle("program", "mount.nfs4", "NFS cannot be mounted: " + how_to_mount()))
    if asked.get("mounts") and (strays or not units):
        who = f"the process {strays[0]}, which is of no unit of systemd" if strays else "nobody"
        says = (
            "{} listens on port {}: without a unit nothing keeps a machine whose files are away from serving"
        )
        obstacles.append(obstacle("unit", str(asked.get("port")), says.format(who, asked.get("port"))))
    if m.read("/sys/fs/selinux/enforce").strip() == "1" and not may_use_nfs(m):
        says = "SELinux keeps web servers from NFS here: sudo setsebool -P httpd_use_nfs on"
        obstacles.append(obstacle("access", "httpd_use_nfs", says))
    found = []
    for mount in asked.get("mounts", []):
        is_there = m.is_mounted(mount)
        found.append({**looked_at(m, mount, obstacles, is_there), "is_mounted": is_there})
        if not is_there and not obstacles:
            obstacles += target_obstacles(m, mount, str(asked.get("whose", "")))
    return {"directories": found, "units": units, "obstacles": obstacles}


def may_use_nfs(m: MountsHost) -> bool:
    """Whether SELinux lets web servers have files that are mounted by NFS."""
    tool = found_program("getsebool")
    code, said = m.run([tool, "httpd_use_nfs"]) if tool else (1, "")
    return code == 0 and said.endswith("on")


def looked_at(
    m: MountsHost, mount: "dict[str, Any]", obstacles: "list[dict[str, str]]", is_there: bool
) -> "dict[str, Any]":
    """Return the size of a directory, and add what keeps it from being moved."""
    directory = mount["directory"]
    nothing = {"directory": directory, "files": 0, "bytes": 0, "is_whole": True}
    root = m.path(directory)
    if is_there:
        return nothing
    if os.path.realpath(root) != root or not os.path.isdir(root):
        obstacles.append(obstacle("directory", directory, no_directory(m, directory)))
        return nothing
    before = m.mounted_at(directory) or (directory if m.layers(root) and not m.is_held(directory) else "")
    if before:
        obstacles.append(obstacle("mount", directory, f"{directory} is a mount already ({before})"))
        return nothing
    strangers = m.strangers(directory)
    if strangers:
        says = "{} has {} in mounts of its own (a container), and would go on writing to the old place"
        obstacles.append(obstacle("namespace", directory, says.format(strangers[0], directory)))
    return walked_through(m, directory, obstacles)


def walked_through(m: MountsHost, directory: str, obstacles: "list[dict[str, str]]") -> "dict[str, Any]":
    """Return how much a directory holds; what EFS cannot keep is an obstacle."""
    root, files, size, attributes = m.path(directory), 0, 0, 0
    device, is_whole, ends = os.lstat(root).st_dev, True, time.monotonic() + WALK_SECONDS
    for here, directories, names in os.walk(root):
        for name in directories + names:
            path = os.path.join(here, name)
            with contextlib.suppress(OSError):
                one = os.lstat(path)
                if one.st_dev != device:
                    obstacles.append(obstacle("mount", path, path + " is a mount inside of it"))
                if stat.S_ISREG(one.st_mode):
                    files, size = files + 1, size + one.st_size
                    attributes += any(not each.startswith("security.") for each in os.listxattr(path))
                    if is_sqlite(path):
                        says = path + " is a database (SQLite): two writers over NFS would destroy it"
                        obstacles.append(obstacle("database", path, says))
                elif not stat.S_ISDIR(one.st_mode) and not stat.S_ISLNK(one.st_mode):
                    obstacles.append(obstacle("special", path, path + " is a socket, a pipe or a device"))
        if files > WALK_FILES or time.monotonic() > ends:
            is_whole = False
            says = f"only the first {files} files of {directory} were looked at"
            obstacles.append(obstacle("use", directory, says))
            break
    if attributes:
        says = f"{attributes} files of {directory} have attributes or access lists that EFS does not keep"
        obstacles.append(obstacle("use", directory, says))
    return {"directory": directory, "files": files, "bytes": size, "is_whole": is_whole}


def target_obstacles(m: MountsHost, mount: "dict[str, Any]", whose: str) -> "list[dict[str, str]]":
    """Return what keeps a file system from taking a directory, by having it mounted for a moment."""
    where = "{}:{}".format(mount["system"], mount["path"])
    try:
        with m.staged(mount, TRIED) as root:
            at = inside(root, mount)
            if os.path.isdir(at):
                if marked_by(at) == mark_text(mount, whose):
                    return []
                names = sorted(os.listdir(at))
                if names:
                    says = (
                        "{} is not empty ({} among {}): nothing is mixed into what is there; name a path of "
                    )
                    says += "its own, such as {}:/NAME"
                    text = says.format(where, names[0], len(names), mount["system"])
                    return [obstacle("target", where, text)]
            elif os.path.lexists(at):
                return [obstacle("target", where, where + " is no directory")]
    except (Refused, OSError) as error:
        return [obstacle("reach", where, f"{where} cannot be mounted here: {error}")]
    return []


def inside(root: str, mount: "dict[str, Any]") -> str:
    """Return where the path of a mount is, in what is staged."""
    return os.path.normpath(os.path.join(root, mount["path"].lstrip("/")))


def mark_text(mount: "dict[str, Any]", whose: str) -> str:
    """Return what tells whose a file system is while it is being filled."""
    return "{} {}\n".format(whose, mount["directory"])


def marked_by(directory: str) -> str:
    """Return whose a file system is while it is being filled; empty where it is not."""
    with contextlib.suppress(OSError), open(os.path.join(directory, MARK), encoding="utf-8") as file:
        return file.read()
    return ""


def state(m: MountsHost, _asked: "dict[str, Any]") -> "dict[str, Any]":
    """Return what is attached here, and what of it is not mounted now."""
    mounts = m.record().get("mounts", [])
    away = [one["directory"] for one in mounts if not m.is_mounted(one)]
    waits = m.names("run/nospof/waits")
    says = "; ".join(f"{one} is not mounted" for one in away)
    says += "; {} waits for it".format(" and ".join(waits)) if away and waits else ""
    return {"mounts": mounts, "ready": bool(mounts) and not away, "says": says}
