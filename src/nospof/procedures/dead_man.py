"""The dead man: AWS itself starts the instance later, unless somebody moves that ahead or takes it back.

The guarantee on the instance says that there is such a start, so the two are made and released together
(`guarantee.promise`, `guarantee.release`). A start that comes too early is harmless: an image of a source
that somebody started is refused. One of an instance that runs changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

from nospof.errors import CloudError, NotFound, UnknownOutcome
from nospof.model.starts import DeadMan, ScheduledStart, Starter
from nospof.planning.dead_man import ROLE, start_name
from nospof.ports.world import Clock, World

AGAIN_SECONDS = 10.0


def starter_asked_for(world: World, seconds: int, role: str) -> Starter | None:
    """Return the role as which the cloud would start an instance, where that is asked for.

    Args:
        seconds: after which it would; 0 for never.
        role: its name or its ARN; empty for the usual one.
    """
    if not seconds:
        return None
    name = (role or ROLE).rpartition("/")[2]
    try:
        found = world.cloud.role(name)
    except NotFound:
        return Starter(role if ":" in role else f"role/{name}", is_there=False)
    except CloudError as error:
        return Starter(arn_of(world, role or ROLE), unread=f"{error.operation} failed, {error.code or error}")
    return Starter(found.arn, found.trusts)


def arn_of(world: World, role: str) -> str:
    """Return the ARN of a role that nobody here may look at."""
    if ":" in role:
        return role
    identity = world.cloud.identity()
    return f"arn:{identity.arn.split(':')[1]}:iam::{identity.account}:role/{role}"


def schedule_start(world: World, instance_id: str, run_id: str, dead_man: DeadMan) -> None:
    """Have the cloud start the instance that much later. Safe to repeat; a repeat moves it ahead."""
    at = world.clock.now() + dead_man.seconds
    start = ScheduledStart(start_name(run_id), instance_id, at, dead_man.role_arn)
    try:
        world.cloud.schedule_start(start)
    except UnknownOutcome:
        world.cloud.schedule_start(start)


def kept_ahead(world: World, instance_id: str, run_id: str, dead_man: DeadMan | None) -> World:
    """Return a world whose every wait, once half of the time is over, moves the cloud's start ahead.

    What takes longer than it was given is then not started in the middle, as long as we live.
    """
    if dead_man is None:
        return world
    return replace(world, clock=Watched(world, instance_id, run_id, dead_man))


class Watched:
    """A clock that keeps the cloud's start ahead while it is slept on."""

    def __init__(self, world: World, instance_id: str, run_id: str, dead_man: DeadMan) -> None:
        self._world, self._instance_id, self._run_id, self._dead_man = world, instance_id, run_id, dead_man
        self._clock: Clock = world.clock
        self._due = self._clock.now() + dead_man.seconds / 2

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """Wait; a move that fails is tried again, and keeps nobody from bringing the instance back."""
        self._clock.sleep(seconds)
        if self.now() < self._due:
            return
        try:
            schedule_start(self._world, self._instance_id, self._run_id, self._dead_man)
        except CloudError as error:
            self._world.reporter.progress(f"AWS's own start of {self._instance_id} was not moved: {error}")
            self._due = self.now() + AGAIN_SECONDS
        else:
            self._due = self.now() + self._dead_man.seconds / 2
