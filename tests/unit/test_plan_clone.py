"""How a clone is planned, and what must not be cloned: every rule, met and not met."""

import re
from dataclasses import replace

import pytest

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_GUARANTEE,
    TAG_RUN,
    TAG_STATE,
    TAG_TWIN_OF,
    Attachment,
    Instance,
    Subnet,
)
from nospof.model.requests import CloneRequest
from nospof.planning.clone import CloneFacts, plan_clone, with_image

SOURCE = Instance(
    id="i-1",
    state="running",
    type="t3.small",
    image_id="ami-base",
    zone="za",
    subnet_id="subnet-a",
    vpc_id="vpc-1",
    private_ip="10.0.0.4",
    root_device="/dev/sda1",
    attachments=(Attachment("/dev/sda1", "vol-1"),),
    security_groups=("sg-1", "sg-2"),
    profile_arn="arn:aws:iam::1:instance-profile/web",
    key_name="ops",
    tags={"Name": "site"},
)
SUBNETS = (
    Subnet("subnet-a", "vpc-1", "za", 100, is_public=True),
    Subnet("subnet-b", "vpc-1", "zb", 100, is_public=True),
    Subnet("subnet-c", "vpc-1", "zc", 100, is_public=True),
)
FACTS = CloneFacts(
    source=SOURCE,
    subnets=SUBNETS,
    zones_offering=("za", "zb", "zc"),
    has_local_disks=False,
    is_stop_protected=False,
    auto_scaling_group="",
    twins=(),
    answer=Answer("http://10.0.0.4:80/", 200, 0.01),
)
REQUEST = CloneRequest("i-1")


def facts(**changes):
    of_source = {key: changes.pop(key) for key in list(changes) if not hasattr(FACTS, key)}
    return replace(FACTS, source=replace(SOURCE, **of_source), **changes)


def plan(request=REQUEST, run_id="run-1", **changes):
    return plan_clone(facts(**changes), request, run_id)


def operations(made):
    return [call.operation for call in made.plan.calls]


@pytest.mark.parametrize(
    ("changes", "thing", "next_step"),
    [
        ({"state": "pending"}, "i-1 is pending", "running or a stopped"),
        ({"state": "stopping"}, "i-1 is stopping", "running or a stopped"),
        ({"state": "shutting-down"}, "i-1 is shutting-down", "running or a stopped"),
        ({"state": "terminated"}, "i-1 is terminated", "running or a stopped"),
        ({"auto_scaling_group": "web-asg"}, "web-asg", "enter-standby --instance-ids i-1"),
        ({"auto_scaling_group": "web-asg", "state": "stopped"}, "web-asg", "enter-standby"),
        ({"lifecycle": "spot"}, "i-1 is a Spot instance", "On-Demand"),
        ({"root_device_type": "instance-store"}, "i-1 is instance-store", "EBS root"),
        ({"is_stop_protected": True}, "disableApiStop", "--instance-id i-1 --no-disable-api-stop"),
    ],
)
def test_what_must_not_stop_is_refused_with_the_next_step(changes, thing, next_step):
    with pytest.raises(PreconditionFailed) as refused:
        plan(**changes)
    assert thing in str(refused.value)
    assert next_step in str(refused.value)
    assert str(refused.value).endswith("Nothing was changed.")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"state": "stopped"},
        {"state": "stopped", "is_stop_protected": True},
        {"root_device": "xvda", "attachments": (Attachment("xvda", "vol-1"),)},
        {"root_device": "/dev/sda2", "attachments": (Attachment("/dev/sda2", "vol-1"),)},
    ],
)
def test_what_can_stop_or_is_off_is_cloned(changes):
    assert plan(**changes).twin_zone == "zb"


