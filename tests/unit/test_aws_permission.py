"""What IAM is asked about a call that has no rehearsal, and what its answer means."""

from __future__ import annotations

import pytest

from nospof.adapters.aws.permission import policy_source
from nospof.errors import CloudError
from nospof.model.plans import PlannedCall
from support.aws_endpoint import answering, query_refusal

ME = "arn:aws:iam::123456789012:user/kim"
GROUP = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/nospof-site/0"
MAKE = PlannedCall(
    "elbv2",
    "CreateTargetGroup",
    {"Name": "nospof-site", "Tags": [{"Key": "nospof:run", "Value": "run-1"}]},
    "make it",
    on=("targetgroup/nospof-site/0",),
    tags={"nospof:run": "run-1"},
)
TAGGING, SETTING = "elasticloadbalancing:AddTags", "elasticloadbalancing:ModifyTargetGroupAttributes"


def caller(arn=ME):
    inner = f"<Arn>{arn}</Arn><Account>123456789012</Account><UserId>u</UserId>"
    whole = f"<GetCallerIdentityResult>{inner}</GetCallerIdentityResult>"
    return 200, f"<GetCallerIdentityResponse>{whole}</GetCallerIdentityResponse>"


def members(texts):
    return "".join(f"<member>{one}</member>" for one in texts)


def answer(*results):
    rows = "".join(
        f"<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision>"
        f"<MissingContextValues>{members(missing)}</MissingContextValues></member>"
        for action, decision, *missing in results
    )
    inner = f"<EvaluationResults>{rows}</EvaluationResults><IsTruncated>false</IsTruncated>"
    whole = f"<SimulatePrincipalPolicyResult>{inner}</SimulatePrincipalPolicyResult>"
    return 200, f"<SimulatePrincipalPolicyResponse>{whole}</SimulatePrincipalPolicyResponse>"


def asked(call, said, arn=ME):
    """Return what was asked, flat as the query protocol has it, and what came of it."""
    with answering(caller(arn), said) as endpoint:
        told = endpoint.cloud().simulate(call)
        return endpoint.asked[1], told


def context(question):
    """Return the context of a question: its keys with their values."""
    found = {}
    for name, value in question.items():
        if name.endswith(".ContextKeyName"):
            stem = name.removesuffix("ContextKeyName") + "ContextKeyValues.member."
            found[value] = [question[key] for key in question if key.startswith(stem)]
    return found


def test_the_question_is_about_the_resource_with_the_tags_it_will_have():
    question, _ = asked(MAKE, answer())
    assert question["PolicySourceArn"] == ME
    assert [question[f"ActionNames.member.{n}"] for n in (1, 2, 3)] == [MAKE.permission, TAGGING, SETTING]
    assert question["ResourceArns.member.1"] == GROUP
    assert context(question) == {
        "aws:RequestedRegion": ["eu-central-1"],
        "aws:ResourceTag/nospof:run": ["run-1"],
        "elasticloadbalancing:ResourceTag/nospof:run": ["run-1"],
        "aws:RequestTag/nospof:run": ["run-1"],
        "aws:TagKeys": ["nospof:run"],
        "elasticloadbalancing:CreateAction": ["CreateTargetGroup"],
    }


def test_a_call_on_what_is_there_is_asked_about_by_its_arn():
    call = PlannedCall("elbv2", "DeleteTargetGroup", {"TargetGroupArn": GROUP}, "delete it")
    question, _ = asked(call, answer())
    assert question["ResourceArns.member.1"] == GROUP


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ([(MAKE.permission, "allowed"), (TAGGING, "allowed"), (SETTING, "allowed")], (True, True, True)),
        (
            [(MAKE.permission, "implicitDeny"), (TAGGING, "explicitDeny"), (SETTING, "allowed")],
            (False, False, True),
        ),
        ([(MAKE.permission, "implicitDeny", "aws:SourceIp"), (TAGGING, "allowed")], (None, True, None)),
        ([(MAKE.permission, "allowed", "aws:SourceIp")], (True, None, None)),
        ([(MAKE.permission, "allowed"), (MAKE.permission, "implicitDeny")], (False, None, None)),
    ],
)
def test_an_action_is_denied_only_where_iam_knew_everything_it_asked_for(results, told):
    assert tuple(asked(MAKE, answer(*results))[1].values()) == told


@pytest.mark.parametrize(("operation", "told"), [("RegisterTargets", None), ("DescribeTargetHealth", False)])
def test_a_denial_about_any_resource_says_nothing_of_the_one_that_is_meant(operation, told):
    call = PlannedCall("elbv2", operation, {}, "do it")
    _, found = asked(call, answer((call.permission, "implicitDeny")))
    assert found == {call.permission: told}


def test_whoever_may_not_ask_hears_so():
    with answering(caller(), query_refusal("AccessDenied")) as endpoint, pytest.raises(CloudError) as denied:
        endpoint.cloud().simulate(MAKE)
    assert denied.value.is_denied
    assert denied.value.operation == "iam:SimulatePrincipalPolicy"


@pytest.mark.parametrize(
    ("arn", "source"),
    [
        (ME, ME),
        ("arn:aws-cn:sts::123456789012:assumed-role/ops/night@1", "arn:aws-cn:iam::123456789012:role/ops"),
        ("arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:root"),
    ],
)
def test_a_sessions_policies_are_those_of_its_role(arn, source):
    assert policy_source(arn) == source
    assert asked(MAKE, answer(), arn)[0]["PolicySourceArn"] == source


def test_of_a_call_that_a_role_makes_it_is_that_role_that_is_asked_about():
    role = "arn:aws:iam::123456789012:role/nospof-dead-man"
    start = PlannedCall("ec2", "StartInstances", {}, "start it", on=("instance/i-1",), by=role)
    question, told = asked(start, answer(("ec2:StartInstances", "implicitDeny")))
    assert question["PolicySourceArn"] == role
    assert question["ResourceArns.member.1"] == "arn:aws:ec2:eu-central-1:123456789012:instance/i-1"
    assert told == {"ec2:StartInstances": False}


def test_whoever_passes_a_role_is_asked_about_that_role_and_who_gets_it():
    role = "arn:aws:iam::123456789012:role/nospof-dead-man"
    given = {"RoleArn": role, "PassedToService": "scheduler.amazonaws.com"}
    question, told = asked(PlannedCall("iam", "PassRole", given, "x"), answer(("iam:PassRole", "allowed")))
    assert question["ResourceArns.member.1"] == role
    assert context(question)["iam:PassedToService"] == ["scheduler.amazonaws.com"]
    assert told == {"iam:PassRole": True}
