"""Turn an instance off and, above all, on again.

Both are level-triggered: look at the state, do the next thing towards the wanted one, look again.
So they may begin in any state, may be repeated, and may be interrupted anywhere.
"""

from __future__ import annotations

from nospof.errors import CloudError, NotFound, ProcedureFailed, UnknownOutcome
from nospof.model.cloud import Instance
from nospof.ports.world import World
from nospof.procedures.waiting import wait_for

STOP_SECONDS = 600.0
START_SECONDS = 1800.0
STARTS_THAT_FELL_BACK = 3
"""EC2 accepts a start and then gives up (a volume's key is unusable, say): pending, then stopped."""

LAG_SECONDS = 10.0
"""A read may still say "stopped" for some seconds after a start was accepted."""

GONE = frozenset({"shutting-down", "terminated"})


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


def bring_back(world: World, instance_id: str, within_seconds: float = START_SECONDS) -> Instance:
    """Bring an instance to "running" from whatever state it is in, and return it.

    A refusal is not the end, whatever its reason: no capacity (C11), a quota, a permission somebody took
    away for a moment. It is asked for again until the bound, and said meanwhile.

    Raises:
        TimedOut: it is not running within the bound; says why the start was refused last.
        ProcedureFailed: it was terminated, or a start fell back to stopped three times.
        NotFound: the cloud does not know it.
    """
    starts, started_at, refused = 0, -LAG_SECONDS, ""

    def look() -> Instance:
        nonlocal starts, started_at, refused
        instance = world.cloud.instance(instance_id)
        if instance.state != "stopped":
            started_at, refused = -LAG_SECONDS, ""
        elif world.clock.now() >= started_at + LAG_SECONDS:
            if starts >= STARTS_THAT_FELL_BACK:
                raise ProcedureFailed(
                    f"{instance_id} was started {starts} times and fell back to stopped each time: "
                    f"{instance.state_reason or 'the cloud gives no reason'}. Look at the keys of its "
                    f"volumes and at its console output; then: aws ec2 start-instances --instance-ids "
                    f"{instance_id}"
                )
            try:
                world.cloud.start_instance(instance_id)
            except CloudError as error:
                if error.retryable or isinstance(error, NotFound | UnknownOutcome):
                    raise
                refused = error.code or str(error)
            else:
                starts, started_at, refused = starts + 1, world.clock.now(), ""
        return instance

    def is_running(instance: Instance) -> bool:
        refuse_gone(instance)
        return instance.state == "running"

    def says(instance: Instance) -> str:
        return state_of(instance) + (f", and its start is refused: {refused}" if refused else "")

    return wait_for(
        world,
        f"{instance_id} to run",
        look,
        is_running,
        within_seconds=within_seconds,
        says=says,
        is_off=True,
    )


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
