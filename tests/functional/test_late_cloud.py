"""A cloud whose servers learn late of a change: a pair comes out as in any other."""

from __future__ import annotations

import pytest

from support.site import PAIR, Site

pytestmark = pytest.mark.local_cloud


def test_c17_c31_a_pair_is_made_where_changes_are_known_late(site: Site) -> None:
    source = site.launch("late")
    assert site.cloud.admin("POST", "consistency", {"seconds": 1.0})[0] == 200
    try:
        members = site.answer("pair", source, *PAIR)["result"]["members"]
    finally:
        site.cloud.admin("POST", "consistency", {"seconds": 0})
    assert len(set(members)) == 2
    assert {site.state(one) for one in members} == {"running"}
    assert len(twins_of(site, source)) == 1


def twins_of(site: Site, source: str) -> list[str]:
    tagged = [{"Name": "tag:nospof:twin-of", "Values": [source]}]
    found = site.cloud.client("ec2").describe_instances(Filters=tagged)["Reservations"]
    return [one["InstanceId"] for each in found for one in each["Instances"]]
