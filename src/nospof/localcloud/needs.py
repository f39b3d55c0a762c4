"""What a call needs of IAM: actions, the resources they are asked for, and what is known of them.

After AWS's "Service Authorization Reference". A call that makes something needs its action on what it
makes and on what it uses; where it gives tags it needs the action that tags as well, and where it
hands a role to an instance, iam:PassRole on that role.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nospof.localcloud.policies import Asked

PREFIXES = {
    "apigatewayv2": "apigateway",
    "efs": "elasticfilesystem",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "opensearch": "es",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
}
"""IAM's name of a service, where it is not boto3's."""
OTHER_NAMES = {"s3:ListBuckets": "s3:ListAllMyBuckets"}
KNOW_NO_RESOURCE = ("ec2:Describe", "elasticloadbalancing:Describe", "autoscaling:Describe")

EC2_ID = re.compile(r"(ami|eni|i|sg|snap|subnet|vol|vpc)-[0-9a-f]{8,17}")
NAME_NOTHING = ("Tags", "TagSpecifications", "ClientToken", "Description")
"""Parameters in which an id is a text like any other."""
EC2_KINDS = {
    "ami": "image",
    "eni": "network-interface",
    "i": "instance",
    "sg": "security-group",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
EC2_MAKES = {
    "CreateImage": ("image", "snapshot"),
    "CreateReplaceRootVolumeTask": ("replace-root-volume-task", "volume"),
    "CreateSecurityGroup": ("security-group",),
    "CreateSnapshot": ("snapshot",),
    "CreateVolume": ("volume",),
    "RunInstances": ("instance", "network-interface", "volume"),
}
ELB_MAKES = {"CreateLoadBalancer": "loadbalancer/app/{Name}/0", "CreateTargetGroup": "targetgroup/{Name}/0"}
ELB_ARNS = ("RuleArn", "ListenerArn", "LoadBalancerArn", "TargetGroupArn")
"""The first of these that a call carries is what it acts on."""
OWNED_BY_NOBODY = ("image", "snapshot")
"""Their ARNs name no account."""

Tags = Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """A call as IAM sees it.

    Args:
        service: boto3's name.
        operation: the call.
        method: the HTTP method.
        parameters: as boto3 takes them.
        place: partition, region and account.
        tags_of: returns the tags of a resource by its ARN.
        roles_of: returns the ARNs of the roles in an instance profile.
        known: what is known of whoever asks, as condition keys.
    """

    service: str
    operation: str
    method: str
    parameters: Mapping[str, Any]
    place: tuple[str, str, str]
    tags_of: Callable[[str], Tags]
    roles_of: Callable[[Mapping[str, str]], list[str]]
    known: Mapping[str, tuple[str, ...]]

    @property
    def prefix(self) -> str:
        """IAM's name of the service."""
        return PREFIXES.get(self.service, self.service)

    @property
    def action(self) -> str:
        """The call's own action. API Gateway's are the HTTP methods."""
        name = self.method if self.prefix == "apigateway" else self.operation
        return OTHER_NAMES.get(f"{self.prefix}:{name}", f"{self.prefix}:{name}")

    def needs(self) -> Iterator[Asked]:
        """Yield everything the call needs; all of it must be allowed."""
        makes = dict(self._makes())
        uses = [] if self.action.startswith(KNOW_NO_RESOURCE) else self._uses()
        for arn in uses:
            keys = self._request_tags(self.parameters.get("Tags")) if not makes else {}
            keys |= self._changed_names()
            yield Asked(self.action, arn, {**self.known, **self._resource_tags(arn), **keys})
        for arn, tags in makes.items():
            yield Asked(self.action, arn, {**self.known, **self._request_tags(tags)})
        if not makes and not uses:
            yield Asked(self.action, "*", self.known)
        tags_action = "ec2:CreateTags" if self.prefix == "ec2" else f"{self.prefix}:AddTags"
        for arn, tags in makes.items():
            if tags:
                made_by = {f"{self.prefix}:CreateAction": (self.operation,)}
                yield Asked(tags_action, arn, {**self.known, **made_by, **self._request_tags(tags)})
        receiver = "scheduler.amazonaws.com" if self.prefix == "scheduler" else "ec2.amazonaws.com"
        for role in self._roles():
            yield Asked("iam:PassRole", role, {**self.known, "iam:PassedToService": (receiver,)})

    def _makes(self) -> Iterator[tuple[str, list[dict[str, str]]]]:
        """Yield the ARNs of what the call makes, as far as they can be known, with the tags it gets."""
        given = self.parameters
        if self.prefix == "ec2":
            tags: dict[str, list[dict[str, str]]] = {}
            for one in given.get("TagSpecifications") or []:
                tags.setdefault(one.get("ResourceType", ""), []).extend(one.get("Tags") or [])
            for kind in EC2_MAKES.get(self.operation, ()):
                yield self._ec2_arn(kind, "*"), tags.get(kind, [])
            if self.operation == "CreatePlacementGroup":
                arn = self._ec2_arn("placement-group", given.get("GroupName", ""))
                yield arn, tags.get("placement-group", [])
        elif self.prefix == "elasticloadbalancing" and self.operation in ELB_MAKES:
            made = "loadbalancer/{LoadBalancerName}" if self.service == "elb" else ELB_MAKES[self.operation]
            name = made.format_map(defaultdict(str, given))
            yield self._arn(name), given.get("Tags") or []

    def _uses(self) -> list[str]:
        """Return the ARNs of what the call names."""
        given = self.parameters
        if self.prefix == "ec2":
            named = {key: value for key, value in given.items() if key not in NAME_NOTHING}
            found = {self._ec2_arn(EC2_KINDS[one[1]], one[0]) for one in _ids(named)}
            group = given.get("GroupName") or (given.get("Placement") or {}).get("GroupName")
            if group and self.operation in (
                "RunInstances",
                "ModifyInstancePlacement",
                "DeletePlacementGroup",
            ):
                found.add(self._ec2_arn("placement-group", group))
            if given.get("KeyName"):
                found.add(self._ec2_arn("key-pair", given["KeyName"]))
            return sorted(found)
        if self.operation in ELB_MAKES and self.prefix == "elasticloadbalancing":
            return []
        if self.service == "elb":
            names = given.get("LoadBalancerNames") or [given.get("LoadBalancerName")]
            return [self._arn(f"loadbalancer/{one}") for one in names if one]
        if self.prefix == "elasticloadbalancing":
            return next(
                ([given[name]] for name in ELB_ARNS if given.get(name)), given.get("ResourceArns") or []
            )
        if self.action == "ssm:SendCommand":
            return self._commanded()
        if self.prefix == "route53":
            return self._named()
        return self._called_by_name() or sorted({text for text in _texts(given) if text.startswith("arn:")})

    def _called_by_name(self) -> list[str]:
        """Return the ARN of what a call names by its name alone."""
        given = self.parameters
        if self.prefix == "autoscaling":
            name = given.get("AutoScalingGroupName") or "*"
            return [self._arn(f"autoScalingGroup:*:autoScalingGroupName/{name}")]
        if self.prefix == "scheduler" and given.get("Name"):
            return [self._arn(f"schedule/{given.get('GroupName') or 'default'}/{given['Name']}")]
        if self.action == "iam:GetRole" and given.get("RoleName"):
            return [f"arn:{self.place[0]}:iam::{self.place[2]}:role/{given['RoleName']}"]
        return []

    def _named(self) -> list[str]:
        """Return the ARN of the hosted zone or change a call is about, which has no region or account."""
        kinds = {
            "HostedZoneId": "hostedzone",
            "Id": "change" if self.operation == "GetChange" else "hostedzone",
        }
        named = {kinds[key]: str(self.parameters[key]) for key in kinds if self.parameters.get(key)}
        return [
            f"arn:{self.place[0]}:route53:::{kind}/{one.rpartition('/')[2]}" for kind, one in named.items()
        ]

    def _changed_names(self) -> dict[str, tuple[str, ...]]:
        """Return what a change batch tells of itself, as condition keys."""
        changes = (self.parameters.get("ChangeBatch") or {}).get("Changes") or []
        sets = [one.get("ResourceRecordSet") or {} for one in changes]
        told = {
            "NormalizedRecordNames": (str(one.get("Name", "")).lower().rstrip(".") for one in sets),
            "RecordTypes": (str(one.get("Type", "")) for one in sets),
            "Actions": (str(one.get("Action", "")) for one in changes),
        }
        keys = {f"route53:ChangeResourceRecordSets{key}": tuple(values) for key, values in told.items()}
        return keys if changes else {}

    def _commanded(self) -> list[str]:
        """Return the ARNs of the document and the instances of a command; of AWS's own, nobody's account."""
        partition, region, account = self.place
        document = self.parameters.get("DocumentName", "")
        owner = "" if document.startswith("AWS-") else account
        instances = self.parameters.get("InstanceIds") or ["*"]
        return [
            f"arn:{partition}:ssm:{region}:{owner}:document/{document}",
            *(f"arn:{partition}:ec2:{region}:{account}:instance/{one}" for one in instances),
        ]

    def _roles(self) -> list[str]:
        if self.prefix == "scheduler":
            role = (self.parameters.get("Target") or {}).get("RoleArn")
            return [role] if role else []
        profile = self.parameters.get("IamInstanceProfile")
        return self.roles_of(profile) if profile and self.action == "ec2:RunInstances" else []

    def _request_tags(self, tags: Any) -> dict[str, tuple[str, ...]]:
        pairs = {
            one["Key"]: one.get("Value") or "" for one in tags or [] if isinstance(one, dict) and "Key" in one
        }
        if not pairs:
            return {}
        return {"aws:TagKeys": tuple(pairs), **{f"aws:RequestTag/{key}": (pairs[key],) for key in pairs}}

    def _resource_tags(self, arn: str) -> dict[str, tuple[str, ...]]:
        return {
            f"{scope}:ResourceTag/{key}": (value,)
            for key, value in self.tags_of(arn).items()
            for scope in ("aws", self.prefix)
        }

    def _ec2_arn(self, kind: str, name: str) -> str:
        return self._arn(f"{kind}/{name}", has_account=kind not in OWNED_BY_NOBODY)

    def _arn(self, name: str, *, has_account: bool = True) -> str:
        partition, region, account = self.place
        return f"arn:{partition}:{self.prefix}:{region}:{account if has_account else ''}:{name}"


def _ids(value: Any) -> Iterator[re.Match[str]]:
    for text in _texts(value):
        found = EC2_ID.fullmatch(text)
        if found:
            yield found


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in parameters, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
