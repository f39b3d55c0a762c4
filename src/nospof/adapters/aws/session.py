"""How a connection to AWS begins: region, profile, credentials, and a first question.

boto3's conventions hold (AWS_PROFILE, AWS_ENDPOINT_URL, the shared files). AWS_REGION, which the
other SDKs read and boto3 does not, is read before AWS_DEFAULT_REGION.
"""

from __future__ import annotations

import difflib
import os
import re

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ProfileNotFound

from nospof.adapters.aws.cloud import AwsCloud
from nospof.adapters.aws.connection import CONFIG
from nospof.adapters.aws.errors import translate
from nospof.errors import CloudError, UsageError

REGION_SHAPE = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
QUICK = Config(retries={"mode": "standard", "total_max_attempts": 2}, read_timeout=10)


def connect(region: str = "", profile: str = "", endpoint: str = "") -> AwsCloud:
    """Connect to AWS, or to what AWS_ENDPOINT_URL names, and make sure that it answers.

    Args:
        region: such as "eu-central-1"; else AWS_REGION, AWS_DEFAULT_REGION, then the profile's.
        profile: of the shared configuration; else AWS_PROFILE.
        endpoint: the address to ask; else AWS_ENDPOINT_URL, else AWS itself.

    Raises:
        UsageError: no region, not a region, unknown profile, broken configuration, no credentials.
        CloudError: the endpoint does not answer, or refuses the credentials.
    """
    session = _session(region, profile)
    _check_region(session)
    _check_credentials(session)
    try:
        # A person waits for this one: no long series of attempts.
        caller = AwsCloud(session, endpoint=endpoint, config=CONFIG.merge(QUICK)).identity()
    except CloudError as error:
        raise _first_answer(error, endpoint) from error
    except ValueError as error:
        message = f"AWS_ENDPOINT_URL is not an address: {error}. It looks like http://127.0.0.1:4566."
        raise UsageError(message) from error
    return AwsCloud(session, endpoint=endpoint, caller=caller)


def _session(region: str, profile: str) -> boto3.Session:
    wanted = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None
    try:
        return boto3.Session(
            region_name=wanted, profile_name=profile or None, botocore_session=botocore.session.Session()
        )
    except ProfileNotFound as error:
        name = profile or os.environ.get("AWS_PROFILE", "")
        known = ", ".join(botocore.session.Session().available_profiles) or "none"
        message = f"There is no AWS profile named {name!r}. Profiles on this computer: {known}."
        raise UsageError(message) from error
    except BotoCoreError as error:
        message = f"The AWS configuration of this computer cannot be read: {error}."
        raise UsageError(message) from error


def _check_region(session: boto3.Session) -> None:
    name = session.region_name
    if not name:
        raise UsageError("No AWS region is set. Give --region, or set AWS_REGION, such as eu-central-1.")
    if not REGION_SHAPE.fullmatch(name):
        known = session.get_available_regions("ec2")
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else "A region looks like eu-central-1."
        raise UsageError(f"{name!r} is not an AWS region. {hint}")


def _check_credentials(session: boto3.Session) -> None:
    try:
        found = session.get_credentials()
    except BotoCoreError as error:
        raise translate(error, "sts:GetCallerIdentity") from error
    if found is None:
        message = (
            "No AWS credentials were found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY; without an AWS account, start the local cloud."
        )
        raise UsageError(message)


def _first_answer(error: CloudError, endpoint: str) -> CloudError:
    """Return the error with a hint that only the first question can give."""
    address = endpoint or os.environ.get("AWS_ENDPOINT_URL", "")
    if error.code or not address:
        return error
    message = f"{error} The endpoint is {address}: start what should answer there, or choose another."
    return CloudError(message, operation=error.operation, retryable=error.retryable)
