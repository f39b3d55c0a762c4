"""Pages are as large as AWS gives them, and no larger: it refuses the whole call."""

from __future__ import annotations

import re
from typing import Any

import boto3
import pytest
from botocore import xform_name

from nospof.adapters.aws.discovery import page_size
from nospof.model.kinds import ASKED

LIMIT = re.compile(r"between \d+ and ([\d,]+)|maximum value is (?:<code>)?([\d,]+)")
CALLS = sorted({one.call for one in ASKED.values()})


@pytest.fixture(scope="module")
def session() -> Any:
    return boto3.Session("test", "test", region_name="eu-central-1")


def limits(session: Any, call: str) -> tuple[int, int]:
    """Return the size that is asked for, and the largest that the call's documentation names; 0 for none."""
    service, _, operation = call.partition(":")
    client = session.client(service)
    if not client.can_paginate(xform_name(operation)):
        return 0, 0
    paginator = client.get_paginator(xform_name(operation))
    member = client.meta.service_model.operation_model(operation).input_shape.members.get(
        paginator._pagination_cfg.get("limit_key", "")
    )
    said = LIMIT.search(member.documentation) if member is not None else None
    largest = (said[1] or said[2]) if said else "0"
    return page_size(client, operation, paginator), int(largest.replace(",", ""))


@pytest.mark.parametrize("call", CALLS)
def test_no_page_is_larger_than_its_documentation_allows(session: Any, call: str) -> None:
    asked, largest = limits(session, call)
    assert not largest or asked <= largest


def test_versions_of_templates_come_in_pages_of_their_own_size(session: Any) -> None:
    assert limits(session, "ec2:DescribeLaunchTemplateVersions") == (200, 200)
    assert limits(session, "ec2:DescribeInstances")[0] == 1000
