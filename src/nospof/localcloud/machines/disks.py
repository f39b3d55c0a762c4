"""Copies of directory trees: modes, owners, times, links, holes and shared blocks where they can be.

A tree may change while it is copied. `refresh` then brings a copy up to date in the moment the
machine stands still, touching only what has changed since.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

Progress = Callable[[int, int], None]
"""Told the bytes copied so far and the bytes there were at the start."""

_FICLONE = 0x40049409  # linux/fs.h: share the blocks, on file systems that can (XFS, Btrfs)
_CHUNK = 16 << 20
_TICK_NANOSECONDS = 100_000_000  # times are stamped by the kernel's tick, 10 ms at worst
_NO_CLONE = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.EPERM}


def copy_tree(source: Path, destination: Path, progress: Progress | None = None) -> None:
    """Copy a tree to a place that does not exist, complete or not at all.

    Raises:
        OSError: it could not be copied (no space); nothing is left of the attempt.
    """
    try:
        TreeCopy(source, destination, progress).refresh()
    except BaseException:
        shutil.rmtree(destination, ignore_errors=True)
        raise


class TreeCopy:
    """A copy of a tree that can be brought up to date.

    Args:
        source: the tree; files that vanish while they are looked at are no error.
        destination: where the copy is or will be.
        progress: told as bytes are copied.
    """

    def __init__(self, source: Path, destination: Path, progress: Progress | None = None) -> None:
        self._source = source
        self._destination = destination
        self._progress = progress
        self._copied = 0
        self._total = _size_of(source) if progress else 0
        self._seen: dict[str, tuple[int, ...]] = {}
        self._links: dict[tuple[int, int], str] = {}
        self._now = 0

    def refresh(self) -> None:
        """Make the copy equal to the source as it is now. Raises OSError."""
        self._links.clear()
        self._now = _clock_of(self._destination.parent)
        self._directory(str(self._source), str(self._destination))

    def _directory(self, source: str, destination: str) -> None:
        os.makedirs(destination, exist_ok=True)
        try:
            entries = list(os.scandir(source))
        except FileNotFoundError:
            entries = []
        names = {entry.name for entry in entries}
        for left in os.scandir(destination):
            if left.name not in names:
                _remove(left.path)
        for entry in entries:
            try:
                self._entry(entry.path, os.path.join(destination, entry.name))
            except FileNotFoundError:
                if os.path.lexists(entry.path):
                    raise
        _drop_attributes(source, destination)
        shutil.copystat(source, destination)
        _copy_owner(os.lstat(source), destination)

    def _entry(self, source: str, destination: str) -> None:
        found = os.lstat(source)
        if stat.S_ISDIR(found.st_mode):
            if os.path.lexists(destination) and not stat.S_ISDIR(os.lstat(destination).st_mode):
                os.unlink(destination)
            self._directory(source, destination)
            return
        mark = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode)
        if self._seen.get(source) == mark:
            return
        if os.path.lexists(destination):
            _remove(destination)
        self._leaf(source, destination, found)
        # A change within the same tick of the clock would not show in the times: look again then.
        settled = self._now - max(found.st_mtime_ns, found.st_ctime_ns) > _TICK_NANOSECONDS
        self._seen[source] = mark if settled else ()

    def _leaf(self, source: str, destination: str, found: os.stat_result) -> None:
        identity = (found.st_dev, found.st_ino)
        if found.st_nlink > 1 and identity in self._links:
            os.link(self._links[identity], destination, follow_symlinks=False)
            return
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(source), destination)
        elif stat.S_ISREG(found.st_mode):
            self._file(source, destination)
        elif stat.S_ISFIFO(found.st_mode):
            os.mkfifo(destination)
        elif stat.S_ISCHR(found.st_mode) and found.st_rdev == 0 and os.geteuid() == 0:
            os.mknod(destination, stat.S_IFCHR)  # an overlay's mark of what was deleted
        else:
            return  # a socket belongs to the process that listens, not to the disk
        self._links[identity] = destination
        shutil.copystat(source, destination, follow_symlinks=False)
        _copy_owner(found, destination)

    def _file(self, source: str, destination: str) -> None:
        with open(source, "rb", buffering=0) as reader, open(destination, "wb", buffering=0) as writer:
            size = os.fstat(reader.fileno()).st_size
            if not _clone(reader.fileno(), writer.fileno()):
                self._copy_data(reader.fileno(), writer.fileno(), size)
            self._report(0)

    def _copy_data(self, reader: int, writer: int, size: int) -> None:
        position = 0
        while position < size:
            try:
                start = os.lseek(reader, position, os.SEEK_DATA)
                end = os.lseek(reader, start, os.SEEK_HOLE)
            except OSError as error:
                if error.errno != errno.ENXIO:  # nothing but a hole up to the end
                    raise
                break
            os.lseek(reader, start, os.SEEK_SET)
            os.lseek(writer, start, os.SEEK_SET)
            self._copy_extent(reader, writer, min(end, size) - start)
            position = end
        os.ftruncate(writer, max(size, os.fstat(writer).st_size))

    def _copy_extent(self, reader: int, writer: int, length: int) -> None:
        while length > 0:
            done = os.copy_file_range(reader, writer, min(length, _CHUNK))
            if not done:  # the file was cut short meanwhile
                return
            length -= done
            self._report(done)

    def _report(self, size: int) -> None:
        self._copied += size
        if self._progress:
            self._progress(min(self._copied, self._total), self._total)


def _clone(reader: int, writer: int) -> bool:
    try:
        fcntl.ioctl(writer, _FICLONE, reader)
    except OSError as error:
        if error.errno in _NO_CLONE:
            return False
        raise
    return True


def _copy_owner(found: os.stat_result, destination: str) -> None:
    if os.geteuid() == 0:
        os.chown(destination, found.st_uid, found.st_gid, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            os.chmod(destination, stat.S_IMODE(found.st_mode))  # a change of owner clears setuid


def _drop_attributes(source: str, destination: str) -> None:
    """Take away what the source has no more: it may have become a directory that hides nothing below it."""
    try:
        left = set(os.listxattr(destination)) - set(os.listxattr(source))
    except OSError:  # a file system without extended attributes
        return
    for name in left:
        os.removexattr(destination, name)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _clock_of(directory: Path) -> int:
    """Return the time in nanoseconds as the file system's own clock has it."""
    # A file without a name: many copies may be made into one directory at once.
    with tempfile.TemporaryFile(dir=directory) as probe:
        return os.fstat(probe.fileno()).st_mtime_ns


def _size_of(tree: Path) -> int:
    total = 0
    for directory, _, names in os.walk(tree):
        for name in names:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size
            except FileNotFoundError:
                continue
    return total
