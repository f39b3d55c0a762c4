"""The part of the mounts program that moves directories to their file systems, and home again.

Writes are refused, never lost, while the last of a copy is made and compared: who writes then is told so by
his application, who reads goes on. It runs by any Python from 3.6 on.
"""

import contextlib
import errno
import json
import os
import stat
import time
from typing import Any

from nospof.adapters.machine.hold_databases import Refused
from nospof.adapters.machine.mounts_copy import MARK, TreeCopy
from nospof.adapters.machine.mounts_guard import MOUNTS_PROGRAM, MOUNTS_UNIT, Guard
from nospof.adapters.machine.mounts_host import KEPT, RECORD, MountsHost, set_immutable, source_of
from nospof.adapters.machine.mounts_look import inside, mark_text, marked_by

# The sender cuts here: what stands above is in the parts before, but for the imports.

COPY_SECONDS = 600.0
"""A call copies for so long and leaves the rest to the next one."""
WRITERS_SECONDS = 30.0
USERS_SECONDS = 60.0
LEDGERS = "var/lib/nospof/mounts"


def copy(m: MountsHost, asked: "dict[str, Any]") -> "dict[str, Any]":
    """Copy directories to their file systems, or home, while they are written to; not longer than a call."""
    ends = time.monotonic() + COPY_SECONDS
    is_home = bool(asked.get("home"))
    files = size = 0
    for mount in m.record().get("mounts", []) if is_home else asked["mounts"]:
        if not is_home and m.is_mounted(mount):
            continue
        with m.staged(mount) as root:
            made = homewards(m, mount, root) if is_home else to_system(m, mount, root, str(asked["whose"]))
            is_whole = made.run(ends)
        files, size = files + made.files, size + made.bytes
        if not is_whole:
            return {"files": files, "bytes": size, "is_whole": False}
    return {"files": files, "bytes": size, "is_whole": True}


def to_system(m: MountsHost, mount: "dict[str, Any]", root: str, whose: str) -> TreeCopy:
    """Return the copy of a directory to a staged file system. Raises Refused: something else is there."""
    at = inside(root, mount)
    os.makedirs(at, exist_ok=True)
    if marked_by(at) != mark_text(mount, whose):
        if os.listdir(at):
            raise Refused("{}:{} is not empty: nothing is mixed in".format(mount["system"], mount["path"]))
        with open(os.path.join(at, MARK), "w", encoding="utf-8") as file:
            file.write(mark_text(mount, whose))
            file.flush()
            os.fsync(file.fileno())
    return TreeCopy(m.path(mount["directory"]), at, ledger_of(m, mount, "there"))


def homewards(m: MountsHost, mount: "dict[str, Any]", root: str) -> TreeCopy:
    """Return the copy of a staged file system to where a directory will be. Raises Refused: no room."""
    kept, source = kept_of(m, mount["directory"]), inside(root, mount)
    if not os.path.isdir(kept):
        os.makedirs(kept, mode=0o700)
    needs = size_of(source) - size_of(kept)
    room = os.statvfs(kept)
    if needs > room.f_bavail * room.f_frsize:
        text = "the disk has no room for {}: {} MB more are needed"
        raise Refused(text.format(mount["directory"], needs >> 20))
    return TreeCopy(source, kept, ledger_of(m, mount, "home"))


def size_of(root: str) -> int:
    """Return the bytes of all files of a tree."""
    total = 0
    for here, _, names in os.walk(root):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(here, name)).st_size
    return total


def kept_of(m: MountsHost, directory: str) -> str:
    """Return where what a directory held on the disk is kept."""
    parent, name = os.path.split(directory)
    return m.path(os.path.join(parent, KEPT.format(name)))


def ledger_of(m: MountsHost, mount: "dict[str, Any]", way: str) -> str:
    """Return the file that tells what was copied of a directory."""
    return m.path("{}{}.{}".format(LEDGERS, mount["directory"], way))


# Attaching -------------------------------------------------------------------------------------------


def attach(m: MountsHost, asked: "dict[str, Any]") -> "dict[str, Any]":
    """Have directories be those of their file systems, with all that was ever acknowledged in them."""
    for mount in asked["mounts"]:
        if not m.is_mounted(mount):
            began = time.monotonic()
            switch(m, mount, asked)
            says = "{} is {} now; writes to it were refused for {:.1f} s"
            m.done(says.format(mount["directory"], source_of(mount), time.monotonic() - began))
        Guard(m).install(list(asked["units"]))
        below(m, mount)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(m.path(mount["directory"]), MARK))
    return {}


