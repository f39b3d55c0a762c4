"""The last part of the data program: it reads what it is asked, has the right engine do it, and answers.

`ACT BASE64-OF-JSON` answers in one line. What changes the machine goes on to its end in a process of its
own, whatever becomes of who asked, and never twice at once. `boot UNIT` comes before a unit's start and
says by its exit code whether it may; `serve` answers the doors' checks. It runs by any Python from 3.6 on.
"""

import base64
import json
import sys
import zlib
from typing import Any

from nospof.adapters.machine.data_answer import (
    WAS_KILLED,
    in_one_line,
    may_start,
    problem_of,
    source_text,
    to_the_end,
)
from nospof.adapters.machine.data_door import DOOR_UNIT
from nospof.adapters.machine.data_machine import LAYOUT, Database, Host
from nospof.adapters.machine.data_mariadb import MariaDb
from nospof.adapters.machine.data_postgresql import PostgreSql
from nospof.adapters.machine.data_rest import Rest, note_start
from nospof.adapters.machine.data_votes import VOTES_UNIT
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

SCHEMA = "nospof.data/1"
ANSWER_CHARACTERS = 22000  # of the 24,000 that Systems Manager keeps
DATABASES = (MariaDb, PostgreSql)
CHANGING = ("apply", "mend", "handover", "failover", "bootstrap", "position", "rest", "wake")
NOTHING_KEPT = {
    "role": "",
    "ready": False,
    "says": "",
    "votes": 0,
    "position": "",
    "lag_bytes": -1,
    "writer": "",
}


def database_of(m: Host, engine: str) -> Database:
    """Return who does what a layout of this engine asks. Raises Refused."""
    for one in DATABASES:
        if one.engine == engine:
            return one(m)
    raise Refused(f"this program does not know {engine!r}")


def database_here(m: Host) -> "Database | None":
    """Return who knows the server of this machine; None where there is none that is known."""
    layout = m.layout()
    if layout is not None:
        return database_of(m, layout["engine"])
    return next((one for one in (kind(m) for kind in DATABASES) if one.is_here()), None)


def laid_out(m: Host) -> "tuple[Database, dict[str, Any]]":
    """Return who keeps this machine's data, and by what layout. Raises Refused: it is a plain server."""
    layout = m.layout()
    if layout is None:
        raise Refused("no layout was applied to this machine")
    return database_of(m, layout["engine"]), layout


def examine(m: Host, _asked: "dict[str, Any]") -> "dict[str, Any]":
    """Return what server there is."""
    database = database_here(m)
    found = database.examine() if database else {"engine": "", "obstacles": [], "problem": ""}
    # As the look inside names it: seen from the machine's own root.
    at = str(found.get("directory", ""))
    if m.root != "/" and at.startswith(m.root + "/"):
        found["directory"] = at[len(m.root) :]
    return {**found, "layout": m.layout()}


def state(m: Host, _asked: "dict[str, Any]") -> "dict[str, Any]":
    """Return what a machine with a vote is now."""
    layout = m.layout()
    if layout is None:
        is_here = database_here(m) is not None
        return {
            **NOTHING_KEPT,
            "role": "alone" if is_here else "",
            "ready": is_here,
            "problem": "" if is_here else "no database",
        }
    database = database_of(m, layout["engine"])
    if layout["members"] and m.member(layout) is None and not m.is_arbitrator(layout):
        return {**NOTHING_KEPT, "role": "stranger", "says": "its address has no seat", "problem": ""}
    return {**NOTHING_KEPT, **database.state(layout), "problem": ""}


def apply(m: Host, asked: "dict[str, Any]") -> None:
    """Make this machine what a layout says."""
    layout = asked["layout"]
    for seat in [*layout["members"], layout.get("arbitrator") or {"address": "127.0.0.1"}]:
        if not isinstance(seat.get("address"), str):
            raise Refused("the layout has a seat without an address")
    before = m.layout()
    if before and before["engine"] != layout["engine"]:
        raise Refused(
            "the machine keeps its data by {}: first make it a plain server".format(before["engine"])
        )
    if before is None and not layout["members"]:
        return
    database = database_of(m, layout["engine"])
    if layout["members"]:
        m.install()
        m.reached("program installed")
    database.apply(layout)
    if not m.member(layout) and not m.is_arbitrator(layout):
        m.remove(LAYOUT)  # the last thing to go: until then a repeat knows what there is to take back


