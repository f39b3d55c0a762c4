"""What every part of the in-memory cloud shares: time, the log of calls, faults, late ids.

Nothing happens by itself. A change that takes time is written down with the moment it is due, and
every call first does what has become due, in order. So the same calls give the same answers.
"""

from __future__ import annotations

import copy
import functools
import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from nospof.errors import CloudError, NotFound, UnknownOutcome
from nospof.model.cloud import Tags

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A", bound="Account")

PATIENCE_SECONDS = 60
"""How long a read waits for an id this account has just made."""

RETRYABLE_CODES = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InternalError",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
    }
)
LOST_CODES = frozenset({"ConnectionClosed", "ReadTimeout"})
"""Codes of `fail` that mean "no answer came": they raise UnknownOutcome."""


class MemoryClock:
    """A clock whose `sleep` takes no time. Implements `ports.world.Clock`."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """Return the virtual time, seconds since the epoch."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the virtual time forward."""
        self._now += max(0.0, seconds)


@dataclass(frozen=True)
class Timings:
    """How long the cloud takes for each change, in virtual seconds."""

    pending: float = 2
    stopping: float = 3
    shutting_down: float = 2
    boot: float = 5
    """From running until the service answers."""
    reboot: float = 8
    checks: float = 20
    """From running until the status checks say ok."""
    snapshot_appears: float = 1
    image: float = 60
    balancer: float = 10
    interfaces: float = 20
    """From the end of a balancer until its security group can be deleted."""
    names: float = 4
    """From a change of names until all servers answer so."""
    health: float = 10
    """From the first good answer until a target is healthy."""


class Call(NamedTuple):
    """One call of the port, as it was made."""

    name: str
    arguments: tuple[Any, ...]


class Operation(NamedTuple):
    """What a method of the port is called at AWS, and whether it changes anything."""

    aws_name: str
    is_write: bool


@dataclass
class Fault:
    """A refusal waiting for the next call of a method."""

    method: str
    code: str
    times: int
    is_after: bool


@dataclass(order=True)
class _Due:
    at: float
    number: int
    act: Callable[[], None] = field(compare=False)


OPERATIONS: dict[str, Operation] = {}


def serves(
    aws_name: str, *, writes: bool = False
) -> Callable[[Callable[Concatenate[A, P], T]], Callable[Concatenate[A, P], T]]:
    """Make a method one of the port's: logged, lockable, able to be denied and to fail.

    Args:
        aws_name: the IAM action, such as "ec2:StopInstances".
        writes: whether the call may change something.
    """

    def decorate(method: Callable[Concatenate[A, P], T]) -> Callable[Concatenate[A, P], T]:
        name = method.__name__
        OPERATIONS[name] = Operation(aws_name, writes)

        @functools.wraps(method)
        def call(self: A, /, *args: P.args, **kwargs: P.kwargs) -> T:
            with self.lock:
                self.settle()
                self.calls.append(Call(name, (*args, *kwargs.values())))
                fault = self.obstacle(name)
                if writes:
                    self.remember()
                answer = self.seen_by(lambda seen: method(seen, *args, **kwargs), is_write=writes)
                if fault is not None:
                    raise lost(OPERATIONS[name].aws_name, fault.code)
                return answer

        return call

    return decorate


def refused(operation: str, code: str, says: str) -> CloudError:
    """Return the error for a refusal, of the type the code asks for."""
    kind = NotFound if code.endswith(("NotFound", ".Unknown")) or code.startswith("NoSuch") else CloudError
    return kind(
        f"{operation} was refused: {says} ({code}).",
        code=code,
        operation=operation,
        request_id="memory",
        retryable=code in RETRYABLE_CODES,
    )


def has_tag(tags: Tags, tag: str, value: str) -> bool:
    """Whether there is the tag with, when it is given, the value."""
    return tag in tags and value in ("", tags[tag])


def lost(operation: str, code: str) -> UnknownOutcome:
    """Return the error for a write whose answer did not arrive."""
    return UnknownOutcome(
        f"No answer came from {operation}: it may have happened. Read what exists before repeating it.",
        code=code,
        operation=operation,
        retryable=True,
    )


