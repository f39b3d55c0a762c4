"""Whether the members of a service have the same: their tables, and the files that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from nospof.errors import PreconditionFailed
from nospof.model.layout import Checked, Layout
from nospof.model.results import DataCheck
from nospof.model.sharing import FilesChecked, Sharing
from nospof.planning.comparison import (
    by_table,
    first_of,
    groups_unlike,
    is_different,
    is_of_one_position,
    names_unlike,
    not_whole,
    some_names,
    told,
    unlike,
)
from nospof.planning.files import files_out_of_step
from nospof.planning.mounting import not_mounted
from nospof.ports.world import World
from nospof.procedures.data import databases_of
from nospof.procedures.files import files_of, sharing_carried, states_of
from nospof.procedures.mounting import mounting_members, mounts_now
from nospof.services.data import layout_of, sharers_of

READS = 3
"""What is not seen to be the same is read again, so often."""
TABLES_AT_ONCE = 8
"""An answer has room for what so many tables held over a while."""
TABLES_AGAIN = 40
"""A member reads no more tables again: it is in use."""
GROUPS_AT_ONCE = 8
GROUPS_AGAIN = 32
SETTLE_SECONDS = 2.0
"""A file that was written is with the other member about a second later."""

T = TypeVar("T", Checked, FilesChecked)
Item = TypeVar("Item")


@dataclass
class Compared:
    """What came of a comparison, a sentence each."""

    different: list[str] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)


def data_check(world: World, service: str) -> DataCheck:
    """Return whether all members have the same rows and files. Reads all of them, and changes nothing.

    Raises:
        UsageError: nospof keeps no data of it.
        PreconditionFailed: a member could not be read.
    """
    sharers, mounting = sharers_of(world, service), mounting_members(world, service)
    layout = layout_of(world, service, (*sharers, *mounting))
    sharing = sharing_carried(world, sharers) if sharers else None
    found: dict[str, Checked] = {}
    in_files: dict[str, FilesChecked] = {}
    compared = Compared()
    if mounting:
        compared.different += not_mounted(mounts_now(world, mounting))
    if layout:
        found = tables_of(world, layout, ())
        compare_tables(world, layout, found, compared)
    if sharing:
        in_files = sums_of(world, sharing)
        compare_files(world, sharing, in_files, compared)
    first = next(iter(found.values())).tables if found else ()
    return DataCheck(
        service=service,
        members=tuple(found or in_files or [one.id for one in mounting]),
        tables=len(first),
        rows=sum(one.rows for one in first),
        different=tuple(compared.different),
        not_compared=tuple(compared.not_compared),
        files=sum(one.files for one in first_of(in_files)),
        files_in_part=sum(one.in_part for one in first_of(in_files)),
    )


def asked(world: World, ids: Sequence[str], ask: Callable[[str], T], what: str) -> dict[str, T]:
    """Return what each member answers, asked at once. Raises PreconditionFailed: one of them did not."""
    found = dict(zip(ids, databases_of(world).several(ask, ids), strict=True))
    if wrong := [f"{one}: {answer.problem}" for one, answer in found.items() if answer.problem]:
        raise PreconditionFailed(f"the {what} could not be read: {'; '.join(wrong)}. Nothing was changed.")
    return found


def some_of(all_of: Sequence[Item], count: int) -> Iterator[Sequence[Item]]:
    """Yield a sequence in parts."""
    for begin in range(0, len(all_of), count):
        yield all_of[begin : begin + count]


# Tables ------------------------------------------------------------------------------------------


def tables_of(world: World, layout: Layout, tables: Sequence[str]) -> dict[str, Checked]:
    """Return what tables hold on each member; all of them where none is named."""
    members = [seat.instance_id for seat in layout.members]
    return asked(world, members, lambda one: databases_of(world).check(one, tables), "tables")


def compare_tables(world: World, layout: Layout, found: dict[str, Checked], compared: Compared) -> None:
    """Add what members have differently: what they were not seen to have the same of is read again."""
    left = unlike(found)
    if is_of_one_position(found):
        compared.different += [told(name, found) for name in left]
        return
    if beyond := left[TABLES_AGAIN:]:
        compared.not_compared.append(f"{len(beyond)} tables of which more was written than is read again")
    left = left[:TABLES_AGAIN]
    before = now = dict.fromkeys(left, found)
    for _ in range(READS):
        before, now = now, {}
        for names in some_of(left, TABLES_AT_ONCE):
            again = tables_of(world, layout, names)
            now |= dict.fromkeys(unlike(again), again)
        left = tuple(now)
        if not left:
            return
    for name, last in now.items():
        says = told(name, last)
        if is_different(name, layout.engine, before.get(name, found), last):
            compared.different.append(says)
        elif name in by_table(last):
            compared.not_compared.append(f"{says}; it was written to each time it was read")


# Files -------------------------------------------------------------------------------------------


def sums_of(world: World, sharing: Sharing) -> dict[str, FilesChecked]:
    """Return the sums of the shared directories of each member."""
    return asked(world, ids_of(sharing), lambda one: files_of(world).check(one), "files")


def ids_of(sharing: Sharing) -> list[str]:
    """Return the ids of who shares."""
    return [one.instance_id for one in sharing.members]


def compare_files(world: World, sharing: Sharing, found: dict[str, FilesChecked], compared: Compared) -> None:
    """Add the names whose content members have differently."""
    compared.not_compared += not_whole(found)
    for path, groups in groups_unlike(found).items():
        names: list[str] = []
        for some in some_of(groups[:GROUPS_AGAIN], GROUPS_AT_ONCE):
            names += names_apart(world, sharing, path, some)
        says = some_names(path, names)
        wrong = files_out_of_step(states_of(world, sharing)) if names else ()
        if names and wrong:
            compared.not_compared.append(f"{says}; on the way: {'; '.join(wrong)}")
        elif names:
            compared.different.append(says)
        if beyond := groups[GROUPS_AGAIN:]:
            compared.not_compared.append(f"{path}: {len(beyond)} more of its groups of names differ")


def names_apart(world: World, sharing: Sharing, path: str, groups: Sequence[int]) -> tuple[str, ...]:
    """Return the names in groups whose content stays different for some seconds."""
    names: tuple[str, ...] = ()
    for _ in range(READS):
        world.clock.sleep(SETTLE_SECONDS)
        again = asked(world, ids_of(sharing), lambda one: files_of(world).check(one, path, groups), "files")
        names = names_unlike(again)
        if not names:
            break
    return names
