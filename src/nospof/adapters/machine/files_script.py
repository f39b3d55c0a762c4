"""The last part of the files program: directories that several machines have, each taking what others wrote.

`ACT BASE64-OF-JSON` answers in one line, as the data program does; `boot` comes before the unit's start and
says by its exit code whether this machine, and no copy of it, may take part. It runs by any Python from 3.6
on.
"""

import contextlib
import hashlib
import json
import os
import sys
import time
from typing import Any

from nospof.adapters.machine.data_answer import answer_acts, may_start, source_text
from nospof.adapters.machine.files_check import check
from nospof.adapters.machine.files_look import WALK_FILES, FilesHost, look
from nospof.adapters.machine.files_syncthing import (
    FILES_PROGRAM,
    FILES_UNIT,
    HOME,
    MARKER,
    SHARING,
    Syncthing,
    folder_of,
    query,
)
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

FILES_SCHEMA = "nospof.files/1"
SETTLE_SECONDS = 600.0
UP_SECONDS = 30.0
POLL_SECONDS = 0.2
CONFLICT = ".sync-conflict-"
PARTIAL = (".syncthing.", ".tmp")
MEANT_FOR_ALL = ".nospof-"
"""Begins the name of a file by which one that joins knows that it was told of everything before it."""


def taking_part(m: FilesHost) -> "tuple[dict[str, Any], dict[str, Any]]":
    """Return the sharing of this machine and its seat. Raises Refused: it has none."""
    sharing = m.sharing()
    if sharing is None:
        raise Refused("no directory of this machine is shared")
    seat = m.member(sharing)
    if seat is None:
        raise Refused("its address has no seat: it is a copy of a machine that takes part")
    return sharing, seat


# Looking ---------------------------------------------------------------------------------------------


def state(m: FilesHost, _asked: "dict[str, Any]") -> "dict[str, Any]":
    """Return what this machine is in its sharing now."""
    answer: dict[str, Any] = {"role": "alone", "ready": False, "says": "", "needs": 0, "conflicts": 0}
    answer.update(need_bytes=0, scanned="")
    sharing = m.sharing()
    if sharing is None:
        return answer
    if m.member(sharing) is None:
        return {**answer, "role": "stranger", "says": "its address has no seat"}
    sharing, own = taking_part(m)
    joins = own["device"] in sharing.get("joining", [])
    try:
        wrong, needs, need_bytes = out_of_step(m, sharing, own)
        scans = Syncthing(m).ask(own, "/rest/stats/folder")
    except Refused as error:
        return {**answer, "role": "down", "says": str(error)}
    scanned = [str(scans.get(folder_of(one), {}).get("lastScan", "")) for one in sharing["directories"]]
    if joins:
        missing = [
            one for one in sharing["directories"] if not os.path.exists(meant_for_all(m, sharing, one))
        ]
        wrong += [f"{one} was not told all of yet" for one in missing]
    return {
        "role": "joining" if joins else "member",
        "ready": not wrong and (joins or not needs),
        "says": "; ".join(wrong),
        "needs": needs,
        "need_bytes": need_bytes,
        "scanned": min(scanned, default=""),
        "conflicts": sum(conflicts(m, one) for one in sharing["directories"]),
    }


def out_of_step(
    m: FilesHost, sharing: "dict[str, Any]", own: "dict[str, Any]"
) -> "tuple[list[str], int, int]":
    """Return why this member is out of step, and how many things, and bytes, are still to be had by anybody.

    Raises:
        Refused: nothing answers.
    """
    tool, needs, need_bytes = Syncthing(m), 0, 0
    known = tool.ask(own, "/rest/system/connections").get("connections", {})
    wrong = [
        "{} is not connected".format(one["id"] or one["address"])
        for one in sharing["members"]
        if one["device"] != own["device"] and not known.get(one["device"], {}).get("connected")
    ]
    for directory in sharing["directories"]:
        folder = folder_of(directory)
        said = tool.ask(own, query("/rest/db/status", folder=folder))
        if said.get("error") or said.get("state") == "error":
            wrong.append("{}: {}".format(directory, said.get("error") or "stopped"))
        elif said.get("pullErrors"):
            wrong.append("{}: {} files could not be taken".format(directory, said["pullErrors"]))
        elif said.get("state") != "idle":
            wrong.append("{} is {}".format(directory, said.get("state")))
        needs += int(said.get("needTotalItems", 0))
        need_bytes += int(said.get("needBytes", 0))
        for one in sharing["members"]:
            if one["device"] != own["device"]:
                there = tool.ask(own, query("/rest/db/completion", folder=folder, device=one["device"]))
                needs += int(there.get("needItems", 0)) + int(there.get("needDeletes", 0))
                need_bytes += int(there.get("needBytes", 0))
    return wrong, needs, need_bytes


def conflicts(m: FilesHost, directory: str) -> int:
    """Return how many versions stand beside another that was written at the same time."""
    found, seen = 0, 0
    for _, _, names in os.walk(m.path(directory)):
        found += sum(CONFLICT in one for one in names)
        seen += len(names)
        if seen > WALK_FILES:
            break
    return found


def check_shared(m: FilesHost, asked: "dict[str, Any]") -> "dict[str, Any]":
    """Return what is in the directories that this machine shares."""
    sharing, _ = taking_part(m)
    return check(m, sharing, asked)


# Changing --------------------------------------------------------------------------------------------


def key(m: FilesHost, asked: "dict[str, Any]") -> None:
    """Tell the name that this machine is known by."""
    if not m.is_mine(asked["address"]):
        raise Refused("{} is not this machine's address".format(asked["address"]))
    m.did.append(Syncthing(m).key(asked["address"]))


