"""A key of IAM may do what its owner's policies allow, and hears AWS's own words where it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nospof.model.cloud import TAG_RUN
from support.ec2_words import launch, refused, running, state
from support.iam_keys import client_of, new_key, statement
from support.local_cloud import REGION, RunningCloud

pytestmark = pytest.mark.local_cloud

INSTANCES = "arn:*:ec2:*:*:instance/*"


def denial(call: Any, **request: Any) -> tuple[str, int, str]:
    """Return code, HTTP status and words of a refusal."""
    with pytest.raises(ClientError) as failure:
        call(**request)
    answer = failure.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def as_user(cloud: RunningCloud, service: str, *statements: dict[str, Any]) -> Any:
    return client_of(cloud, new_key(cloud, *statements), service)


def test_a_key_without_a_policy_may_do_nothing_and_any_other_key_everything(local_cloud, ec2):
    denied = as_user(local_cloud, "ec2")
    code, status, says = denial(denied.describe_instances)
    assert (code, status) == ("UnauthorizedOperation", 403)
    assert "is not authorized to perform: ec2:DescribeInstances on resource: *" in says
    assert ec2.describe_instances()


@pytest.mark.parametrize(
    ("service", "call", "code", "status", "action"),
    [
        (
            "elbv2",
            "describe_load_balancers",
            "AccessDenied",
            403,
            "elasticloadbalancing:DescribeLoadBalancers",
        ),
        ("autoscaling", "describe_auto_scaling_groups", "AccessDenied", 403, "autoscaling:"),
        ("ssm", "describe_instance_information", "AccessDeniedException", 400, "ssm:"),
        ("lambda", "list_functions", "AccessDenied", 403, "lambda:ListFunctions"),
        ("s3", "list_buckets", "AccessDenied", 403, "s3:ListAllMyBuckets"),
        ("efs", "describe_file_systems", "AccessDenied", 403, "elasticfilesystem:"),
        ("apigatewayv2", "get_apis", "AccessDenied", 403, "apigateway:GET"),
        (
            "globalaccelerator",
            "list_accelerators",
            "AccessDeniedException",
            400,
            "globalaccelerator:ListAccelerators",
        ),
    ],
)
def test_every_protocol_carries_the_refusal_and_names_the_action(
    local_cloud, service, call, code, status, action
):
    said = denial(getattr(as_user(local_cloud, service), call))
    assert said[:2] == (code, status)
    assert f"is not authorized to perform: {action}" in said[2]
    iam_name = action if not action.endswith(":") else f"{action}*"
    assert getattr(as_user(local_cloud, service, statement(iam_name)), call)()


def test_who_am_i_needs_no_permission_even_against_a_deny(local_cloud):
    sts = as_user(local_cloud, "sts", statement("*", effect="Deny"))
    assert ":user/user-" in sts.get_caller_identity()["Arn"]


def test_a_policy_for_one_instance_is_for_that_one(local_cloud, source):
    other = launch(local_cloud)["InstanceId"]
    ec2 = as_user(
        local_cloud, "ec2", statement("ec2:RebootInstances", resource=f"arn:aws:ec2:*:*:instance/{source}")
    )
    ec2.reboot_instances(InstanceIds=[source])
    assert other in denial(ec2.reboot_instances, InstanceIds=[source, other])[2]


def test_a_dry_run_is_refused_as_the_call_would_be_and_allowed_ones_say_so(local_cloud, source, ec2):
    denied = as_user(local_cloud, "ec2", statement("ec2:Describe*"))
    allowed = as_user(local_cloud, "ec2", statement("ec2:StopInstances", resource=INSTANCES))
    assert refused(denied.stop_instances, InstanceIds=[source], DryRun=True) == "UnauthorizedOperation"
    assert refused(allowed.stop_instances, InstanceIds=[source], DryRun=True) == "DryRunOperation"
    assert refused(denied.stop_instances, InstanceIds=[source]) == "UnauthorizedOperation"
    assert state(ec2, source) == "running"


def test_a_condition_on_the_tags_of_what_is_there_decides(local_cloud, source, ec2):
    may = as_user(
        local_cloud,
        "ec2",
        statement("ec2:TerminateInstances", StringLike={f"aws:ResourceTag/{TAG_RUN}": "*"}),
        statement("ec2:StopInstances", StringEquals={"ec2:ResourceTag/team": "shop"}),
    )
    assert refused(may.terminate_instances, InstanceIds=[source], DryRun=True) == "UnauthorizedOperation"
    ec2.create_tags(
        Resources=[source], Tags=[{"Key": TAG_RUN, "Value": "r"}, {"Key": "team", "Value": "ops"}]
    )
    assert refused(may.terminate_instances, InstanceIds=[source], DryRun=True) == "DryRunOperation"
    assert refused(may.stop_instances, InstanceIds=[source], DryRun=True) == "UnauthorizedOperation"


def test_keys_of_tags_can_be_narrowed(local_cloud, source):
    ours = {"ForAllValues:StringLike": {"aws:TagKeys": "nospof:*"}, "Null": {"aws:TagKeys": "false"}}
    ec2 = as_user(
        local_cloud, "ec2", statement("ec2:CreateTags", "ec2:DeleteTags", resource=INSTANCES, **ours)
    )
    ec2.create_tags(Resources=[source], Tags=[{"Key": "nospof:a", "Value": "1"}])
    ec2.delete_tags(Resources=[source], Tags=[{"Key": "nospof:a"}])
    mixed = [{"Key": "nospof:a", "Value": "1"}, {"Key": "Name", "Value": "mine"}]
    assert refused(ec2.create_tags, Resources=[source], Tags=mixed) == "UnauthorizedOperation"
    assert refused(ec2.delete_tags, Resources=[source], Tags=[{"Key": "Name"}]) == "UnauthorizedOperation"
    assert refused(ec2.delete_tags, Resources=[source]) == "UnauthorizedOperation"


def launching(cloud: RunningCloud, *statements: dict[str, Any], **changes: Any) -> str:
    """Return what a dry run of a launch answers."""
    ec2 = as_user(cloud, "ec2", *statements)
    request = {
        "ImageId": cloud.image_named("nospof-base"),
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
    }
    code, _, says = denial(ec2.run_instances, **request, **changes, DryRun=True)
    return code if code == "DryRunOperation" else says.partition("perform: ")[2].partition(" ")[0]


def tagged(*kinds: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": TAG_RUN, "Value": "r"}]} for kind in kinds]


def test_a_launch_needs_its_action_on_all_it_makes_and_uses(local_cloud):
    made = ["arn:*:ec2:*:*:instance/*", "arn:*:ec2:*:*:volume/*", "arn:*:ec2:*:*:network-interface/*"]
    assert launching(local_cloud, statement("ec2:RunInstances")) == "DryRunOperation"
    assert launching(local_cloud, statement("ec2:RunInstances", resource=made)) == "ec2:RunInstances"
    used = "arn:*:ec2:*::image/*"
    assert launching(local_cloud, statement("ec2:RunInstances", resource=[*made, used])) == "DryRunOperation"
    assert (
        launching(local_cloud, statement("ec2:RunInstances", resource=[*made[1:], used]))
        == "ec2:RunInstances"
    )


def test_a_launch_with_tags_needs_to_tag_what_it_makes(local_cloud):
    run, tags = statement("ec2:RunInstances"), tagged("instance", "volume")
    assert launching(local_cloud, run, TagSpecifications=tags) == "ec2:CreateTags"
    for action, answer in (("RunInstances", "DryRunOperation"), ("CreateImage", "ec2:CreateTags")):
        tag = statement("ec2:CreateTags", StringEquals={"ec2:CreateAction": action})
        assert launching(local_cloud, run, tag, TagSpecifications=tags) == answer


def test_tags_can_be_asked_for_on_what_is_made(local_cloud):
    made = statement(
        "ec2:RunInstances",
        resource=["arn:*:ec2:*:*:instance/*", "arn:*:ec2:*:*:volume/*"],
        StringLike={f"aws:RequestTag/{TAG_RUN}": "*"},
    )
    used = statement(
        "ec2:RunInstances", resource=["arn:*:ec2:*::image/*", "arn:*:ec2:*:*:network-interface/*"]
    )
    rest = (made, used, statement("ec2:CreateTags"))
    assert launching(local_cloud, *rest, TagSpecifications=tagged("instance")) == "ec2:RunInstances"
    assert launching(local_cloud, *rest, TagSpecifications=tagged("instance", "volume")) == "DryRunOperation"


def test_an_id_in_a_tag_is_a_text_and_no_resource(local_cloud):
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "twin-of", "Value": "i-0123456789abcdef0"}]}]
    tagged_one = {"StringLike": {"aws:RequestTag/twin-of": "*"}}
    may = (
        statement("ec2:RunInstances", resource="arn:*:ec2:*:*:instance/*", **tagged_one),
        statement(
            "ec2:RunInstances", resource=["arn:*:ec2:*:*:volume/*", "arn:*:ec2:*:*:network-interface/*"]
        ),
        statement("ec2:RunInstances", resource="arn:*:ec2:*::image/*"),
        statement("ec2:CreateTags"),
    )
    assert launching(local_cloud, *may, TagSpecifications=tags) == "DryRunOperation"


def test_handing_a_role_to_an_instance_needs_to_pass_it_to_ec2(local_cloud):
    iam = local_cloud.client("iam")
    iam.create_role(RoleName="site", AssumeRolePolicyDocument="{}")
    profile = iam.create_instance_profile(InstanceProfileName="site")["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="site", RoleName="site")
    run, given = statement("ec2:RunInstances"), {"IamInstanceProfile": {"Arn": profile}}
    assert launching(local_cloud, run, **given) == "iam:PassRole"
    for service, answer in (("ec2", "DryRunOperation"), ("lambda", "iam:PassRole")):
        to = {"iam:PassedToService": f"{service}.amazonaws.com"}
        passing = statement("iam:PassRole", resource="arn:*:iam::*:role/site", StringEquals=to)
        assert launching(local_cloud, run, passing, **given) == answer


def test_a_balancers_parts_can_be_narrowed_by_name_and_by_tag(local_cloud, ec2):
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    names = "arn:*:elasticloadbalancing:*:*:targetgroup/nospof-*/*"
    elb = as_user(
        local_cloud,
        "elbv2",
        statement("elasticloadbalancing:CreateTargetGroup", resource=names),
        statement(
            "elasticloadbalancing:AddTags",
            resource=names,
            StringEquals={"elasticloadbalancing:CreateAction": "CreateTargetGroup"},
        ),
        statement("elasticloadbalancing:DeleteTargetGroup", Null={f"aws:ResourceTag/{TAG_RUN}": "false"}),
    )
    create = {"Protocol": "HTTP", "Port": 80, "VpcId": vpc}
    assert refused(elb.create_target_group, Name="other", **create) == "AccessDenied"
    tags = [{"Key": TAG_RUN, "Value": "r"}]
    group, bare = (
        elb.create_target_group(Name=name, **create, **more)["TargetGroups"][0]["TargetGroupArn"]
        for name, more in (("nospof-a", {"Tags": tags}), ("nospof-b", {}))
    )
    assert refused(elb.add_tags, ResourceArns=[group], Tags=tags) == "AccessDenied"
    assert refused(elb.delete_target_group, TargetGroupArn=bare) == "AccessDenied"
    elb.delete_target_group(TargetGroupArn=group)
    local_cloud.client("elbv2").delete_target_group(TargetGroupArn=bare)


def test_changes_of_names_can_be_narrowed_to_a_zone_a_name_and_a_type(local_cloud):
    route53 = local_cloud.client("route53")
    zones = [
        route53.create_hosted_zone(Name="narrow.example.com", CallerReference=one)["HostedZone"]["Id"]
        for one in "ab"
    ]
    key = "route53:ChangeResourceRecordSets"
    only = {f"{key}NormalizedRecordNames": ["www.narrow.example.com"], f"{key}RecordTypes": ["A"]}
    user = as_user(
        local_cloud,
        "route53",
        statement(
            key,
            resource=f"arn:aws:route53:::hostedzone/{zones[0].rpartition('/')[2]}",
            **{"ForAllValues:StringEquals": only},
        ),
    )

    def change(zone: str, *records: tuple[str, str, str]) -> None:
        sets = [
            {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
            for name, kind, value in records
        ]
        changes = [{"Action": "CREATE", "ResourceRecordSet": one} for one in sets]
        user.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    www, other = (("WWW.narrow.example.com.", "A", "10.0.0.1"), ("b.narrow.example.com", "A", "10.0.0.1"))
    text = ("www.narrow.example.com", "TXT", '"a"')
    for zone, *records in ((zones[1], www), (zones[0], other), (zones[0], www, other), (zones[0], text)):
        assert denial(lambda zone=zone, records=records: change(zone, *records))[0] == "AccessDenied"
    change(zones[0], www)


def test_policies_of_groups_and_attached_ones_count(local_cloud):
    iam, key = local_cloud.client("iam"), new_key(local_cloud)
    name = client_of(local_cloud, key, "sts").get_caller_identity()["Arn"].rpartition("/")[2]
    ec2 = client_of(local_cloud, key, "ec2")
    iam.create_group(GroupName="readers")
    iam.add_user_to_group(GroupName="readers", UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": statement("ec2:DescribeVpcs")})
    policy = iam.create_policy(PolicyName="vpcs", PolicyDocument=document)["Policy"]["Arn"]
    assert refused(ec2.describe_vpcs) == "UnauthorizedOperation"
    iam.attach_group_policy(GroupName="readers", PolicyArn=policy)
    assert ec2.describe_vpcs()
    iam.detach_group_policy(GroupName="readers", PolicyArn=policy)
    assert refused(ec2.describe_vpcs) == "UnauthorizedOperation"
    iam.attach_user_policy(UserName=name, PolicyArn=policy)
    assert ec2.describe_vpcs()


def test_a_session_of_a_role_may_do_what_the_role_may(local_cloud):
    iam = local_cloud.client("iam")
    role = iam.create_role(RoleName="auditor", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    document = json.dumps({"Version": "2012-10-17", "Statement": statement("ec2:DescribeVpcs")})
    iam.put_role_policy(RoleName="auditor", PolicyName="own", PolicyDocument=document)
    given = local_cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="night")["Credentials"]
    session = {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }
    ec2 = client_of(local_cloud, session, "ec2")
    assert ec2.describe_vpcs()
    assert refused(ec2.describe_subnets) == "UnauthorizedOperation"


def decisions(iam: Any, arn: str, *actions: str, resource: str = "*", **context: str) -> list[str]:
    entries = [
        {"ContextKeyName": key.replace("_", ":"), "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
    ]
    answer = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=list(actions), ResourceArns=[resource], ContextEntries=entries
    )
    return [one["EvalDecision"] for one in answer["EvaluationResults"]]


def test_a_simulation_tells_what_the_call_would(local_cloud):
    key = new_key(
        local_cloud,
        statement("ec2:*", resource=INSTANCES, StringEquals={"aws:RequestedRegion": REGION}),
        statement("ec2:StopInstances", effect="Deny"),
    )
    arn = client_of(local_cloud, key, "sts").get_caller_identity()["Arn"]
    iam, here = local_cloud.client("iam"), {"aws_RequestedRegion": REGION}
    one = "arn:aws:ec2:us-east-1:123456789012:instance/i-1"
    assert decisions(iam, arn, "ec2:StartInstances", "ec2:StopInstances", resource=one, **here) == [
        "allowed",
        "explicitDeny",
    ]
    assert decisions(iam, arn, "ec2:StartInstances", resource=one) == ["implicitDeny"]
    assert decisions(iam, arn, "ec2:StartInstances", **here) == ["implicitDeny"]
    own = client_of(local_cloud, key, "iam")
    assert (
        refused(own.simulate_principal_policy, PolicySourceArn=arn, ActionNames=["ec2:A"]) == "AccessDenied"
    )


def test_a_simulation_names_the_conditions_nobody_told_it_about(local_cloud):
    of_ours = statement("ec2:StopInstances", StringEquals={"aws:ResourceTag/team": "shop"})
    key = new_key(local_cloud, of_ours, statement("ec2:StartInstances"))
    arn = client_of(local_cloud, key, "sts").get_caller_identity()["Arn"]
    answer = local_cloud.client("iam").simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["ec2:StopInstances", "ec2:StartInstances"]
    )
    missing = {one["EvalActionName"]: one["MissingContextValues"] for one in answer["EvaluationResults"]}
    assert missing == {"ec2:StopInstances": ["aws:ResourceTag/team"], "ec2:StartInstances": []}


def test_a_simulation_of_nobody_is_refused_and_the_all_powerful_may_all(local_cloud):
    iam = local_cloud.client("iam")
    me = local_cloud.client("sts").get_caller_identity()["Arn"]
    assert decisions(iam, me, "ec2:StopInstances") == ["allowed"]
    gone = "arn:aws:iam::123456789012:user/nobody"
    assert refused(iam.simulate_principal_policy, PolicySourceArn=gone, ActionNames=["a:B"]) == "NoSuchEntity"


def test_what_is_allowed_is_done(local_cloud):
    ec2 = as_user(
        local_cloud, "ec2", statement("ec2:RunInstances", "ec2:Describe*", "ec2:TerminateInstances")
    )
    image = local_cloud.image_named("nospof-base")
    made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]
    instance_id = running(ec2, made)
    ec2.terminate_instances(InstanceIds=[instance_id])
