"""What the local cloud remembers of moto's is what moto works out each time."""

from __future__ import annotations

from typing import Any

import pytest
from moto.core import responses, serialize, utils
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from nospof.localcloud import remembered
from nospof.localcloud.policies import like


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Install it for a test; return what moto does without it."""
    places = (
        (responses, "method_names_from_class"),
        (serialize.XFormedAttributePicker, "get_possible_keys"),
    )
    found = {name: getattr(owner, name) for owner, name in places}
    for owner, name in places:
        monkeypatch.setattr(owner, name, found[name])
    remembered.install()
    assert all(getattr(owner, name) is not found[name] for owner, name in places)
    return found


class Instance:
    class Meta:
        serialization_aliases = {"State": "_state"}  # noqa: RUF012 - as moto writes them


def test_each_kind_of_object_has_the_names_that_moto_works_out_for_it(before):
    shapes = utils.get_service_model("ec2").operation_model("DescribeInstances").output_shape
    instance = shapes.members["Reservations"].member.members["Instances"].member
    picker = serialize.XFormedAttributePicker()
    for _again in range(2):
        for obj in (Instance(), {}):
            for key, shape in instance.members.items():
                shape.parent = instance
                context = serialize.AttributePickerContext(obj, key, shape)
                names = list(dict.fromkeys(before["get_possible_keys"](picker, context)))
                assert list(picker.get_possible_keys(context)) == names
    nowhere = serialize.AttributePickerContext({}, "State", None)
    assert list(picker.get_possible_keys(nowhere)) == list(before["get_possible_keys"](picker, nowhere))[:2]
    context = serialize.AttributePickerContext(Instance(), "State", instance.members["State"])
    assert next(iter(picker.get_possible_keys(context))) == "_state"


def test_each_class_has_its_own_methods(before):
    from moto.ec2.responses import EC2Response
    from moto.elbv2.responses import ELBV2Response

    for _again in range(2):
        for kind in (EC2Response, ELBV2Response):
            assert responses.method_names_from_class(kind) == before["method_names_from_class"](kind)


def test_each_host_stands_for_its_service_and_an_unknown_one_for_none():
    ours, motos = (kind(create_backend_app) for kind in (remembered.Dispatcher, DomainDispatcherApplication))
    for host in (
        "ec2.us-east-1.amazonaws.com",
        "elasticloadbalancing.eu-west-1.amazonaws.com",
        "ec2",
        "nix",
        None,
    ):
        for _again in range(2):
            assert ours.get_backend_for_host(host) == motos.get_backend_for_host(host), host


@pytest.mark.parametrize(
    ("value", "pattern", "is_like"),
    [
        ("ec2:a", "ec2:*", True),
        ("ec2:a", "ec2:?", True),
        ("ec2:ab", "ec2:?", False),
        ("a+", "a+", True),
        ("aa", "a+", False),
    ],
)
def test_a_pattern_means_the_same_each_time(value, pattern, is_like):
    assert [like(value, pattern) for _again in range(2)] == [is_like, is_like]