def switch(m: MountsHost, mount: "dict[str, Any]", asked: "dict[str, Any]") -> None:
    """Hold writes, copy what is new, compare, mount. Raises Refused: all is as it was."""
    directory = mount["directory"]
    m.hold(directory)
    m.reached("writes held")
    try:
        wait_for_writers(m, directory, float(asked.get("patience", WRITERS_SECONDS)))
        if not asked.get("is_copy"):
            with m.staged(mount) as root:
                made = to_system(m, mount, root, str(asked["whose"]))
                made.run()
                refuse_what_differs(made)
        m.reached("all is there")
        remember(m, mount, asked)
        guard = Guard(m)
        guard.at_boot(mount, is_wanted=True)
        m.reached("mounted at boot")
        m.mount(m.path(directory))
        refuse_another(m, mount)
        m.reached("mounted")
    except BaseException:
        if not m.is_mounted(mount):
            Guard(m).at_boot(mount, is_wanted=False)
            forget(m, mount)
            if not m.record()["mounts"]:
                m.remove(RECORD)
            m.release(directory)
        raise


def refuse_another(m: MountsHost, mount: "dict[str, Any]") -> None:
    """Refuse what was mounted and is something else."""
    if not m.is_mounted(mount):
        raise Refused("{} was mounted and is not {}".format(mount["directory"], source_of(mount)))


def wait_for_writers(m: MountsHost, directory: str, patience: float = WRITERS_SECONDS) -> None:
    """Wait until those have ended who began to write before the hold. Raises Refused: they do not."""
    ends = time.monotonic() + patience
    while True:
        who = m.holders(directory)
        if not who:
            return
        if time.monotonic() > ends:
            text = "{} still writes to {}, or stands in it: end that first"
            raise Refused(text.format(" and ".join(who[:3]), directory))
        time.sleep(0.05)


def refuse_what_differs(made: TreeCopy) -> None:
    """Refuse to go on with a copy that is none."""
    wrong = made.different()
    if wrong:
        raise Refused("the copy is not the same: " + "; ".join(wrong))


def remember(m: MountsHost, mount: "dict[str, Any]", asked: "dict[str, Any]") -> None:
    """Write down that a directory is attached, and how it was before."""
    before = m.record()
    found = os.stat(m.path(mount["directory"]))
    was = {"mode": stat.S_IMODE(found.st_mode), "uid": found.st_uid, "gid": found.st_gid}
    mounts = [one for one in before.get("mounts", []) if one["directory"] != mount["directory"]]
    keep_record(
        m,
        {
            "mounts": [*mounts, mount],
            "units": sorted({*before.get("units", []), *asked["units"]}),
            "was": {mount["directory"]: was, **before.get("was", {})},
        },
    )


def forget(m: MountsHost, mount: "dict[str, Any]") -> None:
    """Take down what was written of a directory."""
    record = m.record()
    left = [one for one in record.get("mounts", []) if one["directory"] != mount["directory"]]
    record.get("was", {}).pop(mount["directory"], None)
    keep_record(m, {**record, "mounts": left})


def keep_record(m: MountsHost, record: "dict[str, Any]") -> None:
    """Write down what is attached."""
    m.write(RECORD, json.dumps(record, sort_keys=True, indent=1) + "\n")


def below(m: MountsHost, mount: "dict[str, Any]") -> None:
    """Have what lies beneath a mount be empty and closed; what was there is kept beside it."""
    directory = mount["directory"]
    name = os.path.basename(directory)
    with m.beneath(directory) as parent:
        hidden, kept = os.path.join(parent, name), os.path.join(parent, KEPT.format(name))
        names = os.listdir(hidden)
        if names:
            os.makedirs(kept, mode=0o700, exist_ok=True)
            set_immutable(hidden, is_on=False)
            for one in names:
                os.rename(os.path.join(hidden, one), os.path.join(kept, one))
            m.done(f"what {directory} held on the disk is kept in {KEPT.format(name)} beside it")
        if os.geteuid() == 0:
            os.chown(hidden, 0, 0)
        # The disk of a machine that is a directory has to be one that can be deleted.
        if m.mark or not set_immutable(hidden, is_on=True):
            os.chmod(hidden, 0o555)  # noqa: S103 - who may read it finds nothing


