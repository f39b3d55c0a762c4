"""Change names and wait until every client has the change.

Route 53 has no tokens. A change deletes exactly what was there before and creates what is to be there, in
one batch: it is safe to repeat, its lost answer is resolved by reading, and it never overwrites what
somebody else made of the name meanwhile.
"""

from __future__ import annotations

from nospof.errors import CloudError, NospofError, NotFound, ProcedureFailed, UnknownOutcome
from nospof.model.cutting_over import Change, Move
from nospof.model.names import Records, says_of
from nospof.planning.moving import PROPAGATION_SECONDS
from nospof.ports.world import World
from nospof.procedures.waiting import wait_for

SETTLE_SECONDS = 30.0
"""How long what is read may lag behind what was written."""
IN_SYNC_SECONDS = 600.0
REFUSED = "InvalidChangeBatch"


def records_at(world: World, zone_id: str, name: str) -> Records:
    """Return the record sets with a name's IPv4 addresses."""
    return tuple(one for one in world.cloud.record_sets(zone_id, name) if one.type == "A")


def swap(world: World, zone_id: str, before: Records, after: Records) -> Change:
    """Put record sets in the place of others, where exactly those stand.

    Raises:
        ProcedureFailed: something else stands there: somebody else changed it.
        CloudError: the cloud refuses it and asking again would not help.
    """
    name = before[0].name
    ends = world.clock.now() + SETTLE_SECONDS
    while True:
        is_over = world.clock.now() >= ends
        says = "it could not be read"
        try:
            there = records_at(world, zone_id, name)
            if there == after:
                return Change("", world.clock.now())
            says = f"it is {says_of(there)}"
            if there == before:
                return Change(world.cloud.replace_records(zone_id, before, after), world.clock.now())
        except UnknownOutcome:
            pass  # What stands there tells.
        except CloudError as error:
            if is_over or not (error.retryable or error.code == REFUSED):
                raise
        if is_over:
            raise ProcedureFailed(
                f"{name} is not changed: {says}, neither what it was ({says_of(before)}) nor what it was to "
                f"become ({says_of(after)}). Somebody else changes it; agree with them, then resume, or undo"
            )
        world.clock.sleep(world.poll_seconds)


def put_back(world: World, backs: tuple[tuple[Move, Records], ...]) -> tuple[Change, ...]:
    """Give every name the record it had; one that cannot have it keeps no other from it.

    Args:
        backs: how each name moved, and what stands there now.

    Raises:
        ProcedureFailed: some could not be put back; the others were.
    """
    changes, wrong = [], []
    for move, there in backs:
        try:
            changes.append(swap(world, move.zone_id, there, move.before))
        except NospofError as error:
            wrong.append(str(error))
    if wrong:
        raise ProcedureFailed("; ".join(wrong))
    return tuple(changes)


def wait_everywhere(world: World, changes: tuple[Change, ...]) -> float:
    """Wait until all of Route 53's servers answer as changes say; return when."""
    for change in changes:
        if not (change.id and is_told(world, change.id)):
            sleep_until(world, change.at + PROPAGATION_SECONDS, "the change to be answered everywhere")
    return world.clock.now()


def is_told(world: World, change_id: str) -> bool:
    """Wait until a change is answered everywhere; return False where Route 53 no longer knows it."""
    try:
        return wait_for(
            world,
            "the change to be answered everywhere",
            lambda: world.cloud.is_in_sync(change_id),
            bool,
            within_seconds=IN_SYNC_SECONDS,
            says=lambda _: "pending",
        )
    except NotFound:
        return False


def wait_forgotten(world: World, since: float, seconds: int) -> float:
    """Wait until no client remembers what was answered before a moment; return when."""
    sleep_until(world, since + seconds, f"clients to forget what they remember for {seconds} s")
    return world.clock.now()


def sleep_until(world: World, until: float, what: str) -> None:
    """Sleep until a moment, and say meanwhile what for."""
    while (left := until - world.clock.now()) > 0:
        world.reporter.progress(f"waiting for {what}: {left:.0f} s left")
        world.clock.sleep(min(left, 5.0))
