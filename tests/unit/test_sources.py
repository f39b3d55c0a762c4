"""Files are recognised by what stands in them, whatever they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nospof.adapters.sources import kind_of, read_description
from nospof.errors import UsageError

PLAN = json.dumps({"format_version": "1.2", "planned_values": {}, "resource_changes": []})
TEMPLATE = '{"Resources": {"Web": {"Type": "AWS::EC2::Instance", "Properties": {}}}}'


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PLAN, "terraform"),
        ('{"version": 4, "terraform_version": "1.5.0", "lineage": "x", "resources": []}', "terraform"),
        ('{"version": 3, "terraform_version": "0.11.1", "modules": []}', "terraform"),
        ('{"@level":"info","@message":"Terraform 1.5.0"}\n{"@level":"info"}', "terraform"),
        ("\x1b[1mTerraform used the selected providers\x1b[0m", "terraform"),
        ("Terraform will perform the following actions:", "terraform"),
        (TEMPLATE, "template"),
        ("AWSTemplateFormatVersion: '2010-09-09'\nResources: {}\n", "template"),
        ("# a comment\nResources:\n  Web:\n    Type: AWS::EC2::Instance\n", "template"),
        ('{"fileVersion": "1.0", "configurationItems": []}', "config"),
        ('{"Reservations": []}', "answers"),
        ("", "template"),
    ],
)
def test_a_text_is_known_by_what_stands_in_it(tmp_path: Path, content: str, kind: str) -> None:
    file = tmp_path / "anything.txt"
    file.write_text(content)
    assert kind_of(file) == kind


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_plan_that_powershell_wrote_is_a_plan(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(PLAN, encoding=encoding)
    assert kind_of(file) == "terraform"


def test_a_plan_is_known_by_its_first_part_however_long_it_is(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(PLAN[:-1] + ', "prior_state": "' + "x" * 200_000 + '"}')
    assert kind_of(file) == "terraform"


@pytest.mark.parametrize(
    ("content", "kind"), [(b"PK\x03\x04rest", "terraform"), (b"\x1f\x8b\x08rest", "config")]
)
def test_files_that_are_no_text_are_known_by_their_first_bytes(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert kind_of(file) == kind


def test_a_directory_holds_answers(tmp_path: Path) -> None:
    assert kind_of(tmp_path) == "answers"
    assert read_description((tmp_path,), None) is None


def test_what_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file or directory .*plan\.json"):
        read_description((tmp_path / "plan.json",), None)


def test_a_description_is_audited_alone(tmp_path: Path) -> None:
    plan, dump = tmp_path / "plan.json", tmp_path / "dump.json"
    plan.write_text(PLAN)
    dump.write_text('{"Reservations": []}')
    with pytest.raises(UsageError, match=r"plan\.json describes a whole estate"):
        read_description((dump, plan), None)


def test_parameters_without_a_template_are_refused(tmp_path: Path) -> None:
    dump = tmp_path / "dump.json"
    dump.write_text('{"Reservations": []}')
    with pytest.raises(UsageError, match="--parameters is for a CloudFormation template"):
        read_description((dump,), tmp_path / "parameters.json")
