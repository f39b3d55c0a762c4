"""The part of the data program that tells what tables held over a while.

Two members are never read at one moment while they are written to. What the one held at some moment the
other holds a little sooner or later: where both held the same once, they are the same. It runs by any Python
from 3.6 on.
"""

import hashlib
from typing import Any

# The sender cuts here: what stands above is in the parts before, but for the imports.

WHILE_SECONDS = 6.0
"""Two machines that are asked at once begin within a second or two of each other."""
SEEN_CONTENTS = 200
"""Of a table; an answer has room for those of some tables."""


def is_wanted(database: str, table: str, wanted: "list[str]") -> bool:
    """Whether a table is among those that are asked for; all are where none is."""
    return not wanted or f"{database}.{table}" in wanted or database + ".*" in wanted


def with_seen(read: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
    """Return each table as it was read last, with all that it held before, each content once."""
    found: dict[str, Any] = {}
    for one in read:
        seen = found.get(one["name"], {}).get("seen", [])
        digest = hashlib.sha256("{} {}".format(one["rows"], one["sum"]).encode()).hexdigest()[:12]
        found[one["name"]] = {**one, "seen": seen if digest in seen else [*seen, digest][-SEEN_CONTENTS:]}
    return list(found.values())
