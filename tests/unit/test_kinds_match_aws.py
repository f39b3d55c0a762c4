"""Every kind against AWS's own models: its call, where its rows stand, and each field that is read."""

from __future__ import annotations

import functools
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import Shape
from botocore.validate import ParamValidator

from nospof.model.kinds import ASKED, Kind
from nospof.model.kinds.additions import ADDITIONS, Addition

EVERY_KIND = pytest.mark.parametrize("kind", ASKED.values(), ids=lambda kind: kind.name)
EVERY_ADDITION = pytest.mark.parametrize("addition", ADDITIONS, ids=lambda one: one.what)


@functools.cache
def session() -> Any:
    return botocore.session.Session()


@functools.cache
def service(name: str) -> Any:
    return session().get_service_model(name)


def operation(call: str) -> Any:
    name, _, wanted = call.partition(":")
    return service(name).operation_model(wanted)


def entered(shape: Shape) -> Shape:
    """Return the shape inside lists."""
    while shape.type_name == "list":
        shape = shape.member
    return shape


def walked(shape: Shape | None, path: str) -> Shape | None:
    """Return the shape at a path, lists entered silently; None where there is none."""
    for part in path.split(".") if path else ():
        if shape is None:
            return None
        shape = entered(shape)
        if shape.type_name == "map":
            shape = shape.value
        elif shape.type_name == "structure":
            shape = shape.members.get(part)
        else:
            return None
    return shape


def row_of(kind: Kind) -> Shape | None:
    found = walked(operation(kind.call).output_shape, kind.rows)
    return entered(found) if found is not None else None


def wrong_paths(kind: Kind) -> list[str]:
    """Return the paths of a kind that AWS's answer does not have."""
    row = row_of(kind)
    if row is not None and row.type_name != "structure":
        # A list of names: the reader keeps each under the kind's id.
        return sorted({path for path in kind.paths if path not in ("Tags", kind.id, kind.parent)})
    own = {"Tags", kind.parent}
    return sorted(path for path in kind.paths if path not in own and walked(row, path) is None)


@EVERY_KIND
def test_its_call_is_one_of_aws_and_changes_nothing(kind: Kind) -> None:
    assert operation(kind.call).name.startswith(("Describe", "Get", "List"))


@EVERY_KIND
def test_its_rows_are_in_the_answer(kind: Kind) -> None:
    assert row_of(kind) is not None


@EVERY_KIND
def test_every_field_it_reads_is_in_the_rows(kind: Kind) -> None:
    assert wrong_paths(kind) == []


@EVERY_KIND
def test_its_arguments_are_such_as_the_call_takes(kind: Kind) -> None:
    model = operation(kind.call)
    arguments = dict(kind.fixed)
    if kind.per:
        arguments[kind.argument] = "an-id-of-some-length" if kind.batch == 1 else ["an-id-of-some-length"]
        arguments.update((argument, "an-id-of-some-length") for argument, _ in kind.passes)
    arguments = {key: list(value) if isinstance(value, tuple) else value for key, value in arguments.items()}
    problems = (
        [
            one
            for one in ParamValidator().validate(arguments, model.input_shape)._errors
            if one[0] != "invalid length"
        ]
        if model.input_shape is not None
        else list(arguments)
    )
    assert problems == []


@pytest.mark.parametrize("kind", ["listed certificate", "listed edge certificate"])
def test_certificates_of_every_type_of_key_are_asked_for(kind: str) -> None:
    known = walked(operation(ASKED[kind].call).input_shape, "Includes.keyTypes")
    assert known is not None
    assert list(dict(ASKED[kind].fixed)["Includes"]["keyTypes"]) == entered(known).enum  # type: ignore[index]


@EVERY_KIND
def test_its_parent_comes_before_it(kind: Kind) -> None:
    assert bool(kind.per) == bool(kind.argument)
    assert kind.parent == "" or kind.batch == 1
    if kind.per:
        assert ASKED[kind.per].call != kind.call
        taken = {kind.takes or ASKED[kind.per].id, *(path for _, path in kind.passes)}
        assert taken <= ASKED[kind.per].paths or "+" in ASKED[kind.per].id


@EVERY_KIND
def test_its_answer_is_read_to_the_last_page(kind: Kind) -> None:
    name, _, wanted = kind.call.partition(":")
    has_token = walked(operation(kind.call).output_shape, "NextToken") is not None
    paginators = session().get_paginator_model(name)
    try:
        paginators.get_paginator(wanted)
    except ValueError:
        assert not has_token, f"{xform_name(wanted)} answers in pages that nobody reads on"


PREFIXES = {"cloudwatch": "cloudwatch", "resourcegroupstaggingapi": "tag"}
"""Where IAM's prefix is not what the service signs as."""


def prefix_of(call: str) -> str:
    name = call.partition(":")[0]
    return PREFIXES.get(name, service(name).signing_name)


@EVERY_KIND
def test_it_says_which_permission_it_needs(kind: Kind) -> None:
    prefix, _, action = (kind.action or kind.call).partition(":")
    assert action
    assert prefix == prefix_of(kind.call)


@EVERY_ADDITION
def test_an_addition_is_a_call_of_aws_that_tells_its_field(addition: Addition) -> None:
    model = operation(addition.call)
    assert walked(model.input_shape, addition.argument).type_name == "list"  # type: ignore[union-attr]
    rows = walked(model.output_shape, addition.rows)
    assert walked(rows, addition.key) is not None
    assert walked(rows, addition.field) is not None
    assert ASKED[addition.kind].per == ""
    assert addition.action.partition(":")[0] == prefix_of(addition.call)
    if index := addition.index:
        model = operation(index.call)
        assert dict(index.fixed).keys() <= model.input_shape.members.keys()
        rows = walked(model.output_shape, index.rows)
        assert walked(rows, index.key) is not None
        assert walked(rows, addition.field) is not None
        assert index.action == f"{prefix_of(index.call)}:{model.name}"


@pytest.mark.parametrize(
    "wrong",
    [
        Kind("x", "ec2:DescribeInstances", "Reservations.Instances", "InstanceId", ("Placement.Zone",)),
        Kind("x", "ec2:DescribeInstances", "Reservations.Instances", "Id"),
        Kind("x", "ec2:DescribeInstances", "Reservations.Instances", "InstanceId", keys=("Arn",)),
    ],
)
def test_a_wrong_name_would_be_found(wrong: Kind) -> None:
    assert wrong_paths(wrong)
