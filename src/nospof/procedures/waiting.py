"""Wait for the world to reach a state, and never take an error for one.

Polls every `World.poll_seconds`: boto3's own waiters ask every 15 s, which alone would add seconds
to every minute a service is off. What keeps a service off is asked for more often at first, so that no
more than a fiftieth of the wait, or a quarter of a poll, is added to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nospof.errors import CloudError, NospofError, UnknownOutcome
from nospof.ports.world import World

T = TypeVar("T")

FIRST_SHARE = 0.25
LATE_SHARE = 0.02


class TimedOut(NospofError):
    """The state was not reached in time; the message says what was seen last."""


def wait_for(
    world: World,
    what: str,
    look: Callable[[], T],
    is_reached: Callable[[T], bool],
    *,
    within_seconds: float,
    says: Callable[[T], str] = str,
    is_off: bool = False,
) -> T:
    """Look until the state is reached, and return what was seen then.

    Args:
        what: what is waited for, as a phrase: "i-0ab to be stopped".
        look: reads the world; a retryable `CloudError` from it means "unknown", and it is asked again.
        is_reached: whether this is it. It may raise to end the wait: the state can no longer come.
        within_seconds: the bound.
        says: what was seen, in words, for progress and for the error.
        is_off: whether a service is off meanwhile.

    Raises:
        TimedOut: the bound was reached.
        CloudError: the cloud refused in a way that asking again does not mend.
    """
    began = world.clock.now()
    deadline = began + within_seconds
    seen = "nothing yet"
    while True:
        try:
            value = look()
        except CloudError as error:
            if not error.retryable:
                raise
            seen = f"no answer ({error.code or error})"
        else:
            if is_reached(value):
                return value
            seen = says(value)
            world.reporter.progress(f"waiting for {what}: {seen}")
        if world.clock.now() >= deadline:
            raise TimedOut(f"waited {within_seconds:.0f} s for {what}; last seen: {seen}")
        late = max(world.poll_seconds * FIRST_SHARE, LATE_SHARE * (world.clock.now() - began))
        world.clock.sleep(min(world.poll_seconds, late) if is_off else world.poll_seconds)


def ask(write: Callable[[], object]) -> None:
    """Make a write whose effect is then waited for, so that a lost answer needs no answer.

    Raises:
        CloudError: the cloud refused it and asking again would not help.
    """
    try:
        write()
    except UnknownOutcome:
        return
    except CloudError as error:
        if not error.retryable:
            raise
