"""The part of the data program that has the database of a member at rest while its disks are copied.

The server is stopped cleanly, and a unit beside it starts it again once its time is over, whoever was to do
that. What stands in /run tells of a rest: a boot ends it, and so does any start of the server, by whomever.
It runs by any Python from 3.6 on.
"""

import contextlib
import json
import os
import re
import time
from typing import Any

from nospof.adapters.machine.data_galera import grastate, noted_position
from nospof.adapters.machine.data_machine import START_SECONDS, UNIT_DIRECTORY, Database, Host
from nospof.adapters.machine.data_mariadb_server import Asking
from nospof.adapters.machine.data_patroni import PATRONI_UNIT
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

REST_NOTE = "run/nospof/rest.json"
REST_UNIT = "nospof-rest.service"
REST_AT_MOST_SECONDS = 3600
APPLY_SECONDS = 60.0
"""So long a member may take to apply what was acknowledged anywhere before its rest began."""
ENDED_CLEANLY = ("shut down", "shut down in recovery")
WAKE_UNIT = """\
[Unit]
Description=Ends the rest of this member's database, kept by nospof

[Service]
ExecStart={}
Restart=on-failure
RestartSec=1
"""


class Rest:
    """The rest of one machine's database.

    Args:
        m: the machine.
    """

    def __init__(self, m: Host) -> None:
        self.m = m

    def note(self) -> "dict[str, Any]":
        """Return what is noted of a rest; nothing where there is none."""
        try:
            with open(self.m.path(REST_NOTE), encoding="utf-8") as file:
                return dict(json.load(file))
        except (OSError, ValueError):
            return {}

    def write(self, **note: Any) -> None:
        """Note what a rest is."""
        self.m.write(REST_NOTE, json.dumps(note), 0o600)

    def begin(self, database: Database, layout: "dict[str, Any]", rest_id: str, seconds: int) -> None:
        """Have the database at rest for so long, at most.

        Raises Refused: it is not; one that was stopped all the same wakes by itself.
        """
        if not re.match(r"[0-9a-f]{8,64}$", rest_id) or not 0 < seconds <= REST_AT_MOST_SECONDS:
            raise Refused(f"a rest {rest_id!r:.70} of {seconds} s is none")
        if len(layout["members"]) < 2 or self.m.member(layout) is None:
            raise Refused("this machine is no member of several: nobody would serve while its database rests")
        stop = {"galera": rest_of_mariadb, "patroni": rest_of_postgresql}[database.engine]
        if not self.note():
            stop(database, layout, only_looks=True)
        # A server with much in its memory takes minutes to end: they are no part of its rest.
        self.write(id=rest_id, ends=time.monotonic() + 2 * START_SECONDS + seconds, lasts=True)
        self.m.unit(REST_UNIT, WAKE_UNIT.format(self.m.program("wakes")))
        self.m.systemctl("restart", REST_UNIT)
        self.m.reached("wakes by itself")
        stop(database, layout, only_looks=False)
        os.sync()
        self.write(id=rest_id, ends=time.monotonic() + seconds, lasts=True)
        self.m.done("its database ended cleanly and rests")

    def end(self, database: Database, layout: "dict[str, Any]", rest_id: str) -> None:
        """Have the database run again. Raises Refused: it does not; or its rest had not lasted until now."""
        note = self.note()
        lasted = note.get("id") == rest_id and bool(note.get("lasts"))
        database.apply(layout)
        self.over()
        if not lasted:
            raise Refused("its database runs, and had been started before: its disks were not at rest")
        self.m.done("its database runs again")

    def broken(self) -> None:
        """Note that the server was started, by whomever."""
        note = self.note()
        if note.get("lasts"):
            self.write(**{**note, "lasts": False})

    def over(self) -> None:
        """Forget a rest."""
        self.m.remove(REST_NOTE)
        self.m.forget_unit(REST_UNIT)

    def wake(self, database: Database, layout: "dict[str, Any]") -> None:
        """Return once there is no rest any more; have the database run where its time is over."""
        while self.note():
            if time.monotonic() >= self.note().get("ends", 0.0):
                with self.m.alone():
                    if time.monotonic() >= self.note().get("ends", float("inf")):
                        database.apply(layout)
                        self.m.remove(REST_NOTE)
            time.sleep(0.5)
        # Whoever ended the rest takes the unit away, and its file is not to go meanwhile.
        with self.m.alone():
            self.m.remove(UNIT_DIRECTORY + REST_UNIT)
            self.m.systemctl("daemon-reload")


def rest_of_mariadb(database: Any, _layout: "dict[str, Any]", only_looks: bool) -> None:
    """Stop a MariaDB that has applied all that was acknowledged anywhere. Raises Refused."""
    m, server = database.m, database.server
    own = m.member(m.layout())
    if m.is_active(server.unit()):
        with Asking(server, APPLY_SECONDS) as asking:
            if asking.value("SELECT writer FROM nospof.door") == own["address"]:
                raise Refused("writes come here: hand them over first")
            # Acknowledged is what is certified; this waits until it is applied here as well.
            asking.rows("SET SESSION wsrep_sync_wait = 1")
            asking.rows("SELECT COUNT(*) FROM nospof.door")
    if only_looks:
        return
    m.systemctl("stop", server.unit(), seconds=START_SECONDS)
    if not noted_position(grastate(server.directory())):
        raise Refused("MariaDB did not end cleanly: it did not note how far it is")


def rest_of_postgresql(database: Any, layout: "dict[str, Any]", only_looks: bool) -> None:
    """Stop a PostgreSQL that has all that was acknowledged anywhere. Raises Refused."""
    m, patroni, server = database.m, database.patroni, database.server
    own = m.member(layout)
    if m.is_active(PATRONI_UNIT):
        leader = patroni.leader(layout)
        if leader is None or leader == own:
            raise Refused("writes come here: hand them over first" if leader else "no member leads")
        if not patroni.wait(lambda: patroni.is_in_step(leader, own), APPLY_SECONDS):
            raise Refused("it does not have all that was acknowledged: " + patroni.words(layout))
    if only_looks:
        return
    m.systemctl("stop", PATRONI_UNIT, seconds=START_SECONDS)
    database.plain.stop(server.facts["unit"])
    _, said, wrong = server.tool("pg_controldata", "-D", server.directory)
    found = re.search(r"(?m)^Database cluster state:\s*(.*?)\s*$", said)
    if not found or found.group(1) not in ENDED_CLEANLY:
        raise Refused("PostgreSQL did not end cleanly: " + (found.group(1) if found else wrong))


def note_start(m: Host) -> None:
    """Note that a server is started, where a rest of it is noted."""
    with contextlib.suppress(OSError):
        Rest(m).broken()
