"""The part of the data program that keeps asking a member whether it is fit, and who the writer is.

Who the writer is stands in a table that all members have. When the writer is gone, or says for a second that
it is not ready, the member that is left and whose votes are enough writes itself there; so one that comes
back, however soon, does not become the writer by coming back, and all doors lead to the same. It runs by any
Python from 3.6 on.
"""

import contextlib
import threading
import time
from typing import Any

from nospof.adapters.machine.data_door import FRESH_SECONDS, POLL_SECONDS, Fitness, serve_health, told
from nospof.adapters.machine.data_machine import Host
from nospof.adapters.machine.data_mariadb_examine import sst_method
from nospof.adapters.machine.data_mariadb_server import Asking, Server, quoted, variables
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

SYNCED, DONOR = "4", "2"
STATUS = (
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('uptime', 'wsrep_ready', 'wsrep_cluster_status', "
    "'wsrep_local_state', 'wsrep_local_state_comment', 'wsrep_incoming_addresses')"
)
FROZEN_SECONDS = 1.5
"""The others wait no longer for one that is silent (evs.suspect_timeout)."""
CLOSED_SECONDS = 20.0
GONE_SECONDS = 1.0
DOORS_SECONDS = 1.0
"""After so long, all doors know what members say of themselves."""
ONLY = "only"
"""Before the writer that goes on alone: what others still took from then on would be lost."""
SUSPECT_SECONDS = 8.0
"""After so long, one that stood still knows whether the others went on (evs.inactive_timeout is 5 s)."""
WRITER = "SELECT writer, @@GLOBAL.read_only, @@GLOBAL.event_scheduler FROM nospof.door"


def is_fit(status: "dict[str, str]") -> bool:
    """Whether a member may be led to, by what Galera says of it.

    One that gives its data to another goes on answering where that is copied without standing still.
    """
    is_in_step = status.get("wsrep_local_state") == SYNCED
    gives = status.get("wsrep_local_state") == DONOR and sst_method() == "mariabackup"
    is_primary = status.get("wsrep_cluster_status") == "Primary" and status.get("wsrep_ready") == "ON"
    return is_primary and (is_in_step or gives)


def was_frozen(silence: float, status: "dict[str, str]") -> bool:
    """Whether a server that was silent is the same that spoke before: it takes itself for in step still.

    Args:
        silence: in seconds.
    """
    return silence > FROZEN_SECONDS and float(status.get("uptime") or 0) > silence + 1.0


def has_others(m: Host) -> bool:
    """Whether there are members that could have gone on without this one."""
    layout = m.layout()
    return layout is not None and len(layout["members"]) > 1


def data_members(status: "dict[str, str]") -> "list[str]":
    """Return the addresses of the members that are here now; an arbitrator has none."""
    found = status.get("wsrep_incoming_addresses", "").split(",")
    return [one.strip().rpartition(":")[0] for one in found if one.strip() not in ("", "AUTO")]


def serve(m: Host, server: Server) -> None:
    """Answer doors until the end; never by what was true a second ago."""
    while True:
        layout = m.layout()
        me = m.member(layout) if layout else None
        if layout is not None and me is not None:
            break
        time.sleep(1.0)  # a copy that nobody let in yet; it is let in without a restart of this
    fitness = Fitness()
    serve_health(me["address"], fitness)
    taking: Any = None
    heard = suspect_until = 0.0
    while True:
        try:
            with Asking(server, FRESH_SECONDS) as asking:
                while True:
                    began = time.monotonic()
                    status = {row[0].lower(): row[1] for row in asking.rows(STATUS)}
                    now = time.monotonic()
                    if heard and was_frozen(now - heard, status) and has_others(m):
                        suspect_until = now + SUSPECT_SECONDS
                    heard = now
                    suspect_until = suspect_until if is_fit(status) else 0.0
                    if now < suspect_until:
                        fitness.hear(False, False, "it stood still, and may not know yet what it missed")
                        time.sleep(POLL_SECONDS)
                        continue
                    writer = look(asking, status, me["address"], fitness)
                    if writer is not None and (taking is None or not taking.is_alive()):
                        taking = take_over(m, server, status, me["address"], writer)
                    time.sleep(max(0.0, began + POLL_SECONDS - time.monotonic()))
        except Refused as error:
            fitness.hear(False, False, str(error))
        time.sleep(POLL_SECONDS)


def look(asking: Asking, status: "dict[str, str]", mine: str, fitness: Fitness) -> "list[str] | None":
    """Note how fit the server is; return the row of who the writer is, or None where it is not fit."""
    says = "{}, {}".format(
        status.get("wsrep_cluster_status", "no cluster"), status.get("wsrep_local_state_comment", "unknown")
    )
    if not is_fit(status):
        fitness.hear(False, False, says)
        return None
    row = (asking.rows(WRITER) or [["", "0", "OFF"]])[0]
    only, _, last = row[0].rpartition(" ")
    if only == ONLY and last != mine:
        fitness.hear(False, False, f"{says}, but {last} goes on alone")
        return None
    writer, read_only = last, row[1]
    if read_only != "0":
        fitness.hear(False, False, says + ", read only")
        return None
    fitness.hear(True, writer == mine, f"{says}, the writer is {writer or 'nobody'}")
    return [writer, *row[1:]]


def take_over(m: Host, server: Server, status: "dict[str, str]", mine: str, row: "list[str]") -> Any:
    """Begin to do what follows from who the writer is; return the thread that does, or None for nothing.

    It is a thread's and a session's of its own: a write may stand still while votes are counted.
    """
    writer, scheduler = row[0], row[2]
    is_alone = data_members(status) == [mine]

    def do() -> None:
        statements = []
        is_mine = writer == mine
        if not is_mine and (is_alone or (writer and is_gone(writer))):
            where = f"WHERE writer = {quoted(writer)}"
            statements.append(f"UPDATE nospof.door SET writer = {quoted(mine)} {where}")
            is_mine = True
        if m.undo().get("events"):
            wanted = "ON" if is_mine else "OFF"
            if scheduler not in (wanted, "DISABLED"):
                statements.append(f"SET GLOBAL event_scheduler = {wanted}")
        if statements:
            with contextlib.suppress(Refused), Asking(server) as asking:  # asked again at the next look
                for one in statements:
                    asking.rows(one)

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread


def is_gone(writer: str) -> bool:
    """Whether the writer says for a while that it is not ready, or nothing: doors lead elsewhere by then.

    One that is killed may be started again, and let in, before its absence was seen among the members.
    """
    ends = time.monotonic() + GONE_SECONDS
    while not is_told_ready(writer):
        if time.monotonic() > ends:
            return True
        time.sleep(POLL_SECONDS)
    return False


def is_told_ready(address: str) -> bool:
    """Whether a member says that it is ready; one that does not answer is not."""
    try:
        return told(address, "ready")[0]
    except OSError:
        return False


def go_on_alone(m: Host, server: Server, layout: "dict[str, Any]") -> None:
    """Where this is the writer, have the others take nothing more, before they could think that it died.

    Raises:
        Refused: they were not told, or go on; or they alone have the newest.
    """
    if not m.is_active(server.unit()):
        served = [one["address"] for one in layout["members"] if is_told_ready(one["address"])]
        if served:
            raise Refused(
                f"MariaDB does not run here, and {served[0]} has what was written since: start it first"
            )
        return
    with Asking(server) as asking:
        mine = variables(asking, "wsrep_node_address")["wsrep_node_address"]
        status = asking.status()
        others = [one for one in data_members(status) if one != mine]
        if not others or not is_fit(status):
            return
        if asking.value("SELECT writer FROM nospof.door") not in (mine, f"{ONLY} {mine}"):
            return  # it leaves, and the writer stays
        asking.rows(f"UPDATE nospof.door SET writer = {quoted(ONLY + ' ' + mine)}")
    m.reached("others told")
    ends = time.monotonic() + CLOSED_SECONDS
    while any(is_told_ready(one) for one in others):
        if time.monotonic() > ends:
            raise Refused("{} goes on taking writes: they would be lost".format(", ".join(others)))
        time.sleep(0.1)
    time.sleep(DOORS_SECONDS)