@pytest.mark.parametrize(
    ("subnets", "offering", "request_", "chosen"),
    [
        pytest.param("a b c", "za zb zc", {}, "b", id="the first other zone"),
        pytest.param("c b a", "za zb zc", {}, "b", id="whatever order they are listed in"),
        pytest.param("a b c", "za zc", {}, "c", id="a zone that offers the type"),
        pytest.param("a b0 c", "za zb zc", {}, "c", id="a subnet with addresses left"),
        pytest.param("a b1 c", "za zb zc", {}, "b1", id="one address is enough"),
        pytest.param("a b- c", "za zb zc", {}, "c", id="public like the source's"),
        pytest.param("a- b c-", "za zb zc", {}, "c-", id="private like the source's"),
        pytest.param("a b- c-", "za zb zc", {}, "b-", id="another zone matters more than being public"),
        pytest.param("a b c", "za zb zc", {"zone": "zc"}, "c", id="the zone asked for"),
        pytest.param("a b c", "za zb zc", {"zone": "za", "same_zone": True}, "a", id="its own with consent"),
        pytest.param("a", "za", {"same_zone": True}, "a", id="the only zone with consent"),
        pytest.param("a b", "za zb", {"same_zone": True}, "b", id="consent is no wish"),
    ],
)
def test_c36_the_twin_goes_where_it_fails_apart_from_the_source(subnets, offering, request_, chosen):
    def subnet(word):
        free = int(word[1]) if word[1:].isdigit() else 100
        return Subnet(f"subnet-{word}", "vpc-1", f"z{word[0]}", free, is_public=not word.endswith("-"))

    listed = tuple(map(subnet, subnets.split()))
    own = next(one.id for one in listed if one.zone == "za")
    made = plan(
        CloneRequest("i-1", **request_),
        subnets=listed,
        zones_offering=tuple(offering.split()),
        subnet_id=own,
    )
    assert made.twin.subnet_id == f"subnet-{chosen}"
    assert made.twin_zone == f"z{chosen[0]}"


@pytest.mark.parametrize(
    ("subnets", "offering", "request_", "names"),
    [
        (SUBNETS[:1], ("za", "zb"), {}, ("vpc-1", "za", "t3.small", "create-subnet", "--same-zone")),
        (SUBNETS, ("za",), {}, ("t3.small", "--same-zone")),
        (SUBNETS, (), {"same_zone": True}, ("t3.small",)),
        (SUBNETS, ("za", "zb"), {"zone": "zc"}, ("zone zc", "zones that would do: za, zb")),
        (SUBNETS, ("za", "zb"), {"zone": "zx"}, ("zone zx", "zones that would do: za, zb")),
        (SUBNETS, (), {"zone": "zb"}, ("zone zb", "none")),
        (SUBNETS, ("za", "zb"), {"zone": "za"}, ("za is the zone of i-1 itself", "--same-zone")),
    ],
)
def test_c36_no_place_for_the_twin_is_refused_and_says_what_would_do(subnets, offering, request_, names):
    with pytest.raises(PreconditionFailed) as refused:
        plan(CloneRequest("i-1", **request_), subnets=subnets, zones_offering=offering)
    for name in names:
        assert name in str(refused.value)
    assert str(refused.value).endswith("Nothing was changed.")


def test_the_twin_is_what_the_source_is():
    twin = plan().twin
    assert (twin.type, twin.security_groups, twin.profile_arn, twin.key_name) == (
        "t3.small",
        ("sg-1", "sg-2"),
        "arn:aws:iam::1:instance-profile/web",
        "ops",
    )


def test_the_launch_token_belongs_to_the_run_and_is_one_aws_takes():
    run_id = "clone-20260101-000000-abcdef"
    first, again, other = plan(run_id=run_id), plan(run_id=run_id), plan(run_id="run-2")
    assert first.twin.token == again.twin.token
    assert first.twin.token != other.twin.token
    assert first.image_name != other.image_name
    assert run_id in first.image_name
    assert len(first.twin.token) <= 64
    assert first.twin.token.isascii()


def test_the_image_is_the_only_thing_that_changes_when_it_becomes_known():
    made = plan()
    assert with_image(made, "ami-new") == replace(made.twin, image_id="ami-new")


