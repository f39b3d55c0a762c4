"""Templates become estates: functions are evaluated, and what nobody could tell is said."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from nospof.adapters.iac.cloudformation import read_parameters_file, read_template
from nospof.adapters.iac.cloudformation.loading import parse
from nospof.model.estate import UNKNOWN
from nospof.model.kinds import KINDS
from support.cloudformation_templates import (
    FIXTURES,
    read_fixture,
    read_resources,
    read_text_as_template,
)

REGION = {"Ref": "AWS::Region"}


def alarm_name(value: Any, **sections: Any) -> Any:
    """What a value becomes, seen in a field of an alarm."""
    resources = {
        "Seen": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": value}},
        "Machine": {"Type": "AWS::EC2::Instance", "Properties": {"AvailabilityZone": "eu-west-1b"}},
    }
    found = read_resources(resources, **sections).find("alarm", "Seen")
    assert found is not None
    return found.at("MetricName")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Machine"}, "Machine"),
        ({"Ref": "Given"}, "two"),
        ({"Fn::GetAtt": ["Machine", "PrivateDnsName"]}, "Machine"),
        ({"Fn::GetAtt": "Machine.AvailabilityZone"}, "eu-west-1b"),
        ({"Fn::Sub": "a-${Given}-${!Kept}-${Machine.PublicIp}"}, "a-two-${Kept}-Machine"),
        ({"Fn::Sub": ["${Own}${Given}", {"Own": {"Ref": "Machine"}}]}, "Machinetwo"),
        ({"Fn::Join": ["-", ["a", 1, True, {"Ref": "Given"}]]}, "a-1-true-two"),
        ({"Fn::Join": ["", ["a", {"Ref": "AWS::NoValue"}, "b"]]}, "ab"),
        ({"Fn::Select": ["1", {"Ref": "Many"}]}, "b"),
        ({"Fn::Select": [2, {"Fn::GetAZs": ""}]}, "az[2]"),
        ({"Fn::Select": [0, {"Ref": "NotGiven"}]}, "NotGiven[0]"),
        ({"Fn::Select": [1, {"Fn::Split": ["/", "a/b/c"]}]}, "b"),
        ({"Fn::FindInMap": ["Map", "one", "two"]}, "three"),
        ({"Fn::FindInMap": ["Map", REGION, "two"]}, UNKNOWN),
        ({"Fn::FindInMap": ["Map", "none", "two", {"DefaultValue": "x"}]}, UNKNOWN),
        ({"Fn::If": ["Yes", "a", {"Ref": "AWS::NoValue"}]}, "a"),
        ({"Fn::If": ["No", "a", {"Ref": "AWS::NoValue"}]}, None),
        ({"Fn::If": ["Perhaps", "a", "b"]}, UNKNOWN),
        ({"Fn::If": ["Perhaps", "a", "a"]}, "a"),
        ({"Fn::If": ["Both", "a", "b"]}, "b"),
        ({"Fn::If": ["Either", "a", "b"]}, "a"),
        ({"Fn::If": ["Not", "a", "b"]}, "b"),
        ({"Fn::Base64": "a"}, "a"),
        ({"Ref": "Secret"}, UNKNOWN),
        ({"Fn::Join": ["", ["a", {"Ref": "Secret"}]]}, UNKNOWN),
        ("{{resolve:ssm:/name:1}}", UNKNOWN),
        ({"Fn::Transform": {"Name": "AWS::Include"}}, UNKNOWN),
    ],
)
def test_functions_are_evaluated(value: Any, expected: Any) -> None:
    found = alarm_name(
        value,
        Parameters={
            "Given": {"Type": "String", "Default": "two"},
            "Many": {"Type": "CommaDelimitedList", "Default": "a, b"},
            "NotGiven": {"Type": "List<AWS::EC2::Subnet::Id>"},
            "Secret": {"Type": "String"},
        },
        Mappings={"Map": {"one": {"two": "three"}}},
        Conditions={
            "Yes": {"Fn::Equals": [{"Ref": "Given"}, "two"]},
            "No": {"Fn::Equals": [{"Ref": "Given"}, "three"]},
            "Perhaps": {"Fn::Equals": [REGION, "eu-west-1"]},
            "Both": {"Fn::And": [{"Condition": "Perhaps"}, {"Condition": "No"}]},
            "Either": {"Fn::Or": [{"Condition": "Perhaps"}, {"Condition": "Yes"}]},
            "Not": {"Fn::Not": [{"Condition": "Yes"}]},
        },
    )
    assert found is UNKNOWN if expected is UNKNOWN else found == expected


def test_c97_short_and_long_forms_of_functions_mean_the_same() -> None:
    short = "Resources:\n  A: {Type: 'AWS::SNS::Topic'}\n  B: {Type: 'AWS::CloudWatch::Alarm', Properties: "
    one = read_text_as_template(short + "{MetricName: !GetAtt A.TopicName, Namespace: !Sub '${A}'}}")
    other = read_text_as_template(
        short + "{MetricName: {'Fn::GetAtt': [A, TopicName]}, Namespace: {'Fn::Sub': '${A}'}}}"
    )
    assert one.of("alarm")[0].fields == other.of("alarm")[0].fields
    assert one.of("alarm")[0].fields["MetricName"] == "A"


def test_dates_stay_texts_and_leading_zeros_stay() -> None:
    document, _ = parse("A: 2010-09-09\nB: 012345678901\nC: !Ref 007\nD: 1\nE: yes\n", "t")
    assert document == {"A": "2010-09-09", "B": "012345678901", "C": {"Ref": "007"}, "D": 1, "E": True}


def test_c97_a_resource_whose_condition_is_false_does_not_exist() -> None:
    conditions = {"No": {"Fn::Equals": ["a", "b"]}, "Perhaps": {"Fn::Equals": [REGION, "eu-west-1"]}}
    machine = {"Type": "AWS::EC2::Instance"}
    estate = read_resources(
        {"A": machine, "B": {**machine, "Condition": "No"}, "C": {**machine, "Condition": "Perhaps"}},
        Conditions=conditions,
    )
    assert [one.id for one in estate.of("instance")] == ["A", "C"]
    assert [one.kind for one in estate.unread] == ["resource C"]
    given = read_text_as_template(
        json.dumps({"Resources": {"C": {**machine, "Condition": "Perhaps"}}, "Conditions": conditions}),
        **{"AWS::Region": "us-east-1"},
    )
    assert given.of("instance") == ()
    assert given.region == "us-east-1"


@pytest.mark.parametrize("name", sorted(file.name for file in FIXTURES.iterdir()))
def test_the_order_of_a_template_changes_nothing(name: str) -> None:
    text = (FIXTURES / name).read_text()
    document, _ = parse(text, name)
    expected = read_fixture(name)
    for seed in range(3):
        shuffled = list(document["Resources"].items())
        random.Random(seed).shuffle(shuffled)  # noqa: S311 (an order, not a secret)
        found = read_text_as_template(json.dumps({**document, "Resources": dict(shuffled)}))
        assert {k: [(i.id, i.fields) for i in v] for k, v in found.items.items()}.keys() == (
            expected.items.keys()
        )
        for kind, items in expected.items.items():
            assert [(one.id, one.fields) for one in found.of(kind)] == [(one.id, one.fields) for one in items]
        assert (found.uses, found.unread, found.assumptions) == (
            expected.uses,
            expected.unread,
            expected.assumptions,
        )


def test_a_template_reads_the_same_in_utf_16_and_with_a_byte_order_mark() -> None:
    text = (FIXTURES / "shop-with-database.yaml").read_text()
    expected = [one.id for one in read_text_as_template(text).of("database")]
    for encoding in ("utf-16", "utf-8-sig"):
        assert [one.id for one in read_text_as_template(text.encode(encoding)).of("database")] == expected


def test_every_item_names_its_line() -> None:
    estate = read_fixture("shop-with-database.yaml")
    lines = (FIXTURES / "shop-with-database.yaml").read_text().splitlines()
    for items in estate.items.values():
        for one in items:
            assert lines[one.location.line - 1].strip() == f"{one.id}:"


def test_nothing_that_may_be_secret_is_kept() -> None:
    estate = read_resources(
        {
            "Db": {"Type": "AWS::RDS::DBInstance", "Properties": {"MasterUserPassword": "hunter2"}},
            "Fn": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Environment": {"Variables": {"TOKEN": "hunter2", "HOST": "db.example.com"}}},
            },
            "Web": {"Type": "AWS::EC2::Instance", "Properties": {"UserData": "hunter2"}},
            "Lt": {
                "Type": "AWS::EC2::LaunchTemplate",
                "Properties": {"LaunchTemplateData": {"ImageId": "ami-1", "UserData": "hunter2"}},
            },
        }
    )
    assert "hunter2" not in repr([one.fields for items in estate.items.values() for one in items])
    assert estate.of("function")[0].at("Environment.Variables")["HOST"] == "db.example.com"


def test_a_database_is_in_one_zone_unless_it_says_otherwise() -> None:
    estate = read_resources({"Db": {"Type": "AWS::RDS::DBInstance"}})
    assert estate.of("database")[0].flag("MultiAZ") is False


def test_a_cache_has_one_primary_a_shard_and_its_replicas_in_the_zones_it_names() -> None:
    (cache,) = read_fixture("many-kinds.yaml").of("cache")
    (shard,) = cache.rows("NodeGroups")
    members = shard.rows("NodeGroupMembers")
    assert [one.text("CurrentRole") for one in members] == ["primary", "replica"]
    assert [one.text("PreferredAvailabilityZone") for one in members] == ["eu-west-1a", "eu-west-1b"]


def test_an_unknown_type_is_named_and_a_harmless_one_is_not() -> None:
    estate = read_resources(
        {
            "A": {"Type": "AWS::Braket::Thing"},
            "B": {"Type": "AWS::IAM::Role"},
            "C": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x"}},
            "D": {"Type": "Custom::Maker"},
            "E": {"Type": "AWS::EC2::VPC"},
            "Fn::ForEach::Loop": ["X", ["1"], {}],
        },
        Transform="AWS::Serverless-2016-10-31",
    )
    assert {one.about for one in estate.unread} == {"A", "C", "D", "Fn::ForEach::Loop", ""}


def test_routes_and_subnets_are_gathered_into_their_table() -> None:
    estate = read_fixture("network-only.yaml", Number="3", Zones="eu-west-1a,eu-west-1b,eu-west-1c")
    tables = estate.of("route table")
    assert len(tables) == 3
    for number, table in enumerate(tables):
        assert [row.text("NatGatewayId") for row in table.rows("Routes")] == [f"Out{number}"]
        assert [row.text("SubnetId") for row in table.rows("Associations")] == [f"Web{number}"]
    assert len(read_fixture("network-only.yaml").of("NAT gateway")) == 2


def test_an_address_and_a_disk_are_bound_wherever_that_is_said() -> None:
    estate = read_fixture("machine-on-an-interface.yaml")
    assert estate.of("address")[0].text("NetworkInterfaceId") == "Card"
    more = read_resources(
        {
            "Pet": {"Type": "AWS::EC2::Instance"},
            "Disk": {"Type": "AWS::EC2::Volume", "Properties": {"AvailabilityZone": "a"}},
            "Link": {
                "Type": "AWS::EC2::VolumeAttachment",
                "Properties": {
                    "InstanceId": {"Ref": "Pet"},
                    "VolumeId": {"Ref": "Disk"},
                    "Device": "/dev/sdf",
                },
            },
        }
    )
    disks = [row.text("Ebs.VolumeId") for row in more.of("instance")[0].rows("BlockDeviceMappings")]
    assert disks == ["Pet:/dev/xvda", "Disk"]


def test_parameters_come_from_a_list_or_a_mapping(tmp_path: Path) -> None:
    expected = {"A": "1", "B": "x,y"}
    listed = [{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "ParameterValue": "x,y"}]
    for number, content in enumerate((listed, {"A": 1, "B": ["x", "y"]}, {"Parameters": expected})):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(content))
        assert read_parameters_file(file) == expected
    file = tmp_path / "p.yaml"
    file.write_text(yaml.safe_dump(expected))
    assert read_parameters_file(file) == expected


def test_a_parameter_that_was_not_given_is_an_assumption() -> None:
    said = read_fixture("network-only.yaml").assumptions
    assert any("Zones" in one for one in said)
    twice = read_fixture("network-only.yaml", Zones="eu-west-1a,eu-west-1a").assumptions
    assert "parameter Zones names eu-west-1a more than once" in twice


def test_every_field_of_an_item_is_one_that_its_kind_declares() -> None:
    for file in FIXTURES.iterdir():
        for items in read_template(file, {}).items.values():
            for one in items:
                assert set(one.fields) <= KINDS[one.kind.name].paths, (file.name, one.id)
