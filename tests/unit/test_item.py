"""Reading the fields of an item: what was found is remembered, and belongs to that item alone."""

from __future__ import annotations

import pytest

from nospof.model.item import UNKNOWN
from nospof.model.kinds.kind import rows_in, rows_of
from support.estates import A, instance

DISKS = [{"Ebs": {"VolumeId": "vol-1"}}, {"Ebs": {"VolumeId": "vol-2"}}]


def test_a_changed_item_reads_its_own_fields_whatever_the_first_has_remembered() -> None:
    item = instance("i-1", A, BlockDeviceMappings=DISKS)
    assert item.at("InstanceType") is None
    assert [one.text("Ebs.VolumeId") for one in item.rows("BlockDeviceMappings")] == ["vol-1", "vol-2"]
    changed = item.with_fields(InstanceType="m5.large", BlockDeviceMappings=DISKS[1:])
    assert changed.text("InstanceType") == "m5.large"
    assert [one.text("Ebs.VolumeId") for one in changed.rows("BlockDeviceMappings")] == ["vol-2"]
    assert len(item.rows("BlockDeviceMappings")) == 2


def test_what_is_absent_or_unknown_stays_so_when_it_is_asked_again() -> None:
    item = instance("i-1", A, SubnetId=UNKNOWN)
    for _ in range(2):
        assert item.is_unknown("SubnetId")
        assert item.at("PublicIpAddress") is None
        assert item.text("PublicIpAddress", "none") == "none"
        assert item.rows("NetworkInterfaces") == ()


def test_an_undeclared_path_is_our_bug_every_time_it_is_asked_for() -> None:
    item = instance("i-1", A)
    for _ in range(2):
        with pytest.raises(KeyError, match="instance does not declare Colour"):
            item.at("Colour")


def test_rows_of_many_answers_are_those_of_each_in_order() -> None:
    pages = [
        {"Groups": [{"Hosts": ["a", "b"]}, {"Hosts": []}, {}]},
        {"Groups": {"Hosts": "c"}},
        {"Groups": None},
        {},
        {"Groups": [{"Hosts": ("d", None)}, "astray"]},
    ]
    for path in ("Groups.Hosts", "Groups", ""):
        assert rows_in(pages, path) == [row for page in pages for row in rows_of(page, path)]
    assert rows_in(pages, "Groups.Hosts") == ["a", "b", "c", "d"]
