"""Decide how members that lost each other come together again, so that nothing acknowledged is given up.

Pure. Where somebody serves, the others join that one. Where nobody does, the one that has the most begins,
and only where all were asked: one that was not may have more (C83).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nospof.errors import PreconditionFailed
from nospof.model.layout import Engine, Layout, MemberState, Seat

NOTHING = -1


@dataclass(frozen=True)
class Holding:
    """What a machine with a vote is, and how far its data is where it is not running; empty for not known."""

    seat: Seat
    state: MemberState
    position: str = ""


@dataclass(frozen=True)
class Rejoining:
    """Who begins as the first, empty where somebody serves already, and who joins then, in this order."""

    first: str
    joining: tuple[str, ...]


def plan_rejoin(layout: Layout, holdings: Sequence[Holding], begin: str = "") -> Rejoining:
    """Return how the members come together.

    Args:
        layout: who keeps the data.
        holdings: what each has.
        begin: who begins, by the owner's word, whatever the others may have.

    Raises:
        PreconditionFailed: two take writes, or it is not known who has the most.
    """
    keepers = [one for one in holdings if one.seat in layout.members]
    serving = [one.seat.instance_id for one in keepers if one.state.role == "primary"]
    if len(serving) > 1:
        raise PreconditionFailed(
            f"{' and '.join(serving)} both take writes, so each has something that the other has not. Decide "
            "whose is kept, have the other's database stopped, and rejoin again. Nothing was changed."
        )
    if begin and serving:
        raise PreconditionFailed(
            f"{serving[0]} takes writes, so nobody has to begin and the others join it: leave --begin out. "
            "Nothing was changed."
        )
    if begin and begin not in {one.seat.instance_id for one in keepers}:
        raise PreconditionFailed(
            f"{begin} keeps no data of {layout.cluster}; those who do: "
            f"{', '.join(one.seat.instance_id for one in keepers)}. Nothing was changed."
        )
    first = "" if serving else begin or who_has_the_most(layout, keepers)
    out = [
        one
        for one in (*(h for h in holdings if h not in keepers), *keepers)
        if not one.state.ready and one.seat.instance_id != first
    ]
    return Rejoining(first, tuple(one.seat.instance_id for one in out))


def who_has_the_most(layout: Layout, keepers: Sequence[Holding]) -> str:
    """Return the member that has all that any of them has.

    Raises:
        PreconditionFailed: one could not be asked, or they are of different histories.
    """
    silent = [one.seat.instance_id for one in keepers if how_far(layout.engine, one.position)[1] == NOTHING]
    known = ", ".join(f"{one.seat.instance_id} has {one.position or 'not told'}" for one in keepers)
    if silent:
        others = [one.seat.instance_id for one in keepers if one.seat.instance_id not in silent]
        way = f" To begin without it, and give up what only it has: --begin {others[0]}." if others else ""
        raise PreconditionFailed(
            f"nobody takes writes, and how far the data of {' and '.join(silent)} is could not be read: it "
            f"may have more than the others ({known}). Bring it up and try again.{way} Nothing was changed."
        )
    histories = {how_far(layout.engine, one.position)[0] for one in keepers}
    if layout.engine == "galera" and len(histories) > 1:
        raise PreconditionFailed(
            f"the members are of different histories ({known}), so none has all of it. Decide whose is kept: "
            "--begin INSTANCE. Nothing was changed."
        )
    return max(keepers, key=lambda one: how_far(layout.engine, one.position)).seat.instance_id


def how_far(engine: Engine, position: str) -> tuple[str, int]:
    """Return the history and how far in it a position is; -1 for a position that tells nothing.

    Args:
        engine: Galera's are `uuid:seqno`, Patroni's `timeline/LSN`, the LSN as `16/B374D848`.
        position: as the member told it.
    """
    try:
        if engine == "galera":
            uuid, _, seqno = position.rpartition(":")
            return uuid, max(int(seqno), NOTHING)
        timeline, _, lsn = position.partition("/")
        high, _, low = lsn.partition("/")
        return f"{int(timeline):010}", (int(high, 16) << 32) + int(low, 16)
    except ValueError:
        return "", NOTHING
