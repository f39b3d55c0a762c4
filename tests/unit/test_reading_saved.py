"""Accounts in files: what is saved is what was read, and a wrong file is told by its name."""

from __future__ import annotations

import json
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nospof.adapters.saved.account import MANIFEST, SavingDiscovery, file_name
from nospof.adapters.saved.files import MAX_DEPTH, read_json, read_text
from nospof.adapters.saved.opening import open_saved
from nospof.errors import UsageError
from nospof.model.estate import Estate
from nospof.model.kinds import ASKED
from nospof.services.reading import read_estate
from support.audit_accounts import Pair
from support.memory_discovery import MemoryDiscovery
from support.scripted_discovery import ScriptedDiscovery, balancer, many

NOW = 1_800_000_000.0


def told(estate: Estate) -> str:
    items = {
        name: [(one.id, one.call, one.label, one.fields) for one in each]
        for name, each in estate.items.items()
    }
    rest = (estate.source, estate.account, estate.region, estate.read_at, estate.unread, estate.assumptions)
    return json.dumps([items, repr(rest)])


def replayed(directory: Path) -> Estate:
    saved = open_saved([directory])
    return read_estate(saved, saved.read_at)


# What nospof has saved --------------------------------------------------------------------------------


CALLS = sorted({one.call for one in ASKED.values()})


@settings(max_examples=15, deadline=None)
@given(st.sets(st.sampled_from(CALLS), max_size=4), st.integers(0, 3))
def test_a_replay_gives_the_same_estate_refusals_included(
    tmp_path_factory: pytest.TempPathFactory, refused: set[str], balancers: int
) -> None:
    directory = tmp_path_factory.mktemp("saved")
    discovery = ScriptedDiscovery(many(balancers), dict.fromkeys(refused, "AccessDenied"))
    live = read_estate(SavingDiscovery(discovery, directory, NOW), NOW)
    assert told(replayed(directory)) == told(live)


def test_a_replay_of_a_pair_gives_the_same_estate(tmp_path: Path) -> None:
    pair = Pair()
    pair.cloud.announce(pair.ids[0])
    pair.cloud.deny("volumes")
    live = read_estate(SavingDiscovery(MemoryDiscovery(pair.cloud), tmp_path / "new", NOW), NOW)
    assert told(replayed(tmp_path / "new")) == told(live)
    assert len(live.unread) == 1


def test_what_is_saved_is_for_its_owner_only(tmp_path: Path) -> None:
    read_estate(SavingDiscovery(ScriptedDiscovery({}), tmp_path / "new", NOW), NOW)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "new").iterdir()}
    assert modes == {0o600}


def test_a_call_that_was_not_saved_is_unread_not_empty(tmp_path: Path) -> None:
    read_estate(SavingDiscovery(ScriptedDiscovery({}), tmp_path, NOW), NOW)
    (tmp_path / file_name("ec2:DescribeAddresses", {}, False)).unlink()
    assert [(one.kind, one.reason) for one in replayed(tmp_path).unread] == [
        ("addresses", "not among what was saved")
    ]


def test_nothing_is_saved_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        SavingDiscovery(ScriptedDiscovery({}), tmp_path, NOW)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "other"}, "no manifest"),
        ({"version": 2}, "version 2"),
        ({"read_at": None}, "does not say"),
    ],
)
def test_another_manifest_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    read_estate(SavingDiscovery(ScriptedDiscovery({}), tmp_path, NOW), NOW)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps({**manifest, **change}))
    with pytest.raises(UsageError, match=says):
        open_saved([tmp_path])


@pytest.mark.parametrize(
    "text", ['{"call": "other"}', '{"call": "ec2:DescribeVolumes", "arguments": {}}', "[]"]
)
def test_a_saved_answer_that_was_changed_is_refused_by_name(tmp_path: Path, text: str) -> None:
    read_estate(SavingDiscovery(ScriptedDiscovery({}), tmp_path, NOW), NOW)
    name = file_name("ec2:DescribeVolumes", {}, False)
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=name):
        replayed(tmp_path)


# What the AWS command line has printed -----------------------------------------------------------------


def write(directory: Path, **documents: Any) -> list[Path]:
    files = []
    for name, document in documents.items():
        file = directory / f"{name}.json"
        file.write_text(json.dumps(document))
        files.append(file)
    return files