def test_c24_the_twin_keeps_the_tags_but_not_awss_nor_our_marks():
    source_tags = {
        "Name": "site",
        "team": "web",
        TAG_STATE: "none",
        "aws:cloudformation:stack-name": "prod",
        "AWS:reserved": "x",
        TAG_GUARANTEE: "running run=run-1 by=2026-01-01T00:00:00Z",
        TAG_RUN: "old",
        TAG_TWIN_OF: "i-0",
    }
    assert plan(tags=source_tags).twin.tags == {
        "Name": "site-twin",
        "team": "web",
        TAG_STATE: "none",
        TAG_RUN: "run-1",
        TAG_TWIN_OF: "i-1",
    }


def test_a_twin_of_a_nameless_source_is_named_after_its_id():
    assert plan(tags={}).twin.tags["Name"] == "i-1-twin"


TO_ANOTHER_ZONE = [
    "CreateTags",
    "StopInstances",
    "CreateImage",
    "StartInstances",
    "DeleteTags",
    "RunInstances",
]
SAME_ZONE = CloneRequest("i-1", zone="za", same_zone=True)


@pytest.mark.parametrize(
    ("request_", "state", "expected"),
    [
        (REQUEST, "running", TO_ANOTHER_ZONE),
        (REQUEST, "stopped", ["CreateImage", "RunInstances"]),
        (
            SAME_ZONE,
            "running",
            [
                "CreatePlacementGroup",
                "CreateTags",
                "StopInstances",
                "ModifyInstancePlacement",
                *TO_ANOTHER_ZONE[2:],
            ],
        ),
        (
            SAME_ZONE,
            "stopped",
            ["CreatePlacementGroup", "ModifyInstancePlacement", "CreateImage", "RunInstances"],
        ),
    ],
)
def test_the_plan_lists_each_write_in_order(request_, state, expected):
    assert operations(plan(request_, state=state)) == expected


def test_the_permissions_are_those_of_the_writes_each_once_and_those_that_aws_asks_for_beside():
    made = plan(SAME_ZONE).plan
    assert "CreateTags" in operations(plan(SAME_ZONE))
    named = tuple(dict.fromkeys(f"ec2:{call.operation}" for call in made.calls))
    assert sorted(made.permissions) == sorted({*named, "iam:PassRole"})
    assert len(set(made.permissions)) == len(made.permissions)


def test_what_is_launched_and_copied_is_rehearsed_with_the_tags_it_will_have():
    calls = {call.operation: call for call in plan(SAME_ZONE).plan.calls}
    tagged = {
        name: {one["ResourceType"] for one in calls[name].parameters["TagSpecifications"]}
        for name in ("CreatePlacementGroup", "CreateImage", "RunInstances")
    }
    assert tagged == {
        "CreatePlacementGroup": {"placement-group"},
        "CreateImage": {"image", "snapshot"},
        "RunInstances": {"instance", "volume"},
    }
    for name in tagged:
        for one in calls[name].parameters["TagSpecifications"]:
            assert TAG_RUN in {pair["Key"] for pair in one["Tags"]}


def test_only_a_twin_in_the_sources_zone_needs_a_placement_group():
    assert plan(SAME_ZONE).placement_group == plan(SAME_ZONE).twin.placement_group == "nospof-i-1"
    assert plan().placement_group == plan().twin.placement_group == ""


def test_the_image_call_never_reboots_and_says_which_image_is_a_stand_in():
    calls = {call.operation: call for call in plan().plan.calls}
    assert calls["CreateImage"].parameters["NoReboot"] is True
    assert calls["RunInstances"].placeholders == ("ImageId",)
    assert calls["RunInstances"].parameters["ImageId"] == "ami-base"


