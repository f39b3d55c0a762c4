"""A start that the cloud makes by itself, once, at a time: for when nobody else is left to make it."""

from __future__ import annotations

from dataclasses import dataclass

SCHEDULER = "scheduler.amazonaws.com"
"""Amazon EventBridge Scheduler, as roles name those who may take them."""


@dataclass(frozen=True)
class Role:
    """A role of IAM, and the services that its trust policy lets take it."""

    arn: str
    trusts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Starter:
    """The role as which the cloud would start an instance, as it was found; `unread` says why it was not."""

    arn: str
    trusts: tuple[str, ...] = ()
    is_there: bool = True
    unread: str = ""


@dataclass(frozen=True)
class DeadMan:
    """What a run asks the cloud for: to start the instance that much later, as this role."""

    seconds: int
    role_arn: str


@dataclass(frozen=True)
class ScheduledStart:
    """One start that the cloud makes.

    Args:
        name: its identity; carries the run.
        instance_id: the instance to start.
        at: when, seconds since the epoch; AWS keeps it to the minute.
        role_arn: as whom.
    """

    name: str
    instance_id: str
    at: float
    role_arn: str