def changed(m: Host, act: str, asked: "dict[str, Any]") -> "dict[str, Any]":
    """Do an act that changes the machine, and return what was done."""
    problem = ""
    try:
        with m.alone():
            if act == "apply":
                apply(m, asked)
            elif act == "mend":
                database = database_here(m)
                if database is None:
                    raise Refused("there is no database that is known")  # noqa: TRY301
                database.mend(bool(asked.get("undo")))
            else:
                database, layout = laid_out(m)
                if act == "handover":
                    database.handover(layout)
                elif act == "failover":
                    database.failover(layout, str(asked.get("gone")), bool(asked.get("is_off", True)))
                elif act == "bootstrap":
                    database.bootstrap(layout)
                elif act == "rest":
                    Rest(m).begin(database, layout, str(asked.get("rest_id")), int(asked["seconds"]))
                elif act == "wake":
                    Rest(m).end(database, layout, str(asked.get("rest_id")))
                else:
                    m.did.append(database.position(layout))
    except Exception as error:  # noqa: BLE001 - what was done is told with it
        problem = problem_of(error)
    return {"did": m.did, "problem": problem}


def looked(m: Host, act: str, asked: "dict[str, Any]") -> "dict[str, Any]":
    """Do an act that changes nothing."""
    try:
        if act == "examine":
            return examine(m, asked)
        if act == "state":
            return state(m, asked)
        database = database_here(m)
        return (
            database.check([str(one) for one in asked.get("tables") or ()])
            if database
            else {"tables": [], "problem": "there is no database that is known"}
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return {"problem": problem_of(error)}


def packed(answer: "dict[str, Any]") -> str:
    """Return an answer in one line; tables that are too many are told by their databases' sums."""
    line = in_one_line(SCHEMA, answer)
    if len(line) > ANSWER_CHARACTERS and answer.get("tables"):
        line = in_one_line(SCHEMA, {**answer, "tables": folded(answer["tables"])})
    if len(line) > ANSWER_CHARACTERS:
        line = in_one_line(
            SCHEMA, {"problem": "there is more to tell than Systems Manager keeps of an answer"}
        )
    return line


def folded(tables: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
    """Return one row for all tables of a database, named `database.*`."""
    found: dict[str, Any] = {}
    for one in tables:
        name = one["name"].partition(".")[0] + ".*"
        row = found.setdefault(name, {"name": name, "rows": 0, "sum": 0})
        row["rows"] += one["rows"]
        row["sum"] = zlib.crc32("{} {} {}".format(row["sum"], one["name"], one["sum"]).encode())
    return [{**one, "sum": str(one["sum"])} for one in found.values()]


def started(m: Host, act: str) -> None:
    """Do what comes before the start of a unit, or tell doors, or end a rest. Raises Refused."""
    database = database_here(m)
    if database is None:
        raise Refused("there is no database that is known")
    if act == "boot":
        database.boot(sys.argv[2])
        if sys.argv[2] not in (DOOR_UNIT, VOTES_UNIT):
            note_start(m)
    elif act == "wakes":
        Rest(m).wake(*laid_out(m))
    else:
        database.serve()


def main() -> None:
    """Do what the command line says."""
    act = sys.argv[1]
    m = Host(source_text())
    if act in ("boot", "serve", "wakes"):
        may_start(lambda: started(m, act))
        return
    asked = json.loads(base64.b64decode(sys.argv[2]))
    if act in CHANGING:
        line = to_the_end(m.root, lambda: packed(changed(m, act, asked)))
        line = line or packed({"problem": WAS_KILLED})
    elif act in ("examine", "state", "check"):
        line = packed(looked(m, act, asked))
    else:
        raise SystemExit("no such act")
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