def apply(m: FilesHost, asked: "dict[str, Any]") -> None:
    """Make this machine what a sharing says."""
    sharing = asked["sharing"]
    own = m.member(sharing)
    if own is None:
        leave(m)
        return
    tool = Syncthing(m)
    if tool.key(own["address"]) != own["device"]:
        raise Refused("the sharing names another key than this machine's")
    before = m.sharing()
    joins = own["device"] in sharing.get("joining", [])
    if before and own["device"] in before.get("joining", []) and not joins:
        become_as_the_others(m, before, own)
    for directory in sharing["directories"]:
        if not os.path.isdir(m.path(directory)):
            raise Refused(directory + " is no directory")
        os.makedirs(m.path(directory) + "/" + MARKER, exist_ok=True)
    m.write(FILES_PROGRAM, m.source, 0o755)
    m.write(SHARING, json.dumps(sharing, sort_keys=True, indent=1) + "\n")
    m.reached("sharing kept")
    changed = tool.configure(sharing, own)
    changed = tool.unit(own) or changed
    m.systemctl("enable", FILES_UNIT)
    if changed or not m.is_active(FILES_UNIT):
        m.systemctl("restart", FILES_UNIT, seconds=UP_SECONDS)
        m.done("shares {}".format(", ".join(sharing["directories"])))
    wait_until_up(m, own)
    if sharing.get("joining") and not joins:
        for directory in sharing["directories"]:
            tell_all(meant_for_all(m, sharing, directory), m.path(directory))


def wait_until_up(m: FilesHost, own: "dict[str, Any]") -> None:
    """Wait until Syncthing answers. Raises Refused: it does not."""
    ends = time.monotonic() + UP_SECONDS
    while True:
        try:
            Syncthing(m).ask(own, "/rest/system/ping")
        except Refused:
            if time.monotonic() > ends:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def meant_for_all(m: FilesHost, sharing: "dict[str, Any]", directory: str) -> str:
    """Return the file that tells who joins that it was told of everything before it."""
    devices = ",".join(one["device"] for one in sharing["members"])
    return m.path(directory) + "/" + MEANT_FOR_ALL + hashlib.sha256(devices.encode()).hexdigest()[:12]


def tell_all(path: str, directory: str) -> None:
    """Write the file for who joins, where it is not there."""
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        owner = os.stat(directory)
        with contextlib.suppress(PermissionError):
            os.fchown(handle, owner.st_uid, owner.st_gid)
        os.close(handle)


def become_as_the_others(m: FilesHost, sharing: "dict[str, Any]", own: "dict[str, Any]") -> None:
    """Have what the others have: a copy of a moment ago has also what was deleted or changed since.

    Raises:
        Refused: it was not told all of that yet, or does not come there.
    """
    tool = Syncthing(m)
    for directory in sharing["directories"]:
        if not os.path.exists(meant_for_all(m, sharing, directory)):
            raise Refused(directory + " was not told all of yet")
        folder = folder_of(directory)
        tool.ask(own, query("/rest/db/revert", folder=folder), "POST")
        ends = time.monotonic() + SETTLE_SECONDS
        while True:
            said = tool.ask(own, query("/rest/db/status", folder=folder))
            left = int(said.get("receiveOnlyTotalItems", 0))
            if not left and said.get("state") == "idle" and not said.get("needTotalItems"):
                break
            if time.monotonic() > ends:
                raise Refused(f"{left} files of {directory} are still not as the others have them")
            time.sleep(POLL_SECONDS)
    m.done("has what the others have")


def settle_all(m: FilesHost, _asked: "dict[str, Any]") -> None:
    """Have every file that is here now with the others too. Raises Refused: they do not take it."""
    sharing, own = taking_part(m)
    tool, ends = Syncthing(m), time.monotonic() + SETTLE_SECONDS
    for directory in sharing["directories"]:
        tool.ask(own, query("/rest/db/scan", folder=folder_of(directory)), "POST")
    while True:
        wrong, needs, _ = out_of_step(m, sharing, own)
        if not wrong and not needs:
            m.done("the others have all of it")
            return
        if time.monotonic() > ends:
            raise Refused("; ".join(wrong) or f"{needs} files are still on the way")
        time.sleep(POLL_SECONDS)


def leave(m: FilesHost) -> None:
    """Take no part any more: directories stay as they are, and nothing else is left."""
    sharing = m.sharing()
    if sharing is None and not os.path.exists(m.path(HOME)):
        return
    Syncthing(m).forget()
    for directory in (sharing or {}).get("directories", []):
        root = m.path(directory)
        for here, _, names in os.walk(root):
            for name in names:
                is_partial = name.startswith(PARTIAL[0]) and name.endswith(PARTIAL[1])
                if is_partial or (here == root and name.startswith(MEANT_FOR_ALL)):
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.join(here, name))
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(root, MARKER))
    m.remove(FILES_PROGRAM)
    m.remove(SHARING)  # the last thing to go: until then a repeat knows what there is to take back
    m.done("shares nothing any more")


# Answering -------------------------------------------------------------------------------------------


def boot(m: FilesHost) -> None:
    """Write what a start needs. Raises Refused: this machine may not take part."""
    sharing, own = taking_part(m)
    Syncthing(m).configure(sharing, own)


def main() -> None:
    """Do what the command line says."""
    m = FilesHost(source_text())
    if sys.argv[1] == "boot":
        may_start(lambda: boot(m))
        return
    looking = {"look": look, "state": state, "check": check_shared}
    answer_acts(m, FILES_SCHEMA, looking, {"key": key, "apply": apply, "settle": settle_all})


if __name__ == "__main__":
    main()
