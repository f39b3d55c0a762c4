"""What the local cloud's IAM makes of a policy: the rules of AWS's policy evaluation, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.policies import ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY, Asked, decide

SITE = "arn:aws:ec2:eu-central-1:123456789012:instance/i-1"
STOP = Asked("ec2:StopInstances", SITE, {"aws:ResourceTag/Name": ("site",), "aws:username": ("kim",)})


def policy(effect: str = "Allow", action: Any = "ec2:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}]}


def when(**condition: Any) -> dict[str, Any]:
    return policy(Condition={name.replace("_", ":"): keys for name, keys in condition.items()})


def is_allowed(document: dict[str, Any], asked: Asked = STOP) -> bool:
    return decide([document], asked) == ALLOWED


def test_what_no_policy_speaks_of_is_denied():
    assert decide([], STOP) == IMPLICIT_DENY
    assert decide([policy(action="s3:*")], STOP) == IMPLICIT_DENY


def test_a_deny_wins_wherever_it_stands():
    assert decide([policy("Deny"), policy()], STOP) == EXPLICIT_DENY
    assert decide([policy(), policy("Deny")], STOP) == EXPLICIT_DENY


@pytest.mark.parametrize("action", ["ec2:stopinstances", "ec2:Stop*", "*", ["s3:*", "ec2:StopInstance?"]])
def test_an_action_is_matched_whatever_its_letters_and_wildcards(action):
    assert is_allowed(policy(action=action))


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        (SITE, True),
        ("arn:*:ec2:*:*:instance/*", True),
        (SITE.upper(), False),
        ("arn:aws:ec2:*:*:volume/*", False),
        (["arn:aws:ec2:*:*:volume/*", SITE], True),
        ("arn:aws:ec2:eu-central-1:123456789012:instance/i.1", False),
    ],
)
def test_a_resource_is_matched_by_its_arn(resource, allowed):
    assert is_allowed(policy(resource=resource)) is allowed


def test_an_action_without_resources_is_not_allowed_by_a_policy_for_some():
    assert not is_allowed(policy(resource="arn:*:ec2:*:*:*"), Asked("ec2:DescribeVpcs"))


def test_everything_but_is_everything_but():
    but = {"Statement": {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::*"}}
    assert is_allowed(but)
    assert not is_allowed(but, Asked("iam:PassRole"))
    assert not is_allowed(but, Asked("s3:GetObject", "arn:aws:s3:::b/k"))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringEquals": {"aws:ResourceTag/Name": "site"}}, True),
        ({"StringEquals": {"AWS:resourcetag/Name": ["other", "site"]}}, True),
        ({"StringEquals": {"aws:ResourceTag/Name": "s*"}}, False),
        ({"StringLike": {"aws:ResourceTag/Name": "s*"}}, True),
        ({"StringLike": {"aws:ResourceTag/Owner": "*"}}, False),
        ({"StringLikeIfExists": {"aws:ResourceTag/Owner": "me"}}, True),
        ({"StringLikeIfExists": {"aws:ResourceTag/Name": "me"}}, False),
        ({"StringNotEquals": {"aws:ResourceTag/Name": "site"}}, False),
        ({"StringNotEquals": {"aws:ResourceTag/Owner": "site"}}, True),
        ({"StringEqualsIgnoreCase": {"aws:ResourceTag/Name": "SITE"}}, True),
        ({"Null": {"aws:ResourceTag/Owner": "true"}}, True),
        ({"Null": {"aws:ResourceTag/Name": "true"}}, False),
        ({"Null": {"aws:ResourceTag/Name": "false"}}, True),
        ({"StringEquals": {"aws:username": "kim", "aws:ResourceTag/Name": "other"}}, False),
        ({"StringEquals": {"aws:username": "kim"}, "Null": {"aws:username": "true"}}, False),
    ],
)
def test_conditions_hold_as_at_aws(condition, holds):
    assert is_allowed(policy(Condition=condition)) is holds


@pytest.mark.parametrize(("keys", "all_of", "any_of"), [(("a", "b"), False, True), (("a",), True, True)])
def test_several_values_are_asked_for_all_or_for_any(keys, all_of, any_of):
    asked = Asked("ec2:CreateTags", SITE, {"aws:TagKeys": keys})
    assert is_allowed(when(ForAllValues_StringLike={"aws:TagKeys": "a*"}), asked) is all_of
    assert is_allowed(when(ForAnyValue_StringLike={"aws:TagKeys": "a*"}), asked) is any_of


def test_all_of_none_holds_and_any_of_none_does_not():
    asked = Asked("ec2:DeleteTags", SITE)
    assert is_allowed(when(ForAllValues_StringLike={"aws:TagKeys": "a"}), asked)
    assert not is_allowed(when(ForAnyValue_StringLike={"aws:TagKeys": "a"}), asked)


def test_a_variable_stands_for_who_asks():
    assert is_allowed(when(StringEquals={"aws:username": "${aws:username}"}))
    assert is_allowed(
        policy(resource="arn:aws:ec2:*:*:instance/${ec2:x}"), Asked("ec2:A", f"{SITE[:-3]}${{ec2:x}}")
    )


def test_a_condition_the_local_cloud_cannot_judge_is_an_error_and_no_guess():
    with pytest.raises(AwsError, match="DateLessThan"):
        is_allowed(when(DateLessThan={"aws:CurrentTime": "2030-01-01T00:00:00Z"}))
