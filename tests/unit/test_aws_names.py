"""Every operation, parameter and field the adapter names exists in botocore's own models."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from nospof.adapters import aws
from nospof.ports.cloud import Cloud

FOLDER = Path(aws.__file__).parent
SERVICES = {
    "ec2": ("ec2",),
    "elasticloadbalancing": ("elbv2", "elb"),
    "autoscaling": ("autoscaling",),
    "sts": ("sts",),
}
"""botocore's services by the prefix of their actions, which two generations of balancers share."""
EVERY_SERVICE = tuple(one for each in SERVICES.values() for one in each)
FIELD_FILES = ("machines.py", "images.py", "network.py", "balancing.py", "connection.py")
NOT_OF_BOTOCORE = {"PaginationConfig", "PageSize"}


@cache
def model(service):
    return botocore.session.Session().get_service_model(service)


@cache
def operations(service):
    return {xform_name(name): model(service).operation_model(name) for name in model(service).operation_names}


@cache
def every_field():
    """Return every member name of every shape of the services."""
    return {
        member
        for service in EVERY_SERVICE
        for name in model(service).shape_names
        for member in getattr(model(service).shape_for(name), "members", {})
    }


def trees():
    return [(path.name, ast.parse(path.read_text())) for path in sorted(FOLDER.glob("*.py"))]


def client_calls():
    """Yield (file, service, method, keywords) of each `self.<service>.<method>(...)` and paginator."""
    for name, tree in trees():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            call, target = node, node.func.value
            if node.func.attr == "paginate" and isinstance(target, ast.Call):
                method = target.args[0].value
                client = target.func.value
            else:
                method, client = node.func.attr, target
            if isinstance(client, ast.Attribute) and client.attr in EVERY_SERVICE:
                keywords = {keyword.arg for keyword in call.keywords if keyword.arg}
                yield name, client.attr, method, keywords


CALLS = [call for call in client_calls() if call[2] not in ("get_paginator",)]


def test_the_calls_are_found():
    assert {"describe_instances", "run_instances", "create_image", "register_targets"} <= {
        method for _, _, method, _ in CALLS
    }


@pytest.mark.parametrize(("file", "service", "method", "keywords"), CALLS)
def test_a_call_and_its_parameters_exist(file, service, method, keywords):
    assert method in operations(service), f"{file}: {service} has no {method}"
    known = set(operations(service)[method].input_shape.members) | NOT_OF_BOTOCORE
    assert keywords <= known


@pytest.mark.parametrize(
    "action",
    sorted(
        {
            node.value
            for _, tree in trees()
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.partition(":")[0] in SERVICES
            and node.value.partition(":")[2].isalpha()
        }
    ),
)
def test_an_action_named_in_an_error_exists(action):
    service, _, operation = action.partition(":")
    assert any(operation in model(one).operation_names for one in SERVICES[service])


def field_names(tree):
    """Yield the texts that look like AWS fields: keys of answers and of parameters."""
    for node in ast.walk(tree):
        keys = []
        if isinstance(node, ast.Subscript):
            keys = [node.slice]
        elif isinstance(node, ast.Dict):
            keys = node.keys
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            keys = node.args[:1]
        for key in keys:
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value[:1].isupper():
                yield key.value


@pytest.mark.parametrize(
    "field", sorted({name for file, tree in trees() if file in FIELD_FILES for name in field_names(tree)})
)
def test_a_field_exists_in_some_shape(field):
    assert field in every_field() | NOT_OF_BOTOCORE


@pytest.mark.parametrize("method", [name for name in vars(Cloud) if name[0] != "_"])
def test_the_adapter_has_the_methods_of_the_port(method):
    ours, theirs = getattr(aws.AwsCloud, method), getattr(Cloud, method)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
