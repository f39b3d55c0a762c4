"""Machines whose root is this computer's own, with the machine's disk laid over it.

What the computer has installed is there at its usual places, and what the machine writes goes to its disk,
which alone is copied into images. The mounts live in a namespace of the machine and are gone with it. Only
root can have such machines. The network is the computer's: a server binds to the machine's own address.
"""

from __future__ import annotations

import sys
from pathlib import Path

MARK = "etc/nospof-overlay-root"
"""A disk with this file is laid over the computer's root; being on the disk, it is in its images too."""

_NAMESPACES = ("unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
# Without /sys: the computer's hardware is not the machine's to see. What the machine's first process needs
# of the computer is lent where a mount of its own, or a file system of its own, hides it.
_ENTER = """\
set -e
PATH=$PATH:/usr/sbin:/sbin
machine=$1
cd "$machine"
mkdir -p root work
mount -t overlay -o lowerdir=/,upperdir=disk,workdir=work overlay root
mount -t proc proc root/proc
mount --rbind /dev root/dev
mount -t tmpfs -o mode=1777 tmpfs root/dev/shm
mount -t tmpfs -o mode=755 tmpfs root/run
mount -t tmpfs -o mode=1777 tmpfs root/tmp
while [ "$1" != -- ]; do
    if [ "$1" = "$machine" ] || [ ! -e "root$1" ]; then
        mkdir -p "root$1"
        mount --bind "$1" "root$1"
    fi
    shift
done
shift
exec chroot root "$@"
"""


def is_overlay(machine: Path) -> bool:
    """Whether the machine in a directory has the computer's root below its disk."""
    return (machine / "disk" / MARK).exists()


def enter(machine: Path) -> list[str]:
    """Return the command that another is appended to, to be run with the machine's root as its own."""
    package = Path(__file__).parents[3]
    lent = dict.fromkeys(map(str, (machine, package, Path(sys.base_prefix))))
    return [*_NAMESPACES, "/bin/sh", "-c", _ENTER, "sh", *lent, "--"]
