"""The part of the programs that change a machine that answers whoever asked, and acts whoever dies.

It runs by any Python from 3.6 on.
"""

import base64
import contextlib
import json
import os
import zlib
from collections.abc import Callable
from typing import Any

# The sender cuts here: what stands above is in the parts before, but for the imports.

WAS_KILLED = "the process that was to do it was killed"


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
