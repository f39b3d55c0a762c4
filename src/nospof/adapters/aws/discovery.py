"""AWS's describing calls behind the port of the audit, through boto3; for every service there is."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from botocore import xform_name
from botocore.config import Config

from nospof.adapters.aws.answers import METADATA, Answer, AnswerParserFactory
from nospof.adapters.aws.cloud import AwsCloud
from nospof.adapters.values import member
from nospof.errors import CloudError
from nospof.model.cloud import Identity
from nospof.ports.discovery import Page

CONNECTIONS = 16
GLOBAL_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1"}
"""Where a partition's global services are asked (IAM User Guide, "Service endpoints and quotas")."""
OWN_GLOBAL_REGION = {"globalaccelerator": "us-west-2"}
PAGE_SIZES = {"ec2": 1000, "elbv2": 400, "elb": 400, "autoscaling": 100, "resourcegroupstaggingapi": 100}
"""The largest that a service takes, where its model does not say; others have their own default."""
SMALLER_PAGES = {"DescribeHosts": 500, "DescribeLaunchTemplateVersions": 200}
"""Operations that take no more than these, whatever their service takes (their API references)."""


class AwsDiscovery:
    """Implements `ports.discovery.Discovery`.

    Args:
        cloud: a connection that has answered already.
    """

    source = "AWS"

    def __init__(self, cloud: AwsCloud) -> None:
        self._cloud = cloud
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()
        cloud.session._session.register_component("response_parser_factory", AnswerParserFactory())

    def identity(self) -> Identity:
        """See the port."""
        return self._cloud.identity()

    def pages(self, call: str, arguments: Mapping[str, object], *, is_global: bool = False) -> Iterator[Page]:
        """See the port."""
        service, _, operation = call.partition(":")
        region = self._global_region(service) if is_global else self._cloud.region
        try:
            client = self._client(service, region)
            with self._cloud.reading(f"{client.meta.service_model.signing_name}:{operation}"):
                yield from self._answers(client, operation, dict(arguments))
        except CloudError as error:
            if error.code or self._is_offered(service, region):
                raise
            message = f"{service} has no endpoint in {region}, as far as this boto3 knows: {error}"
            raise CloudError(message, code="NotOfferedInRegion", operation=error.operation) from error

    def _answers(self, client: Any, operation: str, arguments: dict[str, Any]) -> Iterator[Page]:
        if operation not in client.meta.service_model.operation_names:
            message = f"This boto3 does not know {operation}: a newer one may."
            raise CloudError(message, code="UnknownOperation", operation=operation)
        method = xform_name(operation)
        if not client.can_paginate(method):
            yield _kept(getattr(client, method)(**arguments))
            return
        paginator = client.get_paginator(method)
        size = page_size(client, operation, paginator)
        paging = {"PaginationConfig": {"PageSize": size}} if size else {}
        for page in paginator.paginate(**arguments, **paging):
            yield _kept(page)

    def _client(self, service: str, region: str) -> Any:
        with self._making:  # boto3 is not safe to make two at once.
            found = self._clients.get((service, region))
            if found is None:
                config = Config(max_pool_connections=CONNECTIONS)
                if not self._is_offered(service, region):
                    # Nobody waits a minute for a service that the region does not have.
                    config = config.merge(Config(retries={"total_max_attempts": 1}))
                found = self._clients[service, region] = self._cloud.client(service, region, config)
            return found

    def _is_offered(self, service: str, region: str) -> bool:
        """Whether a service is in a region, as far as boto3 knows; what it does not know may be."""
        session = self._cloud.session
        partition = session.get_partition_for_region(region)
        known = session.get_available_regions(service, partition)
        return not known or region in known

    def _global_region(self, service: str) -> str:
        partition = self._cloud.session.get_partition_for_region(self._cloud.region)
        own = OWN_GLOBAL_REGION.get(service, "") if partition == "aws" else ""
        return own or GLOBAL_REGIONS.get(partition, self._cloud.region)


def page_size(client: Any, operation: str, paginator: Any) -> int:
    """Return the largest page that an operation gives, or 0 to leave it to the service."""
    model = client.meta.service_model
    shape = model.operation_model(operation).input_shape
    key = paginator._pagination_cfg.get("limit_key", "")
    member = shape.members.get(key) if shape is not None else None
    if member is None:
        return 0
    limits = (
        member.metadata.get("max", 0),
        PAGE_SIZES.get(model.service_name, 0),
        SMALLER_PAGES.get(operation, 0),
    )
    known = [one for one in limits if one]
    return min(known) if known and member.type_name == "integer" else 0


def _kept(page: Mapping[str, Any]) -> Page:
    kept = {key: value for key, value in page.items() if key != METADATA}
    return kept if isinstance(page, Answer) else {key: member(key, value) for key, value in kept.items()}
