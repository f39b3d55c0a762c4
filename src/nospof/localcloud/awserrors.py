"""Errors as AWS words them.

moto serializes any `ServiceException` in the protocol of the service that was called; a class of
our own is needed because it looks up `moto.*` exceptions by module name.
"""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class AwsError(ServiceException):
    """An answer with an AWS error code.

    Args:
        code: the code clients test for, such as IncorrectInstanceState.
        message: the sentence people read.
        status: the HTTP status; 500 and above makes clients try again.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.status = status

    def __reduce__(self) -> tuple[type[AwsError], tuple[str, str, int]]:
        return (type(self), (str(self.code), str(self.message), self.status))


def incorrect_state(instance_id: str, wish: str) -> AwsError:
    """Return the refusal of a change an instance's state does not allow."""
    return AwsError(
        "IncorrectInstanceState",
        f"The instance '{instance_id}' is not in a state from which it can be {wish}.",
    )


def no_capacity(instance_type: str, zone: str) -> AwsError:
    """Return AWS's answer when a zone has no room for an instance; HTTP 500, so clients retry."""
    return AwsError(
        "InsufficientInstanceCapacity",
        f"We currently do not have sufficient {instance_type} capacity in the Availability Zone "
        f"you requested ({zone}).",
        status=500,
    )
