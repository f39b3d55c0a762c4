"""The part of the files program that sums what is in directories, so that two machines can be compared.

Names are put into groups by what they are, and of each group only a sum is told: an answer has little room.
Where sums differ, what is in those groups is asked for. It runs by any Python from 3.6 on.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Any

from nospof.adapters.machine.files_look import WALK_FILES, FilesHost
from nospof.adapters.machine.files_syncthing import MARKER

# The sender cuts here: what stands above is in the parts before, but for the imports.

GROUPS = 1024
"""In all directories together."""
ENTRIES = 150
"""That are told of each directory, of the groups that are asked for."""
END_BYTES = 64 << 10
"""Of a file of more than two ends, its beginning, its end and its size stand for it."""
OWN_NAMES = (MARKER, ".stversions", ".stignore")


def is_own(name: str) -> bool:
    """Whether a name is of the tool that keeps files in step, and not of who uses them."""
    return name in OWN_NAMES or name.startswith((".nospof-", ".syncthing.", "~syncthing~"))


def check(m: FilesHost, sharing: "dict[str, Any]", asked: "dict[str, Any]") -> "dict[str, Any]":
    """Return the sums of the groups of each directory; entries of those that are asked for, by directory."""
    directories, wanted = sharing["directories"], asked.get("groups") or {}
    count = max(16, GROUPS // max(1, len(directories)))
    told = [one for one in directories if not wanted or one in wanted]
    return {"directories": [summed(m, one, count, wanted.get(one) or []) for one in told], "problem": ""}


def summed(m: FilesHost, directory: str, count: int, wanted: "list[int]") -> "dict[str, Any]":
    """Return what is in a directory.

    Args:
        count: of groups.
        wanted: groups whose entries are told, and nothing of the others; none for the sums of all.
    """
    sums, entries, files, size, in_part, is_whole = [0] * count, [], 0, 0, 0, True
    for name, path in names(m.path(directory)):
        group = short_sum(name) % count
        if wanted and group not in wanted:
            continue
        if files >= WALK_FILES:
            is_whole = False
            break
        with contextlib.suppress(FileNotFoundError):
            what, length, has_more = content(path)
            files, size, in_part = files + 1, size + length, in_part + has_more
            sums[group] ^= short_sum(name + "\0" + what)
            if wanted:
                entries.append(what + " " + name)
    found = {"directory": directory, "files": files, "bytes": size, "in_part": in_part, "is_whole": is_whole}
    if not wanted:
        return {**found, "sums": [f"{one:08x}" for one in sums], "entries": []}
    entries.sort(key=short_sum)
    return {
        **found,
        "sums": [],
        "entries": entries[:ENTRIES],
        "is_whole": is_whole and len(entries) <= ENTRIES,
    }


def names(root: str) -> "Iterator[tuple[str, str]]":
    """Return everything below a directory but directories, as named from there, with where it is."""
    for here, directories, files in os.walk(root):
        directories[:] = sorted(one for one in directories if not is_own(one))
        links = [one for one in directories if os.path.islink(os.path.join(here, one))]
        for one in sorted(files + links):
            if not is_own(one):
                path = os.path.join(here, one)
                yield os.path.relpath(path, root), path


def content(path: str) -> "tuple[str, int, bool]":
    """Return what stands for a file's content, its size, and whether not all of it was read.

    Raises:
        FileNotFoundError: it was deleted meanwhile.
    """
    seen = os.lstat(path)
    if stat.S_ISLNK(seen.st_mode):
        return "link:" + os.readlink(path), 0, False
    if not stat.S_ISREG(seen.st_mode):
        return "special", 0, False
    digest, size = hashlib.sha256(), seen.st_size
    with open(path, "rb") as file:
        digest.update(file.read(END_BYTES))
        if size > END_BYTES:
            file.seek(max(END_BYTES, size - END_BYTES))
            digest.update(file.read(END_BYTES))
    return f"{size}:{digest.hexdigest()[:12]}", size, size > 2 * END_BYTES


def short_sum(text: str) -> int:
    """Return the same number for the same text, on every machine."""
    return int(hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8], 16)
