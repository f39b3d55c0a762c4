"""From a CloudFormation template to the estate that it promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nospof.adapters.iac.cloudformation.functions import Evaluator, references
from nospof.adapters.iac.cloudformation.loading import load, words
from nospof.adapters.iac.cloudformation.machines import MACHINES, Made, subnets_of_balancers
from nospof.adapters.iac.cloudformation.network import NETWORK
from nospof.adapters.iac.cloudformation.parameters import Parameters
from nospof.adapters.iac.cloudformation.resources import (
    CALL,
    LISTS_OF_ROWS,
    Misshapen,
    Resource,
    Stack,
    file_error,
)
from nospof.adapters.iac.cloudformation.stores import STORES
from nospof.model.estate import UNKNOWN, Estate, Item, Use, estate_of
from nospof.model.findings import Location, Unread
from nospof.model.kinds import KINDS

SAME: dict[str, str] = {
    "ApiGateway::RestApi": "REST API",
    "ApiGatewayV2::Api": "HTTP API",
    "ApiGatewayV2::Integration": "HTTP API integration",
    "GlobalAccelerator::Accelerator": "accelerator",
    "GlobalAccelerator::Listener": "accelerator listener",
    "EC2::PlacementGroup": "placement group",
    "EC2::VPNConnection": "VPN connection",
    "EC2::TransitGatewayVpcAttachment": "transit gateway attachment",
    "EC2::TransitGatewayAttachment": "transit gateway attachment",
    "AutoScaling::LaunchConfiguration": "launch configuration",
    "CloudWatch::Alarm": "alarm",
    "RDS::DBProxy": "database proxy",
    "Redshift::Cluster": "warehouse",
    "S3::Bucket": "bucket",
    "DynamoDB::Table": "table",
    "DynamoDB::GlobalTable": "table",
    "SQS::Queue": "queue",
    "SNS::Topic": "topic",
    "ECS::Cluster": "container cluster",
    "EFS::FileSystem": "file system",
    "FSx::FileSystem": "FSx file system",
    "KMS::Key": "key",
    "SecretsManager::Secret": "secret",
}
"""Types whose properties are called as the describing call's fields are, or of which none is read."""
TRANSLATIONS: dict[str, Callable[[Stack, Resource], Iterator[Made]]] = {**MACHINES, **NETWORK, **STORES}
ELSEWHERE = frozenset(
    words(
        "EC2::VolumeAttachment EC2::EIPAssociation EC2::NetworkInterfaceAttachment EC2::Route "
        "EC2::SubnetRouteTableAssociation EC2::SecurityGroupIngress EC2::VPCGatewayAttachment "
        "RDS::DBSubnetGroup ElastiCache::SubnetGroup EC2::SecurityGroupEgress"
    )
)
"""Types that are read with what they belong to."""
HARMLESS = words(
    "Logs:: IAM:: SSM:: Events::Rule Backup:: Budgets:: Config:: CloudTrail:: GuardDuty:: KMS::Alias "
    "CDK::Metadata CloudFormation::WaitCondition CloudFormation::WaitConditionHandle "
    "CloudFormation::Interface CloudWatch::Dashboard CloudWatch::CompositeAlarm EC2::VPC EC2::DHCPOptions "
    "EC2::VPCDHCPOptionsAssociation EC2::NetworkAcl EC2::SubnetNetworkAclAssociation EC2::FlowLog "
    "EC2::KeyPair EC2::CustomerGateway EC2::VPNGateway EC2::TransitGateway EC2::TransitGatewayRoute "
    "EC2::EgressOnlyInternetGateway EC2::VPCCidrBlock EC2::SubnetCidrBlock "
    "AutoScaling::ScalingPolicy AutoScaling::ScheduledAction "
    "AutoScaling::LifecycleHook ApplicationAutoScaling:: S3::BucketPolicy SQS::QueuePolicy SNS::TopicPolicy "
    "SNS::Subscription Lambda::Permission Lambda::Version Lambda::Alias Lambda::LayerVersion ECR:: "
    "RDS::DBParameterGroup RDS::DBClusterParameterGroup RDS::OptionGroup ElastiCache::ParameterGroup "
    "ElasticLoadBalancingV2::ListenerCertificate ElasticLoadBalancingV2::TrustStore EFS::AccessPoint "
    "SecretsManager::RotationSchedule SecretsManager::SecretTargetAttachment SecretsManager::ResourcePolicy "
    "ApiGateway::Deployment ApiGateway::Stage ApiGateway::Account ApiGateway::Resource "
    "ApiGatewayV2::Stage ApiGatewayV2::Deployment ApiGatewayV2::Route "
    "CloudFront::OriginAccessControl CloudFront::CloudFrontOriginAccessIdentity CloudFront::CachePolicy "
    "CloudFront::ResponseHeadersPolicy CloudFront::OriginRequestPolicy WAFv2:: "
)
"""Types that stop nobody when they are gone; a namespace ends with "::"."""
SETTINGS = ("UserData", "Environment", "ContainerDefinitions", "LaunchTemplateData", "Metadata")
"""Where what a machine, task or function is told to connect to stands."""


