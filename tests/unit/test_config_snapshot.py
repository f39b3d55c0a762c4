"""A snapshot of AWS Config becomes the estate it was taken of."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nospof.adapters.iac.config import read_config_snapshot
from nospof.errors import UsageError
from nospof.model.estate import Estate
from nospof.services.audit import audit_estate


def entry(kind: str, key: str, configuration: Any, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": kind,
        "resourceId": key,
        "awsAccountId": "111122223333",
        "awsRegion": "eu-west-1",
        "configurationItemCaptureTime": "2026-01-02T03:04:05.000Z",
        "configurationItemStatus": "ResourceDiscovered",
        "configuration": configuration,
        "relationships": [],
        **more,
    }


SNAPSHOT: dict[str, Any] = {
    "fileVersion": "1.0",
    "configurationItems": [
        entry(
            "AWS::EC2::Instance",
            "i-1",
            {
                "instanceId": "i-1",
                "state": {"code": 16, "name": "running"},
                "placement": {"availabilityZone": "eu-west-1a"},
                "publicIpAddress": "192.0.2.7",
                "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"volumeId": "vol-1"}}],
                "userData": "hunter2",
            },
            tags={"Name": "shop"},
        ),
        entry("AWS::EC2::Volume", "vol-1", {"volumeId": "vol-1", "availabilityZone": "eu-west-1a"}),
        entry(
            "AWS::RDS::DBInstance",
            "db-XYZ",
            {"dBInstanceIdentifier": "store", "multiAZ": False, "endpoint": {"address": "store.example.com"}},
        ),
        entry("AWS::S3::Bucket", "pictures", json.dumps({"name": "pictures"})),
        entry(
            "AWS::Lambda::Function",
            "mailer",
            {
                "functionName": "mailer",
                "environment": {"variables": {"TOKEN": "hunter2", "HOST": "a.example.com"}},
            },
        ),
        entry("AWS::IAM::Role", "role", {}),
        entry("AWS::Braket::Thing", "thing", {}),
        entry("AWS::EC2::Instance", "i-2", None, configurationItemStatus="ResourceDeleted"),
    ],
}


def read(document: Any, path: Path, *, is_compressed: bool = False) -> Estate:
    raw = json.dumps(document).encode()
    path.write_bytes(gzip.compress(raw) if is_compressed else raw)
    return read_config_snapshot(path)


@pytest.mark.parametrize("is_compressed", [False, True])
def test_fields_are_spelled_as_the_api_spells_them(tmp_path: Path, is_compressed: bool) -> None:
    estate = read(SNAPSHOT, tmp_path / "snapshot.json", is_compressed=is_compressed)
    (machine,) = estate.of("instance")
    assert (machine.id, machine.label) == ("i-1", "shop")
    assert machine.text("Placement.AvailabilityZone") == "eu-west-1a"
    assert machine.text("State.Name") == "running"
    assert machine.rows("BlockDeviceMappings")[0].text("Ebs.VolumeId") == "vol-1"
    (store,) = estate.of("database")
    assert (store.id, store.flag("MultiAZ"), store.text("Endpoint.Address")) == (
        "store",
        False,
        "store.example.com",
    )
    assert estate.of("function")[0].at("Environment.Variables")["HOST"] == "a.example.com"
    assert [one.id for one in estate.of("bucket")] == ["pictures"]
    assert (estate.account, estate.region, estate.read_at) == ("111122223333", "eu-west-1", 1767323045.0)
    assert "hunter2" not in repr([one.fields for items in estate.items.values() for one in items])


def test_what_config_does_not_record_is_unread(tmp_path: Path) -> None:
    estate = read(SNAPSHOT, tmp_path / "snapshot.json")
    assert estate.is_unread("target")
    assert [one.about for one in estate.unread if one.about] == ["thing"]
    report = audit_estate(estate)
    assert "targets" in {one.kind for one in report.unread}


def test_the_order_of_entries_changes_nothing(tmp_path: Path) -> None:
    turned = {"configurationItems": SNAPSHOT["configurationItems"][::-1]}
    one, other = read(SNAPSHOT, tmp_path / "a.json"), read(turned, tmp_path / "a.json")
    assert {k: [i.fields for i in v] for k, v in one.items.items()} == {
        k: [i.fields for i in v] for k, v in other.items.items()
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"configurationItems": {}}',
        b'{"configurationItems": [5]}',
        b'{"configurationItems": [{"resourceType": 5}]}',
        b'{"configurationItems": [{"resourceType": "AWS::EC2::Instance"}]}',
        b'{"configurationItems": [{"resourceType": "AWS::EC2::Instance", "configuration": "{"}]}',
        b'{"configurationItems": [{"resourceType": "AWS::EC2::Instance", "configuration": {}}]}',
        gzip.compress(b"{}", mtime=0)[:12],
        b"\x1f\x8bnothing of the kind",
        gzip.compress(b"\xff\xff", mtime=0),
        b'{"configurationItems": ' + b"[" * 5000,
    ],
)
def test_what_is_no_snapshot_is_refused_with_its_name(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "snapshot.json"
    file.write_bytes(raw)
    with pytest.raises(UsageError, match=r"snapshot\.json"):
        read_config_snapshot(file)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_change_of_a_snapshot_gives_an_estate_or_a_usage_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document = copy.deepcopy(SNAPSHOT)
    waiting, places = [document], []
    while waiting:
        one = waiting.pop()
        for key in list(one) if isinstance(one, dict) else range(len(one)):
            places.append((one, key))
            if isinstance(one[key], (dict, list)):
                waiting.append(one[key])
    whole, key = places[data.draw(st.integers(0, len(places) - 1))]
    whole[key] = data.draw(st.sampled_from([None, 5, "text", [], {}, [5], {"a": 5}, True, "2026"]))
    file = tmp_path_factory.mktemp("config") / "snapshot.json"
    try:
        audit_estate(read(document, file))
    except UsageError:
        return
