"""Whatever a file holds, it becomes an estate or a sentence that says where the mistake is."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nospof.adapters.iac.cloudformation import read_parameters_file, read_template
from nospof.adapters.iac.cloudformation.loading import parse
from nospof.errors import UsageError
from nospof.services.audit import audit_estate
from support.cloudformation_templates import FIXTURES, read_fixture, read_text_as_template

WEB = "Resources:\n  Web:\n    Type: AWS::EC2::Instance\n    Properties:\n      "
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MISTAKES = {
    "empty": ("", "empty"),
    "white space": (" \n ", "empty"),
    "a word": ("hello", "not a CloudFormation template"),
    "a list": ("- a\n- b\n", "a list"),
    "a number": ("5", "a single value"),
    "no resources": ("AWSTemplateFormatVersion: 2010-09-09\n", "no Resources"),
    "empty resources": ("Resources: {}\n", "no Resources"),
    "resources as list": ("Resources: [a]\n", "no Resources"),
    "a stack policy": ('{"Statement": [{"Effect": "Deny"}]}', "stack policy"),
    "truncated JSON": ('{"Resources": {"Web": {"Type": "AWS::EC2', "line 1: the file ends too early"),
    "broken JSON": ('{"Resources": {"Web": }}', "line 1: this is not JSON"),
    "truncated YAML": (WEB + "ImageId: 'ami", "not YAML"),
    "open bracket": (WEB + "Tags: [", "not YAML"),
    "tabs": ("Resources:\n\tWeb:\n\t\tType: AWS::EC2::Instance\n", "line 2"),
    "binary": (b"\x00\x01\x02\xff\xfe", "not"),
    "invalid UTF-8": (b"Resources:\n  A\xff: 1\n", "not text"),
    "unknown function": (WEB + "ImageId: !Reff X\n", "line 5: no function is called !Reff"),
    "unknown long function": (WEB + "ImageId: {'Fn::Subb': X}\n", "no function is called Fn::Subb"),
    "Ref to nothing": (WEB + "ImageId: !Ref Wep\n", "did you mean Web"),
    "Ref of a list": (WEB + "ImageId: !Ref [a]\n", "Ref takes"),
    "GetAtt of one": (WEB + "ImageId: !GetAtt Web\n", "GetAtt takes"),
    "GetAtt of nothing": (WEB + "ImageId: !GetAtt No.Arn\n", "no parameter or resource No"),
    "Select too far": (WEB + "ImageId: !Select [9, [a, b]]\n", "member 9 of a list that has 2"),
    "Select below": (WEB + "ImageId: !Select [-1, [a, b]]\n", "member -1"),
    "Select by word": (WEB + "ImageId: !Select [x, [a, b]]\n", "Select takes a number"),
    "Select of one": (WEB + "ImageId: !Select [1]\n", "has a list of 1"),
    "Select of text": (WEB + "ImageId: !Select [0, text]\n", "a list"),
    "Join of text": (WEB + "ImageId: !Join text\n", "no list"),
    "Join of three": (WEB + "ImageId: !Join ['', a, b]\n", "a list of 3"),
    "Join of no list": (WEB + "ImageId: !Join ['', {a: b}]\n", "Join takes"),
    "Split by nothing": (WEB + "ImageId: !Split ['', text]\n", "Split takes"),
    "Sub of three": (WEB + "ImageId: !Sub [a, {}, b]\n", "Sub takes"),
    "Sub of a number": (WEB + "ImageId: !Sub {a: b}\n", "Sub takes"),
    "Sub of nothing": (WEB + "ImageId: !Sub '${Nobody}'\n", "Nobody"),
    "FindInMap of two": (WEB + "ImageId: !FindInMap [a, b]\n", "FindInMap takes"),
    "FindInMap finds nothing": (WEB + "ImageId: !FindInMap [a, b, c]\n", "no a in mapping"),
    "If of two": (WEB + "ImageId: !If [a, b]\n", "If takes"),
    "If of no condition": (WEB + "ImageId: !If [a, b, c]\n", "no condition a"),
    "ImportValue of a list": (WEB + "ImageId: !ImportValue [a]\n", "ImportValue takes"),
    "condition that is not there": (
        "Resources: {A: {Type: 'AWS::SNS::Topic', Condition: No}}",
        "no condition",
    ),
    "condition as mapping": ("Resources: {A: {Type: 'AWS::SNS::Topic', Condition: {a: b}}}", "no condition"),
    "condition that is a text": (
        "Conditions: {C: text}\nResources: {A: {Type: 'AWS::SNS::Topic', Condition: C}}",
        "line 1, Conditions.C: a condition is made with",
    ),
    "circle of conditions": (
        "Conditions: {C: !Not [!Condition D], D: !Not [!Condition C]}\n"
        "Resources: {A: {Type: 'AWS::SNS::Topic', Condition: C}}",
        "depends on itself",
    ),
    "Equals of three": (
        "Conditions: {C: !Equals [a, b, c]}\nResources: {A: {Type: 'AWS::SNS::Topic', Condition: C}}",
        "Equals takes",
    ),
    "And of one": (
        "Conditions: {C: !And [a]}\nResources: {A: {Type: 'AWS::SNS::Topic', Condition: C}}",
        "And takes",
    ),
    "circle of resources": (
        "Resources:\n  A: {Type: 'AWS::EC2::Instance', Properties: {SubnetId: !Ref B}}\n"
        "  B: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: !Sub '${A}'}}\n",
        "line 2, Resources.A: these resources need each other: A -> B -> A",
    ),
    "DependsOn itself": ("Resources: {A: {Type: 'AWS::SNS::Topic', DependsOn: A}}", "A -> A"),
    "DependsOn nothing": ("Resources: {A: {Type: 'AWS::SNS::Topic', DependsOn: B}}", "not there"),
    "a zone of itself": (
        WEB + "AvailabilityZone: !GetAtt Web.AvailabilityZone\n",
        "itself",
    ),
    "twice": ("Resources:\n  A: {Type: a}\n  A: {Type: b}\n", "line 3: Resources.A stands there twice"),
    "twice in JSON": ('{"Resources": {"A": {"Type": "a"},\n "A": {"Type": "b"}}}', "line 2: Resources.A"),
    "resource as text": ("Resources:\n  A: text\n", "line 2, Resources.A: a resource is a mapping"),
    "resource without a type": ("Resources:\n  A: {Properties: {}}\n", "with a Type"),
    "type as list": ("Resources:\n  A: {Type: [a]}\n", "with a Type"),
    "properties as list": (
        "Resources: {A: {Type: 'AWS::EC2::Instance', Properties: [a]}}",
        "Properties must",
    ),
    "parameters as list": ("Parameters: [a]\nResources: {A: {Type: a}}", "Parameters is no mapping"),
    "parameter without type": ("Parameters: {P: {Default: 1}}\nResources: {A: {Type: a}}", "has no Type"),
    "default as mapping": (
        "Parameters: {P: {Type: String, Default: {a: b}}}\nResources: {A: {Type: a}}",
        "for its Default",
    ),
    "default that is no number": (
        "Parameters: {P: {Type: Number, Default: many}}\nResources: {A: {Type: a}}",
        "no number",
    ),
    "targets as text": (
        "Resources: {G: {Type: 'AWS::ElasticLoadBalancingV2::TargetGroup', Properties: {Targets: one}}}",
        "Resources.G: Targets must be a list of mappings",
    ),
    "subnets as mapping": (
        "Resources: {B: {Type: 'AWS::ElasticLoadBalancingV2::LoadBalancer', Properties: {Subnets: {a: b}}}}",
        "Subnets must be a list of texts",
    ),
    "nodes without number": (
        "Resources: {C: {Type: 'AWS::ElastiCache::CacheCluster', Properties: {NumCacheNodes: many}}}",
        "NumCacheNodes must be a number",
    ),
    "too many nodes": (
        "Resources: {C: {Type: 'AWS::ElastiCache::CacheCluster', Properties: {NumCacheNodes: 999999999}}}",
        "NumCacheNodes must be from",
    ),
    "one node in two zones": (
        "Resources: {C: {Type: 'AWS::ElastiCache::CacheCluster', Properties: {AZMode: cross-az}}}",
        "at least two nodes",
    ),
    "two documents": ("Resources: {A: {Type: a}}\n---\nb: c\n", "a second YAML document"),
    "alias of nothing": ("Resources: {A: *nobody}\n", "line 1"),
    "alias of itself": ("Resources: &r {A: *r}\n", "line 1"),
    "aliases in aliases": (BOMB, "aliases nested in aliases"),
    "deep YAML": ("Resources: " + "[" * 5000, "nesting depth"),
    "rather deep": ("Resources: " + "[" * 150 + "]" * 150, "line 1: nested more than 100 levels"),
    "deep JSON": ('{"Resources": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested more than"),
    "a mapping for a key": ("Resources:\n  ? {a: b}\n  : c\n", "a key must be a text"),
    "large": ("#" * 50_000_000, "CloudFormation takes 1 MB"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_soon(name: str) -> None:
    text, expected = MISTAKES[name]
    begins = time.monotonic()
    with pytest.raises(UsageError) as caught:
        read_text_as_template(text)
    assert expected in str(caught.value)
    assert "template.yaml" in str(caught.value)
    assert time.monotonic() - begins < 10


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("network-only.yaml", {"Zone": "a"}, "did you mean Zones?"),
        ("network-only.yaml", {"Number": "4"}, "not among its AllowedValues: 2, 3"),
        ("network-only.yaml", {"Number": "many"}, "AllowedValues"),
        ("network-only.yaml", {"Number": "3", "Zones": "a,b"}, "member 2 of a list that has 2"),
        ("cache-of-subnets.yaml", {"Number": "1"}, "AZMode cross-az asks for at least two nodes"),
        ("shop-in-two-zones.yaml", {"Standby": "perhaps"}, "parameter Standby is 'perhaps'"),
        ("shop-on-one-machine.json", {"AWS::Region": "eu-central-1"}, "finds no eu-central-1"),
    ],
)
def test_a_value_that_the_template_does_not_allow_is_refused(
    name: str, parameters: dict[str, str], expected: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read_fixture(name, **parameters)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "content",
    ["5", "[1]", '[{"ParameterKey": "A"}]', '{"A": {"B": 1}}', '["A=1", "A=2"]', '{"A": null}', "[{"],
)
def test_a_parameters_file_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "parameters.json"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"parameters\.json"):
        read_parameters_file(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_template(tmp_path / "none.yaml", {})


# Anything at all ------------------------------------------------------------------------------------------

DOCUMENTS = [parse(file.read_text(), file.name)[0] for file in sorted(FIXTURES.iterdir())]
STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2_000_000_000),
    st.sampled_from(["", "text", "Web", "Subnets", "AWS::EC2::Instance", "{{resolve:x}}", "${Web}", "${"]),
    st.sampled_from([[], {}, [[]], [{}], {"a": []}, [None], [5, "a", {"b": None}]]),
    st.sampled_from(
        [
            {"Ref": "AWS::NoValue"},
            {"Ref": "Subnets"},
            {"Fn::GetAZs": ""},
            {"Fn::ImportValue": "x"},
            {"Fn::Transform": {}},
            {"Fn::Cidr": ["a", 1, 2]},
            {"Fn::Split": [",", {"Fn::ImportValue": {"Fn::Transform": 1}}]},
            {"Fn::Select": [0, {"Fn::GetAZs": ""}]},
        ]
    ),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a document that something else can be put into."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else list(range(len(one)))
        for key in keys:
            found.append((one, key))
            if isinstance(one[key], (dict, list)):
                waiting.append(one[key])
    return found


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(range(len(DOCUMENTS))), st.data())
def test_any_change_of_a_template_gives_an_estate_or_a_usage_error(number: int, data: st.DataObject) -> None:
    document = copy.deepcopy(DOCUMENTS[number])
    for _ in range(data.draw(st.integers(1, 3))):
        found = places(document)
        if not found:
            break
        whole, key = found[data.draw(st.integers(0, len(found) - 1))]
        if data.draw(st.booleans()):
            whole[key] = copy.deepcopy(data.draw(STRANGE))
        else:
            del whole[key]
    try:
        estate = read_text_as_template(json.dumps(document))
    except UsageError as error:
        assert "template.yaml" in str(error)  # noqa: PT017 (either is right)
        return
    audit_estate(estate)
