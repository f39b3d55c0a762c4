"""An account as the audit asks for it: describing calls, page by page, as they were answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from nospof.model.cloud import Identity

Page = Mapping[str, Any]
"""One answer under botocore's names, in values that JSON has; moments are ISO 8601 texts."""


class Discovery(Protocol):
    """One account in one region, or what was saved of one. Nothing is ever changed.

    `pages` may be called from several threads at once.
    """

    @property
    def source(self) -> str:
        """What is read: "AWS", "AWS CLI output"."""

    def identity(self) -> Identity:
        """Return whose account this is, and which region."""

    def pages(self, call: str, arguments: Mapping[str, object], *, is_global: bool = False) -> Iterator[Page]:
        """Yield every page of one call's answer. What may be secret in it is left out.

        Args:
            call: boto3's service and operation: "ec2:DescribeInstances".
            arguments: the call's own; paging is not the caller's business.
            is_global: the call goes to the partition's one endpoint, not to the region's.

        Raises:
            CloudError: refused, or not answered, perhaps in the middle of the pages. It is never
                an empty answer.
        """
