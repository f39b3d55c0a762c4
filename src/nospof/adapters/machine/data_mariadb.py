"""The part of the data program that makes a MariaDB a member of a Galera cluster, and a plain server again.

The layout on the disk decides; the server's configuration is made from it at each start, by what comes before
the start. So one restart carries any change out, whoever dies meanwhile. It runs by any Python from 3.6 on.
"""

import contextlib
import os
import time
from typing import Any

from nospof.adapters.machine.data_arbitrator import Arbitrator
from nospof.adapters.machine.data_door import DOOR_UNIT, HEALTH_UNIT, Door
from nospof.adapters.machine.data_galera import ARBITRATOR_UNIT, MARIADB_PORT, grastate, noted_position
from nospof.adapters.machine.data_machine import LAYOUT, START_SECONDS, UNDO, Database, Host
from nospof.adapters.machine.data_mariadb_accounts import (
    drop_made_accounts,
    drop_notes,
    make_notes,
    make_sst_account,
    make_twins,
)
from nospof.adapters.machine.data_mariadb_check import sums
from nospof.adapters.machine.data_mariadb_examine import (
    LOOK_SECONDS,
    examined,
    mend_tables,
    program_obstacles,
    unmend_tables,
)
from nospof.adapters.machine.data_mariadb_serve import go_on_alone, is_fit, is_told_ready, serve
from nospof.adapters.machine.data_mariadb_server import (
    OWN_SOCKET,
    Asking,
    Server,
    in_machine,
    quoted,
    variables,
)
from nospof.adapters.machine.data_mariadb_start import ADDRESS_NOTE, BEGIN_FLAG, before_start, position_of
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

SETTLE_SECONDS = 6.0
"""A start that goes wrong mostly does so by then; one that copies all data may take hours."""
FIT_SECONDS = 20.0
EMPTY: Any = {"engine": "galera", "cluster": "", "members": [], "arbitrator": None}
"""A layout on the way to none: what it says to the next start is that the server is a plain one."""


