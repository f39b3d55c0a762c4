"""The errors nospof raises, and the exit code each one becomes.

    NospofError                1   a fault of ours
    ├── UsageError             2   the request cannot be understood
    │   └── UnknownName        2   nothing here has this name: no such run, no such service
    ├── PreconditionFailed     3   refused before the first write: nothing was changed
    ├── ProcedureFailed        4   failed half-way: says what exists now and how to resume
    └── CloudError             5   the cloud refused or could not be reached
        ├── NotFound           5   the cloud does not know this id (yet)
        └── UnknownOutcome     5   a write may or may not have happened: read the world

Every message says what happened, to what, and what to do next.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What a nospof command tells the shell. Results that are not errors have codes too."""

    DONE = 0
    BUG = 1
    USAGE = 2
    REFUSED = 3
    FAILED_HALF_WAY = 4
    CLOUD_REFUSED = 5
    FINDINGS = 10
    DRILL_FAILED = 11
    SLO_BREACHED = 12
    INCOMPLETE = 13


class NospofError(Exception):
    """The root of the tree; raised itself only for a fault of ours."""

    exit_code = ExitCode.BUG

    @property
    def details(self) -> dict[str, Any]:
        """What programs are told beside the kind and the message; the journal keeps it, too."""
        return {}


class UsageError(NospofError):
    """The request cannot be understood."""

    exit_code = ExitCode.USAGE


class UnknownName(UsageError):
    """Nothing here has this name: no such run, no such service."""


class PreconditionFailed(NospofError):
    """Refused before the first write: nothing was changed."""

    exit_code = ExitCode.REFUSED


class ProcedureFailed(NospofError):
    """Something was changed before it failed.

    Args:
        message: what happened, to what, what to do next.
        run_id: the run to resume; empty until the runtime knows it.
        step: the step that failed.
        exists: what this run made and what stands now, one sentence each.
    """

    exit_code = ExitCode.FAILED_HALF_WAY

    def __init__(
        self, message: str, *, run_id: str = "", step: str = "", exists: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.step = step
        self.exists = exists

    @property
    def details(self) -> dict[str, Any]:
        """See `NospofError`."""
        return {"run_id": self.run_id, "step": self.step, "exists": list(self.exists)}


class CloudError(NospofError):
    """The cloud refused a call or did not answer it.

    Args:
        message: what happened, to what, what to do next.
        code: the cloud's own error code ("InsufficientInstanceCapacity"); empty when none came.
        operation: "ec2:StopInstances".
        request_id: the id the cloud's support asks for.
        retryable: whether the same call may succeed later.
    """

    exit_code = ExitCode.CLOUD_REFUSED

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        operation: str = "",
        request_id: str = "",
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.operation = operation
        self.request_id = request_id
        self.retryable = retryable

    @property
    def details(self) -> dict[str, Any]:
        """See `NospofError`."""
        return {"code": self.code, "operation": self.operation, "request_id": self.request_id}

    @property
    def is_denied(self) -> bool:
        """Whether the cloud said that this caller may not do this."""
        return self.code in DENIED_CODES

    @property
    def missing_permission(self) -> str:
        """The IAM action a denied call lacks, in the cloud's own words; empty where it names none.

        It need not be the call's own: a launch with a role is denied for want of iam:PassRole.
        """
        found = re.search(r"not authorized to perform: ([\w-]+:\w+)", str(self)) if self.is_denied else None
        return found[1] if found else ""


class NotFound(CloudError):
    """The cloud does not know this id; just after a create it may only be late."""


class UnknownOutcome(CloudError):
    """No answer came back from a write: it may have happened. Read before repeating."""


DENIED_CODES = frozenset(
    {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"}
)


KINDS: dict[str, type[NospofError]] = {
    kind.__name__: kind
    for kind in (UsageError, UnknownName, PreconditionFailed, CloudError, NotFound, UnknownOutcome)
}


def told_error(kind: str, message: str, details: Mapping[str, Any]) -> NospofError:
    """Return the error that somebody else told of.

    Args:
        kind: its name; one that is not known here becomes one of the same exit code, where that is told,
            else a fault of ours.
        message: what it says.
        details: as `NospofError.details`, with its `exit_code` perhaps.
    """
    if kind == ProcedureFailed.__name__:
        exists = tuple(str(one) for one in details.get("exists", ()))
        run_id, step = str(details.get("run_id", "")), str(details.get("step", ""))
        return ProcedureFailed(message, run_id=run_id, step=step, exists=exists)
    ended_with, found = details.get("exit_code"), KINDS.get(kind)
    if found is None or ended_with not in (None, found.exit_code):
        found = next((one for one in KINDS.values() if one.exit_code == ended_with), NospofError)
    if issubclass(found, CloudError):
        code, operation, request_id = (
            str(details.get(name, "")) for name in ("code", "operation", "request_id")
        )
        return found(message, code=code, operation=operation, request_id=request_id)
    return found(message)
