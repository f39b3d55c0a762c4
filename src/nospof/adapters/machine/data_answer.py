"""The part of the programs that change a machine that answers whoever asked, and acts whoever dies.

It runs by any Python from 3.6 on.
"""

import base64
import contextlib
import json
import os
import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from nospof.adapters.machine.data_machine import Host
from nospof.adapters.machine.hold_databases import SAID_CHARACTERS, Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

WAS_KILLED = "the process that was to do it was killed"
Here = TypeVar("Here", bound=Host)


def in_one_line(schema: str, answer: "dict[str, Any]") -> str:
    """Return an answer as it is sent."""
    text = json.dumps({"schema": schema, **answer}, sort_keys=True)
    return schema + " " + base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def to_the_end(root: str, act: "Callable[[], str]") -> str:
    """Do an act in a process that nobody ends by ending this one; return its line, empty if it was killed."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        said = b""
        while True:
            some = os.read(reading, 65536)
            if not some:
                break
            said += some
        return said.decode()
    os.close(reading)
    os.setsid()
    if os.fork():
        os._exit(0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(nothing, handle)
    os.chdir(root)
    try:
        line = act().encode()
        with contextlib.suppress(OSError):  # whoever asked may be gone
            os.write(writing, line)
    finally:
        os._exit(0)


def problem_of(error: Exception) -> str:
    """Return why something was not done, for whoever asked; a machine may hold anything."""
    return str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"[:SAID_CHARACTERS]


def source_text() -> str:
    """Return the text of this program: whoever sends it says it, and an installed one is a file."""
    told = globals().get("NOSPOF_SOURCE")
    if told:
        return str(told)
    with open(__file__, encoding="utf-8") as file:
        return file.read()


def may_start(start: "Callable[[], None]") -> None:
    """Do what comes before the start of a unit, or is it; where that is refused, say so and end as failed."""
    try:
        start()
    except Refused as error:
        sys.stderr.write(f"nospof: {error}\n")
        raise SystemExit(1)  # noqa: B904 - said above


def answer_acts(
    m: "Here",
    schema: str,
    looking: "Mapping[str, Callable[[Here, dict[str, Any]], dict[str, Any]]]",
    changing: "Mapping[str, Callable[[Here, dict[str, Any]], dict[str, Any] | None]]",
) -> None:
    """Do the act that the command line names, and write its answer's line.

    Args:
        looking: the acts that change nothing, by name.
        changing: those that do: done by one at a time, to their end, and told with what was done.
    """
    act = sys.argv[1]
    if act not in looking and act not in changing:
        raise SystemExit("no such act")
    asked = json.loads(base64.b64decode(sys.argv[2]))

    def line() -> str:
        found: dict[str, Any] = {}
        problem = ""
        try:
            if act in looking:
                found = looking[act](m, asked)
            else:
                with m.alone():
                    found = changing[act](m, asked) or {}
        except Exception as error:  # noqa: BLE001 - what was done is told with it
            problem = problem_of(error)
        did = {} if act in looking else {"did": m.did}
        return in_one_line(schema, {**found, **did, "problem": problem})

    said = to_the_end(m.root, line) if act in changing else line()
    sys.stdout.write((said or in_one_line(schema, {"did": [], "problem": WAS_KILLED})) + "\n")