class MariaDb(Database):
    """A MariaDB, alone or a member of a Galera cluster."""

    engine = "galera"

    def __init__(self, m: Host) -> None:
        super().__init__(m)
        self.server, self.door, self.arbitrator = Server(m), Door(m), Arbitrator(m)

    def is_here(self) -> bool:
        """See `Database`."""
        return bool(self.server.unit()) or any(p["name"] in ("mariadbd", "mysqld") for p in self.m.processes)

    # Looking ------------------------------------------------------------------------------------------

    def examine(self) -> "dict[str, Any]":
        """See `Database`."""
        return examined(self.m, self.server)

    def state(self, layout: "dict[str, Any]") -> "dict[str, Any]":
        """See `Database`."""
        if self.m.is_arbitrator(layout):
            return self.arbitrator.state()
        me = self.m.member(layout)
        if me is None:
            return {"role": "alone", "ready": True, "says": "on the way to be a plain server"}
        writer = self.door.leads_to()
        try:
            with Asking(self.server) as asking:
                status = asking.status()
        except Refused as error:
            return {"role": "down", "says": str(error), "writer": writer, "position": self._noted()}
        says = "{}, {}".format(
            status.get("wsrep_cluster_status", "no cluster"),
            status.get("wsrep_local_state_comment", "unknown"),
        )
        ready = is_fit(status) and is_told_ready(me["address"])
        return {
            "role": "primary" if ready and writer == me["address"] else "replica",
            "ready": ready,
            "says": says,
            "votes": int(status.get("wsrep_cluster_size") or 0),
            "position": "{}:{}".format(
                status.get("wsrep_local_state_uuid"), status.get("wsrep_last_committed")
            ),
            "writer": writer,
        }

    def _noted(self) -> str:
        with contextlib.suppress(Refused):
            return noted_position(grastate(self.server.directory()))
        return ""

    # Applying -----------------------------------------------------------------------------------------

    def apply(self, layout: "dict[str, Any]") -> None:
        """See `Database`."""
        me = self.m.member(layout)
        if self.m.is_arbitrator(layout):
            if me or self.is_here():
                raise Refused("an arbitrator beside a member is no third vote: this machine has a MariaDB")
            self.arbitrator.apply(layout)
        elif me:
            self._be_member(layout, me)
        else:
            self._be_plain()

    def _be_member(self, layout: "dict[str, Any]", me: "dict[str, Any]") -> None:
        unit, before = self.server.unit(), self.m.layout()
        if not unit:
            raise Refused("MariaDB has no unit of systemd on this machine")
        missing = program_obstacles(self.server)
        if missing:
            raise Refused("; ".join(one["says"] for one in missing))
        is_known = bool(before and before["members"] and self.m.member(before))
        if before is None or not before["members"]:
            self._prepare_plain(layout)
        self._write_around(layout, me)
        self.m.reached("units written")
        if before != layout:
            self.m.keep_layout(layout)
            self.m.done("the layout of {} is kept".format(layout["cluster"]))
        is_joining = self._start(unit, layout, before, is_known)
        if not is_joining:
            self._prepare_members(layout)
        self.m.reached("end")

    def _prepare_plain(self, layout: "dict[str, Any]") -> None:
        """Note how the plain server is reached, and have it know who will come through the door."""
        with Asking(self.server) as asking:
            is_set = variables(
                asking, "datadir", "socket", "port", "bind_address", "skip_networking", "event_scheduler"
            )
            directory = is_set["datadir"].rstrip("/")
            is_tcp = is_set["skip_networking"] != "ON" and not self.m.mark
            self.m.keep(
                directory=os.path.relpath(directory, self.m.root),
                socket=in_machine(self.m, directory, is_set["socket"]),
                port=int(is_set["port"] or 0) if is_tcp else 0,
                events=is_set["event_scheduler"] == "ON",
            )
            self.m.reached("undo kept")
            self._make_accounts(asking, layout)

    def _prepare_members(self, layout: "dict[str, Any]") -> None:
        """Have a cluster know all its members' doors."""
        ends = time.monotonic() + FIT_SECONDS
        while True:
            with Asking(self.server) as asking:
                status = asking.status()
                if is_fit(status):
                    self._make_accounts(asking, layout)
                    return
            if time.monotonic() > ends:
                says = status.get("wsrep_local_state_comment", "unknown")
                raise Refused(
                    f"it is not in step ({says}): its accounts for the others' doors could not be made"
                )
            time.sleep(0.2)

    def _make_accounts(self, asking: Asking, layout: "dict[str, Any]") -> None:
        make_notes(asking)
        make_sst_account(asking, self.server.os_user())
        made = make_twins(asking, [one["address"] for one in layout["members"]])
        addresses = ", ".join(quoted(one["address"]) for one in layout["members"])
        asking.rows(
            "INSERT IGNORE INTO nospof.door VALUES (1, {})".format(quoted(layout["members"][0]["address"]))
        )
        # A writer that is no member any more leaves its place to the first that is.
        asking.rows(
            "UPDATE nospof.door SET writer = {} WHERE writer NOT IN ({})".format(
                quoted(layout["members"][0]["address"]), addresses
            )
        )
        if made:
            self.m.done(f"{made} accounts have twins for the members' addresses")

    def _write_around(self, layout: "dict[str, Any]", me: "dict[str, Any]") -> None:
        """Write what stands around the server; nothing of it acts before the layout is kept."""
        was = self.m.undo()
        name = was["socket"]
        doors = [f"unix@{self.m.place(name)} mode 777"]
        if was["port"]:
            doors.append("127.0.0.1:{}".format(was["port"]))
        self.door_changed = self.door.write(doors, me["address"], layout["members"], MARIADB_PORT)
        start = self.m.command("systemctl") + " start --no-block"
        self.m.unit(
            self.server.unit() + ".d/nospof.conf",
            "# Written by nospof. Own addresses are never copied: they are written at every start.\n"
            "[Service]\n"
            f"ExecStartPre=+{self.m.program('boot', self.server.unit())}\n"
            f"ExecStartPost=-+{start} {HEALTH_UNIT} {DOOR_UNIT}\n",
        )

    def _start(self, unit: str, layout: "dict[str, Any]", before: Any, is_known: bool) -> bool:
        """Have server and door run as the layout says; return whether the server has only begun to join."""
        is_on = self.m.is_active(unit)
        if is_on and self._is_member_now():
            self.door.open(self.door_changed)
            return False
        is_joining = len(layout["members"]) > 1
        self.m.run(["systemctl", "reset-failed", unit])
        try:
            if is_joining:
                self.m.systemctl("restart", "--no-block", unit)
                self._settle(unit)
            else:
                self.m.systemctl("restart", unit, seconds=START_SECONDS)
                self.door.open(self.door_changed)
                self.door.wait_for("")
        except Refused as error:
            if is_known:
                raise
            self._take_back(unit, before, str(error))
        self.m.done(
            "MariaDB joins its cluster" if is_joining else "MariaDB is a cluster of its own, behind its door"
        )
        return is_joining

    def _settle(self, unit: str) -> None:
        """Return once a start goes on well for a while, or is over. Raises Refused: it failed."""
        ends = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < ends:
            state = self.m.run(["systemctl", "show", "-p", "ActiveState", "--value", unit])[1]
            if state == "failed":
                raise Refused("MariaDB did not start: " + self._why())
            if state == "active":
                break
            time.sleep(0.2)
        self.door.open(self.door_changed)

    def _why(self) -> str:
        """Return what systemd knows of the server's last words."""
        return self.m.run(["systemctl", "status", "--no-pager", "-n", "5", self.server.unit()])[1]

    def _take_back(self, unit: str, before: Any, why: str) -> None:
        """Have the server be what it was before. Raises Refused: always, with what was in the way."""
        why = f"{why} ({self._why()})"
        if before is None or not before["members"]:
            self.m.keep_layout(EMPTY)
        else:
            self.m.keep_layout(before)
        self.m.run(["systemctl", "reset-failed", unit])
        code, said = self.m.run(["systemctl", "restart", unit], START_SECONDS)
        if code:
            raise Refused(f"MariaDB did not start: {why}; nor did it as it was before: {said}")
        if before is None or not before["members"]:
            self._be_plain()
            self.m.remove(LAYOUT)
        raise Refused(f"MariaDB did not start as a member and runs as before: {why}")

    def _is_member_now(self) -> bool:
        """Whether the server that runs now was started as a member."""
        try:
            with Asking(self.server) as asking:
                return str(variables(asking, "socket")["socket"]).endswith(OWN_SOCKET)
        except Refused:
            return False

    # Back to a plain server ---------------------------------------------------------------------------

    def _be_plain(self) -> None:
        self.m.forget_unit(ARBITRATOR_UNIT)
        unit = self.server.unit()
        if not unit or not self.m.undo():
            return
        before = self.m.layout()
        if before and self.m.member(before):
            go_on_alone(self.m, self.server, before)  # first: a boot from here on would start a plain server
        self.m.keep_layout(EMPTY)
        self.m.reached("empty layout kept")
        if self._runs_as_member() or not self.m.is_active(unit):
            self.m.run(["systemctl", "reset-failed", unit])
            self.m.systemctl("restart", unit, seconds=START_SECONDS)
            self.m.done("MariaDB is a plain server")
        with Asking(self.server) as asking:
            dropped = drop_made_accounts(asking)
            drop_notes(asking)
        if dropped:
            self.m.done(f"{dropped} accounts that were made are gone")
        self.door.close()
        self.m.forget_unit(unit + ".d/nospof.conf")
        self.m.remove(self.server.configuration())
        self.m.remove(ADDRESS_NOTE)
        self.m.reached("all but the undo file taken back")
        self.m.remove(UNDO)
        self.m.done("what was written beside it is gone")

    def _runs_as_member(self) -> bool:
        return os.path.exists(self.m.path(OWN_SOCKET)) or os.path.exists(
            self.m.path(self.server.configuration())
        )

    # Other acts ---------------------------------------------------------------------------------------

    def mend(self, undo: bool) -> None:
        """See `Database`."""
        with Asking(self.server, LOOK_SECONDS) as asking:
            if undo:
                unmend_tables(self.m, asking)
                drop_notes(asking)
            else:
                mend_tables(self.m, asking)

    def handover(self, layout: "dict[str, Any]") -> None:
        """See `Database`."""
        me = self.m.member(layout)
        if me is None:
            raise Refused("this machine is no member")
        with Asking(self.server) as asking:
            writer = asking.value("SELECT writer FROM nospof.door")
            if writer != me["address"]:
                return
            others = [one["address"] for one in layout["members"] if one is not me]
            to = next((one for one in others if is_told_ready(one)), "")
            if not to:
                raise Refused("no other member is in step: " + (", ".join(others) or "there is none"))
            asking.rows(f"UPDATE nospof.door SET writer = {quoted(to)} WHERE writer = {quoted(writer)}")
        self.m.reached("writer written")
        self.door.wait_for(to)
        self.m.done(f"writes go to {to}")

    def position(self, _layout: "dict[str, Any]") -> str:
        """See `Database`."""
        return position_of(self.m, self.server)

    def bootstrap(self, layout: "dict[str, Any]") -> None:
        """See `Database`.

        An arbitrator forgets what it knew: one that saw all members leave takes itself for the cluster.
        """
        if self.m.is_arbitrator(layout):
            self.arbitrator.forget_view()
            return
        me = self.m.member(layout)
        if me is None:
            raise Refused("this machine is no member")
        up = [one["address"] for one in layout["members"] if is_told_ready(one["address"])]
        if me["address"] in up:
            return
        if up:
            raise Refused("{} serves already: start this member as one that joins".format(", ".join(up)))
        unit = self.server.unit()
        self.m.write(BEGIN_FLAG, "")
        self.m.run(["systemctl", "reset-failed", unit])
        self.m.systemctl("restart", unit, seconds=START_SECONDS)
        self.m.done("MariaDB began as the first of its cluster")
        self.door.open(False)
        self.door.wait_for("")

    def check(self, wanted: "list[str]") -> "dict[str, Any]":
        """See `Database`."""
        with Asking(self.server, LOOK_SECONDS) as asking:
            return sums(asking, wanted)

    def boot(self, unit: str) -> None:
        """See `Database`."""
        before_start(self.m, unit)

    def serve(self) -> None:
        """See `Database`."""
        serve(self.m, self.server)
