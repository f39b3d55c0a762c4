"""The one place where botocore's errors become nospof's; none of them travels further.

A write whose answer was lost is `UnknownOutcome`, whatever the last of botocore's own attempts
said: the first may have been carried out. What AWS refused by name was not carried out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, the parent of those that never connected
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from nospof.errors import DENIED_CODES, CloudError, NotFound, UnknownOutcome

THROTTLED_CODES = frozenset(
    {
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
UNKNOWN_CODES = frozenset(
    {"InvalidPlacementGroup.Unknown", "NoSuchChange", "NoSuchEntity", "NoSuchHostedZone"}
)
EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
WRONG_KEY_CODES = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
NEVER_ARRIVED = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError, SSLError)
SIGN_IN_AGAIN = (CredentialRetrievalError, SSOError, TokenRetrievalError)
SERVER_FAULT = 500
"""EC2 answers InsufficientInstanceCapacity with 500 too: the name tells a refusal from a fault."""

Lost = Callable[[], bool]


@contextmanager
def translated(
    operation: str, about: str = "", *, writes: bool = False, lost: Lost = lambda: False
) -> Iterator[None]:
    """Turn what botocore raises inside the block into a CloudError.

    Args:
        operation: "ec2:StopInstances", as IAM spells it.
        about: what the call is about, an id or a name.
        writes: whether the call may change something.
        lost: whether an earlier attempt of this very call got no answer.
    """
    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise translate(error, operation, about, lost=writes and (lost() or is_lost(error))) from error


def translate(error: Exception, operation: str, about: str = "", *, lost: bool = False) -> CloudError:
    """Return the error of ours for one of botocore's.

    Args:
        error: what botocore raised.
        operation: the IAM action.
        about: what the call is about.
        lost: whether it is a write that may have been carried out.
    """
    code, request_id, said = _details(error)
    call = f"{operation} on {about}" if about else operation
    if lost:
        return UnknownOutcome(
            f"No answer came to {call}: it may have happened. "
            f"Look at what exists before repeating it ({said}).",
            code=code,
            operation=operation,
            request_id=request_id,
            retryable=True,
        )
    kind = NotFound if is_not_found(code) else CloudError
    denied = re.search(r"not authorized to perform: ([\w-]+:\w+)", said)
    number = f", request {request_id}" if request_id else ""
    named = f" ({code}{number})" if code else ""
    verb = "was refused" if isinstance(error, ClientError) else "failed"
    return kind(
        f"{call} {verb}: {said}{named}. {advice(error, code, denied[1] if denied else operation)}",
        code=code,
        operation=operation,
        request_id=request_id,
        retryable=is_retryable(error, code),
    )


def not_listed(operation: str, resource_id: str, code: str) -> NotFound:
    """Return the error for an answer that leaves out what was asked for by id."""
    return NotFound(
        f"{operation} on {resource_id} answered without it ({code}). {_advice_for_code(code, operation)}",
        code=code,
        operation=operation,
    )


def is_not_found(code: str) -> bool:
    """Whether a code says that the cloud does not know an id or a name."""
    return code.endswith(("NotFound", "NotFoundException")) or code in UNKNOWN_CODES


def is_lost(error: BaseException | None) -> bool:
    """Whether a request may have been carried out although it failed."""
    if isinstance(error, ClientError):
        return is_lost_answer(error.response)
    if isinstance(error, NEVER_ARRIVED):
        return False
    return isinstance(error, (ConnectionError, HTTPClientError, ResponseParserError))


def is_lost_answer(answer: Any) -> bool:
    """Whether a parsed answer is a fault of the server and not a refusal."""
    code = str(answer.get("Error", {}).get("Code", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    is_refusal = code in THROTTLED_CODES or code.startswith("Insufficient")
    return bool(status >= SERVER_FAULT and not is_refusal)


def is_retryable(error: Exception, code: str) -> bool:
    """Whether the same call may succeed later without anybody changing anything."""
    if isinstance(error, ClientError):
        is_short = code.startswith("Insufficient") and code.endswith("Capacity")
        return code in THROTTLED_CODES or is_short or is_lost_answer(error.response)
    return isinstance(error, (HTTPClientError, ConnectionError, ResponseParserError))


def advice(error: Exception, code: str, operation: str) -> str:
    """Return the sentence that says what to do next."""
    if isinstance(error, ClientError):
        return _advice_for_code(code, operation)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    if isinstance(error, SIGN_IN_AGAIN):
        return "Sign in again, for example with `aws sso login`."
    if isinstance(error, ResponseParserError):
        return "Something that is not AWS answered: check AWS_ENDPOINT_URL and any proxy."
    if isinstance(error, (HTTPClientError, ConnectionError)):
        return "Check the network, the region's name and AWS_ENDPOINT_URL, then try again."
    return "Check the request."


def _advice_for_code(code: str, operation: str) -> str:
    if code in DENIED_CODES:
        return f"Ask for the permission {operation}, or use another AWS_PROFILE."
    if code in EXPIRED_CODES:
        return "The session has expired: sign in again, or check this computer's clock."
    if code in WRONG_KEY_CODES:
        return "The access key or its secret is wrong, or the profile belongs to another endpoint."
    if code in THROTTLED_CODES:
        return "AWS limits how often this may be asked: try again in a minute."
    if code.startswith("Insufficient") and code.endswith("Capacity"):
        return "The zone has no room for this just now: try again, or take another type or zone."
    if code.endswith(("LimitExceeded", "QuotaExceeded")) or code == "TooManyLoadBalancers":
        return "A quota of the account is used up: free something, or ask for more in Service Quotas."
    if code == "OptInRequired":
        return "Turn the region or service on for this account first."
    if is_not_found(code):
        return "Check the id and the region."
    return "This call changed nothing."


def _details(error: Exception) -> tuple[str, str, str]:
    """Return the error's code, its request id and what it said, on one line without a full stop."""
    if isinstance(error, ResponseParserError):
        return "", "", "the answer is not one that AWS gives"
    if not isinstance(error, ClientError):
        return "", "", _one_line(str(error))
    answer: Any = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    said = str(answer.get("Error", {}).get("Message", "")) or "no reason was given"
    metadata = answer.get("ResponseMetadata", {})
    return code.removeprefix("Client."), str(metadata.get("RequestId", "")), _one_line(said)


def _one_line(said: str) -> str:
    # The encoded message of a denied EC2 call is 500 characters that only STS can read.
    said = re.sub(r"\s*Encoded authorization failure message: \S+", "", said)
    return re.sub(r"\s+", " ", said).strip().rstrip(".")
