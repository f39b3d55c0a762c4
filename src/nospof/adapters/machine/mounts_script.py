"""The last part of the mounts program: it reads what it is asked, does it, and answers.

`ACT BASE64-OF-JSON` answers in one line, as the data program does; `boot UNIT` comes before the start of a
unit that serves and says by its exit code whether it may; `keep` runs for good. It runs by any Python from
3.6 on.
"""

import base64
import json
import sys
from typing import Any

from nospof.adapters.machine.data_answer import WAS_KILLED, in_one_line, to_the_end
from nospof.adapters.machine.hold_databases import SAID_CHARACTERS, Refused
from nospof.adapters.machine.mounts_guard import Guard
from nospof.adapters.machine.mounts_host import MountsHost
from nospof.adapters.machine.mounts_look import look, state
from nospof.adapters.machine.mounts_move import attach, copy, detach

# The sender cuts here: what stands above is in the parts before, but for the imports.

MOUNTS_SCHEMA = "nospof.mounts/1"
CHANGING = ("copy", "attach", "detach")


def answered(m: MountsHost, act: str, asked: "dict[str, Any]") -> str:
    """Do an act and return its answer's line."""
    looking = {"look": look, "state": state}
    changing = {"copy": copy, "attach": attach, "detach": detach}
    found: dict[str, Any] = {}
    problem = ""
    try:
        if act in looking:
            found = looking[act](m, asked)
        else:
            with m.alone():
                found = changing[act](m, asked)
    except Refused as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - a machine may hold anything; what was done is told with it
        problem = f"{type(error).__name__}: {error}"[:SAID_CHARACTERS]
    did = {} if act in looking else {"did": m.did}
    return in_one_line(MOUNTS_SCHEMA, {**found, **did, "problem": problem})


def mounts_source() -> str:
    """Return the text of this program: whoever sends it says it, and an installed one is a file."""
    told = globals().get("NOSPOF_SOURCE")
    if told:
        return str(told)
    with open(__file__, encoding="utf-8") as file:
        return file.read()


def main() -> None:
    """Do what the command line says."""
    act, m = sys.argv[1], MountsHost(mounts_source())
    if act == "keep":
        Guard(m).keep()
    if act == "boot":
        try:
            Guard(m).boot(sys.argv[2])
        except Refused as error:
            sys.stderr.write(f"nospof: {error}\n")
            raise SystemExit(1)  # noqa: B904 - said above
        return
    if act not in ("look", "state", *CHANGING):
        raise SystemExit("no such act")
    asked = json.loads(base64.b64decode(sys.argv[2]))
    if act in CHANGING:
        line = to_the_end(m.root, lambda: answered(m, act, asked))
        line = line or in_one_line(MOUNTS_SCHEMA, {"did": [], "problem": WAS_KILLED})
    else:
        line = answered(m, act, asked)
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