# Coming home -----------------------------------------------------------------------------------------


def detach(m: MountsHost, asked: "dict[str, Any]") -> "dict[str, Any]":
    """Have directories be the machine's own again, with all that is in their file systems now.

    With `leave` the machine is about to go: it only writes to them no more.
    """
    record = m.record()
    if asked.get("leave"):
        for mount in record.get("mounts", []):
            if m.is_mounted(mount):
                m.hold(mount["directory"])
                wait_for_writers(m, mount["directory"])
                m.done("writes to {} no more".format(mount["directory"]))
        return {}
    for mount in list(record.get("mounts", [])):
        come_home(m, mount, float(asked.get("patience", USERS_SECONDS)))
    if record:
        Guard(m).forget(list(record.get("units", [])))
        m.remove(MOUNTS_PROGRAM)
        m.remove(RECORD)  # the last thing to go: until then a repeat knows what there is to take back
    return {}


def come_home(m: MountsHost, mount: "dict[str, Any]", patience: float) -> None:
    """Give a machine one of its directories back. Raises Refused: it is mounted as it was.

    The file system is taken off first, which nobody who writes to it lets happen: from then on there is
    no place to write to until the last of it is home. Held on it instead, writes would reach it for a moment
    when the hold is taken off, and be lost.
    """
    directory = mount["directory"]
    path, kept = m.path(directory), kept_of(m, directory)
    m.forget_unit(MOUNTS_UNIT)  # it would mount it again
    if not m.is_mounted(mount) and not os.path.isdir(kept):
        settled(m, mount)  # an earlier attempt came so far
        return
    if m.is_mounted(mount):
        let_go_of(m, directory, patience)
    began = time.monotonic()
    m.reached("let go")
    try:
        m.hold(directory, kept)  # read as far as it is home
        with m.staged(mount) as root:
            made = homewards(m, mount, root)
            made.run()
            refuse_what_differs(made)
    except BaseException:
        take_off_all(m, path)
        m.mount(path)
        Guard(m).install(list(m.record().get("units", [])))
        raise
    m.reached("all is home")
    Guard(m).at_boot(mount, is_wanted=False)  # before: a boot from here on must not hide what is home
    put_back(m, mount)
    settled(m, mount)
    says = "{} is on the disk again; writes to it were refused for {:.1f} s"
    m.done(says.format(directory, time.monotonic() - began))


def let_go_of(m: MountsHost, directory: str, patience: float) -> None:
    """Take a file system off that nobody uses at this moment. Raises Refused: somebody always does."""
    ends = time.monotonic() + patience
    while m.run(["umount", m.path(directory)])[0]:
        if time.monotonic() > ends:
            who = " and ".join(m.users(directory)[:3]) or "somebody"
            raise Refused(f"{who} uses {directory} all the time: end that first")
        time.sleep(0.1)


def take_off_all(m: MountsHost, path: str) -> None:
    """Take off a path all that is mounted on it."""
    while m.layers(path):
        m.unmount(path)


def take_the_place_of(path: str, kept: str) -> None:
    """Have a directory be at a path where an empty one is: there is no moment without one.

    Whoever may write to anything may have written to the empty one in that moment: that comes with it.
    """
    while True:
        for name in os.listdir(path):
            os.rename(os.path.join(path, name), os.path.join(kept, name))
        try:
            os.rename(kept, path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return


def put_back(m: MountsHost, mount: "dict[str, Any]") -> None:
    """Have what was copied home be in the place of the file system."""
    directory = mount["directory"]
    path, kept = m.path(directory), kept_of(m, directory)
    take_off_all(m, path)
    m.reached("nothing is mounted")
    was = m.record().get("was", {}).get(directory, {})
    set_immutable(path, is_on=False)
    if was and os.geteuid() == 0:
        os.chown(kept, int(was["uid"]), int(was["gid"]))
    os.chmod(kept, int(was.get("mode", 0o755)))
    take_the_place_of(path, kept)


def settled(m: MountsHost, mount: "dict[str, Any]") -> None:
    """Know nothing any more of a directory that is the machine's own."""
    Guard(m).at_boot(mount, is_wanted=False)
    for way in ("there", "home"):
        with contextlib.suppress(OSError):
            os.unlink(ledger_of(m, mount, way))
    forget(m, mount)
