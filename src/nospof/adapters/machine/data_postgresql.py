"""The part of the data program that makes a machine with PostgreSQL what a layout says, by Patroni.

It runs by any Python from 3.6 on.
"""

import contextlib
import os
import shutil
import socket
import struct
import time
from typing import Any

from nospof.adapters.machine.data_door import DOOR_UNIT, Fitness, serve_health
from nospof.adapters.machine.data_machine import PROGRAM, UNDO, Database, Host
from nospof.adapters.machine.data_patroni import (
    LEADS_SECONDS,
    LEAVES_SECONDS,
    PATRONI_CONFIGURATION,
    PATRONI_UNIT,
    REST_PORT,
    TTL_SECONDS,
    Patroni,
)
from nospof.adapters.machine.data_postgresql_look import Look
from nospof.adapters.machine.data_postgresql_plain import Plain
from nospof.adapters.machine.data_postgresql_server import SECRETS, SOCKETS, PostgresServer
from nospof.adapters.machine.data_votes import VOTES_UNIT, refuse_even, rest, seat_name
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

PATRONI_BEGUN = "etc/nospof/patroni.begun"
"""The address of the machine whose Patroni may start by itself: a copy has that of another one."""
TAKEN_OVER = "run/nospof/patroni.takes-over"
"""There while Patroni begins to keep a server that goes on meanwhile: it cannot be asked who leads yet."""
ASK_AGAIN_SECONDS = 0.25
ASK_LONGEST_SECONDS = 0.8
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""What PostgreSQL answers with one letter, before anybody signs in (its manual, Message Formats)."""
STREAMS_SECONDS = 40.0
FAILS_OVER_SECONDS = 60.0


class PostgreSql(Database):
    """A PostgreSQL, alone or a member of Patroni's cluster."""

    engine = "patroni"

    def __init__(self, m: Host) -> None:
        super().__init__(m)
        self.server = PostgresServer(m)
        self.plain = Plain(m, self.server)
        self.patroni = Patroni(m, self.server)
        self.votes, self.door = self.patroni.votes, self.plain.door
        self.look = Look(self.server, self.patroni, self.door)

    def is_here(self) -> bool:
        """See `Database`."""
        return bool(self.server.facts) or bool(self.server.processes())

    def examine(self) -> "dict[str, Any]":
        """See `Database`."""
        return self.look.examine()

    def state(self, layout: "dict[str, Any]") -> "dict[str, Any]":
        """See `Database`."""
        return self.look.state(layout)

    def check(self, wanted: "list[str]") -> "dict[str, Any]":
        """See `Database`."""
        return self.look.check(wanted)

    def position(self, _layout: "dict[str, Any]") -> str:
        """See `Database`."""
        return self.look.position()

    def mend(self, undo: bool) -> None:
        """See `Database`: PostgreSQL's copies are of files, and take every table as it is."""

    # The layout ---------------------------------------------------------------------------------------

    def apply(self, layout: "dict[str, Any]") -> None:
        """See `Database`."""
        own = self.m.member(layout)
        if len(layout["members"]) > 1:
            refuse_even(layout)
        if self.m.is_arbitrator(layout):
            self.be_arbitrator(layout)
        elif own is None:
            self.be_plain(layout)
        elif len(layout["members"]) == 1:
            self.be_alone(layout, own)
        else:
            self.be_member(layout, own)

    def be_arbitrator(self, layout: "dict[str, Any]") -> None:
        """Vote, and keep nothing."""
        if self.is_here():
            raise Refused("a PostgreSQL is on this machine: its failure would take two votes with it")
        self.m.keep_layout(layout)
        self.votes.begin(layout, layout["arbitrator"])

    def be_alone(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> None:
        """Be the plain server with all that a second one will need, behind a door."""
        before = self.m.layout() or {"members": []}
        if len(before["members"]) > 1 and self.m.member(before):
            self.leave(before, own, is_last=True)
            self.end_patroni()
            self.m.keep_layout(layout)
            self.plain.step_back()  # its passwords stay: copies have them
        self.plain.learn()
        try:
            self.plain.prepare(layout, own)
        except Refused as error:
            if before["members"]:
                raise
            self.be_plain({**layout, "members": [], "arbitrator": None})
            raise Refused(f"{error}. It was given back what it had")  # noqa: B904 - said in full

    def be_member(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> None:
        """Be one of several: the first goes on as it is and leads; who is a copy of it follows."""
        before = self.m.layout()
        if self.is_begun(own):
            self.go_on(layout, own)
        elif before is None or (self.m.member(before) and len(before["members"]) == 1):
            self.begin_first(layout, own)
        else:
            self.m.keep_layout(layout)
            self.join(layout, own)
        port = self.server.facts["port"]
        self.door.open(self.door.write(self.plain.doors(), own["address"], layout["members"], port))

    def is_begun(self, own: "dict[str, Any]") -> bool:
        """Whether Patroni keeps the server of this machine, which is not a copy of such a one."""
        layout = self.m.layout() or {"members": []}
        return self.m.read(PATRONI_BEGUN).strip() == own["address"] and len(layout["members"]) > 1

    def go_on(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> None:
        """Be the member that this machine is already, maybe with others than before."""
        self.m.keep_layout(layout)
        self.give_up_unit()
        self.votes.begin(layout, own)
        is_changed = self.configure(layout, own)
        self.patroni.install()
        if not self.m.is_active(PATRONI_UNIT):
            self.m.run(["systemctl", "reset-failed", PATRONI_UNIT])
            self.m.systemctl("start", PATRONI_UNIT)
            self.m.done("Patroni was started")
        elif is_changed:
            self.m.systemctl("reload", PATRONI_UNIT)
            self.m.done("members are those of the layout now")
        self.begin_anew_where_left_behind(layout, own)

    def begin_first(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> None:
        """Have Patroni take over the server that runs, without a restart. Raises Refused: another leads."""
        first = layout["members"][0]
        if own != first:
            raise Refused(
                "a PostgreSQL of its own is on this machine, and the cluster's data is that of "
                + first["address"]
            )
        leader = next((one for one in layout["members"][1:] if self.patroni.leads(one)), None)
        if leader:
            raise Refused("{} leads already: its data would replace this one's".format(leader["address"]))
        self.votes.kind()
        self.patroni.command()
        alone = {**layout, "members": [own], "arbitrator": None}
        self.be_alone(alone, own)
        if not self.server.is_primary():
            raise Refused("the server of this machine takes no writes: it cannot be the first")
        self.m.write(PATRONI_BEGUN, own["address"] + "\n")
        self.m.write(TAKEN_OVER, "The server runs, and Patroni is about to keep it.\n")
        self.m.reached("before the layout of several")
        self.m.keep_layout(layout)  # the server is Patroni's from here on
        try:
            self.go_on(layout, own)
            if not self.patroni.wait(lambda: self.patroni.leads(own), LEADS_SECONDS):
                votes = self.votes.count(layout, own)
                raise Refused(f"Patroni does not lead here: {votes} vote, and {self.patroni.words(layout)}")  # noqa: TRY301
        except Refused as error:
            self.be_alone(alone, own)
            raise Refused(f"{error}. The server is alone again, as it was")  # noqa: B904 - said in full
        self.m.remove(TAKEN_OVER)
        self.m.done("Patroni keeps the server, which was not restarted for it")
        if not os.path.exists("/dev/watchdog"):
            self.m.done(
                "there is no watchdog here: a machine that hangs and wakes is held back by Patroni alone"
            )

    def join(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> None:
        """Have this copy follow who leads: older, it never leads itself. Raises Refused: nobody does."""
        server = self.server
        if not server.facts or not os.path.exists(os.path.join(server.directory, "PG_VERSION")):
            raise Refused("no PostgreSQL is on this machine: it has to be a copy of one that is a member")
        if server.process() is not None:
            raise Refused("a PostgreSQL runs on this machine that nobody let in: stop it, then apply again")
        self.votes.begin(layout, own)
        others = [one for one in layout["members"] if one != own]
        if not self.patroni.wait(lambda: any(map(self.patroni.leads, others)), LEADS_SECONDS):
            raise Refused("no other member leads that this one could follow: " + self.patroni.words(layout))
        slots = os.path.join(server.directory, "pg_replslot")
        for name in os.listdir(slots):
            shutil.rmtree(
                os.path.join(slots, name)
            )  # of the one it is a copy of; a base backup has none either
        for name in ("postmaster.pid", "patroni.dynamic.json"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(server.directory, name))
        self.give_up_unit()
        self.patroni.install()
        self.m.write(PATRONI_BEGUN, own["address"] + "\n")
        self.m.systemctl("restart", PATRONI_UNIT)
        self.m.done("this copy follows who leads")

    def give_up_unit(self) -> None:
        """Have systemd leave the server to Patroni."""
        unit = self.server.facts["unit"]
        self.m.unit(unit + ".d/nospof.conf", self.plain.drop_in(is_several=True))
        if self.server.facts["was_enabled"]:
            self.m.systemctl("disable", unit)

    def configure(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> bool:
        """Write what this member runs by; return whether it changed."""
        is_changed = self.plain.own_configuration(layout, own)
        return self.patroni.configure(layout, own, self.plain.sockets()) or is_changed

    def begin_anew_where_left_behind(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> None:
        """Copy all from who leads, where what this member misses is not there any more. Raises Refused."""

        def is_fine() -> bool:
            leader = self.patroni.leader(layout)
            return leader is None or leader == own or self.patroni.streams(leader, own)

        if (
            not self.patroni.wait(is_fine, STREAMS_SECONDS)
            and self.patroni.says(own).get("state") == "running"
        ):
            code, said = self.patroni.tell(own, "/reinitialize", {"force": True})
            if code != 200:
                raise Refused(f"this member streams nothing, and could not begin anew: {said}")
            self.m.done("this member was too far behind: it copies all data anew")

    # Back ---------------------------------------------------------------------------------------------

    def be_plain(self, layout: "dict[str, Any]") -> None:
        """Be the plain server that was, with all that is in it."""
        before = self.m.layout() or {"members": []}
        own = self.m.member(before)
        if own and len(before["members"]) > 1:
            self.leave(before, own, is_last=not layout["members"])
        self.end_patroni()
        self.m.keep_layout({**before, **layout, "members": [], "arbitrator": None})
        self.door.close()
        if self.server.facts:
            self.plain.give_back()
        for name in (SECRETS, UNDO, PROGRAM):
            self.m.remove(name)

    def end_patroni(self) -> None:
        """Have Patroni, and its votes, be no more here."""
        if self.m.forget_unit(PATRONI_UNIT):
            self.m.done("Patroni has ended")
        self.votes.end()
        for name in (PATRONI_BEGUN, TAKEN_OVER, PATRONI_CONFIGURATION):
            self.m.remove(name)

    def leave(self, before: "dict[str, Any]", own: "dict[str, Any]", is_last: bool) -> None:
        """Have nothing be lost when Patroni ends here. Raises Refused: not all that was acknowledged is here.

        Args:
            is_last: whether the data goes on here, and the cluster ends: all writes come here first, and
                nobody takes over when Patroni ends. The server goes on.
        """
        if not self.m.is_active(PATRONI_UNIT):
            return
        leader = self.patroni.leader(before)
        has_all = leader is None and (self.server.is_primary() or bool(self.patroni.says(own).get("pause")))
        if not is_last:
            if leader == own:
                self.handover(before)
        elif not has_all:
            self.patroni.switch(before, own)
            self.patroni.pause(own, True)

    # Acts ---------------------------------------------------------------------------------------------

    def handover(self, layout: "dict[str, Any]") -> None:
        """See `Database`."""
        own = self.m.member(layout)
        leader = self.patroni.leader(layout)
        if leader is None and len(layout["members"]) > 1:
            raise Refused("no member leads: " + self.patroni.words(layout))
        if own is None or leader != own:
            return
        others = [one for one in layout["members"] if one != own]
        in_step = [one for one in others if self.patroni.is_in_step(own, one)]
        if not others:
            raise Refused("there is no other member")
        self.patroni.switch(layout, (in_step or others)[0])

    def bootstrap(self, layout: "dict[str, Any]") -> None:
        """See `Database`."""
        own = self.m.member(layout)
        if own is None or len(layout["members"]) < 2:
            raise Refused("this machine is no member of several")
        self.go_on(layout, own)
        if not self.patroni.wait(lambda: bool(self.patroni.leader(layout)), TTL_SECONDS + 10):
            code, said = self.patroni.tell(own, "/failover", {"candidate": seat_name(own)}, seconds=60.0)
            if not self.patroni.wait(lambda: self.patroni.leads(own), LEADS_SECONDS):
                raise Refused(f"Patroni does not lead here: {said if code != 200 else 'too few votes'}")
        leader = self.patroni.leader(layout)
        if leader != own:
            raise Refused("{} leads already".format(leader["address"] if leader else "nobody"))
        self.m.done("this member leads")

    def failover(self, layout: "dict[str, Any]", gone: str, is_off: bool) -> None:
        """See `Database`."""
        seats = [one for one in layout["members"] if gone in (one.get("id"), one["address"])]
        own = self.m.member(layout)
        if not seats or own is None:
            raise Refused("{} is no member".format(gone if own else "this machine"))
        left = {**layout, "members": [one for one in layout["members"] if one not in seats]}
        if self.patroni.leads(seats[0]):
            if is_off:
                raise Refused(f"{gone} leads, and answers: it is not gone")
            self.patroni.switch(layout, own, LEAVES_SECONDS)
        if self.patroni.leader(left):
            return
        if not is_off:
            raise Refused(f"{gone} does not answer and is not off: it keeps its place, and may still write")
        self.patroni.release(seats[0])
        if not self.patroni.wait(lambda: bool(self.patroni.leader(left)), FAILS_OVER_SECONDS):
            raise Refused("nobody leads yet: " + self.patroni.words(left))
        self.m.done("another member leads")

    # Units --------------------------------------------------------------------------------------------

    def boot(self, unit: str) -> None:
        """See `Database`."""
        layout = self.m.layout() or {"members": []}
        own, several = self.m.member(layout), len(layout["members"]) > 1
        if unit == VOTES_UNIT:
            seat = own or (layout["arbitrator"] if self.m.is_arbitrator(layout) else None)
            if not several or seat is None:
                raise Refused("this machine has no vote")
            self.votes.boot(layout, seat)
        elif layout["members"] and own is None:
            raise Refused("this machine is a copy that nobody let in: its address is not in the layout")
        elif own is None:
            return
        elif unit == DOOR_UNIT:
            for place in (self.server.placed(self.server.facts["socket"]), self.m.path(SOCKETS)):
                os.makedirs(place, mode=0o755, exist_ok=True)
        elif unit == PATRONI_UNIT:
            if not several or not self.is_begun(own):
                raise Refused("this member was not let in yet")
            self.patroni.forget_half_a_copy()
            self.configure(layout, own)
        elif several:
            raise Refused(f"this PostgreSQL is Patroni's: systemctl start {PATRONI_UNIT}")
        else:
            self.plain.own_configuration(layout, own)

    def serve(self) -> None:
        """See `Database`: who leads is who takes writes, and nobody else is fit."""
        own = None
        while own is None:
            own = self.m.member(self.m.layout() or {"members": []})
            time.sleep(0 if own else 1)
        fitness = Fitness()
        serve_health(own["address"], fitness)
        while True:
            layout = self.m.layout() or {"members": []}
            is_kept = len(layout["members"]) > 1 and not self.is_being_taken_over()
            is_fit = self.leads_here(own) if is_kept else self.greets(own)
            fitness.hear(is_fit, is_fit, "takes writes" if is_fit else "takes no writes")
            time.sleep(ASK_AGAIN_SECONDS)

    def is_being_taken_over(self) -> bool:
        """Whether Patroni has only begun to keep the server; whoever was to end that may have been killed."""
        try:
            return time.time() - os.stat(self.m.path(TAKEN_OVER)).st_mtime < LEADS_SECONDS
        except OSError:
            return False

    def leads_here(self, own: "dict[str, Any]") -> bool:
        """Whether Patroni says that this member leads."""
        return rest(own["address"], REST_PORT, "/primary", seconds=ASK_LONGEST_SECONDS)[0] == 200

    def greets(self, own: "dict[str, Any]") -> bool:
        """Whether the plain server answers, which one that is frozen does not."""
        where = (own["address"], self.server.facts["port"])
        try:
            with socket.create_connection(where, timeout=ASK_LONGEST_SECONDS) as line:
                line.settimeout(ASK_LONGEST_SECONDS)
                line.sendall(SSL_REQUEST)
                return line.recv(1) in (b"S", b"N")
        except OSError:
            return False
