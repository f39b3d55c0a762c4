"""Messages to topics of SNS."""

from __future__ import annotations

from collections.abc import Callable

from nospof.adapters.aws.connection import Connection

REGION = 3
"""Of an ARN's words."""


def publisher(connection: Connection) -> Callable[[str, str, str], None]:
    """Return what publishes: it takes a topic's ARN, a subject and a message.

    It raises CloudError where SNS did not take the message, or where nobody knows whether it did.
    """

    def publish(arn: str, subject: str, message: str) -> None:
        client = connection.client("sns", arn.split(":")[REGION], operation="sns:Publish")
        with connection.writing("sns:Publish", arn):
            client.publish(TopicArn=arn, Subject=subject, Message=message)

    return publish