def read_template(path: Path, parameters: Mapping[str, str]) -> Estate:
    """Return the estate that a template promises.

    Args:
        path: the template, YAML or JSON.
        parameters: their values by name; pseudo parameters such as "AWS::Region" too.

    Raises:
        UsageError: it is no template, or asks for what cannot be; with file and line.
    """
    template = load(path)
    evaluator = Evaluator(template, Parameters(template, parameters))
    stack = Stack(evaluator)
    unread = [*stack.unread, *unread_of_template(template.document)]
    items: list[Item] = []
    for one in stack.by_id.values():
        try:
            made = list(translated(stack, one))
        except Misshapen as error:
            raise file_error(stack, error) from error
        items += [item_of_made(template.file, one, each) for each in made]
        unread += partly_unknown(one) if made else ()
        if not made and (reason := why_unread(one)):
            unread.append(Unread(f"resource of type {one.type}", CALL, reason, one.id))
    subnets = subnets_of_balancers(stack)
    if subnets:
        evaluator.assume("the subnets of a balancer stand in different zones, as AWS asks for")
    for name, zone in sorted(subnets.items()):
        items.append(Item(KINDS["subnet"], name, {"SubnetId": name, "AvailabilityZone": zone}, CALL))
    region = parameters.get("AWS::Region", "")
    return estate_of(
        items,
        source="CloudFormation template",
        account=parameters.get("AWS::AccountId", ""),
        region=region,
        unread=tuple(sorted(set(unread), key=lambda one: (one.kind, one.about, one.reason))),
        is_whole=False,
        uses=tuple(uses_of(stack, items)),
        assumptions=tuple(sorted(evaluator.assumptions)),
    )


def unread_of_template(document: Mapping[str, Any]) -> Iterator[Unread]:
    """Yield what a template leaves to macros."""
    macros = document.get("Transform")
    for macro in macros if isinstance(macros, list) else [macros]:
        if macro is not None and macro != "AWS::LanguageExtensions":
            yield Unread("what macros add", CALL, f"Transform {macro} is not expanded")


def why_unread(one: Resource) -> str:
    """Return why a resource of no kind is not read, or an empty string when it stops nobody."""
    name = one.type.removeprefix("AWS::")
    is_harmless = any(name == each or (each.endswith("::") and name.startswith(each)) for each in HARMLESS)
    if is_harmless or name in ELSEWHERE:
        return ""
    if name == "CloudFormation::Stack":
        return "a nested stack is a template of its own: audit that too"
    if one.type.startswith(("Custom::", "AWS::CloudFormation::CustomResource")):
        return "a custom resource can be anything"
    return "the audit does not know what it needs"


def partly_unknown(one: Resource) -> Iterator[Unread]:
    """Yield the lists of a resource in which a whole row is not known: it may be the spare."""
    for name, value in one.properties.items():
        if name in LISTS_OF_ROWS and isinstance(value, list) and any(row is UNKNOWN for row in value):
            yield Unread(f"one of {name}", CALL, "its value is not known", one.id)


def translated(stack: Stack, one: Resource) -> Iterator[Made]:
    """Yield the items that a resource becomes."""
    name = one.type.removeprefix("AWS::")
    if name in TRANSLATIONS:
        yield from TRANSLATIONS[name](stack, one)
    elif name in SAME:
        yield SAME[name], one.id, dict(one.properties)


def item_of_made(file: str, one: Resource, made: Made) -> Item:
    """Return an item, with the fields that its kind declares and nothing else of what was written."""
    name, key, fields = made
    kind = KINDS[name]
    kept = {path: value for path, value in fields.items() if path in kind.paths and value is not None}
    if "+" not in kind.id and "." not in kind.id and name != "load balancer attribute":
        kept[kind.id] = key
    tags = one.properties.get("Tags", one.properties.get("FileSystemTags"))
    if isinstance(tags, list):
        kept["Tags"] = [row for row in tags if isinstance(row, dict) and isinstance(row.get("Value"), str)]
    return Item(kind, key, kept, CALL, location=Location(file, one.line))


# What is told to connect to what --------------------------------------------------------------------------


def uses_of(stack: Stack, items: list[Item]) -> Iterator[Use]:
    """Yield the stores that machines, tasks and functions are told of by reference."""
    stores = {item.id: item.kind for item in items if item.kind.used_in}
    found: dict[tuple[str, str], Use] = {}
    for user, source in users(stack):
        metadata = stack.evaluator.resources[source.id].get("Metadata")
        properties = source.raw.get("Properties")
        told = {key: value for key, value in properties.items() if key in SETTINGS} if properties else {}
        for name, _ in references([told, metadata]):
            if name in stores and (user, name) not in found:
                kind = stores[name]
                why = f"the settings of {source.id} name {name}"
                found[user, name] = Use(user, kind.name, name, kind.used_in, "configured", why)
    yield from (found[key] for key in sorted(found))


def users(stack: Stack) -> Iterator[tuple[str, Resource]]:
    """Yield who uses what a resource's settings name, and the resource."""
    for one in stack.of("EC2::Instance", "AutoScaling::AutoScalingGroup"):
        yield one.id, one
        for launch in launched_from(stack, one):
            yield one.id, launch
    for one in stack.of("Lambda::Function"):
        yield one.id, one
    for one in stack.of("ECS::Service"):
        if definition := stack.find(one.properties.get("TaskDefinition")):
            yield one.id, definition


def launched_from(stack: Stack, one: Resource) -> Iterator[Resource]:
    """Yield what a machine or group is launched from."""
    wanted = [one.properties.get("LaunchTemplate"), one.properties.get("LaunchConfigurationName")]
    policy = one.properties.get("MixedInstancesPolicy")
    template = policy.get("LaunchTemplate") if isinstance(policy, dict) else None
    wanted.append(template.get("LaunchTemplateSpecification") if isinstance(template, dict) else None)
    for named in wanted:
        keys = list(named.values()) if isinstance(named, dict) else [named]
        for key in keys:
            found = stack.find(key) if isinstance(key, str) else None
            if found is not None:
                yield found
