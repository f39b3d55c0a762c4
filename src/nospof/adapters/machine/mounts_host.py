"""The part of the mounts program that knows what is mounted where, on this machine and in its services.

A directory of the machine becomes one of a file system of EFS. What is written to /etc/nospof/mounts.json
decides it; the rest is made from that again. It runs by any Python from 3.6 on.
"""

import contextlib
import fcntl
import os
import re
import struct
from collections.abc import Iterator
from typing import Any

from nospof.adapters.machine.data_machine import Host, found_program
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

RECORD = "etc/nospof/mounts.json"
STAGE = "run/nospof/mounts"
KEPT = ".{}.nospof-before"
"""Beside a directory: what it held on the machine's own disk."""
OPTIONS = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport"
"""As AWS recommends (EFS User Guide, "Recommended NFS mount options")."""
TRIED = "ro,nfsvers=4.1,soft,timeo=50,retrans=1,retry=0,noresvport"
"""For a look: it must end, also where nobody answers."""
AT_BOOT = OPTIONS + ",_netdev,nofail"
"""A machine whose file system is away has to come up all the same, to be looked into; see the guard."""
MOUNT_SECONDS = 40.0
GET_FLAGS, SET_FLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10
"""Of linux/fs.h."""


class MountsHost(Host):
    """The machine, for this program."""

    def record(self) -> "dict[str, Any]":
        """Return what was attached here, empty where nothing was. Raises Refused."""
        return self._document(RECORD) or {}

    # What is mounted ----------------------------------------------------------------------------------

    def is_mounted(self, mount: "dict[str, Any]") -> bool:
        """Whether a directory is that of the file system now."""
        is_told = self.mounted_at(mount["directory"]) == source_of(mount)
        return is_told and bool(self.layers(self.path(mount["directory"])))

    def mounted_at(self, directory: str) -> str:
        """Return what is mounted on a directory last by NFS, as `SERVER:/PATH`; empty where nothing is."""
        found = ""
        for line in self.read("/proc/mounts", 1 << 22).splitlines():
            parts = line.split()
            if len(parts) > 2 and unescaped(parts[1]) == directory:
                found = unescaped(parts[0]) if parts[2].startswith("nfs") else found
        return found.rstrip("/") + "/" if found.endswith(":/") else found.rstrip("/")

    def layers(self, path: str, process: str = "self") -> "list[tuple[int, bool]]":
        """Return what is mounted on a path, the lowest first: its number, and whether nobody may write."""
        try:
            with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="replace") as file:
                rows = [line.split() for line in file]
        except OSError:
            return []
        there = {row[0]: row for row in rows if len(row) > 6 and unescaped(row[4]) == path}
        found: list[tuple[int, bool]] = []
        below = next((one for one in there if there[one][1] not in there), "")
        while below:
            found.append((int(below), "ro" in there[below][5].split(",")))
            below = next((one for one in there if there[one][1] == below), "")
        return found

    def mount(self, *words: str) -> None:
        """Mount something. Raises Refused: it was not."""
        code, said = self.run(["mount", *words], MOUNT_SECONDS)
        if code:
            raise Refused("mount {}: {}".format(words[-1], said or f"ended with {code}"))

    def unmount(self, path: str) -> None:
        """Take what is mounted last off a path; who still reads there goes on until he is done."""
        code, said = self.run(["umount", "-l", path], MOUNT_SECONDS)
        if code:
            raise Refused("umount {}: {}".format(path, said or f"ended with {code}"))

    @contextlib.contextmanager
    def staged(self, mount: "dict[str, Any]", options: str = OPTIONS) -> "Iterator[str]":
        """Have all of a file system somewhere that nobody else looks; yield where."""
        with self._aside(mount["system"], "-t", "nfs4", "-o", options, mount["server"] + ":/") as path:
            yield path

    @contextlib.contextmanager
    def beneath(self, directory: str) -> "Iterator[str]":
        """Have what is below everything that is mounted on a directory; yield where its parent is."""
        with self._aside("beneath", "--bind", self.path(os.path.dirname(directory))) as path:
            yield path

    @contextlib.contextmanager
    def _aside(self, called: str, *what: str) -> "Iterator[str]":
        path = self.path(f"{STAGE}/{called}-{os.getpid()}")
        os.makedirs(path, mode=0o700, exist_ok=True)
        self.mount(*what, path)
        try:
            yield path
        finally:
            with contextlib.suppress(Refused):
                self.unmount(path)
            with contextlib.suppress(OSError):
                os.rmdir(path)

    # Holding writes -----------------------------------------------------------------------------------

    def hold(self, directory: str, instead: str = "") -> None:
        """Have nobody begin to write to a directory; who reads goes on reading. A repeat changes nothing.

        Services with mounts of their own see it too: it is mounted over the directory as one that is read
        only from the start, for a flag that changes later is not told to them.

        Args:
            instead: another directory, to be read there meanwhile.
        """
        path = self.path(directory)
        if self.is_held(directory) and not instead:
            return
        stage = self.path(f"{STAGE}/hold-{os.getpid()}")
        os.makedirs(stage, mode=0o700, exist_ok=True)
        self.mount("--bind", instead or path, stage)
        try:
            self.mount("--make-private", stage)
            self.mount("-o", "remount,bind,ro", stage)
            self.mount("--bind", stage, path)
        finally:
            self.unmount(stage)
            with contextlib.suppress(OSError):
                os.rmdir(stage)

    def is_held(self, directory: str) -> bool:
        """Whether what a directory leads to now may not be written to."""
        layers = self.layers(self.path(directory))
        return bool(layers) and layers[-1][1]

    def release(self, directory: str) -> None:
        """End a hold."""
        if self.is_held(directory):
            self.unmount(self.path(directory))

    def holders(self, directory: str) -> "list[str]":
        """Return who may still write below a directory by what he opened before the hold."""
        path, found = self.path(directory), []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                top = (self.layers(path, name) or [(-1, False)])[-1][0]
                with contextlib.suppress(OSError):
                    if is_inside(name, path, top):
                        found.append(f"{called(name)} ({name})")
        return found

    def users(self, directory: str) -> "list[str]":
        """Return who has anything below a directory open."""
        path, found = self.path(directory), []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                with contextlib.suppress(OSError):
                    handles = [
                        os.readlink(f"/proc/{name}/fd/{one}") for one in os.listdir(f"/proc/{name}/fd")
                    ]
                    if any(lies_in(one, path) for one in (*handles, os.readlink(f"/proc/{name}/cwd"))):
                        found.append(f"{called(name)} ({name})")
        return found

    # Namespaces ---------------------------------------------------------------------------------------

    def strangers(self, directory: str) -> "list[str]":
        """Return who has a directory in mounts of his own that do not follow the machine's: containers."""
        path = self.path(directory)
        own = os.readlink("/proc/self/ns/mnt")
        device, at, group = whereabouts(path)
        found: dict[str, str] = {}
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            with contextlib.suppress(OSError):
                space = os.readlink(f"/proc/{name}/ns/mnt")
                if space != own and space not in found:
                    follows = not has_it_apart(name, device, at, group)
                    found[space] = "" if follows else f"{called(name)} ({name})"
        return sorted(one for one in found.values() if one)


