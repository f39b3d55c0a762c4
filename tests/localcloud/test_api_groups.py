"""Security groups of the local cloud: rules whose source is a group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.ec2_words import refused

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def group(ec2: Any) -> Iterator[str]:
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made: str = ec2.create_security_group(GroupName="members", Description="one", VpcId=vpc)["GroupId"]
    yield made
    ec2.delete_security_group(GroupId=made)


def from_itself(group: str, **more: str) -> dict[str, Any]:
    rule = {"IpProtocol": "tcp", "FromPort": 4567, "ToPort": 4568}
    return {"GroupId": group, "IpPermissions": [{**rule, "UserIdGroupPairs": [{"GroupId": group, **more}]}]}


def test_a_rule_whose_source_is_its_own_group_is_kept_and_shown(ec2: Any, group: str) -> None:
    ec2.authorize_security_group_ingress(**from_itself(group, Description="the members"))
    (shown,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    (pair,) = shown["UserIdGroupPairs"]
    assert (pair["GroupId"], pair["UserId"], pair["Description"]) == (group, "123456789012", "the members")
    filters = [{"Name": "group-id", "Values": [group]}]
    rules = ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    (rule,) = [one for one in rules if not one["IsEgress"]]
    assert (rule["ReferencedGroupInfo"]["GroupId"], rule["Description"]) == (group, "the members")


def test_a_description_makes_no_other_rule(ec2: Any, group: str) -> None:
    ec2.authorize_security_group_ingress(**from_itself(group, Description="the members"))
    again = from_itself(group)
    assert refused(ec2.authorize_security_group_ingress, **again) == "InvalidPermission.Duplicate"
    ec2.revoke_security_group_ingress(**again)
    assert not ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert refused(ec2.revoke_security_group_ingress, **again) == "InvalidPermission.NotFound"
