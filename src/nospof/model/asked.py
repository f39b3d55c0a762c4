"""Work that somebody asked for from afar: accepted first, then done by a process of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

AskedAct = Literal["begin", "resume"]
Role = Literal["viewer", "operator"]
ROLES: tuple[Role, ...] = ("viewer", "operator")


@dataclass(frozen=True)
class Caller:
    """Who asks: by which token, from which address."""

    role: Role
    address: str = ""


@dataclass(frozen=True)
class AskedRun:
    """A run that is to be begun, or taken up again.

    Args:
        number: its place in the queue; 0 before it has one.
        run_id: the run; also of one that is to be begun, so that it is begun once only.
        act: what is to be done.
        procedure: its name; empty to resume.
        request: what is asked for, in plain JSON.
        place: the account and region it is about.
        who: the role that asked.
        key: the asker's own name for it, by which a repeat is known.
        asked_at: seconds since the epoch.
        host: the machine whose worker has taken it; empty while it waits.
        starts: how many processes were started for it.
        is_over: whether a process came to its end, or none is tried any more.
        ended_at: when that was; 0 where it is not over.
        says: why there is no run, or why it ended; empty where it went well.
        problem: of that error, as a run has it.
    """

    number: int
    run_id: str
    act: AskedAct
    procedure: str
    request: dict[str, Any]
    place: str
    who: str
    key: str
    asked_at: float
    host: str = ""
    starts: int = 0
    is_over: bool = False
    ended_at: float = 0.0
    says: str = ""
    problem: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Deed:
    """A line of the audit log: who did what, from where, and what came of it (a HTTP status)."""

    at: float
    role: str
    address: str
    did: str
    status: int
    run_id: str = ""
