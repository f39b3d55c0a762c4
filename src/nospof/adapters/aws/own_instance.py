"""Which EC2 instance this process runs on, if on one: asked of the instance metadata service (IMDSv2)."""

from __future__ import annotations

import http.client
import os
from urllib.parse import urlsplit

ENDPOINT = "http://169.254.169.254"
TIMEOUT_SECONDS = 0.5
"""The service answers within milliseconds; off EC2 nothing answers there."""


def own_instance() -> str:
    """Return the id of the instance this process runs on; empty off EC2, or where it cannot be asked.

    AWS_EC2_METADATA_DISABLED and AWS_EC2_METADATA_SERVICE_ENDPOINT are heeded, as boto3 does.
    """
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return ""
    address = urlsplit(os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or ENDPOINT)
    connection = http.client.HTTPConnection(address.netloc, timeout=TIMEOUT_SECONDS)
    try:
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        token = _answer(connection, "PUT", "/latest/api/token", lifetime)
        return _answer(
            connection, "GET", "/latest/meta-data/instance-id", {"X-aws-ec2-metadata-token": token}
        )
    except (OSError, ValueError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def _answer(connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str]) -> str:
    connection.request(method, path, headers=headers)
    with connection.getresponse() as answer:
        said = answer.read().decode("ascii")
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(f"{path} answered {answer.status}")
        return said
