"""The part of the mounts program that copies a tree that changes, again and again, until nothing is left.

What was copied is remembered by how the original was seen then, so that the last time, while nobody may
write, only what has changed since is read. It runs by any Python from 3.6 on.
"""

import contextlib
import hashlib
import json
import os
import shutil
import stat
import time
from typing import Any

from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

MARK = ".nospof-copying"
"""In a file system while it is being filled: whose it is."""
CHUNK = 1 << 20
SETTLED_NANOSECONDS = 100 * 1000 * 1000
"""A file changed so short a time ago may change again with the same time stamp."""
DIFFERENT = 5


class OutOfTime(Exception):
    """There is more to copy."""


class TreeCopy:
    """A copy of a tree.

    Args:
        source: the tree.
        target: a directory that holds nothing else.
        ledger: the file that tells what was copied, from call to call.
    """

    def __init__(self, source: str, target: str, ledger: str) -> None:
        self.source, self.target, self.ledger = source, target, ledger
        self.seen: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError), open(ledger, encoding="utf-8") as file:
            self.seen = dict(json.load(file))
        self.links: dict[tuple[int, int], str] = {}
        self.files, self.bytes, self.copied = 0, 0, 0
        self.ends = float("inf")

    def run(self, ends: float = float("inf")) -> bool:
        """Make the copy as the tree is; return whether that is all of it. Raises OSError.

        Args:
            ends: when to leave the rest to the next call, on the monotonic clock.
        """
        self.ends = ends
        self.links.clear()
        self.files, self.bytes = 0, 0
        try:
            self.directory("")
        except OutOfTime:
            return False
        finally:
            self.remember()
        return True

    def remember(self) -> None:
        """Keep what was copied."""
        os.makedirs(os.path.dirname(self.ledger), mode=0o700, exist_ok=True)
        with open(self.ledger + ".partial", "w", encoding="utf-8") as file:
            json.dump(self.seen, file)
        os.replace(self.ledger + ".partial", self.ledger)

    def directory(self, name: str) -> None:
        """Copy a directory with all that is in it, and take away what is there no more."""
        source, target = os.path.join(self.source, name), os.path.join(self.target, name)
        if os.path.islink(target) or (os.path.exists(target) and not os.path.isdir(target)):
            os.unlink(target)
        os.makedirs(target, exist_ok=True)
        try:
            names = os.listdir(source)
        except FileNotFoundError:
            names = []
        for left in set(os.listdir(target)) - set(names) - {"" if name else MARK}:
            remove(os.path.join(target, left))
            self.forget(os.path.join(name, left))
        for one in names:
            if time.monotonic() > self.ends:
                raise OutOfTime
            with contextlib.suppress(FileNotFoundError):  # gone since it was listed: the next pass sees that
                self.entry(os.path.join(name, one))
        with contextlib.suppress(FileNotFoundError):
            dress(os.lstat(source), source, target)

    def forget(self, name: str) -> None:
        """Know nothing any more of what was taken away."""
        for one in [one for one in self.seen if one == name or one.startswith(name + "/")]:
            del self.seen[one]

    def entry(self, name: str) -> None:
        """Copy one thing of a directory."""
        source, target = os.path.join(self.source, name), os.path.join(self.target, name)
        found = os.lstat(source)
        if stat.S_ISDIR(found.st_mode):
            self.directory(name)
            return
        self.files, self.bytes = self.files + 1, self.bytes + found.st_size
        mark = mark_of(found)
        is_linked = found.st_nlink > 1
        if self.seen.get(name) == mark and not is_linked:
            return
        first = self.links.get((found.st_dev, found.st_ino)) if is_linked else None
        if first:
            if not (os.path.lexists(target) and os.path.samefile(first, target)):
                remove(target)
                os.link(first, target, follow_symlinks=False)
            return
        leaf(found, source, target)
        self.copied += 1
        if is_linked:
            self.links[(found.st_dev, found.st_ino)] = target
        newest = max(found.st_mtime_ns, found.st_ctime_ns)
        if int(time.time() * 1e9) - newest > SETTLED_NANOSECONDS:
            self.seen[name] = mark
        else:
            self.seen.pop(name, None)

    def different(self) -> "list[str]":
        """Return what is not the same in both, a sentence each, not more than a few."""
        found: list[str] = []
        for here, directories, names in os.walk(self.source):
            below = os.path.relpath(here, self.source)
            there = os.path.normpath(os.path.join(self.target, below))
            has = set(os.listdir(there)) if os.path.isdir(there) else set()
            wanted = set(directories) | set(names)
            found += [os.path.join(below, one) + " is only in one" for one in has ^ wanted if one != MARK]
            for one in wanted & has:
                a, b = os.lstat(os.path.join(here, one)), os.lstat(os.path.join(there, one))
                if shape(a) != shape(b):
                    found.append(f"{os.path.join(below, one)} differs: {shape(a)} and {shape(b)}")
            if len(found) >= DIFFERENT:
                break
        return found[:DIFFERENT]


def mark_of(found: os.stat_result) -> str:
    """Return what changes when a file does, in few characters."""
    told = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def shape(found: os.stat_result) -> "tuple[Any, ...]":
    """Return what two copies of one thing have in common: kind and mode, owner, size, its second."""
    is_directory = stat.S_ISDIR(found.st_mode)
    size, second = (0, 0) if is_directory else (found.st_size, int(found.st_mtime))
    return (oct(found.st_mode), found.st_uid, found.st_gid, size, second)


def leaf(found: os.stat_result, source: str, target: str) -> None:
    """Copy what is no directory: whole or not at all."""
    if stat.S_ISLNK(found.st_mode):
        wanted = os.readlink(source)
        if not os.path.islink(target) or os.readlink(target) != wanted:
            remove(target)
            os.symlink(wanted, target)
        os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
        with contextlib.suppress(OSError, NotImplementedError):
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)
        return
    if not stat.S_ISREG(found.st_mode):
        raise Refused(source + " is neither a file nor a link nor a directory")
    if not is_same(source, target, found.st_size):
        partial = os.path.join(os.path.dirname(target), ".nospof-" + str(os.getpid()))
        with open(source, "rb") as reader, open(partial, "wb") as writer:
            shutil.copyfileobj(reader, writer, CHUNK)
            writer.flush()
            os.fsync(writer.fileno())
        dress(found, source, partial)
        if os.path.isdir(target) and not os.path.islink(target):
            remove(target)
        os.replace(partial, target)
    dress(found, source, target)


def is_same(source: str, target: str, size: int) -> bool:
    """Whether a file is there already with the same content, by reading both."""
    try:
        there = os.lstat(target)
    except OSError:
        return False
    if not stat.S_ISREG(there.st_mode) or there.st_size != size or there.st_nlink > 1:
        return False
    with open(source, "rb") as one, open(target, "rb") as other:
        while True:
            some = one.read(CHUNK)
            if some != other.read(CHUNK):
                return False
            if not some:
                return True


def dress(found: os.stat_result, source: str, target: str) -> None:
    """Give a copy the owner, mode, attributes and times of the original; the mode last but for the times."""
    if os.geteuid() == 0:
        os.chown(target, found.st_uid, found.st_gid)
    with contextlib.suppress(OSError):  # NFS keeps none; which are lost was told before
        for name in os.listxattr(source):
            os.setxattr(target, name, os.getxattr(source, name))
    os.chmod(target, stat.S_IMODE(found.st_mode))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def remove(path: str) -> None:
    """Remove whatever is there, or nothing."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
