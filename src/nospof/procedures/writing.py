"""Writes made while something breaks, and read back from everywhere once it is whole again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from nospof.errors import NospofError, PreconditionFailed
from nospof.model.cloud import Target, TargetGroup
from nospof.model.drill import LoadSpec, Objective
from nospof.model.writes import ReadBack, WriteSpec, WriteVerdict, WriteWish
from nospof.planning.verdict import judge_writes, ledger_of
from nospof.ports.load import LoadRun
from nospof.ports.world import World

READABLE_SECONDS = 60.0
"""So long a page may fail to be read before it counts as not read."""
FIRST = 3
"""So many writes are looked for, where each has a page of its own, to see whether they can be read."""
TAKEN_SECONDS = 120.0
"""So long writes go on at most while none is taken."""
SETTLE_SECONDS = 10.0
"""So long something may be missing, of what is copied from member to member, before it is lost."""


@dataclass(frozen=True)
class Place:
    """Where what was written is read.

    Args:
        name: what it is called in a verdict.
        url: everything before the path.
        verify: whether its certificate must be trusted.
    """

    name: str
    url: str
    verify: bool = True


@dataclass(frozen=True)
class Writing:
    """One kind of write under way."""

    wish: WriteWish
    spec: LoadSpec
    run: LoadRun

    def first(self, count: int) -> tuple[str, ...]:
        """Return the ids of the first writes: as many as that, but no more than a few."""
        writes = self.spec.writes
        return tuple(writes.id_of(number) for number in range(min(count, FIRST))) if writes else ()


@contextmanager
def writing(
    world: World, url: str, wishes: Sequence[WriteWish], *, seconds: float, host: str = ""
) -> Iterator[tuple[Writing, ...]]:
    """Make the writes asked for, on schedule, until the block is left.

    Args:
        url: the service, everything before the path.
        wishes: the kinds of write.
        seconds: how long writes may fall due at most.
        host: what clients call the service, where that is not in the URL.
    """
    with ExitStack() as stack:
        begun = []
        for number, wish in enumerate(wishes):
            # Ids of an earlier attempt are there already: they must not be taken for this one's.
            prefix = f"nospof-{int(world.clock.now() * 1000)}-{number}"
            spec = LoadSpec(
                url + wish.path,
                wish.rate_per_second,
                seconds,
                method=wish.method,
                host=host,
                writes=WriteSpec(prefix, wish.body, wish.content_type, wish.acknowledged, wish.encoding),
            )
            begun.append(Writing(wish, spec, stack.enter_context(world.load.start(spec))))
        yield tuple(begun)


def refuse_unless_taken(world: World, written: Sequence[Writing], entry: str) -> None:
    """Refuse to go on when writes are not taken, or not listed, while nothing is broken yet.

    Raises:
        PreconditionFailed: what was written would prove nothing.
    """
    for one in written:
        so_far = one.run.snapshot()
        if so_far.failed or not so_far.served:
            raise PreconditionFailed(
                f"of {so_far.due} writes to {one.spec.url} {so_far.failed} failed and {so_far.served} were "
                "answered well before anything was broken, so they would prove nothing: see what it takes"
            )
        url = entry + one.wish.listed_at
        if not world.load.read_back(one.spec, url, one.first(so_far.served)):
            raise PreconditionFailed(
                f"{url} lists none of the {so_far.served} writes that {one.spec.url} answered well: "
                "name a page that lists the id of each, or with {id} in it the page that is each"
            )


def wait_until_taken(world: World, written: Sequence[Writing]) -> None:
    """Wait until writes are taken again, so that the whole of the stall is seen; not for ever.

    A database may go on being without a writer after the page its balancer asks for is back.
    """
    deadline = world.clock.now() + TAKEN_SECONDS
    for one in written:
        before = one.run.snapshot().served
        while (seen := one.run.snapshot()).served <= before and world.clock.now() < deadline:
            world.reporter.progress(f"waiting for writes to be taken again: {seen.failed} failed so far")
            world.clock.sleep(world.poll_seconds)


def verdicts_on(
    world: World, written: Sequence[Writing], places: Sequence[Place], objective: Objective
) -> tuple[WriteVerdict, ...]:
    """Let no more writes fall due, read all of them back, and judge each kind.

    Args:
        written: the kinds of write, under way.
        places: where they are read; what clients read first.
        objective: what is demanded of them.
    """
    for one in written:
        one.run.stop()
    verdicts = []
    for one in written:
        ledger = ledger_of(one.run.finish())
        world.reporter.progress(f"reading back {len(ledger.acknowledged)} acknowledged writes")
        found = [read(world, one, place, ledger.acknowledged) for place in places]
        verdicts.append(replace(judge_writes(ledger, found, objective), what=one.wish.path))
    return tuple(verdicts)


def read(world: World, writing: Writing, place: Place, wanted: frozenset[str]) -> ReadBack:
    """Read one place until everything wanted is there, it stays away, or nothing can be read."""
    url = place.url + writing.wish.listed_at
    began = world.clock.now()
    settled = began + SETTLE_SECONDS
    while True:
        try:
            found = ReadBack(place.name, world.load.read_back(writing.spec, url, wanted, verify=place.verify))
            is_over = wanted.issubset(found.ids) or world.clock.now() >= settled
        except NospofError as error:
            found = ReadBack(place.name, (), str(error))
            # What cannot be read yet has no time to settle behind it either.
            settled = world.clock.now() + SETTLE_SECONDS
            is_over = world.clock.now() - began >= READABLE_SECONDS
        if is_over:
            return found
        world.clock.sleep(world.poll_seconds)


def places_of(world: World, entry: str, group: TargetGroup, targets: Sequence[Target]) -> tuple[Place, ...]:
    """Return where clients read, and each member on its own."""
    members = []
    for target in sorted(targets, key=lambda target: (target.instance_id, target.port)):
        is_address = group.target_type == "ip"
        address = target.instance_id if is_address else world.cloud.instance(target.instance_id).private_ip
        url = f"{group.protocol.lower()}://{address}:{target.port}"
        members.append(Place(target.instance_id, url, verify=False))
    return (Place("the service", entry), *members)
