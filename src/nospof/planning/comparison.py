"""Decide whether members have the same, from what each said of itself at moments of its own.

Pure. Members are written to while they are read. What both held at some moment is the same; only what differs
though nothing moved, or at one position, is different; all else was not compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from nospof.model.layout import Checked, Engine, TableSum
from nospof.model.sharing import DirectorySum, FilesChecked
from nospof.planning.rejoin import NOTHING, how_far

TOLD_NAMES = 10


def contents(table: TableSum) -> frozenset[str]:
    """Return all that a table was seen to hold, by digests as members make them."""
    digest = hashlib.sha256(f"{table.rows} {table.sum}".encode()).hexdigest()[:12]
    return frozenset({digest, *table.seen})


def by_table(found: Mapping[str, Checked]) -> dict[str, dict[str, TableSum]]:
    """Return what each member has of each table."""
    tables: dict[str, dict[str, TableSum]] = {}
    for member, checked in found.items():
        for one in checked.tables:
            tables.setdefault(one.name, {})[member] = one
    return tables


def unlike(found: Mapping[str, Checked]) -> tuple[str, ...]:
    """Return the tables that members were not seen to have the same of."""
    return tuple(
        name
        for name, has in sorted(by_table(found).items())
        if len(has) < len(found) or not frozenset.intersection(*map(contents, has.values()))
    )


def told(name: str, found: Mapping[str, Checked]) -> str:
    """Return what each member has of a table."""
    has = by_table(found).get(name, {})
    said = (
        (one, f"{has[one].rows} rows ({has[one].sum})" if one in has else "no such table") for one in found
    )
    return f"{name}: " + ", ".join(f"{member} has {what}" for member, what in said)


def is_of_one_position(found: Mapping[str, Checked]) -> bool:
    """Whether all members were read where they are the same by their engine's own count."""
    return len({one.position for one in found.values()} - {""}) == 1 and all(
        one.position for one in found.values()
    )


def is_different(
    name: str, engine: Engine, before: Mapping[str, Checked], now: Mapping[str, Checked]
) -> bool:
    """Whether members that have a table differently will not come to have it the same.

    Args:
        before: what they said in an earlier round.
        now: in the last.
    """
    if is_of_one_position(now):
        return True
    was, has = by_table(before).get(name, {}), by_table(now).get(name, {})
    is_still = was.keys() == has.keys() and all(
        contents(was[one]) == contents(has[one]) and len(contents(has[one])) == 1 for one in has
    )
    # One that lags has nothing move either: all have to have come to where the first was when this began.
    wanted = max(reach(engine, one.reached) for one in before.values())
    return is_still and NOTHING < wanted <= min(reach(engine, one.reached) for one in now.values())


def reach(engine: Engine, position: str) -> int:
    """Return how far in its history a position is; -1 for one that tells nothing."""
    return how_far(engine, position if engine == "galera" else f"0/{position}")[1]


# Files -------------------------------------------------------------------------------------------


def groups_unlike(found: Mapping[str, FilesChecked]) -> dict[str, tuple[int, ...]]:
    """Return the groups of each directory whose sums differ."""
    sums = [{one.path: one.sums for one in checked.directories} for checked in found.values()]
    unlike: dict[str, tuple[int, ...]] = {}
    for path in sorted({path for one in sums for path in one}):
        columns = zip(*(one.get(path, ()) for one in sums), strict=False)
        unlike[path] = tuple(number for number, column in enumerate(columns) if len(set(column)) > 1)
    return {path: groups for path, groups in unlike.items() if groups}


def names_unlike(found: Mapping[str, FilesChecked]) -> tuple[str, ...]:
    """Return the names whose content differs, of those that were told."""
    entries: list[set[str]] = [
        {entry for one in checked.directories for entry in one.entries} for checked in found.values()
    ]
    differing = {one for each in entries for one in each if not all(one in other for other in entries)}
    return tuple(sorted({one.partition(" ")[2] for one in differing}))


def not_whole(found: Mapping[str, FilesChecked]) -> tuple[str, ...]:
    """Return what of directories was not read, a sentence each."""
    return tuple(
        f"{one.path}: {member} has more than the {one.files:,} files that were read"
        for member, checked in found.items()
        for one in checked.directories
        if not one.is_whole
    )


def some_names(path: str, names: Sequence[str]) -> str:
    """Return a sentence about names in a directory that members have differently."""
    more = len(names) - TOLD_NAMES
    return (
        f"{path}: {', '.join(names[:TOLD_NAMES])}{f' and {more} more' if more > 0 else ''} are not the same"
    )


def first_of(found: Mapping[str, FilesChecked]) -> tuple[DirectorySum, ...]:
    """Return the directories as the first member has them."""
    return next(iter(found.values())).directories if found else ()