def source_of(mount: "dict[str, Any]") -> str:
    """Return what a mount is called where mounts are listed."""
    return "{}:{}".format(mount["server"], mount["path"])


def unescaped(word: str) -> str:
    """Return a name as it is; the kernel writes a space by its number."""
    return re.sub(r"\\([0-7]{3})", lambda one: chr(int(one.group(1), 8)), word)


def called(process: str) -> str:
    """Return a process's name."""
    try:
        with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "?"


def is_inside(process: str, path: str, top: int) -> bool:
    """Whether a process has something below a path by another mount than the one that is there now."""
    for handle in os.listdir(f"/proc/{process}/fd"):
        with contextlib.suppress(OSError, StopIteration, ValueError):
            if not lies_in(os.readlink(f"/proc/{process}/fd/{handle}"), path):
                continue
            with open(f"/proc/{process}/fdinfo/{handle}", encoding="ascii") as file:
                told = dict(line.split(":", 1) for line in file.read().splitlines() if ":" in line)
            flags = int(told["flags"].strip(), 8)
            may_write = flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_DIRECTORY
            if may_write and int(told.get("mnt_id", "-2").strip()) != top:
                return True
    with contextlib.suppress(OSError):
        if lies_in(os.readlink(f"/proc/{process}/cwd"), path) and mount_of(f"/proc/{process}/cwd") != top:
            return True
    with open(f"/proc/{process}/maps", encoding="utf-8", errors="replace") as file:
        shared = (line.split(None, 5) for line in file if " rw-s " in line)
        return any(len(one) > 5 and lies_in(one[5].strip(), path) for one in shared)


def mount_of(path: str) -> int:
    """Return the number of the mount that a path is on."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with open(f"/proc/self/fdinfo/{handle}", encoding="ascii") as file:
            found = re.search(r"mnt_id:\s*(\d+)", file.read())
        return int(found.group(1)) if found else -2
    finally:
        os.close(handle)


def lies_in(name: str, path: str) -> bool:
    """Whether a name is a path or below it."""
    return (name + "/").startswith(path + "/")


def rows_of(process: str) -> "list[list[str]]":
    """Return what a process sees mounted, as rows of words."""
    with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="replace") as file:
        return [line.split() for line in file]


def whereabouts(path: str) -> "tuple[str, str, str]":
    """Return the device that a path is on, where on that it is, and who hears of mounts there."""
    covering = [row for row in rows_of("self") if lies_in(path, unescaped(row[4]).rstrip("/"))]
    row = max(covering, key=lambda one: len(unescaped(one[4])))
    below = path[len(unescaped(row[4]).rstrip("/")) :]
    group = next((one[7:] for one in row[6:] if one.startswith("shared:")), "")
    return row[2], unescaped(row[3]).rstrip("/") + below, group


def has_it_apart(process: str, device: str, at: str, group: str) -> bool:
    """Whether a process sees a place of a device by a mount that hears of none that we make there."""
    for row in rows_of(process):
        root = unescaped(row[3]).rstrip("/")
        if row[2] == device and (lies_in(at, root) or lies_in(root, at)):
            heard = [one.partition(":")[2] for one in row[6:] if one.startswith(("shared:", "master:"))]
            if not group or group not in heard:
                return True
    return False


def set_immutable(path: str, is_on: bool) -> bool:
    """Have nobody, not even root, make anything in a directory; return whether its file system can that."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        (before,) = struct.unpack("i", fcntl.ioctl(handle, GET_FLAGS, b"\0\0\0\0"))
        after = before | IMMUTABLE if is_on else before & ~IMMUTABLE
        if after != before:
            fcntl.ioctl(handle, SET_FLAGS, struct.pack("i", after))
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def how_to_mount() -> str:
    """Return how what mounts NFS comes to the machine."""
    for installer, package in (("apt-get", "nfs-common"), ("dnf", "nfs-utils"), ("yum", "nfs-utils")):
        if found_program(installer):
            return f"sudo {installer} install -y {package}"
    return "install what mounts NFS 4.1 there (nfs-common, nfs-utils)"