class Account:
    """One account in one region: the parts below share its clock, log and faults.

    Attributes:
        calls: every call of the port, in order, with its arguments.
        late_ids: how many reads of each id made from now on answer "not found" first.
        stale_seconds: how long after each write from now on every read still answers as before it.
        shelves: what carries tags, by the prefix of its ids.
    """

    account_id = "123456789012"

    def __init__(
        self,
        clock: MemoryClock | None = None,
        *,
        region: str = "eu-central-1",
        zone_count: int = 3,
        timings: Timings | None = None,
    ) -> None:
        self.clock = clock or MemoryClock()
        self.region = region
        self.timings = timings or Timings()
        self.calls: list[Call] = []
        self.late_ids = 0
        self.stale_seconds = 0.0
        self.lock = threading.RLock()
        self._faults: list[Fault] = []
        self._denied: set[str] = set()
        self._due: list[_Due] = []
        self._moment: float | None = None
        self._late: dict[str, int] = {}
        self._before: Account | None = None
        self._stale_until = 0.0
        self._numbers: dict[str, int] = {}
        self.shelves: dict[str, dict[str, Any]] = {}
        self._set_up(zone_count)

    def _set_up(self, zone_count: int) -> None:
        """Lay out what a new account has; each part adds its own."""

    # What a test says ----------------------------------------------------------------------------

    @property
    def writes(self) -> list[Call]:
        """The calls that could have changed something, refused ones included."""
        return [call for call in self.calls if OPERATIONS[call.name].is_write]

    def fail(self, method: str, code: str, times: int = 1, *, after: bool = False) -> None:
        """Let the next calls of a method fail.

        Args:
            method: the port's own name, such as "start_instance".
            code: the cloud's error code; "ReadTimeout" and "ConnectionClosed" lose the request
                before it arrives and raise UnknownOutcome.
            times: how many calls fail.
            after: do what was asked, then lose the answer: the call raises UnknownOutcome.
        """
        operation = OPERATIONS[method]
        if after and not operation.is_write:
            message = f"{method} writes nothing, so its outcome cannot be unknown."
            raise ValueError(message)
        self._faults.append(Fault(method, code, times, after))

    def deny(self, method: str) -> None:
        """Refuse a method from now on, as IAM would; its rehearsal is refused too."""
        self._denied.add(OPERATIONS[method].aws_name)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something when the virtual time has moved on by that much."""
        heapq.heappush(self._due, _Due(self.now() + seconds, self.number("due"), act))

    # What the parts use --------------------------------------------------------------------------

    def settle(self) -> None:
        """Do everything that has become due."""
        with self.lock:
            while self._due and self._due[0].at <= self.clock.now():
                due = heapq.heappop(self._due)
                self._moment = due.at
                try:
                    due.act()
                finally:
                    self._moment = None

    def now(self) -> float:
        """Return the time at which what is done now happens: when it was due, not when it is noticed."""
        return self.clock.now() if self._moment is None else self._moment

    def number(self, kind: str) -> int:
        """Return the next number of a kind, from 1."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]

    def new_id(self, prefix: str) -> str:
        """Return a new id, late by `late_ids` reads."""
        made = f"{prefix}-{self.number(prefix):017x}"
        self._late[made] = self.late_ids
        return made

    def check_allowed(self, aws_name: str) -> None:
        """Raise CloudError when the caller may not do this."""
        if aws_name in self._denied:
            raise refused(aws_name, "UnauthorizedOperation", "this caller may not do it")

    def obstacle(self, method: str) -> Fault | None:
        """Raise what stands before a call; return the fault that strikes after it, if any."""
        operation = OPERATIONS[method].aws_name
        self.check_allowed(operation)
        fault = next((fault for fault in self._faults if fault.method == method), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.times <= 0:
            self._faults.remove(fault)
        if fault.is_after:
            return fault
        if fault.code in LOST_CODES and OPERATIONS[method].is_write:
            raise lost(operation, fault.code)
        raise refused(operation, fault.code, "a fault that was asked for")

    def remember(self) -> None:
        """Keep what reads will see for a while after the write that comes now."""
        self._before = None
        if self.stale_seconds:
            before = copy.copy(self)
            held = {key: value for key, value in vars(self).items() if isinstance(value, dict)}
            vars(before).update(copy.deepcopy(held), _late=self._late, settle=self.settle)
            self._before, self._stale_until = before, self.clock.now() + self.stale_seconds

    def seen_by(self, ask: Callable[[Any], T], *, is_write: bool) -> T:
        """Return the answer of a call: a write meets what is, a read what was, while answers are stale.

        What is not there yet is waited for, as with a late id.
        """
        while not is_write and self._before and self.clock.now() < self._stale_until:
            try:
                return ask(self._before)
            except NotFound:
                self.clock.sleep(1)
                self.settle()
        return ask(self)

    def is_late(self, resource_id: str) -> bool:
        """Whether this read comes too early to see a new id; counts the read."""
        left = self._late.get(resource_id, 0)
        if left:
            self._late[resource_id] = left - 1
        return left > 0

    def find(self, things: dict[str, T], resource_id: str, operation: str, code: str) -> T:
        """Return a thing by id, waiting for a late one. Raises NotFound."""
        for _ in range(PATIENCE_SECONDS):
            if not self.is_late(resource_id):
                break
            self.clock.sleep(1)
            self.settle()
        else:
            raise refused(operation, code, f"{resource_id} does not exist yet")
        if resource_id not in things:
            raise refused(operation, code, f"{resource_id} does not exist")
        return things[resource_id]
