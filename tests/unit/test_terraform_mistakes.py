"""Files that are no plan and no state, or broken ones: one clear sentence with the place, no traceback."""

from __future__ import annotations

import copy
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nospof.adapters.iac.terraform import read_terraform
from nospof.errors import UsageError
from nospof.model.estate import Estate
from support.terraform_plans import plan, planned, read

GOOD = plan(
    planned("aws_subnet.a", availability_zone="eu-west-1a"),
    planned("aws_instance.web[0]", ami="ami-1", root_block_device=[{"device_name": "/dev/xvda"}]),
    planned("aws_elb.front", name="front", unknown={"subnets": [True], "instances": [True]}),
    planned("aws_db_instance.store", identifier="store", multi_az=True),
    modules={"module.a": [planned("module.a.aws_instance.web[0]", ami="ami-1")]},
    references={"aws_elb.front": {"subnets": ["aws_subnet.a.id"], "instances": ["aws_instance.web"]}},
)
ROOT = ("planned_values", "root_module")


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The good plan with one place replaced."""
    document = copy.deepcopy(GOOD)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


def text_of(document: Any) -> str:
    return json.dumps(document)


TEXTS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty"),
    "blanks": (" \n\t\n", "is empty"),
    "truncated": (text_of(GOOD)[:-200], "line 1"),
    "truncated at a key": ('{"format_version": "1.2",\n"planned_values"', "line 2"),
    "trailing comma": ('{"format_version": "1.2",\n}', "line 2"),
    "two documents": (text_of(GOOD) + "\n{}", "line 2"),
    "a binary plan": (b"PK\x03\x04\x14\x00", "terraform show -json"),
    "not text": (b"\x80\x81\x82\xff" * 20, "plan.json"),
    "zero bytes": (b"\x00" * 64, "plan.json"),
    "the log of plan -json": ('{"@level":"info","@message":"x"}\n{"@level":"info"}', "not the plan"),
    "colours": ("\x1b[0m\x1b[1mPlan:\x1b[0m 1 to add", "colour codes"),
    "what a person sees": ("Terraform will perform the following actions:\n", "not JSON"),
    "a warning before the plan": ("Warning: x\n" + text_of(GOOD), "the plan begins here"),
    "a list": ("[]", "one JSON object"),
    "a text": ('"plan"', "plan.json"),
    "a number": ("7", "plan.json"),
    "null": ("null", "plan.json"),
    "an empty object": ("{}", "neither a Terraform plan nor a state"),
    "nan": ('{"format_version": NaN}', "plan.json"),
    "deep brackets": ("[" * 100_000, "plan.json"),
    "deep objects": ('{"planned_values":' * 50_000 + "1" + "}" * 50_000, "plan.json"),
    "a template of CloudFormation": ('{"AWSTemplateFormatVersion": "2010-09-09"}', "CloudFormation"),
    "the providers' schemas": ('{"provider_schemas": {}}', "schemas"),
    "the answer of validate": ('{"diagnostics": [], "valid": true}', "validate"),
    "a snapshot of AWS Config": ('{"configurationItems": []}', "AWS Config"),
    "an answer of AWS": ('{"Reservations": []}', "AWS CLI"),
    "a state of format 2": ('{"version": 2, "resources": []}', "format 2"),
    "a state of format 9": ('{"version": 9, "resources": []}', "format 9"),
    "a state whose version is a text": ('{"version": "4", "resources": []}', "format '4'"),
    "a state without a type": ('{"version": 4, "resources": [{"name": "x"}]}', "resources[0].type"),
    "a state with null for a resource": ('{"version": 4, "resources": [7]}', "resources[0]"),
    "an index that is a list": (
        '{"version": 4, "resources": [{"type": "a", "name": "x", "instances": [{"index_key": []}]}]}',
        "index_key",
    ),
    "an old state with a wrong name": (
        '{"version": 3, "modules": [{"path": ["root"], "resources": {"x": {"primary": {"id": "1"}}}}]}',
        "modules[0].resources.x",
    ),
    "an old state whose modules are no list": ('{"version": 3, "modules": {"a": 1}}', "modules"),
}
PLACES: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "no version": (("format_version",), None, "format_version"),
    "a version of the future": (("format_version",), "2.0", "'2.0'"),
    "a version that is a number": (("format_version",), 1.2, "format_version 1.2"),
    "planned values that are a list": (("planned_values",), [1], "planned_values"),
    "a module that is a text": ((*ROOT,), "x", "planned_values.root_module"),
    "resources that are an object": ((*ROOT, "resources"), {"a": 1}, "root_module.resources"),
    "a resource that is null": ((*ROOT, "resources", 0), None, "resources[0]"),
    "a resource that is a text": ((*ROOT, "resources", 0), "aws_instance.web", "resources[0]"),
    "a type that is a number": ((*ROOT, "resources", 0, "type"), 7, "resources[0].type"),
    "a name that is missing": ((*ROOT, "resources", 0, "name"), None, "resources[0].name"),
    "an index that is a switch": ((*ROOT, "resources", 1, "index"), True, "resources[1].index"),
    "values that are a list": ((*ROOT, "resources", 0, "values"), [1], "resources[0].values"),
    "an address twice": ((*ROOT, "resources", 0, "address"), "aws_instance.web[0]", "a second time"),
    "children that are a text": ((*ROOT, "child_modules"), "x", "child_modules"),
    "a child that is a number": ((*ROOT, "child_modules", 0), 7, "child_modules[0]"),
    "an attribute that is an object": (
        (*ROOT, "resources", 0, "values", "availability_zone"),
        {"a": 1},
        "aws_subnet.a.availability_zone",
    ),
    "a block that is a text": (
        (*ROOT, "resources", 1, "values", "root_block_device"),
        "x",
        "aws_instance.web[0].root_block_device",
    ),
    "a block in a list that is a number": (
        (*ROOT, "resources", 1, "values", "root_block_device"),
        [7],
        "aws_instance.web[0].root_block_device[0]",
    ),
    "changes that are an object": (("resource_changes",), {"a": 1}, "resource_changes"),
    "a change that is a number": (("resource_changes", 0), 7, "resource_changes[0]"),
    "a configuration that is a list": (("configuration",), [1], "configuration"),
    "a prior state that is a text": (("prior_state",), "x", "prior_state"),
}


@pytest.mark.parametrize(("content", "says"), TEXTS.values(), ids=TEXTS.keys())
def test_c96_a_file_of_another_kind_is_told_by_name_and_place(
    tmp_path: Path, content: str | bytes, says: str
) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as refused:
        read_terraform(file)
    assert says in str(refused.value)
    assert "plan.json" in str(refused.value)


@pytest.mark.parametrize(("path", "value", "says"), PLACES.values(), ids=PLACES.keys())
def test_a_wrong_place_is_told_by_its_path(
    tmp_path: Path, path: tuple[Any, ...], value: Any, says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, changed(path, value))
    assert says in str(refused.value)


@pytest.mark.parametrize("name", ["main.tf", "main.tf.json"])
def test_the_language_itself_is_answered_with_the_command(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text('resource "aws_instance" "web" {}')
    with pytest.raises(UsageError, match="terraform show -json"):
        read_terraform(file)


def test_a_directory_of_terraform_files_is_answered_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("")
    with pytest.raises(UsageError, match="terraform plan -out"):
        read_terraform(tmp_path)


def test_modules_that_name_each_other_end(tmp_path: Path) -> None:
    inner: dict[str, Any] = {"resources": []}
    call = {"module": inner, "expressions": {"x": {"references": ["var.x"]}}}
    inner["module_calls"] = {"a": {"module": {}, "expressions": {"x": {"references": ["module.a.x"]}}}}
    document = changed(("configuration", "root_module", "module_calls"), {"a": call})
    assert isinstance(read(tmp_path, document), Estate)


def test_a_plan_of_fifty_megabytes_is_read_in_bounded_time(tmp_path: Path) -> None:
    document = copy.deepcopy(GOOD)
    filler = "x" * 2_000
    document["planned_values"]["root_module"]["resources"] += [
        planned(f"aws_cloudwatch_log_group.l[{number}]", name=filler) for number in range(25_000)
    ]
    began = time.monotonic()
    estate = read(tmp_path, document)
    assert len(estate.of("instance")) == 2
    # Not a figure: a reader that squares the number of resources would take an hour.
    assert time.monotonic() - began < 120


LEAVES = st.sampled_from([None, True, False, 0, -1, 1.5, "", "x", [], {}, [None], {"a": None}, ["x"], [[]]])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, part in value.items():
            found += places(part, (*path, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            found += places(part, (*path, number))
    return found


EVERY_PLACE = places(GOOD)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), leaves=st.lists(LEAVES, min_size=1, max_size=4))
def test_whatever_is_broken_in_a_plan_it_is_an_estate_or_a_clear_refusal(
    tmp_path: Path, seed: int, leaves: list[Any]
) -> None:
    document = copy.deepcopy(GOOD)
    choose = random.Random(seed)  # noqa: S311 (no secret)
    for leaf in leaves:
        path = choose.choice(EVERY_PLACE)
        place: Any = document
        try:
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = copy.deepcopy(leaf)
        except (KeyError, IndexError, TypeError):
            continue
    assert isinstance(read_or_refused(tmp_path, document), (Estate, UsageError))


def read_or_refused(directory: Path, document: Any) -> Estate | UsageError:
    try:
        return read(directory, document)
    except UsageError as refused:
        return refused
