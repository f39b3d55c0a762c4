"""Turn an instance off and, above all, on again.

Both are level-triggered: look at the state, do the next thing towards the wanted one, look again.
So they may begin in any state, may be repeated, and may be interrupted anywhere.
"""

from __future__ import annotations

from nospof.errors import CloudError, NotFound, ProcedureFailed, UnknownOutcome
from nospof.model.cloud import Instance
from nospof.ports.world import World
from nospof.procedures.waiting import TimedOut, wait_for

STOP_SECONDS = 600.0
START_SECONDS = 1800.0
STARTS_THAT_FELL_BACK = 3
"""EC2 accepts a start and then gives up (a volume's key is unusable, say): pending, then stopped."""

LAG_SECONDS = 10.0
"""A read may still say "stopped" for some seconds after a start was accepted."""

ROOM_SECONDS = 60.0
"""How long one type is asked for before another one is."""
ROOM_POLL_SECONDS = 5.0
NO_ROOM = frozenset({"InsufficientHostCapacity", "InsufficientInstanceCapacity", "Unsupported"})
"""Another zone or type may have room. A quota (VcpuLimitExceeded) is the same everywhere (C35)."""

GONE = frozenset({"shutting-down", "terminated"})


class NoRoom(TimedOut):
    """It could not be started in time, for there is no room for it."""


def stop(world: World, instance_id: str) -> Instance:
    """Stop an instance and return it stopped.

    Raises:
        TimedOut: it is still not stopped after 10 minutes.
        ProcedureFailed: it was terminated.
    """

    def look() -> Instance:
        instance = world.cloud.instance(instance_id)
        if instance.state == "running":
            _ask_to_stop(world, instance_id)
        return instance

    def is_stopped(instance: Instance) -> bool:
        refuse_gone(instance)
        return instance.state == "stopped"

    return wait_for(
        world,
        f"{instance_id} to stop",
        look,
        is_stopped,
        within_seconds=STOP_SECONDS,
        says=state_of,
        is_off=True,
    )


def bring_back(
    world: World, instance_id: str, within_seconds: float = START_SECONDS, types: tuple[str, ...] = ()
) -> Instance:
    """Bring an instance to "running" from whatever state it is in, and return it.

    A refusal is not the end, whatever its reason: no capacity (C11), a quota, a permission somebody took
    away for a moment. It is asked for again until the bound, and said meanwhile.

    Args:
        types: what it may be started as, its own first: where there is no room for one for a minute, the
            next is tried, round and round. Empty for its own alone.

    Raises:
        NoRoom: it is not running within the bound, and the last start was refused for want of room.
        TimedOut: likewise, for another reason; says why the start was refused last.
        ProcedureFailed: it was terminated, or a start fell back to stopped three times.
        NotFound: the cloud does not know it.
    """
    starting = _Starting(world, instance_id, types)

    def is_running(instance: Instance) -> bool:
        refuse_gone(instance)
        return instance.state == "running"

    try:
        return wait_for(
            world,
            f"{instance_id} to run",
            starting.look,
            is_running,
            within_seconds=within_seconds,
            says=starting.says,
            is_off=True,
        )
    except TimedOut as error:
        if starting.refused in NO_ROOM:
            raise NoRoom(str(error)) from error
        raise


class _Starting:
    """An instance that is looked at and, whenever it is stopped, asked to start."""

    def __init__(self, world: World, instance_id: str, types: tuple[str, ...]) -> None:
        self._world, self._id, self._types = world, instance_id, types
        self._starts, self._next_start = 0, 0.0
        self._short_since: float | None = None
        self._turn = 0
        self.refused = ""

    def look(self) -> Instance:
        """Look at it, and do the next thing towards "running"."""
        instance = self._world.cloud.instance(self._id)
        if instance.state != "stopped":
            self._next_start, self.refused = 0.0, ""
        elif self._world.clock.now() >= self._next_start:
            self._start(instance)
        return instance

    def says(self, instance: Instance) -> str:
        """Return the state in words, with why it is not started, and what is tried instead when."""
        if not self.refused:
            return state_of(instance)
        instead = ""
        if self._short_since is not None and len(self._types) > 1:
            left = self._short_since + ROOM_SECONDS - self._world.clock.now()
            instead = f"; as a {self._types[self._turn_after(instance.type)]} in {max(left, 0):.0f} s"
        return f"{state_of(instance)}, and its start is refused: {self.refused}{instead}"

    def _start(self, instance: Instance) -> None:
        if self._starts >= STARTS_THAT_FELL_BACK:
            raise ProcedureFailed(
                f"{self._id} was started {self._starts} times and fell back to stopped each time: "
                f"{instance.state_reason or 'the cloud gives no reason'}. Look at the keys of its "
                f"volumes and at its console output; then: aws ec2 start-instances --instance-ids "
                f"{self._id}"
            )
        now = self._world.clock.now()
        try:
            self._world.cloud.start_instance(self._id)
        except CloudError as error:
            is_short = error.code in NO_ROOM and not isinstance(error, UnknownOutcome)
            if not is_short and (error.retryable or isinstance(error, NotFound | UnknownOutcome)):
                raise
            self.refused = error.code or str(error)
            if is_short:
                self._find_room(instance, now)
        else:
            self._starts, self._next_start, self.refused = self._starts + 1, now + LAG_SECONDS, ""
            self._short_since = None

    def _find_room(self, instance: Instance, now: float) -> None:
        """Ask less often and, after a while, for another type."""
        if self._short_since is None:
            self._short_since = now
        self._next_start = now + ROOM_POLL_SECONDS
        if len(self._types) < 2 or now - self._short_since < ROOM_SECONDS:
            return
        self._turn = self._turn_after(instance.type)
        kind = self._types[self._turn]
        self._world.reporter.warn(f"no room for {self._id} as a {instance.type}: making it a {kind}")
        try:
            self._world.cloud.change_type(self._id, kind)
        except CloudError as error:
            if error.retryable or isinstance(error, NotFound | UnknownOutcome):
                raise
            self._world.reporter.warn(f"{self._id} cannot be a {kind} now: {error}")
        self._short_since, self._next_start = None, 0.0

    def _turn_after(self, own: str) -> int:
        """Return which type is next, round and round; one that was refused has had its turn."""
        turns = ((self._turn + ahead) % len(self._types) for ahead in range(1, len(self._types) + 1))
        return next(turn for turn in turns if self._types[turn] != own)


def _ask_to_stop(world: World, instance_id: str) -> None:
    """Ask for a stop; a state that has changed since the look is no refusal."""
    try:
        world.cloud.stop_instance(instance_id)
    except CloudError as error:
        if error.code != "IncorrectInstanceState":
            raise


def refuse_gone(instance: Instance) -> None:
    """Raise when the instance can never come back."""
    if instance.state in GONE:
        raise ProcedureFailed(
            f"{instance.id} is {instance.state}: somebody terminated it during the run "
            f"({instance.state_reason or 'the cloud gives no reason'})"
        )


def state_of(instance: Instance) -> str:
    """Return the state in words, with the cloud's reason where it gives one."""
    return f"{instance.state} ({instance.state_reason})" if instance.state_reason else instance.state