def test_the_launch_is_rehearsed_with_what_decides_whether_it_is_allowed():
    parameters = next(c.parameters for c in plan().plan.calls if c.operation == "RunInstances")
    assert parameters["SubnetId"] == "subnet-b"
    assert parameters["SecurityGroupIds"] == ["sg-1", "sg-2"]
    assert parameters["IamInstanceProfile"] == {"Arn": "arn:aws:iam::1:instance-profile/web"}
    assert parameters["KeyName"] == "ops"
    assert {"Key": TAG_TWIN_OF, "Value": "i-1"} in parameters["TagSpecifications"][0]["Tags"]


def test_the_launch_leaves_out_what_the_source_does_not_have():
    made = plan(security_groups=(), profile_arn="", key_name="")
    parameters = next(c.parameters for c in made.plan.calls if c.operation == "RunInstances")
    assert not {"SecurityGroupIds", "IamInstanceProfile", "KeyName"} & parameters.keys()


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_the_plan_promises_the_state_the_source_is_in(state):
    assert f"i-1 is {state} when this ends" in plan(state=state).plan.guarantee


def test_time_off_is_expected_only_of_a_source_that_is_on():
    assert plan().plan.expected_seconds_off == (30, 180)
    assert plan(state="stopped").plan.expected_seconds_off is None


TWIN = replace(SOURCE, id="i-9")
NO_ANSWER = Answer("http://10.0.0.4:80/", 0, 5.0, error="timed out")


@pytest.mark.parametrize(
    ("warning", "changes", "request_", "otherwise"),
    [
        ("not checked: http://10.0.0.4:80/ said timed out", {"answer": NO_ANSWER}, REQUEST, {}),
        (
            "203.0.113.7 of i-1 is released",
            {"public_ip": "203.0.113.7"},
            CloneRequest("i-1", allow_address_change=True),
            {"public_ip": ""},
        ),
        (
            "203.0.113.7 of i-1 is released",
            {"public_ip": "203.0.113.7"},
            CloneRequest("i-1", allow_address_change=True),
            {"public_ip": "203.0.113.7", "state": "stopped"},
        ),
        ("gives its capacity back", {}, REQUEST, {"state": "stopped"}),
        ("already has a twin (i-9)", {"twins": (TWIN,)}, REQUEST, {}),
        ("CloudFormation stack prod", {"tags": {"aws:cloudformation:stack-name": "prod"}}, REQUEST, {}),
    ],
)
def test_what_the_operator_should_know_is_said_and_only_then(warning, changes, request_, otherwise):
    assert warning in "\n".join(plan(request_, **changes).plan.warnings)
    assert warning not in "\n".join(plan(request_, **otherwise).plan.warnings)


def test_a_shared_zone_is_said():
    assert "shares the zone za" in "\n".join(plan(SAME_ZONE).plan.warnings)
    assert "shares the zone" not in "\n".join(plan().plan.warnings)


def test_local_disks_are_wiped_with_the_owners_word_only():
    with pytest.raises(PreconditionFailed, match="--local-disks-are-scratch"):
        plan(has_local_disks=True)
    consented = CloneRequest("i-1", local_disks_are_scratch=True)
    assert operations(plan(consented, has_local_disks=True)) == operations(plan())


def test_an_instance_another_run_works_on_is_refused():
    with pytest.raises(PreconditionFailed, match="another run works on i-1 now") as refused:
        plan(tags={TAG_GUARANTEE: "running run=clone-9 by=2026-01-01T00:00:00Z"})
    assert str(refused.value).endswith("Nothing was changed.")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"port": 0}, "--port 0"),
        ({"port": 99999}, "--port 99999"),
        ({"path": "nix"}, "--path 'nix' must begin with /"),
        ({"url": "blah"}, "--url 'blah'"),
        ({"url": "ftp://host/"}, "--url"),
        ({"url": "http://user:word@host/"}, "without a user name"),
    ],
)
def test_a_request_that_makes_no_sense_is_a_usage_error(wrong, says):
    with pytest.raises(UsageError, match=re.escape(says)):
        plan(request=CloneRequest("i-1", **wrong))