def dumped(answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers of an account, each as the command line prints it, under made-up names."""
    return {f"file{number}": pages[0] for number, pages in enumerate(answers.values())}


HEALTH = {
    "TargetHealthDescriptions": [{"Target": {"Id": "i-1", "Port": 80}, "TargetHealth": {"State": "healthy"}}]
}


def test_files_are_told_apart_by_what_is_in_them_and_the_rest_is_unread(tmp_path: Path) -> None:
    write(tmp_path, **dumped(many(2)))
    estate = replayed(tmp_path)
    assert estate.account == "123456789012"
    assert estate.region == "eu-central-1"
    assert {name: len(each) for name, each in estate.items.items()} == {
        "load balancer": 2,
        "target group": 2,
        "auto scaling group": 2,
    }
    given_ = {"load balancer", "target group", "auto scaling group", "launch configuration"}
    lists = {one.plural for one in ASKED.values() if not one.per and one.name not in given_}
    assert lists <= {one.kind for one in estate.unread}
    assert {one.reason for one in estate.unread} == {"not among the files given"}
    assert not estate.is_unread(*given_), "and what the groups given do not name is not missed"


def test_an_empty_list_that_was_given_is_read_and_empty(tmp_path: Path) -> None:
    write(tmp_path, vols={"Volumes": []})
    estate = replayed(tmp_path)
    assert not estate.is_unread("volume")
    assert estate.of("volume") == ()


def test_listeners_of_several_balancers_find_theirs(tmp_path: Path) -> None:
    listeners = [
        {
            "Listeners": [
                {
                    "ListenerArn": f"{balancer(name)}/l".replace("loadbalancer", "listener"),
                    "LoadBalancerArn": balancer(name),
                }
            ]
        }
        for name in ("b000", "b001")
    ]
    write(tmp_path, **dumped(many(3)), one=listeners[0], two=listeners[1])
    estate = replayed(tmp_path)
    assert [one.text("LoadBalancerArn") for one in estate.of("listener")] == [
        balancer("b000"),
        balancer("b001"),
    ]
    assert [one.about for one in estate.unread if one.kind == "listeners"] == ["b002"]


def test_health_is_of_the_one_group_there_is(tmp_path: Path) -> None:
    write(tmp_path, **dumped(many(1)), health=HEALTH)
    (target,) = replayed(tmp_path).of("target")
    assert target.text("TargetGroupArn").endswith("targetgroup/b000-0/1")


def test_health_of_one_group_among_several_is_told_by_the_name_of_the_file(tmp_path: Path) -> None:
    files = write(tmp_path, **dumped(many(3)), health=HEALTH)
    with pytest.raises(UsageError, match=r"health\.json does not say which target group"):
        open_saved([tmp_path])
    files[-1].rename(tmp_path / "health-b001-0.json")
    estate = replayed(tmp_path)
    assert [one.text("TargetGroupArn").split("/")[1] for one in estate.of("target")] == ["b001-0"]
    assert sorted(one.about for one in estate.unread if one.kind == "targets") == ["b000", "b002"]


def test_a_list_that_was_cut_off_is_not_whole(tmp_path: Path) -> None:
    write(tmp_path, some={"Volumes": [{"VolumeId": "vol-1"}], "NextToken": "x"})
    estate = replayed(tmp_path)
    assert len(estate.of("volume")) == 1
    assert [one.reason for one in estate.unread if one.kind == "volumes"] == ["cut off by --max-items"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"InstanceId": "i-1"}]', "holds a list"),
        ('"x"', "single value"),
        ("{}", "is empty"),
        ('{"Reservation": []}', "Did you mean Reservations"),
        ('{"qqq": 1}', "begins with 'qqq'"),
        ('{"planned_values": {}}', "a Terraform plan"),
        ('{"AWSTemplateFormatVersion": "2010-09-09", "Resources": {}}', "a CloudFormation template"),
        ('{"Reservations": [\n{"Instances": [', "line 2, column 16: the file ends too early"),
        ('{"a": 1,\n "b": \'c\'}', "line 2, column 7: this is not JSON"),
        ("", "is empty; JSON was expected"),
        ('{"Volumes": NaN}', "NaN is no JSON value"),
    ],
)
def test_a_wrong_file_is_told_by_its_name(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "given.json"
    file.write_text(text)
    with pytest.raises(UsageError) as refused:
        open_saved([file])
    assert str(file) in str(refused.value)
    assert says in str(refused.value)


def test_nothing_to_read_is_told(tmp_path: Path) -> None:
    for paths, says in (([], "No files"), ([tmp_path], "no \\*.json"), ([tmp_path / "gone"], "no file")):
        with pytest.raises(UsageError, match=says):
            open_saved(paths)


def test_what_may_be_secret_is_left_out_of_what_others_give(tmp_path: Path) -> None:
    version = {
        "LaunchTemplateId": "lt-1",
        "VersionNumber": 1,
        "LaunchTemplateData": {"UserData": "aHVudGVyMg=="},
    }
    templates = {"LaunchTemplates": [{"LaunchTemplateId": "lt-1"}]}
    write(tmp_path, templates=templates, versions={"LaunchTemplateVersions": [version]})
    estate = replayed(tmp_path)
    assert len(estate.of("launch template version")) == 1
    assert "aHVudGVyMg" not in told(estate)


# Any file ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_encoding_of_unicode_is_read(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "text.json"
    file.write_bytes('{"name": "Zürich ☃"}'.encode(encoding))
    assert read_json(file) == {"name": "Zürich ☃"}


def test_what_is_no_text_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "text.json"
    file.write_bytes(b'{"name":\n "\xff"}')
    with pytest.raises(UsageError, match="line 2: this is not text in UTF-8"):
        read_text(file)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
def test_nesting_is_bounded(tmp_path: Path, opening: str, depth: int) -> None:
    file = tmp_path / "deep.json"
    file.write_text(opening * depth + "1" + {"[": "]"}.get(opening, "}") * depth)
    with pytest.raises(UsageError, match=f"more than {MAX_DEPTH} levels"):
        read_json(file)


def test_nesting_up_to_the_bound_is_read(tmp_path: Path) -> None:
    file = tmp_path / "deep.json"
    file.write_text("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert read_json(file)


def test_a_file_beyond_the_bound_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    with file.open("wb") as stream:
        stream.truncate(300 * 1024 * 1024)
    with pytest.raises(UsageError, match="300 MB"):
        read_text(file)


@pytest.mark.parametrize("name", ["gone.json", "."])
def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=str(tmp_path)):
        read_text(tmp_path / name)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_words(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_bytes(raw)
    said = str(file)
    with suppress(UsageError):
        try:
            read_json(file)
        except UsageError as error:
            said = str(error)
            raise
    assert str(file) in said
