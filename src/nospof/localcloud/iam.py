"""Who may do what: calls signed with an access key of IAM are checked against its owner's policies.

Every other key is all-powerful, so that "test" and "test" do for whoever has no policies to try. The
policies are those moto keeps; the secret of a key is not checked. SimulatePrincipalPolicy answers from
the same evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import moto.iam.urls
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.elb.models import elb_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.access_control import CreateAccessKeyFailure, IAMPolicy, create_access_key
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse as MotoIamResponse
from moto.utilities.utils import get_partition

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.cloud import ACCOUNT
from nospof.localcloud.needs import Request, Tags
from nospof.localcloud.policies import ALLOWED, EXPLICIT_DENY, Asked, decide, left_open

ALWAYS_ALLOWED = "sts:GetCallerIdentity"
FORBIDDEN = 403
JSON_SERVICES_SAY = "AccessDeniedException"
NOT_AUTHORIZED = "You are not authorized to perform this operation."


class IamResponse(MotoIamResponse):
    """moto's IAM with the question whether something would be allowed."""

    def simulate_principal_policy(self) -> ActionResult:
        """Say of each action and resource whether a user's or role's policies allow it."""
        partition = get_partition(self.region)
        source = str(self.params.get("PolicySourceArn", ""))
        documents = policies_of(source, iam_backends[self.current_account][partition])
        context = {
            one["ContextKeyName"]: tuple(one.get("ContextKeyValues") or ())
            for one in self.params.get("ContextEntries") or []
        }
        results = [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": decide(documents, Asked(action, resource, context)),
                "MatchedStatements": [],
                "MissingContextValues": left_open(documents, Asked(action, resource, context)),
            }
            for action in self.params.get("ActionNames") or []
            for resource in self.params.get("ResourceArns") or ["*"]
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def install() -> None:
    """Put our IAM in the place moto routes to. Called once, before the first request."""
    moto.iam.urls.url_paths = {"{0}/$": IamResponse.dispatch}


def check(response: Any, service: str, action: str) -> None:
    """Refuse a call of moto's that its signer's policies do not allow; called under the lock.

    Raises:
        AwsError: in AWS's words for it.
    """
    account, region, headers = response.current_account, response.region, dict(response.headers)
    partition = get_partition(region)
    who = signer_of(account, region, response.access_key, headers)
    if not who:
        return
    request = Request(
        service,
        action,
        response.method,
        given_to(response),
        (partition, region, account),
        lambda arn: tags_of(arn, account, region),
        lambda profile: roles_of(profile, iam_backends[account][partition]),
        {
            "aws:PrincipalArn": (who,),
            "aws:RequestedRegion": (region,),
            "aws:username": (who.rpartition("/")[2],),
        },
    )
    for asked in request.needs():
        backend = iam_backends[account][partition]
        refuse_unless_allowed(asked, who, backend, is_json=speaks_json(headers), service=service)


def speaks_json(headers: Mapping[str, str]) -> bool:
    """Whether a request is in the JSON protocol, whose services call a refusal otherwise."""
    return headers.get("Content-Type", "").startswith("application/x-amz-json")


def check_read(action: str, headers: dict[str, str]) -> None:
    """Refuse a read that never comes to `check` where its signer's policies do not allow it.

    Raises:
        AwsError: in AWS's words for it.
    """
    # AWS4-HMAC-SHA256 Credential=AKID/20261125/us-east-1/s3/aws4_request, SignedHeaders=...
    scope = headers.get("Authorization", "").partition("Credential=")[2].split("/")
    key, _, region, *_ = [*scope, "", "", ""]
    who = signer_of(ACCOUNT, region, key, headers)
    if who:
        backend = iam_backends[ACCOUNT][get_partition(region)]
        refuse_unless_allowed(Asked(action), who, backend, is_json=speaks_json(headers))


def signer_of(account: str, region: str, key: str, headers: dict[str, str]) -> str:
    """Return the ARN of the user or the session an access key belongs to; of the all-powerful, nothing."""
    try:
        return str(create_access_key(account, get_partition(region), key, headers).arn)
    except CreateAccessKeyFailure:
        return ""


