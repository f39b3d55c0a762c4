"""The part of the data program that makes a plain PostgreSQL ready to be one of several, and plain again.

It runs by any Python from 3.6 on.
"""

import contextlib
import json
import os
import secrets
from typing import Any

from nospof.adapters.machine.data_door import Door
from nospof.adapters.machine.data_machine import START_SECONDS, UNDO, Host
from nospof.adapters.machine.data_postgresql_server import (
    ADDED_CONFIGURATION,
    ADMIN,
    INCLUDE,
    LEFTOVERS,
    REPLICATION,
    ROLES,
    RULES,
    SECRETS,
    SIGNALS,
    SOCKETS,
    PostgresServer,
    configuration,
    hba_block,
    own_settings,
    twins_of,
    without_block,
)
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

FORGET = f"""
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
WHERE slot_type = 'physical' AND slot_name NOT IN (%s);
DROP ROLE IF EXISTS {REPLICATION};
DROP ROLE IF EXISTS {ADMIN};
"""  # noqa: S608 - two names of our own
WEAKEST = """
SELECT CASE WHEN bool_or(rolpassword LIKE 'md5%') THEN 'md5' ELSE 'scram-sha-256' END AS how FROM pg_authid
"""


class Plain:
    """The server of a machine as its owner has it, with what nospof adds.

    Args:
        m: the machine.
        server: its PostgreSQL.
    """

    def __init__(self, m: Host, server: PostgresServer) -> None:
        self.m, self.server, self.door = m, server, Door(m)

    # Ready to be one of several -----------------------------------------------------------------------

    def learn(self) -> None:
        """Keep what has to be known of the server while it is off. Raises Refused."""
        if not self.server.facts:
            facts = self.server.learn()
            enabled = self.m.run(["systemctl", "is-enabled", facts["unit"]])[1] == "enabled"
            self.m.keep(postgresql={**facts, "was_enabled": enabled})
            self.server.facts = self.m.undo()["postgresql"]

    def prepare(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> None:
        """Make roles, settings and the door; restart the server where it has to be. Raises Refused."""
        facts, unit = self.server.facts, self.server.facts["unit"]
        if not self.server.answers():
            self.m.systemctl("start", unit, seconds=START_SECONDS)
            if not self.server.wait_until_answers():
                raise Refused("PostgreSQL does not answer")
        self.make_roles()
        self.m.unit(unit + ".d/nospof.conf", self.drop_in(is_several=False))
        self.m.keep_layout(layout)
        is_changed = self.own_configuration(layout, own)
        door_changed = self.door.write(self.doors(), own["address"], layout["members"], facts["port"])
        if is_changed or not self.serves_at(own):
            self.restart(unit)
            self.m.done("PostgreSQL was restarted, and listens at " + own["address"])
        self.door.open(door_changed)
        self.door.wait_for(own["address"])
        self.m.done("applications find it through a door, where it always was")

    def restart(self, unit: str) -> None:
        """Restart the server; return once it answers. Raises Refused: it does not come up."""
        code, said = self.m.run(["systemctl", "restart", unit], START_SECONDS)
        if code or not self.server.wait_until_answers():
            raise Refused(
                "PostgreSQL did not come up with its new settings: {}".format(said or "it does not answer")
            )

    def serves_at(self, own: "dict[str, Any]") -> bool:
        """Whether the server that runs listens where it should."""
        process = self.server.process()
        return process is not None and own["address"] in process["lines"][5].split(",")

    def make_roles(self) -> None:
        """Make the roles of the cluster, with passwords that stand in one file here. Raises Refused."""
        known = self.server.secrets()
        if not known:
            known = {one: secrets.token_hex(16) for one in ("admin", "replication", "rest")}
            self.m.write(SECRETS, json.dumps(known), 0o600)
        if "twins" in self.server.facts:
            return
        self.server.tell(ROLES % (known["admin"], known["replication"]))
        twins = twins_of(self.server.rows(RULES), self.server.rows(WEAKEST)[0]["how"])
        self.remember(twins=twins)
        self.m.done(f"the roles {ADMIN} and {REPLICATION} were made")

    def remember(self, **facts: Any) -> None:
        """Keep more of the server."""
        undo = self.m.undo()
        undo["postgresql"] = self.server.facts = {**undo["postgresql"], **facts}
        self.m.write(UNDO, json.dumps(undo, sort_keys=True, indent=1) + "\n", 0o600)

    # Own configuration --------------------------------------------------------------------------------

    def own_configuration(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> bool:
        """Write what is this machine's own and what members share; return whether something changed."""
        facts, server = self.server.facts, self.server
        settings = own_settings(facts, layout["cluster"], own["address"], self.sockets())
        config, hba = server.config, server.placed(facts["hba"])
        if os.path.dirname(config) == server.directory and not os.path.exists(config):
            return False  # it comes with the copy of all data that Patroni has yet to make
        text = server.read(config)
        if INCLUDE not in text:
            server.edit(config, text + ("" if text.endswith("\n") else "\n") + INCLUDE)
        changed = server.edit(
            os.path.join(os.path.dirname(config), ADDED_CONFIGURATION), configuration(settings)
        )
        # Machines that are directories come from the computer's first address where they do not choose.
        addresses = [one["address"] for one in layout["members"]] + (["127.0.0.1"] if self.m.mark else [])
        block = hba_block(addresses, facts.get("twins", []))
        return server.edit(hba, block + without_block(server.read(hba))) or changed

    def sockets(self) -> str:
        """Make the directory of the server's own socket; return it as the server's settings name it."""
        place = self.m.path(SOCKETS)
        os.makedirs(place, mode=0o755, exist_ok=True)
        if os.geteuid() == 0:
            whose = os.stat(self.server.directory)
            os.chown(place, whose.st_uid, whose.st_gid)
        return os.path.relpath(place, self.server.directory) if self.m.mark else place

    def drop_in(self, is_several: bool) -> str:
        """Return what is added to the unit of the server."""
        boot = self.m.program("boot", self.server.facts["unit"])
        # The door's socket is in the unit's directory, which would go with the server.
        text = f"[Service]\nExecStartPre=+{boot}\nRuntimeDirectoryPreserve=yes\n"
        return text + ("Restart=no\n" if is_several else "")

    def doors(self) -> "list[str]":
        """Return where applications have always found the server, as HAProxy says it."""
        facts = self.server.facts
        found = []
        if facts["sockets"]:
            place = self.m.place(facts["socket"].lstrip("/"))
            found.append("unix@{}/.s.PGSQL.{} mode 777".format(place, facts["port"]))
        if not self.m.mark and facts["listens"]:
            found.append("127.0.0.1:{}".format(facts["port"]))
        return found

    # Plain again --------------------------------------------------------------------------------------

    def give_back(self) -> None:
        """Put the server's own settings back, and start it by them. Raises Refused.

        A repeat begins where it was left: the server that runs by its own settings is not stopped.
        """
        unit = self.server.facts["unit"]
        if not self.m.undo().get("is_given_back"):
            self.step_back()
            self.m.forget_unit(unit + ".d/nospof.conf")
            self.m.keep(is_given_back=True)
        self.m.systemctl("start", unit, seconds=START_SECONDS)
        if not self.server.wait_until_answers():
            raise Refused("PostgreSQL was given its own settings back, and does not answer")
        self.m.done("PostgreSQL runs by its own settings")
        kept = ", ".join("'{}'".format(one.replace("'", "''")) for one in self.server.facts["slots"])
        self.server.tell(FORGET % (kept or "''"))

    def step_back(self) -> None:
        """Have the server be off and its unit's again, with its owner's settings. Raises Refused."""
        unit = self.server.facts["unit"]
        self.stop(unit)
        self.restore_files()
        self.m.unit(unit + ".d/nospof.conf", self.drop_in(is_several=False))
        if self.server.facts["was_enabled"]:
            self.m.systemctl("enable", unit)
        self.m.run(["systemctl", "reset-failed", unit])

    def stop(self, unit: str) -> None:
        """Stop the server, whoever started it. Raises Refused."""
        if self.server.process() is not None:
            self.server.tool(
                "pg_ctl", "stop", "-D", self.server.directory, "-m", "fast", "-w", seconds=START_SECONDS
            )
        if self.server.process() is not None:
            raise Refused("PostgreSQL does not stop")
        self.m.run(["systemctl", "stop", unit], START_SECONDS)

    def restore_files(self) -> None:
        """Have the owner's configuration be as it was; the server is off."""
        server = self.server
        config, hba = server.placed(server.facts["config"]), server.placed(server.facts["hba"])
        if server.config != config:
            os.replace(server.config, config)
        server.edit(config, server.read(config).replace(INCLUDE, ""))
        server.edit(hba, without_block(server.read(hba)))
        for directory in {os.path.dirname(config), server.directory}:
            for name in (ADDED_CONFIGURATION, *LEFTOVERS, *SIGNALS):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(directory, name))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(server.passwords_file)
