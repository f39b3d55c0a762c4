"""Reads a snapshot of AWS Config: what the account was when it was taken, in the API's own fields.

AWS Config tells a resource's fields as the describing call does, with the first letter of each small.
Their right spelling is the one that the kind declares.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nospof.adapters.saved.files import MAX_BYTES, parse_json, read_json
from nospof.adapters.values import plain
from nospof.errors import UsageError
from nospof.model.estate import Estate, Item, Record, estate_of, moment_of
from nospof.model.findings import Location, Unread
from nospof.model.kinds import KINDS, Kind

CALL = "AWS Config snapshot"
TYPES: dict[str, str] = {
    "AWS::EC2::Instance": "instance",
    "AWS::EC2::Volume": "volume",
    "AWS::EC2::Subnet": "subnet",
    "AWS::EC2::EIP": "address",
    "AWS::EC2::NetworkInterface": "network interface",
    "AWS::EC2::NatGateway": "NAT gateway",
    "AWS::EC2::RouteTable": "route table",
    "AWS::EC2::InternetGateway": "internet gateway",
    "AWS::EC2::VPCEndpoint": "VPC endpoint",
    "AWS::EC2::VPNConnection": "VPN connection",
    "AWS::EC2::VPCPeeringConnection": "peering connection",
    "AWS::EC2::SecurityGroup": "security group",
    "AWS::EC2::LaunchTemplate": "launch template",
    "AWS::AutoScaling::AutoScalingGroup": "auto scaling group",
    "AWS::AutoScaling::LaunchConfiguration": "launch configuration",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "load balancer",
    "AWS::ElasticLoadBalancingV2::Listener": "listener",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "target group",
    "AWS::ElasticLoadBalancing::LoadBalancer": "classic load balancer",
    "AWS::RDS::DBInstance": "database",
    "AWS::RDS::DBCluster": "database cluster",
    "AWS::Redshift::Cluster": "warehouse",
    "AWS::OpenSearch::Domain": "search domain",
    "AWS::EFS::FileSystem": "file system",
    "AWS::S3::Bucket": "bucket",
    "AWS::DynamoDB::Table": "table",
    "AWS::SQS::Queue": "queue",
    "AWS::SNS::Topic": "topic",
    "AWS::Lambda::Function": "function",
    "AWS::ACM::Certificate": "certificate",
    "AWS::CloudFront::Distribution": "distribution",
    "AWS::CloudWatch::Alarm": "alarm",
}
"""Types whose configuration is what the describing call answers."""
HARMLESS = (
    "AWS::IAM::",
    "AWS::Config::",
    "AWS::CloudTrail::",
    "AWS::CloudFormation::",
    "AWS::SSM::",
    "AWS::Backup::",
    "AWS::KMS::Alias",
    "AWS::EC2::VPC",
    "AWS::EC2::NetworkAcl",
    "AWS::EC2::FlowLog",
    "AWS::EC2::DHCPOptions",
    "AWS::EC2::CustomerGateway",
    "AWS::EC2::VPNGateway",
    "AWS::RDS::DBSubnetGroup",
    "AWS::RDS::DBSecurityGroup",
    "AWS::RDS::DBSnapshot",
    "AWS::AutoScaling::ScalingPolicy",
    "AWS::AutoScaling::ScheduledAction",
)
NEVER_TOLD = ("target", "listener", "listener rule", "instance status", "record set")
"""Kinds that AWS Config does not record for sure: without them nobody knows who stands behind what."""
GONE = ("ResourceDeleted", "ResourceDeletedNotRecorded")


def read_config_snapshot(path: Path) -> Estate:
    """Return the estate that a snapshot of AWS Config tells; compressed or not.

    Raises:
        UsageError: it cannot be read, or is no such snapshot; with file and entry.
    """
    document = _document(path)
    entries = document.get("configurationItems") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise UsageError(f"{path} is no AWS Config snapshot: it has no list configurationItems.")
    items: dict[tuple[str, str], Item] = {}
    unread: dict[Unread, None] = {}
    read_at = 0.0
    accounts, regions = set(), set()
    for place, entry in enumerate(entries):
        where = f"{path}, configurationItems[{place}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("resourceType"), str):
            raise UsageError(f"{where}: a resource is a mapping with a resourceType.")
        if entry.get("configurationItemStatus") in GONE:
            continue
        read_at = max(read_at, moment_of(entry.get("configurationItemCaptureTime")) or 0.0)
        accounts.add(str(entry.get("awsAccountId") or ""))
        regions.add(str(entry.get("awsRegion") or ""))
        if entry["resourceType"] not in TYPES:
            if reason := _why_unread(entry["resourceType"]):
                unread[Unread(f"resource of type {entry['resourceType']}", CALL, reason, _name(entry))] = None
            continue
        item = _item(path, where, entry)
        items.setdefault((item.kind.name, item.id), item)
    found = {kind for kind, _ in items}
    for kind in NEVER_TOLD:
        if kind not in found:
            unread[Unread(KINDS[kind].plural, CALL, "AWS Config does not record them")] = None
    regions -= {"", "global"}
    return estate_of(
        (items[key] for key in sorted(items)),
        source="AWS Config snapshot",
        account=(accounts - {""}).pop() if len(accounts - {""}) == 1 else "",
        region=regions.pop() if len(regions) == 1 else "",
        read_at=read_at,
        unread=tuple(unread),
        is_whole=False,
    )


def _document(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            head = file.read(2)
            if head != b"\x1f\x8b":
                return read_json(path)
            file.seek(0)
            with gzip.open(file) as stream:
                raw = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read: {str(error).lower()}.") from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{path} has more than {MAX_BYTES // 1024**2} MB; that is not read.")
    try:
        return parse_json(raw.decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: this is not text in UTF-8.") from error


def _item(path: Path, where: str, entry: Mapping[str, Any]) -> Item:
    """Return an entry as its describing call would answer it."""
    kind = KINDS[TYPES[entry["resourceType"]]]
    written = entry.get("configuration")
    if isinstance(written, str):
        try:
            written = json.loads(written)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{where}: its configuration is no JSON.") from error
    if not isinstance(written, dict):
        raise UsageError(f"{where}: it has no configuration.")
    fields = plain(_renamed(written, _spelling(kind)))
    if isinstance(state := fields.get("State"), str) and "State.Name" in kind.paths:
        fields["State"] = {"Name": state}
    tags = entry.get("tags")
    if isinstance(tags, dict) and tags:
        fields["Tags"] = [{"Key": str(key), "Value": str(tags[key])} for key in sorted(tags)]
    key = Record(kind, fields).text(kind.id) if "+" not in kind.id else ""
    key = key or str(entry.get("resourceId") or entry.get("arn") or "")
    if not key:
        raise UsageError(f"{where}: it has no resourceId.")
    if "." not in kind.id and "+" not in kind.id:
        fields.setdefault(kind.id, key)
    return Item(kind, key, fields, CALL, location=Location(str(path)))


def _spelling(kind: Kind) -> dict[str, dict[str, Any]]:
    """Return the fields of a kind as a tree, by their names in small letters: (name, what is below)."""
    tree: dict[str, Any] = {}
    for path in sorted({*kind.paths, "Tags.Key", "Tags.Value"}):
        below = tree
        for part in path.split("."):
            below = below.setdefault(part.lower(), {"": part})
    return tree


def _renamed(value: Any, tree: Mapping[str, Any]) -> Any:
    """Return a value with the declared fields alone, spelled as the kind spells them."""
    if isinstance(value, list):
        return [_renamed(one, tree) for one in value]
    if not isinstance(value, dict):
        return value
    inner = {key: one for key, one in tree.items() if key}
    if not inner:
        return value  # What stands below is read as a whole.
    return {
        inner[name.lower()][""]: _renamed(one, inner[name.lower()])
        for name, one in value.items()
        if isinstance(name, str) and name.lower() in inner
    }


def _why_unread(kind: str) -> str:
    return "" if kind.startswith(HARMLESS) else "the audit does not know what it needs"


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("resourceName") or entry.get("resourceId") or "")