def documents_of(policies: list[Any]) -> list[Mapping[str, Any]]:
    """Return moto's policies, kept in three shapes, as documents."""
    return [IAMPolicy(policy)._policy_json for policy in policies]


def refuse_unless_allowed(
    asked: Asked, who: str, backend: Any, *, is_json: bool = False, service: str = ""
) -> None:
    """Raise AWS's refusal unless the policies of whoever asks allow it."""
    if asked.action == ALWAYS_ALLOWED:
        return
    decision = decide(policies_of(who, backend), asked)
    if decision == ALLOWED:
        return
    why = (
        "with an explicit deny in an identity-based policy"
        if decision == EXPLICIT_DENY
        else f"because no identity-based policy allows the {asked.action} action"
    )
    said = f"User: {who} is not authorized to perform: {asked.action} on resource: {asked.resource} {why}"
    if service == "scheduler":
        raise AwsError(JSON_SERVICES_SAY, said, FORBIDDEN)
    if asked.action.startswith(("ec2:", "iam:PassRole")):
        said = f"{NOT_AUTHORIZED} {said}. Encoded authorization failure message: none"
        raise AwsError("UnauthorizedOperation", said, FORBIDDEN)
    raise AwsError(JSON_SERVICES_SAY if is_json else "AccessDenied", said, 400 if is_json else FORBIDDEN)


def given_to(response: Any) -> Mapping[str, Any]:
    """Return a call's parameters as boto3 takes them, as far as moto knows them."""
    if getattr(response, "automated_parameter_parsing", False) and hasattr(response, "params"):
        return response.params  # type: ignore[no-any-return]
    try:
        body = json.loads(response.body or "{}")
    except (TypeError, ValueError):
        body = {}
    return {**(body if isinstance(body, dict) else {}), **(getattr(response, "uri_match", None) or {})}


def policies_of(arn: str, backend: Any) -> list[Mapping[str, Any]]:
    """Return the policies of a user, a role or a session of a role; of the all-powerful, one that allows all.

    Raises:
        AwsError: there is no such user or role.
    """
    kind, *names = arn.rpartition(":")[2].split("/")
    name = names[-1] if names else ""
    if kind == "assumed-role":
        kind, name = "role", names[0]
    elif ":sts:" in arn:
        return [{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}]
    if kind == "role" and name in {role.name for role in backend.get_roles()}:
        inline = [backend.get_role_policy(name, one)[1] for one in backend.list_role_policies(name)]
        return documents_of([*inline, *backend.list_attached_role_policies(name)[0]])
    if kind == "user" and name in backend.users:
        inline = [backend.get_user_policy(name, one) for one in backend.list_user_policies(name)]
        found = [*inline, *backend.list_attached_user_policies(name)[0]]
        for group in (one.name for one in backend.get_groups_for_user(name)):
            found += [backend.get_group_policy(group, one) for one in backend.list_group_policies(group)]
            found += backend.list_attached_group_policies(group)[0]
        return documents_of(found)
    raise AwsError("NoSuchEntity", f"The principal {arn} cannot be found.", 404)


def roles_of(profile: Mapping[str, str], backend: Any) -> list[str]:
    """Return the ARNs of the roles in an instance profile that is named or given by its ARN."""
    return [
        role.arn
        for one in backend.get_instance_profiles()
        if profile.get("Arn") == one.arn or profile.get("Name") == one.name
        for role in one.roles
    ]


def tags_of(arn: str, account: str, region: str) -> Tags:
    """Return the tags of an EC2 or Elastic Load Balancing resource."""
    if ":elasticloadbalancing:" in arn:
        classic = elb_backends[account][region].load_balancers.get(arn.partition(":loadbalancer/")[2])
        if classic is not None:
            return dict(classic.tags)
        tags: Tags = elbv2_backends[account][region].tagging_service.get_tag_dict_for_resource(arn)
        return tags
    backend: Any = ec2_backends[account][region]
    name = arn.rpartition("/")[2]
    if ":placement-group/" in arn:
        group = getattr(backend, "placement_groups", {}).get(name)
        return {one["Key"]: one["Value"] for one in group.tags} if group else {}
    return dict(backend.tags.get(name, {}))
