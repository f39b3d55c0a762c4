"""Moments of AWS's answers: read fast, and as botocore reads them."""

from __future__ import annotations

import pytest
from botocore.utils import parse_timestamp

from nospof.adapters.aws.moments import moment

TOLD = (
    "2026-11-02T08:00:00Z",
    "2026-11-02T08:00:00.123Z",
    "2026-11-02T08:00:00.123456+02:00",
    "2026-11-02T08:00:00.1234567Z",
    "20261102T080000Z",
    "Mon, 02 Nov 2026 08:00:00 GMT",
    "1793606400",
    1793606400,
    1793606400.5,
)


@pytest.mark.parametrize("told", TOLD)
def test_a_moment_is_what_botocore_makes_of_it(told: object) -> None:
    assert moment(told) == parse_timestamp(told)


@pytest.mark.parametrize("told", ["2026-13-02T08:00:00Z", "soon", ""])
def test_what_is_no_moment_is_refused_as_by_botocore(told: str) -> None:
    with pytest.raises(ValueError, match="timestamp"):
        moment(told)
